"""A release of generated posts says so wherever its figures are shown, and its links lead nowhere."""

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from collectors.store import Store
from collectors.store.record import as_generated
from curation.hydrate import main as hydrate
from curation.ids import main as write_ids
from curation.manifest import manifest
from curation.purge import main as purge
from tests.curation.stores import built, make_store, post, rows_of

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]
NOTE = "generated posts: not results"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), [as_generated(one) for one in POSTS])


@pytest.fixture(scope="module")
def release(store, tmp_path_factory):
    return built(tmp_path_factory.mktemp("built"), store)


def test_manifest_card_report_croissant_and_terminal_say_it(release):
    folder = release.folder
    assert json.loads((folder / "manifest.json").read_text())["generated"] == 60
    assert f"note    {NOTE}" in str(release).splitlines()
    card = (folder.parent / "README.md").read_text().splitlines()
    title = card.index("# Test")
    assert card[title : title + 5] == ["# Test", "", "A test. Version 1.0.0.", "", f"**{NOTE}**"]
    page = (folder / "report.html").read_text()
    assert f'<main><header id="top"><p class="verdict bad"><b>{NOTE}</b></p>' in page
    croissant = json.loads((folder / "croissant.json").read_text())
    assert croissant["description"] == f"A test. ({NOTE})"


def test_no_link_of_a_generated_post_leads_anywhere_real(release):
    for prefix in ("", "ids-"):
        row = rows_of(release.folder, prefix)["reddit:00007", 0]
        assert (row["permalink"], row["image_url"], row["attribution"]) == (
            "https://sandbox.invalid/www.reddit.com/comments/00007/",
            "https://sandbox.invalid/i.redd.it/7-0.jpg",
            "generated: reddit post 00007 in happy",
        )
    text = (release.folder / "report.html").read_text()
    hosts = {re.split("[/:]", link)[0] for link in re.findall(r"https?://([^\"'<> ]+)", text)}
    assert hosts == {"sandbox.invalid"}


def test_a_part_is_told_with_its_share(tmp_path):
    half = [as_generated(one) if i < 24 else one for i, one in enumerate(POSTS)]
    done = built(tmp_path, make_store(tmp_path / "store", half))
    note = "24 of 60 posts are generated: not results"
    assert (done.manifest.generated, done.manifest.generated_note) == (24, note)
    assert f"note    {note}" in str(done).splitlines()
    assert f"\n**{note}**\n" in (done.folder.parent / "README.md").read_text()
    assert f'<p class="verdict bad"><b>{note}</b></p>' in (done.folder / "report.html").read_text()
    links = {key: row["permalink"] for key, row in rows_of(done.folder).items()}
    assert links["reddit:00023", 0] == "https://sandbox.invalid/www.reddit.com/comments/00023/"
    assert links["reddit:00024", 0] == "https://www.reddit.com/comments/00024/"


def test_a_release_without_generated_posts_says_nothing(tmp_path):
    done = built(tmp_path, make_store(tmp_path / "store", POSTS))
    assert "generated" not in json.loads((done.folder / "manifest.json").read_text())
    assert "generated" not in str(done) + (done.folder.parent / "README.md").read_text()
    assert "posts are generated" not in (done.folder / "croissant.json").read_text()
    assert "not results" not in (done.folder / "report.html").read_text()
    assert manifest.read(done.folder / "manifest.json").generated == 0


@pytest.mark.slow
def test_a_mark_alone_makes_another_version_and_counts(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    plain = built(tmp_path, store)
    with Store.open(store) as opened:
        opened._db.execute("update posts set generated = 1")
    marked = built(tmp_path, store)
    assert (plain.manifest.version, marked.manifest.version) == ("1.0.0", "1.0.1")
    assert (marked.manifest.generated, marked.manifest.generated_note) == (60, NOTE)
    with Store.open(store) as opened:
        opened._db.execute("update posts set generated = null")
    again = built(tmp_path, store)
    assert (again.stood, again.manifest.version) == (True, "1.0.0")


def test_ids_and_the_full_release_made_of_them_say_it_too(tmp_path, store, release, capsys):
    ids, full = tmp_path / "ids", tmp_path / "full"
    assert write_ids([str(release.folder.parent), "--out", str(ids)]) == 0
    assert f"\n**{NOTE}**\n" in (ids / "README.md").read_text()
    assert hydrate([str(ids), "--store", str(store), "--store-only", "--out", str(full)]) == 0
    assert f"note    {NOTE}" in capsys.readouterr().out.splitlines()
    assert manifest.read(full / "1.0.0" / "manifest.json").generated == 60
    assert rows_of(full / "1.0.0") == rows_of(release.folder)


@pytest.mark.slow
def test_after_a_purge_those_that_are_left_are_counted(tmp_path):
    half = [as_generated(one) if i < 24 else one for i, one in enumerate(POSTS)]
    store = make_store(tmp_path / "store", half)
    built(tmp_path, store)
    with Store.open(store) as opened:
        opened.add([replace(half[3], removed="deleted"), replace(half[40], removed="deleted")])
    assert purge(["test", "--datasets", str(tmp_path / "out"), "--store", str(store)]) == 0
    described = manifest.read(tmp_path / "out" / "test" / "1.0.1" / "manifest.json")
    assert described.generated_note == "23 of 58 posts are generated: not results"
    [path] = (tmp_path / "out" / "test" / "1.0.1").glob("dropped-*.parquet")
    assert pq.read_table(path)["permalink"].to_pylist() == [None, None]
    with closing(sqlite3.connect(store / "crawl.sqlite")) as db:
        found = db.execute("select generated from posts where removed is not null order by post_id")
        assert found.fetchall() == [(1,), (None,)]
