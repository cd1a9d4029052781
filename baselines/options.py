"""The options of `python -m baselines.run`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from affectory.core.errors import InputError
from baselines.settings import MODELS, TEXT, FinetuneSettings, Model, Settings, TextSettings


@dataclass(frozen=True)
class Options:
    """Train the fusion baselines on a release; write their scores beside the paper's."""

    name: Positional[Annotated[str, arg(metavar="NAME")]]
    """The dataset: a folder of datasets/ with a release from `python -m curation.build`."""

    models: tuple[Model, ...] = MODELS
    """The models to train, in the order of the table."""

    seeds: Annotated[int, arg(metavar="N")] = 5
    """Seeds per model."""

    folds: Annotated[int | None, arg(metavar="N", help_behavior_hint="(default: the release's splits)")] = (
        None
    )
    """k-fold cross-validation with N folds (3 or more) instead of the release's splits."""

    backbone: Annotated[str, arg(metavar="NAME")] = "inception_v3"
    """The image network: one of torchvision's, a model id on the Hugging Face hub, or a folder."""

    weights: Annotated[
        str | None, arg(metavar="PATH", help_behavior_hint="(default: the published ones, downloaded)")
    ] = None
    """The image network's weights: a .safetensors or .pth file, or "random"."""

    side: Annotated[int | None, arg(metavar="PIXELS", help_behavior_hint="(default: the network's own)")] = (
        None
    )
    """Height and width of the image network's input."""

    vectors: Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="(default: none, random)")] = None
    """Pretrained word vectors as text (GloVe, word2vec, fastText), one word per line."""

    width: Annotated[int, arg(metavar="D")] = 200
    """Dimension of the word vectors without --vectors."""

    tune: Annotated[bool, FlagCreatePairsOff] = False
    """Search learning rates, weight decay and n-grams first; candidates are compared on validation."""

    finetune: Annotated[bool, FlagCreatePairsOff] = False
    """Train the image network too (needs the extra `finetune`; a GPU is recommended)."""

    device: Annotated[str, arg(metavar="NAME")] = "auto"
    """cpu, cuda, mps, or auto: the fastest one available."""

    version: Annotated[str | None, arg(metavar="X.Y.Z", help_behavior_hint="(default: the newest)")] = None
    """The release's version."""

    datasets: Annotated[Path, arg(metavar="DIR")] = Path("datasets")
    """Where the releases are."""

    out: Annotated[Path, arg(metavar="DIR")] = Path("results")
    """Results are written to DIR/NAME/VERSION."""

    features: Annotated[Path, arg(metavar="DIR")] = Path("data/features")
    """The cache of image features."""

    cache: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: the library's)")] = None
    """The cache of the `datasets` library."""

    neural: Settings = Settings()
    """Settings of the neural models."""

    text: TextSettings = TEXT
    """Settings of the text-based model, fastText."""

    finetuning: FinetuneSettings = FinetuneSettings()
    """Settings of --finetune. They override --neural settings of the same name."""

    def check(self) -> None:
        """Raise `InputError` for a value or a combination that can't be used."""
        if self.seeds < 1:
            raise InputError(f"--seeds {self.seeds} is below 1")
        if self.folds is not None and self.folds < 3:
            raise InputError(f"--folds {self.folds} is below 3: each fold is the test set once")
        if self.width < 2:
            raise InputError(f"--width {self.width} is below 2")
        if self.tune and self.finetune:
            raise InputError(
                "--tune can't be combined with --finetune: it searches settings for features that are "
                "computed once; set --finetuning.lr and the like instead"
            )
        if self.vectors is not None and not self.vectors.is_file():
            raise InputError(f"--vectors {str(self.vectors)!r} is not a file")
        if not self.models:
            raise InputError(f"--models is empty: name at least one of {', '.join(MODELS)}")
