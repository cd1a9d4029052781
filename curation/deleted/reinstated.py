"""Publish dropped duplicates of posts that are deleted now.

With the policy `keep-best` a build drops a duplicate because its group has a better post, with
`drop-conflicts` because a post of its group has another label. If posts of the group are deleted, the rest of
it is grouped and resolved again, with the functions that a build uses. A post that comes back gets the split
of the post for which it was dropped, or of a published post of its group, and counts as labelled if that did.
Its content is read from the crawl store.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from collectors.store import Store, snapshot
from curation.duplicates import duplicates
from curation.filters.stage import ROWS
from curation.manifest.manifest import Manifest
from curation.recipe.recipe import Recipe, recorded
from curation.release import published
from curation.release.assemble import drop_unlabelled, gather, renumbered
from curation.release.published import Writing
from curation.rows import shards
from curation.rows.read import EmptyStore, Shard, plan
from curation.splits import split

#: The detail of a dropped duplicate whose kept copy is deleted, and which the crawl store lacks.
ORPHAN = "of a deleted post"

#: Instead of the id of a kept post, for a row that was dropped for a conflict: no post was kept.
NONE = ""

Key = tuple[str, int]  # post id, image


@dataclass(frozen=True, slots=True)
class Released:
    """A release before its deleted posts go: its ids with the column `split`, and its dropped rows."""

    ids: pa.Table
    lost: pa.Table


@dataclass(frozen=True, slots=True)
class Back:
    """What comes back. `details` are the new details of the duplicates that stay dropped."""

    rows: Mapping[bool, pa.Table] = field(default_factory=dict)  # as published; True: of the ids
    splits: Sequence[int] = ()  # of each row
    keys: Set[Key] = frozenset()
    details: Mapping[Key, str] = field(default_factory=dict)
    missing: int = 0  # posts that the store lacks
    joined: Mapping[str, str] = field(default_factory=dict)  # published posts that get a group, and its name

    @property
    def posts(self) -> set[str]:
        """The posts that come back."""
        return {post_id for post_id, _ in self.keys}


def come_back(
    old: Released, deleted: Collection[str], described: Manifest, store: Store, place: Path
) -> Back:
    """Resolve the groups of deleted posts again, without these. Scratch files are written to `place`.

    Only the posts of these groups are read from the store. With `drop-conflicts` dropped rows don't name
    their groups, and all of the store is read.
    """
    recipe = recorded(described.recipe, f"{described.name} {described.version}")
    waiting = _waiting(old, deleted, recipe)
    if not waiting:
        return Back()
    live = {kept for kept in waiting.values() if kept not in deleted} - {ORPHAN, NONE}
    conflicts = recipe.duplicates.policy == "drop-conflicts"
    others = set(old.ids["post_id"].to_pylist()) - set(deleted) if conflicts else live
    asked = {post_id for post_id, _ in waiting} | others
    rows = _from_store(asked, recipe, store, place / "scratch", whole=conflicts)
    held = set(rows["post_id"].to_pylist())
    # Without its kept post in the store, a group can't be resolved: it stays as it is.
    waiting = {key: kept for key, kept in waiting.items() if kept not in live or kept in held}
    of_group = [key in waiting or key[0] in others for key in _keys(rows)]
    rows = rows.filter(pa.array(of_group, pa.bool_()))
    rows, groups, details = _resolved(rows, live, recipe, store.folder)
    back = np.array([key in waiting for key in _keys(rows)], bool)
    winners = rows.filter(pa.array(back))
    keys = set(_keys(winners))
    if conflicts:
        lacking = set()  # it isn't known which conflicts the deleted posts had
    else:
        lacking = {key for key in waiting if key not in keys and key not in details}
        details |= dict.fromkeys(lacking, ORPHAN)
    missing = len({post_id for post_id, _ in lacking})
    if not keys:
        return Back(details=details, missing=missing)
    names, joined = _names(rows, groups, back, waiting, old.ids)
    places = _places(winners, waiting, names, joined, old.ids, described.labelled)
    added = {"duplicate_group": pa.array(names, pa.string())} | {
        name: pa.array([one[name] for one in places], pa.bool_()) for name in described.labelled
    }
    published = _published(winners, pa.table(added), recipe, described, store.folder, place)
    return Back(published, [one["split"] for one in places], keys, details, missing, joined)


def _keys(table: pa.Table) -> list[Key]:
    return list(zip(table["post_id"].to_pylist(), table["image_index"].to_pylist(), strict=True))


def _waiting(old: Released, deleted: Collection[str], recipe: Recipe) -> dict[Key, str]:
    """Return the rows that were dropped in groups with a deleted post, each with the post kept instead.

    With `drop-conflicts` it isn't known which rows were a group: if one row that was dropped for a conflict
    is deleted, all of them are looked at again.
    """
    lost = old.lost.select(["post_id", "image_index", "stage", "detail"]).to_pylist()
    lost = [row for row in lost if row["stage"] == "duplicates"]
    policy = recipe.duplicates.policy
    if policy == "drop-conflicts":
        touched = {NONE} if any(row["post_id"] in deleted for row in lost) else set()
        kept = [NONE] * len(lost)
    else:
        kept = [row["detail"] if row["detail"] == ORPHAN else row["detail"][3:] for row in lost]
        touched = {ORPHAN, *(one for one in kept if one in deleted)}
        touched |= {one for one, row in zip(kept, lost, strict=True) if row["post_id"] in deleted}
    return {
        (row["post_id"], row["image_index"]): one
        for one, row in zip(kept, lost, strict=True)
        if one in touched and row["post_id"] not in deleted
    }


def _from_store(
    posts: Iterable[str], recipe: Recipe, store: Store, scratch: Path, *, whole: bool
) -> pa.Table:
    """Return the rows of these posts that the store has and the per-row stages keep.

    `whole`: read all of the store, shard by shard, and not each post by itself.
    """
    try:
        pieces = plan(store, recipe, scratch)
    except EmptyStore:
        return ROWS.empty_table()
    with snapshot.opened(scratch) as copied:
        live = copied.public_ids()
    if not whole:
        each = enumerate(sorted(live & set(posts)))
        pieces = [Shard(number, post_id, post_id, 1) for number, post_id in each]
    if not pieces:
        return ROWS.empty_table()
    with shards.engine(1) as engine:
        rows, _ = gather(recipe, store.folder, engine, pieces, scratch)
    rows, _ = drop_unlabelled(rows, keep_none=recipe.rule.unlabelled)
    return rows


def _resolved(
    rows: pa.Table, live: Set[str], recipe: Recipe, store: Path
) -> tuple[pa.Table, np.ndarray, dict[Key, str]]:
    """Return the rows that the policy keeps, their wide groups, and the details of the others."""
    if not len(rows):
        return rows, np.empty(0, np.int64), {}
    found = duplicates.group(rows, recipe.duplicates, store)
    groups = found.narrow
    keys = _keys(rows)
    keeper = {group: post_id for group, (post_id, _) in zip(groups, keys, strict=True) if post_id in live}
    details = {
        key: f"of {keeper[group]}"
        for group, key in zip(groups, keys, strict=True)
        if group in keeper and key[0] not in live
    }
    free = np.array([group not in keeper for group in groups], bool)
    keep, doubled = duplicates.resolve(
        rows.filter(pa.array(free)), renumbered(groups, free), recipe.duplicates
    )
    details |= dict(zip(_keys(doubled), doubled["detail"].to_pylist(), strict=True))
    free[free] = keep
    return rows.filter(pa.array(free)), renumbered(found.wide, free), details


def _names(
    rows: pa.Table, groups: np.ndarray, back: np.ndarray, waiting: Mapping[Key, str], ids: pa.Table
) -> tuple[list[str | None], dict[str, str]]:
    """Return the duplicate group of each row that comes back, and published posts that join one.

    A row is in the group of the post for which it was dropped, or of the published rows to which it is near.
    """
    of_post: dict[str, str] = {}
    for row in ids.select(["post_id", "duplicate_group"]).to_pylist():
        if row["duplicate_group"] is not None:
            of_post.setdefault(row["post_id"], row["duplicate_group"])
    keys, own = _keys(rows), duplicates.names(rows, groups)
    known: dict[str, str] = {}  # the published name of each group
    for key, name, new in zip(keys, own, back, strict=True):
        there = of_post.get(waiting[key] if new else key[0])
        if name is not None and there is not None:
            known.setdefault(name, there)
    names: list[str | None] = []
    joined: dict[str, str] = {}
    with_new = {name for name, new in zip(own, back, strict=True) if new}
    for key, name, new in zip(keys, own, back, strict=True):
        if new:
            names.append(known.get(name, name) if name else of_post.get(waiting[key]))
        elif name is not None and name in with_new:
            joined[key[0]] = known.get(name, name)
    return names, joined


def _places(
    winners: pa.Table,
    waiting: Mapping[Key, str],
    names: Sequence[str | None],
    joined: Mapping[str, str],
    ids: pa.Table,
    labelled: Sequence[str],
) -> list[dict[str, Any]]:
    """Return the split of each row that comes back, and whether it counts as labelled.

    A post with other published images gets their split. A post whose group (`names`) has no published post
    goes to the training split.
    """
    of_post: dict[str, dict[str, Any]] = {}
    for row in ids.select(["post_id", "split", *labelled]).to_pylist():
        of_post.setdefault(row["post_id"], row)
    of_group = {name: of_post[post_id] for post_id, name in joined.items()}
    train = split.NAMES.index("train")
    place: dict[str, dict[str, Any]] = {}
    for (post_id, index), name in zip(_keys(winners), names, strict=True):
        found = of_post.get(post_id) or of_post.get(waiting[post_id, index]) or of_group.get(name or "")
        place.setdefault(post_id, found or {"split": train} | dict.fromkeys(labelled, False))
    return [place[post_id] for post_id, _ in _keys(winners)]


def _published(
    winners: pa.Table,
    added: pa.Table,
    recipe: Recipe,
    described: Manifest,
    store: Path,
    place: Path,
) -> dict[bool, pa.Table]:
    """Return the rows as published: False gives those of the full files, True those of the ids."""
    writing = Writing(
        place / "scratch",
        store,
        recipe.classes,
        recipe.publish.images and recipe.images.which != "none",
        recipe.publish.text,
        described.multilabel.names,
        described.labelled,
        recipe.publish.source_label,
        recipe.text.ocr is not None,
        described.format,
    )
    found = [
        shards.load([writing.scratch / f"kept-{one['shard']:06}.arrow"], ROWS.names).slice(one["row"], 1)
        for one in winners.select(["shard", "row"]).to_pylist()
    ]
    rows = pa.concat_tables(found)
    for name in added.column_names:
        rows = rows.append_column(added.field(name), added[name])
    return {ids: published.published(rows, writing, writing.schema(ids=ids)) for ids in (False, True)}
