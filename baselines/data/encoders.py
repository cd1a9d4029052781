"""The inputs of a batch: what turns images and texts into each, how it is made, and how a checkpoint has it.

To add an input, add a line to `INPUTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from affectory.encoders.image.regions import BOX
from affectory.encoders.image.views import VIEWS
from affectory.encoders.text.bag_of_words import BagOfWords
from affectory.encoders.text.frozen import FrozenText
from affectory.encoders.text.subwords import Subwords
from affectory.encoders.text.tfidf import Tfidf
from affectory.encoders.text.tokens import Tokens
from affectory.encoders.text.vectors import Vectors, VectorSource, WordVectors
from affectory.encoders.text.words import Vocabulary, cased_forms, vocabulary
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
        return _of(part, self.by_split, self.shape, np.dtype(np.float16))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an image's features."""
        return (self.width,)

    def state(self) -> dict[str, Any]:
        """Return the width; the features stay in their cache."""
        return {"width": self.width}


@dataclass(frozen=True)
class Regions:
    """The regions of a release's images: of each its features, its box, and 1 (`encoders.image.regions`).

    `width`: that of a region's features; `number`: the regions of an image, fewer ones padded with zeros.
    `name`: where they come from. `has_boxes`: False where a file has none; they are zeros then.
    """

    width: int
    number: int
    name: str
    has_boxes: bool = True
    rows: Images = field(default_factory=lambda: Images(0), repr=False)  # flattened
    modality: Literal["image"] = "image"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an image's regions."""
        return self.number, self.width + BOX

    def of(self, part: Part) -> NDArray[np.float16]:
        """Return a part's regions, float16[n, R, D + BOX]."""
        return self.rows.of(part).reshape(len(part), *self.shape)

    def state(self) -> dict[str, Any]:
        """Return all but the regions themselves."""
        return {
            "width": self.width,
            "number": self.number,
            "name": self.name,
            "has_boxes": self.has_boxes,
        }


@dataclass(frozen=True)
class Views:
    """The features of two random views of each image of a release (`encoders.image.views`).

    `width`: that of a view's features.
    """

    width: int
    rows: Images = field(default_factory=lambda: Images(0), repr=False)  # flattened
    modality: Literal["image"] = "image"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an image's views."""
        return VIEWS, self.width

    def of(self, part: Part) -> NDArray[np.float16]:
        """Return a part's views, float16[n, 2, D]."""
        return self.rows.of(part).reshape(len(part), *self.shape)

    def state(self) -> dict[str, Any]:
        """Return the width."""
        return {"width": self.width}


@dataclass(frozen=True)
class Pixels:
    """The images of a release, squashed to `width` pixels: uint8[3, width, width] each; zeros for none."""

    width: int
    by_split: dict[str, NDArray[np.uint8]] = field(default_factory=dict, repr=False)
    modality: Literal["image"] = "image"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an image."""
        return 3, self.width, self.width

    def of(self, part: Part) -> NDArray[np.uint8]:
        """Return a part's images, uint8[n, 3, S, S]."""
        return _of(part, self.by_split, self.shape, np.dtype(np.uint8))

    def state(self) -> dict[str, Any]:
        """Return the width."""
        return {"width": self.width}


def _of(
    part: Part, by_split: Mapping[str, NDArray[Any]], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Return the rows of a part, zeros for posts without an image."""
    out = np.zeros((len(part), *shape), dtype)
    for number, split in enumerate(SPLITS):
        mine = (part.where[:, 0] == number) & (part.digests != "")
        if mine.any():
            out[mine] = by_split[split][part.where[mine, 1]]
    return out


#: What encodes the images of a release.
ImageEncoder = Images | Regions | Views | Pixels


@dataclass(frozen=True)
class Given:
    """What the encoders of a release are made from.

    `train`: the training texts; `others`: those of validation and test. `file`: pretrained vectors, where
    given; `vectors`: those of the texts' words; `width`: that of random ones. `images`, `texts`: frozen
    features by input.
    """

    train: Sequence[str]
    others: Sequence[str]
    file: WordVectors | None
    vectors: Vectors | None
    width: int
    images: Mapping[str, ImageEncoder]
    texts: Mapping[str, FrozenText]


class Input(NamedTuple):
    """An input of a batch. `make`: None where a model makes it in its own `fit`.

    `later`: whether a trained network reads it too. If not, its checkpoint doesn't keep the encoder.
    """

    load: Callable[[Mapping[str, Any]], Any]  # from the state in a checkpoint
    make: Callable[[Given], Any] | None
    later: bool = True


def _words(given: Given) -> Vocabulary:
    return vocabulary(given.train, given.others, given.vectors, width=given.width)


def _cased_words(given: Given) -> Vocabulary:
    texts = [*given.train, *given.others]
    known = given.file.subset(cased_forms(texts), lower=False) if given.file is not None else None
    return vocabulary(given.train, given.others, known, width=given.width, cased=True)


INPUTS: dict[str, Input] = {
    # Features of the image network of --backbone.
    "image": Input(lambda state: Images(**state), lambda given: given.images["image"]),
    # Features of the same network for two random views of each image, float16[n, 2, D].
    "image_views": Input(
        lambda state: Views(**state), lambda given: given.images["image_views"], later=False
    ),
    # Ids of lower-case words.
    "words": Input(Vocabulary.from_state, _words),
    # Ids of words as they are written, where the vectors have them so; else lower-case.
    "cased_words": Input(Vocabulary.from_state, _cased_words),
    # Ids of words and n-grams, as fastText has them.
    "ngrams": Input(Subwords.from_state, None),
    # Ids and values of the n-grams of a text, and ids of its tokens.
    "tfidf": Input(Tfidf.from_state, None),
    "tokens": Input(Tokens.from_state, None),
    # Which of the 3,000 most frequent tokens of all training texts a text holds.
    "bag": Input(BagOfWords.from_state, lambda given: BagOfWords.fit(given.train)),
    # Features of the text network of --text-encoder.
    "sentence": Input(FrozenText.from_state, lambda given: given.texts["sentence"]),
    # The state of the first token (CLS) of the same network.
    "first_token": Input(FrozenText.from_state, lambda given: given.texts["first_token"]),
    # Features of both networks of --pair, or of --backbone and --text-encoder.
    "pair_image": Input(lambda state: Images(**state), lambda given: given.images["pair_image"]),
    "pair_text": Input(FrozenText.from_state, lambda given: given.texts["pair_text"]),
    # States of the pair's text tokens, padding included, float16[n, L, D].
    "pair_states": Input(FrozenText.from_state, lambda given: given.texts["pair_states"]),
    # Features and boxes of the regions of --regions, float16[n, R, D + BOX].
    "regions": Input(lambda state: Regions(**state), lambda given: given.images["regions"]),
    # Images squashed to the side of --pixels, uint8[n, 3, S, S].
    "pixels": Input(lambda state: Pixels(**state), lambda given: given.images["pixels"]),
}


def load_encoders(states: Mapping[str, Any]) -> dict[str, Any]:
    """Return encoders from their states, by input."""
    return {name: INPUTS[name].load(state) for name, state in states.items()}
