"""A purge of all that holds deleted posts: versions, features, results, the card; and copies elsewhere."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affectory.encoders.feature_cache import FeatureCache, text_digest
from baselines.results.schema import read as read_results
from collectors.store import Store
from curation.deleted import run_results
from curation.ids import main as write_ids
from curation.purge import main as purge
from curation.release.assemble import build
from tests.baselines import run_fixture
from tests.curation.stores import contents, make_store, post, rows_of, write_recipe
from tests.encoders.test_forget_features import Encoder

ROOT = Path(__file__).parents[2]
OURS = ["reddit:00003", "reddit:00040"]
POSTS = [
    post(i, "happy" if i % 2 else "creepy", title=f"deleted title {i}" if i in (3, 40) else None)
    for i in range(60)
]


@pytest.fixture(autouse=True)
def library(tmp_path, monkeypatch):
    """Where the `datasets` library keeps what it loads."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def home(tmp_path):
    """A folder with a release, its features and results; two of its posts are deleted in the store since."""
    return filled(tmp_path)


def filled(home, text=""):
    store = make_store(home / "store", POSTS)
    folder = build(write_recipe(home / "datasets", text), store=store, out=home / "datasets").folder
    rows = rows_of(folder)
    cache = FeatureCache(home / "features", Encoder("net"))
    digests = [hashlib.sha256(row["image"]["bytes"]).hexdigest() for row in rows.values()]
    with cache.locked(lambda: None):
        cache.add(digests, np.zeros((60, 2), np.float16))
    run = home / "results" / "test" / "1.0.0-folds5"
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints" / "joint-seed0.pt").write_text("words of posts")
    run_fixture.results().write(run)
    for name in ("results.html", "table.md", "tuned.json"):
        (run / name).write_text(name)
    pq.write_table(pa.table({"post_id": [post_id for post_id, _ in rows]}), run / "predictions.parquet")
    with Store.open(store) as opened:
        opened.add([replace(POSTS[3], removed="deleted"), replace(POSTS[40], removed="moderator")])
    return home


def arguments(home, *more):
    places = [f"--{name}={home / name}" for name in ("datasets", "store", "results", "features")]
    return ["test", *places, *more]


def holding(home):
    """Return the files in which a title or link of a deleted post can still be read, but for the store's."""
    marks = [b"deleted title", *(f"comments/{post_id[7:]}".encode() for post_id in OURS)]
    files = [path for name in ("datasets", "results", "features") for path in (home / name).rglob("*")]
    read = {path: contents_of(path) for path in files if path.is_file()}
    return [str(path.relative_to(home)) for path, text in read.items() if any(mark in text for mark in marks)]


def contents_of(path):
    return repr(pq.read_table(path).to_pylist()).encode() if path.suffix == ".parquet" else path.read_bytes()


@pytest.mark.slow
def test_earlier_versions_go_by_a_second_command_with_all_that_their_results_hold_of_posts(capsys, home):
    assert purge(arguments(home)) == 0
    first = capsys.readouterr().out.splitlines()
    run = home / "results" / "test" / "1.0.0-folds5"
    assert first[2:4] == [
        f"removed 2 feature vectors from {home / 'features'}",
        f"note    earlier versions still hold deleted posts: 1.0.0, and so do results trained on them: {run}",
    ]
    assert first[4].startswith("        to remove those too: affectory purge test --remove-earlier ")
    assert purge(arguments(home, "--remove-earlier")) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "removed version 1.0.0",
        f"removed predictions, pages and checkpoints from {run}; the scores are still there; to train again: "
        "affectory run test",
    ]
    assert sorted(path.name for path in run.iterdir()) == ["results.json", "table.md", "tuned.json"]
    assert read_results(run) == run_fixture.results(projections=())
    assert sorted(path.name for path in (home / "datasets" / "test").iterdir()) == [
        "1.0.1",
        "README.md",
        "recipe.toml",
    ]
    assert purge(arguments(home, "--remove-earlier")) == 0
    assert capsys.readouterr().out == (
        "test 1.0.1: no data of posts that their source has deleted; nothing to do\n"
    )
    loaded = datasets.load_dataset(str(home / "datasets" / "test"), cache_dir=str(home / "cache"))
    assert sum(len(split) for split in loaded.values()) == 58


