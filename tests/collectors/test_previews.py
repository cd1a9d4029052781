"""A preview that was stored while its original's host was busy: a rerun asks for the original."""

import asyncio
from dataclasses import replace

import pytest
from aiohttp import web

from collectors.crawl.decode import ImagePolicy
from collectors.crawl.download import Downloads
from collectors.crawl.progress import Progress
from collectors.crawl.workers import Workers
from collectors.store import Store, snapshot
from collectors.store.record import Media, Outcome
from tests.collectors.fetching import client_to, site
from tests.collectors.local_folder import jpeg
from tests.collectors.sample import POST

ORIGINAL, PREVIEW = "https://i.redd.it/a.jpg", "https://preview.redd.it/a.jpg?s=1f"
LINKED = replace(POST, media=(Media(ORIGINAL, 0, "image", fallback_url=PREVIEW),))
SMALL = Outcome("stored", sha256="ab" * 32, mime="image/jpeg", retry=True, reason="rate_limited")
LARGE = Outcome("stored", sha256="cd" * 32, mime="image/jpeg")
COLUMNS = "status, reason, retry, sha256, attempts"


def row(store):
    (found,) = store._db.execute(f"select {COLUMNS} from media").fetchall()
    return found


def written(store, outcome):
    path = store.media_path(outcome.sha256, outcome.mime)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    return path


def with_a_preview(store, run):
    """Store a preview, then claim its address again, as a rerun does; return the preview's file."""
    store.add([LINKED])
    store.claim(run, ["creepy"], host="i.redd.it", n=1)
    path = written(store, SMALL)
    store.settle(ORIGINAL, SMALL, tries=4)
    assert row(store) == ("stored", "rate_limited", 1, "ab" * 32, 4)
    assert store.requeue(["creepy"]) == 1
    (task,) = store.claim(run, ["creepy"], host="i.redd.it", n=1)
    assert (task.url, task.fallback_url) == (ORIGINAL, None)  # the preview isn't fetched twice
    return path


def test_a_preview_gives_way_to_the_original_and_its_file_is_deleted(tmp_path):
    with Store.open(tmp_path) as store, store.run("test") as run:
        preview, original = with_a_preview(store, run), written(store, LARGE)
        store.settle(ORIGINAL, LARGE)
        assert row(store) == ("stored", None, 0, "cd" * 32, 5)
        assert (preview.exists(), original.exists()) == (False, True)


@pytest.mark.parametrize(
    ("outcome", "after"),
    [
        (Outcome("failed", "server_error", retry=True), ("stored", "server_error", 1, "ab" * 32, 5)),
        (Outcome("failed", "forbidden"), ("stored", None, 0, "ab" * 32, 5)),
        (Outcome("gone", "not_found"), ("stored", None, 0, "ab" * 32, 5)),
        (Outcome("refused", "noai"), ("refused", "noai", 0, None, 5)),
    ],
)
def test_a_preview_stays_unless_the_host_refuses(tmp_path, outcome, after):
    with Store.open(tmp_path) as store, store.run("test") as run:
        preview = with_a_preview(store, run)
        store.settle(ORIGINAL, outcome)
        assert row(store) == after
        assert preview.exists() == (after[0] == "stored")


def test_a_build_has_the_preview_while_the_original_is_asked_for(tmp_path):
    with Store.open(tmp_path / "store") as store, store.run("test") as run:
        with_a_preview(store, run)
        columns = ("post_id", "position", "status", "reason", "sha256")
        snapshot.take(store, ["creepy"], ("post_id", "removed"), columns, tmp_path)
    with snapshot.opened(tmp_path) as copied:
        assert [one[2:] for one in copied.media("", "z")] == [("stored", None, "ab" * 32)]


def test_an_album_that_is_opened_later_replaces_its_cover(tmp_path):
    with Store.open(tmp_path) as store, store.run("test") as run:
        preview = with_a_preview(store, run)
        images = [Media(f"https://i.imgur.com/{n}.jpg", 0, "imgur_image") for n in "ab"]
        store.replace_media(ORIGINAL, images)
        assert not preview.exists()
        assert store.pending_hosts(["creepy"]) == {"i.imgur.com": 2}


@pytest.mark.slow
def test_a_busy_host_is_asked_again_by_a_rerun(tmp_path):
    busy, asked = [True], []

    async def answer(request):
        host = request.path.split("/")[1]
        asked.append(host)
        if host == "i.redd.it" and busy[0]:
            return web.Response(status=429, headers={"Retry-After": "0"})
        return web.Response(body=jpeg(host), content_type="image/jpeg")

    async def run_once():
        with Store.open(tmp_path) as store, store.run("test") as run:
            store.add([LINKED])
            store.requeue(["creepy"])
            async with site(answer) as base, client_to(base) as client:
                with Workers(1, tmp_path, run.run_id, ImagePolicy()) as workers:
                    stage = Downloads(store, run, client, workers, ["creepy"], Progress())
                    stage.collected.set()
                    await stage.run_all()
            return store._db.execute("select status, retry, final_url from media").fetchall()

    assert asyncio.run(run_once()) == [("stored", 1, PREVIEW)]
    assert asked == 4 * ["i.redd.it"] + ["preview.redd.it"]
    assert asyncio.run(run_once()) == [("stored", 1, PREVIEW)]
    assert asked[5:] == 4 * ["i.redd.it"]
    busy[0] = False
    assert asyncio.run(run_once()) == [("stored", 0, ORIGINAL)]
    assert asyncio.run(run_once()) == [("stored", 0, ORIGINAL)]
    assert asked[9:] == ["i.redd.it"]
    assert len(list((tmp_path / "media").glob("??/*.jpg"))) == 1
