"""From the sandbox's memes to a multi-label release with unlabelled posts, by the commands of its card."""

from collections import Counter
from pathlib import Path

import datasets
import pytest

from collectors.local.__main__ import main as collect
from collectors.sandbox.__main__ import main as sandbox
from curation.build import main as build
from curation.recipe.recipe import load
from tests.collectors.flickr_runs import rows

ROOT = Path(__file__).parents[2]

#: The digest of the recipe `mami`, which lacks the key `generated`.
MAMI = "c8ed671e55c6a313fb44b574f14f631dee1a90a6c68cbb9d79367d1efb65486d"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder in which the commands were typed, with a corpus of 300 memes."""
    place = tmp_path_factory.mktemp("memes")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert sandbox(["memes", "memes", "--posts", "300"]) == 0
        assert collect(["sandbox-memes", "--path", "memes", "--workers", "1"]) == 0
        assert build(["sandbox-memes"]) == 0
    return place


@pytest.fixture(scope="module")
def loaded(made):
    return datasets.load_dataset(str(made / "datasets/sandbox-memes"), cache_dir=str(made / "cache"))


@pytest.mark.slow
def test_every_meme_is_in_the_release_and_the_counts_are_those_of_the_tables(made, loaded):
    assert {split: len(part) for split, part in loaded.items()} == {
        "train": 195,
        "validation": 45,
        "test": 60,
    }
    counts = {
        split: Counter(name for held in part["labels"] for name in names(loaded, held or []))
        for split, part in loaded.items()
    }
    assert counts == {
        "train": {"celebration": 58, "complaint": 51, "nostalgia": 32, "sarcasm": 16},
        "validation": {"celebration": 12, "complaint": 12, "nostalgia": 9, "sarcasm": 5},
        "test": {"celebration": 21, "complaint": 12, "nostalgia": 9, "sarcasm": 9},
    }


@pytest.mark.slow
def test_a_row_has_image_caption_label_labels_and_links_that_lead_nowhere(loaded):
    row = loaded["train"][5]
    assert row.pop("image").size == (320, 240)
    kept = ("post_id", "text", "label", "labels", "labelled_30", "has_text", "permalink", "image_url")
    assert {key: row[key] for key in (*kept, "attribution")} == {
        "post_id": "sandbox-memes:train/m00006.jpg",
        "text": "me checking the mail and my cat assembling a shelf decision of the year, brilliant 12:41 PM",
        "label": 1,
        "labels": [0, 2],
        "labelled_30": True,
        "has_text": True,
        "permalink": "https://sandbox.invalid/sandbox-memes:train/m00006.jpg",
        "image_url": "https://sandbox.invalid/sandbox-memes/images/m00006.jpg",
        "attribution": "generated: sandbox-memes post train/m00006.jpg",
    }
    assert loaded["train"].features["label"].names == ["neutral", "expressive"]


@pytest.mark.slow
def test_label_says_whether_there_are_labels_and_the_unlabelled_have_neither(loaded):
    for part in loaded.values():
        for label, held in zip(part["label"], part["labels"], strict=True):
            assert held is None if label is None else bool(held) == (label == 1)
    unlabelled = [row for row in loaded["train"].remove_columns("image") if row["labels"] is None]
    assert {row["post_id"].split("/")[0] for row in unlabelled} == {"sandbox-memes:unlabelled"}
    assert len(unlabelled) == 45
    assert {row["labelled_30"] for row in unlabelled} == {False}
    sizes = {name: sum(loaded["train"][name]) for name in ("labelled_30", "labelled_10", "labelled_5")}
    assert sizes == {"labelled_30": 44, "labelled_10": 14, "labelled_5": 7}
    assert set(loaded["test"]["labelled_30"]) == {None}


@pytest.mark.slow
def test_the_posts_are_marked_as_generated_from_store_to_report(made):
    assert rows(made / "data/sandbox-memes", "select generated, count(*) from posts group by 1") == [(1, 300)]
    folder = made / "datasets/sandbox-memes"
    assert "**generated posts: not results**" in (folder / "README.md").read_text()
    [report] = folder.glob("*/report.html")
    page = report.read_text()
    assert "generated posts: not results" in page
    assert "Labels (a post can have several)" in page
    assert "fails" not in page.split("<section")[1]


def test_the_mark_changes_no_digest_of_a_recipe_that_lacks_it(tmp_path):
    """Otherwise releases that were built before would get a new version."""
    written = (ROOT / "datasets/mami/recipe.toml").read_text()
    marked = tmp_path / "mami" / "recipe.toml"
    marked.parent.mkdir()
    digests = []
    for line in ("", "generated = false\n", "generated = true\n"):
        marked.write_text(written.replace("[source.local]\n", f"[source.local]\n{line}"))
        digests.append(load(marked).digest())
    assert digests[0] == digests[1]
    assert digests[2] != digests[0]


def names(loaded, held):
    feature = loaded["train"].features["labels"].feature
    return [feature.int2str(number) for number in held]
