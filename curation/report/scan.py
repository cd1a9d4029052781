"""One pass over the columns of a release: the figures of the page and the rows that its galleries show.

Memory grows with the number of distinct scores and words and of duplicates, and by 8 bytes per row for the
hash of its post id. No image is read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from affectory.core.errors import ReleaseError
from affectory.core.progress import Steps
from curation.manifest.manifest import Manifest
from curation.report.contents import Release, batches
from curation.report.picks import Array, Lowest, hashes
from curation.report.vocabulary import Vocabulary
from curation.splits import SPLITS

COLUMNS = (
    "post_id",
    "text",
    "label",
    "score",
    "agreement",
    "language",
    "language_score",
    "n_words",
    "has_image",
    "has_text",
    "image_index",
    "duplicate_group",
    "over_18",
    "created_at",
)

#: Kinds of rows.
KINDS = ("Image and text", "Image only", "Text only")

#: The most random posts on the page, and of one class.
RANDOM, RANDOM_OF_A_CLASS = 96, 12
#: The most posts of the data browser.
SAMPLE = 5_000
#: Posts shown of each kind of borderline.
BORDERLINE = 8

#: A row that has duplicates: its group, its place, its split and label, the hash of its post id.
MEMBERS = pa.schema(
    [
        ("group", pa.string()),
        ("file", pa.int32()),
        ("row", pa.int64()),
        ("split", pa.int8()),
        ("label", pa.int32()),
        ("post", pa.uint64()),
        ("flagged", pa.bool_()),
    ]
)


@dataclass
class Figures:
    """What the pass has found. Arrays and lists are indexed by class."""

    counts: Array  # int64[class, split]
    kinds: Array  # int64[kind, class, split]; `KINDS`
    holding: Array  # int64[label, split] of a multi-label dataset
    words: list[Counter[int]]
    scores: list[Counter[int]]
    years: list[Counter[int]]
    agreements: list[Counter[int]]  # in percent
    vocabulary: Vocabulary
    random: list[Lowest]
    borderline: dict[str, Lowest]
    sample: Lowest  # of all rows, at random
    languages: Counter[str] = field(default_factory=Counter)
    images: int = 0
    texts: int = 0
    flagged: int = 0
    posts: int = 0
    test_posts: int = 0
    members: pa.Table = field(default_factory=MEMBERS.empty_table)

    @property
    def rows(self) -> int:
        """The number of rows in the files."""
        return int(self.counts.sum())


def scan(release: Release) -> Figures:
    """Read the release's columns once."""
    figures = _empty(release.manifest)
    posts: list[Array] = []
    test_posts: list[Array] = []
    members: list[pa.RecordBatch] = []
    columns = (*COLUMNS, "labels") if release.manifest.multilabel.names else COLUMNS
    with Steps("report", release.manifest.ledger.kept, "rows") as steps:
        for number, (split, path) in enumerate(release.data):
            first = 0
            for batch in batches(path, columns):
                ids = hashes(batch["post_id"].to_pylist())
                labels = _labels(batch, release.manifest, split)
                _count(figures, batch, labels, split)
                _pick(figures, batch, labels, ids, number, first)
                members.append(_members(batch, ids, number, first, split))
                posts.append(ids)
                if split == "test":
                    test_posts.append(ids)
                first += batch.num_rows
                steps.advance(batch.num_rows)
    figures.posts = _different(posts)
    figures.test_posts = _different(test_posts)
    figures.members = pa.Table.from_batches(members, schema=MEMBERS)
    return figures


def _different(parts: list[Array]) -> int:
    return len(np.unique(np.concatenate(parts))) if parts else 0


