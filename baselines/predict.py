"""Predict the classes of one post with a trained model.

    python -m baselines.predict CHECKPOINT --image a.jpg --text "My day"

From Python:

    from baselines.predict import Predictor
    predictor = Predictor.load("results/reddit-emotion/1.0.0/checkpoints/joint-seed0.pt")
    predictor(image="a.jpg", text="My day")  # {"joy": 0.81, "fear": 0.07, …}

An image is a path, bytes or a PIL image. Image or text may be missing: the model then predicts from the other
one.
"""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import tyro
from tyro.conf import Positional, arg

from affectory.core.command import finish
from affectory.core.errors import BaselineError
from affectory.core.progress import say

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from affectory.encoders.image.backbones import Backbone
    from baselines.data.batch import Batch, Mode
    from baselines.training.checkpoint import Checkpoint


#: An image: its path, its bytes, or the decoded picture.
ImageLike: TypeAlias = "str | Path | bytes | Image.Image"


class Predictor:
    """A trained model, with the preprocessing of its images and texts."""

    def __init__(self, checkpoint: Checkpoint, backbones: dict[str, Backbone]) -> None:
        self.checkpoint = checkpoint
        self._backbones = backbones  # by the digest of their weights

    @classmethod
    def load(cls, path: str | Path, *, weights: str | None = None) -> Predictor:
        """Read a checkpoint. `weights` is the path of the image network's weights, if it has changed.

        Raises `BaselineError` for a file that is no checkpoint, a network whose training failed, or weights
        other than those it was trained with.
        """
        from baselines.training.checkpoint import read

        checkpoint = read(Path(path))
        if checkpoint.problem:
            raise BaselineError(f"the training of {str(path)!r} failed: {checkpoint.problem}")
        return cls(checkpoint, {one.digest: one.load(weights) for one in checkpoint.sources()})

    def __call__(self, image: ImageLike | None = None, text: str | None = None) -> dict[str, float]:
        """Return the probability of each class; of several labels each label's own.

        Raises `BaselineError` without an input that the model reads, or for an image that can't be decoded.
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
        features = {
            digest: _features(image, backbone)
            for digest, backbone in self._backbones.items()
            if image is not None and read["image"]
        }

        def posts(one: Checkpoint) -> Batch:
            own = features.get(one.source.digest) if one.source else None
            return of_post(one.task, one.loaded_encoders(), own, (text or "") if read["text"] else "")

        from baselines.data.inputs import of_post

        task = self.checkpoint.task
        probabilities = task.probabilities(self.checkpoint.logits(posts, mode))[0].tolist()
        return dict(zip(task.names, probabilities, strict=True))


def _features(image: ImageLike, backbone: Backbone) -> Tensor:
    """Return an image's features, float[1, D], rounded to half precision as in training."""
    import torch
    from PIL import Image

    named = "of these bytes" if isinstance(image, bytes) else repr(str(image))
    try:
        with contextlib.ExitStack() as stack:
            if isinstance(image, Image.Image):
                opened = image
            else:
                opened = stack.enter_context(
                    Image.open(io.BytesIO(image) if isinstance(image, bytes) else image)
                )
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

    image: Annotated[Path | None, arg(metavar="FILE")] = None
    """The post's image."""

    text: Annotated[str | None, arg(metavar="TEXT")] = None
    """The post's text."""

    weights: Annotated[str | None, arg(metavar="PATH", help_behavior_hint="(default: as in training)")] = None
    """The image network's weights, if their file has moved since training."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m baselines.predict") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    options = tyro.cli(Options, prog=prog, args=arguments)
    return finish(lambda: _predict(options))


def _predict(options: Options) -> str:
    """Return a line per class, the most probable first."""
    predictor = Predictor.load(options.checkpoint, weights=options.weights)
    probabilities = predictor(options.image, options.text)
    if predictor.checkpoint.generated:
        say(f"note: {predictor.checkpoint.generated} (this model's training data)")
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    return "\n".join(f"{name:<14} {probability:6.1%}" for name, probability in ranked)


if __name__ == "__main__":
    sys.exit(main())
