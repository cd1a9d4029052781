"""What VisualBERT, ViLT and LXMERT share: their settings, their head, and how they are trained.

A network is loaded from the hub or a folder, or drawn from its configuration, and trained as a whole. A
checkpoint holds it in half precision, with its configuration and tokenizer.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from affectory.core.errors import BaselineError
from affectory.encoders import hub
from affectory.encoders.image.network import state_digest
from affectory.encoders.text.tokens import Tokens
from baselines.data.batch import IMAGE, PADDING, TEXT, Batch, trimmed
from baselines.data.inputs import Data
from baselines.data.task import Task
from baselines.models.base import Fitted, Model, Unfinished
from baselines.models.settings import ModelSettings, setting
from baselines.training import hub_trainer, launch
from baselines.training.epochs import untold
from baselines.training.hub_trainer import MACRO_F1, ROWS, Recipe


@dataclass(frozen=True, slots=True)
class TransformerSettings(ModelSettings):
    """Of the network and of its training; a model adds `network`, `tokenizer` and `tokens`."""

    random: bool = setting(False, "random weights: of the network its configuration alone is read")
    lr: float = setting(2e-5, "learning rate of Adam", above=0)
    batch: int = setting(64, "posts per mini-batch", least=1)
    epochs: int = setting(5, "epochs; the one with the best macro F1 on validation is kept", least=1)
    hidden: int = setting(128, "width of the head's first layer", least=1)
    dropout: float = setting(0.3, "share of that layer that is set to 0", least=0, most=0.95)


class ImageTextTransformer(Model):
    """A transformer over an image and a text, with a head over its pooled vector h.

    W₂ drop(W₁ h + b₁) + b₂, without an activation between. A missing modality is masked: no token attends to
    its tokens, but for the text's first one (CLS), whose vector is pooled.
    """

    def __init__(self, task: Task, network: Any, tokens: Tokens, settings: Any) -> None:
        super().__init__(task)
        self.network, self.pad = network, tokens.pad
        self.head = nn.Sequential(
            nn.Linear(network.config.hidden_size, settings.hidden),
            nn.Dropout(settings.dropout),
            nn.Linear(settings.hidden, len(task.names)),
        )

    @abstractmethod
    def pooled(self, ids: Tensor, mask: Tensor, batch: Batch) -> Tensor:
        """Return the pooled vectors of posts, float[B, h]; `mask`, int64[B, L]: text tokens to attend to."""

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits; outside of training `ROWS` posts are run at once."""
        if self.training:
            return {"y": self.run(batch)}
        parts = [self.run(batch.slice(at, at + ROWS)) for at in range(0, max(1, batch.size), ROWS)]
        return {"y": torch.cat(parts)}

    def run(self, batch: Batch) -> Tensor:
        """Return the logits of posts, float[B, C]."""
        tokens = trimmed(batch.inputs["tokens"])
        real = tokens != PADDING
        ids = (tokens - 1).masked_fill(~real, self.pad)
        mask = real & batch.present[:, [TEXT]]
        mask[:, 0] = True
        found: Tensor = self.head(self.pooled(ids, mask.long(), batch))
        return found.float()


