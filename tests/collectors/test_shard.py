"""`--shard I/N`: the parts of lists, vote tables and dumps, and their stores merged."""

import json
import random
import re
from collections import Counter

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from affectory.core.errors import InputError
from collectors.crawl.shard import Shard
from collectors.flickr.__main__ import main as collect_flickr
from collectors.merge import main as merge
from collectors.reddit.__main__ import main as collect_reddit
from collectors.sandbox import running
from collectors.store.reading import reading
from tests.collectors.flickr_runs import calls
from tests.collectors.reddit_runs import HEADER, without_credentials
from tests.collectors.test_reddit_sources import submission

#: Columns that differ between two crawls of the same posts.
TIMES = ("collected_at", "observed_at", "fetched_at")


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch, tmp_path):
    without_credentials(monkeypatch, tmp_path)
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)


def kept(folder):
    """Return the rows of a store's posts and of their media, but for the times of the crawl."""
    with reading(folder) as store:
        return {
            one.post["post_id"]: [
                {name: value for name, value in row.items() if name not in TIMES}
                for row in (one.post, *one.media)
            ]
            for one in store.records()
        }


def whole(collect, folder, arguments):
    """Collect all posts into a store; return what it keeps."""
    with_key(folder / "whole")
    assert collect([*arguments, "--store", str(folder / "whole")]) == 0
    return kept(folder / "whole")


def in_shards(collect, folder, arguments, of):
    """Collect each shard into a store of its own, and merge them; return what all of these keep."""
    stores = [folder / f"{number}-of-{of}" for number in range(1, of + 1)]
    for number, store in enumerate(stores, 1):
        with_key(store)
        assert collect([*arguments, "--shard", f"{number}/{of}", "--store", str(store)]) == 0
    assert merge([*map(str, stores), "--into", str(folder / "merged")]) == 0
    return [kept(store) for store in stores], kept(folder / "merged")


def with_key(store):
    """Make a store's folder with the author.key that all stores of a test share."""
    store.mkdir()
    (store / "author.key").write_bytes(b"k" * 32)


@given(st.text(), st.integers(1, 50))
def test_a_post_is_in_exactly_one_shard(post_id, of):
    assert sum(Shard(number, of).has(post_id) for number in range(1, of + 1)) == 1


def test_a_posts_shard_is_the_same_in_every_version():
    ids = [f"reddit:{name}" for name in ("3svmej", "15qsyl", "36klm2", "1", "zzzzzz")]
    assert [[Shard(n, 4).has(one) for n in (1, 2, 3, 4)].index(True) + 1 for one in ids] == [1, 3, 2, 3, 3]
    sizes = Counter(next(n for n in (1, 2, 3) if Shard(n, 3).has(f"flickr:{one}")) for one in range(3000))
    assert sizes == {1: 1016, 2: 1041, 3: 943}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0/4", "--shard 0/4: parts of 4 are numbered 1/4 to 4/4"),
        ("5/4", "--shard 5/4: parts of 4 are numbered 1/4 to 4/4"),
        ("1/0", "--shard 1/0: there are no parts; 1/4 is the first of four"),
        ("a/b", "--shard 'a/b' is not a part as 1/4, the first of four"),
        ("1", "--shard '1' is not a part as 1/4, the first of four"),
        ("-1/4", "--shard '-1/4' is not a part as 1/4, the first of four"),
        ("¹/4", "--shard '¹/4' is not a part as 1/4, the first of four"),
    ],
)
def test_what_is_no_part_is_one_line(capsys, text, said):
    assert collect_flickr(["--sandbox", f"--shard={text}"]) == 2
    assert capsys.readouterr().err == f"error: {said}\n"
    with pytest.raises(InputError):
        Shard.parse(text)


