"""The tokens of a text, and the vocabulary of a release with its first vectors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectory.encoders.text.vectors import Vectors, VectorSource

#: Tokens of a text that are read; the rest of a longer one is left out. `MAX_CASED`: with cased look-up, for
#: texts of 150 words and their signs.
MAX_TOKENS, MAX_CASED = 128, 256

#: Ids of the padding and of a word that is not in the vocabulary. Words count from 2.
PADDING, UNKNOWN = 0, 1

_MARKS = (
    (re.compile(r"https?://\S+|www\.\S+", re.IGNORECASE), " <url> "),
    (re.compile(r"(?<!\w)@\w+"), " <user> "),
    (re.compile(r"(?<!\w)[-+]?\.*\d[:,.\d]*(?!\w)"), " <number> "),
    (re.compile("[’‘`´]"), "'"),
)
_TOKEN = re.compile(r"<[a-zA-Z]+>|\w+(?:'\w+)*|[^\w\s]")


def tokenise(text: str, *, cased: bool = False) -> list[str]:
    """Split a text into lower-case words and signs, with the marks of GloVe-Twitter's own script:
    `<url>`, `<user>`, `<number>`. `cased` keeps upper case, and up to `MAX_CASED` tokens.
    """
    text = text if cased else text.lower()
    for pattern, mark in _MARKS:
        text = pattern.sub(mark, text)
    return _TOKEN.findall(text)[: MAX_CASED if cased else MAX_TOKENS]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of a release, by id, and their first vectors.

    `vectors` names them: "glove.twitter.25d.12k.txt, 25-d", or "random, 200-d". `out_of_vocabulary` is the
    share of the training tokens without a pretrained vector; None where there are no pretrained vectors.
    `source`: where the pretrained vectors are, for words of later texts. `cased`: a word has the row of its
    form as it is written, where there is one, else that of its lower-case form.
    """

    words: tuple[str, ...]
    start: NDArray[np.float32]  # [2 + words, d]: the rows to begin with; padding is zero
    vectors: str
    out_of_vocabulary: float | None
    source: VectorSource | None = None
    cased: bool = False
    modality: Literal["text"] = "text"

    @property
    def width(self) -> int:
        """The vectors' width d."""
        return int(self.start.shape[1])

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: the vectors stand among the network's parameters."""
        source = self.source.state() if self.source else None
        return {
            "words": list(self.words),
            "width": self.width,
            "vectors": self.vectors,
            "source": source,
            "cased": self.cased,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Vocabulary:
        """Return the vocabulary of a checkpoint, its first vectors all zero."""
        start = np.zeros((len(state["words"]) + 2, state["width"]), np.float32)
        source = VectorSource(**state["source"]) if state.get("source") else None
        return cls(tuple(state["words"]), start, state["vectors"], None, source, state.get("cased", False))

    def unknown(self, text: str) -> list[str]:
        """Return the words of a text that have no row, each once; with cased look-up both of its forms."""
        known = set(self.words)
        forms = cased_forms([text]) if self.cased else tokenise(text)
        return [form for form in dict.fromkeys(forms) if form not in known]

    def extended(self, vectors: Vectors) -> Vocabulary:
        """Return the vocabulary with more words at its end, in the order of `vectors.rows`."""
        rows = np.array(list(vectors.rows.values()), np.float32).reshape(-1, self.width)
        return replace(self, words=(*self.words, *vectors.rows), start=np.concatenate([self.start, rows]))

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the ids of each text, int64[n, longest], padded with 0."""
        place = {word: i for i, word in enumerate(self.words, 2)}
        return padded(
            [[place.get(form, UNKNOWN) for form in _forms(text, place, cased=self.cased)] for text in texts]
        )


def cased_forms(texts: Iterable[str]) -> Iterator[str]:
    """Yield each token of the texts as it is written, and lower-cased."""
    for text in texts:
        for token in tokenise(text, cased=True):
            yield from (token, token.lower())


def _forms(text: str, known: Container[str], *, cased: bool) -> list[str]:
    """Return the tokens of a text; with cased look-up those that aren't known as written are lower-cased."""
    return [token if token in known else token.lower() for token in tokenise(text, cased=cased)]


def vocabulary(
    train: Iterable[str],
    others: Iterable[str],
    vectors: Vectors | None,
    *,
    width: int = 200,
    cased: bool = False,
) -> Vocabulary:
    """Make the vocabulary of a release.

    It holds the words of `train`, but for those with neither a vector nor a second occurrence (they train the
    row of unknown words), and of `others` (validation, test) those with a vector. A word without a vector
    begins as N(0, s²), where s is the spread of the file's values; without `vectors` all rows begin as
    N(0, 0.5²) of `width`: about GloVe's own spread.

    `cased`, for files such as GoogleNews: a word that has a vector as it is written has a row of its own; any
    other counts as its lower-case form.
    """
    known = vectors.rows if vectors else {}
    counts = Counter(form for text in train for form in _forms(text, known, cased=cased))
    elsewhere = {form for text in others for form in _forms(text, known, cased=cased)}
    words = sorted(w for w, n in counts.items() if n > 1 or w in known)
    words += sorted(w for w in elsewhere - counts.keys() if w in known)
    width = vectors.width if vectors else width
    spread = vectors.spread if vectors else 0.5
    start = np.random.default_rng(0).normal(0, spread, (len(words) + 2, width)).astype(np.float32)
    start[PADDING] = 0
    for i, word in enumerate(words, 2):
        if word in known:
            start[i] = known[word]
    missing = sum(n for w, n in counts.items() if w not in known) / max(1, counts.total())
    name = f"{vectors.name if vectors else 'random'}, {width}-d"
    unknown, source = (missing, vectors.source) if vectors else (None, None)
    return Vocabulary(tuple(words), start, name, unknown, source, cased)


def padded(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Return ids as int64[n, longest], padded with 0; at least one column."""
    longest = max((len(row) for row in rows), default=0)
    out = np.zeros((len(rows), max(1, longest)), np.int64)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out
