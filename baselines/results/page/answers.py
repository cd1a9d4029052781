"""The posts on which the models disagree, from `predictions.parquet`, sorted by kind."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from affectory.core.errors import BaselineError
from baselines.results import comparison as c
from baselines.results.page.posts import Key
from baselines.results.schema import Results, Row

#: The most posts shown of each kind.
MOST = 8

#: One class, or the labels of a post in their order.
Labels = tuple[str, ...]

_COLUMNS = ["post_id", "image_index", "labels", "model", "condition", "predicted"]
_BETWEEN = "\x1f"  # joins labels while they are counted


@dataclass(frozen=True, slots=True)
class Answer:
    """What most seeds of a model predict for a post: `seeds` of `of` seeds do."""

    labels: Labels
    seeds: int
    of: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A test post, its true labels, and the answer of each row with all its inputs, by the row's number."""

    key: Key
    truth: Labels
    answers: dict[int, Answer]

    def right(self, rows: Sequence[int]) -> list[bool]:
        """Return whether each of these rows is right, without those that have no answer."""
        return [self.answers[row].labels == self.truth for row in rows if row in self.answers]


def read(folder: Path, results: Results) -> list[Disagreement]:
    """Return the test posts on which models differ, in a random order: by a hash of their ids.

    An answer is right if its labels are all those of the post and no other.
    """
    path = folder / "predictions.parquet"
    if not path.exists():
        raise BaselineError(f"{str(path)!r} is missing: run python -m baselines.run {results.dataset.name}")
    place = {(row.model, row.condition.text): number for number, row in enumerate(results.rows)}
    posts: dict[tuple[Key, Labels], dict[int, dict[Labels, int]]] = {}
    for vote in _counted(pq.read_table(path, columns=_COLUMNS, filters=[("mode", "=", "both")])):
        number = place.get((vote["model"], vote["condition"]))
        if number is not None:
            post = posts.setdefault(((vote["post_id"], vote["image_index"]), _labels(vote["labels"])), {})
            post.setdefault(number, {})[_labels(vote["predicted"])] = vote["model_count"]
    found = [
        Disagreement(key, truth, {number: _most(said[number]) for number in sorted(said)})
        for (key, truth), said in posts.items()
    ]
    found = [one for one in found if len({answer.labels for answer in one.answers.values()}) > 1]
    return sorted(found, key=lambda one: hashlib.sha256(f"{one.key[0]}\0{one.key[1]}".encode()).digest())


def _counted(table: pa.Table) -> list[dict[str, Any]]:
    """Count the seeds of each answer, of each model and condition."""
    for name in ("labels", "predicted"):
        joined = pc.binary_join(table[name], _BETWEEN)
        table = table.set_column(table.schema.get_field_index(name), name, joined)
    rows: list[dict[str, Any]] = table.group_by(_COLUMNS).aggregate([("model", "count")]).to_pylist()
    return rows


def _labels(joined: str) -> Labels:
    return tuple(joined.split(_BETWEEN)) if joined else ()


def _most(said: dict[Labels, int]) -> Answer:
    """Return the answer of most seeds; of several, the first by name."""
    labels = min(said, key=lambda one: (-said[one], one))
    return Answer(labels, said[labels], sum(said.values()))


def kinds(found: Sequence[Disagreement], rows: Sequence[Row]) -> dict[str, list[Disagreement]]:
    """Group disagreements by kind; a kind without any is left out.

    Rows with scores of one modality alone are the image-only and text-only models, the others fusions.
    """
    sorted_: dict[str, list[Disagreement]] = {
        "Only fusion is right": [],
        "Image-only wrong, text-only right": [],
        "Text-only wrong, image-only right": [],
        "One modality right, most fusions wrong": [],
        "Other disagreements": [],
    }
    reads = [[mode for mode in c.SINGLE if mode in row.modes] for row in rows]
    images, texts = ([i for i, one in enumerate(reads) if one == [mode]] for mode in c.SINGLE)
    fusions = [i for i, one in enumerate(reads) if len(one) == len(c.SINGLE)]
    for one in found:
        sorted_[_kind(one.right(images), one.right(texts), one.right(fusions))].append(one)
    return {kind: posts for kind, posts in sorted_.items() if posts}


def _kind(images: list[bool], texts: list[bool], fusions: list[bool]) -> str:
    """Return the kind of a disagreement, from which models are right."""
    if not (images and texts and fusions):
        return "Other disagreements"
    image, text = any(images), any(texts)
    if not image and not text:
        return "Only fusion is right" if any(fusions) else "Other disagreements"
    if 2 * sum(fusions) < len(fusions):
        return "One modality right, most fusions wrong"
    if text and not image:
        return "Image-only wrong, text-only right"
    if image and not text:
        return "Text-only wrong, image-only right"
    return "Other disagreements"
