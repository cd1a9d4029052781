"""What a release was built of: the digest that it carries is that of its rows, and of no others."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import datasets
import pytest

from affectory.core.engine.local import Processes
from affectory.core.errors import AffectoryError
from collectors.store import Store, snapshot
from collectors.store.record import Outcome
from curation.deleted.removal import Places, purge
from curation.hydrate import main as hydrate
from curation.ids import main as write_ids
from curation.manifest.ledger import Step
from curation.manifest.manifest import FORMAT, FORMATS, read, tools
from curation.recipe.recipe import load
from curation.rows.read import Shard, digest, plan
from curation.rows.shards import process
from tests.curation.stores import built, contents, make_store, post, put_image, rows_of, write_recipe

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]
TEXT_ONLY = '[images]\nwhich = "none"\n'


def fixed_store(folder):
    """Write a store whose rows are the same with every version of every library."""
    others = [post(i, "aww", post_id=f"reddit:{i:05}b") for i in (7, 31)]
    make_store(folder, [*POSTS, *others], pictures=False)
    with Store.open(folder) as store:
        for i in range(0, 60, 3):
            data = f"image {i}".encode()
            file = store.media_path(hashlib.sha256(data).hexdigest(), "image/png")
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(data)
            store.settle(
                f"https://i.redd.it/{i}-0.jpg",
                Outcome(
                    "stored",
                    sha256=hashlib.sha256(data).hexdigest(),
                    mime="image/png",
                    width=640,
                    height=480,
                    frames=1,
                    bytes=len(data),
                ),
            )
    return folder


@pytest.mark.slow
def test_the_digest_of_an_undamaged_store_is_the_one_that_earlier_programs_wrote(tmp_path, monkeypatch):
    store = fixed_store(tmp_path / "store")
    assert built(tmp_path, store, TEXT_ONLY).manifest.input_digest == (
        "decc7324d9c0de4636521a473632a1f411d8794cc29df3b385eb0102bf0840b4"
    )
    monkeypatch.setattr("curation.rows.read.TEXT_ONLY", 25)
    done = built(tmp_path, store, TEXT_ONLY)
    assert (done.manifest.version, done.manifest.input_digest) == (
        "1.0.1",
        "61d2bd40d29cb801ab891b7fdad98a26db884f1069a54f63ac9f4b82d1c7996c",
    )


def changing_engine(monkeypatch, change):
    """Let another connection change the store between the digest of its rows and the reading of them."""

    class Changing(Processes):
        def map(self, work, items, *common):
            yield from super().map(work, items, *common)
            if work is digest:
                change()

    monkeypatch.setattr("affectory.core.engine.local.Processes", Changing)


def texts_of(folder):
    return {key: row["text"] for key, row in rows_of(folder).items()}


@pytest.mark.slow
def test_a_store_that_changes_during_a_build_gives_the_rows_that_the_digest_is_of(tmp_path, monkeypatch):
    store = make_store(tmp_path / "store", POSTS)
    calm = built(tmp_path / "calm", store)

    def change():
        changed = replace(POSTS[7], title="another title")
        make_store(store, [changed, post(70), post(71, "creepy")])

    with monkeypatch.context() as patch:
        changing_engine(patch, change)
        disturbed = built(tmp_path, store)
    assert contents(disturbed.folder) == contents(calm.folder)
    after = built(tmp_path, store)
    assert (after.stood, after.manifest.version) == (False, "1.0.1")
    assert set(texts_of(after.folder)) - set(texts_of(disturbed.folder)) == {
        ("reddit:00070", 0),
        ("reddit:00071", 0),
    }
    assert texts_of(after.folder)["reddit:00007", 0] == "another title"
    assert built(tmp_path, store).stood
    original = make_store(tmp_path / "original", POSTS)
    again = built(tmp_path, original)
    assert (again.stood, again.manifest.version) == (True, "1.0.0")
    assert str(again).splitlines()[0] == "test 1.0.0 already built: same recipe, store and format"


def test_a_store_is_read_at_one_moment_whatever_is_written_while_it_is(tmp_path):
    store = make_store(tmp_path / "store", POSTS, pictures=False)
    recipe = load(write_recipe(tmp_path / "recipes", TEXT_ONLY))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with Store.open(store) as opened:
        before = plan(opened, recipe, scratch)
        make_store(store, [post(i) for i in range(100, 110)], pictures=False)
        assert before == [Shard(0, "reddit:00000", "reddit:00059", 60)]
        with snapshot.opened(scratch) as copied:
            posts = [row[0] for row in copied.posts("reddit:", "reddit:~")]
            assert (len(posts), max(posts)) == (60, "reddit:00059")
            assert len(list(copied.media("reddit:", "reddit:~"))) == 60


@pytest.mark.slow
def test_an_image_that_changes_after_it_was_checked_is_not_published(tmp_path, monkeypatch):
    store = make_store(tmp_path / "store", POSTS)
    image = min((store / "media").rglob("*.jpg"))

    class Changing(Processes):
        def map(self, work, items, *common):
            yield from super().map(work, items, *common)
            if work is process:
                image.write_bytes(b"other")

    with monkeypatch.context() as patch:
        patch.setattr("affectory.core.engine.local.Processes", Changing)
        with pytest.raises(AffectoryError, match=r"was changed or removed during the build: run the command"):
            built(tmp_path, store)
    assert built(tmp_path, store).manifest.ledger.steps == (Step("pixels", "image_corrupt", 1),)


@pytest.mark.slow
def test_damaged_images_that_were_collected_again_are_built_anew(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    whole = built(tmp_path / "calm", store).folder
    image = min((store / "media").rglob("*.jpg"))
    data = image.read_bytes()
    image.unlink()
    damaged = built(tmp_path, store)
    assert damaged.manifest.ledger.kept == 59
    collect_again(store, data)
    mended = built(tmp_path, store)
    assert (mended.stood, mended.manifest.version, mended.manifest.ledger.kept) == (False, "1.0.1", 60)
    assert rows_of(mended.folder) == rows_of(whole)


def collect_again(store, data):
    """Store an image whose file was lost, as the next crawl does."""
    with Store.open(store) as opened:
        [(url,)] = opened._db.execute("select url from media where status = 'pending'")
        put_image(opened, url, data)


@pytest.mark.slow
def test_a_build_killed_before_it_told_the_store_of_damaged_images_is_completed(tmp_path, monkeypatch):
    store = make_store(tmp_path / "store", POSTS)
    min((store / "media").rglob("*.jpg")).unlink()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "refetch", killed)
        with pytest.raises(KeyboardInterrupt):
            built(tmp_path, store)
    again = built(tmp_path, store)
    assert (again.stood, again.manifest.version, again.manifest.ledger.kept) == (True, "1.0.0", 59)
    with Store.open(store) as opened:
        assert opened.media_counts(["happy", "creepy"])["pending", None] == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train-*", "ids-test-*", "dropped-*", "report.html", "croissant.json"])
def test_a_version_of_which_a_file_is_missing_is_built_again_under_its_number(tmp_path, name):
    store = make_store(tmp_path / "store", POSTS)
    folder = built(tmp_path, store).folder
    before = contents(folder.parent)
    (folder / "notes.txt").write_text("mine")
    [file] = folder.glob(name)
    file.unlink()
    done = built(tmp_path, store)
    assert (done.stood, done.manifest.version) == (False, "1.0.0")
    note = f"note    1.0.0 is incomplete: {file.name} is missing; it was built again"
    assert note in str(done).splitlines()
    assert contents(folder.parent) == before | {"1.0.0/notes.txt": hashlib.sha256(b"mine").hexdigest()}
    assert built(tmp_path, store).stood


@pytest.mark.slow
def test_a_file_that_was_cut_short_is_written_again(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    folder = built(tmp_path, store).folder
    before = contents(folder.parent)
    file = next(folder.glob("train-*"))
    size = file.stat().st_size
    file.write_bytes(file.read_bytes()[:1000])
    done = built(tmp_path, store, version="1.0.0")
    assert done.notes == [
        f"1.0.0 is incomplete: {file.name} has 1,000 bytes instead of {size:,}; it was built again"
    ]
    assert contents(folder.parent) == before


@pytest.mark.slow
def test_a_repair_that_is_killed_leaves_the_version_and_the_next_build_completes_it(tmp_path, monkeypatch):
    store = make_store(tmp_path / "store", POSTS)
    folder = built(tmp_path, store).folder
    before = contents(folder.parent)
    for file in folder.glob("t*.parquet"):
        file.unlink()
    moved = []
    move = Path.replace

    def killed(self, target):
        if len(moved) == 3:
            raise KeyboardInterrupt
        moved.append(self.name)
        return move(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            built(tmp_path, store)
    assert (folder / "manifest.json").is_file()
    built(tmp_path, store)
    assert contents(folder.parent) == before


@pytest.mark.slow
def test_other_tools_do_not_write_into_a_version_that_was_made_without_them(tmp_path, monkeypatch):
    store = make_store(tmp_path / "store", POSTS)
    folder = built(tmp_path, store).folder
    file = next(folder.glob("train-*"))
    file.unlink()
    before = contents(folder)
    monkeypatch.setattr("curation.manifest.manifest.tools", lambda *_: tools() | {"pillow": "99.0"})
    why = f"1.0.0 is incomplete: {file.name} is missing; it was made with other versions of pillow, so "
    with pytest.raises(AffectoryError) as refused:
        built(tmp_path, store, version="1.0.0")
    assert str(refused.value) == (
        f"test {why}its bytes may differ: build it as --version 1.0.1, or leave --version out"
    )
    done = built(tmp_path, store)
    assert (done.manifest.version, done.notes) == ("1.0.1", [f"{why}this is 1.0.1"])
    assert contents(folder) == before
    assert built(tmp_path, store).stood


def of_an_earlier_program(folder, **keys):
    """Rewrite a release's manifest as an earlier program wrote it."""
    path = folder / "manifest.json"
    raw = json.loads(path.read_text())
    del raw["format"]
    path.write_text(json.dumps(raw | keys))


