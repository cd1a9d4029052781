import asyncio
import json
from collections import Counter

import pytest
import zstandard

from affectory.core.errors import InputError
from collectors.http.client import client_for
from collectors.reddit.api import connect
from collectors.reddit.archive import Archive
from collectors.reddit.json_lines import TruncatedDump
from collectors.reddit.listings import Listings
from collectors.sandbox.generated.corpus import Corpus
from collectors.sandbox.server import make_sandbox, serving
from tests.collectors.reddit_runs import HEADER, KEY, dump, gather, index, lines, no_cursor, posts_of

CORPUS = Corpus(0, 600)


def public_ids(sub):
    return {f"reddit:{post.id}" for post in CORPUS.posts if post.sub == sub and not post.removed}


def listings(base, subs, *, limit=1000, window="all", beyond=False, resume=no_cursor):
    async def make(stack):
        api = await stack.enter_async_context(connect(base))
        return Listings(api, subs, KEY, limit, window, beyond, resume)

    return gather(make)


def test_a_listing_gives_every_public_post_once_with_its_cursor(sandbox):
    pages, failures = listings(sandbox, ["happy"])
    assert failures == []
    assert {post.post_id for post in posts_of(pages)} == public_ids("happy")
    assert len(posts_of(pages)) == len(public_ids("happy"))
    assert [page.last for page in pages] == [False, False, True]
    assert pages[0].walk == "oauth:happy:top:all"
    scores = [post.score for post in posts_of(pages)]
    assert scores == sorted(scores, reverse=True)


def test_a_listing_goes_on_from_its_cursor(sandbox):
    pages, _ = listings(sandbox, ["happy"])
    rest, _ = listings(sandbox, ["happy"], resume=lambda walk: pages[0].cursor)
    assert [p.post_id for p in posts_of(rest)] == [p.post_id for p in posts_of(pages[1:])]


def test_a_limit_takes_the_best_scored(sandbox):
    all_pages, _ = listings(sandbox, ["gore"])
    pages, _ = listings(sandbox, ["gore"], limit=7)
    assert [p.post_id for p in posts_of(pages)] == [p.post_id for p in posts_of(all_pages)][:7]
    assert pages[0].skipped == {"beyond_limit": 93}


@pytest.mark.slow
def test_looking_beyond_the_top_finds_more_than_a_listing_shows():
    async def run():
        sandbox = make_sandbox(posts=4000)
        async with serving(sandbox) as base, connect(base) as api:
            top = Listings(api, ["happy"], KEY, 1000, "all", False, no_cursor)
            all_of_them = Listings(api, ["happy"], KEY, None, "all", True, no_cursor)
            first = {post.post_id async for page in top.pages() for post in page.posts}
            found = [post.post_id async for page in all_of_them.pages() for post in page.posts]
            return first, found

    first, found = asyncio.run(run())
    assert len(first) == 1000
    assert len(found) == len(set(found))
    assert first < set(found)


@pytest.mark.parametrize(
    ("sub", "message"),
    [
        ("nosuchsubreddit", "r/nosuchsubreddit: there is no subreddit of that name; check the spelling"),
        ("privatesub", "r/privatesub: the subreddit is open to members only (private); ask its moderators"),
        ("quarantinedsub", "r/quarantinedsub: the subreddit is quarantined (quarantined); opt in once"),
        ("bannedsub", "r/bannedsub: Reddit has banned the subreddit; leave it out"),
    ],
)
def test_a_subreddit_that_cannot_be_read_leaves_the_others_standing(sandbox, sub, message):
    pages, failures = listings(sandbox, [sub, "rage"])
    assert [(f.community, str(f.error)[: len(message)]) for f in failures] == [(sub, message)]
    assert {post.post_id for post in posts_of(pages)} == public_ids("rage")


def test_an_empty_subreddit_is_a_walk_without_posts(sandbox):
    pages, failures = listings(sandbox, ["emptysub"])
    assert (failures, posts_of(pages), [page.last for page in pages]) == ([], [], [True])


def archive(base, subs, *, resume=no_cursor, refreshed=False, stored=None):
    async def make(stack):
        client = await stack.enter_async_context(client_for(base, True))
        api = await stack.enter_async_context(connect(base)) if refreshed else None
        return Archive(client, subs, KEY, None, "scope", resume, api, stored)

    return gather(make)


def test_the_archive_gives_every_post_once_though_some_share_a_second(sandbox):
    pages, failures = archive(sandbox, ["creepy", "rage"])
    expected = {f"reddit:{p.id}" for p in CORPUS.posts if p.sub in ("creepy", "rage")}
    found = [post.post_id for post in posts_of(pages)]
    assert (failures, set(found), len(found)) == ([], expected, len(expected))
    assert all(page.ranked for page in pages)


