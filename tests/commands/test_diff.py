"""`affectory diff`: two crawl stores side by side."""

import hashlib
import json

import pytest

from affectory.cli import main
from collectors.store import Store
from tests.curation.stores import Picture, make_store, post, put_image


@pytest.fixture
def stores(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    same = [post(1), post(2, "creepy")]
    make_store(
        tmp_path / "one",
        [*same, post(3, score=7), post(4), post(5, removed="deleted"), post(6), post(7, "creepy")],
    )
    other = [*same, post(3, score=70), post(4), post(5), post(6), post(8)]
    make_store(tmp_path / "other", other)
    with Store.open(tmp_path / "other") as store:
        store.add([post(6, media=post(60).media)])
        put_image(store, "https://i.redd.it/60-0.jpg", Picture(9).bytes())
    return tmp_path


def digest(number):
    return hashlib.sha256(Picture(number).bytes()).hexdigest()


def test_differences_are_counted_by_community_and_the_first_are_listed(stores, capsys):
    before = {path: path.read_bytes() for path in stores.rglob("*") if path.is_file()}
    assert main(["diff", "one", "other"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1  one",
        "2  other",
        "",
        "        in both  only in 1  only in 2  score  removed  images",
        "creepy        1          1          0      0        0       0",
        "happy         5          0          1      1        1       1",
        "all           6          1          1      1        1       1",
        "",
        "posts only in 1: 1",
        "  reddit:00007",
        "",
        "posts only in 2: 1",
        "  reddit:00008",
        "",
        "other scores: 1",
        "  reddit:00003  7 | 70",
        "",
        "removed in one of them: 1",
        "  reddit:00005  deleted | none",
        "",
        "other images: 1",
        f"  reddit:00006  {digest(600)[:12]} | {digest(9)[:12]}",
    ]
    assert {path: path.read_bytes() for path in before} == before


def test_all_differences_are_there_as_json(stores, capsys):
    assert main(["diff", "one", "other", "--json"]) == 0
    counts = {"both": 1, "only_first": 1, "only_second": 0, "score": 0, "removed": 0, "images": 0}
    found = json.loads(capsys.readouterr().out)
    assert found["communities"]["creepy"] == counts
    assert found["differences"] == {
        "only_first": [{"post_id": "reddit:00007"}],
        "only_second": [{"post_id": "reddit:00008"}],
        "score": [{"post_id": "reddit:00003", "first": 7, "second": 70}],
        "removed": [{"post_id": "reddit:00005", "first": "deleted", "second": None}],
        "images": [{"post_id": "reddit:00006", "first": [digest(600)], "second": [digest(9)]}],
    }


def test_long_names_and_galleries_fit_a_terminal(tmp_path, capsys, monkeypatch):
    name = "a_community_with_a_long_name_[of_a_folder]/inside"
    make_store(tmp_path / "one", [post(1, name, images=8)])
    make_store(tmp_path / "other", [post(1, name, images=7)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert main(["diff", "one", "other"]) == 0
    digests = [digest(100 + n)[:12] for n in range(8)]
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[3:5] == [name, "  in both 1, only in 1 0, only in 2 0, score 0, removed 0, images 1"]
    assert lines[7:] == [
        f"  reddit:00001  {', '.join(digests[:4])},",
        f"                {', '.join(digests[4:])} |",
        f"                {', '.join(digests[:4])},",
        f"                {', '.join(digests[4:7])}",
    ]


def test_more_than_five_are_counted(tmp_path, capsys):
    make_store(tmp_path / "one", [post(n) for n in range(1, 8)], pictures=False)
    make_store(tmp_path / "other", [], pictures=False)
    assert main(["diff", str(tmp_path / "one"), str(tmp_path / "other")]) == 0
    assert capsys.readouterr().out.splitlines()[-8:] == [
        "",
        "posts only in 1: 7",
        *(f"  reddit:0000{n}" for n in range(1, 6)),
        "  and 2 more: --json lists all",
    ]


def test_equal_stores_have_no_difference(tmp_path, capsys):
    make_store(tmp_path / "one", [post(1)])
    assert main(["diff", str(tmp_path / "one"), str(tmp_path / "one")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "no difference"


def test_a_folder_without_a_store_is_one_line(tmp_path, capsys):
    assert main(["diff", str(tmp_path), str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"error: there is no crawl store in '{tmp_path}': name a folder that holds crawl.sqlite\n"
    )


def test_a_store_on_a_read_only_disk_is_read(stores, capsys, monkeypatch):
    for path in stores.glob("*/crawl.sqlite-*"):
        path.unlink()
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert main(["diff", "one", "other"]) == 0
    assert list(stores.glob("*/crawl.sqlite-*")) == []


def test_a_narrow_terminal_has_the_figures_below_each_community(stores, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert main(["diff", "one", "other"]) == 0
    assert capsys.readouterr().out.splitlines()[3:12] == [
        "creepy",
        "  in both 1, only in 1 1, only in 2 0, score 0,",
        "  removed 0, images 0",
        "happy",
        "  in both 5, only in 1 0, only in 2 1, score 1,",
        "  removed 1, images 1",
        "all",
        "  in both 6, only in 1 1, only in 2 1, score 1,",
        "  removed 1, images 1",
    ]
