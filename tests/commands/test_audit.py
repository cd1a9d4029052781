import io
import json
import os
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from PIL import Image

from affectory.cli import main as affectory
from affectory.commands.audit import main
from benchmarks._planted_faults import SHORTCUTS, plant
from benchmarks.audit import found
from curation.deleted import copies_elsewhere
from tests.curation import release_fixture

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    return plant(folder, 1_000, side=120)


@pytest.fixture(scope="module")
def told(planted, tmp_path_factory):
    out = tmp_path_factory.mktemp("audit")
    assert main([str(planted.folder), "--out", str(out), "--workers", "1"]) == 0
    page = (out / "audit.html").read_text()
    return json.loads((out / "audit.json").read_text()), page


def test_planted_faults_of_each_kind_are_found_and_little_else(planted, told):
    lines = {name: line for name, *line in found(planted, told[0])}
    doubted = lines.pop("errors text_model")
    assert doubted[2] >= 0.5 * doubted[0] and doubted[3] <= 0.3 * doubted[1], doubted
    assert {name for name, line in lines.items() if line[0] != line[2]} == set()
    assert {name: line[3] for name, line in lines.items() if line[3] > 3} == {}


def test_a_shortcut_says_which_class_it_tells_of_how_many_rows_and_what_chance_gives(told):
    families = {one["name"]: one for one in told[0]["findings"] if one["kind"] == "shortcuts"}
    for (family, value), label in SHORTCUTS.items():
        head = families[family]["head"]
        line = next(
            dict(zip(head, line, strict=True)) for line in families[family]["table"] if line[0] == value
        )
        assert line["Tells"] == label
        assert line["Of class"] > 0.7 * line["Rows"]
        assert line["Bits"] > 3 * line["By chance"] and line["p"] <= 0.01


def test_the_page_shows_the_rows_and_runs_no_text_of_theirs(told):
    report, page = told
    assert report["rows"] == {"train": 800, "test": 200}
    assert "Copies across splits" in page and "data:image/jpeg;base64," in page
    assert page.count("<script>") == 1


