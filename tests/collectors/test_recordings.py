"""Every recorded Reddit exchange parses to what it is (../shared/data/reddit_api, no part of the project)."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from collectors.reddit.answers import RateLimited, RedditError, check_answer
from collectors.reddit.post import parse_listing, parse_post
from collectors.store.record import Post, Rejection

RECORDED = Path(__file__).parents[2].parent / "shared" / "data" / "reddit_api" / "recorded.jsonl"
pytestmark = pytest.mark.skipif(not RECORDED.is_file(), reason="no recorded exchanges here (../shared/data)")

# recording, method and path, the type of the answer or its error
# fmt: off
EXCHANGES = [
    ("praw.TestFront.test_top", "POST /api/v1/access_token", "token"),
    ("praw.TestFront.test_top", "GET /top", "listing"),
    ("praw.TestMultiredditListings.test_top", "POST /api/v1/access_token", "token"),
    ("praw.TestMultiredditListings.test_top", "GET /user/kjoneslol/m/sfwpornnetwork/top", "listing"),
    ("praw.TestReddit.test_info", "POST /api/v1/access_token", "token"),
    ("praw.TestReddit.test_info", "GET /api/info/", "listing"),
    ("praw.TestReddit.test_info", "GET /api/info/", "listing"),
    ("praw.TestReddit.test_info", "GET /api/info/", "listing"),
    ("praw.TestSubmission.test_crosspost__nsfw", "POST /api/v1/access_token", "token"),
    ("praw.TestSubmission.test_crosspost__nsfw", "GET /comments/6vx01b/", "comments page"),
    ("praw.TestSubmission.test_crosspost__nsfw", "POST /api/submit/", "submitted"),
    ("praw.TestSubmission.test_crosspost__nsfw", "GET /comments/c27k7n/", "comments page"),
    ("praw.TestSubmission.test_hide_multiple_in_batches", "POST /api/v1/access_token", "token"),
    ("praw.TestSubmission.test_hide_multiple_in_batches", "GET /r/popular/hot", "listing"),
    ("praw.TestSubmission.test_hide_multiple_in_batches", "POST /api/hide", "nothing"),
    ("praw.TestSubmission.test_hide_multiple_in_batches", "POST /api/hide", "nothing"),
    ("praw.TestSubreddit.test_submit_gallery", "POST /api/v1/access_token", "token"),
    ("praw.TestSubreddit.test_submit_gallery", "POST /api/media/asset.json", "upload lease"),
    ("praw.TestSubreddit.test_submit_gallery", "POST /", "MalformedAnswer"),
    ("praw.TestSubreddit.test_submit_gallery", "POST /api/media/asset.json", "upload lease"),
    ("praw.TestSubreddit.test_submit_gallery", "POST /", "MalformedAnswer"),
    ("praw.TestSubreddit.test_submit_gallery", "POST /api/media/asset.json", "upload lease"),
    ("praw.TestSubreddit.test_submit_gallery", "POST /", "MalformedAnswer"),
    ("praw.TestSubreddit.test_submit_gallery", "POST /api/media/asset.json", "upload lease"),
    ("praw.TestSubreddit.test_submit_gallery", "POST /", "MalformedAnswer"),
    ("praw.TestSubreddit.test_submit_gallery", "POST /api/submit_gallery_post.json", "submitted"),
    ("praw.TestSubreddit.test_submit_gallery", "GET /comments/huw6vs/", "comments page"),
    ("praw.TestSubredditListings.test_top", "POST /api/v1/access_token", "token"),
    ("praw.TestSubredditListings.test_top", "GET /r/askreddit/top", "listing"),
    ("praw.TestSubredditQuarantine.test_opt_in", "POST /api/v1/access_token", "token"),
    ("praw.TestSubredditQuarantine.test_opt_in", "GET /r/ferguson/hot", "Forbidden"),
    ("praw.TestSubredditQuarantine.test_opt_in", "POST /api/quarantine_optin", "Redirected"),
    ("praw.TestSubredditQuarantine.test_opt_in", "GET /r/ferguson/hot", "listing"),
    ("prawcore.bad_gateway", "POST /api/v1/access_token", "token"),
    ("prawcore.bad_gateway", "GET /", "ServerError"),
    ("prawcore.bad_gateway", "GET /", "ServerError"),
    ("prawcore.bad_gateway", "GET /", "ServerError"),
    ("prawcore.forbidden", "POST /api/v1/access_token", "token"),
    ("prawcore.forbidden", "GET /user/spez/gilded/given", "Forbidden"),
    ("prawcore.not_found", "POST /api/v1/access_token", "token"),
    ("prawcore.not_found", "GET /r/reddit_api_test/wiki/invalid", "NotFound"),
    ("prawcore.service_unavailable", "POST /api/v1/access_token", "token"),
    ("prawcore.service_unavailable", "GET /", "ServerError"),
    ("prawcore.service_unavailable", "GET /", "ServerError"),
    ("prawcore.service_unavailable", "GET /", "ServerError"),
    ("prawcore.too__many_requests__with_retry_headers", "POST /api/v1/access_token", "token"),
    ("prawcore.too__many_requests__with_retry_headers", "GET /api/v1/me", "RateLimited"),
    ("prawcore.too__many_requests__without_retry_headers", "POST /api/v1/access_token", "RateLimited"),
    ("prawcore.unavailable_for_legal_reasons", "POST /api/v1/access_token", "token"),
    ("prawcore.unavailable_for_legal_reasons", "GET /", "UnavailableForLegalReasons"),
    ("prawcore.with_invalid_access_token", "POST /api/v1/access_token", "token"),
    ("prawcore.with_invalid_access_token", "GET /", "BadCredentials"),
    ("prawcore.TestScriptAuthorizer.test_refresh", "POST /api/v1/access_token", "token"),
    ("prawcore.TestScriptAuthorizer.test_refresh__with_invalid_username_or_password",
     "POST /api/v1/access_token", "BadCredentials"),
    ("prawcore.TestReadOnlyAuthorizer.test_refresh", "POST /api/v1/access_token", "token"),
]
# fmt: on


@cache
def recorded():
    return [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]


def answer_of(exchange):
    what = urlsplit(exchange["url"]).path
    return check_answer(exchange["status"], exchange["headers"], exchange["body"].encode(), what=what)


def listing_of(recording, path):
    """Return the parsed children of one recorded listing, or of the post's listing of a comments page."""
    (exchange,) = [
        one
        for one in recorded()
        if one["recording"] == recording and urlsplit(one["url"]).path == path and one["status"] == 200
    ]
    answer = answer_of(exchange)
    children, after = parse_listing(answer[0] if isinstance(answer, list) else answer, what=path)
    return [parse_post(child, key=b"key", collected_at=1_700_000_000) for child in children], after


