import hashlib
import io
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import datasets
import pandas
import pyarrow.parquet as pq
import pytest
from PIL import Image

from collectors.errors import AffectoryError
from collectors.store import Store
from curation import columns
from curation.build import main
from curation.release import build
from tests.conftest import SHARED
from tests.curation.stores import Picture, make_store, post, put_image, write_recipe

ROOT = Path(__file__).parents[2]
POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), POSTS)


def contents(folder):
    """Digest every file of a dataset's folder."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def built(tmp_path, store, text="", **options):
    return build(write_recipe(tmp_path / "recipes", text), store=store, out=tmp_path / "out", **options)


def split_of(folder):
    found = {}
    for name in ("train", "validation", "test"):
        for path in sorted(folder.glob(f"{name}-*.parquet")):
            for post_id in pq.read_table(path, columns=["post_id"])["post_id"].to_pylist():
                found.setdefault(post_id, set()).add(name)
    return found


def test_a_release_loads_in_one_line_with_its_images_and_labels(tmp_path, store):
    done = built(tmp_path, store)
    assert (done.folder, done.stood) == (tmp_path / "out" / "test" / "1.0.0", False)
    loaded = datasets.load_dataset(str(tmp_path / "out" / "test"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == {"train": 48, "validation": 6, "test": 6}
    row = loaded["train"][0]
    assert (row["post_id"], row["image"].size, row["label"]) == ("reddit:00012", (96, 64), 1)
    assert loaded["train"].features["label"].names == ["joy", "fear"]
    ids = datasets.load_dataset(str(tmp_path / "out" / "test"), "ids", cache_dir=str(tmp_path / "cache"))
    assert ids["test"].column_names == columns.names(ids=True)
    assert {"text", "title", "body", "image"} & set(ids["test"].column_names) == set()


def test_a_release_streams_and_reads_as_plain_parquet(tmp_path, store):
    folder = built(tmp_path, store).folder
    stream = datasets.load_dataset(str(folder.parent), streaming=True)["test"]
    assert [row["post_id"] for row in stream] == sorted(
        p for p, s in split_of(folder).items() if s == {"test"}
    )
    frame = pandas.read_parquet(next(folder.glob("test-*.parquet")))
    assert list(frame.columns) == columns.names()
    assert frame["image"][0]["path"] == "reddit-00000-0.jpg"


def test_the_schema_is_what_the_datasets_library_would_write():
    features = datasets.Features.from_arrow_schema(columns.schema(["joy", "fear"]))
    assert columns.schema(["joy", "fear"]).equals(features.arrow_schema)
    theirs = json.loads(features.arrow_schema.metadata[b"huggingface"])
    ours = json.loads(columns.schema(["joy", "fear"]).metadata[b"huggingface"])
    assert ours == theirs


def test_the_same_store_and_recipe_give_the_same_bytes_whatever_order_and_workers(tmp_path, store):
    shuffled = list(POSTS)
    random.Random(1).shuffle(shuffled)
    other = make_store(tmp_path / "other", shuffled)
    first = contents(build(write_recipe(tmp_path / "a"), store=store, out=tmp_path / "a").folder)
    second = contents(build(write_recipe(tmp_path / "b"), store=other, out=tmp_path / "b", workers=2).folder)
    assert first == second
    assert len(first) == 10


def test_a_second_build_of_the_same_changes_nothing(tmp_path, store):
    folder = built(tmp_path, store).folder
    before = {p: p.stat().st_mtime_ns for p in folder.parent.rglob("*")}
    assert built(tmp_path, store).stood
    assert {p: p.stat().st_mtime_ns for p in folder.parent.rglob("*")} == before


def test_a_changed_recipe_raises_the_version_and_the_old_one_still_loads(tmp_path, store):
    built(tmp_path, store)
    done = built(tmp_path, store, "[split]\ntest = 0.2\n")
    assert done.manifest.version == "1.1.0"
    cache = str(tmp_path / "cache")
    newest = datasets.load_dataset(str(done.folder.parent), cache_dir=cache)
    old = datasets.load_dataset(str(done.folder.parent), "1.0.0", cache_dir=cache)
    assert (len(newest["test"]), len(old["test"])) == (12, 6)


def test_a_grown_store_raises_the_patch_version(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    built(tmp_path, store)
    make_store(store, [post(99)])
    assert built(tmp_path, store).manifest.version == "1.0.1"


def test_a_version_that_stands_is_not_built_of_something_else(tmp_path, store):
    built(tmp_path, store, version="2.0.0")
    with pytest.raises(
        AffectoryError, match=r"test 2\.0\.0 stands already, and the recipe differs .* --version 2\.1\.0"
    ):
        built(tmp_path, store, "[split]\ntest = 0.2\n", version="2.0.0")
    with pytest.raises(AffectoryError, match=r"'two' is no version: write it as 1\.0\.0"):
        built(tmp_path, store, version="two")


def test_every_dropped_post_is_written_with_its_reason(tmp_path):
    posts = [replace(p, removed="moderator") if i == 3 else p for i, p in enumerate(POSTS)]
    posts[5] = post(5, images=0)
    posts[7] = post(7, title="Hola amigos, estoy muy feliz con mi familia")
    filters = "".join(f'[[filters]]\nuse = "{f}"\n' for f in ("removed", "image", "language"))
    done = built(tmp_path, make_store(tmp_path / "store", posts), filters)
    steps = [(s.stage, s.reason, s.rows) for s in done.manifest.ledger.steps]
    assert steps == [
        ("removed", "removed_by_source", 1),
        ("image", "no_image", 1),
        ("language", "other_language", 1),
    ]
    dropped = pq.read_table(next(done.folder.glob("dropped-*.parquet"))).to_pylist()
    assert [(d["post_id"], d["reason"], d["detail"], d["title"] is None) for d in dropped[:2]] == [
        ("reddit:00003", "removed_by_source", "moderator", True),
        ("reddit:00005", "no_image", "none", False),
    ]
    assert done.manifest.ledger.collected == 60
    assert len(split_of(done.folder)) == 57


def test_text_only_and_image_only_posts_are_first_class(tmp_path):
    posts = [*POSTS, post(70, images=0), post(71, title="!!!")]
    folder = built(tmp_path, make_store(tmp_path / "store", posts)).folder
    rows = {r["post_id"]: r for p in folder.glob("t*-*.parquet") for r in pq.read_table(p).to_pylist()}
    text_only, image_only = rows["reddit:00070"], rows["reddit:00071"]
    assert (text_only["has_image"], text_only["has_text"], text_only["image"]) == (False, True, None)
    assert (image_only["has_image"], image_only["has_text"]) == (True, False)


def test_ids_do_not_tell_the_title_by_their_links(tmp_path):
    link = "https://www.reddit.com/r/happy/comments/{}/this_is_the_title/"
    posts = [
        post(
            i,
            "happy" if i % 2 else "creepy",
            permalink=link.format(f"{i:05}") if i < 60 else "https://a.b/c/",
        )
        for i in range(61)
    ]
    store = make_store(tmp_path / "store", posts)
    folder = built(tmp_path, store).folder
    links = {prefix: {} for prefix in ("ids-", "t", "v")}
    for prefix, found in links.items():
        for path in folder.glob(f"{prefix}*.parquet"):
            found |= {row["post_id"]: row["permalink"] for row in pq.read_table(path).to_pylist()}
    assert links["ids-"]["reddit:00007"] == "https://www.reddit.com/comments/00007/"
    assert links["ids-"]["reddit:00060"] == "https://a.b/c/"
    assert (links["t"] | links["v"])["reddit:00007"] == link.format("00007")


def test_all_images_of_a_post_become_rows_of_one_split(tmp_path):
    posts = [post(i, "happy" if i % 2 else "creepy", images=1 + i % 3) for i in range(40)]
    done = built(tmp_path, make_store(tmp_path / "store", posts), '[images]\nwhich = "all"\n')
    assert done.manifest.ledger.unit == "images"
    assert done.manifest.ledger.kept == sum(1 + i % 3 for i in range(40))
    assert {len(splits) for splits in split_of(done.folder).values()} == {1}


def test_jpegs_of_one_side_are_encoded_anew(tmp_path, store):
    done = built(tmp_path, store, '[images]\nformat = "jpeg"\nside = 48\n')
    cache = str(tmp_path / "cache")
    loaded = datasets.load_dataset(str(done.folder.parent), cache_dir=cache)["test"]
    assert {row["image"].size for row in loaded} == {(48, 32)}


def test_an_image_encoded_anew_and_its_thumbnails_carry_no_comment(tmp_path):
    store = make_store(tmp_path / "store", POSTS, pictures=False)
    with Store.open(store) as opened:
        for one in POSTS:
            image = Image.open(io.BytesIO(Picture(int(one.post_id[7:])).bytes()))
            out = io.BytesIO()
            image.save(out, "JPEG", comment=b"taken at home")
            put_image(opened, one.media[0].url, out.getvalue())
    text = '[images]\nformat = "jpeg"\nside = 48\n[[filters]]\nuse = "score"\nmin = 950\n'
    folder = built(tmp_path, store, text).folder
    made = [r["image"]["bytes"] for p in folder.glob("t*-*.parquet") for r in pq.read_table(p).to_pylist()]
    dropped = pq.read_table(next(folder.glob("dropped-*.parquet")))["thumbnail"].to_pylist()
    assert (len(made) > 30, len(dropped) > 5) == (True, True)
    assert [data for data in [*made, *dropped] if b"taken at home" in data] == []


@pytest.mark.parametrize(("kept", "gone"), [("text", "images"), ("images", "text")])
def test_what_is_not_published_is_not_among_the_dropped_either(tmp_path, store, kept, gone):
    dearest = f'[[filters]]\nuse = "score"\nmin = 950\n[publish]\n{gone} = false\n'
    folder = built(tmp_path, store, dearest).folder
    dropped = pq.read_table(next(folder.glob("dropped-*.parquet"))).to_pylist()
    held = {"text": {d["title"] for d in dropped}, "images": {d["thumbnail"] for d in dropped}}
    assert held[gone] == {None}
    assert len(held[kept]) > 5
    if gone == "text":
        assert {d["permalink"] for d in dropped} == {None}


def test_duplicates_are_grouped_and_never_straddle_a_split(tmp_path):
    store = make_store(tmp_path / "store", POSTS, pictures=False)
    with Store.open(store) as opened:
        for one in POSTS:
            number = int(one.post_id[7:])
            put_image(opened, one.media[0].url, Picture(number // 4).bytes())
    folder = built(tmp_path, store, '[duplicates]\ntexts = "off"\n').folder
    rows = [r for p in folder.glob("t*-*.parquet") for r in pq.read_table(p).to_pylist()]
    rows += pq.read_table(next(folder.glob("validation-*.parquet"))).to_pylist()
    splits = split_of(folder)
    by_group = {}
    for row in rows:
        by_group.setdefault(row["duplicate_group"], set()).update(splits[row["post_id"]])
    assert len(by_group) == 15
    assert {len(found) for found in by_group.values()} == {1}


def test_the_papers_rule_counts_the_twins_that_it_leaves(tmp_path):
    posts = [
        post(i, "happy" if i % 2 else "creepy", title="the same old title" if i < 30 else None)
        for i in range(60)
    ]
    done = built(tmp_path, make_store(tmp_path / "store", posts), '[split]\nleakage = "paper"\n')
    assert done.manifest.twins == {"test": 6, "validation": 6}
    assert "6 test and 6 validation" in (done.folder.parent / "README.md").read_text()


@pytest.mark.parametrize("policy", ["keep-best", "drop-conflicts"])
def test_the_policy_for_duplicates_is_the_recipes(tmp_path, policy):
    posts = [
        *POSTS,
        post(61, "happy", title="twin titles are here", score=5),
        post(62, "creepy", title="Twin titles are here!"),
    ]
    text = f'[duplicates]\nimages = "off"\npolicy = "{policy}"\n'
    done = built(tmp_path, make_store(tmp_path / "store", posts), text)
    dropped = pq.read_table(next(done.folder.glob("dropped-*.parquet"))).to_pylist()
    found = [(d["post_id"], d["reason"], d["detail"]) for d in dropped]
    assert (
        found
        == {
            "keep-best": [("reddit:00061", "duplicate", "of reddit:00062")],
            "drop-conflicts": [
                ("reddit:00061", "conflicting_labels", "fear, joy"),
                ("reddit:00062", "conflicting_labels", "fear, joy"),
            ],
        }[policy]
    )


def test_croissant_validates_and_iterates(tmp_path, store):
    mlcroissant = pytest.importorskip("mlcroissant")
    folder = built(tmp_path, store).folder
    described = mlcroissant.Dataset(str(folder / "croissant.json"))
    assert described.metadata.issues.errors == set()
    rows = list(described.records("test-00000-of-00001"))
    assert [row["test-00000-of-00001/post_id"].decode() for row in rows] == [
        f"reddit:0000{i}" for i in range(6)
    ]
    assert rows[0]["test-00000-of-00001/image"].size == (96, 64)


def test_the_published_index_splits_as_the_paper_says(tmp_path):
    if not (SHARED / "reddit_emotion_index").is_dir():
        pytest.skip("needs the published index")
    from collectors.reddit.__main__ import main as collect

    arguments = ["--source", "index", "--path", str(SHARED / "reddit_emotion_index"), "--no-media"]
    collect([*arguments, "--subs", "happy", "creepy", "rage", "gore", "--store", str(tmp_path / "s")])
    recipe = ROOT / "datasets" / "reddit-emotion-text" / "recipe.toml"
    done = build(recipe, store=tmp_path / "s", out=tmp_path / "out")
    sums = {name: sum(counts.values()) for name, counts in done.manifest.counts.items()}
    assert sums == {"train": 2615, "validation": 327, "test": 325}
    assert done.manifest.ledger.steps == ()
    assert done.manifest.twins["test"] == 1  # ";D" stands twice


# -- what goes wrong ---------------------------------------------------------------------------


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


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    return code, *capsys.readouterr()


def test_what_the_user_can_mend_is_one_line_and_exit_code_2(capsys, tmp_path, store, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_recipe(tmp_path / "datasets")
    code, out, err = run(capsys, "nothing")
    assert (code, out, err) == (
        2,
        "",
        "error: there is no recipe 'datasets/nothing/recipe.toml'; those there are: test\n",
    )
    code, _, err = run(capsys, "test")
    assert (code, err.count("\n")) == (2, 1)
    assert "there is no crawl store in 'data/reddit': collect one first" in err
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


def test_a_full_disk_is_one_line_and_the_earlier_release_stands(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    small = tmp_path / "out"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(small)], check=False
    ).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        store = make_store(tmp_path / "store", POSTS)
        built(tmp_path, store)
        before = contents(small)
        with Store.open(store) as opened:
            opened.add(
                [post(i, title=hashlib.sha512(str(i).encode()).hexdigest() * 40) for i in range(100, 400)]
            )
        with pytest.raises(AffectoryError, match=r"No space left on device; free some space .* untouched"):
            built(tmp_path, store)
        assert contents(small) == before
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


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
        "import sys; from pathlib import Path; from curation.release import build; "
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
