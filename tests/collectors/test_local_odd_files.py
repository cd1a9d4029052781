"""Own files as they are found: several encodings, other spellings of names, words for labels, gaps."""

import json
import os
import unicodedata

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collectors.local.posts import Tables
from collectors.local.source import Local
from collectors.store.record import Rejection
from tests.collectors.local_folder import HEAD, RECIPE, collect, jpeg, printed, query, recipe

LABELS = '[labels]\nhappy = "happy"\nsad = "sad"\n'


def table(place, text, name="posts.csv"):
    (place / "folder" / name).write_text(text, "utf-8")


def refused(place, capsys):
    """Collect, and return the one line of the error; there is no store then."""
    assert collect(place) == 2
    assert not (place / "store").exists()
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), err[:7]) == ("", 1, "error: ")
    return err[7:-1].replace(str(place / "folder"), "FOLDER")


TEXTS = HEAD + (
    '[source.local]\ntables = ["posts.csv"]\nid = "name"\nlabel = "mood"\ntext_file = "data/{name}.txt"\n'
)


@pytest.mark.slow
def test_texts_in_files_are_decoded_one_by_one(place, capsys):
    recipe(place, TEXTS + 'encoding = "cp1252"\n' + LABELS)
    table(place, "name,mood\n" + "".join(f"{name},sad\n" for name in ("a", "b", "c", "d", "e", "f")))
    data = place / "folder" / "data"
    data.mkdir()
    (data / "a.txt").write_bytes("it’s naïve\n".encode("cp1252"))
    (data / "b.txt").write_bytes("it’s naïve\r\n".encode())
    (data / "c.txt").write_bytes("it’s naïve".encode("utf-8-sig"))
    (data / "d.txt").write_bytes(b"")
    (data / "e.txt").write_bytes(b"no \x81 in cp1252")
    assert collect(place) == 0
    assert query(place, "select post_id, title from posts order by 1") == [
        ("mine:a", "it’s naïve"),
        ("mine:b", "it’s naïve"),
        ("mine:c", "it’s naïve"),
        ("mine:d", ""),
    ]
    assert printed(capsys) == [
        "posts   asked 6 = 4 new + 1 text file missing + 1 undecodable text",
        "images  linked 0 = 0",
        "note    undecodable text: posts.csv, line 6: data/e.txt: 'charmap' codec can't decode byte 0x81 in "
        "position 3: character maps to <undefined>; encoding names that of files that are not UTF-8",
        "note    text file missing: posts.csv, line 7: data/f.txt",
    ]
    (data / "f.txt").write_text("here now")
    assert collect(place) == 0
    assert printed(capsys)[0] == "posts   asked 6 = 1 new + 4 known + 1 undecodable text"


def test_a_text_in_latin_1_is_named_as_no_utf_8(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"na\xefve")
    (tmp_path / "t.csv").write_text("id\na\n")
    source = Local(tables=("t.csv",), id="id", text_file="{id}.txt")
    assert list(Tables.open("mine", tmp_path, source, {})) == [
        Rejection(
            "undecodable_text",
            "t.csv, line 2: a.txt: 'utf-8' codec can't decode byte 0xef in position 2: invalid continuation "
            "byte; encoding names that of files that are not UTF-8",
        )
    ]


@pytest.mark.slow
def test_no_file_of_text_is_read_from_outside_of_the_folder(place, capsys):
    recipe(place, TEXTS.replace("data/{name}.txt", "{name}") + LABELS)
    (place / "secret.txt").write_text("secret")
    (place / "folder" / "deep").symlink_to(place)
    table(place, "name,mood\n../secret.txt,sad\ndeep/secret.txt,sad\n..\\secret.txt,sad\nposts.csv,sad\n")
    assert collect(place) == 0
    assert printed(capsys)[0] == "posts   asked 4 = 1 new + 3 text outside folder"


def test_where_no_text_is_there_the_error_names_the_first_five(place, capsys):
    recipe(place, TEXTS + LABELS)
    table(place, "name,mood\n" + "".join(f"{number},sad\n" for number in range(1, 8)))
    rows = "; ".join(f"text file missing: posts.csv, line {n + 1}: data/{n}.txt" for n in range(1, 6))
    assert refused(place, capsys) == f"no row can be used: {rows}; …"


