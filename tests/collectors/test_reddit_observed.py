"""Who saw a post of Reddit, and when: the archive, lists and dumps without a key; the archive's counts."""

import asyncio
import hashlib
from collections import Counter
from datetime import UTC, datetime

from collectors.http.client import client_for
from collectors.reddit.archive import Archive
from collectors.reddit.arctic_shift import ArcticShift
from collectors.reddit.index import Index, rows
from collectors.sandbox.reddit.archive_api import archived
from collectors.sandbox.server import make_sandbox, serving
from collectors.store.record import Post
from tests.collectors.reddit_runs import KEY, dump, index, no_cursor, posts_of
from tests.collectors.test_reddit_sources import (
    CORPUS,
    InstantClock,
    archive,
    listings,
    submission,
    write_dump,
)


def test_every_post_says_who_saw_it_and_when(sandbox):
    by_id = {f"reddit:{p.id}": p for p in CORPUS.posts}
    pages, _ = archive(sandbox, ["rage"])
    assert {p.post_id: (p.observed_from, p.observed_at) for p in posts_of(pages)} == {
        f"reddit:{p.id}": ("archive", archived(p)["retrieved_on"]) for p in CORPUS.posts if p.sub == "rage"
    }
    for pages, _ in (archive(sandbox, ["rage"], refreshed=True), listings(sandbox, ["rage"])):
        assert {p.observed_from for p in posts_of(pages)} == {"oauth"}
        assert all(p.observed_at > by_id[p.post_id].created_utc for p in posts_of(pages))
        assert all(p.observed_at == p.collected_at for p in posts_of(pages) if not p.removed)


def test_at_its_end_a_walk_compares_the_store_with_the_archives_counts(sandbox):
    def stored(sub, since):
        return {2012: 1, None: 2}

    years = Counter(datetime.fromtimestamp(p.created_utc, UTC).year for p in CORPUS.posts if p.sub == "rage")
    pages, _ = archive(sandbox, ["rage"], stored=stored)
    (note,) = [note for page in pages for note in page.notes]
    assert note.startswith(
        f"r/rage: stored 1 of the archive's {years.total()} posts, and 2 tombstones of removed ones: 2012 1/"
    )
    assert note.count("/") == 1 + len({2012, *years})
    assert (pages[-1].walk, [page.last for page in pages[:-1]].count(True)) == (None, 1)


def test_where_the_archive_does_not_count_the_walk_ends_all_the_same():
    class OtherFrequency:
        """A client that asks for weeks instead, which the sandbox doesn't count."""

        def __init__(self, client):
            self.client, self.clock = client, client.clock

        def get(self, url, **options):
            return self.client.get(url.replace("frequency=year", "frequency=week"), **options)

    async def run():
        async with serving(make_sandbox(posts=100)) as base, client_for(base, True) as client:
            counts = OtherFrequency(client), ["gore"], KEY, None, "s", no_cursor, None, lambda sub, since: {}
            return [page async for page in Archive(*counts).pages()]

    *pages, last = asyncio.run(run())
    assert len(posts_of(pages)) > 10
    assert last.notes == [
        "how many posts the archive has isn't known: r/gore: the archive says 'aggregate must be "
        "created_utc, and frequency year'; check the name"
    ]


def test_a_dumps_posts_say_when_they_were_retrieved_and_its_checksum_is_noted(tmp_path):
    twice = {"retrieved_2nd_on": 1_700_129_630, "was_deleted_later": True, "removal_type": "moderator"}
    posts = [
        submission(1, retrieved_on=1_400_000_000),
        submission(2, retrieved_on=1_700_000_030, _meta=twice),
        submission(3, retrieved_utc=1_675_200_000, updated_utc=1_675_300_000),
        submission(4),
    ]
    path = write_dump(tmp_path / "RS_2023-11.zst", posts)
    pages, _ = dump([path], ["happy"], noted := [])
    assert [(p.observed_from, p.observed_at, p.removed) for p in posts_of(pages)] == [
        ("dump", 1_400_000_000, None),
        ("dump", 1_700_129_630, "moderator"),
        ("dump", 1_675_300_000, None),
        ("dump", None, None),
    ]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert [note for page in pages for note in page.notes] == [f"RS_2023-11.zst has sha256 {digest}"]
    assert noted == [("RS_2023-11.zst", digest, "happy")]


