"""A release's card: what it lists, and that its code runs unchanged."""

import json
import re
import subprocess
import sys
from collections import Counter

import datasets
import pandas
import pyarrow.parquet as pq
import pytest
import torch
from huggingface_hub import DatasetCard

from affectory.core.errors import InputError
from curation.release import columns
from curation.release.assemble import build
from curation.release.card import size_category
from tests.curation.stores import make_store, post, write_recipe

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), POSTS)


def run(card, monkeypatch, cache):
    """Run the card's Python as a reader would; return the names that it makes."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    names = {}
    for code in re.findall(r"```python\n(.*?)```", card.read_text(), flags=re.S):
        exec(code, names)
    return names


@pytest.mark.slow
def test_the_cards_code_gives_splits_ids_a_stream_tensors_and_a_frame(tmp_path, store, monkeypatch):
    done = build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets")
    monkeypatch.chdir(tmp_path)
    names = run(done.folder.parent / "README.md", monkeypatch, tmp_path / "cache")
    assert {name: len(split) for name, split in names["release"].items()} == {
        "train": 48,
        "validation": 6,
        "test": 6,
    }
    assert names["ids"]["test"].column_names == columns.names(ids=True)
    assert next(iter(names["stream"]))["post_id"] == "reddit:00012"
    row = names["tensors"][0]
    assert (row["image"].shape, row["image"].dtype) == ((3, 64, 96), torch.uint8)
    assert [int(row["label"]) for row in names["tensors"].select(range(2))] == [1, 0]
    assert (len(names["frame"]), list(names["frame"].columns)) == (48, columns.names())


def test_the_front_matter_is_what_the_hub_reads(tmp_path, store):
    text = '[[filters]]\nuse = "language"\nkeep = ["en"]\n'
    done = build(write_recipe(tmp_path / "datasets", text), store=store, out=tmp_path / "datasets")
    data = DatasetCard.load(done.folder.parent / "README.md").data
    assert (data.language, data.license, data.size_categories) == (["en"], "other", ["n<1K"])
    assert (data.annotations_creators, data.source_datasets) == (["found"], ["original"])
    assert data.task_categories == ["image-classification", "text-classification"]
    assert data.tags == ["affectory", "emotion", "social-media", "multimodal"]
    assert [(one["config_name"], one.get("default")) for one in data.configs] == [
        ("1.0.0", True),
        ("ids", None),
    ]
    [whole, _] = data.dataset_info
    sizes = {
        split: sum(path.stat().st_size for path in done.folder.glob(f"{split}-*"))
        for split in ("train", "validation", "test")
    }
    assert whole["splits"] == [
        {"name": "train", "num_bytes": sizes["train"], "num_examples": 48},
        {"name": "validation", "num_bytes": sizes["validation"], "num_examples": 6},
        {"name": "test", "num_bytes": sizes["test"], "num_examples": 6},
    ]
    assert whole["download_size"] == whole["dataset_size"] == sum(sizes.values())


@pytest.mark.slow
def test_the_library_reads_the_card_without_a_word(tmp_path, store):
    folder = build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets").folder
    code = (
        f"import datasets; print(datasets.load_dataset({str(folder.parent)!r}, cache_dir={str(tmp_path)!r}))"
    )
    command = [sys.executable, "-c", f"import datasets; datasets.disable_progress_bars(); {code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stderr, done.stdout.startswith("DatasetDict")) == ("", True)


@pytest.mark.parametrize(
    ("rows", "size"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (10_000_000, "n>10M")],
)
def test_sizes_are_named_as_the_hub_names_them(rows, size):
    assert size_category(rows) == size


def test_the_card_says_what_was_not_screened(tmp_path, store):
    done = build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets")
    card = (done.folder.parent / "README.md").read_text()
    section = card.partition("## Before you use it")[2].partition("## Licence")[0]
    assert "Not screened, neither by hand nor by a program: hate and harassment" in section
    assert "- No one annotated single posts" in section


@pytest.mark.slow
def test_the_cards_code_of_a_release_without_pictures_runs(tmp_path, store, monkeypatch):
    text = '[images]\nwhich = "none"\n'
    done = build(write_recipe(tmp_path / "datasets", text), store=store, out=tmp_path / "datasets")
    monkeypatch.chdir(tmp_path)
    names = run(done.folder.parent / "README.md", monkeypatch, tmp_path / "cache")
    assert {key: int(value) for key, value in names["tensors"][0].items()} == {"label": 1, "n_words": 7}
    assert isinstance(names["frame"], pandas.DataFrame)


@pytest.mark.slow
def test_the_sql_of_the_card_runs_as_it_stands(tmp_path, store, monkeypatch):
    duckdb = pytest.importorskip("duckdb")
    folder = build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets").folder
    (query,) = re.findall(r"```sql\n(.+?)```", (folder.parent / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    counted = dict(duckdb.connect().execute(query).fetchall())
    published = pq.read_table(next(folder.glob("train-*.parquet")))["community"].to_pylist()
    assert counted == Counter(published)
    assert set(counted) == {"happy", "creepy"}


def test_what_has_a_manifest_is_whole(tmp_path, store):
    folder = build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets").folder
    written = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(written) == 10
    assert max(written.values()) == written["manifest.json"]


def test_croissant_names_no_address_that_was_made_up(tmp_path, store):
    folder = build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets").folder
    described = json.loads((folder / "croissant.json").read_text())
    del described["@context"]
    addresses = re.findall(r"https?://[^\"]+", json.dumps(described))
    assert addresses == ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
    assert described["license"]["name"] == "each post's own: see the column `licence`"


def test_a_card_that_is_not_utf_8_is_one_line(tmp_path, store):
    path = write_recipe(tmp_path / "datasets", '[images]\nwhich = "none"\n').with_name("card.md")
    path.write_bytes("Über".encode("latin-1"))
    with pytest.raises(InputError) as error:
        build(path.with_name("recipe.toml"), store=store, out=tmp_path / "datasets")
    assert str(error.value) == (
        f"{str(path)!r} is not UTF-8 (byte 0): save it with the encoding UTF-8, and build again"
    )
    path.write_bytes(b"\xef\xbb\xbfOver")
    done = build(path.with_name("recipe.toml"), store=store, out=tmp_path / "datasets")
    assert (done.stood, "\n\nOver\n\n" in (path.parent / "README.md").read_text()) == (True, True)
