"""Same bytes for the same store and recipe, and a new version for others."""

import random
import shutil

import datasets
import pytest

from affectory.core.errors import AffectoryError, ReleaseError, shown
from curation.release import versions
from curation.release.assemble import build
from curation.rows import shards
from tests.curation.stores import built, contents, make_store, post, write_recipe

TEXT_ONLY = '[images]\nwhich = "none"\n'
POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), POSTS)


@pytest.mark.slow
def test_the_same_store_and_recipe_give_the_same_bytes_whatever_order_and_workers(
    tmp_path, store, monkeypatch
):
    monkeypatch.setattr("curation.rows.read.WITH_IMAGES", 10)  # posts of a shard
    started, start = [], shards.engine
    monkeypatch.setattr(
        shards,
        "engine",
        lambda workers, *more, **named: started.append(workers) or start(workers, *more, **named),
    )
    shuffled = list(POSTS)
    random.Random(1).shuffle(shuffled)
    other = make_store(tmp_path / "other", shuffled)
    first = contents(build(write_recipe(tmp_path / "a"), store=store, out=tmp_path / "a").folder)
    second = contents(build(write_recipe(tmp_path / "b"), store=other, out=tmp_path / "b", workers=2).folder)
    assert first == second
    assert len(first) == 10
    assert started == [1, 2]


def test_a_build_uses_several_processes_only_where_they_are_faster():
    numbers = (1, 3, 4, 7, 8, 100)
    assert [shards.worthwhile(8, number, images=True) for number in numbers] == [1, 1, 4, 7, 8, 8]
    assert [shards.worthwhile(16, number, images=False) for number in numbers] == [1, 1, 1, 1, 8, 16]
    assert shards.worthwhile(1, 100, images=True) == 1


def test_a_second_build_of_the_same_changes_nothing(tmp_path, store):
    folder = built(tmp_path, store).folder
    before = {p: p.stat().st_mtime_ns for p in folder.parent.rglob("*")}
    assert built(tmp_path, store).stood
    assert {p: p.stat().st_mtime_ns for p in folder.parent.rglob("*")} == before


@pytest.mark.slow
def test_a_changed_recipe_raises_the_version_and_the_old_one_still_loads(tmp_path, store):
    built(tmp_path, store)
    done = built(tmp_path, store, "[split]\ntest = 0.2\n")
    assert done.manifest.version == "1.1.0"
    cache = str(tmp_path / "cache")
    newest = datasets.load_dataset(str(done.folder.parent), cache_dir=cache)
    old = datasets.load_dataset(str(done.folder.parent), "1.0.0", cache_dir=cache)
    assert (len(newest["test"]), len(old["test"])) == (12, 6)


@pytest.mark.slow
def test_a_grown_store_raises_the_patch_version(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    built(tmp_path, store)
    make_store(store, [post(99)])
    assert built(tmp_path, store).manifest.version == "1.0.1"


def test_a_version_that_stands_is_not_built_of_something_else(tmp_path, store):
    built(tmp_path, store, version="2.0.0")
    with pytest.raises(
        AffectoryError, match=r"test 2\.0\.0 exists already, and the recipe differs .* --version 2\.1\.0"
    ):
        built(tmp_path, store, "[split]\ntest = 0.2\n", version="2.0.0")
    with pytest.raises(AffectoryError, match=r"'two' is not a version: write it as 1\.0\.0"):
        built(tmp_path, store, version="two")


@pytest.mark.parametrize(
    "version",
    ["01.0.0", "1.00.0", "٣.0.0", "１.0.0", "1.0", "1.0.0.0", "1.0.0\n", " 1.0.0", "-1.0.0", "", "9" * 5000],
)
def test_a_version_has_three_plain_numbers(tmp_path, store, version):
    with pytest.raises(ReleaseError) as error:
        built(tmp_path, store, version=version)
    assert str(error.value) == f"--version {shown(version)} is not a version: write it as 1.0.0"
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_version_is_none_of_the_releases(tmp_path, store):
    folder = built(tmp_path, store, TEXT_ONLY).folder
    for name in ("٣.0.0", "01.0.0", "1.0.0-old"):
        shutil.copytree(folder, folder.with_name(name))
    assert versions.built(folder.parent) == ["1.0.0"]
    for asked in ("01.0.0", "٣.0.0"):
        with pytest.raises(ReleaseError, match=rf"^'test' has no version '{asked}'; it has 1\.0\.0$"):
            versions.find(folder.parent, asked)
