"""Words and their vectors: tokens, the vocabulary of a release, GloVe, word2vec and fastText files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectory.core.errors import BaselineError

#: Tokens of a text that are read; the rest of a longer one is left out.
MAX_TOKENS = 128

#: Ids of the padding and of a word that is not in the vocabulary. Words count from 2.
PADDING, UNKNOWN = 0, 1

_MARKS = (
    (re.compile(r"https?://\S+|www\.\S+"), " <url> "),
    (re.compile(r"(?<!\w)@\w+"), " <user> "),
    (re.compile(r"(?<!\w)[-+]?\.*\d[:,.\d]*(?!\w)"), " <number> "),
    (re.compile("[’‘`´]"), "'"),
)
_TOKEN = re.compile(r"<[a-z]+>|\w+(?:'\w+)*|[^\w\s]")


def tokenise(text: str) -> list[str]:
    """Split a text into lower-case words and signs, with the marks of GloVe-Twitter's own script:
    `<url>`, `<user>`, `<number>`.
    """
    text = text.lower()
    for pattern, mark in _MARKS:
        text = pattern.sub(mark, text)
    return _TOKEN.findall(text)[:MAX_TOKENS]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Word vectors of a text file, for the words that were asked for."""

    name: str
    width: int
    rows: dict[str, NDArray[np.float32]]


def read_vectors(path: Path, wanted: set[str]) -> Vectors:
    """Read the vectors of some words from a file of lines `word v1 v2 … vd`.

    A first line `rows width` (word2vec, fastText) is skipped. Raises `BaselineError`, naming the line, for a
    file that isn't one.
    """
    rows: dict[str, NDArray[np.float32]] = {}
    width = 0
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, 1):
                parts = line.rstrip().split(" ")
                if number == 1 and len(parts) == 2 and all(part.isdigit() for part in parts):
                    continue
                if not width:
                    width = len(parts) - 1
                if len(parts) - 1 != width or not width:
                    raise BaselineError(
                        f"{str(path)!r}, line {number}: {len(parts) - 1} values after {parts[0][:40]!r}, and "
                        f"{width} in the lines before; every line is a word and its vector, spaces between"
                    )
                if parts[0] in wanted:
                    rows.setdefault(parts[0], np.array(parts[1:], dtype=np.float32))
    except OSError as error:
        raise BaselineError(f"the vectors {str(path)!r} can't be read: {error.strerror}") from None
    except ValueError as error:
        if isinstance(error, BaselineError):
            raise
        raise BaselineError(f"{str(path)!r}, line {number}: {str(error)!r}; no word vector") from None
    if not width:
        raise BaselineError(f"{str(path)!r} holds no vectors")
    return Vectors(path.name, width, rows)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of a release, by id, and their first vectors.

    `vectors` names them: "glove.twitter.25d.12k.txt, 25-d", or "random, 200-d". `out_of_vocabulary` is the
    share of the training tokens without a pretrained vector; None where there are no pretrained vectors.
    """

    words: tuple[str, ...]
    start: NDArray[np.float32]  # [2 + words, d]: the rows to begin with; padding is zero
    vectors: str
    out_of_vocabulary: float | None
    modality: Literal["text"] = "text"

    @property
    def width(self) -> int:
        """The vectors' width d."""
        return int(self.start.shape[1])

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: the vectors stand among the network's parameters."""
        return {"words": list(self.words), "width": self.width, "vectors": self.vectors}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Vocabulary:
        """Return the vocabulary of a checkpoint, its first vectors all zero."""
        start = np.zeros((len(state["words"]) + 2, state["width"]), np.float32)
        return cls(tuple(state["words"]), start, state["vectors"], None)

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the ids of each text, int64[n, longest], padded with 0."""
        place = {word: i for i, word in enumerate(self.words, 2)}
        return padded([[place.get(token, UNKNOWN) for token in tokenise(text)] for text in texts])


def vocabulary(
    train: Iterable[str], others: Iterable[str], vectors: Vectors | None, *, width: int = 200
) -> Vocabulary:
    """Make the vocabulary of a release.

    It holds the words of `train`, but for those with neither a vector nor a second occurrence (they train the
    row of unknown words), and of `others` (validation, test) those with a vector. Without `vectors` the rows
    begin as N(0, 0.5²) of `width`: about GloVe's own spread.
    """
    counts = Counter(token for text in train for token in tokenise(text))
    elsewhere = {token for text in others for token in tokenise(text)}
    known = vectors.rows if vectors else {}
    words = sorted(w for w, n in counts.items() if n > 1 or w in known)
    words += sorted(w for w in elsewhere - counts.keys() if w in known)
    width = vectors.width if vectors else width
    spread = float(np.std(list(known.values()))) if known else 0.5
    start = np.random.default_rng(0).normal(0, spread, (len(words) + 2, width)).astype(np.float32)
    start[PADDING] = 0
    for i, word in enumerate(words, 2):
        if word in known:
            start[i] = known[word]
    missing = sum(n for w, n in counts.items() if w not in known) / max(1, counts.total())
    name = f"{vectors.name if vectors else 'random'}, {width}-d"
    return Vocabulary(tuple(words), start, name, missing if vectors else None)


def padded(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Return ids as int64[n, longest], padded with 0; at least one column."""
    longest = max((len(row) for row in rows), default=0)
    out = np.zeros((len(rows), max(1, longest)), np.int64)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out