def type_of(answer):
    if isinstance(answer, list):
        return "comments page"
    if answer.get("kind") == "Listing":
        return "listing"
    names = {"access_token": "token", "asset": "upload lease", "json": "submitted"}
    return next(
        (name for key, name in names.items() if key in answer), "nothing" if answer == {} else "unknown"
    )


def test_every_exchange_is_its_answer_or_its_error():
    found = []
    for exchange in recorded():
        try:
            kind = type_of(answer_of(exchange))
        except RedditError as error:
            kind = type(error).__name__
        path = urlsplit(exchange["url"]).path
        found.append((exchange["recording"], f"{exchange['method']} {path}", kind))
    assert found == EXCHANGES


def test_the_rate_limit_keeps_its_wait_where_reddit_says_it():
    waits = {}
    for exchange in recorded():
        if exchange["status"] == 429:
            with pytest.raises(RateLimited) as caught:
                answer_of(exchange)
            waits[exchange["recording"]] = caught.value.retry_after
    assert waits == {
        "prawcore.too__many_requests__with_retry_headers": 4.0,
        "prawcore.too__many_requests__without_retry_headers": None,
    }


def test_the_opt_in_to_a_quarantine_is_a_redirect():
    (exchange,) = [one for one in recorded() if one["status"] == 302]
    with pytest.raises(RedditError) as caught:
        answer_of(exchange)
    assert str(caught.value) == (
        "/api/quarantine_optin: Reddit redirects the request (to https://oauth.reddit.com/r/ferguson.json); "
        "check the name; if it is right, please report it"
    )


