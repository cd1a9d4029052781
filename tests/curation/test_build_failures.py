"""Builds that go wrong: damaged images, bad input, a full disk, SIGKILL."""

import hashlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import datasets
import pytest

from affectory.core.errors import AffectoryError
from collectors.store import Store
from curation.build import main
from curation.release.assemble import build
from tests import disks
from tests.collectors.pictures import encoded, picture, slow_jpeg
from tests.curation.stores import built, contents, dropped_rows, make_store, post, put_image, write_recipe

ROOT = Path(__file__).parents[2]
POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), POSTS)


def test_a_damaged_image_is_dropped_and_left_to_the_collector(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    images = sorted(p for p in (store / "media").rglob("*.jpg"))
    images[0].write_bytes(images[0].read_bytes()[:-1] + b"x")
    images[1].unlink()
    done = built(tmp_path, store)
    found = {(s.stage, s.reason): s.rows for s in done.manifest.ledger.steps}
    assert found == {("pixels", "image_corrupt"): 1, ("pixels", "image_missing"): 1}
    assert "collect again" in done.manifest.notes[0]
    with sqlite3.connect(store / "crawl.sqlite") as db:
        waiting = db.execute("select count(*) from media where status = 'pending'").fetchone()
    db.close()
    assert waiting == (2,)
    assert not images[0].exists()


def test_a_jpeg_of_very_many_scans_is_dropped_undecoded_and_stays_in_the_store(tmp_path):
    first, second = post(60), post(61)
    store = make_store(tmp_path / "store", POSTS)
    with Store.open(store) as opened:
        opened.add([first, second])
        slow = put_image(opened, first.media[0].url, slow_jpeg(1500), size=(1500, 1500))
        usual = encoded(picture(), "JPEG", progressive=True)
        put_image(opened, second.media[0].url, usual, size=(400, 300))
    done = built(tmp_path, store)
    [row] = dropped_rows(done.folder)
    assert (row["post_id"], row["stage"], row["reason"]) == ("reddit:00060", "pixels", "too_many_scans")
    assert row["detail"] == f"{slow}: 10,006 scans of 1500x1500 pixels"
    assert row["thumbnail"] is None
    with sqlite3.connect(store / "crawl.sqlite") as db:
        left = db.execute("select count(*) from media where status = 'stored'").fetchone()
    db.close()
    assert left == (62,)


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    return code, *capsys.readouterr()


@pytest.mark.slow
def test_what_the_user_can_mend_is_one_line_and_exit_code_2(capsys, tmp_path, store, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_recipe(tmp_path / "datasets")
    code, out, err = run(capsys, "nothing")
    assert (code, out, err) == (
        2,
        "",
        "error: there is no recipe 'datasets/nothing/recipe.toml', nor a built-in one of that name; "
        "it is one of flickr-emotion, flickr-emotion-multitask, mami, met-meme, reddit-emotion, "
        "reddit-emotion-strict, reddit-emotion-text, sandbox-memes, test, vso: write one, or name its folder "
        "with --datasets\n",
    )
    code, _, err = run(capsys, "test")
    assert (code, err.count("\n")) == (2, 1)
    assert "in 'data/reddit': collect one first (affectory collect reddit --subs happy creepy), or" in err
    Store.open(tmp_path / "empty").close()
    code, _, err = run(capsys, "test", "--store", "empty")
    assert (code, "has no posts of happy, creepy; it holds no posts at all" in err) == (2, True)
    small = make_store(tmp_path / "small", POSTS[:30])
    write_recipe(tmp_path / "datasets", '[[filters]]\nuse = "score"\nmin = 985\n')
    code, _, err = run(capsys, "test", "--store", small)
    assert (code, err.count("\n")) == (2, 1)
    assert "too few posts of 'fear', 'joy' to split, 10 are needed (posts: fear 8, joy 8)" in err
    assert list((tmp_path / "datasets" / "test").iterdir()) == [
        tmp_path / "datasets" / "test" / "recipe.toml"
    ]


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_earlier_release_stands(tmp_path):
    with disks.small(tmp_path / "out", "900k") as small:
        store = make_store(tmp_path / "store", POSTS)
        built(tmp_path, store)
        before = contents(small)
        with Store.open(store) as opened:
            opened.add(
                [post(i, title=hashlib.sha512(str(i).encode()).hexdigest() * 40) for i in range(100, 400)]
            )
        with pytest.raises(AffectoryError, match=r"No space left on device; free some space .* unchanged"):
            built(tmp_path, store)
        assert contents(small) == before


@pytest.mark.slow
def test_a_build_killed_at_any_instant_leaves_the_release_and_the_next_one_completes(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    built(tmp_path, store)
    expected = contents(
        build(
            write_recipe(tmp_path / "calm", "[split]\ntest = 0.2\n"),
            store=store,
            out=tmp_path / "calm",
            version="1.1.0",
        ).folder
    )
    recipe = write_recipe(tmp_path / "recipes", "[split]\ntest = 0.2\n")
    program = (
        "import sys; from pathlib import Path; from curation.release.assemble import build; "
        "build(Path(sys.argv[1]), store=Path(sys.argv[2]), out=Path(sys.argv[3]))"
    )
    rng = random.Random(0)
    for _ in range(6):
        command = [sys.executable, "-c", program, str(recipe), str(store), str(tmp_path / "out")]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=rng.uniform(0.2, 2.5))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        cache = tmp_path / "cache"
        old = datasets.load_dataset(str(tmp_path / "out" / "test"), "1.0.0", cache_dir=str(cache))
        assert len(old["test"]) == 6
        shutil.rmtree(cache)
    done = built(tmp_path, store, "[split]\ntest = 0.2\n")
    assert contents(done.folder) == expected
    assert sorted(p.name for p in done.folder.parent.iterdir()) == ["1.0.0", "1.1.0", "README.md"]
