"""Fine-tune the network for images with each model and seed, or take from disk those that stand there.

A network that is finished stands beside its checkpoint, `joint-seed0-backbone.safetensors` beside
`joint-seed0.pt`; of one that a killed run left unfinished, `joint-seed0-unfinished.pt` holds the last epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import torch

from affectory.core.errors import BaselineError
from affectory.encoders.image.backbones import Backbone, save_backbone
from affectory.encoders.image.features import extract
from affectory.encoders.image.hub_backbones import Pooled
from baselines.data import inputs
from baselines.data.images import image_refs
from baselines.data.inputs import Images, Inputs
from baselines.data.release import Release
from baselines.models import Classifier
from baselines.settings import FinetuneSettings, Settings, TextSettings
from baselines.training import fitting
from baselines.training import loop as train
from baselines.training.checkpoint import Checkpoint, Source, fingerprint
from baselines.training.finetune import Finetuned, Posts, fit_unfrozen, posts_of
from baselines.training.fitting import Ask, Tell


@dataclass(frozen=True)
class Finetuning:
    """How the models of a run are fine-tuned, from `backbone` on; test features are kept in `features`.

    Of the processes of `accelerate launch` all train, and one is the main one: it alone writes.
    """

    backbone: Backbone
    settings: FinetuneSettings
    features: Path
    device: torch.device
    is_main: bool = True
    tell: Callable[[str, int, int], None] = lambda model, seed, epoch: None

    def train_all(self, ask: Ask, tell: Tell) -> dict[str, list[Checkpoint]]:
        """Return the checkpoints of each model, by seed, as `fitting.train_all` does for frozen features.

        The text-based model, which reads no image, is trained as there, and by the main process alone.
        """
        texts = {model: one for model, one in ask.settings.items() if isinstance(one, TextSettings)}
        found = fitting.train_all(replace(ask, settings=texts), tell) if texts and self.is_main else {}
        made, parts = ask.inputs, ask.inputs.release.parts
        posts = {s: posts_of(made.release, parts[s], made.batches[s]) for s in ("train", "validation")}
        data = f"{made.digest()} {self.backbone.key} {self.settings!r}"
        for model, settings in ask.settings.items():
            if isinstance(settings, Settings):
                found[model] = []
                for seed in ask.seeds:
                    mark = fingerprint(data, model, settings, seed)
                    one = self._standing(ask.path(model, seed), mark)
                    stood = one is not None
                    one = one or self._trained(ask, posts, model, settings, seed, mark)
                    found[model].append(one)
                    tell(one, stood)
        return found

    def images(self, one: Checkpoint, release: Release) -> Images:
        """Return the features of the test images by the network that was trained with a checkpoint."""
        test = release.parts["test"]
        refs = image_refs(release, test)
        return inputs.extracted(release, test, extract(refs, _backbone(one), self.features, self.device))

    def _standing(self, path: Path, mark: str) -> Checkpoint | None:
        """Return the checkpoint of this very training, if its network is there too."""
        one = fitting.standing(path)
        if one is None or one.fingerprint != mark:
            return None
        try:
            return one if one.problem or _backbone(one) else None
        except BaselineError:
            return None  # lost, or half a file: trained anew

    def _trained(
        self, ask: Ask, posts: dict[str, Posts], model: str, settings: Settings, seed: int, mark: str
    ) -> Checkpoint:
        began = perf_counter()
        made, path = ask.inputs, ask.path(model, seed)
        unfinished = path.with_name(f"{path.stem}-unfinished.pt")
        tuned = fit_unfrozen(
            self.backbone,
            _head(made, model, settings, seed),
            posts["train"],
            posts["validation"],
            self.settings,
            seed,
            device=self.device,
            checkpoint=unfinished,
            tell=lambda epoch: self.tell(model, seed, epoch),
        )
        problem = tuned.problem or self._overflow(tuned, ask)
        source = ask.source if problem else self._source(tuned, path, ask.source)
        one = Checkpoint(
            model=model,
            classes=made.release.classes,
            settings=settings,
            seed=seed,
            state={} if problem else tuned.head.state_dict(),
            fingerprint=mark,
            epoch=tuned.epoch,
            accuracy=tuned.accuracy,
            likelihood=tuned.likelihood,
            seconds=perf_counter() - began,
            problem=problem,
            words=() if model == "image" else tuple(made.words.words),
            source=source,
            generated=made.release.generated,
        )
        if self.is_main:
            if source is not None and not problem:
                save_backbone(tuned.backbone, Path(str(source.weights)))
            one.write(path)  # last: where it stands, its network does
            unfinished.unlink(missing_ok=True)
        return one

    def _overflow(self, tuned: Finetuned, ask: Ask) -> str | None:
        """Return why a network is given up if test images have NaN or infinite features in half precision."""
        if not self.is_main:
            return None
        refs = image_refs(ask.inputs.release, ask.inputs.release.parts["test"])
        try:
            extract(refs, tuned.backbone, self.features, self.device)
        except BaselineError as error:
            return str(error)
        return None

    def _source(self, tuned: Finetuned, path: Path, frozen: Source | None) -> Source:
        assert frozen is not None
        suffix = "" if isinstance(tuned.backbone.module, Pooled) else ".safetensors"
        weights = path.with_name(f"{path.stem}-backbone{suffix}")
        return replace(frozen, weights=str(weights), digest=tuned.backbone.digest)


def _backbone(one: Checkpoint) -> Backbone:
    source = one.image_source()
    assert source is not None
    return source.load()


def _head(made: Inputs, model: str, settings: Settings, seed: int) -> Classifier:
    """Return a model before any training, with the scale of the frozen features."""
    vectors, classes = torch.from_numpy(made.words.start), len(made.release.classes)
    data = train.Data(made.batches["train"], made.batches["validation"], vectors, classes)
    head = train.new(model, data, settings, seed)
    # A feature that is dead while the network is frozen may come to life: it must not be magnified for ever.
    head.scale.scale.clamp_(max=10 * float(head.scale.scale.median()))
    return head