@pytest.mark.slow
@pytest.mark.parametrize("keys", [{"format": 1}, {"manifest_version": 1}])
def test_a_release_of_an_earlier_format_stays_and_the_next_version_says_what_changed(tmp_path, keys):
    store = make_store(tmp_path / "store", POSTS)
    first = built(tmp_path, store)
    assert (first.manifest.format, first.notes) == (FORMAT, [])
    of_an_earlier_program(first.folder, **keys)
    before = contents(first.folder)
    with pytest.raises(
        AffectoryError, match=rf"test 1\.0\.0 .* the format \({FORMAT}\) differs .* --version 1\.1\.0"
    ):
        built(tmp_path, store, version="1.0.0")
    second = built(tmp_path, store)
    assert (second.stood, second.manifest.version, second.manifest.format) == (False, "1.1.0", FORMAT)
    assert FORMATS[2] == (
        "at the cut of a ranked split, posts of equal rank are chosen at random by the recipe's seed, no "
        "longer by the lower id (rules top-score and unanimous; other splits are the same)"
    )
    changes = {number: change for number, change in FORMATS.items() if number > 1}
    told = "; ".join(changes.values())
    assert second.notes == [f"1.1.0 has format {FORMAT}, 1.0.0 has format 1: {told}"]
    assert f"note    {second.notes[0]}" in str(second).splitlines()
    card = (first.folder.parent / "README.md").read_text()
    assert (
        f"\n\nVersion 1.1.0 has format {FORMAT} of the files. Earlier formats: 1.0.0 (format 1). "
        "What changed:\n\n"
        + "".join(f"- format {number}: {change}\n" for number, change in changes.items())
        + "\n"
    ) in card
    assert contents(first.folder) == before
    old = datasets.load_dataset(str(first.folder.parent), "1.0.0", cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in old.items()} == {"train": 48, "validation": 6, "test": 6}
    again = built(tmp_path, store)
    assert (again.stood, again.manifest.version, again.notes) == (True, "1.1.0", [])


