"""The posts on which the models, or the modes of one, disagree: from `predictions.parquet`, by kind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from affectory.core.errors import BaselineError
from baselines.results import comparison as c
from baselines.results.page.posts import Key
from baselines.results.schema import Results, Row

#: The most posts shown of each kind: where models disagree, and where the modes of one do.
MOST, MOST_BY_MODE = 8, 5

#: One class, or the labels of a post in their order.
Labels = tuple[str, ...]

_COLUMNS = ["post_id", "image_index", "labels", "model", "condition", "mode", "predicted"]
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


@dataclass(frozen=True, slots=True)
class ByMode:
    """A test post, its true labels, and the answers of one row in its modes."""

    key: Key
    truth: Labels
    answers: dict[str, Answer]

    def wrong(self) -> tuple[str, ...]:
        """Return the modes in which the row is wrong."""
        return tuple(mode for mode, answer in self.answers.items() if answer.labels != self.truth)


_Shown = TypeVar("_Shown", Disagreement, ByMode)


def read(folder: Path, results: Results) -> list[Disagreement]:
    """Return the test posts on which models differ, in a random order: by a hash of their ids.

    An answer is right if its labels are all those of the post and no other. Rows trained with fewer pairs
    are left out.
    """
    place = {
        (row.model, row.condition.text): number for number, row in enumerate(results.rows) if c.tabled(row)
    }
    found = []
    for (key, truth), said in _answers(folder, results, [("mode", "=", "both")]).items():
        known = {place[model, told]: one for (model, told, _), one in said.items() if (model, told) in place}
        if len({answer.labels for answer in known.values()}) > 1:
            found.append(Disagreement(key, truth, {number: known[number] for number in sorted(known)}))
    return _shuffled(found)


def by_mode(folder: Path, results: Results, row: Row) -> dict[str, list[ByMode]]:
    """Return the test posts on which the modes of a row tell something, by kind, each in a random order.

    Posts on which every mode is right are left out, and posts that lack a modality.
    """
    image, text, both = (row.names.get(mode, mode) for mode in ("image", "text", "both"))
    known = {
        ("image", "text"): f"{image} and {text} wrong, {both} right",
        ("image",): f"{image} wrong, {text} and {both} right",
        ("text",): f"{text} wrong, {image} and {both} right",
    }
    sorted_: dict[str, list[ByMode]] = {kind: [] for kind in (*known.values(), f"{both} wrong")}
    only = [("model", "=", row.model), ("condition", "=", row.condition.text)]
    found = []
    for (key, truth), said in _answers(folder, results, only).items():
        answers = {mode: one for (_, _, mode), one in said.items()}
        if set(answers) == {"image", "text", "both"}:
            found.append(ByMode(key, truth, {mode: answers[mode] for mode in ("image", "text", "both")}))
    for one in _shuffled(found):
        if wrong := one.wrong():
            sorted_[known.get(wrong, f"{both} wrong")].append(one)
    return {kind: posts for kind, posts in sorted_.items() if posts}


def _answers(
    folder: Path, results: Results, filters: list[tuple[str, str, str]]
) -> dict[tuple[Key, Labels], dict[tuple[str, str, str], Answer]]:
    """Return, by post, the answers by model, condition and mode. Raises `BaselineError`."""
    path = folder / "predictions.parquet"
    if not path.exists():
        raise BaselineError(f"{str(path)!r} is missing: repeat affectory run {results.dataset.name}")
    posts: dict[tuple[Key, Labels], dict[tuple[str, str, str], dict[Labels, int]]] = {}
    for vote in _counted(pq.read_table(path, columns=_COLUMNS, filters=filters)):
        post = posts.setdefault(((vote["post_id"], vote["image_index"]), _labels(vote["labels"])), {})
        said = post.setdefault((vote["model"], vote["condition"], vote["mode"]), {})
        said[_labels(vote["predicted"])] = vote["model_count"]
    return {post: {by: _most(votes) for by, votes in said.items()} for post, said in posts.items()}


def _shuffled(found: Iterable[_Shown]) -> list[_Shown]:
    """Return posts in a random order that is always the same: by a hash of their ids."""
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
