"""Train the fusion baselines on a release and set their scores beside the paper's.

    python -m baselines.run reddit-emotion
    python -m baselines.run reddit-emotion-text --models text --tune
    python -m baselines.run met-meme --backbone mobilenet_v2 --weights W.pth --vectors glove.txt --folds 5
    accelerate launch -m baselines.run reddit-emotion --finetune

Results go to results/NAME/VERSION (VERSION-finetuned with --finetune): table.md, results.html, results.json,
predictions.parquet and a checkpoint for each model and seed. A run that was killed goes on where it stopped;
images are looked at once.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import FlagCreatePairsOff, Positional, arg

from affectory.core.errors import AffectoryError, BaselineError
from baselines.settings import MODELS, TEXT, FinetuneSettings, Model, Settings, TextSettings


@dataclass(frozen=True)
class Options:
    """Train the fusion baselines on a release and set their scores beside the paper's."""

    name: Positional[Annotated[str, arg(metavar="NAME")]]
    """The dataset: a folder of datasets/ that `python -m curation.build` has filled."""

    models: tuple[Model, ...] = MODELS
    """The models to train, in the order of the table."""

    seeds: Annotated[int, arg(metavar="N")] = 5
    """Seeds of each model."""

    folds: Annotated[int | None, arg(metavar="N", help_behavior_hint="(default: the release's splits)")] = (
        None
    )
    """Deal the posts to so many folds, each the test set once."""

    backbone: Annotated[str, arg(metavar="NAME")] = "inception_v3"
    """The network for images: one of torchvision's, a hub id, or a folder."""

    weights: Annotated[
        str | None, arg(metavar="PATH", help_behavior_hint="(default: the published ones, downloaded)")
    ] = None
    """Its weights: a .safetensors or .pth file, or "random"."""

    side: Annotated[int | None, arg(metavar="PIXELS", help_behavior_hint="(default: the network's own)")] = (
        None
    )
    """Height and width of its input."""

    vectors: Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="(default: none, random)")] = None
    """Word vectors as text (GloVe, word2vec, fastText), one word a line."""

    width: Annotated[int, arg(metavar="D")] = 200
    """Width of the word vectors where no file is given."""

    tune: Annotated[bool, FlagCreatePairsOff] = False
    """Search learning rates, weight decay and n-grams on validation first."""

    finetune: Annotated[bool, FlagCreatePairsOff] = False
    """Train the network for images too (needs the extra `finetune`, and better a GPU)."""

    device: Annotated[str, arg(metavar="NAME")] = "auto"
    """cpu, cuda, mps, or auto: the fastest there is."""

    version: Annotated[str | None, arg(metavar="X.Y.Z", help_behavior_hint="(default: the newest)")] = None
    """The release's version."""

    datasets: Annotated[Path, arg(metavar="DIR")] = Path("datasets")
    """Where the releases are."""

    out: Annotated[Path, arg(metavar="DIR")] = Path("results")
    """The folder that gets NAME/VERSION."""

    features: Annotated[Path, arg(metavar="DIR")] = Path("data/features")
    """Where image features are kept."""

    cache: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: the library's)")] = None
    """Where the `datasets` library keeps what it has read."""

    neural: Settings = Settings()
    """Settings of the neural models."""

    text: TextSettings = TEXT
    """Settings of the text-based model, fastText."""

    finetuning: FinetuneSettings = FinetuneSettings()
    """Settings of --finetune: they stand in place of --neural's of the same name."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m baselines.run") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = tyro.cli(Options, prog=prog, args=given)
    try:
        _check(options)
        from baselines.running import run

        return run(options, f"{prog} {' '.join(given)}")
    except AffectoryError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: type the same command again, and it goes on from what stands", file=sys.stderr)
        return 130


def _check(options: Options) -> None:
    if options.seeds < 1:
        raise BaselineError(f"--seeds {options.seeds} is below 1")
    if options.folds is not None and options.folds < 3:
        raise BaselineError(f"--folds {options.folds}: take 3 or more, each the test set once")
    if options.width < 2:
        raise BaselineError(f"--width {options.width} is below 2")
    if options.tune and options.finetune:
        raise BaselineError(
            "--tune searches settings for features that are computed once: leave it out with --finetune, "
            "whose settings are --finetuning.lr and its like"
        )
    if options.vectors is not None and not options.vectors.is_file():
        raise BaselineError(f"--vectors {str(options.vectors)!r}: there is no such file")
    if not options.models:
        raise BaselineError(f"--models names none; there are {', '.join(MODELS)}")


if __name__ == "__main__":
    sys.exit(main())
