"""Bag of words: which of the most frequent tokens of some texts another text holds.

    words = BagOfWords.fit(texts, most=3000)
    words.encode(["So happy a day"])  # float32[1, 3000], zeros and ones

A token is a run of two or more word characters, in lower case (`\\w\\w+`, scikit-learn's default).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectory.core.errors import BaselineError

_TOKEN = re.compile(r"\w\w+")


def tokens(text: str) -> list[str]:
    """Return the tokens of a text, repeated ones too."""
    return _TOKEN.findall(text.lower())


@dataclass(frozen=True)
class BagOfWords:
    """The vocabulary of a bag of words: a column for each word."""

    words: tuple[str, ...]
    modality: Literal["text"] = "text"

    @classmethod
    def fit(cls, texts: Iterable[str], most: int = 3000) -> BagOfWords:
        """Take the `most` most frequent tokens of texts, equally frequent ones in alphabetical order.

        Raises `BaselineError` for texts without a token.
        """
        counts = Counter(token for text in texts for token in tokens(text))
        if not counts:
            raise BaselineError("the texts hold no word of two or more characters: no bag of words")
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(tuple(ranked[:most]))

    @property
    def width(self) -> int:
        """The number of columns: at most `most`."""
        return len(self.words)

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {word: column for column, word in enumerate(self.words)}

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return float32[n, width]: 1 for each word that a text holds, however often."""
        out = np.zeros((len(texts), self.width), np.float32)
        for row, text in enumerate(texts):
            held = {self._columns[token] for token in tokens(text) if token in self._columns}
            out[row, list(held)] = 1
        return out

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"words": list(self.words)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> BagOfWords:
        """Return the vocabulary of a checkpoint."""
        return cls(tuple(state["words"]))
