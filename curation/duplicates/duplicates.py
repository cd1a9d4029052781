"""Which rows are duplicates of each other, and what the recipe's policy makes of them.

Each detector links rows. Rows linked by any number of links, of any detectors, are one group. There are two
kinds of links: wide ones, for the groups that no split divides, and narrow ones, for what a policy may drop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BeforeValidator, SerializeAsAny, field_validator, model_validator

from affectory.core.tables import Table, among, one_of, refuse
from curation.duplicates import IMAGES, TEXTS, near_texts
from curation.duplicates.components import ALONE, Labels, merge
from curation.duplicates.detector import Asked, Fingerprint, Options
from curation.filters.stage import separate


def _parse(raw: Any) -> Any:
    """Validate one of `duplicates.images`: the name of a detector, or a table with it as `use`."""
    if isinstance(raw, str):
        if raw not in list(IMAGES):
            raise ValueError(f"Input should be {one_of(IMAGES)}")
        raw = {"use": raw}
    if not isinstance(raw, dict):
        return raw
    if "use" not in raw:
        raise ValueError(f"it lacks `use`, the detector's name: {one_of(IMAGES)}")
    if raw["use"] not in list(IMAGES):
        refuse({"use": raw["use"]}, f"Input should be {one_of(IMAGES)}")
    return IMAGES[raw["use"]].options.model_validate(raw)


def _of_one_word(word: str, said: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return the detectors that the `images` of earlier versions named, with the links that they made."""
    near = {"use": "dhash", "views": False, "distance": said.get("distance", 3), "drop_distance": 3}
    return {"off": (), "exact": ({"use": "exact"},), "near": ({"use": "exact"}, near)}[word]


