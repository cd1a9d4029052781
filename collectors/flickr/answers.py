"""Flickr's answers: pure functions from a body to a photo, to its sizes, or to a named error.

    FlickrError
    ├── NotFound      the photo doesn't exist, or no longer
    ├── Private       the photo isn't public
    ├── BadKey        the API key is refused: all calls will fail
    ├── Unavailable   Flickr can't answer now
    └── Malformed     the answer can't be read, or refuses the call for another reason

Answers are XML or JSON, not always the format of the request. Both are parsed into the form of Flickr's JSON,
where `_content` is an element's text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from affectory.core.errors import SourceError
from collectors.crawl.resolve import valid_text

_ID = re.compile(r"[0-9]{1,20}")
_WORD = re.compile(r"[0-9A-Za-z]{1,64}")
_MOMENT = re.compile(r"(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")

#: Codes of failures: https://www.flickr.com/services/api/flickr.photos.getSizes.html; 0 and 201 are
#: undocumented. 99, "Insufficient permissions", is about the method: it doesn't mean that a photo is private.
_NOT_FOUND, _PRIVATE, _BAD_KEY, _UNAVAILABLE = 1, 2, 100, (0, 105, 106, 201)


class FlickrError(SourceError):
    """A failure that Flickr reports; `reason` is its name in snake_case."""

    reason = "flickr_error"


class NotFound(FlickrError):
    """The photo doesn't exist, or no longer."""

    reason = "not_found"


class Private(FlickrError):
    """The photo isn't public."""

    reason = "private"


class BadKey(FlickrError):
    """Flickr refuses the API key."""

    reason = "bad_key"


def refused(error: BadKey) -> BadKey:
    """Return the error of a refused key with the next step for the user."""
    return BadKey(f"FLICKR_API_KEY is refused: {error}; see https://www.flickr.com/services/api/keys/")


class Unavailable(FlickrError):
    """Flickr can't answer now."""

    reason = "unavailable"


class Malformed(FlickrError):
    """An answer that can't be read, or that refuses the call for another reason."""

    reason = "malformed_answer"


@dataclass(frozen=True, slots=True)
class Photo:
    """Flickr's data of a photo, with `title` as plain text and `description` as HTML.

    `owner` is the account's id. `uploaded` is in Unix seconds. `taken` is in the camera's time,
    "2012-08-06 15:04:02", or the known part of it: "2012-08", "2012", None. `safety` is 0 (safe),
    1 (moderate), 2 (restricted) or None (unknown).
    """

    photo_id: str
    server: str
    secret: str
    owner: str
    licence: int
    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    uploaded: int | None = None
    taken: str | None = None
    safety: int | None = None
    comments: int | None = None
    is_video: bool = False


@dataclass(frozen=True, slots=True)
class Size:
    """One of a photo's sizes."""

    source: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search: its photos, the number of unreadable entries, and the number of pages."""

    photos: Sequence[Photo]
    unreadable: int
    pages: int


def decode(body: bytes) -> Mapping[str, Any]:
    """Return an answer in the form of Flickr's JSON, or raise the `FlickrError` that it means."""
    # <rsp stat="fail"><err code="1" msg="Photo not found" /></rsp>
    # {"stat":"fail","message":"Sorry, the Flickr API service is not currently available.","code":201},
    text = body.lstrip(b"\xef\xbb\xbf \t\r\n")
    try:
        if text.startswith(b"<"):
            root = ElementTree.fromstring(text)
            answer = _as_json(root) if root.tag == "rsp" else None
        else:  # raw_decode accepts the comma after the answer above, which Flickr has sent
            answer, _ = json.JSONDecoder().raw_decode(text.decode())
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise Malformed(f"neither XML nor JSON ({str(error)[:80]})") from None
    if not isinstance(answer, dict) or answer.get("stat") not in ("ok", "fail"):
        raise Malformed(f"no answer of Flickr's API: {valid_text(text[:60].decode('utf-8', 'replace'))!r}")
    if answer["stat"] == "fail":
        failed = answer.get("err", answer)
        raise _failure(failed.get("code"), _text(failed.get("msg", failed.get("message"))))
    return answer


def photo(answer: Mapping[str, Any]) -> Photo:
    """Return the photo in an answer of `flickr.photos.getInfo`. Raises `Malformed`."""
    return parse_photo(answer.get("photo"))


def parse_photo(raw: Any) -> Photo:
    """Return a photo from its entry in an answer of getInfo or of a search. Raises `Malformed`."""
    if not isinstance(raw, Mapping):
        raise Malformed("no photo in the answer")
    owner, dates, licence = raw.get("owner"), raw.get("dates"), _whole(raw.get("license"))
    if licence is None:
        raise Malformed(f"a photo's license is {str(raw.get('license'))[:60]!r}")
    uploaded = _first(raw, "dateuploaded", "dateupload")
    if uploaded is None and isinstance(dates, Mapping):
        uploaded = dates.get("posted")
    return Photo(
        photo_id=_matching(raw, "id", _ID),
        server=_matching(raw, "server", _ID),
        secret=_matching(raw, "secret", _WORD),
        owner=_text(owner.get("nsid") if isinstance(owner, Mapping) else owner),
        licence=licence,
        title=_text(raw.get("title")),
        description=_text(raw.get("description")),
        tags=_tags(raw.get("tags")),
        uploaded=_whole(uploaded),
        taken=_taken(raw),
        safety=_whole(raw.get("safety_level")),
        comments=_whole(_text(raw.get("comments"))),
        is_video=raw.get("media") == "video",
    )


