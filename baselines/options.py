"""The options of `python -m baselines.run`, and those that `python -m baselines.missing` shares with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg

from affectory.core.addresses import check_folder
from affectory.core.engine.choice import EngineChoice
from affectory.core.errors import InputError
from affectory.core.place_option import PlaceOption
from baselines.data import built
from baselines.models import registry

#: The options that `--help` shows; `--help-all` shows the others, too.
FIRST = ("models", "seeds", "folds", "rates", "device", "out")

#: The value of --pair that makes a pair of two separate networks.
SEPARATE = "separate"


@dataclass(frozen=True)
class TrainingOptions:
    """What is trained, on which release, with which networks and folders."""

    name: Positional[Annotated[str, arg(metavar="NAME")]]
    """The dataset: a folder of datasets/ with a release."""

    models: Annotated[tuple[str, ...], arg(metavar="MODEL", help_behavior_hint="(default: its paper's)")] = ()
    """Models or families, as `affectory models` lists them."""

    preset: Annotated[str, arg(metavar="NAME")] = "affectory"
    """Ours, or a paper's: duong2017, pagefortin2019, semimemes2023."""

    set: Annotated[tuple[str, ...], arg(metavar="MODEL.KEY=VALUE", help_behavior_hint="")] = ()
    """Change settings; `affectory models MODEL` lists them."""

    as_trained: Annotated[bool, FlagCreatePairsOff, arg(help_behavior_hint="")] = False
    """Leave answers to image or text alone uncorrected."""

    balance: Annotated[bool, FlagCreatePairsOff, arg(help_behavior_hint="")] = False
    """Weigh all classes alike in the loss of training."""

    select: Annotated[
        Literal["likelihood", "accuracy", "macro-f1"] | None,
        arg(metavar="SCORE", help_behavior_hint="(default: model's own)"),
    ] = None
    """Choose epochs by likelihood, accuracy or macro-f1."""

    seeds: Annotated[int, arg(metavar="N")] = 5
    """Networks per model."""

    task: Annotated[
        Literal["single", "several"] | None, arg(metavar="KIND", help_behavior_hint="(default: by release)")
    ] = None
    """Read one label a post (single), or several."""

    labels: Annotated[tuple[str, ...], arg(metavar="LABEL", help_behavior_hint="(default: all)")] = ()
    """Of several labels these; classes of the one label count too."""

    backbone: Annotated[str, arg(metavar="NAME")] = "inception_v3"
    """Image network: torchvision's, a hub id, a folder."""

    weights: Annotated[str | None, arg(metavar="PATH", help_behavior_hint="(default: published)")] = None
    """Its weights: a .safetensors or .pth file, "random"."""

    side: Annotated[int | None, arg(metavar="PIXELS", help_behavior_hint="(default: the network's)")] = None
    """Height and width of its input."""

    squash: Annotated[bool, FlagCreatePairsOff, arg(help_behavior_hint="")] = False
    """Resize images to the square input of --backbone and --pair, uncropped."""

    vectors: Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="(default: random)")] = None
    """Pretrained word vectors: GloVe, word2vec, fastText."""

    width: Annotated[int | None, arg(metavar="D", help_behavior_hint="(default: 200)")] = None
    """Dimension of random word vectors."""

    text_encoder: Annotated[str, arg(metavar="NAME")] = "sentence-transformers/all-MiniLM-L6-v2"
    """Frozen text network: a hub id, a folder."""

    pair: Annotated[str, arg(metavar="NAME")] = "openai/clip-vit-large-patch14"
    """Frozen networks of image and text, a hub id or folder; "separate": --backbone, --text-encoder."""

    projected_states: Annotated[bool, FlagCreatePairsOff, arg(help_behavior_hint="")] = False
    """Read states of tokens after the projection of --pair (tib_va)."""

    regions: Annotated[str, arg(metavar="SOURCE")] = "grid"
    """Regions: grid (of --backbone), torchvision-frcnn, a file."""

    pixels: Annotated[int, arg(metavar="PIXELS")] = 384
    """Height and width of images for models that read pixels."""

    device: Annotated[str, arg(metavar="NAME")] = "auto"
    """cpu, cuda, mps, or auto: the fastest one available."""

    engine: Literal["local", "ray"] = "local"
    """Compute image features here, or on Ray."""

    address: Annotated[str | None, arg(metavar="HOST:PORT", help_behavior_hint="(default: none)")] = None
    """The head of a Ray cluster; else Ray starts here."""

    version: Annotated[str | None, arg(metavar="X.Y.Z", help_behavior_hint="(default: the newest)")] = None
    """The release's version."""

    datasets: Annotated[PlaceOption, arg(metavar="DIR")] = Path("datasets")
    """The releases: a folder or s3://…"""

    out: Annotated[Path, arg(metavar="DIR")] = Path("results")
    """Results are written to DIR/NAME/VERSION."""

    features: Annotated[Path, arg(metavar="DIR")] = Path("data/features")
    """The cache of features."""

    cache: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: its own)")] = None
    """The cache of the library `datasets`."""

    def check(self) -> None:
        """Raise `InputError` for a value or a combination that can't be used."""
        EngineChoice(self.engine, self.address).check()
        for path, what in ((self.out, "results"), (self.features, "features"), (self.cache, "the cache")):
            if path is not None:
                check_folder(path, what)
        if self.seeds < 1:
            raise InputError(f"--seeds {self.seeds} is below 1")
        if self.width is not None and self.width < 2:
            raise InputError(f"--width {self.width} is below 2")
        if self.width is not None and self.vectors is not None:
            raise InputError(
                f"--width {self.width} has no effect with --vectors, which have a width of their own: "
                "leave one of the two out"
            )
        if self.vectors is not None and not self.vectors.is_file():
            raise InputError(f"--vectors {str(self.vectors)!r} is not a file")
        if self.labels and self.task == "single":
            raise InputError("--labels can't be combined with --task single: it chooses among several labels")
        if twice := [one for number, one in enumerate(self.labels) if one in self.labels[:number]]:
            raise InputError(f"--labels names {twice[0]!r} twice")
        if not 16 <= self.pixels <= 1024:
            raise InputError(f"--pixels {self.pixels}: it is between 16 and 1024")
        if self.regions not in ("grid", "torchvision-frcnn") and not Path(self.regions).is_file():
            raise InputError(
                f"--regions {self.regions!r} is not a file: give grid, torchvision-frcnn, or a .npz or "
                ".safetensors file of regions"
            )
        registry.selected(self.models)
        for one in self.set:
            place, equals, _ = one.partition("=")
            model, dot, _ = place.partition(".")
            if not (dot and equals):
                raise InputError(f"--set {one!r}: write MODEL.KEY=VALUE, such as joint.lr=0.1")
            if model not in registry.SHARED:
                registry.selected([model])
        if self.weights not in (None, "random") and not Path(self.weights).exists():
            raise InputError(
                f"there is no weights file {self.weights!r}: give a .safetensors or .pth file, or random"
            )

    def check_release(self) -> None:
        """Raise `AffectoryError` for a dataset, version or preset that there isn't; nothing is loaded."""
        built.find(self.name, self.datasets, self.version)
        if self.preset != "affectory":
            from baselines.results import published

            published.preset(self.preset, self.name)


