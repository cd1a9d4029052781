"""`collectors.reddit.answers`: each answer is its JSON or its own error."""

import pytest

from affectory.core.errors import SourceError
from collectors.reddit import answers
from collectors.reddit.answers import RateLimited, RedditError, check_answer

BLOCKED = b"<!doctype html><html><head>\n<title>\n Blocked\n</title></head><body>whoa there</body></html>"


def failure(status, body=b"", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(SourceError) as caught:
        check_answer(status, headers, body, what="r/happy", now=1_445_412_470.0)
    return caught.value


def test_a_good_answer_is_its_json():
    assert check_answer(200, {}, b'{"kind": "Listing"}', what="r/happy") == {"kind": "Listing"}
    assert check_answer(201, {}, b"[]", what="r/happy") == []
    assert check_answer(200, {}, b'{"error": 404}', what="r/happy") == {"error": 404}


def test_half_a_surrogate_pair_does_not_spoil_the_answer():
    assert check_answer(200, {}, rb'{"title": "\ud83d"}', what="r/happy") == {"title": "\ud83d"}


BEARER = {"WWW_Authenticate": 'Bearer realm="reddit", error="invalid_token"'}
BASIC = {"WWW_Authenticate": 'Basic realm="reddit"'}
SEARCH = {"Location": "https://oauth.reddit.com/subreddits/search.json?q=happpy"}
QUARANTINE = {"Location": "https://www.reddit.com/quarantine?dest=https%3A%2F%2Fwww.reddit.com%2F"}
OVER_18 = {"Location": "https://www.reddit.com/over18?dest=https%3A%2F%2Fwww.reddit.com%2F"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "error", "detail"),
    [
        (401, {}, b'{"message": "Unauthorized", "error": 401}', "BadCredentials", ""),
        (401, BASIC, b"", "BadCredentials", ""),
        (401, BEARER, b"", "TokenExpired", ""),
        (200, {}, b'{"error": "invalid_grant"}', "BadCredentials", "invalid_grant"),
        (200, {}, b'{"error": "unauthorized_client", "error_description": "No"}', "BadCredentials", "No"),
        (403, {}, b'{"message": "Forbidden", "error": 403}', "Forbidden", ""),
        (403, {}, BLOCKED, "Forbidden", "Blocked"),
        (403, {}, b'{"reason": "private", "error": 403}', "PrivateSubreddit", "private"),
        (403, {}, b'{"reason": "gold_only"}', "PrivateSubreddit", "gold_only"),
        (403, {}, b'{"reason": "employees_only"}', "PrivateSubreddit", "employees_only"),
        (403, {}, b'{"reason": "quarantined"}', "QuarantinedSubreddit", "quarantined"),
        (403, {}, b'{"reason": ["private"]}', "Forbidden", ""),
        (404, {}, b'{"reason": "banned", "error": 404}', "BannedSubreddit", ""),
        (404, {}, b'{"reason": "PAGE_NOT_CREATED"}', "NotFound", "PAGE_NOT_CREATED"),
        (404, {}, b"", "NotFound", ""),
        (302, SEARCH, b"", "UnknownSubreddit", ""),
        (302, QUARANTINE, b"", "OptInRequired", "/quarantine"),
        (302, OVER_18, b"", "OptInRequired", "/over18"),
        (302, {"location": "/r/happy.json"}, b"{}", "Redirected", "to /r/happy.json"),
        (301, {"location": "https://[half"}, b"", "Redirected", "to https://[half"),
        (307, {}, b"", "Redirected", ""),
        (429, {"Retry_After": "4"}, b"", "RateLimited", "wait 4 s"),
        (429, {}, b'{"message": "Too Many Requests"}', "RateLimited", ""),
        (451, {}, b"", "UnavailableForLegalReasons", ""),
        (500, {}, b"", "ServerError", "status 500"),
        (522, {}, b"<title>Connection timed out</title>", "ServerError", "status 522 Connection timed out"),
        (200, {}, BLOCKED, "MalformedAnswer", "a web page, 'Blocked'"),
        (200, {}, b'{"kind": "', "MalformedAnswer", '10 bytes that are no JSON: b\'{"kind": "\''),
        (200, {}, b"\xff\xfe\xfa", "MalformedAnswer", "3 bytes that are no JSON: b'\\xff\\xfe\\xfa'"),
        (204, {}, b"", "MalformedAnswer", "nothing at all"),
        (418, {}, b"", "UnexpectedStatus", "status 418"),
        (100, {}, b"", "UnexpectedStatus", "status 100"),
    ],
)
def test_each_failure_is_its_own_error(status, headers, body, error, detail):
    caught = failure(status, body, **headers)
    assert (type(caught).__name__, caught.what, caught.detail) == (error, "r/happy", detail)