@pytest.mark.slow
def test_a_version_that_is_asked_for_by_number_says_what_changed_too(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    of_an_earlier_program(built(tmp_path, store).folder, format=1)
    done = built(tmp_path, store, version="2.0.0")
    assert [note.partition(":")[0] for note in done.notes] == [
        f"2.0.0 has format {FORMAT}, 1.0.0 has format 1"
    ]


def test_a_release_of_one_format_has_no_word_on_formats_in_its_card(tmp_path):
    store = make_store(tmp_path / "store", POSTS, pictures=False)
    folder = built(tmp_path, store, TEXT_ONLY).folder
    assert "Earlier formats" not in (folder.parent / "README.md").read_text()


@pytest.mark.slow
def test_a_release_rebuilt_from_ids_or_purged_keeps_the_format_of_its_splits(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    folder = built(tmp_path, store, '[[filters]]\nuse = "removed"\n').folder
    of_an_earlier_program(folder, format=1)
    assert write_ids([str(folder.parent), "--out", str(tmp_path / "received")]) == 0
    arguments = ["--store", str(store), "--store-only", "--out", str(tmp_path / "full")]
    assert hydrate([str(tmp_path / "received"), *arguments]) == 0
    assert read(tmp_path / "full" / "1.0.0" / "manifest.json").format == 1
    with Store.open(store) as opened:
        opened.add([replace(POSTS[7], removed="deleted")])
    purge(Places(folder.parent), store=store)
    assert read(folder.parent / "1.0.1" / "manifest.json").format == 1


def test_a_damaged_manifest_is_one_line(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    path = built(tmp_path, store).folder / "manifest.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(AffectoryError, match=r"manifest\.json' is damaged \(.*\): remove '.*1\.0\.0' and"):
        built(tmp_path, store)


def test_a_store_in_a_folder_with_any_name_is_read(tmp_path):
    store = make_store(tmp_path / "a?b#c%20d", POSTS)
    assert built(tmp_path, store).manifest.ledger.kept == 60


@pytest.mark.slow
def test_the_dumps_that_the_posts_were_read_from_are_in_the_manifest_but_not_in_its_digest(tmp_path):
    store = make_store(tmp_path / "store", POSTS, pictures=False)
    before = built(tmp_path, store, TEXT_ONLY)
    assert "dumps" not in json.loads((before.folder / "manifest.json").read_text())
    with Store.open(store) as opened:
        opened.add_dumps(
            (name, digit * 64, community)
            for name, digit, community in (
                ("RS_2023-12.zst", "b", "happy"),
                ("RS_2023-11.zst", "a", "happy"),
                ("RS_2023-11.zst", "a", "creepy"),
                ("aww.jsonl", "c", "aww"),
            )
        )
    assert built(tmp_path, store, TEXT_ONLY).stood
    done = built(tmp_path / "again", store, TEXT_ONLY)
    dumps = [{"name": "RS_2023-11.zst", "sha256": "a" * 64}, {"name": "RS_2023-12.zst", "sha256": "b" * 64}]
    assert json.loads((done.folder / "manifest.json").read_text())["dumps"] == dumps
    assert done.manifest.input_digest == before.manifest.input_digest
    with Store.open(store) as opened:
        opened.add([replace(POSTS[3], removed="deleted")])
    purge(Places(done.folder.parent, tmp_path / "results", tmp_path / "features"), store=store)
    assert json.loads((done.folder.with_name("1.0.1") / "manifest.json").read_text())["dumps"] == dumps
