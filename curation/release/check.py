"""Checks of a release: digests of files and images, counts of rows, the ledger, the card's list of files.

Nothing is changed. A release that holds the ids only is checked for what it holds.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from affectory.core import mirrors
from affectory.core.errors import ReleaseError
from affectory.core.progress import Steps
from curation.manifest import manifest
from curation.manifest.manifest import REBUILT, SINCE, UNLABELLED, Manifest, Written
from curation.release import versions
from curation.release.published import REDUCED

#: Files of a full release that the manifest doesn't list.
_OTHERS = ("croissant.json", "report.html")

#: A kind of fault, and what is wrong: a file, a row, two numbers.
Fault = tuple[str, str]


@dataclass(slots=True)
class ReleaseCheck:
    """What a check of one version found.

    `made_by` is the command that made it (build, purge or hydrate), `store` the recipe's crawl store, and
    `damaged` are the files whose content is wrong.
    """

    name: str
    version: str
    rows: int = 0
    images: int = 0
    files: int = 0
    ids_only: bool = False
    made_by: str = "build"
    store: str = ""
    faults: list[Fault] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)


def check(folder: Path) -> ReleaseCheck:
    """Check the version of a dataset in `folder`."""
    found = ReleaseCheck(folder.parent.name, folder.name)
    try:
        described = manifest.read(folder / "manifest.json")
    except ReleaseError as error:
        found.faults.append(("damaged_manifest", str(error)))
        found.damaged.append(folder / "manifest.json")
        return found
    found.name, found.version = described.name, described.version
    if any(note.startswith(SINCE) for note in described.notes):
        found.made_by = "purge"
    elif any(note.startswith(REBUILT) for note in described.notes):
        found.made_by = "hydrate"
    found.store = str((described.recipe.get("source") or {}).get("store") or "")
    found.ids_only = _is_ids_only(folder, described)
    files = described.tables(ids=True) if found.ids_only else list(described.files)
    found.faults += _ledger(described)
    with Steps("checking", len(files), "files") as steps:
        tables: list[Written] = []
        for file in files:
            if fault := _file(folder / file.path, file):
                found.faults.append((fault, f"{folder.name}/{file.path}"))
                found.damaged += [folder / file.path] if fault != "missing_file" else []
            elif file.path.endswith(".parquet"):
                tables.append(file)
            steps.advance()
    found.files = len(files)
    for file in tables:
        found.faults += _rows(folder, file, described, found)
    if not found.damaged and len(tables) == len(files):  # else the counts differ because of them
        found.faults += _counts(folder, tables, described)
    found.faults += _listing(folder, described, ids_only=found.ids_only)
    return found


def card_faults(folder: Path) -> Iterator[Fault]:
    """Yield where the files in a dataset's card differ from those of its versions."""
    card = folder / "README.md"
    if not card.is_file():
        yield "missing_card", str(card)
        return
    front = card.read_text(encoding="utf-8", errors="replace").split("\n---\n")[0]
    # With quotes in cards of format 1 and 2.
    listed = set(re.findall(r'^ +- "?([^"\n]+\.parquet)"?$', front, re.MULTILINE))
    for path in sorted(listed):
        if mirrors.size(folder / path) is None:
            yield "card_lists_missing_file", path
    there = versions.built(folder)
    for version in there:
        try:
            tables = manifest.read(folder / version / "manifest.json").tables(
                ids=None if version == there[0] else False
            )
        except ReleaseError:
            continue  # reported by `check`
        for file in tables:
            is_there = mirrors.size(folder / version / file.path) is not None
            if is_there and f"{version}/{file.path}" not in listed:
                yield "card_lacks_file", f"{version}/{file.path}"


def _is_ids_only(folder: Path, described: Manifest) -> bool:
    full = [file for file in described.files if not file.ids]
    return bool(described.tables(ids=True)) and not any((folder / file.path).exists() for file in full)


def _file(path: Path, file: Written) -> str:
    """Return what is wrong with a file's bytes; "" if nothing is."""
    try:
        if path.stat().st_size != file.bytes:
            return "wrong_size"
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except FileNotFoundError:
        return "missing_file"
    except OSError:
        return "unreadable_file"
    return "" if digest == file.sha256 else "wrong_digest"


def _ledger(described: Manifest) -> Iterator[Fault]:
    """Yield the sums that don't add up in the manifest itself."""
    found, kept = described.ledger, sum(sum(one.values()) for one in described.counts.values())
    if found.collected != found.kept + found.dropped:
        yield (
            "ledger",
            f"{found.collected:,} collected are not {found.kept:,} kept and {found.dropped:,} dropped",
        )
    if kept != found.kept:
        yield "ledger", f"{found.kept:,} kept are not the {kept:,} rows of the splits"
    if counted := described.attrition:
        for name, parts in (("class", counted.classes), ("host", counted.hosts), ("year", counted.years)):
            sums = sum(part.collected for part in parts), sum(part.kept for part in parts)
            if parts and sums != (found.collected, found.kept):
                yield (
                    "ledger",
                    f"{sums[0]:,} collected and {sums[1]:,} kept by {name} are not those of the ledger",
                )


