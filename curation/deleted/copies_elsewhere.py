"""Copies of deleted posts that a purge doesn't touch, each with the command that removes it.

The `datasets` library copies what it loads to `CACHE/NAME/VERSION/…/*.arrow`, where CACHE is
HF_DATASETS_CACHE, HF_HOME/datasets or ~/.cache/huggingface/datasets.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from affectory.core import mirrors
from collectors.store.lookup import keeps_public, stores
from curation import exports
from curation.audit import made
from curation.manifest import manifest
from curation.release import held, versions


def library_cache() -> Path:
    """Return the folder in which the `datasets` library caches what it has loaded."""
    if found := os.environ.get("HF_DATASETS_CACHE"):
        return Path(found)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("HF_HOME") or Path(home, "huggingface")) / "datasets"


def cached(cache: Path, name: str, posts: Collection[str]) -> list[Path]:
    """Return the folders of the `datasets` library's cache that contain one of these posts, one a version."""
    return sorted(
        {
            cache / name / path.relative_to(cache / name).parts[0]
            for path in (cache / name).rglob("*.arrow")
            if _holds(path, posts)
        }
    )


def _holds(path: Path, posts: Collection[str]) -> bool:
    wanted = pa.array(sorted(posts), pa.string())
    try:
        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as batches:
            return any(pc.any(pc.is_in(batch["post_id"], wanted)).as_py() for batch in batches)
    except (OSError, pa.ArrowInvalid, KeyError):  # unfinished, or of another dataset with this name
        return False


def commands(folder: Path, store: Path, posts: Collection[str]) -> list[tuple[str, str]]:
    """Return a description of each copy, with the command that removes it."""
    found = [
        ("cache of the datasets library", f"rm -r {shlex.quote(str(path))}")
        for path in cached(library_cache(), folder.name, posts)
    ]
    found += _exports(folder, posts)
    found += ((f"audit {path}", f"rm -r {shlex.quote(str(path))}") for path in made.showing(posts))
    found += [] if mirrors.is_copy(folder) else _beside(folder, store, posts)
    found += _copies(folder, posts)
    for other in stores(store.resolve().parent):
        if other.resolve() != store.resolve() and keeps_public(other, posts):
            found.append((f"crawl store {other}", f"collect it again, or rm -r {shlex.quote(str(other))}"))
    return found


def _exports(folder: Path, posts: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the exports of versions that publish one of the posts, or that aren't there any more."""
    for path, version in exports.of(folder.name):
        is_there = (folder / version / "manifest.json").is_file()
        if not is_there or set(held.contents(folder / version).published["post_id"].to_pylist()) & set(posts):
            yield f"export {path}", f"rm -r {shlex.quote(str(path))}"


def _copies(folder: Path, posts: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the local copies of other datasets at an address that show one of the posts."""
    for other in mirrors.datasets():
        there = versions.built(other)
        is_other = other.resolve() != folder.resolve()
        if is_other and any(held.contents(other / version).posts & set(posts) for version in there):
            yield f"local copy of {mirrors.shown(str(other))}", f"rm -r {shlex.quote(str(other.absolute()))}"


def _beside(folder: Path, store: Path, posts: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the other datasets beside this one that show one of the posts: NAME-ids, NAME-full, …"""
    for other in sorted(path for path in folder.parent.glob("*") if path.is_dir()):
        there = versions.built(other)
        if other.resolve() == folder.resolve() or not any(
            held.contents(other / version).posts & set(posts) for version in there
        ):
            continue
        newest = manifest.read(other / there[0] / "manifest.json")
        if all((other / there[0] / file.path).is_file() for file in newest.files):
            given = [other.name, "--remove-earlier", "--datasets", str(folder.parent), "--store", str(store)]
            yield f"dataset {other}", f"affectory purge {shlex.join(given)}"
        else:
            made = f"affectory ids {shlex.quote(str(folder))}"
            again = f" && {made}" if other == versions.beside(folder, "-ids") else ""
            yield f"ids in {other}", f"rm -r {shlex.quote(str(other))}{again}"
