"""Read a crawl store into tables of rows, shard by shard, in the order of the post ids.

`plan` takes a snapshot of the store (`collectors.store.snapshot`), from which everything is read. A shard has
a fixed number of posts, so a release depends neither on the number of workers nor on the order of rows in the
store.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from affectory.core.addresses import check_folder
from affectory.core.errors import StoreError, some
from affectory.core.generated import nowhere
from collectors.store import Store, snapshot, values
from collectors.store.snapshot import Snapshot
from curation.filters.removed import OPTED_OUT
from curation.filters.stage import ROWS
from curation.measure import masks, ocr
from curation.measure.cleaning import CLEANING
from curation.measure.masks import masked
from curation.recipe import collecting
from curation.recipe.exclude import opted_out
from curation.recipe.recipe import Recipe
from curation.rows.attribution import attribution, without_title
from curation.rows.votes import labelled

#: The number of posts in a shard, if it has images and if not.
WITH_IMAGES, TEXT_ONLY = 500, 25_000
#: If the text in images is read, which takes about a second each.
READ_IMAGES = 50


class EmptyStore(StoreError):
    """The store has no posts of the recipe's communities."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The posts from one id to another, both inclusive, and how many they are."""

    number: int
    first: str
    last: str
    posts: int


def open_store(recipe: Recipe, folder: Path | None, *, write: bool = True) -> Store:
    """Open the store that a build reads (default: the recipe's).

    Raises `AffectoryError`; if there is no store, it names the command that makes one.
    """
    folder = folder or Path(recipe.source.store)
    check_folder(folder, "a crawl store")
    if folder.exists() and not (folder.is_dir() and not (folder / "crawl.sqlite").exists()):
        return Store.open(folder, create=False, write=write)
    own = Path(recipe.source.store)
    command = collecting.command(recipe.name, own, recipe.communities, local=bool(recipe.source.local))
    where = "" if folder == own else f" --store {shlex.quote(str(folder))}"
    raise StoreError(
        f"there is no crawl store in {str(folder)!r}: collect one first ({command}{where}), "
        "or name another folder with --store"
    )


def plan(store: Store, recipe: Recipe, scratch: Path, excluded: Set[str] = frozenset()) -> list[Shard]:
    """Take the snapshot that a build reads, and divide its posts into shards. Raises `EmptyStore`.

    The snapshot is written to `scratch`, the folder of the build. Posts whose hash is in `excluded` are
    removed posts there.
    """
    masks.require(recipe.text.mask)
    if recipe.text.ocr is not None:
        ocr.require()
    if not snapshot.take(store, recipe.communities, _read_columns(recipe), _MEDIA, scratch):
        raise EmptyStore(
            f"the store {str(store.folder)!r} has no posts of {some(recipe.communities, str)}; it holds "
            f"{some(store.communities(), str) or 'no posts at all'}: collect them first, or name another "
            "--store"
        )
    if excluded:
        with snapshot.opened(scratch) as copied:
            left_out = opted_out(copied.public_ids(), excluded)
        snapshot.leave_out(scratch, sorted(left_out), OPTED_OUT)
    size = TEXT_ONLY if recipe.images.which == "none" else READ_IMAGES if recipe.text.ocr else WITH_IMAGES
    with snapshot.opened(scratch) as copied:
        return [Shard(number, *of) for number, of in enumerate(copied.ranges(size))]


def unasked(store: Store, recipe: Recipe) -> list[str]:
    """Return a note on the store's communities that the recipe's labels leave out.

    If the recipe lists the communities to read, there is no note.
    """
    if recipe.source.communities:
        return []
    counted = store.communities().items()
    others = [f"{name!r} ({n:,})" for name, n in counted if name not in recipe.communities]
    if not others:
        return []
    return [f"the store also holds posts of {some(others, str)}, which the recipe doesn't ask for"]


_POSTS = (
    "post_id", "source", "community", "title", "body", "score", "votes", "votes_total", "label", "permalink",
    "licence", "licence_url", "over_18", "removed", "created_at",
)  # fmt: skip


def _posts_columns(recipe: Recipe) -> tuple[str, ...]:
    """Return the columns of posts that the digest covers. A change in another column changes no release."""
    return (
        *_POSTS,
        *(["labels"] if recipe.multilabel is not None else []),
        *(["source_label"] if recipe.publish.source_label else []),
        *(["split"] if "split" in recipe.rule.columns else []),
    )


def _read_columns(recipe: Recipe) -> tuple[str, ...]:
    return (*_posts_columns(recipe), "generated")


_MEDIA = (
    "post_id", "position", "status", "reason", "url", "sha256", "mime", "width", "height", "frames",
)  # fmt: skip


def read(
    copied: Snapshot, shard: Shard, store: Path, recipe: Recipe, *, every_medium: bool = False
) -> pa.Table:
    """Return a shard's rows, in the order of post id and image.

    With `every_medium` each medium of a post is a row, stored or not; otherwise the recipe decides. Raises
    `StoreError`, which names the folder `store`, if a value is damaged.
    """
    posts = copied.posts(shard.first, shard.last)
    of_posts = copied.media(shard.first, shard.last)
    for one in _damaged(posts, of_posts, recipe):
        raise values.error(store, *one)
    media = _rows_media(of_posts, "every" if every_medium else recipe.images.which)
    rows: list[tuple[Any, ...]] = []
    for post in posts:
        for index, medium in enumerate(media.get(post[0], [_NO_MEDIUM])):
            rows.append((*post, index, *medium))
    return _table(rows, recipe)


