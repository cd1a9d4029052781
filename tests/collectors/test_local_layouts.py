"""Layouts known from public documentation come in by recipes of about ten lines."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.collectors.local_folder import HEAD, collect, jpeg, printed, query, recipe

POSTS = "select post_id, title, label, split from posts order by 1"
IMAGES = "select post_id, url, status from media order by 1"

CAPTIONS = (
    HEAD
    + """\
[source.local]
files = ["photos/*/*.jpg", "photos/*/*.png"]
id = "path"
label = "folder"
text_file = "{base}.txt"
image = "{path}"
[labels]
calm = "calm"
merry = "merry"
"""
)


@pytest.mark.slow
def test_a_caption_file_per_image(place, capsys):
    recipe(place, CAPTIONS)
    photos = place / "folder" / "photos"
    for number, name in enumerate(("calm/lake.jpg", "calm/old.jpg", "merry/feast.JPG", "merry/late.jpg")):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(jpeg(number))
    (photos / "merry" / ".hidden.jpg").write_bytes(b"")
    (photos / "calm" / "lake.txt").write_text("a lake, still\n", "utf-8")
    (photos / "calm" / "old.txt").write_bytes("naïve".encode("utf-16"))
    (photos / "merry" / "feast.txt").write_bytes("我们".encode("gb18030"))
    assert collect(place) == 0
    assert query(place, POSTS) == [
        ("mine:photos/calm/lake.jpg", "a lake, still", "calm", None),
        ("mine:photos/calm/old.jpg", "naïve", "calm", None),
        ("mine:photos/merry/feast.JPG", "我们", "merry", None),
    ]
    assert query(place, IMAGES)[0] == (
        "mine:photos/calm/lake.jpg",
        "local://mine/photos/calm/lake.jpg",
        "stored",
    )
    assert printed(capsys) == [
        "posts   asked 4 = 3 new + 1 text file missing",
        "images  linked 3 = 3 stored",
        "        in this run: 3 stored",
        "note    text file missing: photos/merry/late.jpg: photos/merry/late.txt",
        "note    files of text read as gb18030, as their bytes suggest: 1; encoding names another",
    ]


COCO = (
    HEAD
    + """\
[source.local]
tables = ["captions.json#annotations"]
join = ["captions.json#images", "captions.json#categories"]
join_on = [["image_id", "id"], ["category_id", "id"]]
id = "id"
title = "caption"
label = "name"
image = "images/{file_name}"
[labels]
calm = "calm"
merry = "merry"
"""
)
WHOLE = {
    "info": {"year": 2017},
    "images": [{"id": 7, "file_name": "7.jpg", "width": 40}, {"id": 8, "file_name": "8.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 7, "caption": "a lake", "category_id": 1, "bbox": [0, 0, 9, 9]},
        {"id": 2, "image_id": 7, "caption": "the same lake", "category_id": 1},
        {"id": 3, "image_id": 8, "caption": "a feast", "category_id": 2},
        {"id": 4, "image_id": 9, "caption": "of no image", "category_id": 2},
        {"id": 5, "image_id": 8, "caption": "of no category", "category_id": 4},
    ],
    "categories": [{"id": 1, "name": "calm"}, {"id": 2, "name": "merry"}, {"id": 3, "name": "unused"}],
}


def coco(place, whole):
    folder = place / "folder"
    (folder / "captions.json").write_text(json.dumps(whole))
    (folder / "images").mkdir()
    for number in (7, 8):
        (folder / "images" / f"{number}.jpg").write_bytes(jpeg(number))


@pytest.mark.slow
def test_a_json_file_as_coco_has_it_gives_the_names_of_its_categories(place, capsys):
    recipe(place, COCO)
    coco(place, WHOLE)
    assert collect(place) == 0
    assert query(place, POSTS) == [
        ("mine:1", "a lake", "calm", None),
        ("mine:2", "the same lake", "calm", None),
        ("mine:3", "a feast", "merry", None),
    ]
    assert query(place, IMAGES) == [
        ("mine:1", "local://mine/images/7.jpg", "stored"),
        ("mine:2", "local://mine/images/7.jpg", "stored"),
        ("mine:3", "local://mine/images/8.jpg", "stored"),
    ]
    assert printed(capsys)[3:] == [
        "note    not in joined table: captions.json, annotations 4: '9' has no 'file_name'",
        "note    not in joined table: captions.json, annotations 5: '4' has no 'name'",
        "note    1 id of captions.json#categories is in no other table: '3'",
    ]


@pytest.mark.slow
def test_one_pair_of_columns_joins_every_table(place):
    one_pair = 'join = ["captions.json#images"]\njoin_on = ["image_id", "id"]\n'
    start, end = COCO.index("join ="), COCO.index('id = "id"')
    recipe(
        place,
        COCO[:start] + one_pair + COCO[end:].replace('"name"', '"category_id"').replace("calm =", "1 ="),
    )
    coco(place, WHOLE)
    assert collect(place) == 0
    assert [label for _, _, label, _ in query(place, POSTS)] == ["1", "1", "2", "4"]


def test_a_column_of_two_joined_tables_is_named(place, capsys):
    recipe(place, COCO)
    images = [one | {"name": "a"} for one in WHOLE["images"]]
    coco(place, WHOLE | {"images": images})
    assert collect(place) == 2
    path = place / "folder" / "captions.json"
    assert capsys.readouterr().err == (
        f"error: column 'name' is in '{path}#images' and in '{path}#categories': rename one\n"
    )


IMAGEFOLDER = (
    HEAD
    + """\
