"""A folder with ids only, as `curation.ids` writes it: what commands that need the posts say of it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from baselines.data.release import load
from baselines.run import main as run
from curation.ids import main as write_ids
from curation.report.__main__ import main as report
from tests.curation.stores import built, make_store, post

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder of datasets with `test` and `test-ids`."""
    home = tmp_path_factory.mktemp("home")
    store = make_store(home / "store", POSTS, pictures=False)
    folder = built(home, store, '[images]\nwhich = "none"\n').folder.parent
    assert write_ids([str(folder)]) == 0
    return home / "out"


def refused(home):
    return (
        f"error: {str(home / 'test-ids')!r} has ids only, no texts and no images: affectory hydrate "
        f"{home / 'test-ids'} rebuilds the full release, as test-ids-full\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("version", [[], ["--version", "1.0.0"]])
def test_a_run_says_how_the_full_release_is_made(home, capsys, tmp_path, version):
    places = [f"--{name}={tmp_path / name}" for name in ("cache", "features", "out")]
    assert run(["test-ids", "--datasets", str(home), *places, *version]) == 2
    assert capsys.readouterr().err == refused(home)


@pytest.mark.parametrize("version", [[], ["--version", "1.0.0"]])
def test_a_report_says_how_the_full_release_is_made(home, capsys, version):
    assert report(["test-ids", "--datasets", str(home), *version]) == 2
    assert capsys.readouterr().err == refused(home)


def test_ids_are_not_among_the_built_datasets(home):
    with pytest.raises(ValueError, match=r"^'tset' is not built in '.*' \(built: test\): "):
        load("tset", home)


def test_git_ignores_what_commands_write_beside_the_recipes(tmp_path):
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    subprocess.run([git, "init", "--quiet", tmp_path], check=True)
    shutil.copy(Path(__file__).parents[1] / ".gitignore", tmp_path)
    written = [
        f"datasets/{path}"
        for path in (
            "vso/1.0.0/manifest.json",
            "vso/README.md",
            "vso/.building/lock",
            "vso-ids/README.md",
            "vso-ids/card.md",
            "vso-ids/exclude.txt",
            "vso-ids/1.0.0/manifest.json",
            "vso-full/card.md",
        )
    ]
    tracked = [f"datasets/vso/{name}" for name in ("recipe.toml", "card.md", "exclude.txt")]
    command = [git, "-C", tmp_path, "check-ignore", *written, *tracked]
    found = subprocess.run(command, capture_output=True, text=True).stdout.split()
    assert found == written
