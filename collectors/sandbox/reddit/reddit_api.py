"""Reddit's OAuth API: a token, listings, search, /api/info and /about, in the form of recorded answers.

    POST /www.reddit.com/api/v1/access_token          Basic client_id:secret ("wrong" is refused)
    GET  /oauth.reddit.com/r/happy/top?t=all&limit=100&after=t3_…&raw_json=1
    GET  /oauth.reddit.com/api/info?id=t3_a,t3_b

As on Reddit, a listing ends after 1,000 posts, leaves out removed ones, and escapes &, < and > unless
`raw_json=1` is given. r/privatesub, r/quarantinedsub, r/bannedsub and r/emptysub fail as their names say;
any other unknown name is redirected to the search.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from collectors.sandbox.generated import stable
from collectors.sandbox.generated.posts import SandboxPost
from collectors.sandbox.generated.submission import escaped, fullname_of_sub, submission
from collectors.sandbox.state.state import Sandbox, json_response, page, redirect

LISTING_LIMIT = 1000
SEARCH_LIMIT = 250
_TOKEN = "sandbox-"
_PERIODS = {"hour": 3600, "day": 86_400, "week": 7 * 86_400, "month": 30 * 86_400, "year": 365 * 86_400}

_SORTS: dict[str, Callable[[SandboxPost], float]] = {
    "top": lambda post: post.ups,
    "new": lambda post: post.created_utc,
    "hot": lambda post: math.log10(max(post.ups, 1)) + post.created_utc / 45_000,
    "controversial": lambda post: post.num_comments * (1 - post.upvote_ratio),
    "comments": lambda post: post.num_comments,
    "relevance": lambda post: post.ups,
}

_CLOSED: dict[str, tuple[int, dict[str, Any]]] = {
    "privatesub": (403, {"reason": "private", "message": "Forbidden", "error": 403}),
    "quarantinedsub": (
        403,
        {
            "reason": "quarantined",
            "quarantine_message": "This community is quarantined: it may shock.",
            "message": "Forbidden",
            "error": 403,
        },
    ),
    "bannedsub": (404, {"reason": "banned", "message": "Not Found", "error": 404}),
}


def www(sandbox: Sandbox, request: web.Request, path: str) -> web.StreamResponse:
    """Answer www.reddit.com: the token, and to other requests the page that blocks scripts."""
    if path.rstrip("/") != "api/v1/access_token":
        return page("Blocked", "<p>whoa there, pardner! Your request has been blocked.</p>", 403)
    client_id = _basic_user(request.headers.get("Authorization", ""))
    if request.method != "POST" or not client_id or client_id == "wrong":
        return json_response({"message": "Unauthorized", "error": 401}, 401)
    token = _TOKEN + stable.word("abcdefghijklmnopqrstuvwxyz0123456789", 27, "token", client_id)
    return json_response({"access_token": token, "token_type": "bearer", "expires_in": 86_400, "scope": "*"})


def oauth(sandbox: Sandbox, request: web.Request, path: str) -> web.StreamResponse:
    """Answer oauth.reddit.com."""
    headers = _rate_headers(sandbox)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.startswith(_TOKEN):
        return json_response({"message": "Unauthorized", "error": 401}, 401)
    parts = path.strip("/").removesuffix(".json").split("/")
    if parts == ["api", "info"]:
        answer: Any = _info(sandbox, request)
    elif parts == ["subreddits", "search"]:
        answer = _listing([], None)
    elif parts[0] == "r" and len(parts) in (2, 3):
        name, what = parts[1], parts[2] if len(parts) == 3 else "hot"
        posts = _posts_of(sandbox, name)
        if isinstance(posts, web.StreamResponse):
            return posts
        if what == "about":
            answer = _about(sandbox, name, len(posts))
        elif what == "search":
            answer = _search(sandbox, request, posts)
        elif what in ("top", "hot", "new", "controversial"):
            answer = _page_of(sandbox, request, posts, what, LISTING_LIMIT)
        else:
            return json_response({"message": "Not Found", "error": 404}, 404, headers)
    else:
        return json_response({"message": "Not Found", "error": 404}, 404, headers)
    if request.query.get("raw_json") != "1":
        answer = escaped(answer)
    return json_response(answer, headers=headers)


def _basic_user(authorization: str) -> str:
    """Return the client id in "Basic Y2xpZW50OnNlY3JldA==", or ""."""
    scheme, _, coded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(coded, validate=True).decode().partition(":")[0]
    except ValueError:
        return ""


def _rate_headers(sandbox: Sandbox) -> dict[str, str]:
    """Return the rate-limit headers: 1,000 requests in 600 s, where the time advances with the requests.

    A client that spreads the remaining requests over the rest of the window therefore never waits.
    """
    used = sandbox.reddit_requests % 990 + 1
    sandbox.reddit_requests += 1
    return {
        "x-ratelimit-remaining": f"{1000 - used}.0",
        "x-ratelimit-used": str(used),
        "x-ratelimit-reset": str(int(600 * (1000 - used) / 1000)),
    }


def _posts_of(sandbox: Sandbox, name: str) -> Sequence[SandboxPost] | web.StreamResponse:
    """Return the public posts of a subreddit ("happy", "happy+rage", "all"), or the failure's answer."""
    if name.lower() in ("all", "popular"):
        return [post for post in sandbox.corpus.posts if post.removed is None]
    found: list[SandboxPost] = []
    for one in name.lower().split("+"):
        if one in _CLOSED:
            status, body = _CLOSED[one]
            return json_response(body, status)
        posts = [] if one == "emptysub" else sandbox.corpus.listing(one)
        if posts is None:
            return redirect(f"https://oauth.reddit.com/subreddits/search.json?q={name}")
        found += [post for post in posts if post.removed is None]
    return found


