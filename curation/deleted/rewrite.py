"""Write a new version of a release without the posts that their source has deleted or that opted out.

Such a post leaves a tombstone among the dropped rows: its id, its community and the source's reason. Its
duplicates are published instead (`copies`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from affectory.core.errors import ReleaseError
from affectory.core.numbers import count
from affectory.core.parquet_files import read_rows
from collectors.store import Store
from curation.deleted import reinstated
from curation.deleted.reinstated import Back, Released
from curation.duplicates import duplicates
from curation.filters.removed import OPTED_OUT
from curation.manifest import manifest
from curation.manifest.ledger import Ledger, ledger
from curation.manifest.manifest import SINCE, UNLABELLED, Manifest, Multilabel, Written
from curation.release import dropped, publish
from curation.release.count_attrition import of_kept
from curation.rows import shards
from curation.splits import split, twins

#: What a tombstone keeps of a row.
_TOMBSTONE = ["post_id", "image_index", "community"]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What a new version lacks: `published` and `dropped` posts, each with the source's reason."""

    published: Mapping[str, str]
    dropped: Mapping[str, str]
    back: Back

    def __str__(self) -> str:
        """Return what has changed, for the manifest's note and the command's output."""
        told = []
        out, deleted = _parted(self.published)
        if deleted:
            told.append(f"{count(len(deleted), 'deleted post')} removed{_why(deleted)}")
        if out:
            told.append(f"{count(len(out), 'opted-out post')} removed")
        if self.dropped:
            why = _why(self.dropped)
            told.append(f"{count(len(self.dropped), 'dropped post')} reduced to a tombstone{why}")
        if self.back.keys:
            told.append(f"{count(len(self.back.posts), 'duplicate')} of deleted posts published instead")
        return "; ".join(told) or "dropped duplicates name no deleted post any more"