def _damaged(
    posts: Sequence[tuple[Any, ...]], media: Sequence[tuple[Any, ...]], recipe: Recipe
) -> Iterator[tuple[str, str, Any]]:
    """Yield the values of rows that their columns can't have, as post, column, value."""
    for kinds, names, rows in (
        (values.POSTS, _read_columns(recipe), posts),
        (values.MEDIA, _MEDIA, media),
    ):
        yield from values.damaged(kinds, dict(zip(names, zip(*rows, strict=True), strict=False)))
    for post_id, _, status, *_, sha256, mime, _, _, _ in media:
        if status == "stored" and (sha256 is None or mime is None):
            yield post_id, "sha256" if sha256 is None else "mime", None


def digest(shard: Shard, scratch: Path, recipe: Recipe) -> str:
    """Return a digest of a shard's input, which doesn't depend on the posts of other communities."""
    sha256 = hashlib.sha256()
    with snapshot.opened(scratch) as copied:
        posts, media = copied.posts(shard.first, shard.last), copied.media(shard.first, shard.last)
    # A thousand rows at a time, because the digests of earlier releases cover the `repr` of such lists.
    for rows in _thousands([row[:-1] for row in posts]):
        sha256.update(repr(rows).encode())
    for rows in _thousands(media):
        sha256.update("".join(map(repr, rows)).encode())
    # Separately, so that a store without generated posts keeps the digest of earlier versions.
    for rows in _thousands([row[:1] for row in posts if row[-1]]):
        sha256.update(repr(rows).encode())
    return sha256.hexdigest()


def _thousands(rows: list[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    return (rows[start : start + 1000] for start in range(0, len(rows), 1000))


_NO_MEDIUM: tuple[Any, ...] = ("none", None, None, None, None, None, None, None)


def _rows_media(media: Sequence[tuple[Any, ...]], which: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return the media that become rows, by post: every one, all stored ones, or one per post."""
    by_post: dict[str, list[tuple[Any, ...]]] = {}
    for post_id, _, *medium in media:
        by_post.setdefault(post_id, []).append(tuple(medium))
    if which == "every":
        return by_post
    for post_id, links in by_post.items():
        stored = [medium for medium in links if medium[0] == "stored"]
        if which == "all" and stored:
            by_post[post_id] = stored
        else:
            # The first stored image; without one, the medium whose status is closest to stored.
            by_post[post_id] = [min(stored or links, key=lambda medium: _NEAREST.get(medium[0], 9))]
    return by_post


_NEAREST = {"stored": 0, "pending": 1, "failed": 2, "refused": 3, "gone": 4, "not_image": 5}


def _table(rows: Sequence[tuple[Any, ...]], recipe: Recipe) -> pa.Table:
    names = [*_read_columns(recipe), "image_index", "media_status"]
    names += ["media_reason", "image_url", "image_sha256", "image_mime", "image_width", "image_height"]
    names += ["image_frames"]
    columns: dict[str, Sequence[Any]] = dict(zip(names, zip(*rows, strict=True), strict=True))
    _lead_nowhere(columns)
    voted = labelled(columns, recipe)
    columns["unmapped"] = _unmapped(columns, voted, recipe)
    columns |= voted
    if "labels" in columns:
        columns["labels"] = [None if said is None else json.loads(said) for said in columns["labels"]]
    _mask(columns, recipe)
    parts = [columns[part] for part in recipe.text.parts]
    whole = parts[0] if len(parts) == 1 else ["\n".join(filter(None, p)) for p in zip(*parts, strict=True)]
    cleaned = map(CLEANING[recipe.text.clean], whole)
    # Again, because parts that are joined or cleaned may have a number that neither had.
    columns["text"] = [masked(text, recipe.text.mask) for text in cleaned]
    columns["over_18"] = [None if value is None else bool(value) for value in columns["over_18"]]
    said = ("source", "post_id", "community", "permalink", "licence", "licence_url")
    columns["attribution"] = [
        "generated: " * bool(mark) + attribution(*one)
        for mark, *one in zip(columns["generated"], *(columns[key] for key in said), strict=True)
    ]
    # The address of a file on disk, local://NAME/PATH, is useless to others.
    columns["image_url"] = [url if url and url.startswith("http") else None for url in columns["image_url"]]
    arrays = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.nulls(len(rows), field.type)
        for field in ROWS
    ]
    return pa.Table.from_arrays(arrays, schema=ROWS)


def _mask(columns: dict[str, Sequence[Any]], recipe: Recipe) -> None:
    """Mask titles and bodies as the recipe says; links then end before the title."""
    if kinds := recipe.text.mask:
        for name in ("title", "body"):
            columns[name] = [text and masked(text, kinds) for text in columns[name]]
        columns["permalink"] = list(map(without_title, columns["permalink"]))


def _lead_nowhere(columns: dict[str, Sequence[Any]]) -> None:
    """Replace the published addresses of generated posts: the real hosts may have something else there."""
    marked = [number for number, mark in enumerate(columns["generated"]) if mark]
    links, images = list(columns["permalink"]), list(columns["image_url"])
    for number in marked:
        if columns["removed"][number] is None:
            links[number] = nowhere(links[number] or columns["post_id"][number])
        images[number] = nowhere(images[number]) if images[number] else None
    columns["permalink"], columns["image_url"] = links, images


def _unmapped(
    columns: dict[str, Sequence[Any]], voted: dict[str, list[Any]], recipe: Recipe
) -> list[str | None]:
    """Return, for each row that the recipe maps to no label, the source's label or the community; else None.

    A row of a table on disk may have no label at all; then None is returned too.
    """
    has_own = recipe.source.local is not None
    of = (voted["label"], voted["left_out"], voted["agreeing"], columns["label"], columns["community"])
    return [
        (own if own is not None or has_own else community)
        if label is None and left_out is None and votes is None
        else None
        for label, left_out, votes, own, community in zip(*of, strict=True)
    ]