def _page_of(
    sandbox: Sandbox, request: web.Request, posts: Sequence[SandboxPost], sort: str, ceiling: int
) -> dict[str, Any]:
    """Return one page of posts, in the order and from the period of the request."""
    if sort in ("top", "controversial", "relevance", "comments"):
        # Without `t`, Reddit's top listing covers the last day.
        period = request.query.get("t", "all" if sort in ("relevance", "comments") else "day")
        since = sandbox.corpus.now - _PERIODS[period] if period in _PERIODS else 0
        posts = [post for post in posts if post.created_utc >= since]
    key = _SORTS[sort]
    ordered = sorted(posts, key=lambda post: (-key(post), post.id))[:ceiling]
    limit = request.query.get("limit", "25")
    size = min(100, int(limit) or 25) if limit.isdecimal() else 25
    start = 0
    after = request.query.get("after", "").removeprefix("t3_")
    if after:
        places = [place for place, post in enumerate(ordered) if post.id == after]
        start = places[0] + 1 if places else len(ordered)
    shown = ordered[start : start + size]
    more = start + size < len(ordered)
    return _listing(shown, f"t3_{shown[-1].id}" if shown and more else None)


def _search(sandbox: Sandbox, request: web.Request, posts: Sequence[SandboxPost]) -> dict[str, Any]:
    """Return the posts whose titles contain all the words of `q`, at most `SEARCH_LIMIT`."""
    if request.query.get("restrict_sr", "").lower() not in ("1", "true", "on"):
        posts = [post for post in sandbox.corpus.posts if post.removed is None]
    wanted = request.query.get("q", "").lower().split()
    found = [post for post in posts if all(word in post.title.lower() for word in wanted)]
    sort = request.query.get("sort", "relevance")
    return _page_of(sandbox, request, found, sort if sort in _SORTS else "relevance", SEARCH_LIMIT)


def _info(sandbox: Sandbox, request: web.Request) -> dict[str, Any]:
    """Return the posts whose names are in `id`, removed ones too; other names are ignored."""
    names = request.query.get("id", "").split(",")[:100]
    ids = [name.strip().removeprefix("t3_") for name in names if name.strip().startswith("t3_")]
    return _listing([sandbox.corpus.by_id[one] for one in ids if one in sandbox.corpus.by_id], None)


def _about(sandbox: Sandbox, name: str, posts: int) -> dict[str, Any]:
    return {
        "kind": "t5",
        "data": {
            "id": fullname_of_sub(name.lower()).removeprefix("t5_"),
            "name": fullname_of_sub(name.lower()),
            "display_name": name.lower(),
            "display_name_prefixed": f"r/{name.lower()}",
            "title": name.lower(),
            "public_description": f"{posts} posts made by the sandbox",
            "description": "",
            "subscribers": 100_000 + stable.number("subscribers", name.lower()) % 900_000,
            "accounts_active": None,
            "over18": name.lower() == "gore",
            "quarantine": False,
            "subreddit_type": "public",
            "submission_type": "any",
            "lang": "en",
            "url": f"/r/{name.lower()}/",
            "created": 1_215_876_898.0,
            "created_utc": 1_215_876_898.0,
        },
    }


def _listing(posts: Sequence[SandboxPost], after: str | None) -> dict[str, Any]:
    children = [{"kind": "t3", "data": submission(post)} for post in posts]
    data = {"after": after, "dist": len(children), "modhash": None, "geo_filter": None, "before": None}
    return {"kind": "Listing", "data": data | {"children": children}}
