"""What a build shows while it runs: its stages on standard error; its result lines stay as they are."""

import pytest

from affectory.core import progress
from curation.build import main
from tests.curation.stores import make_store, post, write_recipe

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@pytest.mark.slow
def test_a_build_shows_each_stage_with_what_is_done_of_all(tmp_path, capsys, monkeypatch):
    store = make_store(tmp_path / "store", POSTS, pictures=False)
    write_recipe(tmp_path / "datasets", '[images]\nwhich = "none"\n')
    arguments = ["test", "--store", str(store), "--datasets", str(tmp_path / "datasets"), "--workers", "1"]
    monkeypatch.setattr(progress, "TICK", 600.0)
    monkeypatch.setattr(progress, "PLAIN_EVERY", 0.0)  # a line at each step
    assert main(arguments) == 0
    printed = capsys.readouterr()
    shown = [line.partition(", ")[0] for line in printed.err.splitlines()]
    assert shown[-60:] == [f"posts to browse: {n} of 60" for n in range(1, 61)]
    assert shown[:-60] == [
        "reading: 60 of 60",
        "filters and images: 60 of 60",
        "files: 48 of 120",
        "files: 96 of 120",
        "files: 102 of 120",
        "files: 108 of 120",
        "files: 114 of 120",
        "files: 120 of 120",
        "report: 48 of 60",
        "report: 54 of 60",
        "report: 60 of 60",
    ]
    assert printed.out.splitlines()[0] == "test 1.0.0"
    assert "reading" not in printed.out
