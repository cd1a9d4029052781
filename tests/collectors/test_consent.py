"""Signals by which hosts and authors refuse the use of an image for AI: kept, honoured, and named."""

import asyncio

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from collectors.http.consent import RobotsTxt, merged, refusing, shown
from tests.collectors.fetching import client_to, got, marks, outcome, site

# -- what a signal says ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ["noai"],
        ["NoAI"],
        ["noimageai"],
        ["noml"],
        ["noindex,noimageai"],
        ["noindex; noai"],
        ["affectory: noai"],
        ["googlebot: noindex, affectory: noai"],
        ["noindex", "noai"],
        ["googlebot: noai", "noml"],
        ["max-image-preview:large, noai"],
        ["noai, unavailable_after: 25 Jun 2010 15:00:00 PST"],
        ["unavailable_after: Fri, 25 Jun 2010 15:00:00 GMT, noai"],
    ],
)
def test_a_robots_tag_refuses_everyone_or_us(lines):
    assert refusing({"x-robots-tag": lines}) == "x-robots-tag"


@pytest.mark.parametrize(
    "lines",
    [
        [""],
        ["noindex, nofollow"],
        ["max-image-preview:large"],
        ["noaim"],
        ["all"],
        ["googlebot: noai"],
        ["googlebot: noindex, noai"],
        ["otherbot: noai", "noindex"],
        ["unavailable_after: 25 Jun 2010 15:00:00 PST"],
    ],
)
def test_a_robots_tag_for_other_crawlers_or_purposes_refuses_nothing(lines):
    assert refusing({"x-robots-tag": lines}) is None


@pytest.mark.parametrize(
    ("signals", "refused_by"),
    [
        ({"tdm-reservation": ["1"]}, "tdm-reservation"),
        ({"tdm-reservation": ["0"], "tdm-policy": ["https://a.example/policy"]}, None),
        ({"tdm-reservation": ["yes"]}, None),
        ({"content-usage": ["train-ai=n"]}, "content-usage"),
        ({"content-usage": ["search=y, train-ai=n;until=2027"]}, "content-usage"),
        ({"content-usage": ["search=n", "train-ai=n"]}, "content-usage"),
        ({"content-usage": ["train-ai=y"]}, None),
        ({"content-usage": ["train-ai=n, train-ai=y"]}, None),
        ({"content-usage": ["Train-AI=n"]}, None),
        ({"content-usage": ["train-ai;x=n, search=n"]}, None),
        ({"robots.txt": ["Disallow: /"], "x-robots-tag": ["noai"]}, "robots.txt"),
        ({"robots.txt": ["Content-Usage: train-ai=n"]}, "robots.txt"),
        ({"robots.txt": ["Content-Usage: /a/ search=y, train-ai=n"]}, "robots.txt"),
        ({"robots.txt": ["Content-Usage: /a/ train-ai=y", "Content-Usage: /a/ train-ai=n"]}, "robots.txt"),
        ({"robots.txt": ["Content-Usage: /train-ai=n"]}, None),
        ({"robots.txt": ["Content-Usage: train-ai=y"], "content-usage": ["train-ai=n"]}, "content-usage"),
        ({}, None),
    ],
)
def test_reservations_and_preferences_refuse_as_their_specifications_say(signals, refused_by):
    assert refusing(signals) == refused_by


@given(st.lists(st.text()))
def test_no_header_raises(values):
    refusing(dict.fromkeys(("x-robots-tag", "tdm-reservation", "content-usage"), values))


def test_a_signal_is_shown_with_its_headers_name():
    signals = {"x-robots-tag": ["noindex", "noai"], "tdm-reservation": ["1"], "content-usage": ["train-ai=n"]}
    assert [shown(signals, name) for name in signals] == [
        "X-Robots-Tag: noindex, noai",
        "tdm-reservation: 1",
        "Content-Usage: train-ai=n",
    ]
    assert merged(signals, {"x-robots-tag": ["noai", "noml"]})["x-robots-tag"] == ["noindex", "noai", "noml"]


def test_robots_txt_names_the_rule_that_applies_to_us():
    robots = RobotsTxt(
        b"\xef\xbb\xbfUser-agent: GPTBot\nDisallow: /images/2024/\n\n"
        b"User-agent: *\nUser-agent: OtherBot\nDisallow: /images/ # all of them\nDisallow: /*.gif$\n"
        b"Allow: /images/open/\n"
    )
    assert robots.rules("https://a.example/images/2024/b.jpg") == ["Disallow: /images/"]
    assert robots.rules("https://a.example/c.gif") == ["Disallow: /*.gif$"]
    assert robots.rules("https://a.example/images/open/b.jpg") == []
    assert robots.rules("https://a.example/b.jpg") == []
    ours = RobotsTxt(b"User-agent: affectory\nDisallow: /\nUser-agent: *\nDisallow:\n")
    assert ours.rules("https://a.example/b.jpg") == ["Disallow: /"]


