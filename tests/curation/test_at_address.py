"""Commands on datasets at an address, of a file system in memory."""

import hashlib
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from affectory.cli import main
from tests.curation.stores import contents, make_store, post, write_recipe
from tests.remote import Remote, empty

pytestmark = pytest.mark.slow

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(40)]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    empty()
    make_store(tmp_path / "store", POSTS)
    write_recipe(tmp_path / "recipes")


def there(name):
    """Digest the files of the dataset at the address."""
    prefix = f"/b/{name}/"
    return {
        path.removeprefix(prefix): hashlib.sha256(file.getvalue()).hexdigest()
        for path, file in Remote.store.items()
        if path.startswith(prefix)
    }


@contextmanager
def sealed():
    """Have the address refuse manifests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Remote, "refuses", lambda self, path: path.endswith("manifest.json"))
        yield


def build(out, *more):
    options = ["--datasets", "recipes", "--store", "store", "--workers", "1", "--out", out]
    return main(["build", "test", *options, *more])


def test_ids_and_a_rebuild_are_those_of_a_folder_also_after_an_upload_that_failed(capsys):
    for place in ("out", "remote://b"):
        assert build(place) == 0
        for command in (
            ["ids", f"{place}/test"],
            ["hydrate", f"{place}/test-ids", "--store", "store", "--store-only", "--out", f"{place}/full"],
        ):
            if place != "out":
                with sealed():
                    assert main(command) == 2
            assert main(command) == 0
    for name in ("test", "test-ids", "full"):
        assert there(name) == contents(Path("out", name))
    capsys.readouterr()
    assert main(["ids", "remote://b/test"]) == 2
    assert capsys.readouterr().err == (
        "error: 'remote://b/test-ids/1.0.0' exists already: remove it, or name another --out\n"
    )


def test_a_purge_that_could_not_be_sent_is_completed_at_the_address_and_in_the_copy(capsys):
    assert (build("out"), build("remote://b")) == (0, 0)
    shutil.rmtree("data/mirrors")
    Path("gone.txt").write_text(hashlib.sha256(POSTS[3].post_id.encode()).hexdigest())
    given = ["purge", "test", "--store", "store", "--exclude", "gone.txt", "--remove-earlier", "--datasets"]
    assert main([*given, "out"]) == 0
    with sealed():
        assert main([*given, "remote://b"]) == 2
    assert "1.0.0/manifest.json" in there("test")
    assert main([*given, "remote://b"]) == 0
    assert there("test") == contents(Path("out/test"))
    assert {path.split("/")[0] for path in there("test")} == {"1.0.1", "README.md", "exclude.txt"}
    copy = Path("data/mirrors/remote/b/test")
    assert [path.name for path in copy.glob("1.*")] == ["1.0.1"]
    capsys.readouterr()
    assert main(["trace", POSTS[4].post_id]) == 0
    assert f"dataset {copy} 1.0.1" in capsys.readouterr().out


def test_a_report_is_written_again_and_a_damaged_file_is_found_and_built_again(capsys):
    assert build("remote://b") == 0
    before = there("test")
    Remote().pipe_file("/b/test/1.0.0/report.html", b"old")
    assert main(["report", "test", "--datasets", "remote://b"]) == 0
    train = next(path for path in Remote.store if "/train-" in path)
    whole = Remote.store[train].getvalue()
    Remote().pipe_file(train, whole[:-9] + b"123456789")
    shutil.rmtree("data/mirrors")
    capsys.readouterr()
    assert main(["verify", "remote://b/test/1.0.0"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"next    remove remote:/{train}, then affectory build test --datasets remote://b --store STORE "
        "--version 1.0.0"
    )
    del Remote.store[train]
    assert build("remote://b") == 0
    assert "1.0.0 is incomplete: train-00000-of-00001" in capsys.readouterr().out
    assert there("test") == before


def test_a_built_in_recipe_is_copied_to_the_address_and_used_from_there(capsys):
    subs = ("happy", "creepy", "rage", "gore")
    make_store(Path("all"), [post(100 + i, subs[i % 4]) for i in range(48)])
    given = ["--store", "all", "--workers", "1", "--datasets", "remote://b"]
    assert main(["build", "reddit-emotion", *given]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "recipe  remote://b/reddit-emotion/recipe.toml   (built-in, copied here)"
    assert {"recipe.toml", "card.md", "README.md"} < there("reddit-emotion").keys()
    assert main(["build", "reddit-emotion", *given]) == 0
    assert "already built" in capsys.readouterr().out