def test_where_no_image_is_there_the_error_names_the_first_five(place, capsys):
    recipe(place, RECIPE.replace("pictures/", "pics/"))
    table(place, "name,text,mood\n" + "".join(f"{number},t,sad\n" for number in range(120)))
    assert refused(place, capsys) == (
        "none of 120 images exists below 'FOLDER': pics/0.jpg, pics/1.jpg, pics/2.jpg, pics/3.jpg, "
        "pics/4.jpg, …; correct image = 'pics/{name}.jpg' in [source.local]"
    )


def test_where_no_image_is_there_the_error_says_what_table_stands_for(place, capsys):
    recipe(
        place, RECIPE.replace("posts.csv", "train/metadata.csv").replace("pictures/{name}", "{table}/{name}")
    )
    (place / "folder" / "train").mkdir()
    table(place, "name,text,mood\na,t,sad\n", "train/metadata.csv")
    assert refused(place, capsys) == (
        "none of 1 image exists below 'FOLDER': metadata/a.jpg; correct image = '{table}/{name}.jpg' in "
        "[source.local], where {table} is metadata"
    )


@pytest.mark.slow
def test_where_no_image_can_be_used_the_run_has_failed(place, capsys):
    for name in "abc":
        (place / "folder" / "pictures" / f"{name}.jpg").write_bytes(jpeg(0)[:-200])
    assert collect(place) == 1
    assert printed(capsys)[-2].startswith("problem none of 3 images can be used: pictures/")
    assert query(place, "select count(*) from posts") == [(3,)]


def test_a_table_of_a_header_alone_is_told_of(place, capsys):
    table(place, "name,text,mood\n")
    assert refused(place, capsys) == "there are no rows in 'posts.csv' of 'FOLDER': is it the right folder?"


@pytest.mark.slow
def test_one_of_several_tables_without_rows_is_a_note(place, capsys):
    recipe(place, RECIPE.replace('["posts.csv"]', '["posts.csv", "more.csv"]'))
    table(place, "name,text,mood\n", "more.csv")
    assert collect(place) == 0
    assert printed(capsys)[-1] == "note    more.csv has no rows below its header"


def test_patterns_that_no_file_matches_are_told_of(place, capsys):
    recipe(
        place,
        RECIPE.replace('tables = ["posts.csv"]', 'files = ["*.png"]')
        .replace('"name"', '"path"')
        .replace("{name}", "{stem}")
        .replace('title = "text"', 'title = "stem"')
        .replace('"mood"', '"folder"'),
    )
    assert refused(place, capsys) == "no file matches '*.png' of 'FOLDER': is it the right folder?"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("posts.csv", "a,one,happy\nb,two,sad\n"),
        ("posts.txt", "a,one,happy\nb,two,sad\n"),
        ("posts.txt", "a\tone\thappy\nb\ttwo\tsad\n"),
        ("posts.tsv", "a\tone\thappy\n\nb\ttwo\tsad\n"),
    ],
)
def test_a_table_without_a_header(place, name, text):
    recipe(place, RECIPE.replace('["posts.csv"]', f'["{name}"]\ncolumns = ["name", "text", "mood"]'))
    table(place, text, name)
    assert collect(place) == 0
    assert query(place, "select post_id, title, label from posts") == [
        ("mine:a", "one", "happy"),
        ("mine:b", "two", "sad"),
    ]


@pytest.mark.slow
def test_a_txt_table_with_commas(place):
    recipe(place, RECIPE.replace("posts.csv", "posts.txt"))
    table(place, 'name,text,mood\na,"one, two",happy\n', "posts.txt")
    assert collect(place) == 0
    assert query(place, "select title from posts") == [("one, two",)]


@pytest.mark.slow
def test_words_for_having_a_label_or_not(place, capsys):
    more = 'labels = ["hateful", "rude"]\nvalues = { Hateful = true, "Non-hateful" = false }\n'
    recipe(
        place,
        RECIPE.replace('label = "mood"\n', f'label = "mood"\n{more}').replace("image =", "body = 'text' #")
        + '[multilabel]\nnames = ["hateful", "rude"]\n',
    )
    table(
        place,
        "name,text,mood,hateful,rude\na,1,sad,Hateful,no\nb,2,sad,non-hateful,1\nc,3,sad,Hateful,perhaps\n",
    )
    assert collect(place) == 0
    assert query(place, "select post_id, labels from posts") == [
        ("mine:a", '["hateful"]'),
        ("mine:b", '["rude"]'),
    ]
    assert printed(capsys)[-1] == (
        "note    unclear label: posts.csv, line 4: 'rude' is 'perhaps', neither 0 nor 1: values maps words"
    )


