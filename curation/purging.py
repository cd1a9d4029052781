"""Rewrite a release without the posts that their source has deleted since.

Published posts go; posts that had been dropped keep their row and reason, without title, link and picture.
"""

from __future__ import annotations

import copy
import hashlib
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from affectory.core.errors import AffectoryError
from collectors.store import Store
from curation import card, dropped, duplicates, manifest, parquet, split, versions
from curation.labels import UNLABELLED
from curation.ledger import Ledger, Step
from curation.manifest import Manifest
from curation.parquet import Written
from curation.publish import describe
from curation.report.markup import count
from curation.splits import twins
from curation.workplace import workplace


@dataclass(frozen=True, slots=True)
class Deleted:
    """Posts that their source has deleted: of the release, with the source's word, and of those dropped."""

    published: Mapping[str, str]
    dropped: Set[str]


def purge(
    folder: Path, *, store: Path | None = None, version: str | None = None, remove_earlier: bool = False
) -> str:
    """Write the next patch version of the dataset in `folder`; return what went, in words.

    Raises `AffectoryError` where the dataset isn't built or the store isn't there.
    """
    old = versions.find(folder, version)
    described = manifest.read(old / "manifest.json")
    missing = [file.path for file in described.files if not (old / file.path).is_file()]
    if missing:
        raise AffectoryError(
            f"{str(old / missing[0])!r} is missing: purge the full release, and write its ids again"
        )
    with Store.open(store or Path(described.recipe["source"]["store"]), create=False) as opened:
        removed = dict(opened.db.execute("select post_id, removed from posts where removed is not null"))
    deleted = _deleted(old, described, removed)
    if not deleted.published and not deleted.dropped:
        return (
            f"{described.name} {described.version}: its source has deleted none of its posts; nothing to do"
        )
    major, minor, patch = versions.parse(versions.built(folder)[0])
    new = f"{major}.{minor}.{patch + 1}"
    with workplace(folder) as place:
        _write(old, described, deleted, new, place / "release")
        (place / "release").rename(folder / new)
    earlier = [name for name in versions.built(folder) if name != new]
    if remove_earlier:
        for name in earlier:
            shutil.rmtree(folder / name)
    card.write(folder, folder / "card.md")
    lines = [f"{described.name} {new}: {_words(deleted)}", f"release {folder / new}"]
    if earlier and not remove_earlier:
        held = ", ".join(earlier)
        lines.append(f"note    earlier versions still hold them: {held}; --remove-earlier deletes those")
    return "\n".join(lines)


def _words(deleted: Deleted) -> str:
    counted = sorted(Counter(deleted.published.values()).items(), key=lambda item: (-item[1], item[0]))
    why = ", ".join(f"{n:,} {word}" for word, n in counted)
    told = f"{count(len(deleted.published), 'post')} went" + f" ({why})" * bool(why)
    if deleted.dropped:
        told += f"; of {count(len(deleted.dropped), 'dropped post')}, title, link and picture went"
    return told


def _deleted(old: Path, described: Manifest, removed: Mapping[str, str]) -> Deleted:
    """Return which of the release's posts are removed, and which of its dropped posts that still show."""
    published = set(_ids(old, described)["post_id"].to_pylist())
    lost = pq.read_table(old / _dropped_file(described).path)
    shown = set(lost.filter(dropped.shows_own(lost))["post_id"].to_pylist())
    return Deleted(
        {post_id: word for post_id, word in removed.items() if post_id in published},
        {post_id for post_id in removed if post_id in shown},
    )


def _ids(old: Path, described: Manifest) -> pa.Table:
    """Return each published row's `post_id`, `duplicate_group` and split (by number)."""
    tables = []
    for file in described.files:
        if file.path.startswith("ids-"):
            table = pq.read_table(old / file.path, columns=["post_id", "duplicate_group"])
            number = split.NAMES.index(file.split)
            tables.append(table.append_column("split", pa.array([number] * len(table), pa.int8())))
    return pa.concat_tables(tables)


def _dropped_file(described: Manifest) -> Written:
    return next(file for file in described.files if file.split == "dropped")