[source.local]
tables = ["train/metadata.csv", "test/metadata.csv"]
id = "file_name"
title = "text"
label = "label"
image = "{table}/{file_name}"
[labels]
0 = "calm"
1 = "merry"
"""
)


@pytest.mark.slow
def test_an_imagefolder_with_metadata(place):
    recipe(place, IMAGEFOLDER)
    for number, split in enumerate(("train", "test")):
        folder = place / "folder" / split
        folder.mkdir()
        (folder / "metadata.csv").write_text("file_name,label,text\n0001.jpg,0,a lake\n0002.jpg,1,a feast\n")
        for name in ("0001.jpg", "0002.jpg"):
            (folder / name).write_bytes(jpeg(f"{number} {name}"))
    assert collect(place) == 0
    assert query(place, POSTS) == [
        ("mine:test/0001.jpg", "a lake", "0", "test"),
        ("mine:test/0002.jpg", "a feast", "1", "test"),
        ("mine:train/0001.jpg", "a lake", "0", "train"),
        ("mine:train/0002.jpg", "a feast", "1", "train"),
    ]
    assert query(place, IMAGES)[0] == ("mine:test/0001.jpg", "local://mine/test/0001.jpg", "stored")


CLASS_FOLDERS = (
    HEAD
    + """\
[source.local]
files = ["*/*/*.jpg"]
id = "path"
label = "folder"
split = "top"
image = "{path}"
[labels]
calm = "calm"
merry = "merry"
"""
)


@pytest.mark.slow
def test_an_imagefolder_with_a_folder_for_each_class(place):
    recipe(place, CLASS_FOLDERS)
    for number, name in enumerate(("train/calm/a.jpg", "train/merry/a.jpg", "test/calm/b.jpg")):
        path = place / "folder" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(jpeg(number))
    assert collect(place) == 0
    assert query(place, POSTS) == [
        ("mine:test/calm/b.jpg", "", "calm", "test"),
        ("mine:train/calm/a.jpg", "", "calm", "train"),
        ("mine:train/merry/a.jpg", "", "merry", "train"),
    ]


HUB = (
    HEAD
    + """\
[source.local]
tables = ["train.parquet"]
id = "key"
title = "text"
label = "label"
image = "{image}"
[labels]
0 = "calm"
1 = "merry"
"""
)


@pytest.mark.slow
def test_images_within_a_table_as_the_datasets_library_writes_them(place, capsys):
    recipe(place, HUB)
    (place / "folder" / "beside.jpg").write_bytes(jpeg("beside"))
    rows = [
        {"key": 1, "text": "a lake", "label": 0, "image": {"bytes": jpeg("lake"), "path": "lake.jpg"}},
        {"key": 2, "text": "a feast", "label": 1, "image": {"bytes": jpeg("feast"), "path": None}},
        {"key": 3, "text": "beside", "label": 1, "image": {"bytes": None, "path": "beside.jpg"}},
        {"key": 4, "text": "none", "label": 1, "image": None},
        {"key": 5, "text": "torn", "label": 1, "image": {"bytes": jpeg("torn")[:-200], "path": "t.jpg"}},
    ]
    pq.write_table(pa.Table.from_pylist(rows), place / "folder" / "train.parquet")
    assert collect(place) == 0
    assert printed(capsys)[:2] == [
        "posts   asked 5 = 5 new",
        "images  linked 4 = 3 stored + 1 failed: truncated image",
    ]
    found = query(place, "select post_id, coalesce(reason, status), sha256 from media order by 1")
    stored = {path.stem: path.read_bytes() for path in (place / "store" / "media").rglob("*.jpg")}
    assert [(post_id, how, stored.get(digest)) for post_id, how, digest in found] == [
        ("mine:1", "stored", jpeg("lake")),
        ("mine:2", "stored", jpeg("feast")),
        ("mine:3", "stored", jpeg("beside")),
        ("mine:5", "truncated_image", None),
    ]
    rows[4]["image"] = {"bytes": jpeg("whole"), "path": "t.jpg"}
    pq.write_table(pa.Table.from_pylist([rows[4], *rows[:4]]), place / "folder" / "train.parquet")
    assert collect(place) == 0
    assert printed(capsys)[:3] == [
        "posts   asked 5 = 1 updated + 4 known",
        "images  linked 4 = 4 stored",
        "        in this run: 1 stored",
    ]
