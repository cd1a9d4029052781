"""The image stage on a real store, against the sandbox."""

import asyncio
import functools
import time
from collections import Counter
from pathlib import Path

import pytest

from affectory.core.errors import StoreError
from collectors.crawl.decode import ImagePolicy, keep
from collectors.crawl.download import Downloads, as_outcome
from collectors.crawl.progress import Progress
from collectors.crawl.workers import TimeLimits, Workers
from collectors.http.answers import FetchError
from collectors.http.client import Limits, client_for
from collectors.http.rates import Budget
from collectors.sandbox.server import make_sandbox, serving
from collectors.store import Store
from collectors.store.record import Media, Outcome, Post
from tests.collectors.slow_work import keep_slowly


@functools.cache
def corpus():
    return make_sandbox(posts=200).corpus


def pictures(form="reddit_image", n=3):
    """Addresses of sandbox pictures that all differ."""
    found = {one.key: one for post in corpus().posts if post.form == form for one in post.pictures}
    host = "i.redd.it" if form == "reddit_image" else "i.imgur.com"
    return [f"https://{host}/{one.id}.jpg" for one in list(found.values())[:n]]


def album():
    """An album of the sandbox: its id, and its images' addresses."""
    identity, post = next((k, p) for k, p in corpus().albums.items() if len(p.pictures) > 1)
    ends = {"jpeg": "jpg", "png": "png", "gif": "gif", "webp": "webp"}
    return identity, [f"https://i.imgur.com/{one.id}.{ends[one.format]}" for one in post.pictures]


def post(number, *media):
    return Post(
        post_id=f"reddit:{number}",
        source="reddit",
        community="happy",
        title="A title",
        collected_at=1,
        media=tuple(
            Media(url=one, position=k, kind="image") if isinstance(one, str) else one
            for k, one in enumerate(media)
        ),
    )


def download(
    folder: Path,
    *posts,
    faults=(),
    client_id=None,
    honour_robots=True,
    requeue=(),
    budgets=None,
    before=None,
    work=keep,
    cpu=10.0,
):
    """Fetch the images of these posts: rows of the store by post and position, images asked, progress."""
    sandbox = make_sandbox(posts=200, faults=faults)
    progress = Progress()

    async def go():
        with Store.open(folder) as store, store.run("test") as run:
            store.add(posts)
            store.requeue(["happy"], reasons_kept=requeue)
            async with serving(sandbox) as base, client_for(base, honour_robots) as client:
                client.limits = Limits(deadline=5, backoff=0.001)
                client.budgets = budgets or {}
                with Workers(1, folder, run.run_id, ImagePolicy(), work, TimeLimits(cpu)) as workers:
                    stage = Downloads(store, run, client, workers, ["happy"], progress, client_id)
                    stage.collected.set()
                    if before is not None:
                        before(store)
                    await stage.run_all()
            return store._db.execute(
                "select post_id, position, url, status, reason, retry, sha256, claimed_by "
                "from media order by post_id, position"
            ).fetchall()

    rows = asyncio.run(go())
    assert all(row[-1] is None for row in rows)
    asked = {path: n for path, n in sandbox.stats.by_path.items() if not path.endswith("/robots.txt")}
    return [row[:-1] for row in rows], Counter(asked), progress


def settled(rows):
    return [(row[1], row[2], row[3], row[4]) for row in rows]


@pytest.mark.slow
def test_every_image_of_a_post_is_stored_once_with_its_file(tmp_path):
    urls = pictures()
    rows, asked, progress = download(tmp_path, post(1, *urls))
    assert settled(rows) == [(k, url, "stored", None) for k, url in enumerate(urls)]
    assert sorted(asked.values()) == [1, 1, 1]
    assert (progress.images["stored"], progress.settled) == (3, 3)
    digests = {row[6] for row in rows}
    assert {path.stem for path in (tmp_path / "media").glob("??/*")} == digests
    assert len(digests) == 3


def test_an_address_in_two_posts_is_fetched_once_for_both(tmp_path):
    (url,) = pictures(n=1)
    rows, asked, progress = download(tmp_path, post(1, url), post(2, url))
    assert [(row[0], row[3]) for row in rows] == [("reddit:1", "stored"), ("reddit:2", "stored")]
    assert rows[0][6] == rows[1][6]
    assert asked.total() == 1
    assert progress.settled == 1


@pytest.mark.slow
def test_what_is_stored_is_not_fetched_again_by_a_rerun(tmp_path):
    posts = [post(1, *pictures())]
    download(tmp_path, *posts)
    rows, asked, _ = download(tmp_path, *posts)
    assert [row[3] for row in rows] == ["stored"] * 3
    assert asked.total() == 0


def test_an_album_is_opened_in_its_place_and_later_images_move_up(tmp_path):
    identity, images = album()
    before, after = pictures(n=2)
    closed = Media(url=f"https://i.imgur.com/{identity}.jpg", position=1, kind="imgur_album")
    last = Media(url=after, position=2, kind="image")
    rows, asked, progress = download(tmp_path, post(1, before, closed, last), client_id="abc")
    assert [(row[1], row[2], row[3]) for row in rows] == [
        (k, url, "stored") for k, url in enumerate([before, *images, after])
    ]
    assert asked[f"/api.imgur.com/3/album/{identity}/images"] == 1
    assert progress.images["albums_opened"] == 1
    assert progress.settled == len(images) + 2


