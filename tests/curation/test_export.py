"""`affectory export`: a finished release in other formats, each read by its own ecosystem's reader."""

import csv
import gc
import hashlib
import json
import shutil
import tarfile

import datasets
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset

from affectory.cli import main
from curation.exports import FORMATS
from curation.manifest.ledger import Ledger
from curation.manifest.manifest import Manifest, Multilabel, Written
from curation.release import columns
from tests.curation.stores import Picture, contents
from tests.disks import read_only, small

CLASSES, TOPICS = ("joy", "fear/../anger"), ("work", "home")

#: Texts that break careless writers: formulas, quotes, line ends, NUL, a separator of lines, an apostrophe.
TEXTS = (
    "=HYPERLINK(1)",
    "-5 degrees",
    "'quoted'",
    'a "b", c\r\nd\re',
    "NA",
    "\ttab",
    "line\u2028end 🙂",
    "＝1+1",
    "plain",
)


def row(number, **more):
    """Return a row of a release as its Parquet files hold it."""
    data = Picture(number).bytes() if number != 3 else None
    return {
        "post_id": f"local:a/{number:02}" if number else "local:" + "x" * 300,
        "image": {"bytes": data, "path": f"local-{number}-0.jpg"} if data else None,
        "text": TEXTS[number % len(TEXTS)],
        "title": None,
        "body": "",
        "label": None if number == 2 else number % 2,
        "labels": [[], [0], [0, 1], None][number % 4],
        "labelled_30": True if number < 6 else None,
        "score": None if number == 1 else number - 5,
        "agreement": None if number == 4 else 0.9,
        "votes": None,
        "language": "en",
        "language_score": 0.5,
        "n_words": 2,
        "has_image": data is not None,
        "has_text": True,
        "image_index": 0,
        "image_sha256": hashlib.sha256(data).hexdigest() if data else None,
        "source": "local",
        "community": "here",
        "licence": "CC BY 4.0" if number == 8 else None,  # in the test split alone
        "attribution": "@somebody",
        "over_18": number == 5,
        "created_at": 1_400_000_000 + number,
    } | more