@pytest.mark.slow
def test_an_earlier_version_that_holds_no_deleted_post_stays(home):
    build(write_recipe(home / "datasets", "[split]\nseed = 1\n"), store=home / "store", out=home / "datasets")
    assert purge(arguments(home, "--remove-earlier")) == 0
    folder = home / "datasets" / "test"
    assert sorted(path.name for path in folder.iterdir()) == ["1.1.0", "README.md", "recipe.toml"]


@pytest.mark.slow
def test_features_go_by_the_bytes_as_published_and_stay_for_a_live_post_with_the_same_image(tmp_path):
    home = filled(tmp_path, '[images]\nformat = "jpeg"\nside = 32\n')
    cache = FeatureCache(home / "features", Encoder("net"))
    rows = rows_of(home / "datasets" / "test" / "1.0.0")
    theirs = [hashlib.sha256(rows[post_id, 0]["image"]["bytes"]).hexdigest() for post_id in OURS]
    assert cache.rows_of(set(theirs)) == 2
    assert purge(arguments(home)) == 0
    assert cache.rows_of(set(theirs)) == 0
    assert sum(len(path.read_text().split()) for path in cache.folder.glob("*.txt")) == 58


@pytest.mark.slow
def test_features_of_texts_go_too_but_for_a_text_that_a_live_post_has(home):
    cache = FeatureCache(home / "features", Encoder("texts"))
    rows = rows_of(home / "datasets" / "test" / "1.0.0")
    digests = sorted({text_digest(row["text"]) for row in rows.values()})
    with cache.locked(lambda: None):
        cache.add(digests, np.zeros((len(digests), 2), np.float16))
    theirs = {text_digest(rows[post_id, 0]["text"]) for post_id in OURS}
    live = {text_digest(row["text"]) for (post_id, _), row in rows.items() if post_id not in OURS}
    assert theirs - live
    assert purge(arguments(home)) == 0
    assert cache.missing(digests) == sorted(theirs - live)


@pytest.mark.slow
def test_the_card_marks_earlier_versions_until_they_are_removed(home):
    card = home / "datasets" / "test" / "README.md"
    assert "deleted" not in card.read_text().partition("## Use")[0]
    purge(arguments(home))
    assert (
        "\n\n**Version 1.0.0 holds posts that their source has deleted since.** Use a newer"
        in card.read_text()
    )
    assert "`affectory purge test --remove-earlier` removes them." in card.read_text()
    purge(arguments(home, "--remove-earlier"))
    assert "**Version" not in card.read_text()


