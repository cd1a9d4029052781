"""TF-IDF of words, word bigrams and characters, as scikit-learn's `TfidfVectorizer` defines it.

    tfidf = Tfidf.fit(texts, NgramRange())
    tfidf.encode(["So happy a day"])  # float32[1, L, 2]: the column and the value of each n-gram

Two blocks of columns stand side by side: word n-grams, then character n-grams. Within a block a text's value
of an n-gram is (1 + ln count) · idf, where idf = ln((1 + texts) / (1 + texts that hold it)) + 1, and the
block is then divided by its norm. A test compares both blocks with scikit-learn's own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from affectory.core.errors import BaselineError
from affectory.encoders.text.bag_of_words import tokens

_SPACES = re.compile(r"\s\s+")

#: Columns that float32 can number exactly.
MOST = 1 << 24


@dataclass(frozen=True, slots=True)
class NgramRange:
    """What has a column, by scikit-learn's names.

    `words`: words of the longest word n-gram. `shortest`, `longest`: characters of a character n-gram.
    `analyzer`: "char_wb" takes characters within words, with a space at both ends; "char" across words too.
    `word_min_df`, `char_min_df`: an n-gram that fewer training texts hold has no column.
    """

    words: int = 2
    shortest: int = 2
    longest: int = 5
    analyzer: Literal["char_wb", "char"] = "char_wb"
    word_min_df: int = 1
    char_min_df: int = 2
    sublinear_tf: bool = True


class Sparse(NamedTuple):
    """Rows of a sparse matrix: row i has the columns `ids[starts[i]:starts[i + 1]]`, ascending by block."""

    starts: NDArray[np.int64]  # [n + 1]
    ids: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tfidf:
    """The columns of some training texts, each block in alphabetical order, and their idf, float64[width]."""

    settings: NgramRange
    words: tuple[str, ...]
    characters: tuple[str, ...]
    idf: NDArray[np.float64]
    modality: Literal["text"] = "text"

    @classmethod
    def fit(cls, texts: Sequence[str], settings: NgramRange) -> Tfidf:
        """Take the n-grams of texts.

        Raises `BaselineError` for texts without an n-gram, and for more columns than float32 numbers exactly.
        """
        blocks, idf = [], []
        for analyse, least in (
            (word_ngrams, settings.word_min_df),
            (character_ngrams, settings.char_min_df),
        ):
            held = Counter(piece for text in texts for piece in set(analyse(text, settings)))
            kept = sorted(piece for piece, number in held.items() if number >= least)
            blocks.append(tuple(kept))
            idf += [np.log((1 + len(texts)) / (1 + held[piece])) + 1 for piece in kept]
        if not idf:
            raise BaselineError("the training texts hold no n-gram that is frequent enough: no TF-IDF")
        if len(idf) > MOST:
            raise BaselineError(
                f"the training texts hold {len(idf):,} n-grams, more than {MOST:,}: set min_df"
            )
        return cls(settings, blocks[0], blocks[1], np.array(idf))

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.words) + len(self.characters)

    @cached_property
    def _columns(self) -> tuple[dict[str, int], dict[str, int]]:
        words = {piece: column for column, piece in enumerate(self.words)}
        return words, {piece: column for column, piece in enumerate(self.characters, len(words))}

    def _row(self, text: str) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Yield the columns and values of each block."""
        for analyse, known in zip((word_ngrams, character_ngrams), self._columns, strict=True):
            counts = Counter(known[piece] for piece in analyse(text, self.settings) if piece in known)
            ids = np.array(sorted(counts), np.int64)
            values = np.array([counts[one] for one in ids.tolist()], np.float64)
            if self.settings.sublinear_tf:
                values = 1 + np.log(values)
            values *= self.idf[ids]
            yield ids, values / max(np.linalg.norm(values), np.finfo(float).tiny)

    def sparse(self, texts: Iterable[str]) -> Sparse:
        """Return a row for each text, without padding."""
        lengths, ids, values = [0], [np.empty(0, np.int64)], [np.empty(0)]
        for text in texts:
            blocks = list(self._row(text))
            lengths.append(sum(len(columns) for columns, _ in blocks))
            ids += [columns for columns, _ in blocks]
            values += [numbers for _, numbers in blocks]
        return Sparse(np.cumsum(lengths), np.concatenate(ids), np.concatenate(values))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the column and the value of each n-gram, float32[n, L, 2]; padding has the value 0."""
        rows = self.sparse(texts)
        longest = int(np.diff(rows.starts).max(initial=1))
        out = np.zeros((len(texts), longest, 2), np.float32)
        for i, (start, end) in enumerate(zip(rows.starts, rows.starts[1:], strict=False)):
            out[i, : end - start, 0] = rows.ids[start:end]
            out[i, : end - start, 1] = rows.values[start:end]
        return out

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {
            "settings": asdict(self.settings),
            "words": list(self.words),
            "characters": list(self.characters),
            "idf": torch.from_numpy(self.idf),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Tfidf:
        """Return the columns of a checkpoint."""
        settings = NgramRange(**state["settings"])
        return cls(settings, tuple(state["words"]), tuple(state["characters"]), state["idf"].numpy())


def word_ngrams(text: str, settings: NgramRange) -> Iterator[str]:
    """Yield the lower-case words of two characters or more, then their n-grams, a space between."""
    found = tokens(text)
    for n in range(1, settings.words + 1):
        for start in range(len(found) - n + 1):
            yield " ".join(found[start : start + n])


def character_ngrams(text: str, settings: NgramRange) -> Iterator[str]:
    """Yield the n-grams of the lower-case characters."""
    text = _SPACES.sub(" ", text.lower())
    if settings.analyzer == "char":
        yield from _windows(text, settings.shortest, settings.longest)
        return
    for word in text.split():
        yield from _within(word, settings.shortest, settings.longest)


@lru_cache(1 << 16)
def _within(word: str, shortest: int, longest: int) -> tuple[str, ...]:
    """Return the n-grams of " word ". A word shorter than n counts as a whole, once."""
    padded = f" {word} "
    whole = (padded,) if len(padded) < shortest else ()
    return (*whole, *_windows(padded, shortest, longest))


def _windows(text: str, shortest: int, longest: int) -> Iterator[str]:
    for n in range(shortest, min(longest, len(text)) + 1):
        for start in range(len(text) - n + 1):
            yield text[start : start + n]