SPLITS = {
    "train": [row(n) for n in range(6)],
    "validation": [row(n) for n in (6, 7)],
    "test": [row(8)],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder of datasets with the release `odd` 1.0.0, of two classes and two topics."""
    home = tmp_path_factory.mktemp("home") / "datasets"
    out = home / "odd" / "1.0.0"
    out.mkdir(parents=True)
    schema = columns.schema(CLASSES, TOPICS, ["labelled_30"])
    files = []
    for split, rows in SPLITS.items():
        path = out / f"{split}-00000-of-00001.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema), path, row_group_size=4)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files.append(Written(path.name, split, len(rows), path.stat().st_size, digest))
    described = Manifest(
        name="odd",
        version="1.0.0",
        title="Odd posts",
        summary="Odd posts for tests.",
        classes=CLASSES,
        recipe={"images": {"which": "first"}, "publish": {"images": True, "text": True}},
        files=files,
        counts={split: {CLASSES[0]: 4, CLASSES[1]: 4, "no label": 1} for split in SPLITS},
        ledger=Ledger("posts", 9, (), 9),
        duplicates={"rows": 0, "groups": 0},
        multilabel=Multilabel(TOPICS, {split: {"work": 1, "home": 1} for split in SPLITS}),
        labelled=["labelled_30"],
    )
    (out / "manifest.json").write_text(described.text())
    return home


@pytest.fixture(scope="module")
def exported(home, tmp_path_factory):
    """The release in every format, by its name."""
    there = tmp_path_factory.mktemp("exports")
    for name in FORMATS:
        given = ["odd", "--to", name, "--datasets", str(home), "--out", str(there / name)]
        assert main(["export", *given]) == 0
    return {name: there / name for name in FORMATS}


def named(number):
    """Return a row as an export holds it: labels by name, no image."""
    values = next(one for rows in SPLITS.values() for one in rows if one["created_at"] % 100 == number)
    values = {name: value for name, value in values.items() if name != "image"}
    label, labels = values["label"], values["labels"]
    return values | {
        "label": None if label is None else CLASSES[label],
        "labels": None if labels is None else [TOPICS[one] for one in labels],
    }


def of(values, *names):
    return {name: values[name] for name in names}


MAIN = ("post_id", "text", "label", "labels", "score", "agreement", "licence", "attribution", "created_at")


def samples(*paths):
    """Read tar files by the webdataset library, which leaves it to Python to close them."""
    found = list(webdataset.WebDataset(list(map(str, paths)), shardshuffle=False).decode("pil"))
    gc.collect()
    return found


unclosed = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


def said(folder, key):
    return json.loads((folder / "export.json").read_text())[key]


@unclosed
def test_webdataset_is_read_by_the_webdataset_library(exported):
    folder = exported["webdataset"]
    found = samples(folder / "train-000000.tar")
    assert [of(one["json"], *MAIN) for one in found] == [of(named(n), *MAIN) for n in range(6)]
    assert [one.get("cls") for one in found] == [0, 1, None, 1, 0, 1]
    assert [one["jpg"].size if "jpg" in one else None for one in found] == [(96, 64)] * 3 + [
        None,
        (96, 64),
        (96, 64),
    ]
    with tarfile.open(folder / "test-000000.tar") as tar:
        members = [(one.name, one.mtime, tar.extractfile(one).read()) for one in tar][:2]
    assert members == [
        ("00000000-local-a-08-0.jpg", 0, Picture(8).bytes()),
        ("00000000-local-a-08-0.cls", 0, b"0"),
    ]
    assert said(folder, "notes") == [
        "1 row has no image: no image file in the sample",
        "1 row has no label: no .cls file in the sample",
    ]


@unclosed
def test_a_webdataset_is_cut_into_files_of_so_many_rows(home, tmp_path, monkeypatch):
    monkeypatch.setattr("curation.exports.webdataset._ROWS", 4)
    out = tmp_path / "out"
    assert main(["export", "odd", "--to", "webdataset", "--datasets", str(home), "--out", str(out)]) == 0
    names = sorted(path.name for path in out.glob("*.tar"))
    assert names == ["test-000000.tar", "train-000000.tar", "train-000001.tar", "validation-000000.tar"]
    found = samples(*(out / f"train-00000{n}.tar" for n in (0, 1)))
    assert [one["json"]["post_id"] for one in found] == [one["post_id"] for one in SPLITS["train"]]


@pytest.mark.slow
def test_an_imagefolder_is_read_by_the_datasets_library(exported, tmp_path):
    folder = exported["imagefolder"]
    assert sorted(path.name for path in (folder / "train").iterdir()) == [
        "1-fear-anger", "joy", "metadata.parquet", "no label",
    ]  # fmt: skip
    for found in (
        datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=tmp_path),
        datasets.load_dataset(str(folder), cache_dir=tmp_path),
    ):
        rows = sorted(found["train"], key=lambda one: one["created_at"])
        assert [of(one, *MAIN) for one in rows] == [
            of(named(n), *MAIN) | {"agreement": rows[i]["agreement"]} for i, n in enumerate((0, 1, 2, 4, 5))
        ]
        assert {one["image"].size for one in rows} == {(96, 64)}
        assert found["test"]["licence"] == ["CC BY 4.0"]
    assert said(folder, "notes") == [
        "1 row without an image left out (train 1): csv, jsonl and webdataset keep them",
        "1 image without a label in the folders 'no label'",
        "a folder's name is the label alone: `labels` are in metadata.parquet only",
    ]


def test_csv_is_read_by_pandas_and_the_csv_module_and_holds_no_formula(exported):
    folder = exported["csv"]
    with (folder / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [one["text"].removeprefix("'") for one in rows] == list(TEXTS[:6])
    assert [one["text"][0] for one in rows] == ["'", "'", "'", "a", "N", "'"]
    assert {one["attribution"] for one in rows} == {"'@somebody"}
    assert [one["score"] for one in rows] == ["-5", "", "-3", "-2", "-1", "0"]
    frame = pandas.read_csv(folder / "train.csv", keep_default_na=False, na_values=[""])
    assert frame["text"].str.replace(r"^'", "", regex=True).tolist() == list(TEXTS[:6])
    assert frame["agreement"].fillna(-1).tolist() == [0.9, 0.9, 0.9, 0.9, -1, 0.9]
    assert frame["label"].fillna("").tolist() == ["joy", CLASSES[1], "", CLASSES[1], "joy", CLASSES[1]]
    assert frame["labels"].fillna("").tolist() == ["[]", '["work"]', '["work", "home"]', "", "[]", '["work"]']
    images = [folder / one for one in frame["image"].dropna()]
    assert [path.read_bytes() for path in images] == [Picture(n).bytes() for n in (0, 1, 2, 4, 5)]
    assert (folder / "validation.csv").read_text(encoding="utf-8").count(",'＝1+1,") == 1


@pytest.mark.slow
def test_json_lines_are_read_by_the_datasets_library(exported, tmp_path):
    folder = exported["jsonl"]
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert [of(json.loads(line), *MAIN) for line in lines] == [of(named(n), *MAIN) for n in range(6)]
    plain = datasets.load_dataset("json", data_files=str(folder / "train.jsonl"), cache_dir=tmp_path)
    assert [of(one, *MAIN) for one in plain["train"]] == [of(named(n), *MAIN) for n in range(6)]
    found = datasets.load_dataset(str(folder), cache_dir=tmp_path)  # typed by the card
    assert found["train"].features["label"] == datasets.ClassLabel(names=list(CLASSES))
    assert found["train"]["label"] == [0, 1, None, 1, 0, 1]
    assert found["train"]["labels"] == [[], [0], [0, 1], None, [], [0]]
    assert (found["train"]["licence"], found["test"]["licence"]) == ([None] * 6, ["CC BY 4.0"])
    assert (folder / found["train"][0]["image"]).read_bytes() == Picture(0).bytes()


def test_the_card_and_the_licence_of_each_row_come_along(exported):
    for name, folder in exported.items():
        card = (folder / "README.md").read_text(encoding="utf-8")
        front, _, body = card.partition("\n---\n")
        assert ".parquet" not in front
        assert "license_name: each-post-its-own" in front
        assert f"An export of odd 1.0.0 as {name}" in body
        assert "## Licence and attribution" in body
        assert (said(folder, "classes"), said(folder, "rows")) == (
            list(CLASSES),
            {"train": 5 if name == "imagefolder" else 6, "validation": 2, "test": 1},
        )


def test_the_same_release_gives_the_same_bytes(home, exported, tmp_path):
    for name in FORMATS:
        given = ["odd", "--to", name, "--datasets", str(home), "--out", str(tmp_path / name)]
        assert main(["export", *given]) == 0
        assert contents(tmp_path / name) == contents(exported[name])


def refused(capsys, *given):
    assert main(["export", *given]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0].removeprefix("error: ")


def test_bad_input_is_one_line_and_writes_nothing(home, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    there = ["--datasets", str(home)]
    assert refused(capsys, "od", "--to", "csv", *there) == (
        f"'od' is not built in {str(home)!r} (built: odd): did you mean odd?"
    )
    assert refused(capsys, "../odd", "--to", "csv", *there).startswith("'../odd' is not a dataset's name")
    assert refused(capsys, "odd", "--to", "cvs", *there) == (
        "there is no format 'cvs' to export to; did you mean csv?"
    )
    assert refused(capsys, "odd", "--to", "csv", "--version", "1.0.1", *there) == (
        "'odd' has no version '1.0.1'; it has 1.0.0"
    )
    assert refused(capsys, "odd", "--to", "csv", "--out", "s3://bucket/out", *there) == (
        "--out 's3://bucket/out' is an address: exports are written to a folder"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_never_overwritten(home, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    assert refused(capsys, "odd", "--to", "csv", "--datasets", str(home), "--out", str(out)) == (
        f"{str(out)!r} is there already: remove it, or name another folder"
    )
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine.txt"]


def test_missing_and_damaged_files_are_named(home, tmp_path, capsys):
    shutil.copytree(home, tmp_path / "datasets")
    path = next((tmp_path / "datasets").rglob("test-*.parquet"))
    given = ["odd", "--to", "jsonl", "--datasets", str(tmp_path / "datasets"), "--out", str(tmp_path / "out")]
    path.write_bytes(path.read_bytes()[:-100])
    assert refused(capsys, *given).startswith(f"{str(path)!r} is damaged (")
    path.unlink()
    assert refused(capsys, *given) == (f"{str(path)!r} is missing, though the manifest lists it: build again")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["datasets"]


@pytest.mark.parametrize(
    ("column", "values", "why"),
    [
        (
            "label",
            [2],
            "is damaged: a row has the class 2, and the manifest names 2; affectory verify says what to do",
        ),
        (
            "text",
            pa.array([b"\xff"]).view(pa.string()),
            "Invalid UTF8 sequence at string index 0): restore it from a copy",
        ),
        ("image_index", None, "lacks the column 'image_index': was it written by another tool?"),
    ],
)
def test_a_file_with_other_content_is_one_line(home, tmp_path, capsys, column, values, why):
    shutil.copytree(home, tmp_path / "datasets")
    path = next((tmp_path / "datasets").rglob("test-*.parquet"))
    table = pq.read_table(path)
    place = table.column_names.index(column)
    if values is None:
        for other in path.parent.glob("*.parquet"):
            pq.write_table(pq.read_table(other).remove_column(place), other)
    else:
        pq.write_table(
            table.set_column(place, table.field(place), pa.array(values, table.field(place).type)), path
        )
    given = ["odd", "--to", "jsonl", "--datasets", str(tmp_path / "datasets"), "--out", str(tmp_path / "out")]
    assert why in refused(capsys, *given)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["datasets"]


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_is_one_line_and_leaves_nothing(home, tmp_path, capsys, name):
    with small(tmp_path / "disk", "24k") as disk:
        said = refused(capsys, "odd", "--to", name, "--datasets", str(home), "--out", str(disk / "out"))
        assert list(disk.iterdir()) == []
    assert said.startswith(f"out can't be written to {str(tmp_path / 'disk')!r}: No space left on device;")


def test_a_folder_without_the_right_to_write_is_one_line(home, tmp_path, capsys):
    (tmp_path / "disk").mkdir()
    with read_only(tmp_path / "disk") as disk:
        said = refused(capsys, "odd", "--to", "csv", "--datasets", str(home), "--out", str(disk / "out"))
    assert said.startswith(f"out can't be written to {str(tmp_path / 'disk')!r}: Read-only file system")
