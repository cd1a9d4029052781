"""The built-in recipes: found from any folder, copied beside a release, written out by `affectory init`."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import affectory
from affectory.cli import main
from affectory.core import recipes
from affectory.core.errors import InputError
from tests.curation.stores import contents, make_store, post, write_recipe

ROOT = Path(__file__).parents[1]
BUILT_IN = [
    "flickr-emotion",
    "flickr-emotion-multitask",
    "mami",
    "met-meme",
    "reddit-emotion",
    "reddit-emotion-strict",
    "reddit-emotion-text",
    "sandbox-memes",
    "vso",
]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder in which commands are typed, with a crawl store in data/reddit."""
    monkeypatch.chdir(tmp_path)
    subs = ("happy", "creepy", "rage", "gore")
    make_store(Path("data/reddit"), [post(i, subs[i % 4]) for i in range(80)], pictures=False)
    return tmp_path


def run(capsys, *arguments):
    capsys.readouterr()
    code = main(arguments)
    return code, *capsys.readouterr()


def test_ones_own_recipe_is_used_before_the_built_in_one(tmp_path):
    assert recipes.find("vso", tmp_path) == recipes.built_in() / "vso"
    write_recipe(tmp_path, name="vso")
    assert recipes.find("vso", tmp_path) == tmp_path / "vso"


def test_a_recipe_that_is_not_there_lists_those_that_are(tmp_path):
    write_recipe(tmp_path, name="one")
    with pytest.raises(InputError, match=r"no recipe '.*/two/recipe.toml', .*; it is one of .*mami, .*one"):
        recipes.find("two", tmp_path)


@pytest.mark.slow
def test_a_build_in_an_empty_folder_copies_the_built_in_recipe_beside_its_release(home, capsys):
    code, out, err = run(capsys, "build", "reddit-emotion-text")
    folder = Path("datasets/reddit-emotion-text")
    assert (code, err) == (0, "")
    assert f"recipe  {folder}/recipe.toml   (built-in, copied here)\n" in out
    for name in ("recipe.toml", "card.md"):
        assert (folder / name).read_bytes() == (recipes.built_in() / folder.name / name).read_bytes()
    before = contents(folder)
    code, out, _ = run(capsys, "build", "reddit-emotion-text")
    assert (code, "copied" in out, contents(folder)) == (0, False, before)
    assert run(capsys, "report", "reddit-emotion-text")[0] == 0
    assert contents(folder) == before


@pytest.mark.slow
def test_an_edited_copy_of_a_built_in_recipe_is_ones_own(home, capsys):
    assert run(capsys, "build", "reddit-emotion-text")[0] == 0
    recipe = Path("datasets/reddit-emotion-text/recipe.toml")
    edited = recipe.read_text().replace('leakage = "paper"', 'leakage = "group"')
    recipe.write_text(edited)
    code, out, _ = run(capsys, "build", "reddit-emotion-text")
    assert (code, out.splitlines()[0]) == (0, "reddit-emotion-text 1.1.0")
    assert recipe.read_text() == edited


def test_a_build_that_fails_copies_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "build", "vso")
    assert (code, out) == (2, "")
    assert err.startswith("error: there is no crawl store in 'data/")
    assert not Path("datasets/vso/recipe.toml").exists()


def test_a_built_in_recipe_goes_over_no_other_beside_a_release(home, capsys):
    write_recipe(Path("out"), name="reddit-emotion-text")
    before = contents(Path("out"))
    code, out, err = run(capsys, "build", "reddit-emotion-text", "--out", "out")
    assert (code, out) == (2, "")
    assert err == (
        "error: 'out/reddit-emotion-text/recipe.toml' differs from the built-in one: move it away, or name "
        "the folder of your own recipe with --datasets\n"
    )
    assert contents(Path("out")) == before


def test_init_writes_every_recipe_and_card_and_a_second_time_none(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "init")
    lines = [f"datasets/{name}/{file}" for name in BUILT_IN for file in ("recipe.toml", "card.md")]
    assert (code, out.splitlines(), err) == (0, [f"wrote  {line}" for line in lines], "")
    assert sorted(contents(tmp_path)) == sorted(lines)
    assert run(capsys, "init")[1].splitlines() == [f"kept   {line}" for line in lines]


def test_init_writes_the_recipes_that_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "init", "vso", "--datasets", "mine")
    assert (code, out) == (0, "wrote  mine/vso/recipe.toml\nwrote  mine/vso/card.md\n")
    code, _, err = run(capsys, "init", "vsoo")
    assert (code, err) == (2, "error: there is no built-in recipe 'vsoo'; did you mean vso?\n")


def test_init_never_overwrites_what_was_edited(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_recipe(Path("datasets"), name="mami")
    before = contents(tmp_path)
    code, out, err = run(capsys, "init")
    assert (code, out) == (2, "")
    assert err.startswith("error: nothing was written: datasets/mami/recipe.toml differ")
    assert contents(tmp_path) == before


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("datasets").touch()
    code, out, err = run(capsys, "init", "vso")
    assert (code, out) == (2, "")
    assert err.startswith("error: recipe.toml can't be written to 'datasets/vso': ")
    assert err.count("\n") == 1


def test_an_installed_package_has_its_recipes_inside(tmp_path):
    """The layout of the wheel; .ci/run installs a real one."""
    site, empty = tmp_path / "site", tmp_path / "empty"
    shutil.copytree(ROOT / "affectory", site / "affectory")
    kept = shutil.ignore_patterns("README.md", "[0-9]*", ".*")
    shutil.copytree(ROOT / "datasets", site / "affectory" / "recipes", ignore=kept)
    empty.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "affectory", "init", "mami"],
        cwd=empty,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "wrote  datasets/mami/recipe.toml\nwrote  datasets/mami/card.md\n"
    assert (empty / "datasets/mami/card.md").read_bytes() == (ROOT / "datasets/mami/card.md").read_bytes()


def test_the_version_is_looked_up_when_it_is_asked_for():
    assert affectory.__version__ == importlib.metadata.version("affectory")
    with pytest.raises(AttributeError, match="module 'affectory' has no attribute 'versoin'"):
        _ = affectory.versoin
    program = "import sys, affectory; print('importlib.metadata' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
