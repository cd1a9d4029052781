"""Rewrite a release without the posts that their source has deleted since."""

from __future__ import annotations

import copy
import hashlib
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from collectors.store import Store
from curation import card, manifest, parquet, versions
from curation.labels import UNLABELLED
from curation.ledger import Step
from curation.manifest import Manifest
from curation.parquet import Written
from curation.publish import describe
from curation.recipe import load
from curation.release import workplace


def purge(
    folder: Path, *, store: Path | None = None, version: str | None = None, remove_earlier: bool = False
) -> str:
    """Write the next patch version of the dataset in `folder`; return what went, in words.

    Raises `AffectoryError` where the dataset isn't built or the store isn't there.
    """
    old = versions.find(folder, version)
    described, recipe = manifest.read(old / "manifest.json"), load(folder / "recipe.toml")
    with Store.open(store or Path(recipe.source.store), create=False) as opened:
        removed = dict(opened.db.execute("select post_id, removed from posts where removed is not null"))
    published = {
        post_id
        for file in described.files
        if file.path.startswith("ids-")
        for post_id in pq.read_table(old / file.path, columns=["post_id"])["post_id"].to_pylist()
    }
    gone = {post_id: word for post_id, word in removed.items() if post_id in published}
    if not gone:
        return f"{recipe.name} {described.version}: its source has deleted none of its posts; nothing to do"
    major, minor, patch = versions.parse(versions.built(folder)[0])
    new = f"{major}.{minor}.{patch + 1}"
    with workplace(folder) as place:
        _write(old, described, gone, new, place / "release")
        (place / "release").rename(folder / new)
    earlier = [name for name in versions.built(folder) if name != new]
    if remove_earlier:
        for name in earlier:
            shutil.rmtree(folder / name)
    card.write(folder, recipe, folder / "card.md")
    counted = sorted(Counter(gone.values()).items(), key=lambda item: (-item[1], item[0]))
    words = ", ".join(f"{n:,} {word}" for word, n in counted)
    lines = [f"{recipe.name} {new}: {len(gone):,} posts went ({words})", f"release {folder / new}"]
    if earlier and not remove_earlier:
        held = ", ".join(earlier)
        lines.append(f"note    earlier versions still hold them: {held}; --remove-earlier deletes those")
    return "\n".join(lines)


def _write(old: Path, described: Manifest, gone: Mapping[str, str], version: str, out: Path) -> None:
    """Write the release without the posts that are gone."""
    files, lost = [], []
    multilabel = copy.deepcopy(dict(described.multilabel))
    counts = {split: dict(by_label) for split, by_label in described.counts.items()}
    for file in described.files:
        if file.split == "dropped":
            continue
        kept, away = _filtered(old / file.path, gone)
        files.append(_rewritten(kept, file, out))
        if not file.path.startswith("ids-"):
            lost.append(away)
            for number in away["label"].to_pylist():
                counts[file.split][UNLABELLED if number is None else described.classes[number]] -= 1
            if multilabel:
                for holds in away["labels"].to_pylist():
                    for number in holds or ():
                        multilabel["counts"][file.split][multilabel["names"][number]] -= 1
    dropped = next(file for file in described.files if file.split == "dropped")
    files.append(_with_lost(old / dropped.path, lost, gone, described, out))
    rows = sum(len(table) for table in lost)
    book = described.ledger
    steps = (*book.steps, Step("purge", "removed_by_source", rows))
    book = replace(book, steps=steps, kept=book.kept - rows)
    book.check()
    names = "\n".join(sorted(gone))
    digest = hashlib.sha256(f"{described.input_digest}\n{names}".encode()).hexdigest()
    note = f"{len(gone):,} posts that their source has deleted since went from version {described.version}"
    describe(
        replace(
            described,
            version=version,
            files=files,
            counts=counts,
            multilabel=multilabel,
            ledger=book,
            input_digest=digest,
            notes=[*described.notes, note],
        ),
        out,
    )


def _filtered(path: Path, gone: Mapping[str, str]) -> tuple[pa.Table, pa.Table]:
    table = pq.read_table(path)
    away = pc.is_in(table["post_id"], pa.array(sorted(gone), pa.string()))
    return table.filter(pc.invert(away)), table.filter(away)


def _rewritten(table: pa.Table, file: Written, out: Path) -> Written:
    stem = file.path.rsplit("-", 1)[0]
    temporary = out / f"{stem}.tmp"
    parquet.write_table(table, temporary)
    return parquet.name_by_digest(temporary, stem, file.split, len(table))


def _with_lost(
    path: Path, lost: Sequence[pa.Table], gone: Mapping[str, str], described: Manifest, out: Path
) -> Written:
    """Return the dropped rows with the purged ones among them: their ids and the source's word, no more."""
    before = pq.read_table(path)
    rows = [
        {
            "post_id": row["post_id"],
            "image_index": row["image_index"],
            "community": row["community"],
            "label": None if row["label"] is None else described.classes[row["label"]],
            "stage": "purge",
            "reason": "removed_by_source",
            "detail": gone[row["post_id"]],
        }
        for table in lost
        for row in table.select(["post_id", "image_index", "community", "label"]).to_pylist()
    ]
    kept = before.filter(pc.invert(pc.is_in(before["post_id"], pa.array(sorted(gone), pa.string()))))
    table = pa.concat_tables([kept, pa.Table.from_pylist(rows, schema=before.schema)])
    table = table.sort_by([("post_id", "ascending"), ("image_index", "ascending"), ("stage", "ascending")])
    temporary = out / "dropped.tmp"
    pq.write_table(table, temporary, compression="zstd", row_group_size=10_000)
    return parquet.name_by_digest(temporary, "dropped", "dropped", len(table))
