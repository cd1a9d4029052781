"""A crawl of Flickr when something fails: answers that don't come, a network, the key, a kill."""

import asyncio

import pytest

from benchmarks import flickr as crash
from collectors.crawl.crawl import Plan, crawl
from collectors.flickr.listed import Listed
from collectors.flickr.lists import Lists
from collectors.flickr.sources import Asked, make_source
from collectors.flickr.votes import read_votes
from collectors.flickr.vso import Pair
from collectors.sandbox import running
from collectors.sandbox.own_lists import fetch_lists
from tests.collectors.flickr_runs import calls, rows

KEY = "0123456789abcdef0123456789abcdef"


def simulated(store, base, lists, key="sandbox"):
    """Crawl in this process, waiting for nothing; return the summary."""
    meter = crash.Meter(base, crash.SimulatedClock())
    plan = Plan(store, "test", lists.communities, media=False, shown_as="{}")
    return asyncio.run(crawl(plan, meter.client(), make_source(Asked(lists, key=key, quota=None))))


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "strikes"), [("500=0.1", 8), ("flickr_down=0.4", 4), ("truncated=0.1", 8)])
def test_what_flickr_does_not_answer_waits_for_a_rerun(tmp_path, fault, strikes):
    with running(posts=60, faults=[fault], strikes=strikes) as base:
        lists = read_votes(fetch_lists(base, tmp_path / "lists"))
        first = simulated(tmp_path / "s", base, lists)
        assert first.exit_code == 1
        assert first.posts["unavailable"] > 0
        assert "repeat the command to request only those" in str(first)
        left = 60 - first.posts["new"]
        while (summary := simulated(tmp_path / "s", base, lists)).exit_code == 1:
            assert summary.posts["new"] + summary.posts["unavailable"] <= left
            left -= summary.posts["new"]
    assert rows(tmp_path / "s", "select count(*) from posts")[0][0] == 60


@pytest.mark.slow
def test_an_api_that_never_answers_is_left_alone_after_twenty_photos(tmp_path):
    with running(posts=200, faults=["flickr_down=1"], strikes=99) as base:
        lists = read_votes(fetch_lists(base, tmp_path / "lists"))
        summary = simulated(tmp_path / "s", base, lists)
        assert len(calls(base)) < 40
    assert (summary.exit_code, summary.by_community["awe"]) == (2, 0)
    assert "no answer yet for 200 of 200 photos, the last time with: Flickr says 'Sorry, the Flickr" in str(
        summary
    )


@pytest.mark.parametrize("pairs", [(), (Pair("sad_dog", -1.0), Pair("calm_sea", 1.0))])
def test_without_a_network_the_first_call_is_the_last(tmp_path, pairs):
    lists = Lists(["negative"])
    for number in range(25):
        lists.add(Listed(str(number), pairs=("sad_dog",), sentiment="negative"))
    meter = crash.Meter("https://no-such-host.invalid", crash.SimulatedClock())
    plan = Plan(tmp_path / "s", "test", lists.communities, media=False, shown_as="{}")
    asked = Asked(lists, pairs, key=KEY, quota=None)
    summary = asyncio.run(crawl(plan, meter.client(), make_source(asked)))
    assert len(meter.times) == 4  # attempts at one call
    assert summary.exit_code == 2
    (failure,) = summary.failures
    left = "2 pairs are not searched to the end" if pairs else "no answer yet for 25 of 25 photos"
    assert str(failure.error).startswith(
        f"{left}, the last time with: no answer from Flickr's API (dns_error: "
    )


@pytest.mark.slow
def test_one_photo_without_an_answer_is_told_with_its_reason(tmp_path):
    with running(posts=200, faults=["flickr_down=1"], strikes=99) as base:
        lists = Lists(["awe"])
        lists.add(Listed("1", None, {"awe": 4}, 5))
        summary = simulated(tmp_path / "s", base, lists)
    assert "no answer yet for 1 of 1 photo, the last time with: Flickr says 'Sorry, the Flickr" in str(
        summary
    )


