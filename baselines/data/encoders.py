"""The inputs of a batch: what turns images and texts into each, how it is made, and how a checkpoint has it.

To add an input, add a line to `INPUTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from affectory.encoders.text.frozen import FrozenText
from affectory.encoders.text.subwords import Subwords
from affectory.encoders.text.vectors import Vectors, VectorSource
from affectory.encoders.text.words import Vocabulary, vocabulary
from baselines.data.release import SPLITS, Part


class Encoder(Protocol):
    """What turns texts or images into one input of a batch."""

    modality: Literal["image", "text"]

    @property
    def width(self) -> int:
        """The width of a row of features, or of a word's vector."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of it: tensors, numbers, strings, lists of these."""
        ...


class TextEncoder(Encoder, Protocol):
    """An encoder of texts."""

    def encode(self, texts: Sequence[str]) -> NDArray[Any]:
        """Return a row for each text: ids, int64[n, L], padded with 0, or features, float[n, D]."""
        ...


@runtime_checkable
class WordEncoder(TextEncoder, Protocol):
    """An encoder of texts with a row for each word, which takes in more words after training."""

    @property
    def source(self) -> VectorSource | None:
        """Where the pretrained vectors are; None without."""
        ...

    def unknown(self, text: str) -> list[str]:
        """Return the words of a text that have no row, each once."""
        ...

    def extended(self, vectors: Vectors) -> Self:
        """Return the encoder with more words at its end, as `Model.add_words` appends their rows."""
        ...


@dataclass(frozen=True)
class Images:
    """The features of a release's images: one row for each row of its splits, zeros where there is none."""

    width: int
    by_split: dict[str, NDArray[np.float16]] = field(default_factory=dict, repr=False)
    modality: Literal["image"] = "image"

    def of(self, part: Part) -> NDArray[np.float16]:
        """Return a part's features, float16[n, D], as they are kept: half the memory to read them from."""
        out = np.zeros((len(part), self.width), np.float16)
        for number, split in enumerate(SPLITS):
            mine = (part.where[:, 0] == number) & (part.digests != "")
            if mine.any():
                out[mine] = self.by_split[split][part.where[mine, 1]]
        return out

    def state(self) -> dict[str, Any]:
        """Return the width; the features stay in their cache."""
        return {"width": self.width}


@dataclass(frozen=True)
class Given:
    """What the encoders of a release are made from.

    `train`: the training texts; `others`: those of validation and test. `vectors`: the pretrained vectors of
    their words, where a file was given; `width`: that of random ones. `images`, `texts`: frozen features by
    input.
    """

    train: Sequence[str]
    others: Sequence[str]
    vectors: Vectors | None
    width: int
    images: Mapping[str, Images]
    texts: Mapping[str, FrozenText]


class Input(NamedTuple):
    """An input of a batch. `make`: None where a model makes it in its own `fit`."""

    load: Callable[[Mapping[str, Any]], Any]  # from the state in a checkpoint
    make: Callable[[Given], Any] | None


def _words(given: Given) -> Vocabulary:
    return vocabulary(given.train, given.others, given.vectors, width=given.width)


INPUTS: dict[str, Input] = {
    # Features of the image network of --backbone.
    "image": Input(lambda state: Images(**state), lambda given: given.images["image"]),
    # Ids of lower-case words.
    "words": Input(Vocabulary.from_state, _words),
    # Ids of words and n-grams, as fastText has them.
    "ngrams": Input(Subwords.from_state, None),
    # Features of the text network of --text-encoder.
    "sentence": Input(FrozenText.from_state, lambda given: given.texts["sentence"]),
    # Features of both networks of --pair.
    "pair_image": Input(lambda state: Images(**state), lambda given: given.images["pair_image"]),
    "pair_text": Input(FrozenText.from_state, lambda given: given.texts["pair_text"]),
    # States of the pair's text tokens before its projection, padding included, float16[n, L, D].
    "pair_states": Input(FrozenText.from_state, lambda given: given.texts["pair_states"]),
}


def load_encoders(states: Mapping[str, Any]) -> dict[str, Any]:
    """Return encoders from their states, by input."""
    return {name: INPUTS[name].load(state) for name, state in states.items()}