def _empty(manifest: Manifest) -> Figures:
    classes = len(manifest.classes)
    draws = max(1, min(RANDOM_OF_A_CLASS, RANDOM // classes))
    kinds = ["language", "words", "agreement"]
    kinds += ["score"] if manifest.filters("score") else []
    kinds += ["most words"] if any(one.get("max") for one in manifest.filters("words")) else []
    return Figures(
        counts=np.zeros((classes, len(SPLITS)), dtype=np.int64),
        kinds=np.zeros((len(KINDS), classes, len(SPLITS)), dtype=np.int64),
        holding=np.zeros((len(manifest.multilabel.names), len(SPLITS)), dtype=np.int64),
        words=[Counter() for _ in range(classes)],
        scores=[Counter() for _ in range(classes)],
        years=[Counter() for _ in range(classes)],
        agreements=[Counter() for _ in range(classes)],
        vocabulary=Vocabulary(classes),
        random=[Lowest(draws if number < RANDOM else 0) for number in range(classes)],
        borderline={kind: Lowest(BORDERLINE) for kind in kinds},
        sample=Lowest(SAMPLE),
    )


def _labels(batch: pa.RecordBatch, manifest: Manifest, split: str) -> Array:
    """Return the class of each row (int64[n]); the last class if it has no label."""
    classes = len(manifest.classes)
    labels = _numbers(batch["label"], classes - 1 if manifest.unlabelled else -1)
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        raise ReleaseError(f"a row of {split} has a label outside 0 to {classes - 1}: build again")
    return labels


def _count(figures: Figures, batch: pa.RecordBatch, labels: Array, split: str) -> None:
    """Add a batch to the counts."""
    figures.counts[:, SPLITS.index(split)] += np.bincount(labels, minlength=len(figures.counts))
    if len(figures.holding):
        held = np.asarray(batch["labels"].flatten())
        figures.holding[:, SPLITS.index(split)] += np.bincount(held, minlength=len(figures.holding))
    has_image, has_text = _truths(batch["has_image"]), _truths(batch["has_text"])
    for kind, holds in enumerate((has_image & has_text, has_image & ~has_text, ~has_image & has_text)):
        counted = np.bincount(labels[holds], minlength=len(figures.counts))
        figures.kinds[kind, :, SPLITS.index(split)] += counted
    words, scores = _numbers(batch["n_words"], -1), batch["score"]
    scored = ~np.asarray(scores.is_null())
    agreement = np.round(100 * _floats(batch["agreement"]))
    values, years = _numbers(scores, 0), _numbers(pc.year(_times(batch["created_at"])), 0)
    for label in np.unique(labels):
        here = labels == label
        _tally(figures.words[label], words[here & has_text])
        _tally(figures.scores[label], values[here & scored])
        _tally(figures.years[label], years[here & (years > 0)])
        _tally(figures.agreements[label], agreement[here & ~np.isnan(agreement)])
        figures.vocabulary.add(int(label), batch["text"].filter(pa.array(here)).to_pylist())
    figures.images += int(has_image.sum())
    figures.texts += int(has_text.sum())
    figures.flagged += int(_truths(batch["over_18"]).sum())
    for item in pc.value_counts(batch["language"].filter(pa.array(has_text))).to_pylist():
        figures.languages[item["values"] or ""] += item["counts"]


def _times(column: pa.Array) -> pa.Array:
    """Return times: they are seconds, or in releases of earlier formats timestamps."""
    return column.cast(pa.timestamp("s")) if pa.types.is_integer(column.type) else column


def _pick(figures: Figures, batch: pa.RecordBatch, labels: Array, ids: Array, file: int, first: int) -> None:
    """Offer the rows of a batch to the galleries."""
    rows = first + np.arange(batch.num_rows)
    # Images of one post get different hashes.
    ties = ids ^ _numbers(batch["image_index"], 0).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    figures.sample.offer(file, rows, ties)
    for label in np.unique(labels):
        here = labels == label
        figures.random[label].offer(file, rows[here], ties[here])
    has_text = _truths(batch["has_text"])
    words = _numbers(batch["n_words"], 0)
    offers = {
        "language": (_floats(batch["language_score"]), has_text),
        "words": (words, has_text),
        "most words": (-words, has_text),
        "agreement": (_floats(batch["agreement"]), True),
        "score": (_floats(batch["score"]), True),
    }
    for kind, lowest in figures.borderline.items():
        values, valid = offers[kind]
        here = ~np.isnan(values) & valid
        lowest.offer(file, rows[here], ties[here], values[here])


def _members(batch: pa.RecordBatch, ids: Array, file: int, first: int, split: str) -> pa.RecordBatch:
    """Return the rows of the batch that have a duplicate group."""
    here = np.flatnonzero(np.asarray(batch["duplicate_group"].is_valid()))
    chosen = batch.take(pa.array(here))
    columns = [
        chosen["duplicate_group"].cast(pa.string()),
        np.full(len(here), file),
        first + here,
        np.full(len(here), SPLITS.index(split)),
        _numbers(chosen["label"], -1),
        ids[here],
        _truths(chosen["over_18"]),
    ]
    arrays = [
        pa.array(column, kind.type) if isinstance(column, np.ndarray) else column
        for column, kind in zip(columns, MEMBERS, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=MEMBERS)


def _tally(counter: Counter[int], values: Array) -> None:
    for value, times in zip(*np.unique(values, return_counts=True), strict=True):
        counter[int(value)] += int(times)


def _numbers(column: pa.Array, missing: int) -> Array:
    return np.asarray(pc.fill_null(column, missing).to_numpy(zero_copy_only=False)).astype(np.int64)


def _floats(column: pa.Array) -> Array:
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))


def _truths(column: pa.Array) -> Array:
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False))
