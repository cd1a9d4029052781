"""A release as it is read: one line, streams, plain Parquet, the paper's counts, Croissant."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import datasets
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.release import columns
from curation.release.assemble import build
from curation.release.exporters import parquet
from tests.conftest import SHARED
from tests.curation.stores import built, make_store, post, rows_of, split_of

ROOT = Path(__file__).parents[2]
POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]
LONG = [
    post(100 + i, "happy" if i % 2 else "creepy", title=f"this is a title of more than eight words {i}")
    for i in range(30)
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), POSTS)


@pytest.mark.slow
def test_a_release_loads_in_one_line_with_its_images_and_labels(tmp_path, store):
    done = built(tmp_path, store)
    assert (done.folder, done.stood) == (tmp_path / "out" / "test" / "1.0.0", False)
    loaded = datasets.load_dataset(str(tmp_path / "out" / "test"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == {"train": 48, "validation": 6, "test": 6}
    row = loaded["train"][0]
    assert (row["post_id"], row["image"].size, row["label"]) == ("reddit:00012", (96, 64), 1)
    assert loaded["train"].features["label"].names == ["joy", "fear"]
    ids = datasets.load_dataset(str(tmp_path / "out" / "test"), "ids", cache_dir=str(tmp_path / "cache"))
    assert ids["test"].column_names == columns.names(ids=True)
    assert {"text", "title", "body", "image"} & set(ids["test"].column_names) == set()


def test_a_release_streams_and_reads_as_plain_parquet(tmp_path, store):
    folder = built(tmp_path, store).folder
    stream = datasets.load_dataset(str(folder.parent), streaming=True)["test"]
    assert [row["post_id"] for row in stream] == sorted(
        p for p, s in split_of(folder).items() if s == {"test"}
    )
    frame = pandas.read_parquet(next(folder.glob("test-*.parquet")))
    assert list(frame.columns) == columns.names()
    assert frame["image"][0]["path"] == "reddit-00000-0.jpg"


def test_the_schema_is_what_the_datasets_library_would_write():
    features = datasets.Features.from_arrow_schema(columns.schema(["joy", "fear"]))
    assert columns.schema(["joy", "fear"]).equals(features.arrow_schema)
    theirs = json.loads(features.arrow_schema.metadata[b"huggingface"])
    ours = json.loads(columns.schema(["joy", "fear"]).metadata[b"huggingface"])
    assert ours == theirs


def test_text_only_and_image_only_posts_are_first_class(tmp_path):
    posts = [*POSTS, post(70, images=0), post(71, title="!!!")]
    folder = built(tmp_path, make_store(tmp_path / "store", posts)).folder
    rows = {r["post_id"]: r for p in folder.glob("t*-*.parquet") for r in pq.read_table(p).to_pylist()}
    text_only, image_only = rows["reddit:00070"], rows["reddit:00071"]
    assert (text_only["has_image"], text_only["has_text"], text_only["image"]) == (False, True, None)
    assert (image_only["has_image"], image_only["has_text"]) == (True, False)


@pytest.mark.slow
def test_croissant_validates_and_its_record_set_of_posts_has_the_split_as_a_field(tmp_path, store):
    mlcroissant = pytest.importorskip("mlcroissant")
    folder = built(tmp_path, store).folder
    described = mlcroissant.Dataset(str(folder / "croissant.json"))
    assert described.metadata.issues.errors == set()
    rows = {row["posts/post_id"].decode(): row for row in described.records("posts")}
    assert Counter(row["posts/split"].decode() for row in rows.values()) == {
        "train": 48,
        "validation": 6,
        "test": 6,
    }
    assert rows["reddit:00000"]["posts/split"] == b"test"
    assert rows["reddit:00000"]["posts/image"].size == (96, 64)
    ids = list(described.records("ids"))
    assert (len(ids), ids[0].keys() & {"ids/image", "ids/text"}) == (60, set())
    assert [row["splits/name"] for row in described.records("splits")] == ["train", "validation", "test"]


@pytest.mark.slow
def test_croissant_says_how_the_release_was_made(tmp_path, store):
    mlcroissant = pytest.importorskip("mlcroissant")
    more = '[[filters]]\nuse = "language"\n\n[[filters]]\nuse = "words"\nmin = 9\n'
    folder = built(tmp_path, make_store(tmp_path / "s", [*POSTS, *LONG]), more).folder
    told = mlcroissant.Dataset(str(folder / "croissant.json")).metadata
    assert told.data_collection == "Collected from happy, creepy into a crawl store; 90 posts in all."
    assert told.data_collection_type == ["User-generated content data", "Web API"]
    assert told.annotations_per_item == "0"
    assert told.data_preprocessing_protocol == [
        "The text is the title, unchanged.",
        "Of a post the first image, with the bytes as collected.",
        "words: 60 posts dropped (too_few_words).",
        "Near-duplicates are grouped (`duplicate_group`); all are kept.",
        "Splits by the rule top-score; no group straddles the splits.",
    ]
    assert told.data_limitations[0] == "60 of 90 collected posts (66.7%) are not in it."
    assert told.data_biases[0] == "Each class has 15 posts."
    raw = json.loads((folder / "croissant.json").read_text())
    made = json.loads((folder / "manifest.json").read_text())
    assert raw["prov:wasDerivedFrom"][0]["sha256"] == made["input_digest"]
    assert raw["prov:wasGeneratedBy"]["prov:label"] == f"affectory build test, recipe {made['recipe_digest']}"
    created = [row["created_at"] for row in rows_of(folder).values()]
    frame = [datetime.fromtimestamp(time, UTC) for time in (min(created), max(created))]
    assert raw["rai:dataCollectionTimeframe"] == [f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in frame]


@pytest.mark.slow
def test_the_parquet_files_have_an_index_of_pages_and_say_how_they_are_sorted(tmp_path, store):
    folder = built(tmp_path, store).folder
    for path in sorted([*folder.glob("train-*.parquet"), *folder.glob("ids-*.parquet")]):
        group = pq.read_metadata(path).row_group(0)
        leaves = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
        assert [(list(leaves)[one.column_index], one.descending) for one in group.sorting_columns] == [
            ("post_id", False),
            ("image_index", False),
        ]
        assert leaves["post_id"].has_offset_index
        assert leaves["created_at"].has_column_index
        rows = pq.read_table(path, columns=["post_id", "image_index"]).to_pylist()
        assert rows == sorted(rows, key=lambda row: (row["post_id"], row["image_index"]))


def test_row_groups_have_at_most_64_mb_of_images_but_for_a_larger_one():
    sizes = [30, 34, 1, 70, None, 64, 10]
    images = [None if size is None else {"bytes": bytes(size), "path": ""} for size in sizes]
    batch = pa.table({"image": pa.array(images, columns.IMAGE)})
    assert parquet.groups(batch, most=64) == [(0, 2), (2, 3), (3, 4), (4, 6), (6, 7)]
    assert parquet.groups(batch.slice(0, 0), most=64) == []
    assert parquet.groups(pa.table({"text": ["a", "b"]}), most=64) == [(0, 2)]


@pytest.mark.slow
def test_the_published_index_splits_as_the_paper_says(tmp_path):
    if not (SHARED / "reddit_emotion_index").is_dir():
        pytest.skip("needs the published index")
    from collectors.reddit.__main__ import main as collect

    arguments = ["--source", "index", "--path", str(SHARED / "reddit_emotion_index"), "--no-media"]
    collect([*arguments, "--subs", "happy", "creepy", "rage", "gore", "--store", str(tmp_path / "s")])
    recipe = ROOT / "datasets" / "reddit-emotion-text" / "recipe.toml"
    done = build(recipe, store=tmp_path / "s", out=tmp_path / "out")
    sums = {name: sum(counts.values()) for name, counts in done.manifest.counts.items()}
    assert sums == {"train": 2615, "validation": 327, "test": 325}
    assert done.manifest.ledger.steps == ()
    assert done.manifest.twins["test"] == 1  # ";D" stands twice