# One literal message an error: what it is about, what happened, the next step.
MESSAGES = """
r/happy: Reddit refuses the credentials; check client_id, client_secret, username and password in praw.ini, or do without: --source archive
r/happy: the access token has expired; ask for a new one and repeat the request
r/happy: Reddit forbids it; check that your app is approved and its user agent unique, or leave it out
r/happy: the subreddit is open to members only; ask its moderators to let your account in, or leave it out
r/happy: the subreddit is quarantined; opt in once with your account in a browser, or leave it out
r/happy: Reddit finds nothing there; check the name or the id
r/happy: Reddit has banned the subreddit; leave it out, or read its posts from a dump (--source dump)
r/happy: there is no subreddit of that name; check the spelling
r/happy: Reddit redirects the request; check the name; if it is right, please report it
r/happy: Reddit asks to opt in first; opt in once with your account in a browser, or leave it out
r/happy: too many requests; wait, then repeat it
r/happy: Reddit withholds it for legal reasons; leave it out
r/happy: Reddit's servers failed; repeat it in some minutes
r/happy: the answer can't be read; repeat it; if it stays, please report it
r/happy: the answer is too large; repeat it later; if it stays, please report it
r/happy: an unexpected status; please report it
"""  # noqa: E501


def test_every_error_says_what_happened_and_the_next_step():
    every = [found for found in vars(answers).values() if isinstance(found, type)]
    named = [found for found in every if issubclass(found, RedditError) and found is not RedditError]
    assert [str(found("r/happy")) for found in named] == MESSAGES.strip().splitlines()
    assert (
        str(RateLimited("r/happy", "wait 4 s"))
        == "r/happy: too many requests (wait 4 s); wait, then repeat it"
    )


def test_only_what_may_pass_later_asks_for_a_retry():
    every = [
        found
        for found in vars(answers).values()
        if isinstance(found, type) and issubclass(found, SourceError)
    ]
    retried = {found.__name__ for found in every if getattr(found, "retry", False)}
    assert retried == {"TokenExpired", "RateLimited", "ServerError", "MalformedAnswer"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry_after": "4"}, 4.0),
        ({"retry_after": "0.5", "x_ratelimit_reset": "559"}, 0.5),
        ({"retry_after": "-3"}, 0.0),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 10.0),
        ({"retry_after": "Wed, 21 Oct 2015 07:27:00 GMT"}, 0.0),
        ({"retry_after": "Wed, 99 Oct 99999 07:28:00 GMT"}, None),
        ({"retry_after": "soon", "x_ratelimit_reset": "559"}, 559.0),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, None),
        ({"x_ratelimit_reset": "12.5"}, 12.5),
    ],
)
def test_the_wait_comes_from_seconds_a_date_or_the_rate_limits_reset(headers, seconds):
    assert failure(429, **headers).retry_after == seconds


def test_a_server_error_keeps_its_wait_too():
    assert failure(503, retry_after="30").retry_after == 30.0


def test_a_message_is_one_short_line_whatever_the_server_says():
    caught = failure(404, b'{"reason": "a\\nb\\u0000\\ud800' + b"x" * 500 + b'"}')
    assert str(caught).startswith("r/happy: Reddit finds nothing there (a b xxx")
    assert str(caught).isprintable()
    assert len(str(caught)) < 300


def test_json_nested_too_deep_is_a_malformed_answer():
    assert type(failure(200, b"[" * 100_000)) is answers.MalformedAnswer
    assert type(failure(403, b"[" * 100_000)) is answers.Forbidden