def regions(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Return features, float[B, R, D], boxes, float[B, R, 4], and which regions are there, int64[B, R].

    Those of a missing image are zeros.
    """
    found = batch.inputs["regions"].float() * batch.present[:, IMAGE, None, None]
    return found[..., :-5], found[..., -5:-1], found[..., -1].long()


#: Makes a model from a task, the network, its tokenizer and the settings.
Make = Callable[[Task, Any, Tokens, Any], ImageTextTransformer]


def rebuilt(make: Make, task: Task, encoders: Mapping[str, Any], settings: Any) -> ImageTextTransformer:
    """Return a model with random weights, for those of a checkpoint, from the network's configuration."""
    tokens = encoders["tokens"]
    they = hub.transformers()
    network = they.AutoModel.from_config(they.AutoConfig.for_model(**tokens.configuration))
    return make(task, network.float(), tokens, settings)


@dataclass(frozen=True)
class Family:
    """What sets one of these models apart in training.

    `kind`: the type of network in its configuration; `reads`: the input of its images; `width_of`: the entry
    of the configuration with the width of a region's features.
    """

    name: str
    kind: str
    reads: str
    make: Make
    width_of: str = ""
    needs_boxes: bool = False


def fit(
    family: Family,
    data: Data,
    settings: Any,
    seed: int,
    device: torch.device,
    unfinished: Unfinished | None = None,
    tell: Callable[[int], None] = untold,
) -> Fitted:
    """Train on the labelled posts.

    Raises `BaselineError` without Accelerate, for a network that can't be loaded or is another's, and for
    regions of another width than the network's.
    """
    launch.accelerate(family.name)
    torch.manual_seed(seed)
    tokens, network = _load(family, data, settings)
    read = data.encoders[family.reads]
    encoders = {"tokens": tokens.state(), family.reads: read.state()}
    train, validation = (
        posts._replace(inputs=posts.inputs | {"tokens": torch.from_numpy(tokens.encode(data.texts[split]))})
        for split, posts in (("train", data.train), ("validation", data.validation))
    )
    model = family.make(data.task, network, tokens, settings)
    note = _note(family, settings, read, state_digest(network))
    recipe = Recipe(settings.lr, settings.batch, settings.epochs, selects=MACRO_F1)
    found = hub_trainer.train(model, train, validation, recipe, seed, device, unfinished, tell)
    return hub_trainer.fitted(
        model,
        found,
        validation,
        seed,
        device,
        note=note,
        encoders=encoders,
        problem=f"the logits became NaN or infinite in every epoch: try an lr below {settings.lr:g}",
    )


def _note(family: Family, settings: Any, read: Any, digest: str) -> str:
    """Return what a reader of the row has to know: the weights, the regions, the epochs."""
    name = settings.network.rstrip("/").rpartition("/")[2]
    weights = f"random weights of {name}" if settings.random else f"from {name}, digest {digest[:16]}"
    seen = f"regions: {read.name}" if family.reads == "regions" else f"images of {read.width} pixels"
    return f"{weights}; {seen}; {settings.epochs} epochs; checkpoints hold the network in half precision"


def _load(family: Family, data: Data, settings: Any) -> tuple[Tokens, Any]:
    """Return the tokenizer and the network. Raises `BaselineError`."""
    they, name = hub.transformers(), settings.network
    tokenizer = _tokenizer(they, family, settings)
    local = hub.only_local(name)
    with hub.loading(name, name, local, f"give its folder with --set {family.name}.network=DIR"):
        config = they.AutoConfig.from_pretrained(name, local_files_only=local)
        if config.model_type != family.kind:
            raise BaselineError(
                f"--set {family.name}.network={name}: it is of the type {config.model_type!r}, and "
                f"{family.name} needs {family.kind!r}"
            )
        config = _fitting(family, data, settings, config)
        if settings.random:
            network = they.AutoModel.from_config(config)
        else:
            network, report = they.AutoModel.from_pretrained(
                name, config=config, output_loading_info=True, local_files_only=local
            )
            hub.check_missing(name, name, set(report["missing_keys"]), ())
    tokens = Tokens.of(tokenizer, network.config, settings.tokens)
    if (most := int(network.config.vocab_size)) < (known := len(tokenizer)):
        raise BaselineError(
            f"--set {family.name}.tokenizer: it has {known} tokens, and the network {most}: "
            "take the network's own tokenizer"
        )
    return tokens, network.float()


def _tokenizer(they: Any, family: Family, settings: Any) -> Any:
    name = settings.tokenizer or settings.network
    local = hub.only_local(name)
    with hub.loading(name, name, local, f"give its folder with --set {family.name}.tokenizer=DIR"):
        return they.AutoTokenizer.from_pretrained(name, local_files_only=local)


def _fitting(family: Family, data: Data, settings: Any, config: Any) -> Any:
    """Return the configuration for the regions at hand. Raises `BaselineError` for another width."""
    if family.reads != "regions":
        return config
    read = data.encoders["regions"]
    if family.needs_boxes and not read.has_boxes:
        raise BaselineError(
            f"--regions: {family.name} reads boxes, and the file has none: add an array ID.boxes for each "
            "post, or take --regions grid"
        )
    wanted = getattr(config, family.width_of)
    if settings.random:
        setattr(config, family.width_of, read.width)
    elif wanted != read.width:
        raise BaselineError(
            f"--regions gives {read.width} features a region ({read.name}), and {settings.network} reads "
            f"{wanted}: take regions of that width, another --set {family.name}.network, or "
            f"--set {family.name}.random=true"
        )
    return config