def test_robots_txt_says_what_an_image_may_be_used_for_by_the_longest_path_that_matches():
    robots = RobotsTxt(
        b"User-Agent: *\nAllow: /\nDisallow: /never/\nCONTENT-USAGE : train-ai=n # by default\n"
        b"Content-Usage: /ai-ok/ train-ai=y\nContent-Usage:\t/ai-ok/*.gif\tsearch=n, train-ai=n\n"
        b"Content-Usage: /twice/ train-ai=y\nContent-Usage: /twice/ train-ai=n\n"
    )
    expected = {
        "/b.jpg": ["Content-Usage: train-ai=n"],
        "/never/b.jpg": ["Disallow: /never/"],
        "/ai-ok/b.jpg": ["Content-Usage: /ai-ok/ train-ai=y"],
        "/ai-ok/b.gif": ["Content-Usage: /ai-ok/*.gif\tsearch=n, train-ai=n"],
        "/twice/b.jpg": ["Content-Usage: /twice/ train-ai=y", "Content-Usage: /twice/ train-ai=n"],
    }
    assert {path: robots.rules(f"https://a.example{path}") for path in expected} == expected
    refused = {path: refusing({"robots.txt": rules}) for path, rules in expected.items()}
    assert [path for path, by in refused.items() if by is None] == ["/ai-ok/b.jpg"]


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        (b"User-agent: GPTBot\nContent-Usage: train-ai=n\n\nUser-agent: *\nAllow: /\n", []),
        (b"User-agent: *\nContent-Usage: train-ai=n\n\nUser-agent: Affectory\nAllow: /\n", []),
        (b"User-agent: Affectory\nUser-agent: GPTBot\nContent-Usage: train-ai=n\n", ["train-ai=n"]),
        (b"User-agent: *\nSitemap: https://a.example/\nUser-agent: B\nContent-Usage: /b x=n\n", ["/b x=n"]),
        (b"Content-Usage: train-ai=n\nUser-agent: *\n", []),
        (b"User-agent: *\nContent-Usage: /a train-ai=n\n", []),
    ],
)
def test_only_the_usage_of_our_own_group_counts(body, rules):
    found = RobotsTxt(body).rules("https://a.example/b.jpg")
    assert found == [f"Content-Usage: {rule}" for rule in rules]


@given(st.binary())
def test_no_robots_txt_raises(body):
    for name in (b"Disallow: /", b"Content-Usage: "):
        signals = {"robots.txt": RobotsTxt(b"User-agent: *\n" + name + body).rules("https://a.example/b.jpg")}
        refusing(signals)


# -- the client -----------------------------------------------------------------------------------


def hosting(robots=None, **headers):
    """A handler of a host: `robots` is the answer to robots.txt (default: 404), `headers` are an image's."""

    async def handler(request):
        if request.path.endswith("/robots.txt"):
            return web.Response(**(robots or {"status": 404}))
        response = web.Response(body=b"image")
        for name, values in headers.items():
            for value in values:
                response.headers.add(name.replace("_", "-"), value)
        return response

    return handler


def test_an_answers_signals_are_kept_as_they_came():
    headers = {
        "X_Robots_Tag": ["noindex", "googlebot: noai"],
        "TDM_Reservation": ["0"],
        "Content_Usage": ["train-ai=y"],
    }
    answer, asked, _ = got(hosting(**headers), image=True)
    assert answer.signals == {
        "x-robots-tag": ["noindex", "googlebot: noai"],
        "tdm-reservation": ["0"],
        "content-usage": ["train-ai=y"],
    }
    assert asked == ["/i.redd.it/robots.txt", "/i.redd.it/a.jpg"]


def test_a_refusal_in_a_second_header_counts_and_needs_no_body():
    error, _, _ = got(hosting(X_Robots_Tag=["noindex", "noml"]), image=True)
    assert marks(error) == ("noai", [])
    assert (error.refused_by, error.detail) == ("x-robots-tag", "X-Robots-Tag: noindex, noml")
    error, _, _ = got(hosting(tdm_reservation=["1"], tdm_policy=["https://a.example/p"]), image=True)
    assert (marks(error), error.detail) == (("tdm_reservation", []), "tdm-reservation: 1")
    assert error.signals == {"tdm-reservation": ["1"], "tdm-policy": ["https://a.example/p"]}
    error, _, _ = got(hosting(Content_Usage=["train-ai=n"]), image=True)
    assert (marks(error), error.detail) == (("content_usage", []), "Content-Usage: train-ai=n")


def test_an_api_isnt_asked_for_a_robots_txt_and_its_tags_refuse_nothing():
    answer, asked, _ = got(hosting(X_Robots_Tag=["noai"]))
    assert (answer.status, answer.signals, asked) == (200, {}, ["/i.redd.it/a.jpg"])


