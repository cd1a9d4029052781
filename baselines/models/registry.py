"""The table of models. A model's file is imported only when the model is asked for: `--help` needs no torch.

spec("joint").title(…)
selected(["duong2017"])        # ("image", "text", "late", "early", "joint", "common")
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple

from affectory.core.errors import BaselineError

if TYPE_CHECKING:
    from baselines.models.base import Spec
    from baselines.models.settings import ModelSettings, Value


class Entry(NamedTuple):
    """A model: its family, its title, and where its spec is, "module:NAME"."""

    family: str
    title: str
    path: str


#: The families, each with the key of its paper in `results/papers/`.
FAMILIES = {"duong2017": "duong2017", "memes": "semimemes2023"}

_DUONG = "baselines.models.duong2017"
_SEMIMEMES = "baselines.models.semimemes2023"

#: The models in the order of their papers' tables.
MODELS: dict[str, Entry] = {
    "image": Entry("duong2017", "Image-based", f"{_DUONG}.image:SPEC"),
    "text": Entry("duong2017", "Text-based", f"{_DUONG}.text:SPEC"),
    "late": Entry("duong2017", "Late fusion", f"{_DUONG}.late:SPEC"),
    "early": Entry("duong2017", "Early fusion", f"{_DUONG}.early:SPEC"),
    "joint": Entry("duong2017", "Joint fusion", f"{_DUONG}.joint:SPEC"),
    "common": Entry("duong2017", "Common space fusion", f"{_DUONG}.common:SPEC"),
    "tib_va": Entry("memes", "TIB-VA", f"{_SEMIMEMES}.tib_va:SPEC"),
    "ext_pie_net": Entry("memes", "Ext-PIE-Net", f"{_SEMIMEMES}.ext_pie_net:SPEC"),
    "visualbert": Entry("memes", "VisualBERT", f"{_SEMIMEMES}.visualbert:SPEC"),
    "vilt": Entry("memes", "ViLT", f"{_SEMIMEMES}.vilt:SPEC"),
    "lxmert": Entry("memes", "LXMERT", f"{_SEMIMEMES}.lxmert:SPEC"),
}

#: Settings that belong to no single model, by their name in `--set`.
SHARED = {
    "finetune": Entry(
        "", "Training the image network too", "baselines.training.finetune_steps:FinetuneSettings"
    )
}


def entry(name: str) -> Entry:
    """Return the line of a model. Raises `BaselineError` for an unknown one."""
    if name not in MODELS:
        near = difflib.get_close_matches(name, [*MODELS, *FAMILIES], 1)
        meant = f"did you mean {near[0]}?" if near else f"it is one of {', '.join(MODELS)}"
        raise BaselineError(f"there is no model {name!r}; {meant}")
    return MODELS[name]


def spec(name: str) -> Spec:
    """Import a model's file and return its spec."""
    return loaded(entry(name).path)


def loaded(path: str) -> Any:
    """Return what is at "module:NAME": a spec."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def settings_of(name: str) -> type[ModelSettings] | None:
    """Return the settings of a model, or of what models share; None for a row that is made of two others."""
    if name in SHARED:
        kind: type[ModelSettings] = loaded(SHARED[name].path)
        return kind
    return spec(name).settings


def given(changes: Iterable[str]) -> dict[str, dict[str, Value]]:
    """Read "MODEL.KEY=VALUE" settings, by model; a family's name stands for its models that have the key.

    Raises `BaselineError` for an unknown model or key, or a value that isn't one.
    """
    from baselines.models.settings import known_key, parsed

    found: dict[str, dict[str, Value]] = {}
    for change in changes:
        place, _, text = change.partition("=")
        name, _, key = place.partition(".")
        models = [name] if name in SHARED else list(selected([name]))
        kinds = {model: kind for model in models if (kind := settings_of(model)) is not None}
        if not kinds:
            raise BaselineError(f"--set {change}: {name} has no settings: it is made of two other rows")
        known_key(key, kinds.values(), model=name)
        for model, kind in kinds.items():
            if key in {one.name for one in fields(kind)}:
                found.setdefault(model, {})[key] = parsed(kind, key, text, model=model)
    for model, values in found.items():  # together: minn and maxn contradict each other's defaults
        own = settings_of(model)
        assert own is not None
        own(**values)
    return found


def selected(names: Iterable[str]) -> tuple[str, ...]:
    """Return the models of these names, each once; a family stands for its models."""
    found: list[str] = []
    for name in names:
        mine = [model for model, one in MODELS.items() if one.family == name]
        if not mine:
            entry(name)  # refuses an unknown name
        found += mine or [name]
    return tuple(dict.fromkeys(found))