def test_the_archive_goes_on_from_a_cursor_without_losing_a_post(sandbox):
    pages, _ = archive(sandbox, ["happy"])
    rest, _ = archive(sandbox, ["happy"], resume=lambda walk: pages[0].cursor)
    found = {p.post_id for p in posts_of(pages[:1])} | {p.post_id for p in posts_of(rest)}
    assert found == {p.post_id for p in posts_of(pages)}


@pytest.mark.slow
def test_archived_scores_are_refreshed_and_removals_marked(sandbox):
    stale, _ = archive(sandbox, ["happy"])
    fresh, _ = archive(sandbox, ["happy"], refreshed=True)
    before = {post.post_id: post for post in posts_of(stale)}
    changed = [p for p in posts_of(fresh) if p.removed is None and p.score != before[p.post_id].score]
    assert len(changed) > len(before) / 5
    removed = {p.post_id: p.removed for p in posts_of(fresh) if p.removed}
    assert removed == {f"reddit:{p.id}": p.removed for p in CORPUS.posts if p.removed and p.sub == "happy"}
    one = next(p for p in posts_of(fresh) if p.removed)
    assert one.title == before[one.post_id].title
    assert {m.reason for m in one.media if m.status == "failed"} <= {"post_removed", "gallery_item_failed"}


def test_the_archive_says_slow_down_and_is_asked_again_for_less():
    async def run():
        sandbox = make_sandbox(posts=300, faults=["slow_down=0.9"])
        async with serving(sandbox) as base:
            client = client_for(base, True)
            client.clock = InstantClock()
            async with client:
                source = Archive(client, ["gore"], KEY, None, "scope", no_cursor)
                return [page async for page in source.pages()], sandbox.stats.by_status

    pages, statuses = asyncio.run(run())
    assert {f"reddit:{p.id}" for p in Corpus(0, 300).posts if p.sub == "gore"} == {
        p.post_id for p in posts_of(pages)
    }
    assert statuses["422"] > 0


class InstantClock:
    """A clock whose waiting costs no time."""

    def __init__(self):
        self.time = 0.0

    def now(self):
        return self.time

    async def sleep(self, seconds):
        self.time += seconds
        await asyncio.sleep(0)


def test_a_subreddit_that_the_archive_does_not_have_is_said_so(sandbox):
    _, failures = archive(sandbox, ["nosuchsubreddit"])
    assert [str(f.error) for f in failures] == [
        "r/nosuchsubreddit: the archive has no posts of it; check the spelling"
    ]


# -- dumps -------------------------------------------------------------------------------------


def submission(number, sub="happy", **more):
    return {
        "id": f"{number:x}",
        "subreddit": sub,
        "title": f"Número {number} &amp; more",
        "score": number,
        **more,
    }


