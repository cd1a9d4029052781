"""From Reddit's JSON to `Post`: pure parsers for listings, dumps and archives.

`parse_listing` splits an API answer into its children. `parse_post` turns a child, or a line of a dump, into
a `Post` or a `Rejection` with the reason. No content of a post makes them raise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from collectors.crawl.resolve import resolve, unescape, valid_text
from collectors.reddit.answers import MalformedAnswer
from collectors.reddit.decoder import Unreadable
from collectors.store.record import Media, Post, Rejection, author_hash

_ID = re.compile(r"[0-9A-Za-z]{1,13}")  # base 36: 13 digits hold 2**64
# "259", "1,234", "1432086938.0", as spreadsheets write them
_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]{1,19}|[0-9]{1,3}(?:,[0-9]{3}){1,6}))(?:\.[0-9]*)?\s*", re.ASCII)
_GONE = ("[deleted]", "[removed]")
# In dumps `removed_by` is one of these words; in answers to moderators it is a name, which we don't store.
_REMOVERS = frozenset(
    {"admin", "anti_evil_ops", "author", "automod_filtered", "deleted", "moderator", "reddit"}
)
#: `observed_from` of Reddit's own answer.
OAUTH = "oauth"

#: The last Unix second that dates can show.
YEAR_9999 = 253_402_300_799

_REDDIT = "https://www.reddit.com"


def parse_listing(body: Any, *, what: str = "the listing") -> tuple[list[Any], str | None]:
    """Return a listing's children and its `after`, None on the last page. Raises `MalformedAnswer`."""
    # {"kind": "Listing", "data": {"after": "t3_1skbyfv", "children": [{"kind": "t3", "data": {…}}]}}
    data = body.get("data") if isinstance(body, Mapping) else None
    children = data.get("children") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(children, list):
        found = f"keys {sorted(map(str, body))[:8]}" if isinstance(body, Mapping) else type(body).__name__
        raise MalformedAnswer(what, f"expected a listing with children, found {found}")
    after = data.get("after")
    return children, after if isinstance(after, str) and after else None


def parse_post(
    child: Any, *, key: bytes, collected_at: int, escaped: bool = False, observed_from: str | None = None
) -> Post | Rejection:
    """Return the post of a listing's child or a bare submission, or why it isn't one.

    `key` hashes the author's name. `escaped` says that texts are HTML-escaped (`&amp;`), as in dumps and
    archives, but not in API answers to `raw_json=1`. `observed_from` says whose copy it is; Reddit's own
    answer (`OAUTH`) is as of `collected_at`, and others say when they were retrieved.
    """
    post = _submission(child)
    if isinstance(post, Rejection):
        return post
    post_id = id_of(post)
    if isinstance(post_id, Rejection):
        return post_id
    title = _text(post.get("title"), escaped).strip()
    if not title:
        return Rejection("no_title", post_id)
    community = _text(post.get("subreddit"), False).strip().lower()
    if not community:
        return Rejection("no_community", post_id)
    body, author = _text(post.get("selftext"), escaped), post.get("author")
    known = isinstance(author, str) and author.strip() not in ("", *_GONE)
    score = _whole(post.get("score"))
    over_18 = post.get("over_18")
    return Post(
        post_id=f"reddit:{post_id}",
        source="reddit",
        community=community,
        title=title,
        body="" if body.strip() in _GONE else body,
        author=author_hash(f"reddit:{author}", key) if known else None,
        created_at=_time(post.get("created_utc")),
        score=_whole(post.get("ups")) if score is None else score,
        num_comments=_whole(post.get("num_comments")),
        permalink=_permalink(post.get("permalink"), post_id),
        over_18=over_18 if isinstance(over_18, bool) else None,
        removed=removed_word(post),
        observed_from=observed_from,
        observed_at=collected_at if observed_from == OAUTH else _retrieved(post),
        media=_media(post),
        collected_at=collected_at,
    )


def _retrieved(post: Mapping[str, Any]) -> int | None:
    """Return when an archive last looked at a post; None if it doesn't say."""
    # {"retrieved_on": 1713200000, "_meta": {"retrieved_2nd_on": 1713330000}}, 36 hours later since 2023-11;
    # {"retrieved_utc": …, "updated_utc": …} in Pushshift's last dumps
    meta = post.get("_meta")
    times = [_time(post.get(name)) for name in ("retrieved_on", "retrieved_utc", "updated_utc")]
    times += [_time(meta.get("retrieved_2nd_on"))] if isinstance(meta, Mapping) else []
    return max((time for time in times if time is not None), default=None)


