"""`affectory` alone, `--version`, `--help`, `affectory collect`, and names that are mistyped."""

import json
import re
import sqlite3
from importlib.metadata import version
from pathlib import Path

import pytest

from affectory import cli
from affectory.cli import main
from affectory.core.errors import meant
from collectors.sites import SITES
from tests.curation.stores import make_store, post

STEPS = """\
Affectory rebuilds multimodal emotion datasets and trains the field's baselines:

  1  collect   posts and images into a crawl store    affectory collect --help
  2  build     a release from a store                 affectory build --help
  3  run       baselines on a release                 affectory run --help

In this folder
"""
END = "\n\naffectory --help lists all commands, affectory COMMAND --help their options.\n"


def here(capsys):
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert (out.startswith(STEPS), out.endswith(END), err) == (True, True, "")
    return out.removeprefix(STEPS).removesuffix(END).splitlines()


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_empty_folder_is_told_how_to_begin(folder, capsys):
    assert here(capsys) == [
        "  stores    none yet",
        "  releases  none yet",
        "  results   none yet",
        "",
        "next      affectory demo    all steps on generated posts, no keys, no network",
        "next      affectory collect reddit --subs happy creepy rage gore",
    ]


def test_what_is_there_is_listed_and_the_next_step_named(folder, capsys):
    make_store(folder / "data/reddit", [post(1), post(2)])
    assert here(capsys)[0] == "  stores    data/reddit  2 posts, 2 images"
    assert here(capsys)[-1] == "next      affectory build reddit-emotion"
    release = folder / "datasets/reddit-emotion/1.2.0"
    write(release / "manifest.json", {"counts": {"train": {"joy": 1_000}, "test": {"joy": 1}}})
    write(folder / "datasets/reddit-emotion/1.1.0/manifest.json", {"counts": {"train": {"joy": 2}}})
    assert here(capsys)[1] == "  releases  reddit-emotion 1.2.0  1,001 rows"
    assert here(capsys)[-1] == "next      affectory run reddit-emotion"
    result = folder / "results/reddit-emotion/1.2.0"
    write(result / "results.json", {"rows": [{"model": "image"}, {"model": "text"}, {"model": "text"}]})
    (result / "results.html").touch()
    assert here(capsys)[2] == "  results   reddit-emotion 1.2.0  2 models"
    assert here(capsys)[-1] == "next      open results/reddit-emotion/1.2.0/results.html in a browser"


def test_images_to_fetch_are_counted_and_a_store_of_other_communities_needs_a_recipe(folder, capsys):
    make_store(folder / "data/reddit", [post(1)])
    with sqlite3.connect(folder / "data/reddit/crawl.sqlite") as db:
        db.execute("update media set status = 'pending'")
        db.execute("update posts set community = 'cats'")
    assert [here(capsys)[0], *here(capsys)[-2:]] == [
        "  stores    data/reddit  1 post, 0 images, 1 image to fetch",
        "next      affectory build NAME --store data/reddit",
        "          NAME is a recipe: affectory init writes those to start from",
    ]


def test_a_recipe_of_ones_own_that_has_no_store_yet_is_collected_next(folder, capsys):
    recipe = folder / "datasets/cats/recipe.toml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text('name = "cats"\ntitle = "Cats"\n[labels]\ncats = "cat"\n"funny cats" = "cat"\n')
    collect = [
        "next      affectory collect reddit --subs cats 'funny cats'",
        f"          for {recipe.relative_to(folder)}",
    ]
    assert here(capsys)[-2:] == collect
    make_store(folder / "data/reddit", [post(1)])
    assert here(capsys)[-1] == "next      affectory build reddit-emotion"  # the store of another recipe
    write(folder / "datasets/reddit-emotion/1.0.0/manifest.json", {"counts": {"train": {"joy": 1}}})
    assert here(capsys)[-2:] == collect
    recipe.write_text(recipe.read_text() + '[source]\nlocal = "folder"\n')
    assert here(capsys)[-2] == "next      affectory collect local cats --path FOLDER"
    recipe.write_text("[labels")  # affectory build says what is wrong with it
    assert here(capsys)[-1] == "next      affectory run reddit-emotion"


def test_what_is_damaged_names_the_command_that_says_more(folder, capsys):
    (folder / "data/reddit").mkdir(parents=True)
    (folder / "data/reddit/crawl.sqlite").write_text("no database")
    write(folder / "datasets/mine/1.0.0/manifest.json", [])
    write(folder / "results/mine/1.0.0/results.json", {})
    assert here(capsys)[:3] == [
        "  stores    data/reddit  can't be read: affectory verify data/reddit",
        "  releases  mine 1.0.0  can't be read: affectory verify datasets/mine/1.0.0",
        "  results   mine 1.0.0  can't be read: results/mine/1.0.0/results.json",
    ]


