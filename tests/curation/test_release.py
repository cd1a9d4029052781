"""A release as it is read: one line, streams, plain Parquet, the paper's counts, Croissant."""

import json
from pathlib import Path

import datasets
import pandas
import pyarrow.parquet as pq
import pytest

from curation.release import columns
from curation.release.assemble import build
from tests.conftest import SHARED
from tests.curation.stores import built, make_store, post, split_of

ROOT = Path(__file__).parents[2]
POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


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
def test_croissant_validates_and_iterates(tmp_path, store):
    mlcroissant = pytest.importorskip("mlcroissant")
    folder = built(tmp_path, store).folder
    described = mlcroissant.Dataset(str(folder / "croissant.json"))
    assert described.metadata.issues.errors == set()
    rows = list(described.records("test-00000-of-00001"))
    assert [row["test-00000-of-00001/post_id"].decode() for row in rows] == [
        f"reddit:0000{i}" for i in range(6)
    ]
    assert rows[0]["test-00000-of-00001/image"].size == (96, 64)


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
