"""What archives, dumps and lists hold besides regular posts: each is read, or counted with its reason."""

import asyncio
import gzip
import lzma
import tracemalloc
from collections import Counter
from unittest.mock import patch

import pytest
import zstandard
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from affectory.core.errors import InputError
from collectors.crawl.source import Failure, Page
from collectors.reddit import json_lines
from collectors.reddit.archive import Archive
from collectors.reddit.arctic_shift import ArcticShift
from collectors.reddit.dump import Dump
from collectors.reddit.index import Index
from collectors.reddit.json_lines import TruncatedDump
from collectors.store.record import Post, Rejection
from tests.collectors.fetching import client_to, site
from tests.collectors.reddit_runs import KEY, dump, lines, no_cursor, posts_of

# -- dumps with odd lines, and other formats ---------------------------------------------------

ONE, TWO = (
    b'{"id": "a", "subreddit": "happy", "title": "one"}',
    b'{"id": "b", "subreddit": "happy", "title": "2"}',
)


def read_of(path, subs=("happy",)):
    """Return the titles of a dump's posts, and its rejected lines."""
    pages, _ = dump([path], list(subs))
    return [p.title for p in posts_of(pages)], [(r.reason, r.detail) for page in pages for r in page.rejected]


def test_half_a_surrogate_pair_in_a_dump_costs_no_post(tmp_path):
    sad = rb'{"id":"c","subreddit":"happy","title":"sad \ud83d","author_flair_text":"sad \ud83d"}'
    (tmp_path / "x.jsonl").write_bytes(b"\n".join([ONE, sad, TWO]))
    assert read_of(tmp_path / "x.jsonl") == (["one", "sad \ufffd", "2"], [])


def test_a_byte_that_is_not_utf_8_or_deep_nesting_costs_one_line(tmp_path):
    byte = b'{"id":"c","subreddit":"happy","title":"caf\xe9"}'
    deep = b'{"id":"d","subreddit":"happy","title":"t","x":' + b"[" * 2000 + b"]" * 2000 + b"}"
    (tmp_path / "x.jsonl").write_bytes(b"\n".join([byte, ONE, deep, b"[" * 2000, TWO]))
    assert read_of(tmp_path / "x.jsonl") == (
        ["one", "2"],
        [
            ("unreadable_line", "x.jsonl, line 1: Invalid UTF-8 encoded string"),
            ("unreadable_line", "x.jsonl, line 3: nested too deeply"),
            ("unreadable_line", "x.jsonl, line 4: Expected `object`, got `array`"),
        ],
    )


def test_blank_lines_are_no_lines_but_are_numbered(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(b"\n \r\n" + ONE + b"\r\n\n\t\n" + TWO + b"\n\n{\n\n")
    titles, rejected = read_of(tmp_path / "x.jsonl")
    assert titles == ["one", "2"]
    assert [detail.partition(":")[0] for _, detail in rejected] == ["x.jsonl, line 8"]


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"])
def test_a_byte_order_mark_costs_no_post(tmp_path, start):
    (tmp_path / "x.jsonl").write_bytes(start + ONE + b"\n" + TWO)
    (tmp_path / "x.zst").write_bytes(zstandard.compress(start + ONE))
    assert read_of(tmp_path / "x.jsonl") == (["one", "2"], [])
    assert read_of(tmp_path / "x.zst") == (["one"], [])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[" + ONE + b",\n" + TWO + b"]", "line 1: Expected `object`, got `array`"),
        (b'{"data": [' + ONE + b"]}", "line 1: no subreddit"),
        (b"[\n  {\n", "line 1: Expected `object`, got `array`"),
        (b"x" * 300, "line 1: longer than 250 bytes"),
        (ONE.decode().encode("utf-16"), "line 1: "),
    ],
)
def test_a_file_without_a_submission_is_an_error(tmp_path, content, why):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(InputError) as caught:
        dump([tmp_path / "x.json"], ["happy"], longest=250)
    assert str(caught.value).startswith(f"{str(tmp_path / 'x.json')!r} holds no submission ({why}")
    assert str(caught.value).endswith(
        "): a dump has one JSON object a line, with its subreddit; `jq -c '.[]'` makes it of an array"
    )


