"""What the values of a store's rows must be, by column.

A database that was damaged or edited may hold others: SQLite stores a value of any type in any column, and
text that isn't UTF-8. Builds stop at such a value, and `affectory verify` lists them all.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec

from affectory.core.errors import StoreError
from collectors.store.layout import DIGEST, EXTENSIONS
from collectors.store.record import MediaStatus, Post

_INT32 = range(2**31)

#: Unix times of the years 1 to 9999, which are all that dates can show.
_TIMES = range(-62_135_596_800, 253_402_300_800)

_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Kind:
    """The types that a column's values have, and what else holds for those that aren't null."""

    types: frozenset[type]
    is_right: Callable[[Any], bool] | None = None

    def fits(self, value: Any) -> bool:
        """Return whether the column may hold this value."""
        return type(value) in self.types and (value is None or self.is_right is None or self.is_right(value))


def _kind(type_: type, is_right: Callable[[Any], bool] | None = None, *, null: bool = True) -> Kind:
    return Kind(frozenset({type_, type(None)} if null else {type_}), is_right)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_word(value: Any) -> bool:
    """Return whether a value of JSON is a string without lone surrogates, which JSON can spell."""
    return isinstance(value, str) and not _SURROGATES.search(value)


def _is_votes(text: str) -> bool:
    if text == "{}":
        return True
    votes = _parsed(text)
    return (
        isinstance(votes, dict)
        and len(votes) > 0
        and all(_is_word(name) and type(number) is int and number in _INT32 for name, number in votes.items())
    )


def _is_words(text: str) -> bool:
    words = _parsed(text)
    return isinstance(words, list) and all(map(_is_word, words))


def _is_record(data: bytes | str) -> bool:
    try:
        msgspec.json.decode(data, type=Post)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return False
    return True


_TEXT, _TEXT_OR_NULL = _kind(str, null=False), _kind(str)
_NUMBER, _NUMBER_OR_NULL = _kind(int, null=False), _kind(int)
_SMALL, _TIME = _kind(int, _INT32.__contains__), _kind(int, _TIMES.__contains__)

POSTS: Mapping[str, Kind] = {
    **dict.fromkeys(("post_id", "source", "community", "title", "body"), _TEXT),
    **dict.fromkeys(("author", "taken", "label", "source_label", "split", "permalink"), _TEXT_OR_NULL),
    **dict.fromkeys(("licence", "licence_url", "removed", "observed_from"), _TEXT_OR_NULL),
    **dict.fromkeys(("score", "num_comments", "over_18", "generated"), _NUMBER_OR_NULL),
    **dict.fromkeys(("created_at", "observed_at", "collected_at"), _TIME),
    "votes": _kind(str, _is_votes, null=False),
    "votes_total": _SMALL,
    "labels": _kind(str, _is_words),
    "tags": _kind(str, _is_words, null=False),
    "media_key": _TEXT,
}

MEDIA: Mapping[str, Kind] = {
    **dict.fromkeys(("post_id", "url", "host", "kind"), _TEXT),
    "position": _NUMBER,
    "status": _kind(str, frozenset(get_args(MediaStatus)).__contains__, null=False),
    **dict.fromkeys(
        ("reason", "detail", "fallback_url", "final_url", "signals", "refused_by"), _TEXT_OR_NULL
    ),
    "sha256": _kind(str, lambda text: DIGEST.fullmatch(text) is not None),
    "mime": _kind(str, EXTENSIONS.__contains__),
    **dict.fromkeys(("width", "height", "frames"), _SMALL),
    **dict.fromkeys(("bytes", "fetched_at"), _NUMBER_OR_NULL),
}

CANDIDATES: Mapping[str, Kind] = {
    **dict.fromkeys(("walk", "post_id"), _TEXT),
    "score": _NUMBER,
    "record": Kind(frozenset({bytes, str}), _is_record),
}

TABLES = {"posts": POSTS, "media": MEDIA, "candidates": CANDIDATES}


def text_or_bytes(data: bytes) -> str | bytes:
    """Return a text of the database; as it is if it isn't UTF-8. For `sqlite3.Connection.text_factory`."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def damaged(
    kinds: Mapping[str, Kind], columns: Mapping[str, Sequence[Any]]
) -> Iterator[tuple[str, str, Any]]:
    """Yield the values that aren't of their column's kind, as post, column, value."""
    for name, values in columns.items():
        kind = kinds[name]
        if kind.is_right is None and kind.types.issuperset(map(type, values)):
            continue
        for post_id, value in zip(columns["post_id"], values, strict=True):
            if not kind.fits(value):
                yield str(post_id), name, value


def error(store: Path, post_id: str, column: str, value: Any) -> StoreError:
    """Return the error of a damaged value, which names it and the command that lists all of them."""
    return StoreError(
        f"the store {str(store)!r} is damaged: {shown(post_id, column, value)}; "
        f"affectory verify {shlex.quote(str(store))} lists all such values"
    )


def shown(post_id: str, column: str, value: Any) -> str:
    """Return a damaged value as it is printed."""
    text = repr(value)
    return f"{column} of {post_id} is {text if len(text) <= 60 else text[:59] + '…'}"
