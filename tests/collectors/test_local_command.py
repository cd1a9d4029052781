import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from collectors.images import ImagePolicy
from collectors.local.__main__ import main
from collectors.local.images import look
from collectors.local.posts import image_path, image_url
from tests.conftest import SHARED

ROOT = Path(__file__).parents[2]

RECIPE = """\
[source.local]
tables = ["posts.csv"]
id = "name"
title = "text"
label = "mood"
image = "pictures/{name}.jpg"
"""


def jpeg(number, size=(40, 30)):
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, "JPEG", comment=f"picture {number}".encode())
    return out.getvalue()


@pytest.fixture
def place(tmp_path):
    """A folder with a table of three posts and their pictures, and a recipe for it."""
    (tmp_path / "datasets" / "mine").mkdir(parents=True)
    (tmp_path / "datasets" / "mine" / "recipe.toml").write_text(RECIPE)
    folder = tmp_path / "folder"
    (folder / "pictures").mkdir(parents=True)
    (folder / "posts.csv").write_text("name,text,mood\na,one,happy\nb,two,sad\nc,three,happy\n")
    for number, name in enumerate("abc"):
        (folder / "pictures" / f"{name}.jpg").write_bytes(jpeg(number))
    return tmp_path


def collect(place, *more, name="mine"):
    options = ["--path", str(place / "folder"), "--store", str(place / "store")]
    return main([name, *options, "--datasets", str(place / "datasets"), "--workers", "1", *more])


def recipe(place, text):
    (place / "datasets" / "mine" / "recipe.toml").write_text(text)


def query(place, sql):
    with sqlite3.connect(place / "store" / "crawl.sqlite") as db:
        return db.execute(sql).fetchall()


def printed(capsys):
    """What was printed, without the line that holds the folder and the seconds."""
    lines = capsys.readouterr().out.splitlines()
    return [line for line in lines if not line.startswith("store ")]


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


def test_a_rerun_changes_nothing_and_looks_at_no_stored_image(place, capsys):
    collect(place)
    before = query(place, "select * from posts"), query(place, "select * from media")
    capsys.readouterr()
    for path in (place / "folder" / "pictures").iterdir():
        path.unlink()
    assert collect(place) == 0
    assert printed(capsys) == ["posts   asked 3 = 3 known", "images  linked 3 = 3 stored"]
    assert (query(place, "select * from posts"), query(place, "select * from media")) == before


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
        "note    1 posts of an earlier run are no longer in the tables, and stay: a new --store has none",
    ]


def test_nothing_outside_of_the_folder_is_read(place, capsys):
    outside = place / "secret.jpg"
    outside.write_bytes(jpeg(99))
    pictures = place / "folder" / "pictures"
    (pictures / "link.jpg").symlink_to(outside)
    (pictures / "inside.jpg").symlink_to(pictures / "a.jpg")
    (pictures / "deep").symlink_to(place)
    (pictures / "ring.jpg").symlink_to(pictures / "ring.jpg")
    os.mkfifo(pictures / "pipe.jpg")
    recipe(place, RECIPE.replace("pictures/{name}.jpg", "{name}"))
    names = [
        "../secret.jpg",
        "pictures/../../secret.jpg",
        str(outside),
        "pictures/link.jpg",
        "pictures/deep/secret.jpg",
        "pictures/inside.jpg",
        "pictures/ring.jpg",
        "pictures/pipe.jpg",
        "pictures",
        "pictures/nul\0.jpg",
    ]
    (place / "folder" / "posts.csv").write_text("name,text,mood\n" + "".join(f"{n},t,sad\n" for n in names))
    assert collect(place) == 0
    found = query(place, "select coalesce(reason, status) from media order by rowid")
    assert [how for (how,) in found] == [
        *["outside_folder"] * 5,
        "stored",
        "unreadable_file",
        "not_a_file",
        "not_a_file",
        "unreadable_file",
    ]
    assert not any(path.read_bytes() == jpeg(99) for path in (place / "store" / "media").rglob("*.jpg"))


def test_a_path_of_any_characters_comes_back_from_its_address():
    for path in ("a b/ü?#%41.jpg", "//etc/passwd", "../x", "a:b@c/我.png"):
        assert image_path(image_url("mine", path)) == path


def test_rows_that_are_no_posts_are_counted_and_shown(place, capsys):
    table = "name,text,mood\n,no id,sad\na,one,happy\na,again,sad\nb,two\n" + "a,x,sad\n" * 7
    (place / "folder" / "posts.csv").write_text(table)
    assert collect(place) == 0
    assert printed(capsys) == [
        "posts   asked 11 = 1 new + 8 duplicate id + 1 no id + 1 wrong number of columns",
        "images  linked 1 = 1 stored",
        "        in this run: 1 stored",
        "note    no id: posts.csv, line 2: 'name' is empty",
        "note    duplicate id: posts.csv, line 4: 'a'",
        "note    duplicate id: posts.csv, line 6: 'a'",
        "note    duplicate id: posts.csv, line 7: 'a'",
        "note    duplicate id: posts.csv, line 8: 'a'",
        "note    duplicate id: posts.csv, line 9: 'a'",
        "note    duplicate id: 3 rows more",
        "note    wrong number of columns: posts.csv, line 5: 2, the header has 3",
    ]


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
        "note    1 rows were passed over, posts.jsonl: duplicate_id",
        "note    1 ids of posts.jsonl are in no other table: 'z', …",
    ]


