"""Tell from the path of an imgur link what it shows, without a request.

    /aBc1234.jpg             the file itself              image
    /aBc1234.gifv            a page around a GIF          image (the GIF)
    /aBc1234.mp4             the same GIF as a video      video
    /aBc1234                 a page with one image        imgur_image
    /aBc1234,dEf5678         a page with several          imgur_image, twice
    /r/aww/aBc1234           a page, seen from a listing  imgur_image
    /a/aBc12                 an album                     imgur_album
    /gallery/a-title-aBc12   an image or an album         imgur_gallery
    /t/topic/aBc1234         the same                     imgur_gallery

An image and an album may have the same id. The images of an `imgur_album` or `imgur_gallery` are known to
imgur's API only (`albums.py`).
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from collectors.store.record import MediaKind

# imgur's own pages and files: imgur.com, m.imgur.com, i.imgur.io, 0.imgur.com. `i.stack.imgur.com` belongs to
# Stack Overflow.
_HOST = re.compile(r"(?:(?:www|m|i|[0-9])\.)?imgur\.(?:com|io)")

# "aBc1234.jpg", "aBc1234_d.webp" (the thumbnail on a page), and a link copied with a bracket: "aBc1234.jpg)"
_FILE = re.compile(r"([A-Za-z0-9]+)(?:_d)?\.(jpeg|jpg|png|webp|gifv|gif|bmp|mp4|webm)(?![A-Za-z0-9])", re.I)
_ID = re.compile(r"[A-Za-z0-9]{4,10}")
_TRAILING_JUNK = " ).,;:!&'\"]>*"
# Pages of imgur itself that would read as an id.
# fmt: off
_OWN_PAGES = frozenset({
    "about", "account", "apps", "arcade", "beta", "blog", "emerald", "gallery", "help", "jobs", "memegen",
    "privacy", "random", "register", "rules", "search", "signin", "topic", "upload", "user", "vidgif",
})
# fmt: on


def is_imgur(host: str) -> bool:
    """Return whether a host has imgur's pages or files."""
    return _HOST.fullmatch(host) is not None


class ImgurTarget(NamedTuple):
    """Something that an imgur link shows: its direct address, its kind, and for an album its page."""

    url: str
    kind: MediaKind
    page: str | None = None


def imgur_targets(path: str) -> list[ImgurTarget]:
    """Return what the path of an imgur link shows, in order; [] for a user, a search or the home page."""
    segments = [part for part in unquote(path, errors="replace").split("/") if part]
    if not segments:
        return []
    file = _FILE.match(segments[-1])
    if file and segments[0] != "a":
        return [_file_target(file[1], file[2].lower())]
    head, rest = segments[0].lower(), segments[1:]
    if head == "a" and rest:
        return _page_target(rest[0], "imgur_album", "https://imgur.com/a/")
    if head == "gallery" and rest:
        return _page_target(rest[0], "imgur_gallery", "https://imgur.com/gallery/")
    if head in ("t", "topic") and len(rest) >= 2:
        return _page_target(rest[1], "imgur_gallery", "https://imgur.com/gallery/")
    if head in ("r", "download"):  # "/r/Gore/oNihPzB", "/download/aBc1234/a title"
        wanted = rest[1:2] if head == "r" else rest[:1]
    else:
        wanted = [] if head in _OWN_PAGES else segments[:1]
    ids = [_id_of(part) for name in wanted for part in name.split(",")]
    return [ImgurTarget(f"https://i.imgur.com/{one}.jpg", "imgur_image") for one in ids if one]


def _file_target(imgur_id: str, extension: str) -> ImgurTarget:
    # imgur serves ID.gif for what was uploaded as a GIF. For a video behind a ".gifv" it answers with
    # something else, which is known only after a request.
    if extension == "gifv":
        return ImgurTarget(f"https://i.imgur.com/{imgur_id}.gif", "image")
    kind: MediaKind = "video" if extension in ("mp4", "webm") else "image"
    return ImgurTarget(f"https://i.imgur.com/{imgur_id}.{extension}", kind)


def _page_target(segment: str, kind: MediaKind, prefix: str) -> list[ImgurTarget]:
    imgur_id = _id_of(segment)
    if not imgur_id:
        return []
    return [ImgurTarget(f"https://i.imgur.com/{imgur_id}.jpg", kind, prefix + imgur_id)]


def _id_of(segment: str) -> str | None:
    """Return the id in "aBc1234", "a-title-aBc1234" or "aBc1234)"; None for anything else."""
    candidate = segment.rstrip(_TRAILING_JUNK).rpartition("-")[2].partition(".")[0]
    return candidate if _ID.fullmatch(candidate) else None
