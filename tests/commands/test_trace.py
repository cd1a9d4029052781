"""`affectory trace`: every place that still holds something of a post."""

import shutil
import sqlite3
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from affectory.cli import main
from affectory.encoders.feature_cache import FeatureCache, text_digest
from collectors.store import Store
from tests.curation.stores import make_store, post, rows_of, write_recipe
from tests.encoders.test_forget_features import Encoder

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder in which commands are typed, with a recipe of two of the sandbox's subreddits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    recipe = write_recipe(tmp_path / "datasets", '[[filters]]\nuse = "image"\n')
    recipe.write_text(recipe.read_text().replace("happy", "rage").replace("creepy", "gore"))
    return tmp_path


def told(capsys, post_id):
    """Trace a post; return what is held where, and the last line."""
    capsys.readouterr()
    assert main(["trace", post_id]) == 0
    first, *places, last = capsys.readouterr().out.splitlines()
    assert first == post_id
    return {place: what.strip() for place, what in (line[2:].split("  ", 1) for line in places)}, last


@pytest.mark.slow
def test_after_a_purge_only_tombstones_are_left_of_a_deleted_post(capsys, home, sandbox):
    place = ["--source", "oauth", "--sandbox-url", sandbox, "--store", "data/reddit"]
    assert main(["collect", "reddit", "--subs", "rage", "gore", *place]) == 0
    assert main(["build", "test"]) == 0
    network = ["--backbone", "resnet18", "--weights", "random", "--side", "33", "--device", "cpu"]
    quick = ["--models", "joint", "--seeds", "1", "--set", "joint.epochs=2"]
    assert main(["run", "test", *network, *quick, "--cache", "cache"]) == 0
    rows = rows_of(home / "datasets" / "test" / "1.0.0")
    post_id = next(
        post_id
        for (post_id, _), row in rows.items()
        if row["split"] == "test" and row["duplicate_group"] is None
    )
    found, last = told(capsys, post_id)
    (network,) = (home / "data" / "features").iterdir()
    assert found.pop("store data/reddit").startswith("the post, ")
    assert found.pop("dataset datasets/test 1.0.0").startswith("test, test (ids)")
    assert found.pop("results results/test/1.0.0").startswith("predictions, ")
    cached = home / "cache" / "test" / "1.0.0"
    assert found == {
        f"features data/features/{network.name}": "1 row of its images",
        f"datasets library {cached}": "loaded rows",
    }
    clear = f"affectory purge test --remove-earlier && rm -r {cached}"
    unknown = "no store records it as deleted; if it is, collect its source again, then run"
    assert last == f"next: {unknown} {clear}"
    with Store.open("data/reddit") as store:
        store.add([replace(store.posts([post_id])[post_id], removed="deleted")])
    assert told(capsys, post_id)[1] == f"next: {clear}"
    purge, remove = (command.split() for command in clear.split(" && "))
    assert main(purge[1:]) == 0
    subprocess.run(remove, check=True)
    assert told(capsys, post_id) == (
        {"store data/reddit": "tombstone (deleted)", "dataset datasets/test 1.0.1": "tombstone (deleted)"},
        "only its tombstone is left",
    )


def test_a_post_that_is_nowhere_is_one_line_and_exit_code_1(capsys, home):
    assert main(["trace", "reddit:nothing"]) == 1
    assert capsys.readouterr().out == (
        "reddit:nothing was not found in the crawl stores, datasets, results or the datasets library's "
        "cache; ids are written as reddit:3svmej or flickr:53509656752\n"
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["3svmej"], "'3svmej' is not the id of a post: write it as reddit:3svmej or flickr:53509656752"),
        (
            ["reddit:1", "--stores", "nothing"],
            "--stores 'nothing' is not a crawl store: name a folder that holds crawl.sqlite",
        ),
    ],
)
def test_what_can_not_be_traced_is_one_line_and_exit_code_2(capsys, home, arguments, line):
    assert main(["trace", *arguments]) == 2
    assert capsys.readouterr().err == f"error: {line}\n"


@pytest.mark.slow
def test_cached_features_of_a_posts_text_are_told_from_those_of_its_images(capsys, home):
    write_recipe(home / "datasets", "", name="mine")
    assert main(["build", "mine", "--store", str(make_store(home / "data" / "mine", POSTS))]) == 0
    row = rows_of(home / "datasets" / "mine" / "1.0.0")["reddit:00005", 0]
    for name, digests in (
        ("texts", [text_digest(row["text"]), text_digest("another")]),
        ("images", [row["image_sha256"]]),
    ):
        cache = FeatureCache(home / "data" / "features", Encoder(name))
        with cache.locked(lambda: None):
            cache.add(digests, np.zeros((len(digests), 2), np.float16))
    found, _ = told(capsys, "reddit:00005")
    assert found["features data/features/texts"] == "1 row of its text"
    assert found["features data/features/images"] == "1 row of its images"


@pytest.mark.slow
def test_what_a_store_and_the_dropped_rows_hold_is_said(capsys, home):
    text = '[[filters]]\nuse = "score"\nmin = 960\n[duplicates]\nimages = []\npolicy = "keep-best"\n'
    write_recipe(home / "datasets", text, name="mine")
    twin = post(61, "happy", title=POSTS[5].title, score=970)
    store = make_store(home / "data" / "mine", [*POSTS, twin])
    assert main(["build", "mine", "--store", str(store)]) == 0
    with Store.open(store) as opened:
        opened.add_candidates("top", [POSTS[50]], cursor=None, limit=5)
    assert list(told(capsys, "reddit:00050")[0].values()) == [
        "the post, 1 link to an image, 1 image file, candidate of 1 walk",
        "dropped (score_too_low), report.html",
    ]
    found, _ = told(capsys, "reddit:00005")
    assert "named by 1 of its dropped duplicates" in found["dataset datasets/mine 1.0.0"]
    with sqlite3.connect(store / "crawl.sqlite") as db:  # as stores were before they left tombstones
        db.execute("update posts set removed = 'moderator' where post_id = 'reddit:00050'")
    db.close()
    found, last = told(capsys, "reddit:00050")
    assert found["store data/mine"].startswith("the post, marked as deleted (moderator), 1 link")
    assert last == "next: affectory purge mine --remove-earlier"
    left = home / "datasets" / "mine" / ".building" / "x" / "1.0.0"
    shutil.copytree(home / "datasets" / "mine" / "1.0.0", left)
    found, _ = told(capsys, "reddit:00050")
    assert found["dataset datasets/mine"] == "unfinished files of a build or purge that was killed"