def _rows(folder: Path, file: Written, described: Manifest, found: ReleaseCheck) -> Iterator[Fault]:
    """Yield what is wrong in a Parquet file, and count its rows and images."""
    name = f"{folder.name}/{file.path}"
    try:
        with pq.ParquetFile(folder / file.path) as opened:
            if (rows := opened.metadata.num_rows) != file.rows:
                yield "wrong_rows", f"{name} has {rows:,} rows instead of {file.rows:,}"
            if file.split not in described.counts or file.ids:
                return
            found.rows += rows
            if not described.pictured or "image" not in opened.schema_arrow.names:
                return
            encoded = (described.recipe.get("images") or {}).get("format") == "jpeg"
            for group in range(opened.num_row_groups):
                table = opened.read_row_group(group, ["post_id", "image_sha256", "image"])
                found.images += len(table) - table["image"].null_count
                yield from _images(table, name, encoded=encoded)
    except (OSError, pa.ArrowException) as error:
        found.damaged.append(folder / file.path)
        yield "unreadable_file", f"{name}: {' '.join(str(error).split())[:200]}"


def _images(table: pa.Table, name: str, *, encoded: bool) -> Iterator[Fault]:
    """Yield the rows whose image isn't the one of its digest.

    The digest of one that was `encoded` for the release, or that lacks metadata, is of other bytes.
    """
    for row in table.to_pylist():
        data = row["image"]["bytes"] if row["image"] else None
        if (data is None) != (row["image_sha256"] is None):
            yield "missing_image", f"{row['post_id']} in {name}"
            continue
        if data is None or encoded or (row["image"]["path"] or "").endswith(REDUCED):
            continue
        if hashlib.sha256(data).hexdigest() != row["image_sha256"]:
            yield "wrong_image_digest", f"{row['post_id']} in {name}"


def _counts(folder: Path, tables: Sequence[Written], described: Manifest) -> Iterator[Fault]:
    """Yield the counts of the manifest that its files contradict."""
    several = described.multilabel
    for ids in (False, True):
        mine = [file for file in tables if file.split in described.counts and file.ids == ids]
        for split, stated in described.counts.items() if mine else ():
            paths = [folder / file.path for file in mine if file.split == split]
            one = _label_counts(paths, "label", described.classes)
            yield from _differences(f"{split}{' (ids)' * ids}", stated, one)
            if several.names:
                found = _label_counts(paths, "labels", several.names)
                yield from _differences(f"{split}{' (ids)' * ids}", several.counts.get(split, {}), found)
    for file in (one for one in tables if one.split == "dropped"):
        dropped = pq.read_table(folder / file.path, columns=["stage", "reason"])
        pairs = zip(dropped["stage"].to_pylist(), dropped["reason"].to_pylist(), strict=True)
        found = Counter(f"{stage} {reason}" for stage, reason in pairs)
        steps = {f"{step.stage} {step.reason}": step.rows for step in described.ledger.steps}
        yield from _differences("dropped", steps, found)
    yield from _same_ids(folder, tables, described)


def _label_counts(paths: Sequence[Path], column: str, names: Sequence[str]) -> Counter[str]:
    """Return how many rows of these files have each label; `column` holds numbers, or lists of them."""
    found: Counter[str] = Counter()
    for path in paths:
        values = pq.read_table(path, columns=[column])[column]
        if pa.types.is_list(values.type):
            values = pc.list_flatten(values)
        for number, rows in Counter(values.to_pylist()).items():
            known = number is not None and 0 <= number < len(names)
            found[names[number] if known else UNLABELLED if number is None else f"class {number}"] += rows
    return found


def _differences(where: str, stated: Mapping[str, int], found: Mapping[str, int]) -> Iterator[Fault]:
    for name in sorted({*stated, *found}):
        if (rows := found.get(name, 0)) != (said := stated.get(name, 0)):
            yield "wrong_count", f"{where} {name}: {rows:,} rows, not {said:,}"


def _same_ids(folder: Path, tables: Sequence[Written], described: Manifest) -> Iterator[Fault]:
    """Yield the splits whose ids aren't those of the full rows, in their order."""
    for split in described.counts:
        columns = []
        for ids in (False, True):
            mine = [file.path for file in tables if file.split == split and file.ids == ids]
            parts = [pq.read_table(folder / path, columns=["post_id"])["post_id"] for path in mine]
            columns.append(pa.chunked_array([c for part in parts for c in part.chunks], pa.string()))
        full, listed = columns
        if (
            len(full)
            and len(listed)
            and not (len(full) == len(listed) and pc.all(pc.equal(full, listed)).as_py())
        ):
            yield "ids_differ", f"{described.version}: the ids of {split} are not those of its rows"


def _listing(folder: Path, described: Manifest, *, ids_only: bool) -> Iterator[Fault]:
    """Yield the files that are missing beside those of the manifest, and those that it doesn't list."""
    for name in () if ids_only else _OTHERS:
        if not (folder / name).is_file():
            yield "missing_file", f"{folder.name}/{name}"
    known = {"manifest.json", *_OTHERS, *(file.path for file in described.files)}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (name := path.relative_to(folder).as_posix()) not in known:
            yield "unlisted_file", f"{folder.name}/{name}"