def test_an_object_without_a_subreddit_is_counted_as_that(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(b'{"data": []}\n{"subreddit": null}\n{"subreddit": "sad"}\n' + ONE)
    pages, _ = dump([tmp_path / "x.jsonl"], ["happy"])
    assert [p.title for p in posts_of(pages)] == ["one"]
    assert sum((page.skipped for page in pages), Counter()) == {"no_community": 2, "other_subreddit": 1}


def test_a_line_that_is_too_long_is_passed_over_and_the_next_one_read(tmp_path):
    long = b"x" * 5_000_000
    path = tmp_path / "x.zst"
    path.write_bytes(zstandard.compress(b"\n".join([b"{}", long, b"12345", b"123456", b"{}", long])))
    assert lines(path, longest=5) == [
        (1, b"{}"),
        (2, None),
        (3, b"12345"),
        (4, None),
        (5, b"{}"),
        (6, None),
    ]


def test_a_line_over_the_bound_is_unreadable(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(ONE + b"\n" + b"x" * 101 + b"\n" + TWO)
    pages, _ = dump([tmp_path / "x.jsonl"], ["happy"], longest=100)
    assert [p.title for p in posts_of(pages)] == ["one", "2"]
    assert [(r.reason, r.detail) for page in pages for r in page.rejected] == [
        ("unreadable_line", "x.jsonl, line 2: longer than 100 bytes")
    ]


#: Lines with a wanted subreddit or another one, in every spelling that JSON has, and lines that aren't JSON.
LINES = [
    ONE,
    b'  {"title": "x", "id": "c" ,"subreddit"\t:\t"HAPPY" }\r',
    rb'{"id": "d", "\u0073ubreddit": "h\u0061ppy", "title": "t"}',
    b'{"id": "e", "subreddit": "aww", "crosspost_parent_list": [{"subreddit": "happy"}], "title": "t"}',
    b'{"id": "f", "crosspost_parent_list": [{"subreddit": "aww"}], "title": "t", "subreddit": "happy"}',
    b'{"id": "g", "subreddit": "aww", "subreddit": "happy", "title": "t"}',
    rb'{"id": "h", "subreddit": "aww", "title": "\ud83d"}',
    rb'{"id": "i", "subreddit": "happy", "title": "\ud83d"}',
    b'{"id": "j", "subreddit": "aww", "title": "caf\xe9"}',
    b'{"id": "k", "subreddit": "happy"}',
    b'{"subreddit": ""}',
    b'{"subreddit": null}',
    b'{"subreddit": 1}',
    b'{"subreddit":',
    b'"aww"}',
    b'{"subreddit": "aww"} {"subreddit": "aww"}',
    b'{"subreddit": "aww"},',
    b'["aww"]',
    b"",
    b" \t\r",
    b"\x0b",
    b"x" * 300,
]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(LINES), max_size=12), st.integers(1, 400), st.booleans())
def test_lines_read_many_at_once_give_what_each_gives_alone(tmp_path_factory, found, size, ends):
    path = tmp_path_factory.mktemp("dump") / "x.jsonl"
    path.write_bytes(b"\n".join([TWO, *found]) + b"\n" * ends)
    alone = Dump([path], ["happy"], KEY, "scope", list, longest=200)
    skipped, expected = Counter(), []
    for number, line in enumerate([TWO, *found], 1):
        if line := line.strip(b" \t\r"):
            read = alone._read(line if len(line) <= 200 else None, f"x.jsonl, line {number}")
            expected += [read[1]] if read[0] else []
            skipped += Counter() if read[0] else Counter([read[1].reason])
    with patch.object(json_lines, "BLOCK", size):
        pages, _ = dump([path], ["happy"], longest=200)
    assert [r for page in pages for r in page.rejected] == [r for r in expected if isinstance(r, Rejection)]
    assert [p.post_id for p in posts_of(pages)] == [p.post_id for p in expected if isinstance(p, Post)]
    assert sum((page.skipped for page in pages), Counter()) == skipped