def write_dump(path, posts, frames=1):
    raw = [json.dumps(post, ensure_ascii=False).encode() + b"\n" for post in posts]
    size = -(-len(raw) // frames)
    parts = [b"".join(raw[i : i + size]) for i in range(0, len(raw), size)]
    path.write_bytes(b"".join(zstandard.ZstdCompressor().compress(part) for part in parts))
    return path


def test_a_dump_gives_the_posts_of_its_subreddits_and_counts_the_others(tmp_path):
    posts = [submission(i, sub="Happy" if i % 3 else "aww") for i in range(1, 1501)]
    path = write_dump(tmp_path / "RS.zst", posts, frames=4)
    pages, _ = dump([path], ["happy"])
    assert len(posts_of(pages)) == 1000
    assert posts_of(pages)[0].title == "Número 1 & more"
    assert sum((page.skipped for page in pages), Counter()) == {"other_subreddit": 500}
    assert [page.last for page in pages].count(True) == 1


def test_a_line_that_is_no_json_is_counted_and_its_place_named(tmp_path):
    raw = b'{"id": "a", "subreddit": "happy", "title": "one"}\n{"id": "b", "subr\n'
    (tmp_path / "x.zst").write_bytes(zstandard.compress(raw))
    pages, _ = dump([tmp_path / "x.zst"], ["happy"])
    rejected = [r for page in pages for r in page.rejected]
    assert [r.reason for r in rejected] == ["unreadable_line"]
    assert rejected[0].detail.startswith("x.zst, line 2: Input data was truncated")


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_dump_names_the_offset(tmp_path, keep):
    whole = write_dump(
        tmp_path / "whole.zst", [submission(i, body="x" * i) for i in range(2000)]
    ).read_bytes()
    path = tmp_path / "cut.zst"
    path.write_bytes(whole[: int(len(whole) * keep)])
    size = path.stat().st_size
    with pytest.raises(TruncatedDump, match=rf"the \.zst file ends inside a frame at byte {size:,} "):
        lines(path)


def test_a_file_that_is_no_dump_is_refused(tmp_path):
    (tmp_path / "x.zst").write_bytes(b"PK\x03\x04 this is a zip")
    with pytest.raises(InputError, match=r"is not a valid \.zst file"):
        lines(tmp_path / "x.zst")


def test_a_last_line_without_its_end_is_read(tmp_path):
    (tmp_path / "x.zst").write_bytes(zstandard.compress(b'{"a": 1}\n{"b": 2}'))
    assert lines(tmp_path / "x.zst") == [(1, b'{"a": 1}'), (2, b'{"b": 2}')]


# -- lists -------------------------------------------------------------------------------------


def test_a_published_table_gives_its_posts_by_its_own_columns(tmp_path):
    table = tmp_path / "processed_happy.csv"
    table.write_text(
        HEADER + '1.16E+03,t3_1163e0,http://i.imgur.com/2iaA5.jpg,204,0,1349741234.0,"Home, at last",'
        "https://www.reddit.com/r/happy/comments/1163e0/home/?ref=search_posts,happy,12,N/A\n"
        + "18lpjb,t3_18lpjb,http://imgur.com/DPnilTa,295,0,1360964234,Little things,,rage,6,someone\n"
    )
    pages, _ = index([table], ["happy"])
    (post,) = posts_of(pages)
    assert (post.post_id, post.title, post.score, post.num_comments, post.author) == (
        "reddit:1163e0",
        "Home, at last",
        204,
        12,
        None,
    )
    assert (post.created_at, post.permalink) == (
        1349741234,
        "https://www.reddit.com/r/happy/comments/1163e0/home/",
    )
    assert [m.url for m in post.media] == ["https://i.imgur.com/2iaA5.jpg"]
    assert sum((page.skipped for page in pages), Counter()) == {"other_subreddit": 1}


def test_a_table_without_a_needed_column_lists_those_it_has(tmp_path):
    (tmp_path / "x.csv").write_text("id,headline\n1,a\n")
    with pytest.raises(
        InputError, match=r"has no column 'title'; it has 'id', 'headline', and needs id, title, url"
    ):
        index([tmp_path / "x.csv"], ["happy"])


def test_a_row_with_too_few_columns_is_counted(tmp_path):
    row = "18lpjc,t3_18lpjc,http://i.imgur.com/a.jpg,5,0,1349741234,A title,,happy,2,a\n"
    (tmp_path / "x.csv").write_text(HEADER + row + "18lpjb,t3_18lpjb\n")
    pages, _ = index([tmp_path / "x.csv"], ["happy"])
    assert [r.reason for page in pages for r in page.rejected] == ["wrong_number_of_columns"]


def test_a_list_of_ids_is_filled_in_by_reddit(tmp_path, sandbox):
    public = [p for p in CORPUS.posts if p.sub == "happy" and not p.removed][:3]
    removed = next(p for p in CORPUS.posts if p.sub == "happy" and p.removed)
    lines_of = [public[0].id, f"t3_{public[1].id}", "# a comment", "", "zzzzzz", "not an id!"]
    lines_of += [f"https://www.reddit.com/r/happy/comments/{public[2].id}/slug/", removed.id]
    (tmp_path / "ids.txt").write_text("\n".join(lines_of))
    pages, _ = index([tmp_path / "ids.txt"], ["happy"], sandbox)
    found = {p.post_id: p.removed for p in posts_of(pages)}
    assert found == {f"reddit:{p.id}": None for p in public} | {f"reddit:{removed.id}": removed.removed}
    rejected = [(r.reason, r.detail) for page in pages for r in page.rejected]
    assert sorted(rejected) == [("no_id", "ids.txt, line 6: 'not an id!'"), ("not_listed", "zzzzzz")]


@pytest.mark.parametrize(("name", "text"), [("x.csv", HEADER), ("x.txt", "a1b2\n")])
def test_a_list_in_utf_16_says_so(tmp_path, name, text):
    (tmp_path / name).write_text(text, "utf-16")
    with pytest.raises(InputError) as caught:
        index([tmp_path / name], ["happy"])
    assert str(caught.value) == f"{str(tmp_path / name)!r} is UTF-16 text, not UTF-8: convert it"
