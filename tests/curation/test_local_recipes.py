"""The recipes of sets on disk, built from the data as it is published, where that is here."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest

from curation.release.assemble import build
from tests.conftest import SHARED

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SHARED / "mami").exists(), reason="the shared data is not here"),
]


def made(place, name, folder):
    command = [sys.executable, "-m", "collectors.local", name, "--path", str(SHARED / folder)]
    command += ["--store", str(place / "store"), "--workers", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    release = build(
        ROOT / "datasets" / name / "recipe.toml", store=place / "store", out=place / "out", workers=2
    )
    return done.stdout, release


@pytest.fixture(scope="module")
def met_meme(tmp_path_factory):
    return made(tmp_path_factory.mktemp("met-meme"), "met-meme", "met_meme")


@pytest.fixture(scope="module")
def mami(tmp_path_factory):
    return made(tmp_path_factory.mktemp("mami"), "mami", "mami")


def rows_of(folder, columns):
    paths = [path for path in folder.glob("*.parquet") if path.name.startswith(("train", "valid", "test"))]
    return [row for path in sorted(paths) for row in pq.read_table(path, columns=columns).to_pylist()]


@pytest.mark.slow
def test_met_meme_has_3935_posts_with_image_text_and_label(met_meme):
    printed, release = met_meme
    assert printed.splitlines()[:2] == [
        "posts   asked 3,994 = 3,994 new",
        "images  linked 3,994 = 3,992 stored + 1 failed: truncated image + 1 gone: file missing",
    ]
    assert [(s.stage, s.reason, s.rows) for s in release.manifest.ledger.steps] == [
        ("image", "image_broken", 1),
        ("image", "image_gone", 1),
        ("text", "no_text", 57),
    ]
    counts = Counter()
    for by_label in release.manifest.counts.values():
        counts.update(by_label)
    assert dict(counts) == {
        "happiness": 1028,
        "love": 681,
        "anger": 555,
        "sorrow": 571,
        "fear": 121,
        "hate": 686,
        "surprise": 293,
    }
    assert (release.manifest.ledger.collected, release.manifest.ledger.kept) == (3994, 3935)


def test_met_memes_missing_and_truncated_image_are_named(met_meme):
    _, release = met_meme
    [path] = release.folder.glob("dropped-*.parquet")
    dropped = pq.read_table(path, columns=["post_id", "reason", "detail"]).to_pylist()
    assert [row for row in dropped if row["reason"] != "no_text"] == [
        {"post_id": "met-meme:image_2315.jpg", "reason": "image_gone", "detail": "file_missing"},
        {"post_id": "met-meme:image_3151.jpg", "reason": "image_broken", "detail": "truncated_image"},
    ]


def test_met_memes_text_is_read_in_its_encoding(met_meme):
    _, release = met_meme
    texts = {row["post_id"]: row["text"] for row in rows_of(release.folder, ["post_id", "text"])}
    # The byte pair A1 AE of GB18030: the table has the opening quote where the meme has an apostrophe.
    assert texts["met-meme:image_1410.jpg"].startswith("IDON‘T LIKE BULLIES,\nI DON'T LIKE THREATS")
    assert not any("\ufffd" in text for text in texts.values())


@pytest.mark.slow
def test_mami_has_its_counts_of_both_tasks_and_its_parts(mami):
    printed, release = mami
    assert printed.startswith("posts   asked 11,000 = 11,000 new\n")
    manifest = release.manifest
    assert manifest.counts == {
        "train": {"not misogynous": 4000, "misogynous": 4000, "no label": 0},
        "validation": {"not misogynous": 1000, "misogynous": 1000, "no label": 0},
        "test": {"not misogynous": 0, "misogynous": 0, "no label": 1000},
    }
    several = Counter()
    for by_label in manifest.multilabel.counts.values():
        several.update(by_label)
    assert {name: several[name] for name in manifest.multilabel.names} == {
        "shaming": 1274,
        "stereotype": 2810,
        "objectification": 2202,
        "violence": 953,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["met_meme", "mami"])
def test_both_load_with_one_line_and_their_reports_check(request, tmp_path, name):
    _, release = request.getfixturevalue(name)
    loaded = datasets.load_dataset(str(release.folder.parent), cache_dir=str(tmp_path))
    assert {k: len(v) for k, v in loaded.items()} == {
        "met_meme": {"train": 3152, "validation": 392, "test": 391},
        "mami": {"train": 8000, "validation": 2000, "test": 1000},
    }[name]
    assert "fails" not in (release.folder / "report.html").read_text().split("<section")[1]
    if name == "mami":
        train = loaded["train"]
        assert [sum(train[f"labelled_{p}"]) for p in (30, 10, 5)] == [2400, 800, 400]
        assert set(loaded["test"]["labels"]) == {None}
