"""`affectory push`: what is published on a stand-in of the hub, and what is refused."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import datasets
import huggingface_hub
import pytest

from affectory.cli import main
from affectory.core.generated import nowhere
from curation.ids import main as write_ids
from curation.release.sharing import allows_copies
from tests import hub as stand_in
from tests.curation.stores import built, make_store, post

#: Of the hub's client, in its upload of a file by LFS.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

FREE = [post(n, "happy" if n % 2 else "creepy", licence="CC BY 2.0", over_18=n == 4) for n in range(1, 25)]


def made(home, posts, recipe="", pictures=True):
    """Build a release of these posts with a card.md; return the folder of the datasets."""
    (home / "recipes" / "test").mkdir(parents=True)
    (home / "recipes" / "test" / "card.md").write_text("The words of the card.")
    built(home, make_store(home / "store", posts, pictures=pictures), recipe)
    return home / "out"


@pytest.fixture(scope="module")
def free(tmp_path_factory):
    """A release whose posts may all be passed on, one of them over 18."""
    return made(tmp_path_factory.mktemp("free"), FREE)


@pytest.fixture(scope="module")
def unfree(tmp_path_factory):
    """A release of titles, of which one photo may not be passed on and one states no licence."""
    posts = [post(1, licence="All Rights Reserved"), post(2), *FREE[2:]]
    return made(tmp_path_factory.mktemp("unfree"), posts, '[images]\nwhich = "none"\n', pictures=False)


@pytest.fixture
def hub(monkeypatch):
    """A hub that the commands of this test use, by LFS, with its token in the environment."""
    monkeypatch.setenv("HF_TOKEN", stand_in.TOKEN)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    with stand_in.running() as found:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", found.url)
        yield found


def push(home, *given, name="test", to="user/test"):
    return main(["push", name, to, "--datasets", str(home), *given])


def refused(capsys, home, *given, **more):
    assert push(home, *given, **more) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0].removeprefix("error: ")


def kinds(paths):
    """Return paths in a repository without the numbers and digests of their files."""
    return sorted({path.partition("-0")[0] for path in paths})


FULL = [f"1.0.0/{one}" for one in ("croissant.json", "ids-test", "ids-train", "ids-validation")]
FULL += [f"1.0.0/{one}" for one in ("manifest.json", "test", "train", "validation")] + [
    "README.md",
    "card.md",
]
IDS = [one for one in FULL if "ids-" in one or one.endswith(("manifest.json", ".md"))]


def test_a_release_that_may_be_passed_on_is_published_without_its_dropped_posts(free, hub, capsys, tmp_path):
    assert push(free, "--yes") == 0
    lines = capsys.readouterr().out.splitlines()
    files = hub.repositories["user/test"]
    size = sum(map(len, files.values()))
    assert lines[:5] == [
        f"test 1.0.0 to {hub.url}/datasets/user/test  (a new public repository)",
        "",
        "  as        full release, with texts and images",
        "  rows      train 20 · validation 2 · test 2",
        "  licences  CC BY 2.0 24",
    ]
    assert lines[5] == f"  files     10 files, {size / 1e3:,.1f} kB"
    assert lines[-4:] == [
        "  note      1 row is over 18: the card has the tag not-for-all-audiences",
        "  stays     dropped posts and report.html: nothing says what licence the dropped posts have",
        "",
        f"published {hub.url}/datasets/user/test  10 files, {size / 1e3:,.1f} kB",
    ]
    assert (kinds(files), hub.commits) == (FULL, [("user/test", "test 1.0.0")])
    assert b"- not-for-all-audiences" in files["README.md"]
    for path, data in files.items():
        (tmp_path / "got" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "got" / path).write_bytes(data)
        if path.startswith("1.0.0/"):
            assert data == (free / "test" / path).read_bytes()
    found = datasets.load_dataset(str(tmp_path / "got"), cache_dir=tmp_path / "cache")
    assert {split: len(rows) for split, rows in found.items()} == {"train": 20, "validation": 2, "test": 2}
    assert not (free / "test" / ".cache").exists()


def test_posts_without_a_licence_for_copies_go_as_ids(unfree, hub, capsys):
    assert push(unfree, "--yes") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:5] == [
        "  as        ids only: 2 of 24 rows without a licence that allows copies",
        "  rows      train 20 · validation 2 · test 2",
        "  licences  CC BY 2.0 22, All Rights Reserved 1, none stated 1",
    ]
    files = hub.repositories["user/test"]
    assert kinds(files) == IDS
    assert not any(b"title of number" in data for data in files.values())


def test_ids_alone_are_published_on_request_and_of_an_ids_release(free, unfree, hub, capsys, tmp_path):
    assert push(free, "--ids-only", "--yes") == 0
    assert "  as        ids only: no texts, no images" in capsys.readouterr().out.splitlines()
    assert kinds(hub.repositories["user/test"]) == IDS
    assert b"not-for-all-audiences" not in hub.repositories["user/test"]["README.md"]
    assert write_ids([str(unfree / "test"), "--out", str(tmp_path / "test-ids")]) == 0
    assert push(tmp_path, "--yes", name="test-ids", to="user/ids") == 0
    assert kinds(hub.repositories["user/ids"]) == IDS


def test_generated_posts_may_be_published_and_are_marked(hub, capsys, tmp_path):
    posts = [replace(one, licence=None, permalink=nowhere(one.permalink)) for one in FREE]
    home = made(tmp_path, posts, '[images]\nwhich = "none"\n', pictures=False)
    assert push(home, "--yes") == 0
    lines = capsys.readouterr().out.splitlines()
    assert (lines[2], lines[4]) == (
        "  as        full release, with texts",
        "  licences  generated 24",
    )
    assert "  note      all rows are generated posts: not results, as the card says" in lines
    assert b"**generated posts: not results**" in hub.repositories["user/test"]["README.md"]


def test_a_dry_run_asks_the_hub_nothing(free, hub, capsys, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    assert push(free, "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[-1]) == (
        f"test 1.0.0 to {hub.url}/datasets/user/test",
        "dry run: nothing was published",
    )
    assert hub.asked == 0


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("no\n", 1), ("", 1)])
def test_it_asks_first(free, hub, capsys, monkeypatch, answer, code):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert push(free, "--ids-only", "--private") == code
    assert "Publish this? [y/N]" in capsys.readouterr().out
    assert hub.private == ({"user/test": True} if code == 0 else {})


def test_without_a_terminal_and_yes_nothing_is_asked_or_published(free, hub, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert refused(capsys, free) == (
        "standard input is no terminal, so you can't be asked: --dry-run shows what would be published, "
        "--yes publishes it"
    )
    assert hub.asked == 0


def test_an_upload_that_is_cut_off_is_resumed(unfree, hub, capsys, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # the client waits between its attempts
    hub.cut_after = 1
    assert refused(capsys, unfree, "--yes") == (
        "user/test is not published (Server disconnected without sending a response.): repeat the command; "
        "what has arrived isn't sent again"
    )
    assert (hub.commits, len(hub.sent)) == ([], 1)
    hub.cut_after = None
    assert push(unfree, "--yes") == 0
    assert (kinds(hub.repositories["user/test"]), len(hub.sent), len(set(hub.sent))) == (IDS, 3, 3)
    assert push(unfree, "--yes") == 0  # nothing is new
    assert (hub.commits, len(hub.sent)) == ([("user/test", "test 1.0.0")], 3)


def test_what_the_hub_refuses_is_one_line_without_the_token(free, hub, capsys, monkeypatch):
    assert refused(capsys, free, "--yes", to="other/test") == (
        "the hub doesn't let this token write to other/test (403): use a token of its owner that may write, "
        "or name another repository"
    )
    hub.page = b"<html>Log in</html>"
    assert refused(capsys, free, "--yes") == (
        f"user/test is not published: what answers at {hub.url} is no hub; check HF_ENDPOINT and the network"
    )
    hub.page = b""
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    assert refused(capsys, free, "--yes") == (
        "the hub refuses the token (401): run hf auth login, or set HF_TOKEN to one that may write"
    )
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", "/nowhere")
    assert (
        refused(capsys, free, "--yes") == "there is no token for the hub: run hf auth login, or set HF_TOKEN"
    )
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    said = refused(capsys, free, "--yes")
    assert said.startswith("user/test is not published (")
    assert said.endswith("Connection refused): repeat the command; what has arrived isn't sent again")
    assert hub.repositories == {}


def test_bad_input_is_one_line(free, hub, capsys, tmp_path):
    for name in ("test", "a/b/c", "user/", "https://huggingface.co/datasets/user/test"):
        assert (
            refused(capsys, free, to=name)
            == f"{name!r} is not a repository on the hub: write it as USER/REPO"
        )
    for name in ("user/a--b", "user/a..b", "user/a-", "user/a.git"):
        said = refused(capsys, free, "--dry-run", to=name)
        assert said.startswith(f"{name!r} is not a name that the hub takes: ")
    assert (
        refused(capsys, free, "--yes", name="tets")
        == f"'tets' is not built in {str(free)!r} (built: test): did you mean test?"
    )
    assert (
        refused(capsys, free, "--yes", "--version", "2.0.0") == "'test' has no version '2.0.0'; it has 1.0.0"
    )
    hub.repositories["user/test"], hub.private["user/test"] = {}, False
    assert refused(capsys, free, "--yes", "--private") == (
        "user/test is public already: leave --private out, or change its settings"
    )
    home = tmp_path / "damaged"
    shutil.copytree(free, home)
    path = next((home / "test").rglob("train-*.parquet"))
    path.write_bytes(path.read_bytes()[:-9])
    assert refused(capsys, home, "--yes") == (
        f"test 1.0.0 is damaged (wrong size: 1.0.0/{path.name}): affectory verify {home}/test/1.0.0 says "
        "what to do"
    )
    assert hub.repositories == {"user/test": {}}


@pytest.mark.slow
def test_posts_that_opted_out_are_not_published_and_leave_the_repository(unfree, hub, capsys, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(unfree, home)
    assert push(home, "--yes") == 0
    digest = hashlib.sha256(b"reddit:00003").hexdigest()
    (home / "test" / "exclude.txt").write_text(digest + "\n")
    capsys.readouterr()
    assert refused(capsys, home, "--yes") == (
        "1 post of test 1.0.0 opted out since: affectory purge test makes a version without them"
    )
    store = str(unfree.parent / "store")
    assert (
        main(["purge", "test", "--datasets", str(home), "--store", store, "--features", str(tmp_path)]) == 0
    )
    capsys.readouterr()
    assert refused(capsys, home, "--yes", "--version", "1.0.0") == (
        "test 1.0.0 holds posts that their source has deleted since: push a newer version, without --version"
    )
    assert push(home, "--yes") == 0
    assert "  removes   1.0.0, which holds posts that were deleted since; " in capsys.readouterr().out
    files = hub.repositories["user/test"]
    assert {path.partition("/")[0] for path in files} == {"1.0.1", "README.md", "card.md", "exclude.txt"}
    assert b"1.0.0/" not in files["README.md"]


@pytest.mark.slow
def test_the_card_lists_the_other_versions_of_the_repository(unfree, hub, capsys, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(unfree, home)
    assert push(home, "--yes") == 0
    shutil.copytree(home / "test" / "1.0.0", home / "test" / "1.1.0")
    path = home / "test" / "1.1.0" / "manifest.json"
    path.write_text(path.read_text().replace('"version": "1.0.0"', '"version": "1.1.0"'))
    hub.repositories["user/test"]["0.9.0/manifest.json"] = b"{}"
    capsys.readouterr()
    assert push(home, "--yes") == 0
    assert (
        "  note      the repository also has 0.9.0, of which nothing is here: the card won't list it"
        in capsys.readouterr().out.splitlines()
    )
    files = hub.repositories["user/test"]
    assert {path.partition("/")[0] for path in files} == {"0.9.0", "1.0.0", "1.1.0", "README.md", "card.md"}
    assert (b"- 1.1.0/ids-train" in files["README.md"], len(hub.sent)) == (True, 3)


@pytest.mark.slow
def test_it_is_published_by_the_hubs_own_storage_too(free, tmp_path):
    """In a process of its own, with the environment that a user has: HF_ENDPOINT, HF_TOKEN, HF_HOME."""
    (tmp_path / "storage").mkdir()
    with stand_in.running() as hub:
        hub.storage = str(tmp_path / "storage")
        given = {"HF_ENDPOINT": hub.url, "HF_TOKEN": stand_in.TOKEN, "HF_HOME": str(tmp_path / "home")}
        command = [
            sys.executable,
            "-m",
            "affectory",
            "push",
            "test",
            "user/test",
            "--yes",
            "--datasets",
            free,
        ]
        done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    files = hub.repositories["user/test"]
    listed = json.loads(files["1.0.0/manifest.json"])["files"]
    sums = {f"1.0.0/{one['path']}": one["sha256"] for one in listed if one["split"] != "dropped"}
    assert {path: files[path] for path in sums} == sums
    assert (kinds(files), hub.commits) == (FULL, [("user/test", "test 1.0.0")])


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("CC BY-NC-ND 2.0", True),
        ("CC0-1.0", True),
        ("Public Domain Dedication (CC0)", True),
        ("United States Government Work", True),
        ("All Rights Reserved", False),
        ("Flickr licence 99", False),
        ("", False),
        (None, False),
    ],
)
def test_a_licence_allows_copies_or_not(licence, free):
    assert allows_copies(licence) is free