def test_a_refused_key_is_used_once(tmp_path, sandbox):
    lists = read_votes(fetch_lists(sandbox, tmp_path / "lists"))
    before = calls(sandbox)
    summary = simulated(tmp_path / "s", sandbox, lists, key="wrong")
    assert sum(calls(sandbox).values()) - sum(before.values()) == 1
    assert summary.exit_code == 2
    assert str(summary.trouble) == (
        "FLICKR_API_KEY is refused: Flickr says 'Invalid API Key (Key has invalid format)' (code 100); see "
        "https://www.flickr.com/services/api/keys/"
    )
    assert str(summary).splitlines()[-1] == (
        "next    fix the problem, then run the same command again to continue"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 oh no\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /services/rest/?api_key=" + KEY.encode() + b"\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: https://u@api.flickr.com/?api_key=" + KEY.encode() + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + KEY.encode() * 3,
        b'HTTP/1.1 200 OK\r\n\r\n{"stat": "fail", "code": 9, "message": "' + KEY.encode() + b'"}',
        b'HTTP/1.1 200 OK\r\n\r\n{"stat": "fail", "message": "no", "code": "' + KEY.encode() + b'"}',
        b'HTTP/1.1 200 OK\r\n\r\n{"stat": "ok", "photo": {"license": 1, "id": "' + KEY.encode() * 2 + b'"}}',
        b"HTTP/1.1 200 OK\r\n\r\n<html>" + KEY.encode() + b"</html>",
        b'HTTP/1.1 200 OK\r\n\r\n{"nothing": "of what was asked for", "key": "' + KEY.encode() + b'"}',
        b"HTTP/1.1 403 Forbidden\r\n\r\n" + KEY.encode(),
        b"",
    ],
)
def test_the_key_is_in_no_message_and_in_no_file(tmp_path, caplog, capfd, answer):
    async def go():
        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            meter = crash.Meter(base, crash.SimulatedClock())
            plan = Plan(tmp_path / "s", "test", ["awe"], media=False, shown_as="{}")
            lists = Lists(["awe"])
            for number in range(25):  # enough for the crawl to give up, and to say why
                lists.add(Listed(str(number), None, {"awe": 4}, 5))
            return await crawl(plan, meter.client(), make_source(Asked(lists, key=KEY, quota=None)))

    summary = asyncio.run(go())
    assert summary.exit_code == 2
    assert "no answer yet for 25 of 25 photos, the last time with: " in str(summary)
    written = b"".join(path.read_bytes() for path in (tmp_path / "s").rglob("*") if path.is_file())
    part = KEY[:8]  # a value that is shown cut may end within the key
    assert part.encode() not in written
    for text in (str(summary), repr(summary), caplog.text, *capfd.readouterr()):
        assert part not in text


@pytest.mark.slow
def test_a_short_key_that_is_a_word_of_the_answers_changes_nothing(tmp_path, sandbox):
    lists = read_votes(fetch_lists(sandbox, tmp_path / "lists"))
    lists.cut(10)
    summary = simulated(tmp_path / "s", sandbox, lists, key="ok")
    assert (summary.exit_code, summary.posts["new"], summary.posts["malformed_answer"]) == (0, 80, 0)
    simulated(tmp_path / "other", sandbox, lists, key="sandbox")
    texts = "select post_id, title, body, licence, tags, media_key from posts order by 1"
    assert rows(tmp_path / "s", texts) == rows(tmp_path / "other", texts)


@pytest.mark.slow
def test_a_killed_crawl_loses_nothing_and_asks_for_no_answered_photo_again(tmp_path):
    verdict = crash.killed(photos=150, kills=3, seed=1, folder=tmp_path)
    assert (verdict.differences, verdict.asked_again, verdict.fetched_again) == ([], 0, 0)
    assert verdict.posts == 150
    assert verdict.answered_at_kills[-1] > 0


@pytest.mark.slow
def test_the_hours_calls_are_never_exceeded_over_restarts(tmp_path):
    verdict = crash.metered(photos=300, restarts=4, seed=1, folder=tmp_path, calls=100)
    assert 80 < verdict.most_in_an_hour <= 100  # a call that was cut short counts, and isn't made
    assert verdict.posts == 300
    assert verdict.hours >= 2
