"""`affectory trace`: every place that still holds something of a post."""

import sqlite3
import subprocess
from dataclasses import replace

import pytest

from affectory.cli import main
from collectors.store import Store
from tests.curation.stores import make_store, post, rows_of, write_recipe

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder in which commands are typed, with a recipe of two of the sandbox's subreddits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    recipe = write_recipe(tmp_path / "datasets", '[[filters]]\nuse = "image"\n')
    recipe.write_text(recipe.read_text().replace("happy", "rage").replace("creepy", "gore"))
    return tmp_path


def told(capsys, post_id, *more, code=0):
    """Trace a post; return what is held where, and the last line."""
    capsys.readouterr()
    assert main(["trace", post_id, *more]) == code
    first, *places, last = capsys.readouterr().out.splitlines()
    assert first == post_id
    return dict(line[2:].split("  ", 1) for line in places), last


def test_after_a_purge_only_tombstones_are_left_of_a_deleted_post(capsys, home, sandbox):
    place = ["--store", "data/reddit"]
    assert main(["collect", "reddit", "--subs", "rage", "gore", "--sandbox-url", sandbox, *place]) == 0
    assert main(["build", "test"]) == 0
    network = ["--backbone", "resnet18", "--weights", "random", "--side", "33", "--device", "cpu"]
    quick = ["--models", "joint", "--seeds", "1", "--neural.epochs", "2"]
    assert main(["run", "test", *network, *quick, "--cache", "cache"]) == 0
    rows = rows_of(home / "datasets" / "test" / "1.0.0")
    post_id = next(post_id for (post_id, _), row in rows.items() if row["split"] == "test")
    found, last = told(capsys, post_id)
    (network,) = (home / "data" / "features").iterdir()
    held = {place.strip(): what.strip() for place, what in found.items()}
    assert held.pop("store data/reddit").startswith("the post, ")
    assert held.pop("dataset datasets/test 1.0.0").startswith("test, test (ids)")
    assert held.pop("results results/test/1.0.0").startswith("predictions, ")
    assert held == {
        f"features data/features/{network.name}": "1 row of its images",
        f"datasets library {home / 'cache' / 'test' / '1.0.0'}": "rows as they were loaded",
    }
    clear = f"affectory purge test --remove-earlier && rm -r {home / 'cache' / 'test' / '1.0.0'}"
    assert (
        last
        == f"next: no store knows that it is deleted; if it is, collect its source again, then run {clear}"
    )
    with Store.open("data/reddit") as store:
        store.add([replace(store.posts([post_id])[post_id], removed="deleted")])
    assert told(capsys, post_id)[1] == f"next: {clear}"
    purge, remove = (command.split() for command in clear.split(" && "))
    assert main(purge[1:]) == 0
    subprocess.run(remove, check=True)
    found, last = told(capsys, post_id)
    assert {place.strip(): what.strip() for place, what in found.items()} == {
        "store data/reddit": "tombstone (deleted)",
        "dataset datasets/test 1.0.1": "tombstone (deleted)",
    }
    assert last == "only its tombstone is left"


def test_a_post_that_is_nowhere_is_one_line_and_exit_code_1(capsys, home):
    assert main(["trace", "reddit:nothing"]) == 1
    assert capsys.readouterr().out == (
        "reddit:nothing is nowhere: not in a crawl store, datasets, results or the datasets library's cache; "
        "ids are written as reddit:3svmej or flickr:53509656752\n"
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


def test_what_a_store_and_the_dropped_rows_hold_is_said(capsys, home):
    text = '[[filters]]\nuse = "score"\nmin = 960\n[duplicates]\nimages = "off"\npolicy = "keep-best"\n'
    recipe = write_recipe(home / "datasets", text, name="mine")
    twin = post(61, "happy", title=POSTS[5].title, score=970)
    store = make_store(home / "data" / "mine", [*POSTS, twin])
    assert main(["build", "mine", "--store", str(store)]) == 0
    with Store.open(store) as opened:
        opened.add_candidates("top", [POSTS[50]], cursor=None, limit=5)
    found, _ = told(capsys, "reddit:00050")
    assert [what.strip() for what in found.values()] == [
        "the post, 1 link to an image, 1 image file, candidate of 1 walk",
        "dropped (score_too_low), report.html",
    ]
    found, _ = told(capsys, "reddit:00005")
    held = [what.strip() for what in found.values()]
    assert "named by 1 of its dropped duplicates" in held[1]
    with sqlite3.connect(store / "crawl.sqlite") as db:  # as a store was before it left tombstones
        db.execute("update posts set removed = 'moderator' where post_id = 'reddit:00050'")
    db.close()
    found, last = told(capsys, "reddit:00050")
    assert next(iter(found.values())).strip().startswith("the post, marked as deleted (moderator), ")
    assert last == "next: affectory purge mine --remove-earlier"
    assert recipe.exists()
    unknown = "no store knows that it is deleted; if it is, collect its source again, then run"
    assert last == f"next: {unknown} {clear}"
    with Store.open("data/reddit") as store:
        store.add([replace(store.posts([post_id])[post_id], removed="deleted")])
    assert told(capsys, post_id)[1] == f"next: {clear}"
    for command in clear.split(" && "):
        words = command.split()
        if words[0] == "affectory":
            assert main(words[1:]) == 0
        else:
            import shutil

            shutil.rmtree(words[-1])
    found, last = told(capsys, post_id)
    assert {place.strip(): what.strip() for place, what in found.items()} == {
        "store data/reddit": "tombstone (deleted)",
        "dataset datasets/test 1.0.1": "tombstone (deleted)",
    }
    assert last == "only its tombstone is left"


def test_a_post_that_is_nowhere_is_one_line_and_exit_code_1(capsys, home):
    assert main(["trace", "reddit:nothing"]) == 1
    assert capsys.readouterr().out == (
        "reddit:nothing is nowhere: not in a crawl store, datasets, results or the datasets library's cache; "
        "ids are written as reddit:3svmej or flickr:53509656752\n"
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


def test_what_a_store_and_the_dropped_rows_hold_is_said(capsys, home):
    text = '[[filters]]\nuse = "score"\nmin = 960\n[duplicates]\nimages = "off"\npolicy = "keep-best"\n'
    recipe = write_recipe(home / "datasets", text, name="mine")
    twin = post(61, "happy", title=POSTS[5].title, score=970)
    store = make_store(home / "data" / "mine", [*POSTS, twin])
    assert main(["build", "mine", "--store", str(store)]) == 0
    with Store.open(store) as opened:
        opened.add_candidates("top", [POSTS[50]], cursor=None, limit=5)
    found, _ = told(capsys, "reddit:00050")
    assert [what.strip() for what in found.values()] == [
        "the post, 1 link to an image, 1 image file, candidate of 1 walk",
        "dropped (score_too_low), report.html",
    ]
    found, _ = told(capsys, "reddit:00005")
    held = [what.strip() for what in found.values()]
    assert "named by 1 of its dropped duplicates" in held[1]
    with sqlite3.connect(store / "crawl.sqlite") as db:  # as a store was before it left tombstones
        db.execute("update posts set removed = 'moderator' where post_id = 'reddit:00050'")
    db.close()
    found, last = told(capsys, "reddit:00050")
    assert next(iter(found.values())).strip().startswith("the post, marked as deleted (moderator), ")
    assert last == "next: affectory purge mine --remove-earlier"
    assert recipe.exists()