@pytest.mark.slow
def test_copies_elsewhere_are_listed_with_the_command_that_clears_them(capsys, home):
    folder = home / "datasets" / "test"
    datasets.load_dataset(str(folder), cache_dir=str(home / "cache"))
    assert write_ids([str(folder)]) == 0
    make_store(home / "other", POSTS[:5], pictures=False)
    again = write_recipe(home / "datasets", "[split]\nseed = 1\n", name="again")
    build(again, store=make_store(home / "copy", POSTS), out=home / "datasets")
    shutil.rmtree(home / "copy")
    capsys.readouterr()
    purge(arguments(home))
    said = capsys.readouterr().out.partition("copies that this command doesn't remove:\n")[2].splitlines()
    beside = home / "datasets" / "test-ids"
    assert said[:-1] == [
        f"        cache of the datasets library: rm -r {home / 'cache' / 'test' / '1.0.0'}",
        f"        dataset {again.parent}: affectory purge again --remove-earlier "
        f"--datasets {home / 'datasets'} --store {home / 'store'}",
        f"        ids in {beside}: rm -r {beside} && affectory ids {folder}",
        f"        crawl store {home / 'other'}: collect it again, or rm -r {home / 'other'}",
    ]
    assert said[-1].startswith("        copy on a hub, where there is one: affectory push test USER/test ")
    for line in said[:-1]:
        command = line.partition(": ")[2].partition(" && ")[0].removeprefix("collect it again, or ")
        program, *rest = command.split()
        if program == "affectory":  # whether or not it is on the path
            program, rest = sys.executable, ["-m", "affectory", *rest]
        subprocess.run([program, *rest], check=True)
    purge(arguments(home, "--remove-earlier"))
    capsys.readouterr()
    purge(arguments(home, "--remove-earlier"))
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.slow
def test_a_post_that_is_back_at_its_source_is_not_deleted(capsys, home):
    purge(arguments(home))
    with Store.open(home / "store") as opened:
        opened.add([POSTS[3], POSTS[40]])
    capsys.readouterr()
    assert purge(arguments(home, "--remove-earlier")) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert (home / "datasets" / "test" / "1.0.0").is_dir()


#: Kills this process at the n-th change of a file.
KILLED = """
import os, signal, sys
left, changes = int(sys.argv[1]), {"os.rename", "os.remove", "os.rmdir", "os.mkdir"}
def hook(event, args):
    global left
    if event in changes:
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
from curation.deleted import removal  # what imports write is not counted
from curation.purge import main
sys.addaudithook(hook)
code = main(sys.argv[2:])
print("changes", int(sys.argv[1]) - left, file=sys.stderr)
sys.exit(code)
"""


def killed(home, change, *more):
    return subprocess.run(
        [sys.executable, "-c", KILLED, str(change), *arguments(home, *more)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def left_of(home):
    """Return what is on disk after a purge, but for the store's own files."""
    found = {name: contents(home / name) for name in ("datasets", "results", "features")}
    names = ("report.html", "manifest.json", "README.md", "croissant.json")
    return {
        kind: {path: digest for path, digest in files.items() if not path.endswith(names)}
        for kind, files in found.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("change", [1, 4, 9, 16, 25, 36])
def test_a_purge_that_is_killed_is_completed_by_the_same_command(tmp_path, change):
    undisturbed, home = filled(tmp_path / "one"), filled(tmp_path / "two")
    assert purge(arguments(undisturbed, "--remove-earlier")) == 0
    done = killed(home, change, "--remove-earlier")
    assert done.returncode in (-signal.SIGKILL, 0), done.stderr
    assert purge(arguments(home, "--remove-earlier")) == 0
    assert left_of(home) == left_of(undisturbed)
    assert holding(home) == []


@pytest.mark.slow
def test_nothing_of_the_deleted_posts_can_be_read_after_a_purge(home):
    assert {path.partition("/")[0] for path in holding(home)} == {"datasets"}
    purge(arguments(home, "--remove-earlier"))
    assert holding(home) == []
    results = home / "results" / "test" / "1.0.0-folds5" / "results.json"
    assert json.loads(results.read_text())["projections"] == []


def test_a_run_whose_masks_name_a_post_is_found_and_keeps_its_scores_alone(tmp_path):
    for name in ("missing.json", "missing.md", "missing.html", "checkpoints/text-seed0.pt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    places = {"seed": 0, "image": {"reddit:a#2": 0.25}, "text": {"reddit:b": 1.0}}
    (tmp_path / "masks.json").write_text(json.dumps({"schema": 1, "masks": [places]}))
    found = [run_results.predict(tmp_path, [post]) for post in ("reddit:a", "reddit:b", "reddit:c")]
    assert found == [True, True, False]
    assert run_results.hold_posts(tmp_path)
    run_results.clear(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["missing.json", "missing.md"]
    assert not run_results.hold_posts(tmp_path)
    assert not run_results.predict(tmp_path, ["reddit:a"])
