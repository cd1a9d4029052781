"""A release as the baselines see it: through `datasets.load_dataset`, and nothing else.

release = load("reddit-emotion")
release.parts["train"].texts[0], release.task.names[release.parts["train"].target[0]]
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affectory.core.addresses import Place
from affectory.core.errors import BaselineError
from affectory.core.parquet_files import readable
from baselines.data.loaded import SPLITS as SPLITS
from baselines.data.loaded import loaded
from baselines.data.task import Kind, SeveralLabels, SingleLabel, Task

_COLUMNS = (
    "post_id",
    "image_index",
    "text",
    "label",
    "labels",
    "image_sha256",
    "has_image",
    "duplicate_group",
)


@dataclass(frozen=True, slots=True)
class Part:
    """One split: n rows, each an image of a post with its text, or what there is of them."""

    post_ids: NDArray[np.str_]  # [n]
    image_index: NDArray[np.int16]  # [n]
    texts: NDArray[np.object_]  # str[n]; empty where there is none
    target: NDArray[Any]  # int64[n], or float32[n, C] of several labels
    labelled: NDArray[np.bool_]  # [n]; only training rows can be unlabelled
    digests: NDArray[np.object_]  # str[n], sha256 of the image as collected; empty where there is none
    groups: NDArray[np.str_]  # [n], the duplicate group, or the post where it stands alone
    where: NDArray[np.int64]  # [n, 2]: number of the split, and row, in the release as loaded

    def __len__(self) -> int:
        return len(self.post_ids)

    def take(self, rows: NDArray[Any]) -> Part:
        """Return some of the rows."""
        return Part(*(getattr(self, name)[rows] for name in self.__slots__))

    @staticmethod
    def joined(parts: list[Part]) -> Part:
        """Return the rows of several parts, one after the other."""
        return Part(*(np.concatenate([getattr(p, name) for p in parts]) for name in Part.__slots__))


@dataclass(frozen=True)
class Release:
    """A release that was loaded. `rows` holds the library's own `Dataset` of each split.

    `generated` is the note on generated posts, "" where there are none. `notes`: what every row of a run on
    it has to say ("the test posts have no labels, so …").
    """

    name: str
    version: str
    task: Task
    parts: dict[str, Part]
    rows: Any
    generated: str = ""
    notes: tuple[str, ...] = ()

    @property
    def has_images(self) -> bool:
        """Whether there are pixels to train on."""
        return any((part.digests != "").any() for part in self.parts.values())

    @property
    def has_texts(self) -> bool:
        """Whether there are words to train on."""
        return any((part.texts != "").any() for part in self.parts.values())

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the labelled rows by split and label."""
        return {split: self._counted(part) for split, part in self.parts.items()}

    def _counted(self, part: Part) -> dict[str, int]:
        known = part.target[part.labelled]
        each = known.sum(0) if known.ndim == 2 else np.bincount(known, minlength=len(self.task.names))
        return {name: int(number) for name, number in zip(self.task.names, each, strict=True)}

    def rows_of(self, split: str) -> int:
        """Return the number of labelled rows of a split."""
        return int(self.parts[split].labelled.sum())

    def everything(self) -> Part:
        """Return the rows of all splits, one after the other."""
        return Part.joined([self.parts[split] for split in SPLITS])


def load(
    name: str,
    folder: Place = Path("datasets"),
    *,
    version: str | None = None,
    cache: Path | None = None,
    task: Kind | None = None,
    labels: tuple[str, ...] = (),
) -> Release:
    """Load a release that `python -m curation.build` has built; `BaselineError` where there is none.

    Of an address the version's files are fetched first, to a local copy (`affectory.core.mirrors`).
    `task`: whether a release that has both is read by its one label or by its several (the default).
    `labels`: those of its several to read, and classes of its one label that count as further ones.
    """
    found = loaded(name, folder, version=version, cache=cache)
    rows = found.splits
    chosen = _task(rows["train"].features, task, labels, f"{name} {found.version}")
    with readable(found.folder):
        parts = {split: _part(rows[split], number, chosen) for number, split in enumerate(SPLITS)}
    for split in SPLITS[1:]:  # only training learns from unlabelled posts
        parts[split] = parts[split].take(parts[split].labelled)
    return Release(name, found.version, chosen, parts, rows, found.generated)


def with_unlabelled(release: Release, split: str) -> Part:
    """Return all rows of a split, also those without a label that validation and test leave out."""
    return _part(release.rows[split], SPLITS.index(split), release.task)


def _task(features: Any, kind: Kind | None, labels: tuple[str, ...], name: str) -> Task:
    if labels:
        if "labels" not in features:
            raise BaselineError(f"--labels {labels[0]}: {name} has one label a post, and no column `labels`")
        known = [*features["labels"].feature.names, *features["label"].names]
        if unknown := [one for one in labels if one not in known]:
            raise BaselineError(f"--labels {unknown[0]!r}: {name} has {', '.join(known)}")
        return SeveralLabels(labels)
    if kind != "single" and "labels" in features:
        return SeveralLabels(features["labels"].feature.names)
    if kind == "several":
        raise BaselineError(f"--task several: {name} has one label a post, and no column `labels`")
    return SingleLabel(features["label"].names)