def _parted(posts: Mapping[str, str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the posts that opted out, and those that their source has deleted."""
    out = {post_id: word for post_id, word in posts.items() if word == OPTED_OUT}
    return out, {post_id: word for post_id, word in posts.items() if word != OPTED_OUT}


def _why(posts: Mapping[str, str]) -> str:
    counted = sorted(Counter(posts.values()).items(), key=lambda item: (-item[1], item[0]))
    return f" ({', '.join(f'{n:,} {word}' for word, n in counted)})" * bool(counted)


def rewrite(old: Path, words: Mapping[str, str], store: Store, version: str, place: Path) -> Rewritten:
    """Write the release in `old` to `place/release` as `version`, without the posts of `words`.

    Raises `ReleaseError` if no post would be left, or a file of the release is missing.
    """
    described = manifest.read(old / "manifest.json")
    require(old, described)
    out = place / "release"
    before = Released(_ids(old, described), read_rows(old / dropped_file(described).path))
    back = reinstated.come_back(before, words, described, store, place)
    tables = _tables(old, described, words, back)
    ids = pa.concat_tables([_numbered(one) for one in tables if one.ids])
    if not len(ids):
        raise ReleaseError(
            f"all posts of {described.name} {described.version} are deleted at their source"
            f"{' or opted out' * (OPTED_OUT in words.values())}: nothing is left "
            f"to release; remove {str(old.parent)!r}"
        )
    groups = _groups(ids)
    parts = [replace(one, table=_regrouped(one.table, groups)) for one in tables if len(one.table)]
    lost = _lost(before, words, back)
    done = Rewritten(
        {post_id: words[post_id] for post_id in before.ids["post_id"].to_pylist() if post_id in words},
        {post_id: words[post_id] for post_id in _shown(before.lost) if post_id in words},
        back,
    )
    new = replace(
        described,
        version=version,
        **_counts(described, ids),
        **_duplicates(ids, groups),
        ledger=_ledger(described.ledger, lost, len(ids)),
        generated=publish.generated(ids),
        attrition=described.attrition and of_kept(described.attrition, ids, described.classes),
        input_digest=_digest(described, done),
        notes=[*described.notes, f"{SINCE} {described.version}: {done}"],
    )
    with shards.engine(1) as engine:
        publish.write(new, parts, dropped.write_table(lost, out), out, engine)
    return done


def require(old: Path, described: Manifest) -> None:
    """Raise `ReleaseError` if a file of the release in `old` is missing."""
    missing = [file.path for file in described.files if not (old / file.path).is_file()]
    if missing:
        raise ReleaseError(
            f"{str(old / missing[0])!r} is missing: purge the full release, and write its ids again"
        )


def dropped_file(described: Manifest) -> Written:
    """Return the file of the dropped rows."""
    return next(file for file in described.files if file.split == "dropped")


def _ids(old: Path, described: Manifest) -> pa.Table:
    """Return the rows of the ids, each with the number of its split."""
    tables = [
        _File(file.path.rsplit("-", 1)[0], file.split, read_rows(old / file.path))
        for file in described.tables(ids=True)
    ]
    return pa.concat_tables([_numbered(one) for one in tables])


@dataclass(frozen=True, slots=True)
class _File:
    """Published rows of a file, read into memory: a `curation.release.exporters.exporter.Part`."""

    stem: str  # "train-00000-of-00002"
    split: str
    table: pa.Table

    @property
    def ids(self) -> bool:
        return self.stem.startswith("ids-")

    @property
    def pictures(self) -> bool:
        return "image" in self.table.column_names and self.table["image"].null_count < len(self.table)

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    def __len__(self) -> int:
        return len(self.table)

    def batches(self, size: int) -> Iterator[pa.Table]:
        for start in range(0, len(self.table), size):
            yield self.table.slice(start, size)


def _numbered(one: _File) -> pa.Table:
    number = split.NAMES.index(one.split)
    return one.table.append_column("split", pa.array([number] * len(one.table), pa.int8()))


def _tables(old: Path, described: Manifest, words: Mapping[str, str], back: Back) -> list[_File]:
    """Return the published rows of each file, without deleted posts and with those that come back."""
    found: list[_File] = []
    for number, name in enumerate(split.NAMES):
        mine = pa.array([one == number for one in back.splits], pa.bool_())
        for ids in (False, True):
            paths = [file.path for file in described.tables(ids=ids) if file.split == name]
            stems = [path.rsplit("-", 1)[0] for path in paths]
            tables = [read_rows(old / path) for path in paths]
            if back.keys:
                more = back.rows[ids].filter(mine)
                if len(more) and not tables:
                    stems, tables = [f"{'ids-' * ids}{name}-00000-of-00001"], [more.slice(0, 0)]
                tables = _merged(tables, more)
            found += [_File(*one) for one in zip(stems, [name] * len(stems), tables, strict=True)]
    return [replace(one, table=_joined(_without(one.table, words), back.joined)) for one in found]


def _joined(table: pa.Table, groups: Mapping[str, str]) -> pa.Table:
    """Return the table with these posts in these duplicate groups, to which a post has come back."""
    if not groups:
        return table
    columns = (table["post_id"].to_pylist(), table["duplicate_group"].to_pylist())
    named = [name or groups.get(post_id) for post_id, name in zip(*columns, strict=True)]
    place = table.schema.get_field_index("duplicate_group")
    return table.set_column(place, table.schema.field(place), pa.array(named, pa.string()))


def _merged(tables: Sequence[pa.Table], more: pa.Table) -> list[pa.Table]:
    """Add rows to the tables of a split, each to the table whose range has its post id."""
    merged = []
    for number, table in enumerate(tables):
        if number + 1 < len(tables):
            mine = pc.less_equal(more["post_id"], table["post_id"][-1])
        else:
            mine = pa.array([True] * len(more), pa.bool_())
        own, more = more.filter(mine), more.filter(pc.invert(mine))
        if len(own):
            table = pa.concat_tables([table, own.cast(table.schema)])
            table = table.sort_by([("post_id", "ascending"), ("image_index", "ascending")])
        merged.append(table)
    return merged


def _among(table: pa.Table, posts: Mapping[str, str]) -> pa.ChunkedArray:
    return pc.is_in(table["post_id"], pa.array(sorted(posts), pa.string()))


def _without(table: pa.Table, posts: Mapping[str, str]) -> pa.Table:
    return table.filter(pc.invert(_among(table, posts)))


def _groups(ids: pa.Table) -> dict[str, str | None]:
    """Return each duplicate group's new name: its smallest post id, or None for a group of one post."""
    members: dict[str, list[str]] = {}
    for post_id, name in zip(ids["post_id"].to_pylist(), ids["duplicate_group"].to_pylist(), strict=True):
        if name is not None:
            members.setdefault(name, []).append(post_id)
    return {name: min(found) if len(found) > 1 else None for name, found in members.items()}


def _regrouped(table: pa.Table, groups: Mapping[str, str | None]) -> pa.Table:
    place = table.schema.get_field_index("duplicate_group")
    named = [name and groups[name] for name in table["duplicate_group"].to_pylist()]
    return table.set_column(place, table.schema.field(place), pa.array(named, pa.string()))


def _duplicates(ids: pa.Table, groups: Mapping[str, str | None]) -> dict[str, Any]:
    """Count the duplicate groups, and the held-out posts that have a duplicate in training."""
    labels = duplicates.from_names(_regrouped(ids, groups)["duplicate_group"].to_pylist())
    found = twins(np.asarray(ids["split"]), ids["post_id"], labels)
    return {
        "duplicates": duplicates.counts(labels),
        "twins": {"test": found.test, "validation": found.validation},
    }


def _counts(described: Manifest, ids: pa.Table) -> dict[str, Any]:
    """Count the published rows by split and label."""
    counts = {name: dict.fromkeys(by_label, 0) for name, by_label in described.counts.items()}
    several = described.multilabel
    holding = {name: dict.fromkeys(by_label, 0) for name, by_label in several.counts.items()}
    names = ["split", "label", *(["labels"] if several.names else [])]
    for row in ids.select(names).to_pylist():
        name = split.NAMES[row["split"]]
        label = UNLABELLED if row["label"] is None else described.classes[row["label"]]
        counts[name][label] = counts[name].get(label, 0) + 1
        for number in row.get("labels") or ():
            holding[name][several.names[number]] += 1
    return {"counts": counts, "multilabel": Multilabel(several.names, holding, several.expected)}


def _ledger(before: Ledger, lost: pa.Table, kept: int) -> Ledger:
    """Return the ledger of the remaining rows, with the tombstones as its last step."""
    order = [*dict.fromkeys(step.stage for step in before.steps if step.stage != "purge"), "purge"]
    return ledger(before.unit, before.collected, lost, order, kept)


def _digest(described: Manifest, done: Rewritten) -> str:
    told = [described.input_digest, *sorted({*done.published, *done.dropped})]
    told += [f"{post_id} {index}" for post_id, index in sorted(done.back.keys)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _shown(lost: pa.Table) -> list[str]:
    """Return the posts of the dropped rows that aren't tombstones."""
    found: list[str] = lost.filter(pc.invert(dropped.tombstones(lost)))["post_id"].to_pylist()
    return found


def _reason(word: str) -> str:
    return OPTED_OUT if word == OPTED_OUT else dropped.REMOVED


def _lost(before: Released, words: Mapping[str, str], back: Back) -> pa.Table:
    """Return the dropped rows: deleted posts as tombstones, without the rows that come back."""
    lost = before.lost
    keys = list(zip(lost["post_id"].to_pylist(), lost["image_index"].to_pylist(), strict=True))
    details = zip(keys, lost["detail"].to_pylist(), strict=True)
    told = [back.details.get(key, detail) for key, detail in details]
    place = lost.schema.get_field_index("detail")
    lost = lost.set_column(place, lost.schema.field(place), pa.array(told, pa.string()))
    reduced = pc.and_(_among(lost, words), pc.invert(dropped.tombstones(lost)))
    gone = [lost.filter(reduced), before.ids.filter(_among(before.ids, words))]
    rows = [
        row | {"stage": "purge", "reason": _reason(words[row["post_id"]]), "detail": words[row["post_id"]]}
        for table in gone
        for row in table.select(_TOMBSTONE).to_pylist()
    ]
    stays = pa.array([key not in back.keys for key in keys], pa.bool_())
    lost = lost.filter(pc.and_(stays, pc.invert(reduced)))
    table = pa.concat_tables([lost, pa.Table.from_pylist(rows, schema=lost.schema)])
    return table.sort_by([("post_id", "ascending"), ("image_index", "ascending"), ("stage", "ascending")])
