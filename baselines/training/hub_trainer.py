"""Training a whole network of `transformers` with its Trainer (Accelerate, the extra `finetune`).

    kept = train(model, data.train, data.validation, Recipe(lr=2e-5, batch=64, epochs=5), seed=0, device=cpu)
    model.load_state_dict(kept.state)

The epoch with the best validation score is kept, in half precision and in main memory.
"""

from __future__ import annotations

import importlib
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from affectory.core.errors import BaselineError
from affectory.encoders import hub
from baselines.data.batch import Batch
from baselines.models.base import BestScore, Model

#: Posts that are run at once outside training.
ROWS = 64

MACRO_F1 = BestScore("f1_macro")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained: AdamW, which without weight decay is Adam, at a rate that stays.

    `selects`: the validation score by which the epoch is chosen, where the task's aim selects none.
    """

    lr: float
    batch: int
    epochs: int
    weight_decay: float = 0.0
    selects: BestScore = MACRO_F1


@dataclass
class Kept:
    """The best epoch, and its parameters in half precision; none if no epoch had a finite loss."""

    epoch: int = 0
    score: float = -math.inf
    state: dict[str, Tensor] = field(default_factory=dict, repr=False)
    history: list[float] = field(default_factory=list)  # the task's headline metric after each epoch


def check_device(model: str, device: torch.device) -> None:
    """Raise `BaselineError` where the Trainer can't run, or not on this device."""
    if device.type == "cuda" and device.index not in (None, 0):
        raise BaselineError(
            f"--device {device}: {model} trains on the first GPU alone; set "
            f"CUDA_VISIBLE_DEVICES={device.index} and --device cuda"
        )
    try:
        importlib.import_module("accelerate")  # an extra
    except ImportError:
        raise BaselineError(
            f"{model} needs Accelerate: pip install 'affectory[finetune]' (or uv sync --extra finetune)"
        ) from None


def arguments_of(folder: str, batch: int, epochs: int, seed: int, device: torch.device, **more: Any) -> Any:
    """Return the Trainer's arguments: silent, validation after each epoch, nothing written to `folder`."""
    arguments = hub.transformers().TrainingArguments(
        output_dir=folder,
        num_train_epochs=epochs,
        per_device_train_batch_size=batch,
        per_device_eval_batch_size=ROWS,
        eval_strategy="epoch",
        save_strategy="no",  # the best epoch is kept in main memory
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["target"],
        dataloader_pin_memory=device.type == "cuda",
        use_cpu=device.type == "cpu",
        bf16=device.type == "cuda" and torch.cuda.is_bf16_supported(),
        seed=seed,
        **more,
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # else the mini-batches go to all GPUs there are
    return arguments


def train(
    model: Model, train: Batch, validation: Batch, recipe: Recipe, seed: int, device: torch.device
) -> Kept:
    """Train a model on the labelled posts, by its loss for image and text together (the head "y")."""
    they = hub.transformers()
    kept = Kept()
    rows = train.labelled.nonzero().flatten()
    with tempfile.TemporaryDirectory(prefix="affectory-") as folder:
        arguments = arguments_of(
            folder,
            recipe.batch,
            recipe.epochs,
            seed,
            device,
            learning_rate=recipe.lr,
            lr_scheduler_type="constant",
            weight_decay=recipe.weight_decay,
            max_grad_norm=0.0,  # no clipping
        )
        trainer = they.Trainer(
            model=_Loss(model),
            args=arguments,
            train_dataset=_Rows(train, rows),
            eval_dataset=_Rows(validation, torch.arange(validation.size)),
            data_collator=_gathered,
            compute_metrics=_Judge(model, kept, recipe.selects),
        )
        trainer.remove_callback(they.PrinterCallback)
        trainer.train()
    return kept


def _flat(batch: Batch) -> dict[str, Tensor]:
    """Return a batch as the tensors that the Trainer moves to its device."""
    inputs = {f"input_{name}": tensor for name, tensor in batch.inputs.items()}
    return inputs | {"present": batch.present, "target": batch.target, "labelled": batch.labelled}


class _Loss(nn.Module):
    """What the Trainer calls: the mean negative log-likelihood of a mini-batch, and its logits."""

    accepts_loss_kwargs = False  # its keywords are inputs

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, present: Tensor, target: Tensor, labelled: Tensor, **inputs: Tensor
    ) -> dict[str, Tensor]:
        """Return the loss and the logits."""
        named = {name.removeprefix("input_"): tensor for name, tensor in inputs.items()}
        logits = self.model(Batch(named, present, target, labelled))["y"]
        return {"loss": self.model.task.losses(logits, target).mean(), "logits": logits}


class _Rows(torch.utils.data.Dataset[tuple[Batch, Tensor]]):
    """Row numbers of a batch of posts: they are taken together (`Batch.take`)."""

    def __init__(self, posts: Batch, rows: Tensor) -> None:
        self.posts, self.rows = posts, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> tuple[Batch, Tensor]:
        return self.posts, self.rows[row]


def _gathered(rows: Sequence[tuple[Batch, Tensor]]) -> dict[str, Tensor]:
    return _flat(rows[0][0].take(torch.stack([row for _, row in rows])))


class _Judge:
    """Scores an epoch on validation, and keeps the network where it is the best one so far."""

    def __init__(self, model: Model, kept: Kept, selects: BestScore) -> None:
        self.model, self.kept, self.selects = model, kept, selects

    def __call__(self, found: Any) -> dict[str, float]:
        task, kept = self.model.task, self.kept
        logits, target = torch.from_numpy(found.predictions).double(), torch.from_numpy(found.label_ids)
        if not logits.isfinite().all():
            kept.history.append(math.nan)
            return {}
        judged = task.judged(logits, target)
        kept.history.append(judged.score)
        score = judged.selected
        if task.aim.select is None:
            score = self.selects.of(task, task.probabilities(logits), target)
        if score > kept.score:
            kept.score, kept.epoch = score, len(kept.history)
            kept.state = {
                name: one.detach().to("cpu", torch.half if one.is_floating_point() else one.dtype, copy=True)
                for name, one in self.model.state_dict().items()
            }
        return {"score": score}
