"""Arctic Shift: an archive of raw submissions, searched by subreddit and time.

    GET /arctic-shift.photon-reddit.com/api/posts/search?subreddit=happy&sort=asc&after=1577836800&limit=100
    GET /arctic-shift.photon-reddit.com/api/posts/ids?ids=3svmej,4xznfz
    GET /arctic-shift.photon-reddit.com/api/posts/search/aggregate?subreddit=happy&aggregate=created_utc
        &frequency=year&after=2005-01-01

`after` and `before` are exclusive; an aggregation needs one of them, and its counts are strings.
The archive holds posts as they were soon after they were made: a third of the scores are far too low,
addresses are escaped as in the dumps, and posts that were removed later are still there, since November 2023
with a note in `_meta`. Errors are {"data": null, "error": "…"}.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from collectors.sandbox.generated import stable
from collectors.sandbox.generated.posts import SandboxPost
from collectors.sandbox.generated.submission import Json, escaped, submission
from collectors.sandbox.state.state import Sandbox, json_response

#: Keys that depend on who is logged in, which an archive lacks.
_PERSONAL = ("likes", "saved", "hidden", "visited", "clicked", "approved_by", "banned_by", "mod_note")


#: 2023-11-01: posts made since are fetched again after 36 hours, and a removal is noted.
NOTED_FROM = 1_698_796_800


class _BadRequest(Exception):
    """A parameter that the API refuses."""


def archive(sandbox: Sandbox, request: web.Request, path: str) -> web.StreamResponse:
    """Answer arctic-shift.photon-reddit.com."""
    routes: dict[str, Callable[[Sandbox, web.Request], list[Json]]] = {
        "api/posts/search": lambda sandbox, request: _records(request, _search(sandbox, request)),
        "api/posts/ids": lambda sandbox, request: _records(request, _ids(sandbox, request)),
        "api/posts/search/aggregate": _by_year,
    }
    route = routes.get(path.rstrip("/"))
    if route is None:
        return json_response({"data": None, "error": "Not found"}, 404)
    try:
        data = route(sandbox, request)
    except _BadRequest as refusal:
        return json_response({"data": None, "error": str(refusal)}, 400)
    return json_response({"data": data}, headers={"x-ratelimit-remaining": "1999", "x-ratelimit-reset": "60"})


def _records(request: web.Request, posts: Sequence[SandboxPost]) -> list[Json]:
    records = [archived(post) for post in posts]
    fields = [name for name in request.query.get("fields", "").split(",") if name]
    return [{name: record.get(name) for name in fields} for record in records] if fields else records


def archived(post: SandboxPost) -> Json:
    """Return a post as the archive holds it."""
    seen_late = stable.unit("archived", post.id)
    score = post.ups if seen_late >= 1 / 3 else 1 + int(post.ups * 0.1 * seen_late)
    young = post.replace(removed=None, ups=score)
    record: Json = escaped(submission(young))
    for key in _PERSONAL:
        record.pop(key, None)
    record["created_utc"] = post.created_utc
    record["retrieved_on"] = post.created_utc + (30 if score != post.ups else 3_000_000)
    if post.removed is not None and post.created_utc >= NOTED_FROM:
        record["_meta"] = {"was_deleted_later": True, "removal_type": post.removed}
    return record


def _search(sandbox: Sandbox, request: web.Request) -> Sequence[SandboxPost]:
    query = request.query
    limit_text, sort = query.get("limit", "25"), query.get("sort", "desc")
    posts = _found(sandbox, request)
    if not limit_text.isdecimal() or not 1 <= int(limit_text) <= 100:
        raise _BadRequest(f"limit must be between 1 and 100, got {limit_text}")
    if sort not in ("asc", "desc"):
        raise _BadRequest(f"sort must be asc or desc, got {sort}")
    if sort == "desc":
        posts.reverse()
    return posts[: int(limit_text)]


def _found(sandbox: Sandbox, request: web.Request) -> list[SandboxPost]:
    """Return the posts of a search, the oldest first."""
    query = request.query
    sub = query.get("subreddit")
    if not sub:
        raise _BadRequest("At least one of author, subreddit is required")
    after, before = _epoch(query.get("after")), _epoch(query.get("before"))
    return [
        post
        for post in sandbox.corpus.listing(sub) or ()
        if (after is None or post.created_utc > after) and (before is None or post.created_utc < before)
    ]


def _by_year(sandbox: Sandbox, request: web.Request) -> list[Json]:
    """Count the posts of a search by year, the only frequency that is imitated."""
    query = request.query
    if query.get("aggregate") != "created_utc" or query.get("frequency") != "year":
        raise _BadRequest("aggregate must be created_utc, and frequency year")
    if not query.get("after") and not query.get("before"):
        raise _BadRequest("after or before is required")
    counts = Counter(datetime.fromtimestamp(post.created_utc, UTC).year for post in _found(sandbox, request))
    return [
        {"created_utc": f"{year}-01-01T00:00:00.000Z", "count": str(n)} for year, n in sorted(counts.items())
    ]


def _ids(sandbox: Sandbox, request: web.Request) -> Sequence[SandboxPost]:
    names = [name.strip().removeprefix("t3_") for name in request.query.get("ids", "").split(",")]
    if names == [""]:
        raise _BadRequest("ids is required")
    if len(names) > 500:
        raise _BadRequest(f"ids may hold 500 at most, got {len(names)}")
    return [sandbox.corpus.by_id[name] for name in names if name in sandbox.corpus.by_id]


def _epoch(text: str | None) -> float | None:
    """Read "1577836800" (s), "1577836800000" (ms), "2020-01-01" or "2020-01-01T00:00:00Z"."""
    if text is None or not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        pass
    else:
        return value / 1000 if value > 1e11 else value
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _BadRequest(f"Invalid date: {text}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def slow_down() -> Any:
    """Return the archive's answer when it is overloaded (with status 422)."""
    return {"data": None, "error": "Timeout. Maybe slow down a bit"}