def test_an_album_in_two_posts_is_opened_once(tmp_path):
    identity, images = album()
    closed = Media(url=f"https://i.imgur.com/{identity}.jpg", position=0, kind="imgur_album")
    rows, asked, _ = download(tmp_path, post(1, closed), post(2, closed), client_id="abc")
    assert [row[2] for row in rows] == images * 2
    assert asked[f"/api.imgur.com/3/album/{identity}/images"] == 1
    assert asked.total() == 1 + len(images)


@pytest.mark.slow
def test_an_album_without_a_client_id_waits_for_a_rerun_that_has_one(tmp_path):
    identity, images = album()
    closed = Media(url=f"https://i.imgur.com/{identity}.jpg", position=0, kind="imgur_album")
    rows, asked, _ = download(tmp_path, post(1, closed))
    assert [(row[3], row[4], row[5]) for row in rows] == [("failed", "album_needs_client_id", 1)]
    assert asked.total() == 0
    rows, asked, _ = download(tmp_path, requeue=("album_needs_client_id",))
    assert asked.total() == 0
    rows, _, _ = download(tmp_path, client_id="abc")
    assert [(row[2], row[3]) for row in rows] == [(url, "stored") for url in images]


@pytest.mark.slow
def test_a_wrong_client_id_costs_no_album(tmp_path):
    identity, images = album()
    closed = Media(url=f"https://i.imgur.com/{identity}.jpg", position=0, kind="imgur_album")
    rows, _, _ = download(tmp_path, post(1, closed), client_id="wrong")
    assert [(row[3], row[4], row[5]) for row in rows] == [("failed", "unauthorized", 1)]
    rows, _, _ = download(tmp_path, client_id="abc")
    assert [(row[2], row[3]) for row in rows] == [(url, "stored") for url in images]


def test_a_removed_album_is_gone(tmp_path):
    closed = Media(url="https://i.imgur.com/zzzzz.jpg", position=0, kind="imgur_album")
    rows, _, _ = download(tmp_path, post(1, closed), client_id="abc")
    assert [(row[3], row[4]) for row in rows] == [("gone", "not_found")]


@pytest.mark.slow
def test_the_preview_stands_in_for_a_picture_that_is_gone(tmp_path):
    (preview,) = pictures(n=1)
    gone = Media(
        url="https://i.imgur.com/gone123.jpg",
        position=0,
        kind="imgur_image",
        fallback_url=preview.replace("i.redd.it", "preview.redd.it") + "?width=320&auto=webp",
    )
    rows, asked, _ = download(tmp_path, post(1, gone))
    assert settled(rows) == [(0, "https://i.imgur.com/gone123.jpg", "stored", None)]
    assert len(asked) == 2
    with Store.open(tmp_path) as store:
        (final,) = store._db.execute("select final_url from media").fetchone()
    assert final == gone.fallback_url


def test_where_the_preview_is_gone_too_the_first_reason_stands(tmp_path):
    gone = Media(
        url="https://i.imgur.com/gone123.jpg",
        position=0,
        kind="imgur_image",
        fallback_url="https://preview.redd.it/gone123.jpg",
    )
    rows, asked, _ = download(tmp_path, post(1, gone))
    assert settled(rows) == [(0, "https://i.imgur.com/gone123.jpg", "gone", "removed_placeholder")]
    assert asked == {"/i.imgur.com/gone123.jpg": 1, "/preview.redd.it/gone123.jpg": 1}


@pytest.mark.slow
def test_a_refusal_is_kept_and_its_preview_is_not_taken_instead(tmp_path):
    (url,) = pictures(n=1)
    refused = Media(
        url=url, position=0, kind="image", fallback_url=url.replace("i.redd.it", "preview.redd.it")
    )
    rows, asked, _ = download(tmp_path, post(1, refused), faults=["noai=1"])
    assert settled(rows) == [(0, url, "refused", "noai")]
    assert asked.total() == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "status", "reason", "retry"),
    [
        ("html", "failed", "html_instead_of_image", 0),
        ("bomb", "failed", "too_many_pixels", 0),
        ("pixel", "gone", "one_pixel", 0),
        ("corrupt", "failed", "corrupt_image", 0),
        ("unavailable", "gone", "not_found", 0),
        ("private_redirect", "failed", "private_address", 0),
        ("loop", "failed", "too_many_redirects", 0),
    ],
)
def test_a_fault_ends_as_a_reason_in_the_store(tmp_path, fault, status, reason, retry):
    (url,) = pictures(n=1)
    rows, _, progress = download(tmp_path, post(1, url), faults=[f"{fault}=1"])
    assert [(row[3], row[4], row[5], row[6]) for row in rows] == [(status, reason, retry, None)]
    assert progress.images == {reason: 1}
    rows, asked, _ = download(tmp_path)
    assert asked.total() == 0


