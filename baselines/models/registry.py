"""The table of models. A model's file is imported only when the model is asked for: `--help` needs no torch.

spec("joint").title(…)
selected(["duong2017"])        # ("image", "text", "late", "early", "joint", "common")
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple

from affectory.core.errors import BaselineError, meant

if TYPE_CHECKING:
    from baselines.models.base import Spec
    from baselines.models.settings import ModelSettings, Value


class Entry(NamedTuple):
    """A model: its family, its title, and where its spec is, "module:NAME"."""

    family: str
    title: str
    path: str


#: The families, each with the key of its paper in `results/papers/`; "" for rows that no paper has.
FAMILIES = {"duong2017": "duong2017", "multitask": "pagefortin2019", "memes": "semimemes2023", "today": ""}

_DUONG = "baselines.models.duong2017"
_PAGEFORTIN = "baselines.models.pagefortin2019"
_SEMIMEMES = "baselines.models.semimemes2023"
_TODAY = "baselines.models.today"

#: The models in the order of their papers' tables.
MODELS: dict[str, Entry] = {
    "image": Entry("duong2017", "Image-based", f"{_DUONG}.image:SPEC"),
    "text": Entry("duong2017", "Text-based", f"{_DUONG}.text:SPEC"),
    "late": Entry("duong2017", "Late fusion", f"{_DUONG}.late:SPEC"),
    "early": Entry("duong2017", "Early fusion", f"{_DUONG}.early:SPEC"),
    "joint": Entry("duong2017", "Joint fusion", f"{_DUONG}.joint:SPEC"),
    "common": Entry("duong2017", "Common space fusion", f"{_DUONG}.common:SPEC"),
    "si": Entry("multitask", "SI, image alone", f"{_PAGEFORTIN}.si:SPEC"),
    "st": Entry("multitask", "ST, text alone", f"{_PAGEFORTIN}.st:SPEC"),
    "l_fus": Entry("multitask", "L-Fus, late fusion", f"{_PAGEFORTIN}.l_fus:SPEC"),
    "sm": Entry("multitask", "SM, single-task multimodal", f"{_PAGEFORTIN}.sm:SPEC"),
    "cv_ct_cm": Entry("multitask", "Multitask", f"{_PAGEFORTIN}.cv_ct_cm:SPEC"),
    "raw_n_cook": Entry("memes", "RAW-N-COOK", f"{_SEMIMEMES}.raw_n_cook:SPEC"),
    "raw_n_cook_no_crom_ae": Entry(
        "memes", "RAW-N-COOK without CROM-AE", f"{_SEMIMEMES}.raw_n_cook:NO_CROM_AE"
    ),
    "raw_n_cook_no_db_loss": Entry(
        "memes", "RAW-N-COOK without DB loss", f"{_SEMIMEMES}.raw_n_cook:NO_DB_LOSS"
    ),
    "raw_n_cook_no_crom_ae_no_db_loss": Entry(
        "memes", "RAW-N-COOK without CROM-AE and DB loss", f"{_SEMIMEMES}.raw_n_cook:NO_EITHER"
    ),
    "cmml": Entry("memes", "CMML", f"{_SEMIMEMES}.cmml:SPEC"),
    "cmml_text": Entry("memes", "CMML, text alone", f"{_SEMIMEMES}.cmml:TEXT_ALONE"),
    "cmml_clip": Entry("memes", "CMML-CLIP", f"{_SEMIMEMES}.cmml:CLIP"),
    "tib_va": Entry("memes", "TIB-VA", f"{_SEMIMEMES}.tib_va:SPEC"),
    "ext_pie_net": Entry("memes", "Ext-PIE-Net", f"{_SEMIMEMES}.ext_pie_net:SPEC"),
    "ext_pie_net_pretrained": Entry(
        "memes", "Ext-PIE-Net (pretrained on unlabelled posts)", f"{_SEMIMEMES}.ext_pie_net:PRETRAINED"
    ),
    "visualbert": Entry("memes", "VisualBERT", f"{_SEMIMEMES}.visualbert:SPEC"),
    "vilt": Entry("memes", "ViLT", f"{_SEMIMEMES}.vilt:SPEC"),
    "lxmert": Entry("memes", "LXMERT", f"{_SEMIMEMES}.lxmert:SPEC"),
    "tfidf": Entry("today", "TF-IDF, logistic regression", f"{_TODAY}.tfidf:SPEC"),
    "sentence": Entry("today", "Sentence encoder, logistic regression", f"{_TODAY}.sentence:SPEC"),
    "clip_image": Entry("today", "Image-text pair, images, logistic regression", f"{_TODAY}.clip:IMAGE"),
    "clip_text": Entry("today", "Image-text pair, texts, logistic regression", f"{_TODAY}.clip:TEXT"),
    "clip": Entry("today", "Image-text pair, both, logistic regression", f"{_TODAY}.clip:BOTH"),
    "clip_zero_shot": Entry("today", "Image-text pair, zero-shot", f"{_TODAY}.zero_shot:SPEC"),
    "text_transformer": Entry("today", "Fine-tuned text encoder", f"{_TODAY}.transformer:SPEC"),
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
        raise BaselineError(f"there is no model {name!r}; {meant(name, [*MODELS, *FAMILIES])}")
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
