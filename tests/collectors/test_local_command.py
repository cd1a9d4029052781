"""`python -m collectors.local`: from a table and a folder of images to a store, again, and after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from collectors.crawl.decode import ImagePolicy
from collectors.crawl.workers import TimeLimits, Workers
from collectors.local.images import look
from collectors.local.posts import image_path, image_url
from tests.collectors.local_folder import HEAD, RECIPE, collect, jpeg, printed, query, recipe
from tests.collectors.pictures import slow_jpeg
from tests.conftest import SHARED

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_table_and_its_images_become_a_store(place, capsys):
    assert collect(place) == 0
    assert printed(capsys) == [
        "posts   asked 3 = 3 new",
        "images  linked 3 = 3 stored",
        "        in this run: 3 stored",
    ]
    assert query(place, "select post_id, source, community, title, label, labels, split from posts") == [
        ("mine:a", "mine", "mine", "one", "happy", None, None),
        ("mine:b", "mine", "mine", "two", "sad", None, None),
        ("mine:c", "mine", "mine", "three", "happy", None, None),
    ]
    assert query(place, "select url, status, mime, width from media where post_id = 'mine:b'") == [
        ("local://mine/pictures/b.jpg", "stored", "image/jpeg", 40)
    ]


@pytest.mark.slow
def test_images_are_linked_not_copied(place):
    collect(place)
    linked = {path.stat().st_ino for path in (place / "store" / "media").rglob("*.jpg")}
    assert linked == {path.stat().st_ino for path in (place / "folder" / "pictures").iterdir()}


def test_an_image_that_cannot_be_linked_is_copied(place, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    (place / "store" / "media" / "tmp").mkdir(parents=True)
    monkeypatch.setattr(os, "link", refuse)
    outcome = look(
        b"",
        "local://mine/pictures/a.jpg",
        place / "store",
        1,
        ImagePolicy(),
        root=(place / "folder").resolve(),
    )
    [path] = (place / "store" / "media").rglob("*.jpg")
    assert (outcome.status, path.name, path.read_bytes()) == ("stored", f"{outcome.sha256}.jpg", jpeg(0))
    assert path.stat().st_nlink == 1


@pytest.mark.slow
def test_a_rerun_changes_nothing_and_looks_at_no_stored_image(place, capsys):
    collect(place)
    before = query(place, "select * from posts"), query(place, "select * from media")
    capsys.readouterr()
    for path in (place / "folder" / "pictures").iterdir():
        path.unlink()
    assert collect(place) == 0
    assert printed(capsys) == ["posts   asked 3 = 3 known", "images  linked 3 = 3 stored"]
    assert (query(place, "select * from posts"), query(place, "select * from media")) == before


@pytest.mark.slow
def test_a_rerun_takes_what_has_changed_and_what_has_been_mended(place, capsys):
    (place / "folder" / "pictures" / "b.jpg").unlink()
    (place / "folder" / "pictures" / "c.jpg").write_bytes(jpeg(2)[:-200])
    assert collect(place) == 0
    assert (
        printed(capsys)[1] == "images  linked 3 = 1 stored + 1 failed: truncated image + 1 gone: file missing"
    )
    (place / "folder" / "posts.csv").write_text("name,text,mood\na,one,happy\nb,two!,sad\nd,four,sad\n")
    for number, name in enumerate("bcd"):
        (place / "folder" / "pictures" / f"{name}.jpg").write_bytes(jpeg(10 + number))
    assert collect(place) == 0
    assert printed(capsys) == [
        "posts   asked 3 = 1 new + 1 updated + 1 known",
        "images  linked 4 = 4 stored",
        "        in this run: 3 stored",
        "note    no longer in the tables, and kept: 1 post of an earlier run; a new --store has none",
    ]


@pytest.mark.slow
def test_an_image_that_takes_too_long_to_decode_is_a_failure_until_it_is_replaced(place, capsys, monkeypatch):
    limited = partial(Workers, limits=TimeLimits(cpu=0.5))
    monkeypatch.setattr("collectors.local.collect.Workers", limited)
    (place / "folder" / "pictures" / "b.jpg").write_bytes(slow_jpeg())
    assert collect(place) == 0
    assert printed(capsys)[1] == "images  linked 3 = 2 stored + 1 failed: decoder timeout"
    assert query(place, "select reason, detail from media where status = 'failed'") == [
        ("decoder_timeout", "more than 0.5 s of CPU time")
    ]
    (place / "folder" / "pictures" / "b.jpg").write_bytes(jpeg(10))
    assert collect(place) == 0
    assert printed(capsys)[1] == "images  linked 3 = 3 stored"


def test_a_path_of_any_characters_comes_back_from_its_address():
    for path in ("a b/ü?#%41.jpg", "//etc/passwd", "../x", "a:b@c/我.png"):
        assert image_path(image_url("mine", path)) == path


@pytest.mark.slow
def test_tables_are_joined_by_the_id(place, capsys):
    recipe(place, RECIPE.replace('tables = ["posts.csv"]', 'tables = ["moods.csv"]\njoin = ["posts.jsonl"]'))
    (place / "folder" / "moods.csv").write_text("mood,name\nhappy,a\nsad,b\n")
    lines = [json.dumps({"name": n, "text": t}) for n, t in (("b", "two"), ("z", "last"), ("b", "again"))]
    (place / "folder" / "posts.jsonl").write_text("\n".join(lines))
    assert collect(place) == 0
    assert query(place, "select post_id, title, label from posts") == [("mine:b", "two", "sad")]
    out = printed(capsys)
    assert out[0] == "posts   asked 2 = 1 new + 1 not in joined table"
    assert out[3:] == [
        "note    not in joined table: moods.csv, line 2: 'a' has no 'text'",
        "note    1 row of posts.jsonl skipped: duplicate id",
        "note    1 id of posts.jsonl is in no other table: 'z'",
    ]


@pytest.mark.slow
def test_a_tables_name_may_stand_in_an_images_path(place):
    recipe(
        place, RECIPE.replace("pictures/{name}", "{table}/{name}").replace('"posts.csv"', '"pictures.csv"')
    )
    (place / "folder" / "posts.csv").rename(place / "folder" / "pictures.csv")
    assert collect(place) == 0
    assert query(place, "select url, status from media where position = 0 limit 1") == [
        ("local://mine/pictures/a.jpg", "stored")
    ]


SEVERAL = (
    HEAD
    + """\
