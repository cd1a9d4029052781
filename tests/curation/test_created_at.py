"""`created_at` is a number, of which a tensor can be made; in releases of format 2 it is a timestamp."""

import json
from dataclasses import replace

import datasets
import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from collectors.store import Store
from curation.deleted.removal import Places, purge
from curation.hydrate import main as hydrate
from curation.ids import main as write_ids
from curation.release import columns
from curation.report import write as write_report
from tests.curation.stores import built, make_store, post, rows_of

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]
#: A post without an image, without a time and without a score.
BARE = post(60, "happy", images=0, created_at=None, score=None, over_18=None)
TEXT_ONLY = '[images]\nwhich = "none"\n'
TIMESTAMP = pa.timestamp("ms", tz="UTC")


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    home = tmp_path_factory.mktemp("formats")
    folder = built(home, make_store(home / "store", [*POSTS, BARE])).folder
    return datasets.load_dataset(str(folder.parent), cache_dir=str(home / "cache"))["train"]


@pytest.mark.slow
def test_a_row_of_all_columns_becomes_tensors_and_texts_stay_texts(release):
    row = release.with_format("torch")[0]
    assert list(row) == columns.names()
    assert (row["created_at"].dtype, int(row["created_at"])) == (torch.int64, 1_400_000_012)
    assert (row["image"].dtype, tuple(row["image"].shape)) == (torch.uint8, (3, 64, 96))
    assert (row["text"], row["licence"]) == ("this is the title of number 12", None)
    assert (int(row["label"]), bool(row["over_18"])) == (1, False)


@pytest.mark.slow
def test_a_row_without_image_time_and_score_becomes_tensors_too(release):
    row = release.with_format("torch")[-1]
    assert (row["post_id"], row["image"], row["over_18"]) == ("reddit:00060", None, None)
    assert [bool(torch.isnan(row[name])) for name in ("created_at", "score", "agreement")] == [True] * 3


@pytest.mark.slow
@pytest.mark.parametrize("rows", [slice(0, 2), slice(-2, None)])
def test_rows_of_all_columns_have_every_format(release, rows):
    assert set(release.with_format("torch")[rows]) == set(columns.names())
    assert release.with_format("numpy")[rows]["post_id"].shape == (2,)
    assert release.with_format("arrow")[rows].schema.field("created_at").type == pa.int64()
    frame = release.with_format("pandas")[rows]
    times = pandas.to_datetime(frame["created_at"], unit="s")
    assert times.iloc[0] == pandas.Timestamp(1_400_000_000 + int(frame["post_id"].iloc[0][-2:]), unit="s")


@pytest.mark.slow
def test_rows_of_all_columns_have_the_format_of_polars(release):
    polars = pytest.importorskip("polars")
    assert release.with_format("polars")[0:2].schema["created_at"] == polars.Int64


@pytest.mark.slow
def test_numbers_are_arrays_of_numpy(release):
    batch = release.with_format("numpy")[0:2]
    assert (batch["created_at"].dtype, batch["created_at"].tolist()) == (
        np.int64,
        [1_400_000_012, 1_400_000_013],
    )


def test_the_schema_of_an_earlier_format_is_what_the_datasets_library_writes():
    schema = columns.schema(["joy", "fear"], format=2)
    theirs = datasets.Features.from_arrow_schema(schema).arrow_schema
    assert (schema.field("created_at").type, schema.equals(theirs)) == (TIMESTAMP, True)
    assert json.loads(schema.metadata[b"huggingface"]) == json.loads(theirs.metadata[b"huggingface"])


def of_format_2(folder):
    """Rewrite a release as a program of format 2 wrote it; the manifest's sizes and digests stay."""
    for path in folder.glob("*.parquet"):
        table = pq.read_table(path)
        if "created_at" in table.column_names:
            schema = columns.schema(["joy", "fear"], ids="image" not in table.column_names, format=2)
            times = table["created_at"].cast(pa.timestamp("s")).cast(TIMESTAMP)
            arrays = [times if name == "created_at" else table[name] for name in table.column_names]
            pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path)
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))


def times_of(folder):
    """Return the types of `created_at` in a release's files, and its values by post."""
    files = [path for path in folder.glob("*.parquet") if not path.name.startswith("dropped-")]
    kinds = {pq.read_schema(path).field("created_at").type for path in files}
    return kinds, {key[0]: row["created_at"].timestamp() for key, row in rows_of(folder).items()}


@pytest.mark.slow
def test_a_report_of_an_earlier_format_is_the_same(tmp_path):
    folder = built(tmp_path, make_store(tmp_path / "store", POSTS, pictures=False), TEXT_ONLY).folder
    page = write_report(folder).read_bytes()
    of_format_2(folder)
    assert write_report(folder).read_bytes() == page


@pytest.mark.slow
def test_a_release_rebuilt_from_ids_of_an_earlier_format_has_timestamps(tmp_path):
    store = make_store(tmp_path / "store", POSTS, pictures=False)
    folder = built(tmp_path, store, TEXT_ONLY).folder
    of_format_2(folder)
    assert write_ids([str(folder.parent), "--out", str(tmp_path / "received")]) == 0
    arguments = ["--store", str(store), "--store-only", "--out", str(tmp_path / "full")]
    assert hydrate([str(tmp_path / "received"), *arguments]) == 0
    kinds, times = times_of(tmp_path / "full" / "1.0.0")
    assert (kinds, times["reddit:00007"], len(times)) == ({TIMESTAMP}, 1_400_000_007, 60)


@pytest.mark.slow
def test_a_duplicate_that_comes_back_into_an_earlier_format_has_its_time(tmp_path):
    best, second = (post(n, "happy", title="twin titles are here") for n in (61, 62))
    text = TEXT_ONLY + '[duplicates]\nimages = []\npolicy = "keep-best"\n'
    store = make_store(tmp_path / "store", [*POSTS, best, second], pictures=False)
    folder = built(tmp_path, store, text).folder
    of_format_2(folder)
    with Store.open(store) as opened:
        opened.add([replace(best, removed="deleted")])
    purge(Places(folder.parent, tmp_path / "results", tmp_path / "features"), store=store)
    kinds, times = times_of(folder.with_name("1.0.1"))
    assert (kinds, times["reddit:00062"], "reddit:00061" in times) == ({TIMESTAMP}, 1_400_000_062, False)