def _folder(tmp_path):
    """Write a folder of images by split and class, of which one is in both splits."""
    for split, label, shade in (
        ("train", "cat", 10),
        ("train", "dog", 90),
        ("test", "cat", 10),
        ("test", "dog", 200),
    ):
        folder = tmp_path / "photos" / split / label
        folder.mkdir(parents=True, exist_ok=True)
        Image.linear_gradient("L").point(lambda level, s=shade: (level + s) % 256).save(
            folder / f"{shade}.png"
        )
    (tmp_path / "photos" / "train" / "cat" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    return tmp_path / "photos"


def test_a_folder_of_images_by_class_fails_on_the_kinds_that_were_asked_for(tmp_path, capsys):
    photos, out = _folder(tmp_path), tmp_path / "out"
    assert main([str(photos), "--out", str(out), "--workers", "1", "--fail-on", "leaks,balance"]) == 1
    printed = capsys.readouterr().out
    assert "photos: 5 rows (train 3, test 2), 2 classes\n" in printed
    assert "leaks      1 row outside train has the same image as a row of another split.\n" in printed
    assert "files      1 image can’t be decoded: cannot identify image file (1).\n" in printed
    assert printed.endswith("failed on leaks\n")
    assert max(map(len, printed.splitlines()[:-3])) <= 80
    report = json.loads((out / "audit.json").read_text())
    assert report["findings"][0]["groups"] == [
        [
            {"split": "train", "row": 0, "id": "train/cat/10.png"},
            {"split": "test", "row": 0, "id": "test/cat/10.png"},
        ]
    ]


def test_an_audit_that_lists_a_post_is_found_by_trace_and_named_by_a_purge(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    posts = {"post_id": ["reddit:1", "reddit:2", "reddit:3"], "text": ["a b c", "a b c", "d e f"]}
    posts |= {"label": ["joy", "fear", "joy"], "split": ["train", "test", "train"]}
    rows = pa.table(posts)
    Path("mine").mkdir()
    for split in ("train", "test"):
        part = rows.filter(pc.equal(rows["split"], split)).drop_columns(["split"])
        pq.write_table(part, f"mine/{split}.parquet")
    assert main(["mine"]) == 0
    capsys.readouterr()
    assert affectory(["trace", "reddit:2"]) == 0
    assert "  audit audit/mine  the post, among the findings" in capsys.readouterr().out.splitlines()
    found = copies_elsewhere.commands(tmp_path / "datasets/mine", tmp_path / "data/store", ["reddit:1"])
    assert found == [("audit audit/mine", "rm -r audit/mine")]
    assert affectory(["trace", "reddit:3"]) == 1  # no finding lists it


def test_a_kind_that_cannot_be_looked_for_fails_too(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.table({"label": ["a", "b"] * 5}), "rows.parquet")
    assert main(["rows.parquet", "--fail-on", "leaks", "errors", "files", "balance"]) == 1
    printed = capsys.readouterr().out
    assert printed.endswith(
        "failed on leaks (not looked for), errors (not looked for), files (not looked for)\n"
    )
    assert main(["rows.parquet", "--fail-on", "balance"]) == 0


def test_a_guessed_column_of_too_many_values_is_no_label(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = [f"so it goes {number}" for number in range(600)]
    pq.write_table(pa.table({"label": range(600), "text": texts}), "rows.parquet")
    assert main(["rows.parquet"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "rows.parquet: 600 rows (train 600), 0 classes" in printed
    assert "not looked for: labels: 'label' has no value, or over 500 different ones; --label" in printed
    assert main(["rows.parquet", "--label", "label"]) == 2
    assert "--label 'label' has 600 different values (at most 500 are classes)" in capsys.readouterr().err


def test_images_that_only_a_network_finds_alike_are_copies_too(tmp_path, capsys, monkeypatch):
    import numpy as np

    monkeypatch.chdir(tmp_path)
    photos = _folder(tmp_path)
    arguments = [str(photos), "--out", "out", "--workers", "1"]
    assert main([*arguments, "--embedding", "mobilenet_v2", "--weights", "random"]) == 0
    found = json.loads((tmp_path / "out" / "audit.json").read_text())["findings"]
    names = [one["name"] for one in found if one["kind"] == "leaks"]
    assert names[0] == "same_image"
    features = next((tmp_path / "data" / "features").rglob("*.npy"))
    assert np.load(features, mmap_mode="r").ndim == 2


def test_a_saved_dataset_a_csv_and_a_release_are_read_too(tmp_path, capsys, monkeypatch):
    import datasets

    monkeypatch.chdir(tmp_path)
    rows = {"tweet": ["so it goes again", "and so on"] * 3, "mood": ["a", "b"] * 3}
    datasets.Dataset.from_dict(rows).save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "rows.csv").write_text("title,label\nso it goes,1\nand so on,2\n")
    assert main(["saved", "--label", "mood"]) == 0
    assert (
        "saved: 6 rows (all 6), 2 classes\ncolumns: tweet (text), mood (label)\n" in capsys.readouterr().out
    )
    assert main(["rows.csv"]) == 0
    assert "columns: title (text), label\n" in capsys.readouterr().out
    release_fixture.make(tmp_path / "datasets" / "sandbox" / "1.0.0", posts=40)
    assert main(["sandbox", "--workers", "1"]) == 0
    assert "columns: image, text, label, post_id (id), created_at (years)" in capsys.readouterr().out
    assert (tmp_path / "audit" / "rows.csv" / "audit.html").is_file()


def test_rows_that_the_library_makes_one_by_one_may_have_nulls(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    with tarfile.open("rows.tar", "w") as tar, Path("photos/metadata.jsonl").open("w") as told:
        for number, note in enumerate(("seen", None, "")):
            path = Path(f"photos/{number}.png")
            Image.new("L", (80, 80), number * 90).save(path)
            told.write(json.dumps({"file_name": path.name, "text": note, "label": number % 2}) + "\n")
            tar.add(path, path.name)
            member = tarfile.TarInfo(f"{number}.cls")
            member.size = 1
            tar.addfile(member, io.BytesIO(str(number % 2).encode()))
    assert main(["photos", "--workers", "1"]) == 0
    assert "columns: image, text, label\n" in capsys.readouterr().out
    Path("shards").mkdir()
    Path("rows.tar").rename("shards/train-0.tar")
    assert main(["shards", "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "shards: 3 rows (train 3), 2 classes\ncolumns: png (image), cls (label), __key__ (id)\n" in out
    assert "3 of 3 images are of one colour" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["rows.csv", "--text", "words"],
            "--text 'words': 'rows.csv' has no such column; it has title, ",
        ),
        (["rows.csv", "--image", "label"], "--image 'label' holds Value('int64'): name a column of images"),
        (["damaged.parquet"], "'damaged.parquet' can't be read: "),
        (["empty"], "can't be read: "),
        (["empty.json"], "'empty.json' has no rows"),
        (["nowhere/"], "there is no file or folder 'nowhere/'"),
        (["rows.csv", "--out", "rows.csv/here"], "--out 'rows.csv/here': "),
        (
            ["rows.csv", "--out", "s3://bucket/out"],
            "'s3://bucket/out' is an address, and the audit can only be in a folder: name a folder",
        ),
        (
            ["rows.csv", "--datasets", "s3://bucket/d"],
            "'s3://bucket/d' is an address, and an audited release",
        ),
        (["rows.csv", "--fail-on", "leak"], "--fail-on 'leak' is no kind of finding; did you mean leaks?"),
        (
            ["semicolons.csv"],
            "'semicolons.csv' has one column, 'text;label': its values seem to be separated by ';'; save it "
            "with commas",
        ),
        (["rows.csv", "--fail-on", ","], "--fail-on names no kind of finding: give one or more of leaks, "),
        (["rows.csv", "--workers", "0"], "--workers 0 is below 1"),
        (
            ["rows.csv", "--weights", "x.pth"],
            "--weights x.pth are those of a network: name it with --embedding",
        ),
        ([""], "there is no file or folder ''"),
        (["rows.csv", "--config", "x"], "--config 'x': 'rows.csv' has no configurations; leave --config out"),
        (["other.csv"], "'other.csv' has foo, bar: name the column to look at with --image, --text or"),
        (
            ["latin.csv"],
            "'latin.csv' can't be read: it isn't UTF-8; save it as UTF-8",
        ),
        (["no_rows.parquet"], "'no_rows.parquet' has no rows"),
        (["bytes.parquet"], "'bytes.parquet' can't be read: ArrowInvalid: Column 0: "),
        (["photos"], "isn't UTF-8; rename it"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("title,label\nso it goes,1\nand so on,2\n")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.json").touch()
    (tmp_path / "other.csv").write_text("foo,bar\n1,2\n")
    (tmp_path / "semicolons.csv").write_text("text;label\nso;1\nit;2\n")
    (tmp_path / "latin.csv").write_bytes("text,label\ncaf\xe9,1\n".encode("latin-1"))
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "no_rows.parquet")
    no_text = pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")
    pq.write_table(pa.table({"text": pa.StringArray.from_buffers(1, *no_text)}), tmp_path / "bytes.parquet")
    (tmp_path / "photos" / "a").mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "photos" / "a" / "1.png")
    (tmp_path / "photos" / "a" / "1.png").rename(os.fsdecode(b"photos/a/\xff.png"))
    before = sorted(tmp_path.iterdir())
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and message in error
    assert sorted(tmp_path.iterdir()) == before


def test_a_hub_out_of_reach_is_one_line_at_once(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert main(["user/nothing"]) == 2
    assert capsys.readouterr().err == (
        "error: there is no file or folder 'user/nothing', and the Hugging Face Hub can't be reached: name "
        "another path\n"
    )


def test_a_split_without_rows_is_one_of_the_splits(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows").mkdir()
    rows = pa.table({"text": ["so it goes", "and so on"], "label": ["a", "b"]})
    pq.write_table(rows, tmp_path / "rows" / "train.parquet")
    pq.write_table(rows.slice(0, 0), tmp_path / "rows" / "test.parquet")
    assert main(["rows"]) == 0
    assert "rows: 2 rows (train 2, test 0), 2 classes\n" in capsys.readouterr().out


def test_a_split_with_none_of_the_columns_keeps_its_rows(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "train.csv").write_text("text,label\nso it goes,1\n")
    (tmp_path / "rows" / "test.csv").write_text("sentence,class\nso it goes,1\n")
    assert main(["rows"]) == 0
    assert "rows: 2 rows (train 1, test 1), 1 class\n" in capsys.readouterr().out


def test_a_file_whose_name_is_not_utf_8_is_named_by_its_bytes(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / os.fsdecode(b"\xff.csv")).write_text("text,label\nso it goes,1\nand so on,2\n")
    assert main([os.fsdecode(b"\xff.csv")]) == 0
    assert capsys.readouterr().out.startswith("\\xff.csv: 2 rows ")


def test_an_image_path_that_is_no_file_is_an_image_that_cannot_be_decoded(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 89_478_485)  # Pillow's own; the crawler's decoder lifts it
    os.mkfifo("pipe")
    Image.new("1", (20_000, 9_000)).save("huge.png")
    paths = {"image": ["pipe", "/dev/zero", ".", "a\0b", "none.png", "huge.png"], "label": [1, 1, 2, 2, 2, 2]}
    pq.write_table(pa.table(paths), tmp_path / "rows.parquet")
    assert main(["rows.parquet", "--image", "image", "--workers", "1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "6 images can’t be decoded: not a regular file (3), " in out and "embedded null byte (1)" in out
    assert "Image size exceeds limit of 178956970 pixels, " in out