[source.local]
tables = ["train.csv", "dev.csv", "test.csv"]
id = "id"
title = "text"
label = "bad"
labels = ["shaming", "violence"]
unlabelled = ["test.csv"]
[labels]
0 = "good"
1 = "bad"
[multilabel]
names = ["shaming", "violence"]
"""
)


def test_several_labels_splits_by_table_and_posts_without_labels(place, capsys):
    recipe(place, SEVERAL)
    folder = place / "folder"
    (folder / "train.csv").write_text(
        "id,text,bad,shaming,violence\n1,a,1,1,0\n2,b,0,0,0\n3,c,1,TRUE,1.0\n4,d,,,\n5,e,1,maybe,0\n"
    )
    (folder / "dev.csv").write_text("id,bad,shaming,violence,text\n1,1,0,1,another one\n")
    (folder / "test.csv").write_text("id,text\n1,unknown\n")
    assert collect(place) == 0
    assert query(place, "select post_id, label, labels, split from posts order by 1") == [
        ("mine:dev/1", "1", '["violence"]', "dev"),
        ("mine:test/1", None, None, "test"),
        ("mine:train/1", "1", '["shaming"]', "train"),
        ("mine:train/2", "0", "[]", "train"),
        ("mine:train/3", "1", '["shaming", "violence"]', "train"),
        ("mine:train/4", None, None, "train"),
    ]
    assert (
        "note    unclear label: train.csv, line 6: 'shaming' is 'maybe', neither 0 nor 1: values maps words"
        in printed(capsys)
    )


@pytest.mark.slow
def test_a_run_that_was_killed_is_gone_on_with(place, capsys):
    names = [f"n{i:04}" for i in range(1500)]
    (place / "folder" / "posts.csv").write_text(
        "name,text,mood\n" + "".join(f"{n},t {n},sad\n" for n in names)
    )
    for number, name in enumerate(names):
        (place / "folder" / "pictures" / f"{name}.jpg").write_bytes(jpeg(number))
    command = [sys.executable, "-m", "collectors.local", "mine", "--path", str(place / "folder")]
    command += ["--store", str(place / "store"), "--datasets", str(place / "datasets"), "--workers", "1"]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list((place / "store" / "media").glob("??/*")) and time.monotonic() < until:
        os.sched_yield()
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert collect(place) == 0
    out = printed(capsys)
    assert out[1] == "images  linked 1,500 = 1,500 stored"
    assert query(place, "select count(*), sum(attempts), count(distinct sha256) from media") == [
        (1500, 1500, 1500)
    ]


ORIGINALS = {
    "image_0.jpg": ("stored", "image/png", 1),
    "image_1016.jpg": ("stored", "image/png", 1),
    "image_1019.jpg": ("stored", "image/png", 1),
    "image_1020.jpg": ("stored", "image/png", 1),
    "image_1021.jpg": ("stored", "image/png", 1),
    "image_1402.jpg": ("stored", "image/jpeg", 1),  # ends without its marker
    "image_1575.jpg": ("stored", "image/jpeg", 1),  # so does this
    "image_3057.jpg": ("stored", "image/gif", 8),
    "image_3151.jpg": ("truncated_image", None, None),
}


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "met_meme").exists(), reason="the shared data is not here")
def test_the_nine_originals_of_met_meme_end_as_what_they_are(place):
    recipe(place, RECIPE.replace("pictures/{name}.jpg", "{name}"))
    (place / "folder" / "posts.csv").write_text(
        "name,text,mood\n" + "".join(f"{name},t,sad\n" for name in ORIGINALS)
    )
    for name in ORIGINALS:
        (place / "folder" / name).write_bytes((SHARED / "met_meme" / "originals" / name).read_bytes())
    assert collect(place) == 0
    rows = query(place, "select substr(post_id, 6), coalesce(reason, status), mime, frames from media")
    assert {name: (how, mime, frames) for name, how, mime, frames in rows} == ORIGINALS