INFO = "praw.TestReddit.test_info"


@pytest.mark.parametrize(
    ("recording", "path", "size", "page_after", "kinds"),
    [
        (
            "praw.TestFront.test_top",
            "/top",
            100,
            "t3_3hidw9",
            {"image": 38, "imgur_image": 7, "imgur_album": 5, "video": 20, "text": 19, "link": 11},
        ),
        (
            "praw.TestMultiredditListings.test_top",
            "/user/kjoneslol/m/sfwpornnetwork/top",
            100,
            "t3_4h7iqq",
            {"image": 80, "imgur_image": 19, "link": 1},
        ),
        ("praw.TestSubmission.test_crosspost__nsfw", "/comments/6vx01b/", 1, None, {"text": 1}),
        ("praw.TestSubmission.test_crosspost__nsfw", "/comments/c27k7n/", 1, None, {"text": 1}),
        (
            "praw.TestSubmission.test_hide_multiple_in_batches",
            "/r/popular/hot",
            100,
            "t3_1skbyfv",
            {"image": 50, "gallery": 59, "video": 25, "text": 6, "link": 5},
        ),
        ("praw.TestSubreddit.test_submit_gallery", "/comments/huw6vs/", 1, None, {"gallery": 4}),
        ("praw.TestSubredditListings.test_top", "/r/askreddit/top", 100, "t3_3i6z8w", {"text": 100}),
        (
            "praw.TestSubredditQuarantine.test_opt_in",
            "/r/ferguson/hot",
            101,
            "t3_2yu81x",
            {"image": 3, "imgur_album": 1, "video": 11, "text": 10, "link": 76},
        ),
    ],
)
def test_every_child_of_a_listing_is_a_post(recording, path, size, page_after, kinds):
    posts, after = listing_of(recording, path)
    assert (len(posts), after) == (size, page_after)
    assert {type(post) for post in posts} == {Post}
    assert Counter(media.kind for post in posts for media in post.media) == kinds
    assert {media.status for post in posts for media in post.media} <= {"pending", "not_image"}


def test_the_front_of_reddit_holds_its_images_galleries_and_videos():
    posts, _ = listing_of("praw.TestSubmission.test_hide_multiple_in_batches", "/r/popular/hot")
    media = [one for post in posts for one in post.media]
    images = [one for one in media if one.kind == "image"]
    gallery = [one for one in media if one.kind == "gallery"]
    assert len([one for one in images if one.url.startswith("https://i.redd.it/")]) == 50
    assert all(one.fallback_url.startswith("https://preview.redd.it/") for one in [*images, *gallery])
    assert len(gallery) == 59
    assert all(one.status == "pending" and one.url.startswith("https://i.redd.it/") for one in gallery)
    assert len([post for post in posts if post.media[0].kind == "gallery"]) == 14
    hosts = Counter(urlsplit(one.url).netloc for one in media if one.kind == "video")
    assert hosts == {"v.redd.it": 24, "streamable.com": 1}


def test_info_by_id_rejects_comments_and_subreddits_only():
    rejected, removed, kinds = Counter(), Counter(), Counter()
    for exchange in recorded():
        if exchange["recording"] != INFO or exchange["method"] != "GET":
            continue
        children, after = parse_listing(answer_of(exchange))
        assert after is None
        for child in children:
            found = parse_post(child, key=b"key", collected_at=1_700_000_000)
            if isinstance(found, Rejection):
                rejected[found.reason, found.detail] += 1
            else:
                removed[found.removed] += 1
                kinds.update(media.kind for media in found.media)
    assert rejected == {("not_a_post", "t1"): 100, ("not_a_post", "t5"): 100}
    assert removed == {None: 88, "deleted": 3, "removed": 6}
    assert kinds == {"image": 7, "imgur_image": 2, "imgur_album": 1, "video": 13, "text": 37, "link": 37}
