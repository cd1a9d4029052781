"""Dumps that other processes, or a Ray cluster, read: the same pages, whatever ends the run."""

import json
import sqlite3
from contextlib import closing

import pytest

from affectory.core.engine.local import Processes
from affectory.core.errors import InputError
from collectors.reddit import dump as dump_source
from collectors.reddit.__main__ import main
from tests import clusters, disks
from tests.collectors.reddit_runs import dump
from tests.collectors.test_reddit_sources import submission, write_dump


def posts(first, sub, count=300):
    return [submission(number, sub=sub) for number in range(first, first + count)]


@pytest.fixture
def paths(tmp_path):
    """Files with posts of several subreddits and lines that can't be read; the third is cut off."""
    odd = "".join(
        [
            *(json.dumps(one) + "\n" for one in posts(1000, "Happy", 3)),
            '{"subreddit": "happy"\n\n{"id": "x"}\n[]\n',
            '{"subreddit": "happy", "title": "' + "long" * 1000 + '"}\n',
            json.dumps(submission(1, sub="rage")) + "\n",
        ]
    )
    (tmp_path / "2.jsonl").write_text(odd)
    found = [
        write_dump(tmp_path / "1.zst", [*posts(1, "happy", 600), *posts(800, "pics"), *posts(2000, "rage")]),
        tmp_path / "2.jsonl",
        write_dump(tmp_path / "3.zst", posts(5000, "rage")),
    ]
    found[2].write_bytes(found[2].read_bytes()[:-9])
    return found


def found(pages):
    """Return all that pages hold, whatever their number."""
    posts = [(one.post_id, one.community, one.title) for page in pages for one in page.posts]
    rejected = [(one.reason, one.detail) for page in pages for one in page.rejected]
    skipped = sorted(reason for page in pages for reason in page.skipped.elements())
    return posts, rejected, skipped, [note for page in pages for note in page.notes]


@pytest.mark.slow
def test_processes_find_what_one_finds(tmp_path, paths):
    noted, again = [], []
    expected = found(dump(paths[:2], ["happy", "rage"], noted, longest=3000)[0])
    apart = {"store": tmp_path, "engine": lambda scratch: Processes(2, preload=["collectors.reddit.sift"])}
    assert found(dump(paths[:2], ["happy", "rage"], again, longest=3000, **apart)[0]) == expected
    assert (again, len(expected[0]), len(expected[1])) == (noted, 904, 3)
    for more in ({}, apart):
        with pytest.raises(InputError, match=r"3\.zst' is truncated: the \.zst file ends inside a frame"):
            dump(paths, ["happy", "rage"], [], **more)
    assert list(tmp_path.glob(".sifted-*")) == []


def collect(tmp_path, store, *paths, more=()):
    """Collect from dumps; return the exit code and the posts that are stored."""
    where = ["--source", "dump", "--store", str(tmp_path / store), "--path", *map(str, paths)]
    code = main(["--subs", "happy", "rage", *where, "--no-media", "--min-ups", "0", *more])
    with closing(sqlite3.connect(tmp_path / store / "crawl.sqlite")) as db:
        return code, db.execute("select post_id, title, score from posts order by post_id").fetchall()


@pytest.mark.slow
def test_several_large_files_are_read_by_several_processes(tmp_path, paths, monkeypatch, capsys):
    code, expected = collect(tmp_path, "one", *paths[:2])
    (tmp_path / "two" / ".sifted-killed").mkdir(parents=True)
    monkeypatch.setattr(dump_source, "WORTHWHILE", 0)
    monkeypatch.setattr(dump_source, "batches", None)  # not in this process
    assert collect(tmp_path, "two", *paths[:2], more=["--workers", "2"]) == (code, expected)
    one, two = capsys.readouterr().out.split("posts   asked ")[1:]
    assert one.splitlines()[:3] == two.splitlines()[:3]
    assert (code, len(expected)) == (0, 903)
    assert list((tmp_path / "two").glob(".sifted-*")) == []


@pytest.mark.slow
def test_posts_before_the_end_of_a_truncated_file_are_kept(tmp_path, paths, monkeypatch, capsys):
    expected = collect(tmp_path, "one", *paths)
    monkeypatch.setattr(dump_source, "WORTHWHILE", 0)
    assert collect(tmp_path, "two", *paths, more=["--workers", "2"]) == expected
    assert (expected[0], len(expected[1])) == (1, 900)
    assert capsys.readouterr().out.count("3.zst' is truncated") == 2


@pytest.mark.long
def test_a_cluster_finds_what_this_machine_finds(tmp_path, paths, monkeypatch):
    pytest.importorskip("ray", reason="needs the extra cluster: pip install 'affectory[cluster]'")
    expected = collect(tmp_path, "local", *paths[:2])
    monkeypatch.setattr(dump_source, "batches", None)  # not in this process
    with clusters.cluster() as started:
        on = ["--engine", "ray", "--address", started.address]
        assert collect(tmp_path, "ray", *paths[:2], more=on) == expected
    assert list((tmp_path / "ray").glob(".sifted-*")) == []


@pytest.mark.slow
def test_a_full_disk_is_one_line_that_names_the_store(tmp_path, monkeypatch, capsys):
    files = [  # the first alone is more than the disk holds
        write_dump(tmp_path / "1.zst", posts(1, "happy", 20_000)),
        write_dump(tmp_path / "2.zst", posts(30_000, "happy", 1)),
    ]
    monkeypatch.setattr(dump_source, "WORTHWHILE", 0)
    with disks.small(tmp_path / "small", "1m") as small:
        assert collect(tmp_path, "small/s", *files, more=["--workers", "2"])[0] == 2
        assert list((small / "s").glob(".sifted-*")) == []
    assert capsys.readouterr().err == (
        f"error: what the dumps hold can't be written to '{tmp_path}/small/s': No space left on device; free "
        "some space or name a folder that can be written; complete files there are unchanged\n"
    )


def test_only_files_of_submissions_are_read_by_an_engine(capsys):
    assert main(["--subs", "happy", "--source", "archive", "--engine", "ray"]) == 2
    assert capsys.readouterr().err == (
        "error: --engine ray reads files of submissions: use it with --source dump\n"
    )
