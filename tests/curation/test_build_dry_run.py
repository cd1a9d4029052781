"""`affectory build NAME --dry-run`: what a build would make."""

import json
from pathlib import Path

import pytest

from affectory.cli import main
from collectors.store import Store
from tests.curation.stores import make_store, post, write_recipe

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@pytest.fixture(autouse=True)
def dataset(tmp_path, monkeypatch):
    """A recipe and its store, of two subreddits."""
    monkeypatch.chdir(tmp_path)
    make_store(tmp_path / "store", POSTS)
    write_recipe(tmp_path / "datasets")


def lines(capsys, *more):
    assert main(["build", "test", "--store", "store", "--dry-run", *more]) == 0
    return capsys.readouterr().out.splitlines()


def test_a_new_release_is_named_and_nothing_is_written(tmp_path, capsys):
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert lines(capsys) == [
        "recipe  datasets/test/recipe.toml",
        "store   store",
        "reads   60 posts of happy, creepy",
        "release datasets/test/1.0.0  (new)",
        "dry run: no image was read, and nothing was written",
    ]
    after = {path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".sqlite-shm"}
    assert all(path.read_bytes() == data for path, data in before.items())
    assert {path.name for path in after - before.keys()} <= {"crawl.sqlite-shm", "crawl.sqlite-wal"}


def test_a_folder_that_cannot_be_written_is_found_without_building(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["build", "test", "--store", "store", "--dry-run", "--out", "file/here"]) == 2
    said = f"error: --out 'file/here': {str(tmp_path / 'file')!r} is a file; name a folder\n"
    assert capsys.readouterr().err == said


@pytest.mark.slow
def test_the_version_is_the_one_that_the_build_then_makes(capsys):
    assert main(["build", "test", "--store", "store", "-q"]) == 0
    assert capsys.readouterr().out.startswith("load    datasets.load_dataset(")
    assert lines(capsys)[3] == "release datasets/test/1.0.0  (is built already)"
    with Store.open("store") as store:
        store.add([post(100)])
    assert lines(capsys)[3] == "release datasets/test/1.0.1  (new)"
    recipe = Path("datasets/test/recipe.toml")
    recipe.write_text(recipe.read_text() + '\n[images]\nwhich = "none"\n')
    assert json.loads("\n".join(lines(capsys, "--json")))["version"] == "1.1.0"
    assert main(["build", "test", "--store", "store", "--json"]) == 0
    built = json.loads(capsys.readouterr().out)
    assert (built["version"], built["release"]) == ("1.1.0", "datasets/test/1.1.0")
    assert sum(sum(counts.values()) for counts in built["splits"].values()) == built["ledger"]["kept"]
