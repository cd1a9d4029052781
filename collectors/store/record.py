"""The post record: what every collector produces and the crawl store keeps.

A `Post` has what the source says of one post. Its `media` are its images, each with its link and with the
outcome of fetching it. The author's name is never part of a record: `author_hash` is a keyed hash, and the
key stays in the store's folder.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from affectory.core.errors import StoreError
from affectory.core.generated import nowhere

MediaKind = Literal[
    "image",  # a direct link to an image file
    "gallery",  # one item of a Reddit gallery
    "imgur_image",  # an imgur page that shows one image
    "imgur_album",  # an imgur album: several images, known only to imgur's API
    "imgur_gallery",  # an imgur gallery page: an image or an album, known only to imgur's API
    "flickr_photo",  # a photo's file; if it is gone, Flickr's API knows others
    "video",
    "text",
    "link",  # a page that isn't an image
]

MediaStatus = Literal[
    "pending",  # to be fetched
    "stored",  # the store has the file under its sha256
    "gone",  # the source has removed it: a placeholder, 404 or 410
    "not_image",  # a video, a text, a page: never fetched
    "failed",  # see `reason`; `retry` says whether a rerun tries it again
    "refused",  # the host or the author asks not to use it for AI: see `Outcome.refused_by`
]


@dataclass(frozen=True, slots=True)
class Media:
    """One image of a post, or the link that the post has instead.

    `url` is the direct address to fetch, `fallback_url` a second address of the same picture (Reddit's
    preview), used if the first is gone. `position` counts from 0 in the order of the post. `width` and
    `height` are in pixels, `bytes` is the file's size.
    """

    url: str
    position: int
    kind: MediaKind
    status: MediaStatus = "pending"
    reason: str | None = None
    fallback_url: str | None = None
    detail: str | None = None
    retry: bool = False
    sha256: str | None = None
    mime: str | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """One post of a source.

    `post_id` is "<source>:<the source's own id>" ("reddit:3svmej", "flickr:53509656752");
    `created_at` and `collected_at` are Unix times in seconds (UTC); `taken` is when a photo was taken,
    by its camera's clock ("2012-08-06 15:04:02", "2012-08" or "2012"); `votes` maps a label to the
    number of annotators that chose it; `removed` is the source's reason why the post is no longer public
    ("moderator", "deleted", …), or None. `label` is the source's own label, if it has one; `labels` are
    the post's labels in a multi-label source (None: it wasn't annotated); `split` is the published split,
    if there is one; `generated` is True for a post of the sandbox, whose `permalink` leads nowhere, and
    None for others. `source_label` is the source's word for `label`, where a recipe maps one to the other.
    `observed_from` says whose answer the record is (oauth, archive, dump, index), and `observed_at` when that
    one looked at the post, a Unix time, or None if it doesn't say: an archive's copy can be years older than
    `collected_at`. The store never replaces a record by one that was observed earlier.

    Of a removed post the store keeps only a `tombstone`.
    """

    post_id: str
    source: str
    community: str
    title: str
    body: str = ""
    author: str | None = None
    created_at: int | None = None
    taken: str | None = None
    score: int | None = None
    num_comments: int | None = None
    votes: Mapping[str, int] = field(default_factory=dict)
    votes_total: int | None = None
    label: str | None = None
    source_label: str | None = None
    labels: tuple[str, ...] | None = None
    split: str | None = None
    tags: tuple[str, ...] = ()
    permalink: str | None = None
    licence: str | None = None
    licence_url: str | None = None
    over_18: bool | None = None
    removed: str | None = None
    generated: bool | None = None
    observed_from: str | None = None
    observed_at: int | None = None
    media: tuple[Media, ...] = ()
    collected_at: int | None = None


def tombstone(post: Post) -> Post:
    """Return what the store keeps of a removed post.

    That is its id, its community, the source's reason, when and where the removal was seen, and whether it
    was generated.
    """
    return Post(
        post.post_id,
        post.source,
        post.community,
        title="",
        removed=post.removed,
        generated=post.generated,
        observed_from=post.observed_from,
        observed_at=post.observed_at,
        collected_at=post.collected_at,
    )


def as_generated(post: Post) -> Post:
    """Return a post with the mark of the sandbox's posts, and with a permalink that leads nowhere."""
    return replace(post, generated=True, permalink=nowhere(post.permalink or post.post_id))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of fetching one address.

    `signals` are the signals of consent that came with it, by name: {"x-robots-tag": ["noindex", "noai"]}.
    `refused_by` is the one that asks not to use the image, which is refused or, with --no-honour-robots,
    stored all the same.
    """

    status: MediaStatus
    reason: str | None = None
    detail: str | None = None
    retry: bool = False
    final_url: str | None = None
    signals: Mapping[str, Sequence[str]] = field(default_factory=dict)
    refused_by: str | None = None
    sha256: str | None = None
    mime: str | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why something that a source listed isn't a post: a snake_case reason and the value that caused it."""

    reason: str
    detail: str = ""


def author_hash(name: str, key: bytes) -> str:
    """Return a keyed hash of an author's name: 32 hex digits of HMAC-SHA256.

    The same name gives the same hash within one store, and another one in any other store.
    """
    return hmac.new(key, name.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


def from_json(text: str, kind: type, post_id: str, column: str) -> Any:
    """Return the list or dictionary in a column of a stored post. Raises `StoreError` for anything else."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, kind):
        raise StoreError(
            f"the store's {column} of {post_id} are damaged ({text[:60]!r}): restore the store from a copy, "
            "or collect the post again"
        )
    return found