@pytest.mark.slow
def test_images_that_take_too_long_to_decode_end_as_failures_and_stop_no_other(tmp_path):
    urls = pictures(n=44)
    slow = urls[5:25:5]
    work = functools.partial(keep_slowly, slow=slow)
    rows, asked, progress = download(tmp_path, post(1, *urls), work=work, cpu=0.4)
    assert len(rows) == asked.total() == 44
    assert progress.images == {"stored": 40, "decoder_timeout": 4}
    assert [(row[2], row[5]) for row in rows if row[4] == "decoder_timeout"] == [(url, 0) for url in slow]
    rows, asked, _ = download(tmp_path)  # whose workers would now decode them
    assert asked.total() == 0


@pytest.mark.slow
def test_the_preview_stands_in_for_a_picture_that_takes_too_long_to_decode(tmp_path):
    first, preview = pictures(n=2)
    both = Media(url=first, position=0, kind="image", fallback_url=preview)
    work = functools.partial(keep_slowly, slow=[first])
    rows, asked, _ = download(tmp_path, post(1, both), work=work, cpu=0.4)
    assert settled(rows) == [(0, first, "stored", None)]
    assert asked.total() == 2


def test_an_address_that_names_no_host_is_settled_too(tmp_path):
    rows, _, _ = download(tmp_path, post(1, "http://[::1", "https://example..com/a.jpg", "nonsense"))
    assert [(row[3], row[4], row[5]) for row in rows] == [("failed", "bad_url", 0)] * 3


@pytest.mark.slow
def test_a_slow_host_holds_up_no_other(tmp_path):
    slow, quick = pictures(n=7), pictures("imgur_direct", n=12)
    budgets = {"i.redd.it": Budget(rate=2, max_rate=2), "i.imgur.com": Budget(rate=500, max_rate=500)}
    finished = {}

    def watch(store):
        settle = store.settle

        def noting(url, outcome, **how):
            finished[url] = time.monotonic()
            settle(url, outcome, **how)

        store.settle = noting

    rows, _, _ = download(tmp_path, post(1, *slow), post(2, *quick), budgets=budgets, before=watch)
    assert {row[3] for row in rows} == {"stored"}
    assert max(finished[url] for url in quick) < max(finished[url] for url in slow)


def test_a_disk_that_takes_nothing_is_a_message(tmp_path):
    def spoil(store):
        (store.folder / "media" / "tmp").rmdir()

    with pytest.raises(ExceptionGroup) as caught:
        download(tmp_path, post(1, *pictures(n=1)), before=spoil)
    error = caught.value.exceptions[0]
    assert isinstance(error, StoreError)
    assert str(error).endswith("can't be used: No such file or directory; choose another store")


@pytest.mark.slow
def test_cancelling_hands_back_what_was_claimed(tmp_path):
    sandbox = make_sandbox(posts=200, faults=["drip=1"])

    async def go():
        with Store.open(tmp_path) as store:
            with store.run("test") as run:
                store.add([post(1, *pictures(n=3))])
                async with serving(sandbox) as base, client_for(base, True) as client:
                    with Workers(1, tmp_path, run.run_id, ImagePolicy()) as workers:
                        stage = Downloads(store, run, client, workers, ["happy"], Progress())
                        began = time.monotonic()
                        with pytest.raises(TimeoutError):
                            await asyncio.wait_for(stage.run_all(), 0.3)
                        seconds = time.monotonic() - began
            return seconds, store._db.execute("select status, claimed_by from media").fetchall()

    seconds, rows = asyncio.run(go())
    assert seconds < 1
    assert rows == [("pending", None)] * 3


@pytest.mark.slow
def test_posts_that_come_later_are_fetched_until_the_source_has_ended(tmp_path):
    first, *more = pictures(n=3)
    sandbox = make_sandbox(posts=200)

    async def go():
        with Store.open(tmp_path) as store, store.run("test") as run:
            store.add([post(1, first)])
            async with serving(sandbox) as base, client_for(base, True) as client:
                with Workers(1, tmp_path, run.run_id, ImagePolicy()) as workers:
                    stage = Downloads(store, run, client, workers, ["happy"], Progress())
                    running = asyncio.create_task(stage.run_all())
                    while not store.media_counts(["happy"])["stored", None]:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                    store.add([post(2, *more)])
                    stage.collected.set()
                    await running
            return store.media_counts(["happy"])

    assert asyncio.run(go()) == {("stored", None): 3}


def test_an_error_becomes_the_outcome_of_its_address():
    gone = as_outcome(FetchError("not_found", detail="HTTP 404", gone=True))
    assert (gone.status, gone.reason, gone.detail, gone.retry) == ("gone", "not_found", "HTTP 404", False)
    later = as_outcome(FetchError.host("server_error", detail="HTTP 503"))
    assert (later.status, later.reason, later.retry) == ("failed", "server_error", True)
    signals = {"x-robots-tag": ["noai"]}
    assert as_outcome(FetchError.refusal(signals, "x-robots-tag")) == Outcome(
        "refused", "noai", detail="X-Robots-Tag: noai", signals=signals, refused_by="x-robots-tag"
    )
