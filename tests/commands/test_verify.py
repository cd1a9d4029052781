"""`affectory verify`: every digest and count of a store or a release."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from affectory.cli import main
from collectors.store import Store, media_path
from collectors.store.reading import reading
from tests.curation.stores import Picture, built, make_store, post


def digest(number):
    return hashlib.sha256(Picture(number * 100).bytes()).hexdigest()


def image(number):
    return media_path(Path("store"), digest(number), "image/jpeg")


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store of three images in the folder in which commands are typed, made by one run."""
    monkeypatch.chdir(tmp_path)
    make_store(tmp_path / "store", [post(1), post(2), post(3)])
    with (
        Store.open("store") as opened,
        opened.run("affectory collect reddit --subs happy --store store") as run,
    ):
        opened.end(run, "done")
    return tmp_path / "store"


def statuses(folder):
    with reading(folder) as store:
        return [row["status"] for one in store.records() for row in one.media]


def said(capsys, *arguments):
    code = main(["verify", *arguments])
    return code, capsys.readouterr().out.splitlines()


SIZE = sum(len(Picture(number * 100).bytes()) for number in (1, 2, 3)) / 1e6
STORE = f"store store: 3 posts, 3 images, {SIZE:,.1f} MB"


def test_a_store_in_order_is_one_line(store, capsys):
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    assert said(capsys, "store") == (0, [f"{STORE}: all right"])
    assert {path: path.read_bytes() for path in before} == before


def test_faults_of_images_are_listed_by_kind_and_repaired(store, capsys):
    (store / image(1).relative_to("store")).unlink()
    damaged = bytearray(image(2).read_bytes())
    damaged[-3] ^= 1
    image(2).write_bytes(damaged)
    image(3).write_bytes(b"short")
    extra = store / "media" / "ab" / f"ab{'0' * 62}.jpg"
    extra.parent.mkdir(exist_ok=True)
    extra.write_bytes(b"no post has this")
    order = sorted([(digest(1), "missing file"), (digest(2), "wrong digest"), (digest(3), "wrong size")])
    names = {one: str(image(n).relative_to("store")) for n in (1, 2, 3) for one in [digest(n)]}
    listed = [
        STORE,
        *(line for one, kind in order for line in (f"  {kind} 1", f"    {names[one]}")),
        "  file without row 1",
        f"    media/ab/ab{'0' * 62}.jpg",
    ]
    assert said(capsys, "store") == (1, [*listed, "next    affectory verify store --repair"])
    assert said(capsys, "store", "--repair") == (
        0,
        [
            *listed,
            "repair  3 images are pending, 1 file was removed",
            "next    affectory collect reddit --subs happy --store store",
        ],
    )
    assert (statuses(store), extra.exists()) == (["pending"] * 3, False)
    assert said(capsys, "store") == (0, ["store store: 3 posts, 0 images, 0.0 MB: all right"])


def test_a_command_that_fetches_no_images_or_whose_list_is_gone_is_not_the_next_step(store, capsys, tmp_path):
    index = "python -m collectors.reddit --subs happy --store store --source index --path"
    for command in (f"{index} ids.txt --no-media", f"{index} {tmp_path}/gone/ids.txt"):
        with Store.open("store") as opened, opened.run(command) as run:
            opened.end(run, "done")
    image(1).unlink()
    assert said(capsys, "store", "--repair")[1][-1] == (
        "next    affectory collect reddit --subs happy --store store"
    )


def test_a_second_file_of_a_stored_image_is_removed_and_folders_are_left_alone(store, capsys):
    second = image(1).with_suffix(".png")
    second.write_bytes(image(1).read_bytes())
    for folder in (image(2).parent / "@eaDir", store / "media" / "@eaDir", store / "media" / "tmp"):
        folder.mkdir(exist_ok=True)
        (folder / "thumb.jpg").write_bytes(b"not ours")
    (store / "media" / "ab").mkdir(exist_ok=True)
    (store / "media" / "ab" / "link.jpg").symlink_to("nowhere")
    code, lines = said(capsys, "store", "--repair")
    assert (code, lines[1], lines[-1]) == (
        0,
        "  file without row 2",
        "repair  0 images are pending, 2 files were removed",
    )
    assert (second.exists(), image(1).exists()) == (False, True)
    assert (image(2).parent / "@eaDir" / "thumb.jpg").exists()
    assert (store / "media" / "@eaDir" / "thumb.jpg").exists()
    assert said(capsys, "store")[0] == 0