@pytest.mark.slow
def test_labels_that_the_recipe_lacks_are_named_when_they_are_collected(place, capsys):
    table(place, "name,text,mood\na,1,sad\nb,2,angry\nc,3,calm\nd,4,angry\n")
    assert collect(place) == 0
    assert printed(capsys)[-1] == (
        "note    [labels] lacks 'angry' (2), 'calm' (1): add them before the build; an empty class, "
        "'angry' = \"\", leaves posts out"
    )


NUMBERS = (
    HEAD
    + """\
[source.local]
tables = ["posts.parquet"]
join = ["moods.csv"]
id = "key"
title = "text"
label = "mood"
image = "pictures/{key}.jpg"
[labels]
0 = "happy"
1 = "sad"
"""
)


@pytest.mark.slow
def test_integers_that_pandas_wrote_as_floats_and_gaps(place):
    recipe(place, NUMBERS)
    columns = {"key": [1.0, 2.0, 3.0], "text": ["one", None, "three"]}
    pq.write_table(pa.table(columns), place / "folder" / "posts.parquet")
    table(place, "key,mood\n1,0.0\n2,1\n3,\n", "moods.csv")
    for number in (1, 2, 3):
        (place / "folder" / "pictures" / f"{number}.jpg").write_bytes(jpeg(number))
    assert collect(place) == 0
    assert query(place, "select post_id, title, label, source_label from posts order by 1") == [
        ("mine:1.0", "one", "0", "0.0"),
        ("mine:2.0", "", "1", "1"),
        ("mine:3.0", "three", None, None),
    ]
    assert query(place, "select distinct status from media") == [("stored",)]


@pytest.mark.slow
def test_nan_is_no_label(place):
    recipe(place, RECIPE.replace("posts.csv", "posts.parquet"))
    rows = pa.table({"name": ["a", "b"], "text": ["one", "two"], "mood": [float("nan"), 2.5]})
    pq.write_table(rows, place / "folder" / "posts.parquet")
    assert collect(place) == 0
    assert query(place, "select post_id, label from posts") == [("mine:a", None), ("mine:b", "2.5")]


@pytest.mark.slow
def test_nan_in_json_lines_is_no_label(place):
    recipe(place, RECIPE.replace("posts.csv", "posts.jsonl"))
    table(place, '{"name": "a", "text": NaN, "mood": NaN}\n', "posts.jsonl")
    assert collect(place) == 0
    assert query(place, "select post_id, title, label from posts") == [("mine:a", "", None)]


NFC, NFD = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("written", "there"),
    [
        (f"caf{NFD}.jpg", f"caf{NFC}.jpg"),
        (f"caf{NFC}.jpg", f"caf{NFD}.jpg"),
        (f"{NFC}/caf{NFD}.jpg", f"{NFD}/caf{NFC}.jpg"),
        ("sub\\dir\\n.jpg", "sub/dir/n.jpg"),
        ("1.0.jpg", "1.jpg"),
        ("IMG_12.0_a.jpg", "IMG_12_a.jpg"),
        ("x.jpg", "x.JPG"),
        ("sub\\1.0.JPEG", "sub/1.jpeg"),
    ],
)
def test_a_name_is_found_in_another_spelling(place, written, there):
    recipe(place, RECIPE.replace("pictures/{name}.jpg", "{name}"))
    (place / "folder" / there).parent.mkdir(parents=True, exist_ok=True)
    (place / "folder" / there).write_bytes(jpeg("there"))
    table(place, f"name,text,mood\n{written},t,sad\n")
    assert collect(place) == 0
    assert query(place, "select status from media") == [("stored",)]


@pytest.mark.slow
def test_a_name_that_exists_as_it_is_written_is_taken_so(place):
    recipe(place, RECIPE.replace("pictures/{name}.jpg", "{name}"))
    for name in ("v1.0.jpg", "v1.jpg", "a\\b.jpg"):
        (place / "folder" / name).write_bytes(jpeg(name))
    table(place, "name,text,mood\nv1.0.jpg,t,sad\na\\b.jpg,t,sad\n")
    assert collect(place) == 0
    stored = {path.read_bytes() for path in (place / "store" / "media").rglob("*.jpg")}
    assert stored == {jpeg("v1.0.jpg"), jpeg("a\\b.jpg")}


