"""Fine-tune the network for images with each model and seed, or take from disk those that stand there.

A network that is finished stands beside its checkpoint, `joint-seed0-backbone.safetensors` beside
`joint-seed0.pt`; of one that a killed run left unfinished, `joint-seed0-unfinished.pt` holds the last epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor

from affectory.core.errors import BaselineError
from affectory.encoders.image.backbones import Backbone, save_backbone
from affectory.encoders.image.features import extract
from affectory.encoders.image.hub_backbones import Pooled
from baselines.data import inputs
from baselines.data.encoders import Images
from baselines.data.images import image_refs
from baselines.data.inputs import Data
from baselines.data.release import Part, Release
from baselines.models import registry
from baselines.models.base import Model, Spec
from baselines.models.settings import ModelSettings
from baselines.training import launch, loop, trainer
from baselines.training.checkpoint import Checkpoint, Source, fingerprint
from baselines.training.finetune import Finetuned, Posts, fit_unfrozen, posts_of
from baselines.training.finetune_steps import FinetuneSettings
from baselines.training.trainer import Ask, Tell


@dataclass(frozen=True)
class Finetuning:
    """How the models of a run are fine-tuned, from `backbone` on; test features are kept in `features`.

    Of several processes that were started together, all train each network (`launch`).
    """

    backbone: Backbone
    settings: FinetuneSettings
    features: Path
    device: torch.device
    tell: Callable[[str, int, int], None] = lambda model, seed, epoch: None

    def train_all(self, ask: Ask, release: Release, tell: Tell) -> dict[str, list[Checkpoint]]:
        """Return the checkpoints of each model, by seed, as `trainer.train_all` does for frozen features.

        A model that reads no image is trained as there.
        """
        frozen = {m: one for m, one in ask.settings.items() if "image" not in registry.spec(m).inputs}
        found = trainer.train_all(replace(ask, settings=frozen), tell) if frozen else {}
        batches = {"train": ask.data.train, "validation": ask.data.validation}
        posts = {split: posts_of(release, release.parts[split], one) for split, one in batches.items()}
        for model, settings in ask.settings.items():
            if model in frozen:
                continue
            inputs_ = registry.spec(model).inputs
            how = "corrected" if trainer.corrects(ask, model) else "as trained"
            data = f"{ask.data.digest(inputs_)} {self.backbone.key} {self.settings!r} {how}"
            found[model] = []
            for seed in ask.seeds:
                mark = fingerprint(data, model, settings, seed)
                one = self._standing(ask.path(model, seed), mark)
                known = one is not None
                one = one or self._trained(ask, release, posts, model, settings, seed, mark)
                found[model].append(one)
                tell(one, known)
        return found

    def images(self, one: Checkpoint, release: Release) -> Images:
        """Return the features of the test images by the network that was trained with a checkpoint."""
        return self._seen(_backbone(one), release, release.parts["test"])

    def _seen(self, network: Backbone, release: Release, part: Part) -> Images:
        """Return the features of the images of a part."""
        found = extract(image_refs(release, part), network, self.features, self.device)
        return inputs.extracted(release, part, found)

    def _standing(self, path: Path, mark: str) -> Checkpoint | None:
        """Return the checkpoint of this very training, if its network is there too."""
        try:
            one = trainer.standing(path, mark)
            return one if one is None or one.problem or _backbone(one) else None
        except BaselineError:
            return None  # lost, or half a file: trained anew

    def _trained(
        self,
        ask: Ask,
        release: Release,
        posts: dict[str, Posts],
        model: str,
        settings: ModelSettings,
        seed: int,
        mark: str,
    ) -> Checkpoint:
        began = perf_counter()
        spec, path = registry.spec(model), ask.path(model, seed)
        unfinished = ask.unfinished(model, seed)
        assert spec.stages is not None
        data = ask.data.of(spec.inputs)
        own = {
            split: one._replace(batch=one.batch._replace(inputs=_read_by(spec, one)))
            for split, one in posts.items()
        }
        work = partial(
            fit_unfrozen,
            self.backbone,
            _head(spec, data, settings, seed),
            own["train"],
            own["validation"],
            self.settings,
            spec.stages(settings)[-1],
            seed,
            answers=spec.heads["both"],
            device=self.device,
            checkpoint=unfinished,
        )
        launch.call(work)
        tuned = work(tell=lambda epoch: self.tell(model, seed, epoch))
        problem = tuned.problem or self._overflow(tuned, release)
        frozen = ask.source(model)
        source = frozen if problem else self._source(tuned, path, frozen)
        one = Checkpoint(
            model=model,
            task=release.task,
            settings=settings,
            seed=seed,
            state={} if problem else tuned.head.state_dict(),
            encoders={name: encoder.state() for name, encoder in data.encoders.items()},
            fingerprint=mark,
            epoch=tuned.epoch,
            score=tuned.score,
            likelihood=tuned.likelihood,
            seconds=perf_counter() - began,
            problem=problem,
            history=() if problem else tuned.history,
            losses=() if problem else tuned.losses,
            source=source,
            generated=release.generated,
            condition=ask.condition.text,
        )
        if trainer.corrects(ask, model) and not problem:
            part = release.parts["validation"]
            seen = self._seen(tuned.backbone, release, part)
            read = data.validation.inputs | {"image": torch.from_numpy(seen.of(part))}
            held = data.validation._replace(inputs=read)
            one = replace(one, corrections=trainer.corrections(one, lambda _: held, data.train))
        if source is not None and not problem:
            save_backbone(tuned.backbone, Path(str(source.weights)))
        one.write(path)  # last: if it exists, its network does
        unfinished.unlink(missing_ok=True)
        return one

    def _overflow(self, tuned: Finetuned, release: Release) -> str | None:
        """Return why a network is given up if test images have NaN or infinite features in half precision."""
        refs = image_refs(release, release.parts["test"])
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
    [source] = one.sources()
    return source.load()


def _read_by(spec: Spec, posts: Posts) -> dict[str, Tensor]:
    return {name: posts.batch.inputs[name] for name in spec.inputs}


def _head(spec: Spec, data: Data, settings: ModelSettings, seed: int) -> Model:
    """Return a model before any training, with the scale of the frozen features."""
    head = loop.new(spec, data, settings, seed)
    # A feature that is dead while the network is frozen may come to life: it must not be magnified for ever.
    for name, scale in head.named_buffers():
        if name.endswith("scale.scale"):
            scale.clamp_(max=10 * float(scale.median()))
    return head
