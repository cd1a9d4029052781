"""Predict the classes of one post with a trained model.

    python -m baselines.predict CHECKPOINT --image a.jpg --text "My day"

From Python:

    from baselines.predict import Predictor
    predictor = Predictor.load("results/NAME/1.0.0/checkpoints/joint-seed0.pt")
    predictor(image="a.jpg", text="My day")  # {"joy": 0.81, "fear": 0.07, …}

An image is a path, bytes or a PIL image. Image or text may be missing: the model then predicts from the other
one. A word that training never saw is read with its pretrained vector, if the model was trained with a file
of word vectors and that file, or its conversion in the cache, is still there.
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import contextlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from tyro.conf import Positional, arg

from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import BaselineError, InputError
from affectory.core.output import Outcome, say
from affectory.core.progress import Steps

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from affectory.encoders.image.backbones import Backbone
    from affectory.encoders.text.vectors import VectorSource, WordVectors
    from baselines.data.batch import Batch, Mode
    from baselines.training.checkpoint import Checkpoint


#: An image: its path, its bytes, or the decoded picture.
ImageLike: TypeAlias = "str | Path | bytes | Image.Image"


class Predictor:
    """A trained model, with the preprocessing of its images and texts."""

    def __init__(
        self, checkpoint: Checkpoint, *, weights: str | None = None, features: str | Path | None = None
    ) -> None:
        self.checkpoint = checkpoint
        self._weights = weights
        self._features = Path(features) if features is not None else None
        self._backbones: dict[str, Backbone] = {}  # by the digest of their weights
        self._vectors: dict[str, WordVectors | None] = {}  # by the digest of their file

    @classmethod
    def load(
        cls, path: str | Path, *, weights: str | None = None, features: str | Path | None = None
    ) -> Predictor:
        """Read a checkpoint.

        `weights` is the path of the image network's weights, if it has changed; `features` the cache with the
        word vectors of training, if it has moved.

        Raises `BaselineError` for a file that is no checkpoint, or a network whose training failed.
        """
        from baselines.training.checkpoint import read

        checkpoint = read(Path(path))
        if checkpoint.problem:
            raise BaselineError(f"the training of {str(path)!r} failed: {checkpoint.problem}")
        return cls(checkpoint, weights=weights, features=features)

    def __call__(self, image: ImageLike | None = None, text: str | None = None) -> dict[str, float]:
        """Return the probability of each class; of several labels each label's own.

        The image network is loaded with the first image. Raises `BaselineError` without an input that the
        model reads, for an image that can't be decoded, or for weights other than those of training.
        """
        spec = self.checkpoint.spec
        given: dict[str, bool] = {"image": image is not None, "text": bool(text and text.strip())}
        read = {name: given[name] and name in spec.reads for name in given}
        if not any(read.values()):
            options = " or ".join(f"--{name}" for name in spec.reads)
            raise BaselineError(
                f"the {self.checkpoint.model} model needs {' or '.join(spec.reads)}: pass {options}"
            )
        mode: Mode = "both" if all(read.values()) else "image" if read["image"] else "text"
        from baselines.data.inputs import of_post

        features = self._of_image(image) if image is not None and read["image"] else {}
        words = (text or "") if read["text"] else ""
        self.checkpoint = self._with_words(self.checkpoint, words)

        def posts(one: Checkpoint) -> Batch:
            own = features.get(one.source.digest) if one.source else None
            return of_post(one.task, one.loaded_encoders(), own, words)

        task = self.checkpoint.task
        probabilities = task.probabilities(self.checkpoint.logits(posts, mode))[0].tolist()
        return dict(zip(task.names, probabilities, strict=True))

    def _of_image(self, image: ImageLike) -> dict[str, Tensor]:
        """Return the features of an image by each image network, by the digest of its weights."""
        for source in self.checkpoint.sources():
            if source.digest not in self._backbones:
                self._backbones[source.digest] = source.load(self._weights)
        return {digest: _features(image, backbone) for digest, backbone in self._backbones.items()}

    def _with_words(self, one: Checkpoint, text: str) -> Checkpoint:
        """Return the checkpoint with a row for each word of a text that has a vector, but no row yet."""
        from baselines.data.encoders import WordEncoder

        if one.parts:
            return replace(one, parts=tuple(self._with_words(part, text) for part in one.parts))
        for name, encoder in one.loaded_encoders().items():
            if not isinstance(encoder, WordEncoder) or encoder.source is None:
                continue
            if not (unknown := encoder.unknown(text)) or not (known := self._known(encoder.source)):
                continue
            vectors = known.subset(unknown)
            if vectors.rows:
                import numpy as np
                import torch

                network = one.network()
                network.add_words(torch.from_numpy(np.array(list(vectors.rows.values()))))
                encoders = {**one.encoders, name: encoder.extended(vectors).state()}
                one = replace(one, state=network.state_dict(), encoders=encoders)
        return one

    def _known(self, source: VectorSource) -> WordVectors | None:
        """Return the word vectors of training; None where they are gone, which is said once."""
        if source.sha256 not in self._vectors:
            from affectory.encoders.text.vectors import find_vectors

            found, why = None, f"not in {str(self._features or source.cache)!r}, nor at {source.path!r}"
            try:
                found = find_vectors(source, self._features)
            except BaselineError as error:
                why = str(error)
            if found is None:
                say(
                    f"note: the word vectors {source.name} of training aren't available ({why}): words that "
                    "training never saw count as unknown"
                )
            self._vectors[source.sha256] = found
        return self._vectors[source.sha256]


def _features(image: ImageLike, backbone: Backbone) -> Tensor:
    """Return an image's features, float[1, D], rounded to half precision as in training."""
    import torch
    from PIL import Image

    from affectory.core.image_files import open_image

    named = "of these bytes" if isinstance(image, bytes) else repr(str(image))
    try:
        with contextlib.ExitStack() as stack:
            if isinstance(image, Image.Image):
                opened = image
            else:
                data = image if isinstance(image, bytes) else Path(image).read_bytes()
                opened = stack.enter_context(open_image(data))
            with torch.inference_mode():
                return backbone.module(backbone.preprocess(opened)[None]).half().float()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or "no image that can be decoded"
        raise BaselineError(f"the image {named} can't be read: {reason}") from None


