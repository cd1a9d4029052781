"""Decode the JSON of submissions, as archives serve it and dumps hold it.

Half of a surrogate pair ("sad \\ud83d"), which users and old clients left in texts, becomes U+FFFD. Whatever
else isn't JSON in UTF-8 makes one submission unreadable and leaves those beside it alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

#: Posts of an answer that is read post by post; the archive gives 500 at most.
MAX_ITEMS = 1000

# A whole pair is matched as one, and so is any other escape: "\\ud83d" is a backslash and letters.
_ESCAPE = re.compile(
    rb"\\(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
# A string (the group is empty if it has no end), or a character that gives JSON its structure.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+("?)|[][{},]', re.DOTALL)
_TIME = re.compile(rb'"created_utc"\s*:\s*"?([0-9]{1,11})(?![0-9])')
_OWN_ID = re.compile(rb'\s*:\s*"([0-9A-Za-z]{1,13})"')
#: What msgspec raises for JSON that it can't decode; older versions the second for bytes that aren't UTF-8.
REFUSALS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class UnreadableJson(ValueError):
    """This isn't JSON in UTF-8, or not of the type that was asked for."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A submission that can't be decoded, and why."""

    raw: bytes
    why: str

    @property
    def created_utc(self) -> int:
        """When it was made, in Unix seconds, as far as its bytes tell; else 0."""
        return max((int(found[1]) for found in _TIME.finditer(self.raw)), default=0)

    @property
    def own_id(self) -> str | None:
        """Its id ("3svmej"), not that of a post within it, as far as its bytes tell."""
        depth = 0
        for token in _TOKEN.finditer(self.raw):
            if token[0] in b"[{":
                depth += 1
            elif token[0] in b"]}":
                depth -= 1
            elif depth == 1 and token[0] == b'"id"' and (found := _OWN_ID.match(self.raw, token.end())):
                return found[1].decode().lower()
        return None


class Answer(msgspec.Struct):
    """An answer of the archive: posts, or why there are none."""

    data: list[Any] | None = None
    error: str | None = None


def decode(data: bytes, of: Any = Any) -> Any:
    """Decode JSON as the type `of`. Raises `UnreadableJson`."""
    try:
        return msgspec.json.decode(data, type=of)
    except REFUSALS as error:
        mended = _ESCAPE.sub(_whole_pairs, data)
        if mended == data:
            raise UnreadableJson(_why(error)) from None
    try:
        return msgspec.json.decode(mended, type=of)
    except REFUSALS as error:
        raise UnreadableJson(_why(error)) from None


def decode_answer(body: bytes) -> Answer:
    """Decode an answer of the archive; posts in it may be `Unreadable`. Raises `UnreadableJson`."""
    try:
        answer: Answer = decode(body, Answer)
        return answer
    except UnreadableJson:
        pieces = _items(body, b'"data"')
        if pieces is None:
            raise
        return Answer([_item(piece) for piece in pieces])


def _item(raw: bytes) -> Any:
    try:
        return decode(raw)
    except UnreadableJson as error:
        return Unreadable(raw, str(error))


def _items(body: bytes, quoted_key: bytes) -> list[bytes] | None:
    """Return the bytes of each item of an object's array, None if it has no such array that can be read.

    Only strings, brackets and commas are told apart, so that one bad item doesn't hide the others.
    """
    found: list[bytes] = []
    depth, last, start = 0, b"", None
    for token in _TOKEN.finditer(body):
        kind = body[token.start() : token.start() + 1]
        if kind == b'"':
            if not token[1]:
                return None
            last = token[0] if depth == 1 else last
        elif kind in b"[{":
            if depth == 0 and kind == b"[":
                return None
            if start is None and depth == 1 and kind == b"[" and last == quoted_key:
                start = token.end()
            depth += 1
        elif kind in b"]}":
            depth -= 1
            if start is not None and depth == 1:
                last_item = body[start : token.start()].strip()
                return [*found, last_item] if last_item else found
        elif start is not None and depth == 2:
            if len(found) == MAX_ITEMS:
                return None
            found.append(body[start : token.start()].strip())
            start = token.end()
    return None


def _whole_pairs(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape[2] else escape[0]


def _why(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
