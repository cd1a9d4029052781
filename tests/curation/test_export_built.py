"""`affectory export` of built releases, of ids and at an address; what finds an export again."""

import hashlib
import shutil
from pathlib import Path

import pytest

from affectory.cli import main
from curation.ids import main as write_ids
from tests.curation.stores import built, make_store, post
from tests.remote import empty


def refused(capsys, *given):
    assert main(["export", *given]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0].removeprefix("error: ")


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """A folder of datasets with `test`, a built release without images, and its ids."""
    home = tmp_path_factory.mktemp("texts")
    store = make_store(
        home / "store", [post(n, "happy" if n % 2 else "creepy") for n in range(40)], pictures=False
    )
    folder = built(home, store, '[images]\nwhich = "none"\n').folder.parent
    assert write_ids([str(folder)]) == 0
    return folder.parent


def test_a_release_without_images_has_rows_but_in_folders_of_images(texts, tmp_path, capsys):
    given = ["test", "--datasets", str(texts), "--out", str(tmp_path / "out")]
    assert refused(capsys, *given, "--to", "imagefolder") == (
        "'test' 1.0.0 has no images to put in folders: export it with --to csv, jsonl or webdataset"
    )
    assert main(["export", *given, "--to", "csv"]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md", "export.json", "test.csv", "train.csv", "validation.csv",
    ]  # fmt: skip


def test_ids_are_not_exported_and_the_next_step_is_named(texts, tmp_path, capsys):
    said = refused(
        capsys, "test-ids", "--to", "csv", "--datasets", str(texts), "--out", str(tmp_path / "out")
    )
    assert said.startswith(f"{str(texts / 'test-ids')!r} has ids only, no texts and no images: ")


def test_posts_that_opted_out_since_the_build_are_counted(texts, tmp_path, capsys):
    home = tmp_path / "datasets"
    shutil.copytree(texts, home)
    digest = hashlib.sha256(b"reddit:00003").hexdigest()
    (home / "test" / "exclude.txt").write_text(digest + "\n")
    assert (
        main(["export", "test", "--to", "csv", "--datasets", str(home), "--out", str(tmp_path / "out")]) == 0
    )
    assert (
        "note    1 post has opted out since: run affectory purge test and export the version that it makes"
        in capsys.readouterr().out.splitlines()
    )


def test_an_export_goes_to_a_folder_named_after_it(texts, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["export", "test", "--to", "jsonl", "--datasets", str(texts)]) == 0
    assert Path("data/exports/test-1.0.0-jsonl/train.jsonl").is_file()
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[2].split()) == ("test 1.0.0 as jsonl", ["train", "32", "rows,", "0", "images"])
    assert lines[-1].startswith("wrote   data/exports/test-1.0.0-jsonl (0.0 MB)")


def test_an_export_is_found_by_trace_and_named_by_a_purge(texts, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    shutil.copytree(texts / "test", "datasets/test")
    for name in ("csv", "jsonl"):
        assert main(["export", "test", "--to", name]) == 0
    capsys.readouterr()
    assert main(["trace", "reddit:00003"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if "export" in line and "next" not in line] == [
        ["export", f"data/exports/test-1.0.0-{name}", "the", "rows", "of", "that", "version"]
        for name in ("csv", "jsonl")
    ]
    shutil.rmtree("data/exports/test-1.0.0-jsonl")
    Path("out.txt").write_text(hashlib.sha256(b"reddit:00003").hexdigest())
    store = str(texts.parent / "store")
    assert main(["purge", "test", "--exclude", "out.txt", "--store", store]) == 0
    assert "        export data/exports/test-1.0.0-csv: rm -r data/exports/test-1.0.0-csv" in (
        capsys.readouterr().out.splitlines()
    )


def test_a_release_at_an_address_is_exported_and_its_ids_are_shown(texts, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fs = empty()
    for path in (texts / "test").rglob("*"):
        if path.is_file():
            fs.pipe_file(f"remote://bucket/test/{path.relative_to(texts / 'test')}", path.read_bytes())
    there = ["--datasets", "remote://bucket"]
    assert main(["export", "test", "--to", "jsonl", *there]) == 0
    lines = Path("data/exports/test-1.0.0-jsonl/train.jsonl").read_bytes().splitlines()
    assert len(lines) == 32
    assert main(["push", "test", "user/test", "--dry-run", *there]) == 0
    assert "  as        ids only: 40 of 40 rows without a licence that allows copies" in (
        capsys.readouterr().out.splitlines()
    )