def test_a_dump_is_noted_for_the_communities_that_it_has_posts_of(tmp_path):
    paths = [
        write_dump(tmp_path / "1.zst", [submission(1), submission(2, sub="rage")]),
        write_dump(tmp_path / "2.zst", [submission(3, sub="rage"), submission(4, sub="gore")]),
    ]
    dump(paths, ["happy", "rage"], noted := [])
    assert [(name, sub) for name, _, sub in noted] == [
        ("1.zst", "happy"),
        ("1.zst", "rage"),
        ("2.zst", "rage"),
    ]


def test_a_list_of_ids_is_filled_in_by_the_archive_without_credentials(tmp_path, sandbox):
    happy = [p for p in CORPUS.posts if p.sub == "happy"]
    lines_of = [f"reddit:{happy[0].id}", happy[1].id, "zzzzzz", "not an id!", happy[1].id]
    (tmp_path / "ids.txt").write_text("\n".join(lines_of))
    pages, failures = index([tmp_path / "ids.txt"], ["happy"], sandbox, keyless=True)
    found = [(p.post_id, p.observed_from, p.observed_at) for p in posts_of(pages)]
    first, second = ((f"reddit:{post.id}", "archive", archived(post)["retrieved_on"]) for post in happy[:2])
    assert (failures, found) == ([], [first, second, second])
    rejected = [(r.reason, r.detail) for page in pages for r in page.rejected]
    assert sorted(rejected) == [("no_id", "ids.txt, line 4: 'not an id!'"), ("not_in_archive", "zzzzzz")]
    assert [note for page in pages for note in page.notes] == [
        "3 posts by id from the archive, which may not know of every deletion (no credentials)"
    ]


def test_old_posts_have_short_ids(tmp_path):
    lines_of = ["87", "t3_2qd", "https://redd.it/9", "https://www.reddit.com/r/reddit.com/comments/2q/slug/"]
    (tmp_path / "ids.txt").write_text("\n".join(lines_of))
    assert [row.fields["id"] for row in rows(tmp_path / "ids.txt")] == ["87", "2qd", "9", "2q"]


def test_a_long_list_is_asked_for_five_hundred_at_a_time(tmp_path):
    async def run():
        sandbox = make_sandbox(posts=1100)
        (tmp_path / "ids.txt").write_text("".join(f"{post.id}\n" for post in sandbox.corpus.posts))
        async with serving(sandbox) as base, client_for(base, True) as client:
            subs = sorted({post.sub for post in sandbox.corpus.posts})
            source = Index([tmp_path / "ids.txt"], subs, KEY, "scope", ArcticShift(client), dict)
            found = [page async for page in source.pages()]
            return found, sandbox.stats.by_path

    pages, paths = asyncio.run(run())
    assert len({post.post_id for post in posts_of(pages)}) == 1100
    assert paths == {"/arctic-shift.photon-reddit.com/api/posts/ids": 3}


def test_an_archive_that_cannot_be_read_is_one_problem(tmp_path):
    async def run():
        sandbox = make_sandbox(posts=300, faults=["slow_down=1"], strikes=99)
        (tmp_path / "ids.txt").write_text("".join(f"{post.id}\n" for post in sandbox.corpus.posts))
        async with serving(sandbox) as base:
            client = client_for(base, True)
            client.clock = InstantClock()
            async with client:
                source = Index([tmp_path / "ids.txt"], ["happy", "gore"], KEY, "s", ArcticShift(client), dict)
                return [page async for page in source.pages()]

    (failure,) = asyncio.run(run())
    assert str(failure.error) == (
        "posts by their ids: the archive asks to slow down; run the same command later to resume"
    )


def test_a_post_of_the_store_that_reddit_no_longer_returns_is_removed(tmp_path, sandbox):
    (tmp_path / "ids.txt").write_text("zzzzzz\nyyyyyy\nxxxxxx\n")
    held = [
        Post("reddit:zzzzzz", "reddit", "happy", "A title", observed_from="archive", observed_at=1),
        Post("reddit:yyyyyy", "reddit", "happy", "", removed="deleted", observed_from="oauth", observed_at=2),
    ]
    pages, _ = index([tmp_path / "ids.txt"], ["happy"], sandbox, held=held)
    found = {p.post_id: (p.removed, p.observed_from) for p in posts_of(pages)}
    assert found == {"reddit:zzzzzz": ("not_listed", "oauth"), "reddit:yyyyyy": ("deleted", "oauth")}
    assert [r.detail for page in pages for r in page.rejected] == ["xxxxxx"]
    # That an archive lacks a post says nothing of it.
    pages, _ = index([tmp_path / "ids.txt"], ["happy"], sandbox, keyless=True, held=held)
    assert posts_of(pages) == []
    assert [r.reason for page in pages for r in page.rejected] == ["not_in_archive"] * 3
