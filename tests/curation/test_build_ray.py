"""Builds on a Ray cluster: the bytes of the local engine's release, whatever dies."""

import os
import threading

import pytest

from curation.build import main
from curation.release.assemble import build
from curation.rows import read
from tests import clusters
from tests.curation.stores import contents, make_store, post, write_recipe

pytest.importorskip("ray", reason="needs the extra cluster: pip install 'affectory[cluster]'")

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store that is built in twelve shards."""
    monkeypatch.setattr(read, "WITH_IMAGES", 5)
    monkeypatch.chdir(tmp_path)
    write_recipe(tmp_path / "datasets")
    return make_store(tmp_path / "store", POSTS)


def on_cluster(address, capsys, *more):
    """Build on a cluster, with relative paths; return the exit code and what was printed on stderr."""
    code = main(["test", "--store", "store", "--engine", "ray", "--address", address, *more])
    return code, capsys.readouterr().err


def shards_done(folder):
    return len(list(folder.glob("test/.building/*/scratch/kept-*.arrow")))


@pytest.mark.long
def test_a_release_of_two_nodes_has_the_local_bytes_also_when_a_node_dies(store, tmp_path, capsys):
    expected = contents(
        build(tmp_path / "datasets/test/recipe.toml", store=store, out=tmp_path / "local").folder
    )
    with clusters.cluster() as started:
        with started.node() as kill:
            assert on_cluster(started.address, capsys, "--out", "whole") == (0, "")
            assert contents(tmp_path / "whole/test/1.0.0") == expected
            at = []

            def kill_in_mid_run():
                clusters.wait_for(lambda: shards_done(tmp_path / "killed"))
                kill()
                at.append(shards_done(tmp_path / "killed"))

            killer = threading.Thread(target=kill_in_mid_run)
            killer.start()
            assert on_cluster(started.address, capsys, "--out", "killed") == (0, "")
            killer.join()
        assert at[0] < 12
        assert contents(tmp_path / "killed/test/1.0.0") == expected


@pytest.mark.long
def test_a_cluster_that_ends_in_mid_run_is_one_line_and_leaves_nothing(store, tmp_path, capsys):
    stuck = max((store / "media").rglob("*.jpg"))  # whoever reads it waits
    stuck.unlink()
    os.mkfifo(stuck)
    with clusters.cluster() as started:

        def end_in_mid_run():
            clusters.wait_for(lambda: shards_done(tmp_path / "out"))
            started.do("end")

        killer = threading.Thread(target=end_in_mid_run)
        killer.start()
        code, err = on_cluster(started.address, capsys, "--out", "out")
        killer.join()
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith(f"error: the Ray cluster at {started.address} is gone")
    assert not (tmp_path / "out").exists()