@pytest.mark.slow
def test_the_command_that_a_repair_prints_brings_the_image_back(tmp_path, monkeypatch, capsys, sandbox):
    monkeypatch.chdir(tmp_path)
    place = ["--sandbox-url", sandbox, "--source", "archive", "--store", "store"]
    assert main(["collect", "reddit", "--subs", "gore", "--limit", "20", *place]) == 0
    path = min(Path("store/media").glob("??/*"))
    data = path.read_bytes()
    path.unlink()
    capsys.readouterr()
    code, lines = said(capsys, "store", "--repair")
    command = lines[-1].removeprefix("next    ").split()
    assert (code, command[:3]) == (0, ["affectory", "collect", "reddit"])
    assert main(command[1:]) == 0
    capsys.readouterr()
    assert (path.read_bytes(), said(capsys, "store")[0]) == (data, 0)


def test_more_than_five_of_a_kind_are_counted(tmp_path, capsys):
    make_store(tmp_path / "store", [post(n) for n in range(1, 8)])
    for path in (tmp_path / "store" / "media").glob("??/*"):
        path.unlink()
    code, lines = said(capsys, str(tmp_path / "store"))
    assert (code, lines[1], len(lines), lines[-2]) == (1, "  missing file 7", 9, "    and 2 more")


def test_rows_that_contradict_each_other_are_listed(store, capsys):
    with Store.open(store) as opened:
        with opened._transaction() as db:
            db.execute("update posts set removed = 'deleted' where post_id = 'reddit:00001'")
            db.execute("update posts set author = 'f' where post_id = 'reddit:00002'")
            db.execute("update media set sha256 = null where post_id = 'reddit:00003'")
            db.execute("insert into orphans values ('00', 'image/jpeg')")
        opened._db.execute("pragma foreign_keys = off")
        opened._db.execute("delete from posts where post_id = 'reddit:00002'")
    code, lines = said(capsys, "store")
    assert (code, [line.strip() for line in lines[1:] if line.startswith("  ")]) == (
        1,
        [
            "stored without digest 1",
            "reddit:00003",
            "media of no post 1",
            "reddit:00002",
            "removed with content 1",
            "reddit:00001",
            "orphan 1",
            "00",
            "file without row 1",
            str(image(3).relative_to("store")),
        ],
    )


def test_a_candidate_that_is_no_post_is_named_by_verify_and_trace(store, capsys):
    with Store.open(store) as opened:
        opened.add_candidates("top", [post(5), post(6)], cursor=None, limit=5)
        opened._db.execute("update candidates set record = 'no JSON' where post_id = 'reddit:00005'")
    code, lines = said(capsys, "store")
    assert (code, lines[1:3]) == (1, ["  damaged value 1", "    record of reddit:00005 is 'no JSON'"])
    assert main(["trace", "reddit:00005", "--stores", "store"]) == 2
    assert capsys.readouterr().err == (
        "error: the store 'store' is damaged: record of reddit:00005 is 'no JSON'; affectory verify store "
        "lists all such values\n"
    )
    assert main(["trace", "reddit:00006", "--stores", "store"]) == 0


def test_authors_without_their_key_are_a_fault_that_a_repair_leaves(store, capsys):
    with Store.open(store) as opened:
        opened.add([post(9, author="a" * 32, images=0)])
    for key in (None, b""):
        if key is not None:
            (store / "author.key").write_bytes(key)
        code, lines = said(capsys, "store", "--repair")
        assert (code, lines[1], lines[-1]) == (
            1,
            "  author key 1",
            "next    restore store/author.key from a copy",
        )
    (store / "author.key").write_bytes(bytes(32))
    assert said(capsys, "store")[0] == 0


