"""Predict the classes of one post with a trained model.

    python -m baselines.predict CHECKPOINT --image a.jpg --text "My day"

From Python:

    from baselines.predict import Predictor
    predictor = Predictor.load("results/reddit-emotion/1.0.0/checkpoints/joint-seed0.pt")
    predictor(image="a.jpg", text="My day")  # {"joy": 0.81, "fear": 0.07, …}

Image or text may be missing: the model then predicts from the other one.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import Positional, arg

from affectory.core.command import finish
from affectory.core.errors import BaselineError
from affectory.core.progress import say

if TYPE_CHECKING:
    from torch import Tensor, nn

    from affectory.encoders.image.backbones import Backbone
    from baselines.training.checkpoint import Checkpoint


class Predictor:
    """A trained network, with the preprocessing of its images and texts."""

    def __init__(self, checkpoint: Checkpoint, backbone: Backbone | None) -> None:
        self.checkpoint = checkpoint
        self._backbone = backbone
        self._network: nn.Module = checkpoint.network()

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
        source = checkpoint.image_source()
        return cls(checkpoint, source.load(weights) if source else None)

    def __call__(self, image: str | Path | None = None, text: str | None = None) -> dict[str, float]:
        """Return the probability of each class.

        Raises `BaselineError` without an input that the model reads, or for an image that can't be decoded.
        """
        import torch

        from baselines.data.batch import Batch

        reads_text = self.checkpoint.model != "image"
        has_image = image is not None and self._backbone is not None
        has_text = bool(text and text.strip()) and reads_text
        if not has_image and not has_text:
            wants = [name for name, reads in (("image", self._backbone), ("text", reads_text)) if reads]
            options = " or ".join(f"--{name}" for name in wants)
            raise BaselineError(
                f"the {self.checkpoint.model} model needs {' or '.join(wants)}: pass {options}"
            )
        features = self._features(image) if image is not None and has_image else torch.zeros(1, self._width())
        batch = Batch(
            features,
            self.checkpoint.tokens([text or ""]),
            torch.tensor([[has_image, has_text]]),
            torch.zeros(1, dtype=torch.int64),
        )
        with torch.inference_mode():
            probabilities = torch.softmax(self._network(batch)[0], -1).tolist()
        return dict(zip(self.checkpoint.classes, probabilities, strict=True))

    def _width(self) -> int:
        source = self.checkpoint.image_source()
        return source.features if source else 1

    def _features(self, path: str | Path) -> Tensor:
        """Return the image's features, float[1, D], rounded to half precision as in training."""
        import torch
        from PIL import Image, UnidentifiedImageError

        assert self._backbone is not None
        try:
            with Image.open(path) as image, torch.inference_mode():
                return self._backbone.module(self._backbone.preprocess(image)[None]).half().float()
        except (OSError, UnidentifiedImageError) as error:
            reason = getattr(error, "strerror", None) or "no image that can be decoded"
            raise BaselineError(f"the image {str(path)!r} can't be read: {reason}") from None


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