def _write(old: Path, described: Manifest, deleted: Deleted, version: str, out: Path) -> None:
    """Write the release without the posts that are deleted."""
    ids = _without(_ids(old, described), deleted)
    if not len(ids):
        raise AffectoryError(
            f"all posts of {described.name} {described.version} are deleted at their source: nothing is left "
            f"to release; remove {str(old.parent)!r}"
        )
    groups = _groups(ids)
    files, lost = [], []
    for file in described.files:
        if file.split != "dropped":
            table = pq.read_table(old / file.path)
            files += _rewritten(_regrouped(_without(table, deleted), groups), file, out)
            if not file.path.startswith("ids-"):
                lost.append((file.split, table.filter(_among(table, deleted.published))))
    files.append(dropped.write_table(_with_lost(old, described, lost, deleted), out))
    describe(
        replace(
            described,
            version=version,
            files=files,
            **_counts(described, lost),
            **_duplicates(ids, groups),
            ledger=_ledger(described.ledger, sum(len(table) for _, table in lost)),
            input_digest=_digest(described, deleted),
            notes=[*described.notes, f"since version {described.version}: {_words(deleted)}"],
        ),
        out,
    )


def _among(table: pa.Table, posts: Mapping[str, str] | Set[str]) -> pa.ChunkedArray:
    return pc.is_in(table["post_id"], pa.array(sorted(posts), pa.string()))


def _without(table: pa.Table, deleted: Deleted) -> pa.Table:
    return table.filter(pc.invert(_among(table, deleted.published)))


def _groups(ids: pa.Table) -> dict[str, str | None]:
    """Return what each duplicate group is named now: its smallest post id, or None of a row left alone."""
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
    """Count the groups and the twins of the rows that stay."""
    labels = duplicates.from_names(_regrouped(ids, groups)["duplicate_group"].to_pylist())
    found = twins(np.asarray(ids["split"]), ids["post_id"], labels)
    return {
        "duplicates": duplicates.counts(labels),
        "twins": {"test": found.test, "validation": found.validation},
    }


def _rewritten(table: pa.Table, file: Written, out: Path) -> list[Written]:
    """Write a file's rows that stay, if there are any."""
    if not len(table):
        return []
    stem = file.path.rsplit("-", 1)[0]
    temporary = out / f"{stem}.tmp"
    parquet.write_table(table, temporary)
    return [parquet.name_by_digest(temporary, stem, file.split, len(table))]


def _counts(described: Manifest, lost: Sequence[tuple[str, pa.Table]]) -> dict[str, Any]:
    """Take the rows that went from the counts."""
    multilabel = copy.deepcopy(dict(described.multilabel))
    counts = {name: dict(by_label) for name, by_label in described.counts.items()}
    for name, away in lost:
        for number in away["label"].to_pylist():
            counts[name][UNLABELLED if number is None else described.classes[number]] -= 1
        if multilabel:
            for holds in away["labels"].to_pylist():
                for number in holds or ():
                    multilabel["counts"][name][multilabel["names"][number]] -= 1
    return {"counts": counts, "multilabel": multilabel}


def _ledger(book: Ledger, rows: int) -> Ledger:
    """Enter the rows that went, beside those of earlier purges."""
    before = sum(step.rows for step in book.steps if step.stage == "purge")
    steps = tuple(step for step in book.steps if step.stage != "purge")
    if before + rows:
        steps += (Step("purge", dropped.REMOVED, before + rows),)
    book = replace(book, steps=steps, kept=book.kept - rows)
    book.check()
    return book


def _digest(described: Manifest, deleted: Deleted) -> str:
    names = "\n".join(sorted({*deleted.published, *deleted.dropped}))
    return hashlib.sha256(f"{described.input_digest}\n{names}".encode()).hexdigest()


def _with_lost(
    old: Path, described: Manifest, lost: Sequence[tuple[str, pa.Table]], deleted: Deleted
) -> pa.Table:
    """Return the dropped rows with the purged ones among them: their ids and the source's word, no more."""
    before = pq.read_table(old / _dropped_file(described).path)
    before = dropped.without_own(before, _among(before, deleted.dropped))
    rows = [
        {
            "post_id": row["post_id"],
            "image_index": row["image_index"],
            "community": row["community"],
            "label": None if row["label"] is None else described.classes[row["label"]],
            "stage": "purge",
            "reason": dropped.REMOVED,
            "detail": deleted.published[row["post_id"]],
        }
        for _, table in lost
        for row in table.select(["post_id", "image_index", "community", "label"]).to_pylist()
    ]
    table = pa.concat_tables([before, pa.Table.from_pylist(rows, schema=before.schema)])
    return table.sort_by([("post_id", "ascending"), ("image_index", "ascending"), ("stage", "ascending")])
