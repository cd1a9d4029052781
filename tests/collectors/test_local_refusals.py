"""What `collectors.local` refuses, in one line: paths that lead out, rows and recipes that don't fit."""

import os

import pytest

from collectors.local.__main__ import main
from tests.collectors.local_folder import RECIPE, collect, jpeg, printed, query, recipe


@pytest.mark.slow
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


@pytest.mark.slow
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
            "RECIPE: source.local: tables = 'posts.csv': must be a list: put it in [ ]",
        ),
        (
            ('["posts.csv"]', '["rows.csv"]'),
            "there is no table 'FOLDER/rows.csv'; the folder has posts.csv",
        ),
        (
            ('["posts.csv"]', '["posts.xlsx"]'),
            "RECIPE: source.local: tables = ['posts.xlsx']: 'posts.xlsx' is not a table: its name must end "
            "in .csv, .tsv, .txt, .json, .jsonl, .ndjson, .parquet",
        ),
        (
            ('["posts.csv"]', '["../posts.csv"]'),
            "RECIPE: source.local: tables = ['../posts.csv']: '../posts.csv' is outside of the folder: name "
            "a path within it",
        ),
        (
            ('["posts.csv"]', '["a/x/posts.csv", "b/x/posts.csv"]'),
            "RECIPE: source.local: two tables are called 'posts', and ids of posts contain that "
            "name: rename one",
        ),
        (
            ("title =", "titel ="),
            "RECIPE: source.local: titel = 'text': there is no such key; there are tables, files, columns, "
            "join, join_on, encoding, delimiter, quoted, id, title, text_file, body, label, labels, values, "
            "unlabelled, image, split, generated",
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
            "RECIPE: source.local: labels = ['calm', 'merry']: label is missing, the column of a post's "
            "one class, by which a release is split: add it",
        ),
        (
            ('tables = ["posts.csv"]\n', ""),
            'RECIPE: source.local: name the tables, as tables = ["posts.csv"], or the files of a folder '
            'without tables, as files = ["images/*.jpg"]',
        ),
        (
            ('["posts.csv"]', '["posts.csv"]\nfiles = ["pictures/*"]'),
            'RECIPE: source.local: name the tables, as tables = ["posts.csv"], or the files of a folder '
            'without tables, as files = ["images/*.jpg"], but not both',
        ),
        (
            ('tables = ["posts.csv"]', 'files = ["../*"]'),
            "RECIPE: source.local: files = ['../*']: '../*' is outside of the folder: name a path within it",
        ),
        (
            ('["posts.csv"]', '["posts.jsonl"]\ncolumns = ["name", "text"]'),
            "RECIPE: source.local: columns = ['name', 'text']: 'posts.jsonl' names its columns itself: "
            "columns is for tables without a header",
        ),
        (
            ('["posts.csv"]', '["posts.csv"]\ncolumns = ["name", "name"]'),
            "RECIPE: source.local: columns = ['name', 'name']: 'name' is named twice: rename one",
        ),
        (
            ('["posts.csv"]', '["posts.csv"]\ncolumns = ["name", "text"]'),
            "'FOLDER/posts.csv' has 3 cells in its first row, divided by ',', and columns names 2: name each "
            "of them in [source.local]",
        ),
        (
            ('id = "name"', 'id = "name"\ntext_file = "{name}.txt"'),
            "RECIPE: source.local: text_file = '{name}.txt': it is the file of the text that title is the "
            "column of: name one of the two",
        ),
        (
            ('title = "text"', 'text_file = "captions.txt"'),
            "RECIPE: source.local: text_file = 'captions.txt': the pattern names no column, so that all "
            "posts would have the same text; write it as data/{id}.txt",
        ),
        (
            ('id = "name"', 'id = "name"\nvalues = { y = true }'),
            "RECIPE: source.local: values = {'y': true}: these are the values of the columns that labels "
            "names, and it names none; the values of label are mapped by [labels]",
        ),
        (
            ('id = "name"', 'id = "name"\njoin_on = ["a", "b"]'),
            "RECIPE: source.local: join_on says how tables are joined, and join names none: add it",
        ),
        (
            ('id = "name"', 'id = "name"\njoin = ["a.csv"]\njoin_on = [["a", "b"], ["c", "d"]]'),
            "RECIPE: source.local: join_on has 2 pairs of columns, and join 1 table: write a pair for each, "
            "or one for all",
        ),
        (
            ('sad = "sad"', 'sad = " "'),
            "RECIPE: labels = {'happy': 'happy', 'sad': ' '}: 'sad' is mapped to a class without a name: "
            'name it, or write "" to leave its posts out',
        ),
        (
            ('sad = "sad"', 'sad = ""'),
            "RECIPE: labels = {'happy': 'happy', 'sad': ''}: map to two labels or more; \"\" leaves the "
            "posts of a label out",
        ),
        (
            ('sad = "sad"', 'sad = "sad"\n[split]\nrule = "randon"'),
            "RECIPE: split.rule = 'randon': Input should be 'top-score', 'unanimous', 'random' or 'given'",
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
    assert capsys.readouterr().err == f"error: '{table}' has no columns: is it the right file?\n"


def test_a_table_that_is_a_link_out_of_the_folder_is_not_read(place, capsys):
    table = place / "folder" / "posts.csv"
    elsewhere = table.rename(place / "elsewhere.csv")
    table.symlink_to(elsewhere)
    assert collect(place) == 2
    assert capsys.readouterr().err == (
        f"error: the table '{table}' is a link out of the folder, to '{elsewhere.resolve()}', where "
        "nothing is read: replace it by a copy\n"
    )


def test_what_is_not_there_is_told_in_a_line(place, capsys):
    assert collect(place, name="other") == 2
    assert collect(place, name="My set") == 2
    assert main(["mine", "--path", str(place / "no"), "--datasets", str(place / "datasets")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"error: there is no recipe '{place}/datasets/other/recipe.toml', nor a built-in one of that name; "
        "it is one of flickr-emotion, flickr-emotion-multitask, mami, met-meme, mine, reddit-emotion, "
        "reddit-emotion-strict, reddit-emotion-text, sandbox-memes, vso: write one, or name its folder with "
        "--datasets",
        "error: 'My set' is not a dataset's name: use lower-case letters, digits and '-'",
        f"error: --path '{place}/no' is not a folder",
    ]
