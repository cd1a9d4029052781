"""Ids of Flickr releases, and the releases that the sandbox gives back for them."""

from pathlib import Path

import pytest

from collectors.flickr.__main__ import main as collect
from collectors.sandbox.own_lists import fetch_lists
from curation.hydrate import main as hydrate
from curation.release.assemble import build
from tests.curation.stores import dropped_of, rows_of
from tests.curation.test_living import ids_alone

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)


def received(tmp_path, sandbox, name, *arguments):
    """Collect, build a shipped recipe, and pass on its ids alone."""
    assert collect([*arguments, "--sandbox-url", sandbox, "--store", "store"]) == 0
    recipe = ROOT / "datasets" / name / "recipe.toml"
    full = build(recipe, store=Path("store"), out=tmp_path / "datasets").folder
    return full, ids_alone(full.parent, tmp_path / "received")


@pytest.mark.slow
def test_a_voted_release_and_its_images_alone_come_back_as_they_were(tmp_path, sandbox, capfd):
    full, ids = received(tmp_path, sandbox, "flickr-emotion-multitask")
    assert hydrate([str(ids), "--store", "anew", "--sandbox-url", sandbox, "--out", "full"]) == 0
    before, after = rows_of(full), rows_of(Path("full/1.0.0"))
    assert after == before
    assert {row["has_text"] for row in after.values()} == {True, False}
    assert f"asked {len(before)} = {len(before)} new" in capfd.readouterr().out


@pytest.mark.slow
def test_a_release_of_pairs_comes_back_without_its_pairs(tmp_path, sandbox):
    fetch_lists(sandbox, tmp_path / "lists")
    full, ids = received(tmp_path, sandbox, "vso", "--vso", "lists/pairs.txt")
    assert hydrate([str(ids), "--store", "anew", "--sandbox-url", sandbox, "--out", "full"]) == 0
    before, after = rows_of(full), rows_of(Path("full/1.0.0"))
    # A search doesn't tell how safe Flickr holds a photo for; asked for by its id, a photo does.
    assert {row.pop("over_18") for row in before.values()} == {None}
    assert {row.pop("over_18") for row in after.values()} == {False}
    assert after == before


@pytest.mark.slow
def test_without_a_key_it_is_said_once_and_what_the_store_holds_is_named(tmp_path, sandbox, capfd):
    _, ids = received(tmp_path, sandbox, "flickr-emotion")
    capfd.readouterr()
    assert hydrate([str(ids), "--store", "anew"]) == 2
    assert capfd.readouterr() == (
        "",
        "error: FLICKR_API_KEY is not set, and the photos come from Flickr's API: ask for a key at "
        "https://www.flickr.com/services/api/misc.api_keys.html and export it; or use what the store holds "
        "with --store-only\n",
    )
    assert not Path("anew").exists()


@pytest.mark.slow
def test_a_rebuild_that_stands_is_not_overwritten(tmp_path, sandbox, capsys):
    _, ids = received(tmp_path, sandbox, "flickr-emotion")
    arguments = [str(ids), "--store", "store", "--store-only", "--out", "full"]
    assert hydrate(arguments) == 0
    capsys.readouterr()  # a slow collection tells how far it is
    assert hydrate(arguments) == 2
    assert capsys.readouterr().err == (
        "error: 'full/1.0.0' exists already: remove it, or name another --out\n"
    )
    assert dropped_of(Path("full/1.0.0")) == []
