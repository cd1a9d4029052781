"""The posts on which the models disagree, from `predictions.parquet`, sorted by kind."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from affectory.core.errors import BaselineError
from baselines.results import comparison as c
from baselines.results.page.posts import Key
from baselines.results.schema import Results

#: The most posts shown of each kind.
MOST = 8

_COLUMNS = ["post_id", "image_index", "label", "model", "mode", "predicted"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The label that most seeds of a model predict for a post: `seeds` of `of` seeds do."""

    label: str
    seeds: int
    of: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A test post, its true class, and the answer of each model with all its inputs."""

    key: Key
    truth: str
    answers: dict[str, Answer]

    def right(self, models: Sequence[str]) -> list[bool]:
        """Return whether each of these models is right, without those that have no answer."""
        return [self.answers[name].label == self.truth for name in models if name in self.answers]


def read(folder: Path, results: Results) -> list[Disagreement]:
    """Return the test posts on which models differ, in a random order: by a hash of their ids."""
    path = folder / "predictions.parquet"
    if not path.exists():
        raise BaselineError(f"{str(path)!r} is missing: run python -m baselines.run {results.dataset.name}")
    modes = {row.model: scored[0] for row in results.rows if (scored := c.whole(row))}
    posts: dict[tuple[Key, str], dict[str, dict[str, int]]] = {}
    for vote in _counted(pq.read_table(path, columns=_COLUMNS), modes):
        key = (vote["post_id"], vote["image_index"])
        post = posts.setdefault((key, vote["label"]), {})
        post.setdefault(vote["model"], {})[vote["predicted"]] = vote["model_count"]
    found = [
        Disagreement(key, truth, {name: _most(said[name]) for name in modes if name in said})
        for (key, truth), said in posts.items()
    ]
    found = [one for one in found if len({answer.label for answer in one.answers.values()}) > 1]
    return sorted(found, key=lambda one: hashlib.sha256(f"{one.key[0]}\0{one.key[1]}".encode()).digest())


def _counted(table: pa.Table, modes: Mapping[str, str]) -> list[dict[str, Any]]:
    """Count the seeds of each answer, of each model in its mode in Table 4."""
    wanted = pa.array([f"{model}\0{mode}" for model, mode in modes.items()], pa.string())
    kept = table.filter(pc.is_in(pc.binary_join_element_wise(table["model"], table["mode"], "\0"), wanted))
    keys = ["post_id", "image_index", "label", "model", "predicted"]
    rows: list[dict[str, Any]] = kept.group_by(keys).aggregate([("model", "count")]).to_pylist()
    return rows


def _most(said: dict[str, int]) -> Answer:
    """Return the answer of most seeds; of several, the first by name."""
    label = min(said, key=lambda name: (-said[name], name))
    return Answer(label, said[label], sum(said.values()))


def kinds(found: Sequence[Disagreement]) -> dict[str, list[Disagreement]]:
    """Group disagreements by kind; a kind without any is left out."""
    sorted_: dict[str, list[Disagreement]] = {
        "Only fusion is right": [],
        "Image-only wrong, text-only right": [],
        "Text-only wrong, image-only right": [],
        "One modality right, most fusions wrong": [],
        "Other disagreements": [],
    }
    for one in found:
        sorted_[_kind(one)].append(one)
    return {kind: posts for kind, posts in sorted_.items() if posts}


def _kind(one: Disagreement) -> str:
    image, text = one.right(["image"]), one.right(["text"])
    fusions = one.right([name for name in one.answers if name not in ("image", "text")])
    if not (image and text and fusions):
        return "Other disagreements"
    if not image[0] and not text[0]:
        return "Only fusion is right" if any(fusions) else "Other disagreements"
    if 2 * sum(fusions) < len(fusions):
        return "One modality right, most fusions wrong"
    if text[0] and not image[0]:
        return "Image-only wrong, text-only right"
    if image[0] and not text[0]:
        return "Text-only wrong, image-only right"
    return "Other disagreements"