def test_a_file_whose_name_is_not_utf_8_is_counted(tmp_path):
    for name in (b"a.png", b"caf\xe9.png", b"z\xff/b.png"):
        path = tmp_path / os.fsdecode(name)
        try:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"")
        except OSError:
            pytest.skip("the file system has UTF-8 names only")
    source = Local(files=("**/*.png",), id="path", title="stem", image="{path}")
    post, *rejected = Tables.open("mine", tmp_path, source, {})
    assert (post.title, post.media[0].url) == ("a", "local://mine/a.png")
    why = "its name is not UTF-8: rename it"
    assert rejected == [
        Rejection("undecodable_name", f"caf\\xe9.png: {why}"),
        Rejection("undecodable_name", f"z\\xff/b.png: {why}"),
    ]


@pytest.mark.slow
def test_a_picture_of_one_pixel_in_height_is_not_gone(place):
    (place / "folder" / "pictures" / "b.jpg").write_bytes(jpeg(1, (500, 1)))
    assert collect(place) == 0
    assert query(place, "select status, reason from media where post_id = 'mine:b'") == [
        ("failed", "one_pixel")
    ]


def parquet(**columns):
    return lambda path: pq.write_table(pa.table(columns), path)


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        (
            "posts.parquet",
            parquet(name=["a"], text=[["x", "y"]], mood=["sad"]),
            "column 'text' of 'FOLDER/posts.parquet' holds a list, not text or numbers: name another column",
        ),
        (
            "posts.parquet",
            parquet(name=["a"], text=[{"en": "x"}], mood=["sad"]),
            "column 'text' of 'FOLDER/posts.parquet' holds an object, not text or numbers: name another "
            "column",
        ),
        (
            "posts.parquet",
            parquet(name=["a"], text=[b"x"], mood=["sad"]),
            "column 'text' of 'FOLDER/posts.parquet' holds bytes, not text or numbers: name another column",
        ),
        (
            "posts.parquet",
            parquet(name=[{"bytes": b"x", "path": None}], text=["x"], mood=["sad"]),
            "column 'name' of 'FOLDER/posts.parquet' holds images: use it as image = \"{name}\" alone",
        ),
        (
            "posts.jsonl",
            lambda path: path.write_text('{"name": "a", "text": "x", "mood": ["sad"]}\n'),
            "column 'mood' of 'FOLDER/posts.jsonl' holds a list, not text or numbers: name another column",
        ),
        (
            "posts.json",
            lambda path: path.write_text('{"name": "a"}\n{"name": "b"}\n'),
            "'FOLDER/posts.json' is not JSON: Extra data: line 2 column 1 (char 14); if it has an object a "
            "line, call it .jsonl",
        ),
        (
            "posts.json",
            lambda path: path.write_text('{"images": [], "annotations": [], "info": {}}'),
            "'FOLDER/posts.json' has the lists 'images', 'annotations': name the one with the posts in "
            "[source.local], as posts.json#images",
        ),
        (
            "posts.json#images",
            lambda path: path.write_text("[]"),
            "'FOLDER/posts.json' is a list itself: remove #images in [source.local]",
        ),
    ],
)
def test_values_and_files_that_cannot_be_used_are_one_line(place, capsys, name, write, message):
    recipe(place, RECIPE.replace("posts.csv", name))
    write(place / "folder" / name.partition("#")[0])
    assert refused(place, capsys) == message


@pytest.mark.slow
def test_a_list_far_down_in_json_lines_is_counted(place, capsys):
    recipe(place, RECIPE.replace("posts.csv", "posts.jsonl").replace("image =", "body = 'text' #"))
    rows = [json.dumps({"name": f"n{i}", "text": "t", "mood": "sad"}) for i in range(1000)]
    table(place, "\n".join([*rows, '{"name": "x", "text": ["t"], "mood": "sad"}']), "posts.jsonl")
    assert collect(place) == 0
    assert printed(capsys) == [
        "posts   asked 1,001 = 1,000 new + 1 not a plain value",
        "images  linked 0 = 0",
        "note    not a plain value: posts.jsonl, line 1001: 'text' is a list",
    ]