def test_what_robots_txt_says_of_an_images_use_is_kept_and_refuses_before_the_image_is_asked_for():
    usage = "User-agent: *\nContent-Usage: train-ai=n\nContent-Usage: /a.jpg train-ai=y\n"
    answer, _, _ = got(hosting({"text": usage}), image=True)
    assert answer.signals == {"robots.txt": ["Content-Usage: /a.jpg train-ai=y"]}
    error, asked, _ = got(hosting({"text": usage.replace("=y", "=n")}), image=True)
    assert (marks(error), error.refused_by) == (("robots_txt", []), "robots.txt")
    assert error.detail == "robots.txt: Content-Usage: /a.jpg train-ai=n"
    assert asked == ["/i.redd.it/robots.txt"]
    error, _, _ = got(hosting({"text": usage}, Content_Usage=["train-ai=n"]), image=True)
    assert (marks(error), error.refused_by) == (("content_usage", []), "content-usage")


def test_a_host_that_refuses_ai_on_every_page_can_still_be_busy_or_lack_the_image():
    left = [404, 429, 200]

    async def handler(request):
        status = 404 if request.path.endswith("/robots.txt") else left.pop(0)
        return web.Response(status=status, headers={"X-Robots-Tag": "noai"})

    async def go():
        async with site(handler, robots=True) as base, client_to(base) as client:
            first = await outcome(client, "https://i.redd.it/a.jpg", image=True)
            return first, await outcome(client, "https://i.redd.it/b.jpg", image=True), client

    first, second, client = asyncio.run(go())
    assert marks(first) == ("not_found", ["gone"])
    assert (marks(second), left) == (("noai", []), [])
    assert client.hosts["i.redd.it"].rate < 500


def test_robots_txt_is_asked_for_once_a_host_and_before_its_first_image():
    asked = []

    async def handler(request):
        asked.append(request.path)
        if request.path.endswith("/robots.txt"):
            return web.Response(text="User-agent: *\nDisallow: /private/\n")
        return web.Response(body=b"image")

    async def go():
        async with site(handler, robots=True) as base, client_to(base) as client:
            urls = [f"https://i.redd.it/{place}{n}.jpg" for place in ("", "private/") for n in range(5)]
            return await asyncio.gather(*(outcome(client, url, image=True) for url in urls))

    *open_to_us, closed = asyncio.run(go())
    assert [answer.status for answer in open_to_us[:5]] == [200] * 5
    assert (marks(closed), closed.detail) == (("robots_txt", []), "robots.txt: Disallow: /private/")
    assert closed.signals == {"robots.txt": ["Disallow: /private/"]}
    assert asked[0] == "/i.redd.it/robots.txt"
    assert sorted(asked[1:]) == [f"/i.redd.it/{n}.jpg" for n in range(5)]


@pytest.mark.parametrize(
    "robots",
    [
        {"status": 404},
        {"status": 403},
        {"status": 410},
        {"body": b"\xff\xd8\xff an image"},
        {"status": 302, "headers": {"Location": "https://i.imgur.com/removed.png"}},
    ],
)
def test_without_a_robots_txt_everything_is_allowed(robots):
    answer, _, _ = got(hosting(robots), image=True)
    assert answer.body == b"image"


@pytest.mark.parametrize(("status", "reason"), [(503, "server_error"), (429, "rate_limited")])
def test_until_a_failing_robots_txt_is_known_its_images_fail_in_the_same_way(status, reason):
    error, asked, _ = got(hosting({"status": status}), image=True)
    assert (error.reason, error.retry, error.detail) == (reason, True, f"robots.txt: HTTP {status}")
    assert set(asked) == {"/i.redd.it/robots.txt"}
    answer, _, _ = got(hosting({"status": status}), image=True, honour_robots=False)
    assert answer.body == b"image"


def test_a_failing_robots_txt_opens_the_breaker_as_failing_images_do():
    async def go():
        async with site(hosting({"status": 503}), robots=True) as base, client_to(base) as client:
            urls = [f"https://i.redd.it/{n}.jpg" for n in range(20)]
            return [await outcome(client, url, image=True) for url in urls], client

    errors, client = asyncio.run(go())
    assert client.hosts["i.redd.it"].given_up == "host_down"
    assert [errors[0].reason, errors[-1].reason] == ["server_error", "host_down"]


def test_the_hosts_of_redirects_have_their_say_too():
    async def handler(request):
        if request.path == "/b.example/robots.txt":
            return web.Response(text="User-agent: *\nDisallow: /c\n")
        if request.path == "/i.redd.it/a.jpg":
            return web.Response(status=302, headers={"Location": "https://b.example/c.jpg"})
        return web.Response(status=404)

    error, asked, _ = got(handler, image=True)
    assert (marks(error), error.detail) == (("robots_txt", []), "robots.txt: Disallow: /c")
    assert asked == ["/i.redd.it/robots.txt", "/i.redd.it/a.jpg", "/b.example/robots.txt"]


def test_a_robots_txt_may_be_elsewhere():
    async def handler(request):
        if request.path == "/i.redd.it/robots.txt":
            return web.Response(status=302, headers={"Location": "https://a.example/robots.txt"})
        return web.Response(text="User-agent: *\nDisallow: /a.jpg\n")

    error, asked, _ = got(handler, image=True)
    assert (marks(error), error.detail) == (("robots_txt", []), "robots.txt: Disallow: /a.jpg")
    assert asked == ["/i.redd.it/robots.txt", "/a.example/robots.txt"]
