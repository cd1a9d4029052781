"""What one address may cost the others: broken ones of a host, hosts that are down, bodies in memory."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from collectors.crawl.crawl import Plan, crawl
from collectors.crawl.decode import ImagePolicy
from collectors.crawl.download import Downloads
from collectors.crawl.progress import Progress
from collectors.crawl.source import Page
from collectors.crawl.summary import Summary, silent_hosts
from collectors.crawl.workers import Workers
from collectors.http.client import Limits
from collectors.http.rates import Budget
from collectors.store import Store
from collectors.store.record import Media, Outcome, Post
from collectors.store.rows import ticket_of
from tests.collectors.fetching import FREELY, Hurried, answering, client_to, site
from tests.collectors.local_folder import jpeg

ONE_BY_ONE = Budget(rate=1000, max_rate=1000, at_once=1)


def posts(urls):
    return [
        Post(f"reddit:{k}", "reddit", "happy", "A title", collected_at=1, media=(Media(url, 0, "image"),))
        for k, url in enumerate(urls)
    ]


def download(folder: Path, urls, handler, *, budget=FREELY, workers=None, limits=None):
    """Run the image stage once: rows of (url, status, reason, retry, attempts), and the paths in order."""
    asked = []

    async def noting(request):
        asked.append(request.path)
        return await handler(request)

    async def go():
        with Store.open(folder) as store, store.run("test") as run:
            store.add(posts(urls))
            store.requeue(["happy"])
            async with (
                site(noting) as base,
                client_to(base, limits or Limits(deadline=5), default_budget=budget) as client,
            ):
                with workers(client) if workers else Workers(1, folder, run.run_id, ImagePolicy()) as kept:
                    stage = Downloads(store, run, client, kept, ["happy"], Progress())
                    stage.collected.set()
                    await stage.run_all()
            return store._db.execute(
                "select url, status, reason, retry, attempts from media order by url"
            ).fetchall()

    return asyncio.run(go()), asked


async def good_or_500(request):
    if "bad" in request.path:
        return web.Response(status=500)
    return web.Response(body=jpeg(3))


@pytest.mark.slow
@pytest.mark.parametrize("budget", [FREELY, ONE_BY_ONE])
def test_nine_broken_addresses_that_sort_first_keep_no_other_image_from_being_stored(tmp_path, budget):
    bad = [f"https://h.example/0-bad-{k}.jpg" for k in range(9)]
    good = [f"https://h.example/good-{k}.jpg" for k in range(100)]
    rows, asked = download(tmp_path, bad + good, good_or_500, budget=budget)
    assert [(row[1], row[2], row[3]) for row in rows] == [
        *[("failed", "server_error", 1)] * 9,
        *[("stored", None, 0)] * 100,
    ]
    assert [row[4] for row in rows] == [4] * 9 + [1] * 100
    assert max(Counter(asked).values()) == 4
    assert {path.removeprefix("/") for path in asked[:109]} == {
        url.removeprefix("https://") for url in bad + good
    }


@pytest.mark.slow
def test_a_rerun_asks_for_the_untried_addresses_first_though_most_are_broken(tmp_path):
    # In the order in which they are asked for: nine that fail and cost the first run the host, then ten
    # times eight that fail and a good one.
    order = sorted((f"https://h.example/{k}.jpg" for k in range(100)), key=ticket_of)
    good = {url for place, url in enumerate(order[9:99]) if place % 9 == 8}

    async def handler(request):
        return web.Response(body=jpeg(3)) if f"https:/{request.path}" in good else web.Response(status=500)

    rows, asked = download(tmp_path, order, handler, budget=ONE_BY_ONE)
    assert asked == [url.removeprefix("https:/") for url in order[:9]]
    assert Counter(row[1:] for row in rows) == {
        ("failed", "host_down", 1, 0): 91,
        ("failed", "server_error", 1, 1): 9,
    }
    rows, asked = download(tmp_path, order, handler, budget=ONE_BY_ONE)
    assert asked[:90] == [url.removeprefix("https:/") for url in order[9:99]]
    assert {row[0] for row in rows if row[1] == "stored"} == good


def test_a_second_address_is_asked_for_after_the_last_try_at_the_first(tmp_path):
    first = Media("https://h.example/bad.jpg", 0, "image", fallback_url="https://p.example/good.jpg")
    other = Media("https://h.example/other.jpg", 1, "image")
    asked = []

    async def handler(request):
        asked.append(request.path)
        return await good_or_500(request)

    async def go():
        with Store.open(tmp_path) as store, store.run("test") as run:
            store.add([Post("reddit:1", "reddit", "happy", "t", collected_at=1, media=(first, other))])
            async with site(handler) as base, client_to(base, default_budget=ONE_BY_ONE) as client:
                with Workers(1, tmp_path, run.run_id, ImagePolicy()) as workers:
                    stage = Downloads(store, run, client, workers, ["happy"], Progress())
                    stage.collected.set()
                    await stage.run_all()
            return store._db.execute(
                "select status, final_url, attempts from media order by position"
            ).fetchall()

    assert asyncio.run(go()) == [
        ("stored", "https://p.example/good.jpg", 4),
        ("stored", "https://h.example/other.jpg", 1),
    ]
    assert sorted(asked[:2]) == ["/h.example/bad.jpg", "/h.example/other.jpg"]
    assert asked[2:] == ["/h.example/bad.jpg"] * 3 + ["/p.example/good.jpg"]


# -- hosts that gave nothing ----------------------------------------------------------------------


class Listed:
    """A source of one page."""

    def __init__(self, urls):
        self.urls = urls

    async def pages(self):
        yield Page("happy", "test", posts(self.urls), cursor=None, last=True)


def collected(folder, urls, handler):
    async def go():
        async with site(handler) as base:
            client = client_to(base, default_budget=FREELY)

            async def make_source(store, client, stack):
                return Listed(urls)

            return await crawl(Plan(folder, "test", ["happy"], processes=1), client, make_source)

    return asyncio.run(go())


def test_a_host_that_gave_nothing_is_a_problem_of_the_summary_and_exit_code_1(tmp_path):
    async def handler(request):
        host = request.path.split("/")[1]
        if host == "down.example":
            return web.Response(status=503)
        return web.Response(body=jpeg(3)) if host == "up.example" else web.Response(status=404)

    urls = [f"https://{host}.example/{k}.jpg" for host in ("down", "up", "lost") for k in range(20)]
    summary = collected(tmp_path, urls, handler)
    assert summary.exit_code == 1
    assert set(summary.silent) == {"down.example"}
    problems = [line for line in str(summary).splitlines() if line.startswith("problem")]
    assert problems == [
        "problem down.example gave no answer for 20 images (server error): check whether it can be reached, "
        "and run the same command again later"
    ]


def test_a_host_of_which_one_address_was_answered_is_no_problem(tmp_path):
    async def handler(request):
        return web.Response(status=403 if request.path.endswith("/7.jpg") else 500)

    summary = collected(tmp_path, [f"https://h.example/{k}.jpg" for k in range(8)], handler)
    assert (summary.exit_code, summary.silent) == (0, {})


def test_of_many_silent_hosts_those_with_the_most_images_are_named_and_the_rest_counted():
    by_host = {f"h{k}.example": Counter(dns_error=k, connect_error=1) for k in range(1, 9)}
    by_host["up.example"] = Counter(stored=1, dns_error=50)
    by_host["gone.example"] = Counter(not_found=50)
    summary = Summary(
        asked=0,
        posts=Counter(),
        by_community={},
        media=Counter(),
        fetched=Counter(),
        failures=(),
        trouble=None,
        folder=Path("s"),
        seconds=1,
        interrupted=False,
        silent=silent_hosts(by_host),
    )
    problems = [line.split(": check")[0] for line in str(summary).splitlines() if line.startswith("problem")]
    assert problems == [
        *(f"problem h{k}.example gave no answer for {k + 1} images (dns error)" for k in (8, 7, 6, 5, 4)),
        "problem 3 more hosts gave no answer for 9 images",
    ]
    assert summary.exit_code == 1


def test_one_image_waits_and_two_wait_for_a_run_that_is_named_when_their_posts_are_new():
    def summary(waiting, silent, outcome="new"):
        return Summary(
            asked=1,
            posts=Counter({outcome: 1}),
            by_community={},
            media=Counter({("pending", None): waiting}),
            fetched=Counter(),
            failures=(),
            trouble=None,
            folder=Path("s"),
            seconds=1,
            interrupted=False,
            silent=silent_hosts({f"h{k}.example": Counter(dns_error=1) for k in range(silent)}),
        )

    assert str(summary(1, 0)).endswith("next    1 image waits: run again with --media")
    assert str(summary(2, 0)).endswith("next    2 images wait: run again with --media")
    assert str(summary(2, 0, "known")).splitlines()[1:] == [
        "images  linked 2 = 2 pending",
        "store   s  (1 s)",
    ]
    assert "h0.example gave no answer for 1 image (dns error)" in str(summary(0, 1))
    assert "1 more host gave no answer for 1 image\n" in str(summary(0, 6))


# -- bytes in flight ------------------------------------------------------------------------------


class SlowWorkers:
    """Holds bodies as slow decoders do, and notes how many bytes it was given at once."""

    def __init__(self, client):
        self.client, self.held, self.peak = client, 0, 0
        self.two = asyncio.Semaphore(2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    async def keep(self, data, url):
        self.held += len(data)
        self.peak = max(self.peak, self.held)
        assert self.held <= self.client._in_flight.used <= self.client.limits.in_flight
        async with self.two:
            for _ in range(20):
                await asyncio.sleep(0)
        self.held -= len(data)
        return Outcome("failed", "not_an_image")


@pytest.mark.slow
@pytest.mark.parametrize("said", [True, False])
def test_bodies_that_wait_for_a_decoder_stay_within_the_budget_at_any_number_of_hosts(tmp_path, said):
    async def handler(request):
        response = web.StreamResponse()
        if said:
            response.content_length = 100_000
        await response.prepare(request)
        await response.write(bytes(100_000))
        return response

    seen = []

    def slow(client):
        seen.append(SlowWorkers(client))
        return seen[0]

    urls = [f"https://h{host}.example/{k}.jpg" for host in range(20) for k in range(8)]
    limits = Limits(deadline=5, in_flight=1_000_000, max_bytes=200_000)
    rows, asked = download(tmp_path, urls, handler, workers=slow, limits=limits)
    assert {row[1:] for row in rows} == {("failed", "not_an_image", 0, 1)}
    assert len(asked) == 160
    assert 400_000 < seen[0].peak <= 1_000_000


@asynccontextmanager
async def full(client, size):
    """Let something else take `size` bytes of the budget."""
    with client._in_flight.share() as share:
        await share.reserve(size)
        yield share


@pytest.mark.slow
def test_waiting_for_room_does_not_count_against_the_deadline():
    async def go():
        limits = Limits(deadline=0.3, in_flight=1000, max_bytes=500)
        async with site(answering({"body": bytes(100)})) as base, client_to(base, limits) as client:
            async with full(client, 1000):
                waiting = asyncio.create_task(client.get("https://i.redd.it/a.jpg"))
                done, _ = await asyncio.wait([waiting], timeout=0.6)
                assert not done
            return len((await waiting).body), client._in_flight.used

    assert asyncio.run(go()) == (100, 0)


def test_a_body_counts_until_its_block_ends_and_a_failure_leaves_nothing():
    async def handler(request):
        if request.path.endswith("/a.jpg"):
            return web.Response(body=bytes(100))
        return web.Response(status=500, body=bytes(100))

    async def go():
        async with site(handler) as base, client_to(base, Limits(), clock=Hurried()) as client:
            async with client.getting("https://i.redd.it/a.jpg") as answer:
                inside = (len(answer.body), client._in_flight.used)
            outside = client._in_flight.used
            with pytest.raises(Exception, match="server_error"):
                async with client.getting("https://i.redd.it/b.jpg"):
                    pass
            return inside, outside, client._in_flight.used

    assert asyncio.run(go()) == ((100, 100), 0, 0)


def test_slow_answers_of_unknown_size_take_no_room_from_others():
    async def handler(request):
        if "slow" not in request.path:
            return web.Response(body=bytes(400))
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        await asyncio.sleep(5)
        return response

    async def go():
        limits = Limits(deadline=5, in_flight=1000, max_bytes=500, sockets=20)
        async with site(handler) as base, client_to(base, limits, default_budget=FREELY) as client:
            slow = [asyncio.create_task(client.get(f"https://slow.example/{k}")) for k in range(16)]
            while client._in_flight.used < 16 * 25:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            async with asyncio.timeout(3):
                got = await client.get("https://i.redd.it/a.jpg")
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)
            return len(got.body), client._in_flight.used

    assert asyncio.run(go()) == (400, 0)


def test_answers_of_unknown_size_that_turn_out_large_never_wait_for_each_other(tmp_path):
    async def handler(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(45):
            await response.write(bytes(10))
            await asyncio.sleep(0)
        return response

    async def go():
        limits = Limits(deadline=5, in_flight=1000, max_bytes=500, sockets=20)
        async with site(handler) as base, client_to(base, limits, default_budget=FREELY) as client:
            all_of_them = [client.get(f"https://h{k}.example/a") for k in range(60)]
            async with asyncio.timeout(20):
                return {len(answer.body) for answer in await asyncio.gather(*all_of_them)}

    assert asyncio.run(go()) == {450}
