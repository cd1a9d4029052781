"""A text encoder that is fine-tuned: `distilroberta-base`, or any other of `transformers`.

Trained as Devlin et al. 2019 (BERT, appendix A.3) and Liu et al. 2019 (RoBERTa, appendix C) fine-tune: AdamW,
a learning rate of 2e-5 that rises over the first 6% of the steps and then falls linearly to 0, mini-batches
of 16, gradients of a norm of 1 at most. The head is that of `AutoModelForSequenceClassification`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from affectory.encoders import hub
from affectory.encoders.image.network import state_digest
from affectory.encoders.text.tokens import Tokens
from baselines.data.batch import PADDING, TEXT, Batch, trimmed
from baselines.data.inputs import Data
from baselines.data.task import Task
from baselines.models.base import Fitted, Model, Spec, Unfinished
from baselines.models.settings import ModelSettings, setting
from baselines.models.today.regression import check, readable
from baselines.training import hub_trainer, launch
from baselines.training.epochs import untold
from baselines.training.hub_trainer import Recipe


@dataclass(frozen=True, slots=True)
class TransformerSettings(ModelSettings):
    """Of the encoder and of its training."""

    encoder: str = setting("distilroberta-base", "id on the Hugging Face hub, or a folder")
    lr: float = setting(2e-5, "highest learning rate of AdamW", above=0)
    batch: int = setting(16, "posts per mini-batch", least=1)
    epochs: int = setting(5, "epochs; the one with the lowest validation loss is kept", least=1)
    weight_decay: float = setting(0.01, "of AdamW, on weights but for biases and norms", least=0)
    warmup: float = setting(0.06, "share of the steps over which the learning rate rises", least=0, most=1)
    tokens: int = setting(128, "tokens of a text that are read", least=3)


@dataclass(frozen=True, slots=True)
class RiseAndFall:
    """The rate rises linearly over a share of the steps, `rise`, and then falls linearly to 0."""

    rise: float

    def scale(self, epoch: int, step: int, steps: int) -> float:
        """Return what the rates are multiplied by."""
        top = math.ceil(self.rise * steps)
        return step / top if step < top else (steps - step) / max(1, steps - top)


class TextTransformer(Model):
    """An encoder of `transformers` with its classification head. int64[B, L] -> float[B, C].

    `pad`: the encoder's id of padding. A post without text gets `prior`, the logits of the training posts'
    share of each class or label.
    """

    def __init__(self, task: Task, network: Any, pad: int) -> None:
        super().__init__(task)
        self.network = network
        self.pad = pad
        self.register_buffer("prior", torch.zeros(len(task.names)))

    prior: Tensor

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits; only posts with a text are run through the encoder."""
        tokens = batch.inputs["tokens"]
        logits = self.prior.repeat(len(tokens), 1)
        told = batch.present[:, TEXT].nonzero().flatten()
        for rows in told.split(hub_trainer.ROWS) if len(told) else ():
            logits[rows] = self.run(tokens[rows])
        return {"y": logits}

    def run(self, tokens: Tensor) -> Tensor:
        """Return the logits of texts, float[B, C], from their ids plus 1, padded with 0."""
        tokens = trimmed(tokens)
        real = tokens != PADDING
        found: Tensor = self.network(
            input_ids=(tokens - 1).masked_fill(~real, self.pad), attention_mask=real.long()
        ).logits
        return found.float()


def build(task: Task, encoders: Mapping[str, Any], settings: TransformerSettings) -> TextTransformer:
    """Return a model with random weights, for those of a checkpoint, from the encoder's configuration."""
    they, tokens = hub.transformers(), encoders["tokens"]
    config = they.AutoConfig.for_model(**tokens.configuration)
    network = they.AutoModelForSequenceClassification.from_config(config)
    return TextTransformer(task, network.float(), tokens.pad)


def fit(
    data: Data,
    settings: TransformerSettings,
    seed: int,
    device: torch.device,
    unfinished: Unfinished | None = None,
    tell: Callable[[int], None] = untold,
) -> Fitted:
    """Fine-tune on the labelled posts with a text.

    The weights are kept in half precision, and validation is judged with them. Raises `BaselineError` without
    Accelerate, for an encoder that can't be loaded, and where a class has no such post.
    """
    launch.accelerate("text_transformer")
    splits = {"train": data.train, "validation": data.validation}
    rows = {split: readable(posts, ("text",)) for split, posts in splits.items()}
    target = {split: splits[split].target[mine] for split, mine in rows.items()}
    check("text_transformer", ("text",), target["train"], target["validation"], data.task)
    torch.manual_seed(seed)  # of the classification head
    encoder, network = _load(settings, len(data.task.names))
    note = (
        f"fine-tuned from {_shown(settings)}, digest {state_digest(network.base_model)[:16]}; checkpoints "
        "hold the network in half precision"
    )
    model = TextTransformer(data.task, network, encoder.pad)
    model.prior.copy_(_prior(data.task, target["train"]))
    batches = {}
    for split, mine in rows.items():
        tokens = torch.from_numpy(encoder.encode([data.texts[split][row] for row in mine.tolist()]))
        batches[split] = splits[split]._replace(inputs={}).take(mine)._replace(inputs={"tokens": tokens})
    recipe = Recipe(
        settings.lr,
        settings.batch,
        settings.epochs,
        settings.weight_decay,
        RiseAndFall(settings.warmup),
        clip=1.0,
    )
    found = hub_trainer.train(
        model, batches["train"], batches["validation"], recipe, seed, device, unfinished, tell
    )
    return hub_trainer.fitted(
        model,
        found,
        batches["validation"],
        seed,
        device,
        note=note,
        encoders={"tokens": encoder.state()},
        problem=f"the validation loss was NaN or infinite in every epoch: try an lr below {settings.lr:g}",
    )


def _shown(settings: TransformerSettings) -> str:
    """Return the encoder's name; of a folder the last part of its path."""
    return settings.encoder.rstrip("/").rpartition("/")[2]


def _load(settings: TransformerSettings, classes: int) -> tuple[Tokens, Any]:
    """Return the tokenizer and the pretrained network with a new head. Raises `BaselineError`."""
    they, name = hub.transformers(), settings.encoder
    local = hub.only_local(name)
    with hub.loading(name, name, local, "give its folder with --set text_transformer.encoder=DIR"):
        tokenizer = they.AutoTokenizer.from_pretrained(name, local_files_only=local)
        network, report = they.AutoModelForSequenceClassification.from_pretrained(
            name,
            num_labels=classes,
            ignore_mismatched_sizes=True,  # a head for other labels is drawn anew
            output_loading_info=True,
            local_files_only=local,
        )
    prefix = f"{network.base_model_prefix}."
    lost = {key for key in report["missing_keys"] if key.startswith(prefix)}
    hub.check_missing(name, name, lost, (f"{prefix}pooler.",))
    tokens = Tokens.of(tokenizer, network.config, settings.tokens)
    network.config.pad_token_id = tokens.pad
    return tokens, network.float()


def _prior(task: Task, target: Tensor) -> Tensor:
    """Return logits that give each class or label the probability of its share of training, float[C]."""
    share = torch.from_numpy(task.hot(target)).double().mean(0)
    return (share.log() if task.kind == "single" else torch.logit(share)).float()


SPEC = Spec(
    name="text_transformer",
    title=lambda settings: f"Fine-tuned text encoder ({_shown(settings)})",
    reads=("text",),
    inputs=("tokens",),
    settings=TransformerSettings,
    build=build,
    end_to_end=fit,
    grid={"lr": (2e-5, 5e-5)},
    cost=100,
)