def test_sources_that_have_no_parts_say_what_to_do(capsys, tmp_path):
    (tmp_path / "x.jsonl").write_text("")
    (tmp_path / "pairs.txt").write_text("\tbeautiful_flower [sentiment: 1.77]\n")
    reddit = ["--subs", "happy", "--shard", "1/2"]
    assert collect_reddit([*reddit, "--source", "archive"]) == 2
    assert collect_reddit([*reddit, "--source", "dump", "--path", "x.jsonl", "--limit", "9"]) == 2
    assert collect_flickr(["--sandbox", "--vso", "pairs.txt", "--shard", "1/2"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: --shard 1/2 divides files of posts (--source dump or index), not whole subreddits: give each "
        "run other --subs instead",
        "error: --limit 9 can't be combined with --shard 1/2, which doesn't know the others' scores: leave "
        "it out, or use --min-ups",
        "error: --shard 1/2 divides lists of photos, and a search has none: leave it out, or name the photos "
        "with --photos",
    ]


def test_the_shards_of_a_dump_are_the_whole_dump(tmp_path):
    more = {"author": "somebody", "url": "https://i.redd.it/one.jpg", "selftext": "text"}
    posts = [submission(n, sub="happy" if n % 3 else "aww", **more) for n in range(1, 61)]
    posts += [submission(7, **more), submission(8, removed_by_category="moderator"), {"subreddit": "happy"}]
    lines = [json.dumps(post).encode() for post in posts]
    (tmp_path / "RS.zst").write_bytes(zstandard.compress(b"\n".join(lines)))
    common = ["--subs", "happy", "--source", "dump", "--no-media"]
    shards, merged = in_shards(collect_reddit, tmp_path, [*common, "--path", "RS.zst"], 3)
    assert merged == whole(collect_reddit, tmp_path, [*common, "--path", "RS.zst", "--min-ups", "0"])
    assert (len(merged), sum(map(len, shards))) == (40, 40)
    with reading(tmp_path / "merged") as one, reading(tmp_path / "whole") as other:
        assert list(one.dumps()) == list(other.dumps()) != []
    # another order and another packing give the same shards, and a store may get several
    random.Random(1).shuffle(lines)
    (tmp_path / "RS.jsonl").write_bytes(b"\n".join(lines))
    for number, found in ((2, set(shards[1])), (1, set(shards[0]) | set(shards[1]))):
        shard = ["--shard", f"{number}/3", "--store", "some"]
        assert collect_reddit([*common, "--path", "RS.jsonl", *shard]) == 0
        assert set(kept(tmp_path / "some")) == found


def test_a_shards_summary_counts_the_others_posts_and_a_new_key_is_said(capsys, tmp_path):
    line = "{0:x},t3_{0:x},http://i.imgur.com/a{0}.jpg,5,0,1,Title,/,happy,1,me\n"
    bad = "no!,,http://x.example/,5,0,1,Title,/,happy,1,me\n"
    (tmp_path / "happy.csv").write_text(HEADER + "".join(map(line.format, range(1, 41))) + bad)
    arguments = ["--subs", "happy", "--source", "index", "--path", "happy.csv", "--no-media"]
    assert collect_reddit([*arguments, "--store", "s", "--shard", "1/2"]) == 0
    assert collect_reddit([*arguments, "--store", "s", "--shard", "2/2"]) == 0
    said = capsys.readouterr()
    assert [line for line in said.out.splitlines() if line.startswith("posts   asked")] == [
        "posts   asked 41 = 20 new + 20 of other shards + 1 bad id",
        "posts   asked 41 = 20 new + 20 of other shards + 1 bad id",
    ]
    assert said.err.count("note: author.key is new: copy it into the folder of each other shard's store") == 1
    assert "before its first run, or affectory merge has to leave out the authors\n" in said.err
    assert collect_reddit([*arguments, "--store", "t"]) == 0
    assert "author.key" not in capsys.readouterr().err


@pytest.mark.slow
def test_the_shards_of_a_list_of_ids_ask_for_their_own_posts_alone(capsys, tmp_path):
    with running(posts=40) as base:
        arguments = ["--subs", "happy", "creepy", "rage", "gore", "--sandbox-url", base, "--no-media"]
        assert collect_reddit([*arguments, "--source", "archive", "--store", "all"]) == 0
        (tmp_path / "ids.txt").write_text("\n".join([*kept(tmp_path / "all"), "reddit:neverwas"]))
        arguments += ["--source", "index", "--path", "ids.txt"]
        everything = whole(collect_reddit, tmp_path, arguments)
        capsys.readouterr()
        _, merged = in_shards(collect_reddit, tmp_path, arguments, 2)
    assert merged == everything
    found = re.findall("note    ([0-9]+) posts by id from the archive", capsys.readouterr().out)
    assert sum(map(int, found)) == len(merged)


@pytest.mark.slow
def test_the_shards_of_vote_tables_are_the_whole_tables(tmp_path):
    with running(posts=80) as base:
        arguments = ["--sandbox-url", base, "--no-media", "--limit", "9"]
        everything = whole(collect_flickr, tmp_path, arguments)
        before = calls(base)
        shards, merged = in_shards(collect_flickr, tmp_path, arguments, 2)
        assert calls(base) == {name: 2 * n for name, n in before.items()}
    assert merged == everything
    assert all(shards)
