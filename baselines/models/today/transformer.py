"""A text encoder that is fine-tuned: `distilroberta-base`, or any other of `transformers`.

Trained by `transformers.Trainer` as Devlin et al. 2019 (BERT, appendix A.3) and Liu et al. 2019 (RoBERTa,
appendix C) fine-tune: AdamW, a learning rate of 2e-5 that rises over the first 6% of the steps and then falls
linearly to 0, mini-batches of 16. The classification head is that of `AutoModelForSequenceClassification`.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from affectory.encoders import hub
from affectory.encoders.image.network import state_digest
from affectory.encoders.text.tokens import Tokens
from baselines.data.batch import PADDING, TEXT, Batch, trimmed
from baselines.data.inputs import Data
from baselines.data.task import Task
from baselines.models.base import Fitted, Model, Spec
from baselines.models.settings import ModelSettings, setting
from baselines.models.today.regression import check, readable
from baselines.training import hub_trainer


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
    data: Data, settings: TransformerSettings, seeds: Sequence[int], device: torch.device
) -> list[Fitted]:
    """Fine-tune on the labelled posts with a text, seed by seed.

    The weights are kept in half precision, and validation is judged with them. Raises `BaselineError` without
    Accelerate, for an encoder that can't be loaded, and where a class has no such post.
    """
    hub_trainer.check_device("text_transformer", device)
    splits = {"train": data.train, "validation": data.validation}
    rows = {split: readable(posts, ("text",)) for split, posts in splits.items()}
    target = {split: splits[split].target[mine] for split, mine in rows.items()}
    check("text_transformer", ("text",), target["train"], target["validation"], data.task)
    texts = {split: [data.texts[split][row] for row in mine.tolist()] for split, mine in rows.items()}
    return [_fitted(data.task, texts, target, settings, seed, device) for seed in seeds]


def _fitted(
    task: Task,
    texts: Mapping[str, list[str]],
    target: Mapping[str, Tensor],
    settings: TransformerSettings,
    seed: int,
    device: torch.device,
) -> Fitted:
    torch.manual_seed(seed)  # of the classification head
    encoder, network = _load(settings, len(task.names))
    note = (
        f"fine-tuned from {_shown(settings)}, digest {state_digest(network.base_model)[:16]}; checkpoints "
        "hold the network in half precision"
    )
    model = TextTransformer(task, network, encoder.pad)
    model.prior.copy_(_prior(task, target["train"]))
    train, validation = (
        (torch.from_numpy(encoder.encode(texts[split])), target[split]) for split in ("train", "validation")
    )
    best = _train(model, train, validation, settings, seed, device)
    if not best.state:
        problem = f"the validation loss was NaN or infinite in every epoch: try an lr below {settings.lr:g}"
        return Fitted(seed, {}, 0, float("nan"), float("-inf"), problem)
    model.load_state_dict(best.state)
    model.to(device).eval()
    with torch.inference_mode():
        logits = torch.cat(
            [model.run(part.to(device)).cpu() for part in validation[0].split(hub_trainer.ROWS)]
        ).double()
    score, likelihood, selected = task.judged(logits, validation[1])
    encoders = {"tokens": encoder.state()}
    return Fitted(
        seed, best.state, best.epoch, score, likelihood, note=note, encoders=encoders, selected=selected
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


#: Token ids plus 1, int64[n, L], padded with 0, and targets.
Texts = tuple[Tensor, Tensor]


class _Loss(nn.Module):
    """What the Trainer calls: the mean negative log-likelihood of a mini-batch."""

    def __init__(self, model: TextTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return the loss and the logits."""
        logits = self.model.run(tokens)
        return {"loss": self.model.task.losses(logits, target).mean(), "logits": logits}


class _Rows(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    def __init__(self, texts: Texts) -> None:
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts[0])

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        return self.texts[0][row], self.texts[1][row]


def _gathered(rows: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    tokens, target = (torch.stack(parts) for parts in zip(*rows, strict=True))
    return {"tokens": trimmed(tokens), "target": target}


def _train(
    model: TextTransformer,
    train: Texts,
    validation: Texts,
    settings: TransformerSettings,
    seed: int,
    device: torch.device,
) -> Any:
    """Train, and return the best `epoch` and its `state` in half precision, empty if no loss was finite."""
    they = hub.transformers()
    best = _best_epoch(they, model)
    by_loss = model.task.aim.select in (None, "likelihood")
    steps = settings.epochs * math.ceil(len(train[0]) / settings.batch)
    with tempfile.TemporaryDirectory(prefix="affectory-") as folder:
        arguments = hub_trainer.arguments_of(
            folder,
            settings.batch,
            settings.epochs,
            seed,
            device,
            learning_rate=settings.lr,
            weight_decay=settings.weight_decay,
            warmup_steps=math.ceil(settings.warmup * steps),
            prediction_loss_only=by_loss,
        )
        trainer = they.Trainer(
            model=_Loss(model),
            args=arguments,
            train_dataset=_Rows(train),
            eval_dataset=_Rows(validation),
            data_collator=_gathered,
            callbacks=[best],
            compute_metrics=None if by_loss else _selected(model.task),
        )
        trainer.remove_callback(they.PrinterCallback)
        trainer.train()
    return best


def _selected(task: Task) -> Callable[[Any], dict[str, float]]:
    """Return what computes the score of --select from the validation logits."""

    def metrics(found: Any) -> dict[str, float]:
        logits, target = torch.from_numpy(found.predictions).double(), torch.from_numpy(found.label_ids)
        return {"selected": task.judged(logits, target).selected}

    return metrics


def _best_epoch(they: Any, model: nn.Module) -> Any:
    """Return a callback of the Trainer that keeps the state of the epoch with the lowest validation loss.

    Where the user selects another score, of the epoch with the highest of that.
    """

    class Best(they.TrainerCallback):  # type: ignore[misc]
        merit, epoch = -math.inf, 0

        def __init__(self) -> None:
            self.state: dict[str, Tensor] = {}

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any, **more: Any) -> None:
            merit = metrics.get("eval_selected", -metrics["eval_loss"])
            if merit > self.merit:  # never of NaN
                self.merit, self.epoch = merit, round(state.epoch)
                self.state = {
                    key: one.detach().to(
                        "cpu", torch.float16 if one.is_floating_point() else one.dtype, copy=True
                    )
                    for key, one in model.state_dict().items()
                }

    return Best()


SPEC = Spec(
    name="text_transformer",
    title=lambda settings: f"Fine-tuned text encoder ({_shown(settings)})",
    reads=("text",),
    inputs=("tokens",),
    settings=TransformerSettings,
    build=build,
    fit=fit,
    grid={"lr": (2e-5, 5e-5)},
    cost=100,
)
