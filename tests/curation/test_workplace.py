"""How a build ends that is killed, interrupted, or can't write: nothing of it gets into the next one."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from affectory.core import files
from affectory.core.errors import AffectoryError, InputError
from curation.build import main as build
from curation.release.workplace import workplace
from curation.report.__main__ import main as report
from tests.curation.stores import make_store, post, write_recipe

ROOT = Path(__file__).parents[2]
POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@contextlib.contextmanager
def files_of_at_most(size):
    """Refuse to write files of more bytes, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.slow
def test_a_build_that_is_interrupted_leaves_nothing(tmp_path):
    store, out = make_store(tmp_path / "store", POSTS), tmp_path / "out"
    write_recipe(tmp_path / "datasets")
    options = ["test", "--datasets", tmp_path / "datasets", "--store", store, "--out", out, "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "curation.build", *map(str, options)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while not list(out.glob("test/.building/*/scratch")):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=20)
    assert (process.returncode, *said) == (
        130,
        "",
        "interrupted: finished files are kept; run the same command again\n",
    )
    assert not out.exists()


def test_each_build_has_a_place_of_its_own_and_what_a_killed_one_left_goes(tmp_path):
    stranger = tmp_path / "test" / ".building" / "killed" / "release"
    stranger.mkdir(parents=True)
    (stranger / "train-00000-of-00001.tmp").touch()
    names = set()
    for _ in range(3):
        with workplace(tmp_path / "test") as place:
            assert not stranger.exists()
            assert sorted(path.name for path in place.iterdir()) == ["release", "scratch"]
            assert [*(place / "release").iterdir(), *(place / "scratch").iterdir()] == []
            (place / "release").rename(tmp_path / "test" / f"1.0.{len(names)}")
            names.add(place.name)
        assert not place.exists()
    assert len(names) == 3
    assert sorted(path.name for path in (tmp_path / "test").iterdir()) == ["1.0.0", "1.0.1", "1.0.2"]


def test_a_build_that_fails_leaves_no_new_folder(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError, match="broken"), workplace(tmp_path / "mine" / "out" / "test"):
        raise ValueError("broken")
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]


def test_a_second_build_at_the_same_time_is_refused_and_the_first_goes_on(tmp_path):
    with workplace(tmp_path / "test") as place:
        with (
            pytest.raises(AffectoryError, match=r"^another build of test is running: wait for it$"),
            workplace(tmp_path / "test"),
        ):
            pass
        assert (place / "release").is_dir()


def test_an_out_that_is_no_folder_is_one_line(tmp_path, capsys):
    store = make_store(tmp_path / "store", POSTS)
    write_recipe(tmp_path / "datasets")
    file = tmp_path / "file"
    file.touch()
    for out in (file, file / "deeper"):
        options = ["test", "--datasets", tmp_path / "datasets", "--store", store, "--out", out]
        assert build([*map(str, options)]) == 2
        assert capsys.readouterr().err == (
            f"error: the release can't be written to {str(out / 'test')!r}: Not a directory; free some space "
            "or name a folder that can be written; complete files there are unchanged\n"
        )


@pytest.mark.slow
def test_what_can_not_be_written_whole_is_not_there_at_all(tmp_path, capsys):
    store = make_store(tmp_path / "store", POSTS)
    write_recipe(tmp_path / "datasets")
    options = ["test", "--datasets", tmp_path / "datasets", "--store", store, "--out", tmp_path / "out"]
    assert build([*map(str, options), "--workers", "1"]) == 0
    folder = tmp_path / "out" / "test" / "1.0.0"
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    capsys.readouterr()
    with files_of_at_most(1000):
        code = report(["test", "--datasets", str(tmp_path / "out")])
        with pytest.raises(AffectoryError, match=r"^README.md can't be written to .*: File too large; free"):
            files.write(folder.parent / "README.md", "x" * 1001)
    assert (code, capsys.readouterr().err) == (
        2,
        f"error: report.html can't be written to {str(folder)!r}: File too large; free some space "
        "or name a folder that can be written; complete files there are unchanged\n",
    )
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_a_recipe_that_is_no_file_is_one_line(tmp_path, capsys):
    (tmp_path / "datasets" / "test" / "recipe.toml").mkdir(parents=True)
    assert build(["test", "--datasets", str(tmp_path / "datasets")]) == 2
    assert capsys.readouterr().err == (
        f"error: the recipe {str(tmp_path / 'datasets' / 'test' / 'recipe.toml')!r} is not a file: "
        "write the recipe there\n"
    )
    file = tmp_path / "file"
    file.touch()
    assert build(["test", "--datasets", str(file)]) == 2
    assert capsys.readouterr().err.startswith(
        f"error: there is no recipe {str(file / 'test' / 'recipe.toml')!r}, nor a built-in one of that name; "
    )


def test_a_folder_whose_name_is_not_utf_8_is_refused_before_anything_is_written(tmp_path):
    folder = tmp_path / os.fsdecode(b"d\xe9")
    with (
        pytest.raises(InputError, match=r"d\\udce9' isn't UTF-8, as Parquet files' paths must be"),
        workplace(folder),
    ):
        pass
    assert not folder.exists()