def removed_word(post: Mapping[str, Any]) -> str | None:
    """Return the source's word for why a post is no longer public, or None if it is public."""
    meta = post.get("_meta")  # what Arctic Shift found 36 hours later
    if isinstance(meta, Mapping) and meta.get("was_deleted_later") is True:
        kind = meta.get("removal_type")
        return valid_text(kind)[:60] if isinstance(kind, str) and kind else "deleted"
    # {"removed_by_category": "automod_filtered", "_meta": {"was_initially_deleted": true}}: it is back
    is_back = isinstance(meta, Mapping) and meta.get("was_initially_deleted") is True
    if not is_back and (word := _remover(post)) is not None:
        return word
    if post.get("selftext") == "[removed]":
        return "removed"
    if post.get("title") == "[deleted by user]":
        return "deleted"
    # If only the author is "[deleted]", the account is gone, but the post is still public.
    if post.get("author") == "[deleted]" and post.get("selftext") == "[deleted]":
        return "deleted"
    return None


def _remover(post: Mapping[str, Any]) -> str | None:
    """Return who removed a post, by the fields made for that."""
    category = post.get("removed_by_category")
    if isinstance(category, str) and category:
        return valid_text(category)  # "moderator", "deleted", "reddit", "automod_filtered", …
    if post.get("banned_by"):
        return "moderator"
    remover = post.get("removed_by")
    if isinstance(remover, str) and remover:
        return remover if remover in _REMOVERS else "removed"
    return None


def _media(post: Mapping[str, Any]) -> tuple[Media, ...]:
    """Return a post's media; media of a removed post or parent are marked as failed and never fetched."""
    media = resolve(post)
    parents = post.get("crosspost_parent_list")
    parent = parents[0] if isinstance(parents, list) and parents else None
    if removed_word(post) is None and not (isinstance(parent, Mapping) and removed_word(parent)):
        return media
    return tuple(
        replace(one, status="failed", reason="post_removed", retry=False) if one.status == "pending" else one
        for one in media
    )


def _submission(child: Any) -> Mapping[str, Any] | Rejection:
    if isinstance(child, Unreadable):
        return Rejection("unreadable_line", f"post {child.own_id}: {child.why}"[:200])
    if not isinstance(child, Mapping):
        return Rejection("not_an_object", type(child).__name__)
    if "kind" not in child or "data" not in child:
        return child
    kind, data = child["kind"], child["data"]
    if kind != "t3":  # /api/info mixes comments (t1), accounts (t2), messages (t4) and subreddits (t5)
        return Rejection(
            "not_a_post", valid_text(kind)[:60] if isinstance(kind, str) else type(kind).__name__
        )
    return data if isinstance(data, Mapping) else Rejection("not_an_object", type(data).__name__)


def id_of(post: Mapping[str, Any]) -> str | Rejection:
    """Return a submission's id ("3svmej"), or why it has none."""
    found = post.get("id")
    if found is None or found == "":
        return Rejection("no_id")
    if not isinstance(found, str):
        return Rejection("bad_id", type(found).__name__)
    return found.lower() if _ID.fullmatch(found) else Rejection("bad_id", valid_text(found)[:60])


def _text(value: Any, escaped: bool) -> str:
    if not isinstance(value, str):
        return ""
    return valid_text(unescape(value) if escaped else value)


def _whole(value: Any) -> int | None:
    """Return an integer of at most 64 bits from 7724, 7724.0, "7724", "7,724" or "7724.0", else None."""
    if isinstance(value, str):
        number = _NUMBER.fullmatch(value)
        value = int(number[1].replace(",", "")) if number else None
    elif isinstance(value, float):
        value = int(value) if math.isfinite(value) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if -(2**63) <= value < 2**63 else None


def _time(value: Any) -> int | None:
    """Return a Unix time in seconds from 1447575277, 1447575277.9 or "1447575277.9", else None."""
    found = _whole(value)
    return found if found is not None and 0 <= found <= YEAR_9999 else None


def _permalink(value: Any, post_id: str) -> str:
    """Return the post's URL on www.reddit.com, without tracking parameters."""
    # "/r/happy/comments/18lpjb/…/", "https://www.reddit.com/r/happy/comments/18lpjb/…/?ref=search_posts"
    try:
        parts = urlsplit(valid_text(value) if isinstance(value, str) else "")
    except ValueError:
        parts = urlsplit("")
    own = parts.netloc in ("", "reddit.com") or parts.netloc.endswith(".reddit.com")
    if own and re.match(r"/(r|u|user)/|/comments/", parts.path):
        return _REDDIT + parts.path
    return f"{_REDDIT}/comments/{post_id}/"