@pytest.mark.slow
@pytest.mark.parametrize("filling", [b"\n" * (1 << 20), b"x" * (1 << 20)])
def test_what_unpacks_to_a_hundred_megabytes_takes_little_memory(tmp_path, filling):
    packer = zstandard.ZstdCompressor().compressobj()
    with (tmp_path / "x.zst").open("wb") as file:
        for _ in range(100):
            file.write(packer.compress(filling))
        file.write(packer.compress(b"\n" + ONE) + packer.flush())
    tracemalloc.start()
    found = lines(tmp_path / "x.zst")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found[-1][1] == ONE
    assert len(found) <= 2
    assert peak < 250_000_000


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("x.zst", zstandard.compress),
        ("x.gz", lambda raw: gzip.compress(raw[:50]) + gzip.compress(raw[50:])),
        ("X.GZ", gzip.compress),
        ("x.xz", lzma.compress),
        ("x.jsonl", bytes),
        ("x.ndjson", bytes),
        ("x.json", bytes),
    ],
)
def test_a_dump_is_read_by_its_suffix(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack(ONE + b"\n" + TWO + b"\n"))
    assert read_of(tmp_path / name) == (["one", "2"], [])


@pytest.mark.parametrize(("name", "pack"), [("x.gz", gzip.compress), ("x.xz", lzma.compress)])
def test_other_packed_files_that_are_truncated_or_none_say_so(tmp_path, name, pack):
    path = tmp_path / name
    path.write_bytes(pack((ONE + b"\n") * 1000)[:-10])
    with pytest.raises(TruncatedDump, match=rf"the \{path.suffix} file ends inside a frame at byte"):
        lines(path)
    path.write_bytes(b"PK\x03\x04 this is a zip")
    with pytest.raises(InputError, match=rf"is not a valid \{path.suffix} file"):
        lines(path)


@pytest.mark.parametrize("name", ["x.zst", "x.gz", "x.xz", "x.jsonl"])
def test_an_empty_dump_is_an_error(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=rf"{name}' is empty: download it again, or leave it out"):
        dump([tmp_path / name], ["happy"])


def test_a_dump_that_unpacks_to_nothing_is_an_error(tmp_path):
    (tmp_path / "x.zst").write_bytes(zstandard.compress(b"\n\n"))
    with pytest.raises(InputError, match="is empty: download it again"):
        dump([tmp_path / "x.zst"], ["happy"])


def test_a_dump_with_another_suffix_names_those_that_are_read(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"the suffix '\.zip', not \.zst, \.gz, \.xz, \.jsonl"):
        dump([tmp_path / "x.zip"], ["happy"])


# -- archives with odd posts -------------------------------------------------------------------


def odd_archive(answer, resume=no_cursor):
    """Read r/happy from an archive that gives `answer(after)`: pages, failures, each `after` of a request."""
    asked = []

    async def handler(request):
        asked.append(int(request.query["after"]))
        return web.Response(body=answer(asked[-1]), content_type="application/json")

    async def run():
        async with site(handler) as base, client_to(base) as client:
            return [page async for page in Archive(client, ["happy"], KEY, None, "scope", resume).pages()]

    found = asyncio.run(run())
    return [p for p in found if isinstance(p, Page)], [p for p in found if isinstance(p, Failure)], asked


def archived(number, more=b""):
    return b'{"id":"a%d","subreddit":"happy","title":"t%d","created_utc":%d%s}' % (
        number,
        number,
        number,
        more,
    )


def served(*posts):
    """Return an archive's function: those of these posts (made at seconds 1, 2, …) that are later."""

    def answer(after):
        return b'{"error":null,"data":[' + b", ".join(posts[after:]) + b"]}"

    return answer


def test_half_a_surrogate_pair_in_an_archives_page_costs_no_post():
    flair = rb',"author_flair_text":"sad \ud83d","selftext":"\\ud83d \udc00"'
    pages, failures, _ = odd_archive(served(archived(1), archived(2, flair), archived(3)))
    assert failures == []
    assert [(p.post_id, p.body) for p in posts_of(pages)] == [
        ("reddit:a1", ""),
        ("reddit:a2", "\\ud83d \ufffd"),
        ("reddit:a3", ""),
    ]


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (b',"selftext":"caf\xe9"', "Invalid UTF-8 encoded string"),
        (b',"x":' + b"[" * 2000 + b"]" * 2000, "nested too deeply"),
        (b',"x":nope', "JSON is malformed: invalid character (byte "),
    ],
)
@pytest.mark.parametrize("place", [1, 2, 3])
def test_one_unreadable_post_of_an_archive_is_counted_and_the_walk_ends(odd, why, place):
    posts = [archived(number, odd if number == place else b"") for number in (1, 2, 3)]
    pages, failures, _ = odd_archive(served(*posts))
    assert failures == []
    assert [p.post_id for p in posts_of(pages)] == [f"reddit:a{n}" for n in (1, 2, 3) if n != place]
    rejected = [(r.reason, r.detail) for page in pages for r in page.rejected]
    assert [reason for reason, _ in rejected] == ["unreadable_line"]
    assert rejected[0][1].startswith(f"r/happy, 1970-01-01 00:00:0{place}: {why}")
    assert pages[-1].last


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b'{"data": [{"id": "a',
        b'{"data": 5}',
        b'["data", [1]]',
        b"\xff",
        b'{"data": [' + b"," * 2000 + b"]}",
    ],
)
def test_an_archives_answer_without_posts_is_no_json(body):
    _, failures, _ = odd_archive(lambda after: body)
    assert [str(f.error) for f in failures] == ["r/happy: the archive's answer is not JSON; try again later"]