def test_a_damaged_database_is_a_fault(store, capsys):
    path = store / "crawl.sqlite"
    data = bytearray(path.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    path.write_bytes(data)
    code, lines = said(capsys, "store")
    assert (code, lines[1].split()[:2]) == (1, ["damaged", "database"])
    assert lines[-1] == ("next    restore store/crawl.sqlite from a copy, or collect into another --store")


def test_a_store_at_work_is_checked_but_not_repaired(store, capsys):
    image(1).unlink()
    with Store.open(store) as opened, opened.run("a crawl"):
        code, lines = said(capsys, "store")
        note = "note    a run is working on the store: files that no post has were not looked for"
        assert (code, note in lines) == (1, True)
        assert main(["verify", "store", "--repair"]) == 2
        assert capsys.readouterr().err == (
            "error: a run is working on the store 'store': repair it when the run has ended\n"
        )


def test_what_is_neither_a_store_nor_a_release_is_one_line(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"error: '{tmp_path}' is neither a crawl store nor a release: name a folder that holds crawl.sqlite, "
        "manifest.json or versions with one\n"
    )
    (tmp_path / "crawl.sqlite").write_bytes(b"")
    assert main(["verify", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"error: there is no crawl store in '{tmp_path}': its crawl.sqlite is empty; remove it and collect "
        "again\n"
    )


def test_the_name_of_a_release_is_answered_with_its_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    version = tmp_path / "datasets" / "mine" / "1.0.0"
    version.mkdir(parents=True)
    (version / "manifest.json").touch()
    for command in ("verify", "ids", "hydrate"):
        assert main([command, "mine"]) == 2
        assert capsys.readouterr().err == "error: 'mine' is not a release: did you mean datasets/mine?\n"
    assert main(["ids", "none"]) == 2
    assert capsys.readouterr().err.startswith("error: 'none' is not built in '.' (built: none): ")


FILTER = '[[filters]]\nuse = "image"\n'


@pytest.fixture
def release(tmp_path, monkeypatch):
    """A release of 40 posts, of which ten have no image."""
    monkeypatch.chdir(tmp_path)
    posts = [post(n, "happy" if n % 2 else "creepy", images=int(n % 4 != 0)) for n in range(40)]
    make_store(tmp_path / "store", posts)
    built(tmp_path, tmp_path / "store", FILTER)
    return tmp_path / "out" / "test"


def files(folder, start):
    return sorted((folder / "1.0.0").glob(f"{start}*"))


@pytest.mark.slow
def test_a_release_in_order_is_one_line(release, capsys):
    right = (0, ["release test 1.0.0: 7 files, 30 rows, 30 images: all right"])
    assert said(capsys, "out/test") == right
    assert said(capsys, "out/test/1.0.0") == right


@pytest.mark.slow
def test_files_of_a_release_that_are_missing_damaged_or_too_many(release, capsys):
    files(release, "train")[0].unlink()
    (damaged,) = files(release, "test")
    data = bytearray(damaged.read_bytes())
    data[100] ^= 1
    damaged.write_bytes(data)
    (release / "1.0.0" / "extra.txt").write_text("?")
    code, lines = said(capsys, "out/test")
    assert code == 1
    assert [line.strip() for line in lines if line.startswith("  ") and line[2] != " "] == [
        "missing file 1",
        "wrong digest 1",
        "unlisted file 1",
        "card lists missing file 1",
    ]
    assert lines[-1] == (
        f"next    rm out/test/1.0.0/{damaged.name} && affectory build test --datasets out --store STORE "
        "--version 1.0.0"
    )
    damaged.unlink()
    (release / "1.0.0" / "extra.txt").unlink()
    built(release.parents[1], release.parents[1] / "store", FILTER, version="1.0.0")
    assert said(capsys, "out/test")[0] == 0


@pytest.mark.slow
def test_counts_that_the_files_contradict(release, capsys):
    path = release / "1.0.0" / "manifest.json"
    described = json.loads(path.read_text())
    described["counts"]["train"]["joy"] += 1
    described["ledger"]["steps"][0]["rows"] -= 1
    path.write_text(json.dumps(described))
    code, lines = said(capsys, "out/test/1.0.0")
    assert code == 1
    assert lines[1] == "  ledger 2"
    joy = described["counts"]["train"]["joy"]
    assert f"    train joy: {joy - 1} rows, not {joy}" in lines
    assert f"    train (ids) joy: {joy - 1} rows, not {joy}" in lines
    assert any(line.startswith("    dropped image no_image: 10 rows, not 9") for line in lines)
    assert lines[-1].startswith("next    rm -r out/test/1.0.0 && affectory build test --datasets out")


@pytest.mark.slow
def test_a_purged_or_rebuilt_release_is_made_again_by_the_command_that_made_it(release, capsys):
    with Store.open("store") as store:
        store.add([replace(store.posts([post_id(3)])[post_id(3)], removed="deleted")])
    assert main(["purge", "test", "--store", "store", "--datasets", "out"]) == 0
    assert main(["ids", "out/test", "--version", "1.0.0", "--out", "received"]) == 0
    assert main(["hydrate", "received", "--store", "store", "--store-only", "--out", "full"]) == 0
    capsys.readouterr()
    for folder, command in (
        ("out/test/1.0.1", "affectory purge test --datasets out --store STORE"),
        ("full/1.0.0", "affectory hydrate IDS_FOLDER --out full"),
    ):
        Path(folder, "croissant.json").unlink()
        code, lines = said(capsys, folder)
        assert (code, lines[-1]) == (1, f"next    rm -r {folder} && {command}")


@pytest.mark.slow
def test_a_release_whose_images_are_not_those_of_their_digests(release, capsys):
    import pyarrow.parquet as pq

    (path,) = files(release, "test")
    table = pq.read_table(path)
    rows = table["image"].to_pylist()
    rows[0]["bytes"] = b"another image"
    table = table.set_column(table.schema.get_field_index("image"), table.schema.field("image"), [rows])
    pq.write_table(table, path)
    manifest = release / "1.0.0" / "manifest.json"
    described = json.loads(manifest.read_text())
    for file in described["files"]:
        if file["path"] == path.name:
            data = path.read_bytes()
            file |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest.write_text(json.dumps(described))
    code, lines = said(capsys, "out/test")
    post_id = table["post_id"][0].as_py()
    assert (code, lines[1:3]) == (1, ["  wrong image digest 1", f"    {post_id} in 1.0.0/{path.name}"])


@pytest.mark.slow
def test_a_purged_release_and_one_of_encoded_images_are_in_order(release, capsys):
    with Store.open("store") as store:
        deleted = [replace(one, removed="deleted") for one in store.posts([post_id(3), post_id(4)]).values()]
        store.add(deleted)
    encoded = '[images]\nformat = "jpeg"\nside = 32\n'
    built(release.parents[1], release.parents[1] / "store", FILTER + encoded)
    assert main(["purge", "test", "--version", "1.0.0", "--store", "store", "--datasets", "out"]) == 0
    capsys.readouterr()
    code, lines = said(capsys, "out/test")
    assert (code, [line.partition(": ")[0] for line in lines]) == (
        0,
        [f"release test {version}" for version in ("1.1.1", "1.1.0", "1.0.0")],
    )


def post_id(number):
    return f"reddit:{number:05}"


@pytest.mark.slow
def test_the_ids_of_a_release_are_checked_alone(release, capsys):
    assert main(["ids", "out/test"]) == 0
    capsys.readouterr()
    assert said(capsys, "out/test-ids") == (0, ["release test 1.0.0: 3 files, 0 rows, 0 images: all right"])


def test_a_damaged_manifest_is_a_fault(tmp_path, capsys):
    (tmp_path / "test" / "1.0.0").mkdir(parents=True)
    (tmp_path / "test" / "1.0.0" / "manifest.json").write_text("{")
    code, lines = said(capsys, str(tmp_path / "test" / "1.0.0"))
    assert (code, lines[1]) == (1, "  damaged manifest 1")