def test_all_of_it_is_there_as_json(folder, capsys):
    make_store(folder / "data/reddit", [post(1), post(2)])
    write(folder / "datasets/cats/1.2.0/manifest.json", {"counts": {"train": {"joy": 1_000}}})
    write(folder / "datasets/dogs/1.0.0/manifest.json", [])
    write(folder / "results/cats/1.2.0/results.json", {"rows": [{"model": "text"}, {"model": "image"}]})
    assert main(["--json"]) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == (
        {
            "stores": [
                {
                    **{"store": "data/reddit", "is_damaged": False},
                    **{"posts": 2, "images": 2, "images_to_fetch": 0},
                }
            ],
            "releases": [
                {
                    **{"release": "datasets/cats/1.2.0", "name": "cats", "version": "1.2.0"},
                    **{"is_damaged": False, "rows": 1_000},
                },
                {
                    **{"release": "datasets/dogs/1.0.0", "name": "dogs", "version": "1.0.0"},
                    **{"is_damaged": True, "rows": None},
                },
            ],
            "results": [
                {
                    **{"results": "results/cats/1.2.0/results.json", "name": "cats", "version": "1.2.0"},
                    **{"is_damaged": False, "models": ["image", "text"]},
                }
            ],
            "demo": None,
            "next": [{"step": "affectory build reddit-emotion", "note": None}],
        },
        "",
    )


def test_the_next_steps_of_an_empty_folder_are_there_as_json(folder, capsys):
    assert main(["--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["next"] == [
        {"step": "affectory demo", "note": "all steps on generated posts, no keys, no network"},
        {"step": "affectory collect reddit --subs happy creepy rage gore", "note": None},
    ]


def test_the_version_is_the_installed_one(capsys):
    assert (main(["--version"]), capsys.readouterr().out) == (0, f"affectory {version('affectory')}\n")


def test_the_help_of_all_commands_fits_80_columns(capsys):
    for arguments in (["--help"], ["--help-all"], ["collect", "--help"], ["collect", "--help-all"]):
        assert main(arguments) == 0
        assert all(len(line) < 80 for line in capsys.readouterr().out.splitlines())


def test_the_help_the_module_and_the_page_list_every_command(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
    listed = " ".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    for name in ["demo", *(name for group in cli.GROUPS.values() for name in group)]:
        assert f"\n  {name} " in shown, name
        assert f"\naffectory {name} " in cli.__doc__, name
        assert f"`{name}`" in listed, name
    codes = re.findall(r"^\| (\d+) \|", page, re.MULTILINE)
    assert codes and codes == re.findall(r"\b\d+\b", shown[shown.index("Exit codes:") :])
    for site, described in SITES.items():
        if described.command:
            assert f"\naffectory collect {site} " in cli.__doc__ and site in listed, site


def test_collect_lists_the_sites_each_with_an_example(capsys):
    assert main(["collect", "--help"]) == 0
    out = capsys.readouterr().out
    assert "  local           Make a crawl store of tables and images on disk.\n" in out
    assert "                  affectory collect reddit --subs happy creepy rage gore\n" in out


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["biuld", "x"], "there is no command 'biuld'; did you mean build? (affectory --help lists all)"),
        (["collect"], "name a site: affectory collect SITE; SITE is one of reddit, flickr, local"),
        (["collect", "Redit"], "there is no site 'Redit' to collect from; did you mean reddit?"),
        (
            ["--json", "models"],
            "'--json' stands before its command: options come last, affectory COMMAND --help lists them",
        ),
        (
            ["collect", "--dry-run", "reddit"],
            "'--dry-run' stands before its command: options come last, affectory collect SITE --help lists "
            "them",
        ),
        (["models", "jiont"], "there is no model 'jiont'; did you mean joint?"),
        (["init", "vsoo"], "there is no built-in recipe 'vsoo'; did you mean vso?"),
        (
            ["build", "reddit-emotoin"],
            "there is no recipe 'datasets/reddit-emotoin/recipe.toml', nor a built-in one of that name; did "
            "you mean reddit-emotion?",
        ),
        (
            ["purge", "met-mem"],
            "'met-mem' is not built in 'datasets' (built: none): did you mean met-meme?",
        ),
    ],
)
def test_a_mistyped_name_is_told_with_the_nearest_one(folder, capsys, given, told):
    assert (main(given), capsys.readouterr()) == (2, ("", f"error: {told}\n"))


def test_a_name_that_is_like_none_is_told_with_all_of_them():
    assert meant("xyz", ["image", "text"]) == "it is one of image, text"
    assert meant("xyz", []) == "there is none"
    assert meant("TEXT", ["image", "text"]) == "did you mean text?"