@dataclass(frozen=True)
class Options(TrainingOptions):
    """Train baselines on a release; write their scores beside the papers'."""

    tune: Annotated[bool, FlagCreatePairsOff, arg(help_behavior_hint="")] = False
    """Search the settings that papers leave open, judged on validation."""

    folds: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None
    """k-fold cross-validation (3 or more) instead of the release's splits."""

    gold: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Labels of unlabelled test posts: a table of ids, and 0 or 1 per label."""

    pairs: Annotated[tuple[float, ...], arg(metavar="SHARE", help_behavior_hint="")] = ()
    """Also train on shares of the pairs, with and without the others' halves."""

    ratios: Annotated[tuple[float, ...], arg(metavar="SHARE", help_behavior_hint="")] = ()
    """Train on shares of the labels; the other training posts are unlabelled."""

    stratified: Annotated[bool, FlagCreatePairsOff, arg(help_behavior_hint="")] = False
    """Draw these shares within each label."""

    finetune: Annotated[bool, FlagCreatePairsOff, arg(help_behavior_hint="")] = False
    """Train the image network too (extra `finetune`; a GPU is recommended)."""

    def check(self) -> None:
        """Raise `InputError` for a value or a combination that can't be used."""
        super().check()
        if self.folds is not None and self.folds < 3:
            raise InputError(f"--folds {self.folds} is below 3: each fold is the test set once")
        if self.tune and self.finetune:
            raise InputError(
                "--tune can't be combined with --finetune: it searches settings for features that are "
                "computed once; use --set finetune.lr=… and the like instead"
            )
        if self.gold is not None and not self.gold.is_file():
            raise InputError(f"--gold {str(self.gold)!r} is not a file")
        for share in self.pairs:
            if not 0 < share <= 1:
                raise InputError(f"--pairs {share:g} is no share: it must be above 0 and at most 1")
        for share in self.ratios:
            if not 0 < share <= 1:
                raise InputError(f"--ratios {share:g} is no share: it must be above 0 and at most 1")
        if self.ratios and self.pairs:
            raise InputError("--ratios can't be combined with --pairs: run them one after the other")
        if self.stratified and not self.ratios:
            raise InputError("--stratified has no effect without --ratios")


@dataclass(frozen=True)
class MissingOptions(TrainingOptions):
    """Train and score models on posts that lost their image or their text, at several rates."""

    rates: Annotated[tuple[float, ...], arg(metavar="RATE")] = (0, 0.25, 0.5, 0.75, 1)
    """Shares of the posts that lose their image, or their text: two or more, from 0 to 1."""

    masks: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="(default: drawn)")] = None
    """Which posts lose what: the masks.json of another run."""

    def check(self) -> None:
        """Raise `InputError` for a value or a combination that can't be used."""
        super().check()
        for rate in self.rates:
            if not 0 <= rate <= 1:
                raise InputError(f"--rates {rate:g} is no share of the posts: it must be from 0 to 1")
        if len(set(self.rates)) < 2:
            given = " ".join(f"{rate:g}" for rate in self.rates) or "without a rate"
            raise InputError(f"--rates {given}: an area needs two rates, such as 0 1")
        if self.masks is not None and not self.masks.is_file():
            raise InputError(f"--masks {str(self.masks)!r} is not a file")