def test_a_tables_name_may_stand_in_an_images_path(place):
    recipe(
        place, RECIPE.replace("pictures/{name}", "{table}/{name}").replace('"posts.csv"', '"pictures.csv"')
    )
    (place / "folder" / "posts.csv").rename(place / "folder" / "pictures.csv")
    assert collect(place) == 0
    assert query(place, "select url, status from media where position = 0 limit 1") == [
        ("local://mine/pictures/a.jpg", "stored")
    ]


SEVERAL = """\
[source.local]
tables = ["train.csv", "dev.csv", "test.csv"]
id = "id"
title = "text"
label = "bad"
labels = ["shaming", "violence"]
unlabelled = ["test.csv"]
"""


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
    assert "note    unclear label: train.csv, line 6: 'shaming' is 'maybe', neither 0 nor 1" in printed(
        capsys
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ('label = "mood"', 'label = "feeling"'),
            "no column 'feeling' in 'FOLDER/posts.csv'; posts.csv has 'name', 'text', 'mood': "
            "name one of them in [source.local]",
        ),
        (
            ('id = "name"', 'id = "file"'),
            "'FOLDER/posts.csv' has no column 'file' for id; posts.csv has 'name', 'text', 'mood': "
            "name one of them in [source.local]",
        ),
        (
            ('id = "name"', 'id = "name"\ndelimiter = ";"'),
            "'FOLDER/posts.csv' has no column 'name' for id; posts.csv has 'name,text,mood' "
            "(is ';' its delimiter?): name one of them in [source.local]",
        ),
        (
            ('["posts.csv"]', '"posts.csv"'),
            "RECIPE: source.local: tables = 'posts.csv': this is to be a list: put it in [ ]",
        ),
        (
            ('["posts.csv"]', '["rows.csv"]'),
            "there is no table 'FOLDER/rows.csv'; the folder has posts.csv",
        ),
        (
            ('["posts.csv"]', '["posts.xlsx"]'),
            "RECIPE: source.local: tables = ['posts.xlsx']: 'posts.xlsx' is no table: its name must end in "
            ".csv, .tsv, .txt, .jsonl, .ndjson, .parquet",
        ),
        (
            ('["posts.csv"]', '["../posts.csv"]'),
            "RECIPE: source.local: tables = ['../posts.csv']: '../posts.csv' is outside of the folder: name "
            "a path within it",
        ),
        (
            ('["posts.csv"]', '["a/posts.csv", "b/posts.csv"]'),
            "RECIPE: source.local: two tables are called 'posts', and posts go by their names: rename one",
        ),
        (
            ("title =", "titel ="),
            "RECIPE: source.local: titel = 'text': there is no such key; there are tables, join, encoding, "
            "delimiter, quoted, id, title, body, label, labels, unlabelled, image, split",
        ),
        (
            ("{name}.jpg", "name.jpg"),
            "RECIPE: source.local: image = 'pictures/name.jpg': the pattern names no column, so that all "
            "posts would have the same image; write it as images/{file_name}",
        ),
        (
            ('id = "name"', 'id = "name"\nencoding = "gb-18031"'),
            "RECIPE: source.local: encoding = 'gb-18031': there is no such encoding; write it as utf-8, "
            "gb18030, cp1252, …",
        ),
        (
            ('id = "name"', 'id = "name"\nencoding = "base64"'),
            "RECIPE: source.local: encoding = 'base64': there is no such encoding; write it as utf-8, "
            "gb18030, cp1252, …",
        ),
        (
            ('label = "mood"', 'labels = ["calm", "merry"]'),
            "RECIPE: source.local: labels = ['calm', 'merry']: label is missing, the column of one class a "
            "post, by which a release is split: add it",
        ),
        (("[source.local]", "[source]"), "'RECIPE' has no [source.local]: add it, as docs/local.md shows"),
    ],
)
def test_a_recipe_that_does_not_fit_says_what_does(place, capsys, change, message):
    recipe(place, RECIPE.replace(*change))
    assert collect(place) == 2
    told = message.replace("FOLDER", str(place / "folder"))
    told = told.replace("RECIPE", str(place / "datasets" / "mine" / "recipe.toml"))
    assert capsys.readouterr().err == f"error: {told}\n"
    assert not (place / "store").exists()


def test_an_empty_table_is_told_of(place, capsys):
    table = place / "folder" / "posts.csv"
    table.write_text("")
    assert collect(place) == 2
    assert capsys.readouterr().err == f"error: '{table}' has no column at all: is it the right file?\n"


def test_a_table_that_is_a_link_out_of_the_folder_is_not_read(place, capsys):
    table = place / "folder" / "posts.csv"
    elsewhere = table.rename(place / "elsewhere.csv")
    table.symlink_to(elsewhere)
    assert collect(place) == 2
    assert capsys.readouterr().err == (
        f"error: the table '{table}' leads out of the folder, to '{elsewhere.resolve()}', and nothing there "
        "is read: put a copy in its place\n"
    )


def test_what_is_not_there_is_told_in_a_line(place, capsys):
    assert collect(place, name="other") == 2
    assert collect(place, name="My set") == 2
    assert main(["mine", "--path", str(place / "no"), "--datasets", str(place / "datasets")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"error: there is no recipe '{place}/datasets/other/recipe.toml' (those there are: mine): write one, "
        "as docs/local.md shows, or name their folder with --datasets",
        "error: 'My set' is no dataset's name: use lower-case letters, digits and '-'",
        f"error: --path '{place}/no' is no folder",
    ]


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
