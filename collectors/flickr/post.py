"""From Flickr's data and the lists' to the `Post` of a photo."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser

from collectors.flickr.answers import Photo
from collectors.flickr.licences import licence
from collectors.flickr.listed import CONFLICT, Listed
from collectors.flickr.urls import file_url
from collectors.store.record import Media, Post, author_hash


def post_of(photo: Photo, listed: Listed, key: bytes) -> Post:
    """Return the post of a photo from Flickr's data. `key` hashes the owner's account id."""
    name, address = licence(photo.licence)
    url = listed.url or file_url(photo.server, photo.photo_id, photo.secret)
    medium = Media(url, 0, "flickr_photo")
    if photo.is_video:
        medium = Media(url, 0, "video", "not_image", "video")
    return replace(
        bare(listed),
        title=html.unescape(photo.title).strip(),
        body=plain_text(photo.description),
        author=author_hash(f"flickr:{photo.owner}", key) if photo.owner else None,
        created_at=photo.uploaded,
        taken=photo.taken,
        num_comments=photo.comments,
        tags=photo.tags,
        licence=name,
        licence_url=address,
        over_18=None if photo.safety is None else photo.safety > 0,
        media=(medium,),
    )


def bare(listed: Listed) -> Post:
    """Return the post of a photo from the lists alone."""
    return Post(
        post_id=listed.post_id,
        source="flickr",
        community=listed.community,
        title="",
        votes=listed.votes,
        votes_total=listed.votes_total,
        label=listed.sentiment,
        labels=listed.pairs or None,
        # The usual URL contains the owner's account; this one redirects there.
        permalink=f"https://www.flickr.com/photo.gne?id={listed.photo_id}",
        media=(Media(listed.url, 0, "flickr_photo"),) if listed.url else (),
    )


def gone(listed: Listed, reason: str) -> Post:
    """Return the post of a photo that Flickr no longer shows, without media."""
    return replace(bare(listed), removed=reason, media=())


def listed_anew(post: Post, listed: Listed) -> Post:
    """Return a post of the store with the current data of the lists."""
    if listed.sentiment == CONFLICT:
        return replace(post, removed=CONFLICT)
    return replace(
        post,
        community=listed.community,
        votes=listed.votes,
        votes_total=listed.votes_total,
        label=listed.sentiment,
        labels=listed.pairs or None,
    )


def answered(post: Post) -> bool:
    """Return whether a post of the store has Flickr's data, by its licence, or is gone."""
    return post.licence is not None or post.removed is not None


_BREAKS = ("br", "p", "div", "li")


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BREAKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _BREAKS and tag != "br":  # <br/> is both
            self.parts.append("\n")


def plain_text(markup: str) -> str:
    """Return a description as plain text, with its line breaks and at most one blank line in a row."""
    # 'Our Catalogue Reference:</b> <a href="http://www.nationalarchives.gov.uk/…" rel="nofollow">COAL 80</a>'
    parser = _Text()
    parser.feed(markup)
    parser.close()
    text = re.sub(r"[ \t\r\f\v\xa0]+", " ", "".join(parser.parts))
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" ?\n ?", "\n", text)).strip()
