"""`affectory compare`: two runs of the baselines side by side."""

import json
import shutil

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affectory.cli import main
from baselines.data.metrics import post_mean
from baselines.results import statistics
from baselines.results.schema import PREDICTIONS, Dataset
from baselines.results.two_runs import options_of
from tests.baselines import missing_fixture, run_fixture
from tests.baselines.run_fixture import CLASSES, row

POSTS, SEEDS = 60, 3
#: Every third post has a near-duplicate before it.
GROUPS = [f"g{n - (n % 3 == 2)}" for n in range(POSTS)]


def right(number, share):
    """Which posts each seed of a run answers rightly, bool[seeds, posts]."""
    return np.random.default_rng(number).random((SEEDS, POSTS)) < share


def predictions(answers, posts=range(POSTS), classes=CLASSES, groups=GROUPS):
    """The rows of a file: by model and mode, which posts each seed answers rightly."""
    rows = []
    for (model, mode), by_seed in answers.items():
        for seed, one in enumerate(by_seed):
            for n in posts:
                true = CLASSES[n % 4]
                said = true if one[n] else CLASSES[(n + 1) % 4]
                rows.append(
                    {
                        "post_id": f"reddit:{n:03}",
                        "image_index": 0,
                        "group": groups[n] if groups else None,
                        "labels": [true],
                        "model": model,
                        "condition": "",
                        "seed": seed,
                        "mode": mode,
                        "predicted": [said],
                        "probabilities": [0.7 if name == said else 0.1 for name in classes],
                    }
                )
    return pa.Table.from_pylist(rows[::-1], PREDICTIONS)


FIRST = {
    ("image", "both"): right(1, 0.5),
    ("early", "both"): right(2, 0.6),
    ("early", "image"): right(5, 0.4),
    ("early", "text"): right(3, 0.4),
}
SECOND = {**FIRST, ("early", "both"): right(4, 0.95), ("image", "both"): FIRST["image", "both"].copy()}
SECOND["image", "both"][0, :2] ^= True


def make(folder, answers, classes=CLASSES, table=None, **changes):
    """Write a run whose scores are those of its predictions."""

    def mean(model, mode):
        return float(np.mean(answers[model, mode])) if (model, mode) in answers else None

    rows = (
        row("image", "Image-based", mean("image", "both"), image=mean("image", "both"), seeds=SEEDS),
        row(
            "early", "Early fusion", *(mean("early", mode) for mode in ("both", "image", "text")), seeds=SEEDS
        ),
    )
    dataset = Dataset(
        name="reddit-emotion",
        version="1.0.0",
        task="single",
        labels=classes,
        counts={},
        posts={"train": 480, "validation": 60, "test": POSTS},
    )
    known = run_fixture.results(**({"dataset": dataset, "rows": rows, "pairs": ()} | changes))
    folder.mkdir(parents=True)
    known.write(folder)
    pq.write_table(
        predictions(answers, classes=classes) if table is None else table, folder / "predictions.parquet"
    )
    return folder


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    make(tmp_path / "results" / "reddit-emotion" / "1.0.0", FIRST)
    return tmp_path


ONE, OTHER = "results/reddit-emotion/1.0.0", "results/reddit-emotion/1.0.0-gold"


TABLE = """\
1  results/reddit-emotion/1.0.0: reddit-emotion 1.0.0, 60 test posts, 2026-11-22
2  results/reddit-emotion/1.0.0-gold: reddit-emotion 1.0.0, 60 test posts,
2026-11-22

Of 4 rows in both runs, run 2 has a higher accuracy in 1 and a lower one in none
(Holm's p at most .05); the other 3 may be due to chance.

Accuracy %
Model                  1           2  2 − 1    95% interval  Holm's p
─────────────────────────────────────────────────────────────────────
Image-based   48.9 ± 1.2  50.0 ± 1.2   +1.1    −3.8 to +6.0     1.000
Early fusion  58.3 ± 1.2  93.3 ± 1.2  +35.0  +30.7 to +39.3      .004

Accuracy %, image only
Model                  1           2  2 − 1  95% interval  Holm's p
───────────────────────────────────────────────────────────────────
Early fusion  38.3 ± 1.2  38.3 ± 1.2   ±0.0  ±0.0 to ±0.0     1.000

Accuracy %, text only
Model                  1           2  2 − 1  95% interval  Holm's p
───────────────────────────────────────────────────────────────────
Early fusion  40.6 ± 1.2  40.6 ± 1.2   ±0.0  ±0.0 to ±0.0     1.000
± is the 95% interval over seeds. The difference, its 95% interval and p are
those of the paired bootstrap over seeds and test posts; Holm's p is the p
corrected for the number of rows.

Settings that differ: 1 → 2
--seeds         – → 3
--balance       – → given
package: numpy  – → 2.4.0
"""


