"""The posts in each version of a dataset, and which of them their source has deleted or have opted out."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from affectory.core.parquet_files import read_rows, readable
from collectors.store import Store
from curation.filters.removed import CONFLICT, OPTED_OUT
from curation.manifest import manifest
from curation.recipe.exclude import beside, opted_out
from curation.release import dropped, versions

_COLUMNS = ["post_id", "image_sha256"]
_ROWS = pa.schema([(name, pa.string()) for name in _COLUMNS])


@dataclass(frozen=True, slots=True)
class Contents:
    """The posts in a version. `published` and `shown` have the columns post_id and image_sha256."""

    version: str
    published: pa.Table
    shown: pa.Table  # dropped rows that still show their post: all but tombstones
    tombstones: Mapping[str, str]  # post id -> the source's reason
    details: Set[str]  # of dropped rows, as "of reddit:3svmej"

    @property
    def posts(self) -> set[str]:
        """The posts in the version, published or dropped, except tombstones."""
        return {*self.published["post_id"].to_pylist(), *self.shown["post_id"].to_pylist()}

    def images(self, *, but_of: Collection[str]) -> set[str]:
        """Return the digests of the images, as collected, of all posts but these."""
        rows = pa.concat_tables([self.published, self.shown])
        theirs = pc.is_in(rows["post_id"], pa.array(sorted(but_of), pa.string()))
        return set(rows.filter(pc.invert(theirs))["image_sha256"].drop_null().to_pylist())

    def names(self, posts: Collection[str]) -> bool:
        """Return whether a dropped row names one of these posts as the one that it is a duplicate of."""
        return any(f"of {post_id}" in self.details for post_id in posts)


def contents(folder: Path) -> Contents:
    """Read the posts of the version in `folder`, from those of its files that exist."""
    described = manifest.read(folder / "manifest.json")
    rows = [
        read_rows(folder / file.path, columns=_COLUMNS).replace_schema_metadata()
        for file in described.tables()
        if (folder / file.path).is_file()
    ]
    published = pa.concat_tables([_ROWS.empty_table(), *rows])
    paths = [folder / file.path for file in described.files if file.split == "dropped"]
    lost = [read_rows(path) for path in paths if path.is_file()]
    if not lost:
        return Contents(described.version, published, _ROWS.empty_table(), {}, frozenset())
    alone = dropped.tombstones(lost[0])
    left = lost[0].filter(alone)
    return Contents(
        described.version,
        published,
        lost[0].filter(pc.invert(alone)).select(_COLUMNS).replace_schema_metadata(),
        dict(zip(left["post_id"].to_pylist(), left["detail"].to_pylist(), strict=True)),
        frozenset(lost[0]["detail"].drop_null().unique().to_pylist()),
    )


def image_rows(folder: Path, posts: Collection[str]) -> Iterator[pa.Table]:
    """Yield the rows of these posts' images that the version in `folder` publishes, by row group."""
    wanted = pa.array(sorted(posts), pa.string())
    for file in manifest.read(folder / "manifest.json").tables(ids=False):
        if not (folder / file.path).is_file():
            continue
        with readable(folder / file.path), pq.ParquetFile(folder / file.path) as opened:
            for group in range(opened.num_row_groups):
                mine = pc.is_in(opened.read_row_group(group, ["post_id"])["post_id"], wanted)
                if pc.any(mine).as_py():
                    yield opened.read_row_group(group, ["image_sha256", "image"]).filter(mine)


def texts(folder: Path, posts: Collection[str], *, but_of: bool = False) -> set[str]:
    """Return the texts of these posts, or of all others, that the version in `folder` publishes."""
    wanted = pa.array(sorted(posts), pa.string())
    found: set[str] = set()
    for file in manifest.read(folder / "manifest.json").tables(ids=False):
        path = folder / file.path
        if not path.is_file():
            continue
        with readable(path):
            published = "text" in pq.read_schema(path).names
        if published:
            rows = read_rows(path, columns=["post_id", "text"])
            mine = pc.is_in(rows["post_id"], wanted)
            rows = rows.filter(pc.invert(mine) if but_of else mine)
            found |= {text for text in rows["text"].to_pylist() if text}
    return found


def cached_as(rows: pa.Table) -> set[str]:
    """Return the digests under which features of these rows' images may be cached.

    Features are cached by the bytes as published, which a recipe may have re-encoded.
    """
    found = set(rows["image_sha256"].drop_null().to_pylist())
    images = rows["image"].to_pylist() if "image" in rows.column_names else []
    return found | {hashlib.sha256(one["bytes"]).hexdigest() for one in images if one and one["bytes"]}


def of_versions(folder: Path) -> list[Contents]:
    """Return the contents of the versions of a dataset, the newest first."""
    return [contents(folder / version) for version in versions.built(folder)]


def deleted(store: Store, there: Sequence[Contents], excluded: Set[str]) -> dict[str, str]:
    """Return the posts that their source has deleted, each with the source's reason, and those opted out.

    Deleted posts are read from the crawl store, and for posts that it doesn't have, from the versions'
    tombstones. Opted out are the posts of the versions whose hash is in `excluded`.
    """
    left = {post_id: word for one in reversed(there) for post_id, word in one.tombstones.items()}
    for post_id in store.known(left):
        del left[post_id]
    named = {post_id for one in there for post_id in one.posts | one.tombstones.keys()}
    words = dict.fromkeys(opted_out(named, excluded), OPTED_OUT) | left | store.removed()
    return {post_id: word for post_id, word in words.items() if word != CONFLICT}


def outdated(folder: Path) -> list[str]:
    """Return the earlier versions that contain posts of which another version has a tombstone only.

    A post in the newest version is public again, even if an earlier purge has removed it.
    """
    if len(versions.built(folder)) < 2:
        return []
    there = of_versions(folder)
    gone = {post_id for one in there for post_id in one.tombstones} - there[0].posts
    return [one.version for one in there[1:] if one.posts & gone]


def opted_out_since(folder: Path, version: str) -> int:
    """Return how many posts of a version are on the dataset's opt-out list, which has grown since."""
    hashes = beside(folder)
    if not hashes:
        return 0
    described = manifest.read(folder / version / "manifest.json")
    there = [path for file in described.tables() if (path := folder / version / file.path).is_file()]
    named = {one for path in there for one in read_rows(path, columns=["post_id"])["post_id"].to_pylist()}
    return len(opted_out(named, hashes))