def _part(rows: Any, number: int, task: Task) -> Part:
    """Return all rows of a split, labelled or not."""
    table = rows.select_columns([c for c in _COLUMNS if c in rows.column_names]).with_format("arrow")[:]
    table.validate(full=True)  # for example, that texts are UTF-8
    column = {name: table[name].to_pylist() for name in table.column_names}
    target, labelled = _target(column, rows.features, task)
    part = Part(
        post_ids=np.array(column["post_id"], dtype=np.str_),
        image_index=np.array([i or 0 for i in column["image_index"]], np.int16),
        texts=np.array([text or "" for text in column["text"]], dtype=np.object_),
        target=target,
        labelled=labelled,
        digests=np.array(
            [d if has else "" for d, has in zip(column["image_sha256"], column["has_image"], strict=True)],
            dtype=np.object_,
        ),
        groups=np.array([g or p for g, p in zip(column["duplicate_group"], column["post_id"], strict=True)]),
        where=np.column_stack([np.full(len(table), number), np.arange(len(table))]).astype(np.int64),
    )
    published = rows.features["image"] is not None and _has_pixels(rows)
    if not published:
        part = replace(part, digests=np.full(len(part), "", dtype=np.object_))
    return part


def _target(
    column: dict[str, list[Any]], features: Any, task: Task
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the target of each row, and whether it has one."""
    one = np.array([-1 if label is None else label for label in column["label"]], np.int64)
    if task.kind == "single":
        return np.maximum(one, 0), one >= 0
    known = np.array([labels is not None for labels in column["labels"]], dtype=np.bool_)
    several = np.zeros((len(known), len(task.names)), np.float32)
    own, classes = features["labels"].feature.names, features["label"].names
    for place, name in enumerate(task.names):
        if name in own:
            number = own.index(name)
            several[:, place] = [number in (labels or ()) for labels in column["labels"]]
        else:
            several[:, place] = one == classes.index(name)
            known &= one >= 0
    return several, known


def _has_pixels(rows: Any) -> bool:
    """Whether the images themselves are published: a release may hold their digests alone."""
    image = rows.data.column("image")
    return bool(image.null_count < len(image))


def checked(release: Release, way_out: str = "or use --folds") -> Release:
    """Return the release. Raises `BaselineError` where a split lacks a label: it can't be scored there."""
    for split, counts in release.counts().items():
        missing = [name for name, n in counts.items() if not n]
        if missing:
            raise BaselineError(
                f"{release.name} {release.version}: {split} has no labelled post of {', '.join(missing)}; "
                f"every label must be in every split (see the recipe's [split]), {way_out}"
            )
    return release


def folds(release: Release, number: int, seed: int = 0) -> list[Release]:
    """Split a release for k-fold cross-validation; return it once with each fold as test.

    Of the other folds a ninth is validation and the rest is trained on, as in the papers' 80/10/10. Duplicate
    groups stay together, and each class is spread evenly (of several labels each set of labels, as far as it
    has enough posts). Unlabelled rows are always training, and so are image-only and text-only ones of a
    release whose own validation and test posts are pairs. Raises `BaselineError` where a class has too few
    groups for so many folds.
    """
    everything = release.everything()
    paired = (everything.digests != "") & (everything.texts != "")
    judged = everything.where[:, 0] != SPLITS.index("train")
    fixed = ~everything.labelled
    if paired.any() and paired[judged].all():
        fixed |= ~paired
    group, by_class = groups_by_class(replace(everything, labelled=~fixed), seed)
    dealt = np.concatenate(by_class)
    fold = np.full(group.max() + 1, -1, np.int64)
    fold[dealt] = np.arange(len(dealt)) % number
    single = release.task.kind == "single"
    found = []
    for k in range(number):
        rest = [mine[fold[mine] != k] for mine in by_class]
        split = np.full(len(fold), SPLITS.index("train"))
        split[fold == k] = SPLITS.index("test")
        ninth = [mine[::9] for mine in (rest if single else [np.concatenate(rest)])]
        split[np.concatenate(ninth)] = SPLITS.index("validation")
        own = split[group]
        own[fixed] = SPLITS.index("train")
        # A copy of a test post that is always training stays out.
        keep = ~fixed | (split[group] == SPLITS.index("train"))
        parts = {name: everything.take((own == i) & keep) for i, name in enumerate(SPLITS)}
        found.append(checked(replace(release, parts=parts), f"so take fewer folds than {number}"))
    return found


def groups_by_class(part: Part, seed: int) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Return the number of each row's duplicate group, and by class the groups in a random order.

    A group's class (of several labels its set of labels) is that of its first labelled row; groups without a
    labelled row are left out.
    """
    names, group = np.unique(part.groups, return_inverse=True)
    strata = _strata(part.target)
    first = np.full(len(names), -1)
    first[group[::-1][part.labelled[::-1]]] = strata[::-1][part.labelled[::-1]]
    rng = np.random.default_rng(seed)
    return group, [rng.permutation(np.flatnonzero(first == one)) for one in range(strata.max() + 1)]


def _strata(target: NDArray[Any]) -> NDArray[np.int64]:
    """Return the class of each row, or the number of its set of labels, int64[n]."""
    if target.ndim == 1:
        return target.astype(np.int64)
    number: NDArray[np.int64] = np.unique(target, axis=0, return_inverse=True)[1].ravel()
    return number
