"""Ask a trained model about one post.

    python -m baselines.predict CHECKPOINT --image a.jpg --text "My day"

From Python:

    from baselines.predict import Predictor
    predictor = Predictor.load("results/reddit-emotion/1.0.0/checkpoints/joint-seed0.pt")
    predictor(image="a.jpg", text="My day")  # {"joy": 0.81, "fear": 0.07, …}

Image or text may be absent: the model then answers by the other alone.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import Positional, arg

from affectory.core.errors import BaselineError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from baselines.backbones import Backbone
    from baselines.checkpoint import Checkpoint


class Predictor:
    """A checkpoint's network with what it needs to read images and texts."""

    def __init__(self, checkpoint: Checkpoint, backbone: Backbone | None) -> None:
        self.checkpoint = checkpoint
        self._backbone = backbone
        self._network: nn.Module = checkpoint.network()

    @classmethod
    def load(cls, path: str | Path, *, weights: str | None = None) -> Predictor:
        """Read a checkpoint. `weights`: the image network's, where they have moved since training.

        Raises `BaselineError` for a file that is no checkpoint, or weights that aren't those of its training.
        """
        from baselines.checkpoint import read

        checkpoint = read(Path(path))
        if checkpoint.problem:
            raise BaselineError(f"{str(path)!r} was given up in training: {checkpoint.problem}")
        source = checkpoint.image_source()
        return cls(checkpoint, source.load(weights) if source else None)

    def __call__(self, image: str | Path | None = None, text: str | None = None) -> dict[str, float]:
        """Return the probability of each class. Raises `BaselineError` where there is nothing to go by."""
        import torch

        from baselines.batch import Batch

        reads_text = self.checkpoint.model != "image"
        seen = image is not None and self._backbone is not None
        told = bool(text and text.strip()) and reads_text
        if not seen and not told:
            wants = [name for name, reads in (("image", self._backbone), ("text", reads_text)) if reads]
            options = " or ".join(f"--{name}" for name in wants)
            raise BaselineError(
                f"the {self.checkpoint.model} model needs {' or '.join(wants)}: pass {options}"
            )
        pixels = self._features(image) if image is not None and seen else torch.zeros(1, self._width())
        batch = Batch(
            pixels,
            self.checkpoint.tokens([text or ""]),
            torch.tensor([[seen, told]]),
            torch.zeros(1, dtype=torch.int64),
        )
        with torch.inference_mode():
            found = torch.softmax(self._network(batch)[0], -1).tolist()
        return dict(zip(self.checkpoint.classes, found, strict=True))

    def _width(self) -> int:
        source = self.checkpoint.image_source()
        return source.features if source else 1

    def _features(self, path: str | Path) -> Tensor:
        """Return the image's features as training saw them: float[1, D], rounded as in the cache."""
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
    """Ask a trained model about one post."""

    checkpoint: Positional[Annotated[Path, arg(metavar="CHECKPOINT")]]
    """A file of results/NAME/VERSION/checkpoints."""

    image: Annotated[Path | None, arg(metavar="FILE")] = None
    """The post's image."""

    text: Annotated[str | None, arg(metavar="TEXT")] = None
    """The post's text."""

    weights: Annotated[
        str | None, arg(metavar="PATH", help_behavior_hint="(default: where training found them)")
    ] = None
    """The image network's weights."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m baselines.predict") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    options = tyro.cli(Options, prog=prog, args=arguments)
    try:
        predictor = Predictor.load(options.checkpoint, weights=options.weights)
        found = predictor(options.image, options.text)
    except BaselineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if predictor.checkpoint.generated:
        print(f"note: {predictor.checkpoint.generated} (this model's training data)", file=sys.stderr)
    for name, share in sorted(found.items(), key=lambda item: -item[1]):
        print(f"{name:<14} {share:6.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