def test_an_archive_that_repeats_a_page_ends_with_a_message():
    pages, failures, asked = odd_archive(lambda after: served(archived(1), archived(5))(0))
    assert [p.post_id for p in posts_of(pages)] == ["reddit:a1", "reddit:a5"]
    assert asked == [0, 4, 5]
    assert [str(f.error) for f in failures] == [
        "r/happy: the archive repeats its posts up to 1970-01-01 00:00:05; run the same command later to "
        "resume"
    ]


def test_posts_without_a_time_or_an_id_do_not_walk_in_circles():
    page = b'{"data": [{"id": ["a"], "title": "x"}, {"id": "b1", "created_utc": 1e300}]}'
    pages, failures, asked = odd_archive(lambda after: page)
    assert [r.reason for page in pages for r in page.rejected] == ["bad_id", "no_title"]
    assert (asked, len(failures)) == ([0], 1)


def by_ids(ids, answer, tmp_path):
    """Read a list of ids from an archive that gives `answer(ids)`: pages, failures, sizes of requests."""
    asked = []

    async def handler(request):
        asked.append(request.query["ids"].split(","))
        status, body = answer(asked[-1])
        return web.Response(status=status, body=body, content_type="application/json")

    async def run():
        (tmp_path / "ids.txt").write_text("\n".join(ids))
        async with site(handler) as base, client_to(base) as client:
            archive = ArcticShift(client)
            source = Index([tmp_path / "ids.txt"], ["happy"], KEY, "scope", archive, lambda ids: {})
            return [page async for page in source.pages()]

    found = asyncio.run(run())
    pages = [p for p in found if isinstance(p, Page)]
    return pages, [p for p in found if isinstance(p, Failure)], [len(ids) for ids in asked]


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (b'"id":"a2","title":"caf\xe9"', "Invalid UTF-8 encoded string"),
        (b'"x":' + b"[" * 2000 + b"]" * 2000 + b',"id" : "A2"', "nested too deeply"),
        (b'"title":"id","crosspost_parent_list":[{"id":"a3"}],"id":"a2","x":nope', "JSON is malformed"),
    ],
)
def test_an_unreadable_post_among_those_asked_for_by_id_is_counted_as_that(odd, why, tmp_path):
    body = b'{"data":[' + archived(1) + b",{" + odd + b"}, null]}"
    pages, failures, _ = by_ids(["a1", "a2", "a3"], lambda ids: (200, body), tmp_path)
    assert (failures, [p.post_id for p in posts_of(pages)]) == ([], ["reddit:a1"])
    rejected = [(r.reason, r.detail) for page in pages for r in page.rejected]
    assert [reason for reason, _ in rejected] == ["unreadable_line", "not_in_archive"]
    assert rejected[0][1].startswith(f"post a2: {why}")
    assert rejected[1][1] == "a3"


def test_an_archive_that_asks_to_slow_down_is_asked_for_fewer_ids_at_once(tmp_path):
    def answer(ids):
        if len(ids) > 150:
            return 422, b'{"data": null, "error": "Timeout. Maybe slow down a bit"}'
        return 200, b'{"data":[' + b",".join(archived(int(one[1:])) for one in ids) + b"]}"

    pages, failures, asked = by_ids([f"a{n}" for n in range(500)], answer, tmp_path)
    assert (failures, len(posts_of(pages))) == ([], 500)
    assert asked == [500, 250, 125, 125, 125, 125]