def sizes(answer: Mapping[str, Any]) -> list[Size]:
    """Return a photo's sizes from an answer of `flickr.photos.getSizes`, videos left out."""
    # {"sizes": {"size": [{"label": "Medium", "width": 500, "height": 333, "source": "https://…", …}]}}
    listed = answer.get("sizes")
    found = []
    for one in _many(listed.get("size") if isinstance(listed, Mapping) else None):
        width, height = _whole(one.get("width")), _whole(one.get("height"))
        if one.get("media") == "photo" and width and height:
            found.append(Size(_text(one.get("source")), width, height))
    if not found:
        raise Malformed("no sizes in the answer")
    return found


def found(answer: Mapping[str, Any]) -> Found:
    """Return a page of an answer of `flickr.photos.search`. Raises `Malformed`."""
    # {"photos": {"page": 1, "pages": 3, "perpage": 500, "total": 1209, "photo": [{"id": "53248070597", …}]}}
    page = answer.get("photos")
    if not isinstance(page, Mapping):
        raise Malformed("no photos in the answer")
    photos, unreadable = [], 0
    for raw in _many(page.get("photo")):
        try:
            photos.append(parse_photo(raw))
        except Malformed:
            unreadable += 1
    return Found(photos, unreadable, _whole(page.get("pages")) or 0)


def _failure(code: Any, message: str) -> FlickrError:
    number, said = _whole(code), f"Flickr says {message!r} (code {valid_text(str(code))[:20]})"
    if number == _BAD_KEY:
        return BadKey(said)
    if number in _UNAVAILABLE:
        return Unavailable(said)
    if number == _PRIVATE:
        return Private(said)
    # Code 1 is also used for "Required parameter missing".
    return NotFound(said) if number == _NOT_FOUND and "not found" in message.lower() else Malformed(said)


def _as_json(element: ElementTree.Element) -> dict[str, Any]:
    """Return an XML element in the form of Flickr's JSON; children of the same name become a list."""
    value: dict[str, Any] = dict(element.attrib)
    if element.text and element.text.strip():
        value["_content"] = element.text
    for child in element:
        known = value.get(child.tag)
        one = _as_json(child)
        value[child.tag] = (
            one if known is None else [*known, one] if isinstance(known, list) else [known, one]
        )
    return value


def _many(value: Any) -> list[Mapping[str, Any]]:
    """Return the entries of a list; a single entry, parsed from XML, isn't in a list."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Mapping)]


def _text(value: Any) -> str:
    value = value.get("_content", "") if isinstance(value, Mapping) else value
    return valid_text(value) if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def _tags(value: Any) -> tuple[str, ...]:
    """Return the tags as their author wrote them; a search returns them as one string: "tokyo koto"."""
    if isinstance(value, str):
        return tuple(dict.fromkeys(valid_text(value).split()))
    tags = _many(value.get("tag")) if isinstance(value, Mapping) else []
    written = (_text(tag.get("raw")) or _text(tag) for tag in tags)
    return tuple(dict.fromkeys(one for one in written if one))


def _taken(raw: Mapping[str, Any]) -> str | None:
    """Return when a photo was taken, as precisely as it is known.

    Granularities: 0 second, 4 month, 6 year, 8 about that year; there may be others in the future
    (https://www.flickr.com/services/api/misc.dates.html). Flickr sets an unknown date to that of the upload.
    """
    # <dates posted="1224547791" taken="1912-01-01 00:00:00" takengranularity="8" takenunknown="0" … />
    # A search: {"datetaken": "2006-08-19 10:48:54", "datetakengranularity": "0", "datetakenunknown": "0", …}
    dates = raw.get("dates")
    said = {f"date{name}": value for name, value in dates.items()} if isinstance(dates, Mapping) else raw
    taken, granularity = _text(said.get("datetaken")), _whole(said.get("datetakengranularity")) or 0
    if _whole(said.get("datetakenunknown")) == 1 or not _MOMENT.fullmatch(taken):
        return None
    return taken[:4] if granularity >= 6 else taken[:7] if granularity >= 4 else taken


def _matching(raw: Mapping[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    value = _text(raw.get(key))
    if not pattern.fullmatch(value):
        raise Malformed(f"a photo's {key} is {value[:60]!r}")
    return value


def _first(raw: Mapping[str, Any], *keys: str) -> Any:
    return next((raw[key] for key in keys if raw.get(key) is not None), None)


def _whole(value: Any) -> int | None:
    """Return an integer of at most 18 digits from 7 or "7", else None."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None