class Duplicates(Table):
    """The `[duplicates]` of a recipe: which posts count as duplicates, and what is done with them.

    `images`: the detectors of images, each by its name or as a table of its options. `texts`: equal in
    their normal form (`equal`), or one word apart too (`near`). `policy`: `keep-all` only groups them;
    `keep-best` keeps the best-scored post of a group; `drop-conflicts` drops groups with several labels.
    `drop`: the policy drops posts whose images are duplicates or whose texts are equal (`either`), or, of
    posts that have both, only those whose images and texts are (`both`).
    """

    images: tuple[Annotated[SerializeAsAny[Options], BeforeValidator(_parse)], ...] = (
        Options(use="exact"),
        IMAGES["dhash"].options(use="dhash"),
    )
    texts: Annotated[str, among(TEXTS)] = "near"
    policy: Literal["keep-all", "keep-best", "drop-conflicts"] = "keep-all"
    drop: Literal["either", "both"] = "either"

    @model_validator(mode="before")
    @classmethod
    def _is_of_an_earlier_version(cls, said: Any) -> Any:
        """Read `images = "near"` and `distance`, as earlier versions wrote them."""
        if not isinstance(said, dict):
            return said
        word = said.get("images", "near" if "distance" in said else ())
        if word not in ("off", "exact", "near"):
            return said
        return {k: v for k, v in said.items() if k != "distance"} | {"images": _of_one_word(word, said)}

    @field_validator("images", mode="before")
    @classmethod
    def _is_a_list(cls, images: Any) -> Any:
        if not isinstance(images, tuple):
            raise ValueError(f'list detectors, such as ["exact", "dhash"]: {one_of(IMAGES)}')
        return images

    @field_validator("images")
    @classmethod
    def _has_each_once(cls, images: tuple[Options, ...]) -> tuple[Options, ...]:
        named = Counter(one.use for one in images)
        if twice := [use for use in named if named[use] > 1]:
            raise ValueError(f"{twice[0]!r} is there twice: remove one")
        return images

    @model_validator(mode="after")
    def _has_both(self) -> Duplicates:
        if self.drop == "both" and not (self.images and TEXTS[self.texts]):
            key = "texts" if self.images else "images"
            raise ValueError(f"drop = 'both' asks for near images and near texts, and {key} has no detector")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that `group` reads."""
        named = [name for one in self.images for name in IMAGES[one.use].columns]
        named += [one.column for one in self.images if IMAGES[one.use].fingerprint(one)]
        named += [name for one in TEXTS[self.texts] for name in one.columns]
        return tuple(dict.fromkeys(["image_sha256", *named]))

    @property
    def fingerprints(self) -> dict[str, Fingerprint]:
        """What is computed of each picture, by column. Raises `AffectoryError` if a package is missing."""
        found = {one.column: IMAGES[one.use].fingerprint(one) for one in self.images}
        return {column: function for column, function in found.items() if function}

    @property
    def networks(self) -> tuple[str, ...]:
        """The digests of the detectors' weights. Raises `AffectoryError` where they aren't available."""
        return tuple(filter(None, (IMAGES[one.use].network(one) for one in self.images)))


@dataclass(frozen=True, slots=True)
class Groups:
    """The duplicate groups of rows, each row labelled with the first row of its group (itself, if alone).

    No split divides a group of `wide`; a policy drops rows in groups of `narrow`, which are parts of these.
    """

    wide: Labels
    narrow: Labels


def group(table: pa.Table, options: Duplicates, store: Path | None = None) -> Groups:
    """Return the groups of the rows. Reads `options.columns`, and from `store` what a network has to see."""
    alone = np.arange(len(table), dtype=np.int64)
    texts = [one.groups(table, None) for one in TEXTS[options.texts]]

    def images(drop: bool) -> list[Labels]:
        return [IMAGES[one.use].groups(table, Asked(one, drop, store)) for one in options.images]

    narrow = alone
    if options.policy != "keep-all":
        if options.drop == "both":
            narrow = _both(table, images(True), texts)
        else:  # a near text alone may be another post's
            equal = [near_texts.EQUAL.groups(table, None)] if texts else []
            narrow = merge(alone, *images(True), *equal)
    return Groups(merge(narrow, *images(False), *texts), narrow)


def _both(table: pa.Table, images: Sequence[Labels], texts: Sequence[Labels]) -> Labels:
    """Link rows whose images and texts are linked; what has no image, or no text, by the other alone.

    A row without a text is linked to rows with one only where all of its images' group have the same: which
    of several texts it shows isn't known.
    """
    alone = np.arange(len(table), dtype=np.int64)
    image = np.where(np.asarray(table["image_sha256"].is_valid()), merge(alone, *images), ALONE)
    written = np.any([labels != ALONE for labels in texts], axis=0) if texts else np.zeros(len(table), bool)
    text = np.where(written, merge(alone, *texts), ALONE)
    pairs = np.unique(np.stack([image, text])[:, (image != ALONE) & written], axis=1)
    groups, first, several = np.unique(pairs[0], return_index=True, return_counts=True)
    one_text = dict(zip(groups[several == 1].tolist(), pairs[1, first[several == 1]].tolist(), strict=True))
    for row in np.flatnonzero(~written & (image != ALONE)):
        text[row] = one_text.get(int(image[row]), ALONE)
    _, labels = np.unique(np.stack([image, text]), axis=1, return_inverse=True)
    return merge(alone, np.where((image == ALONE) & (text == ALONE), ALONE, labels))


def resolve(table: pa.Table, groups: Labels, options: Duplicates) -> tuple[NDArray[np.bool_], pa.Table]:
    """Apply the recipe's policy to the narrow groups; return which rows stay, and the others as dropped rows.

    `keep-best` keeps of each group the best-scored post (ties by id), with all its rows in the group;
    `drop-conflicts` drops groups with several labels.
    """
    keep = np.ones(len(table), dtype=bool)
    reason, details = "", [""] * len(table)
    shared = np.bincount(groups, minlength=len(table))[groups] > 1
    if options.policy == "keep-best":
        reason = "duplicate"
        post_ids, best = table["post_id"].to_pylist(), _best(table, groups)
        for row in np.flatnonzero(shared):
            kept = post_ids[best[groups[row]]]
            if post_ids[row] != kept:
                keep[row], details[row] = False, f"of {kept}"
    elif options.policy == "drop-conflicts":
        reason, conflicts = "conflicting_labels", _conflicts(table, groups, np.flatnonzero(shared))
        for row in np.flatnonzero(shared):
            if told := conflicts.get(groups[row]):
                keep[row], details[row] = False, told
    _, dropped = separate(table, keep, "duplicates", reason, details)
    return keep, dropped


def _conflicts(table: pa.Table, groups: Labels, rows: Iterable[int]) -> dict[int, str]:
    """Return the detail for each group of `rows` whose rows differ in their label or their labels.

    A row that wasn't annotated is in no conflict.
    """
    one, several = table["label"].to_pylist(), table["labels"].to_pylist()
    found: dict[int, tuple[set[str], set[str], set[str]]] = {}
    for row in rows:
        labels, sets, told = found.setdefault(groups[row], (set(), set(), set()))
        label, holds = one[row], several[row]
        labels |= set() if label is None else {label}
        sets |= set() if holds is None else {" + ".join(holds)}
        told.add(" + ".join([*([] if label is None else [label]), *(holds or ())]))
    return {
        group: ", ".join(sorted(told - {""}))
        for group, (labels, sets, told) in found.items()
        if len(labels) > 1 or len(sets) > 1
    }


def _best(table: pa.Table, groups: Labels) -> dict[int, int]:
    """Return each group's best row: the highest score, then the smallest post id and image."""
    scores = np.asarray(table["score"].fill_null(np.iinfo(np.int64).min))
    best: dict[int, int] = {}
    for row in np.lexsort((np.arange(len(table)), -scores.astype(np.float64))):
        best.setdefault(int(groups[row]), int(row))
    return best


def names(table: pa.Table, groups: Labels) -> list[str | None]:
    """Return each row's `duplicate_group`: the group's smallest post id, or None for a row alone."""
    counts = np.bincount(groups, minlength=len(table))
    post_ids = table["post_id"].to_pylist()
    return [post_ids[g] if counts[g] > 1 else None for g in groups]


def from_names(found: Sequence[str | None]) -> Labels:
    """Return the groups from their `names`: each row labelled with the first row of its group."""
    first: dict[str, int] = {}
    return np.array(
        [row if name is None else first.setdefault(name, row) for row, name in enumerate(found)], np.int64
    )


def counts(groups: Labels) -> dict[str, int]:
    """Return the number of groups with several rows, their rows, and the size of the largest group."""
    _, sizes = np.unique(groups, return_counts=True)
    shared = sizes[sizes > 1]
    return {"groups": len(shared), "rows": int(shared.sum()), "largest": int(shared.max(initial=1))}