def changed(table, name, value):
    rows = [{**row, name: value(row)} for row in table.to_pylist()]
    return pa.Table.from_pylist(rows, PREDICTIONS)


def test_rows_have_the_difference_and_the_interval_of_the_paired_bootstrap(runs, capsys):
    make(runs / OTHER, SECOND)
    assert main(["compare", ONE, f"{OTHER}/results.json", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["unpaired"] == "" and found["grouped"]
    by_row = {(one["model"], one["mode"]): one for one in found["rows"]}
    assert list(by_row) == list(FIRST)
    for place, one in by_row.items():
        drawn = [post_mean(answers[place].astype(float)) for answers in (FIRST, SECOND)]
        wanted = statistics.compare(*statistics.resample(drawn, GROUPS))
        assert one["difference"] == pytest.approx(wanted.difference)
        assert one["interval"] == {"low": pytest.approx(wanted.low), "high": pytest.approx(wanted.high)}
        assert (one["p"], one["seeds"]) == (pytest.approx(wanted.p), SEEDS)
    assert by_row["early", "both"]["p_holm"] < 0.05 < by_row["image", "both"]["p_holm"]


def test_the_table_fits_80_columns_and_says_what_differs(runs, capsys):
    command = "affectory run reddit-emotion --seeds 3 --balance --out elsewhere"
    make(runs / OTHER, SECOND, tools={"torch": "2.15.0", "numpy": "2.4.0"}, command=command)
    assert main(["compare", ONE, OTHER]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert [line.rstrip() for line in out.splitlines()] == TABLE.splitlines()


def test_a_setting_that_is_too_long_for_a_line_has_a_line_for_each_run(runs, capsys):
    path = f"/{'weights/' * 8}a.pth"
    make(runs / OTHER, FIRST, command=f"affectory run reddit-emotion --weights {path} --select accuracy")
    assert main(["compare", ONE, OTHER]) == 0
    assert capsys.readouterr().out.endswith(
        f"1 → 2\n--weights\n  1  –\n  2  {path}\n--select   – → accuracy\n"
    )


def test_the_options_of_a_command_are_known_by_name():
    command = (
        "python -m baselines.run --as_trained met-meme --set joint.lr=0.1 text.epoch=5 --out=x --seeds=3"
    )
    assert options_of(command, "met-meme") == {
        "--as-trained": "given",
        "--set": "joint.lr=0.1 text.epoch=5",
        "--seeds": "3",
    }
    assert options_of("affectory run a --gold it's.csv", "a") == {"--gold": "it's.csv"}


def test_equal_runs_differ_in_nothing(runs, capsys):
    assert main(["compare", ONE, ONE]) == 0
    out = capsys.readouterr().out
    assert "a higher accuracy in none and a lower one in none" in " ".join(out.split())
    assert out.endswith("No settings differ.\n")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda table: table.filter(pa.compute.not_equal(table["post_id"], "reddit:007")),
            "1 of the 60 test posts of run 1 and 0 of the 59 of run 2 are in that run alone",
        ),
        (
            lambda table: changed(
                table, "labels", lambda row: ["fear"] if row["post_id"] == "reddit:000" else row["labels"]
            ),
            "the labels of 1 of the 60 test posts differ",
        ),
        (lambda table: table.slice(0, 0), "run 2 has no predictions of these rows"),
    ],
)
def test_runs_on_other_posts_have_differences_without_intervals_and_the_reason(runs, capsys, change, why):
    make(runs / OTHER, SECOND, table=change(predictions(SECOND)))
    assert main(["compare", ONE, OTHER]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"4 rows in both runs; no intervals, because {why}." in out
    assert "95% interval" not in out.replace("± is the 95% interval over seeds.", "")


def test_missing_predictions_are_a_reason_too(runs, capsys):
    shutil.copytree(runs / ONE, runs / OTHER)
    (runs / OTHER / "predictions.parquet").unlink()
    assert main(["compare", ONE, OTHER]) == 0
    assert "no intervals, because run 2 has no predictions.parquet." in " ".join(
        capsys.readouterr().out.split()
    )


def test_runs_without_groups_say_that_near_duplicates_count_as_separate_posts(runs, capsys):
    old = predictions(FIRST, groups=None).drop_columns("group")
    for name in ("a", "b"):
        make(runs / "results" / "old" / name, FIRST, table=old)
    assert main(["compare", "results/old/a", "results/old/b"]) == 0
    assert "Near-duplicates count as separate posts" in " ".join(capsys.readouterr().out.split())


def test_classes_in_another_order_are_the_same_classes(runs, capsys):
    make(runs / OTHER, FIRST, classes=CLASSES[::-1])
    assert main(["compare", ONE, OTHER, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["difference"] for one in found["rows"]] == [0, 0, 0, 0]
    assert [one["interval"] for one in found["rows"]] == [{"low": 0, "high": 0}] * 4


def test_seeds_that_only_one_run_has_are_left_out_of_both(runs, capsys):
    table = predictions(SECOND)
    make(runs / OTHER, SECOND, table=table.filter(pa.compute.not_equal(table["seed"], 2)))
    assert main(["compare", ONE, OTHER, "--json"]) == 0
    one = json.loads(capsys.readouterr().out)["rows"][1]
    expected = (SECOND["early", "both"][:2].mean() - FIRST["early", "both"][:2].mean()).item()
    assert (one["seeds"], one["interval"]) == (2, None)
    assert main(["compare", ONE, OTHER]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "no intervals: they need three seeds in both runs and ten groups of test posts." in text
    assert one["difference"] == pytest.approx(expected)


def test_without_an_interval_over_seeds_none_is_explained(runs, capsys):
    rows = (row("image", "Image-based", 0.5, image=0.5, seeds=2),)
    for name in ("a", "b"):
        make(runs / "results" / "two" / name, FIRST, rows=rows)
    assert main(["compare", "results/two/a", "results/two/b"]) == 0
    assert "interval over seeds" not in " ".join(capsys.readouterr().out.split())


def test_a_row_of_one_run_is_named_with_its_score(runs, capsys):
    late = row("late", "Late fusion", 0.8254, seeds=SEEDS)
    base = run_fixture.results().rows
    make(runs / OTHER, FIRST)
    found = json.loads((runs / OTHER / "results.json").read_bytes())
    found["rows"] = [*found["rows"], json.loads(msgspec.json.encode(late))]
    (runs / OTHER / "results.json").write_text(json.dumps(found))
    assert len(base) == 6
    assert main(["compare", ONE, OTHER]) == 0
    assert "Only in 2: Late fusion 82.5" in capsys.readouterr().out


def test_a_page_and_a_file_are_written_and_the_index_links_them(runs, capsys):
    make(runs / OTHER, SECOND)
    (runs / ONE / "results.html").write_text("")
    out = runs / "results" / "compare" / "gold"
    assert main(["compare", ONE, OTHER, "--out", "results/compare/gold"]) == 0
    assert capsys.readouterr().out.endswith("page      results/compare/gold/compare.html\n")
    page = (out / "compare.html").read_text()
    assert '<a href="../../reddit-emotion/1.0.0/results.html">' in page
    assert '<a href="../../index.html">all results</a>' in page
    assert sorted(path.name for path in out.iterdir()) == ["compare.html", "compare.json"]
    index = (runs / "results" / "index.html").read_text()
    assert 'href="compare/gold/compare.html">reddit-emotion 1.0.0 and reddit-emotion 1.0.0-gold</a>' in index
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert main(["compare", ONE, OTHER, "--out", "results/compare/gold"]) == 0
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_outside_of_results_no_index_is_written(runs, capsys):
    assert main(["compare", ONE, ONE, "--out", "elsewhere/a"]) == 0
    assert sorted(path.name for path in (runs / "elsewhere").rglob("*")) == [
        "a",
        "compare.html",
        "compare.json",
    ]
    assert '"../../index.html"' not in (runs / "elsewhere" / "a" / "compare.html").read_text()


def refused(capsys, *arguments):
    assert main(["compare", *map(str, arguments)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    [line] = told.err.splitlines()
    return line


def test_what_is_no_run_is_one_line_with_the_next_step(runs, capsys):
    (runs / "notes.txt").write_text("none")
    (runs / "empty").mkdir()
    missing_fixture.make(runs / "results" / "x" / "1.0.0-missing")
    assert refused(capsys, ONE, "nowhere") == (
        "error: there is no folder 'nowhere': name one that affectory run has written"
    )
    assert refused(capsys, "empty", ONE) == (
        "error: there are no results in 'empty': affectory run NAME writes them"
    )
    assert refused(capsys, "results", ONE) == (
        f"error: there are no results in 'results': name one of its runs, such as '{ONE}'"
    )
    assert refused(capsys, ONE, "notes.txt") == (
        "error: 'notes.txt' is not a results.json: name one, or its folder results/NAME/VERSION"
    )
    assert refused(capsys, ONE, "results/x/1.0.0-missing") == (
        "error: 'results/x/1.0.0-missing' has the results of affectory missing: name those of affectory run"
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"schema": 2', "can't be read (Input data was truncated): repeat the command that wrote it"),
        (b"\xff\xfe", "can't be read"),
        (b'{"schema": 1}', "has schema 1, and this program reads 2: repeat the command that wrote it"),
        (b'{"schema": 2, "rows": 3}', "can't be read"),
    ],
)
def test_a_damaged_file_is_one_line(runs, capsys, content, why):
    (runs / "bad").mkdir()
    (runs / "bad" / "results.json").write_bytes(content)
    line = refused(capsys, ONE, "bad")
    assert line.startswith("error: 'bad/results.json' ") and why in line


def test_damaged_predictions_are_one_line(runs, capsys):
    make(runs / OTHER, SECOND)
    (runs / OTHER / "predictions.parquet").write_bytes(b"PAR1 and no more")
    assert refused(capsys, ONE, OTHER).endswith("repeat the run's command")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda table: table.drop_columns("labels"), "labels"),
        (lambda table: changed(table, "labels", lambda row: None), "'labels' is missing in some rows"),
        (lambda table: changed(table, "labels", lambda row: ["awe\n"]), "has a label 'awe\\n'"),
        (lambda table: changed(table, "post_id", lambda row: None), "'post_id' is missing in some rows"),
        (lambda table: changed(table, "seed", lambda row: None), "'seed' is missing in some rows"),
        (
            lambda table: table.drop_columns("probabilities").append_column(
                "probabilities", pa.array(["0.7"] * len(table))
            ),
            "from string to list",
        ),
        (lambda table: pa.concat_tables([table, table]), "has some predictions twice"),
    ],
)
def test_predictions_with_other_columns_types_holes_or_copies_are_one_line(runs, capsys, change, why):
    make(runs / OTHER, SECOND, table=change(predictions(SECOND)))
    line = refused(capsys, ONE, OTHER)
    assert f"'{OTHER}/predictions.parquet'" in line and why in line
    assert line.endswith("repeat the run's command")


def test_other_tasks_and_classes_are_one_line(runs, capsys):
    run_fixture.make_memes(runs / "results" / "mami" / "1.0.0")
    make(runs / OTHER, FIRST, classes=("joy", "fear", "anger", "awe"))
    assert refused(capsys, ONE, "results/mami/1.0.0") == (
        f"error: '{ONE}' predicts one label per post and 'results/mami/1.0.0' several labels per post: "
        "compare runs of one task"
    )
    assert refused(capsys, ONE, OTHER) == (
        f"error: '{ONE}' and '{OTHER}' have other classes (only one has awe, disgust): compare runs of the "
        "same classes"
    )


def test_a_folder_that_cant_be_written_is_one_line(runs, capsys):
    (runs / "file").write_text("")
    assert refused(capsys, ONE, ONE, "--out", "file") == "error: --out 'file' is not a folder: name one"
    assert refused(capsys, ONE, ONE, "--out", "s3://bucket/x").startswith(
        "error: 's3://bucket/x' is an address"
    )