@dataclass(frozen=True)
class Options:
    """Predict the classes of one post with a trained model."""

    checkpoint: Positional[Annotated[Path, arg(metavar="CHECKPOINT")]]
    """The trained model: a .pt file of results/NAME/VERSION/checkpoints."""

    image: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """The post's image."""

    text: Annotated[str | None, arg(metavar="TEXT", help_behavior_hint="")] = None
    """The post's text."""

    weights: Annotated[str | None, arg(metavar="PATH", help_behavior_hint="(default: as in training)")] = None
    """The image network's weights, if their file has moved since training."""

    features: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: as in training)")] = (
        None
    )
    """The cache with the word vectors of training."""

    def check(self) -> None:
        """Raise `InputError` for a file that there isn't: before torch, which takes seconds to import."""
        if not self.checkpoint.is_file():
            raise InputError(
                f"there is no checkpoint {str(self.checkpoint)!r}: affectory run NAME writes them to "
                "results/NAME/VERSION/checkpoints"
            )
        if self.image is not None and not self.image.is_file():
            raise InputError(f"--image {str(self.image)!r} is not a file")
        if self.weights is not None and not Path(self.weights).exists():
            raise InputError(f"--weights {self.weights!r} doesn't exist: give a .safetensors or .pth file")


def main(arguments: list[str] | None = None, *, prog: str = "python -m baselines.predict") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    return finish(lambda: _predict(read_options(Options, arguments, prog, __doc__)))


def _predict(options: Options) -> Outcome:
    """Return a line per class, the most probable first."""
    options.check()
    with Steps("loading"):
        import torch

    # One post is milliseconds of work on one core. Several that wait for each other, and for other programs,
    # took seconds.
    torch.set_num_threads(1)
    predictor = Predictor.load(options.checkpoint, weights=options.weights, features=options.features)
    probabilities = predictor(options.image, options.text)
    if predictor.checkpoint.generated:
        say(f"note: {predictor.checkpoint.generated} (this model's training data)")
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    text = "\n".join(f"{name:<14} {probability:6.1%}" for name, probability in ranked)
    return Outcome(text, dict(ranked))


if __name__ == "__main__":
    sys.exit(main())
