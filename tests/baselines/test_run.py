import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from baselines import run
from baselines.data.release import SPLITS
from baselines.models import registry
from baselines.predict import Predictor
from baselines.results.schema import read
from tests.baselines import small

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MODELS = registry.selected(["duong2017"])
SEEDS = 2


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a small release, in which all six models have been run as a user does."""
    folder = tmp_path_factory.mktemp("run")
    small.sandbox(folder / "datasets")
    (folder / "datasets" / "reddit-emotion" / "1.0.0" / "report.html").write_text("a report")
    done = command(folder)
    assert done.returncode == 0, done.stderr
    (folder / "stdout.txt").write_text(done.stdout)
    (folder / "stderr.txt").write_text(done.stderr)
    return folder


#: Settings that shorten the training.
QUICK = ("duong2017.epochs=3", "duong2017.epoch=3")


def arguments(folder, *more, settings=()):
    places = [f"--{name}={folder / name}" for name in ("datasets", "cache", "features", "out")]
    network = ["--backbone", "resnet18", "--weights", "random", "--side", "33", "--device", "cpu"]
    quick = ["--set", *QUICK, *settings, "--seeds", str(SEEDS)]
    return ["reddit-emotion", *places, *network, *quick, *more]


def command(folder, *more):
    return subprocess.run(
        [sys.executable, "-m", "baselines.run", *arguments(folder, *more)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def refused(capsys, arguments):
    """Run in this process what must end with one line and exit code 2; return the line."""
    assert run.main([str(one) for one in arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    [line] = told.err.splitlines()
    return line


def test_a_run_leaves_results_tables_page_predictions_and_a_checkpoint_each(home):
    folder = home / "out" / "reddit-emotion" / "1.0.0"
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoints",
        "predictions.parquet",
        "results.html",
        "results.json",
        "table.md",
    ]
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == sorted(
        f"{model}-seed{seed}.pt" for model in MODELS for seed in range(SEEDS)
    )


def test_scores_are_those_of_the_predictions(home):
    folder = home / "out" / "reddit-emotion" / "1.0.0"
    results, rows = read(folder), pq.read_table(folder / "predictions.parquet").to_pylist()
    assert [row.model for row in results.rows] == list(MODELS)
    tests = sum(results.dataset.counts["test"].values())
    assert tests > 10
    for row in results.rows:
        for mode, scores in row.modes.items():
            by_seed = []
            for seed in range(SEEDS):
                mine = [
                    one for one in rows if (one["model"], one["mode"], one["seed"]) == (row.model, mode, seed)
                ]
                assert len(mine) == tests
                by_seed.append(sum(one["predicted"] == one["labels"] for one in mine) / tests)
            assert list(scores.metrics["accuracy"].values) == pytest.approx(by_seed, abs=1e-6)
            counted = sum(sum(row.values()) for row in scores.confusion.values())
            assert counted == pytest.approx(tests)
    assert len(rows) == tests * SEEDS * sum(len(row.modes) for row in results.rows)


def test_predictions_are_the_most_likely_class_of_the_release_s_own_labels(home):
    folder = home / "out" / "reddit-emotion" / "1.0.0"
    [path] = (home / "datasets" / "reddit-emotion" / "1.0.0").glob("test-*.parquet")
    classes = read(folder).dataset.labels
    labels = {
        row["post_id"]: classes[row["label"]]
        for row in pq.read_table(path, columns=["post_id", "label"]).to_pylist()
    }
    for one in pq.read_table(folder / "predictions.parquet").to_pylist():
        assert one["labels"] == [labels[one["post_id"]]]
        assert one["predicted"] == [classes[one["probabilities"].index(max(one["probabilities"]))]]
        assert sum(one["probabilities"]) == pytest.approx(1, abs=1e-5)
        assert one["fold"] is None


def test_late_fusion_s_predictions_are_the_product_of_the_two_classifiers(home):
    rows = pq.read_table(home / "out" / "reddit-emotion" / "1.0.0" / "predictions.parquet").to_pylist()
    by = {(one["model"], one["seed"], one["mode"], one["post_id"]): one["probabilities"] for one in rows}
    late = [key for key in by if key[0] == "late" and key[2] == "both"]
    assert late
    for _, seed, _, post in late:
        product = [
            a * b
            for a, b in zip(by["image", seed, "image", post], by["text", seed, "text", post], strict=True)
        ]
        expected = [value / sum(product) for value in product]
        assert by["late", seed, "both", post] == pytest.approx(expected, abs=1e-5)


def test_table_page_and_terminal_show_the_results(home):
    folder = home / "out" / "reddit-emotion" / "1.0.0"
    results = read(folder)
    table, page = (folder / "table.md").read_text(), (folder / "results.html").read_text()
    shown = (home / "stdout.txt").read_text()
    for row in results.rows:
        accuracy = f"{100 * row.modes['both'].metrics['accuracy'].mean:.1f}"  # two seeds have no interval
        line = next(line for line in table.splitlines() if line.startswith(f"| {row.title}"))
        assert accuracy in line
        assert accuracy in shown
        assert row.title in page
        if row.model != "text":
            assert (row.backbone, row.weights) == ("resnet18", "random")
            assert any("random" in told for told in row.differs)
    assert str(folder / "results.html") in shown


def test_the_index_leads_to_the_run_and_to_the_report_of_the_release(home):
    page = (home / "out" / "index.html").read_text()
    assert '<a href="reddit-emotion/1.0.0/results.html">reddit-emotion 1.0.0</a>' in page
    assert '<a href="../datasets/reddit-emotion/1.0.0/report.html">report</a>' in page
    folder = home / "out" / "reddit-emotion" / "1.0.0"
    assert (folder / read(folder).report).is_file()


def test_networks_that_are_trained_by_epochs_have_losses_and_posts_their_groups(home):
    folder = home / "out" / "reddit-emotion" / "1.0.0"
    lengths = {row.model: [len(one) for one in row.losses] for row in read(folder).rows}
    histories = {row.model: [len(one) for one in row.history] for row in read(folder).rows}
    assert lengths == histories and lengths["text"] == lengths["late"] == [0] * SEEDS
    assert min(lengths["joint"]) > 1
    assert pq.read_table(folder / "predictions.parquet", columns=["group"])["group"].null_count == 0


def test_the_run_tells_of_each_network_on_stderr(home):
    lines = (home / "stderr.txt").read_text().splitlines()
    told = [line for line in lines if ", validation " in line]
    assert sorted(line.split(":")[0] for line in told) == sorted(
        f"{model} seed {seed}" for model in MODELS if model != "late" for seed in range(SEEDS)
    )


def test_a_second_run_trains_and_extracts_nothing_and_finds_the_same(home, capsys):
    folder = home / "out" / "reddit-emotion" / "1.0.0"
    kept = [*(folder / "checkpoints").glob("*"), *(home / "features").rglob("pack-*")]
    kept = [path for path in kept if not path.name.startswith("late")]  # written anew, but never trained
    before = {path: path.stat().st_mtime_ns for path in kept}
    first, predictions = read(folder), (folder / "predictions.parquet").read_bytes()
    assert run.main(arguments(home)) == 0
    said = capsys.readouterr().err
    told = [line for line in said.splitlines() if ", validation " in line]
    assert len(told) == SEEDS * 5
    assert all(line.endswith("from its checkpoint") for line in told)
    assert "images/s" not in said
    assert {path: path.stat().st_mtime_ns for path in kept} == before
    again = read(folder)
    assert (again.rows, again.pairs, again.projections) == (first.rows, first.pairs, first.projections)
    assert (folder / "predictions.parquet").read_bytes() == predictions


def test_a_checkpoint_answers_for_a_post_as_the_run_did(home):
    folder = home / "out" / "reddit-emotion" / "1.0.0"
    [path] = (home / "datasets" / "reddit-emotion" / "1.0.0").glob("test-*.parquet")
    post = pq.read_table(path).slice(3, 1).to_pylist()[0]
    picture = home / "post.jpg"
    picture.write_bytes(post["image"]["bytes"])
    rows = pq.read_table(folder / "predictions.parquet").to_pylist()
    for model in ("late", "common"):
        predictor = Predictor.load(folder / "checkpoints" / f"{model}-seed1.pt")
        for mode, given in (
            ("both", {"image": picture, "text": post["text"]}),
            ("image", {"image": picture}),
            ("text", {"text": post["text"]}),
        ):
            [expected] = [
                one["probabilities"]
                for one in rows
                if (one["model"], one["seed"], one["mode"], one["post_id"])
                == (model, 1, mode, post["post_id"])
            ]
            assert list(predictor(**given).values()) == pytest.approx(expected, abs=2e-3)


def test_a_run_that_lost_checkpoints_trains_just_those(home, tmp_path, capsys):
    folder = home / "out" / "reddit-emotion" / "1.0.0" / "checkpoints"
    lost = folder / "joint-seed1.pt"
    before = lost.read_bytes()
    lost.unlink()
    (folder / "early-seed0.pt").write_bytes(b"half a file")
    assert run.main(arguments(home)) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.endswith(" s")]
    assert sorted(line.split(":")[0] for line in told) == ["early seed 0", "joint seed 1"]
    assert same_numbers(lost, before, tmp_path)


def same_numbers(path, content, tmp_path):
    import torch

    (tmp_path / "before.pt").write_bytes(content)
    one, other = (
        torch.load(at, weights_only=True)["checkpoint"]["state"] for at in (path, tmp_path / "before.pt")
    )
    return all(torch.equal(one[name], other[name]) for name in one | other)


def test_networks_that_come_to_no_number_are_given_up_and_said_so(home, tmp_path, capsys):
    """The image-based model has one layer: it saturates, and its loss stays a number."""
    more = ["--models", "image", "joint", "--out", str(tmp_path)]
    assert (
        run.main(
            arguments(home, *more, settings=["image.lr=1e30", "joint.lr=1e30", "duong2017.weight_decay=0"])
        )
        == 1
    )
    told = capsys.readouterr()
    for seed in range(SEEDS):
        said = f"joint seed {seed}: given up: the loss became NaN or infinite in epoch 1: try a smaller"
        assert said in told.err
    image, joint = read(tmp_path / "reddit-emotion" / "1.0.0").rows
    assert [one.seed for one in joint.stopped] == list(range(SEEDS))
    assert (joint.modes, image.stopped) == ({}, ())
    assert "Stopped: seeds 0, 1 of Joint fusion (max): the loss became NaN or infinite" in told.out


def test_a_run_whose_every_network_is_given_up_says_so_too(home, tmp_path, capsys):
    more = ["--models", "early", "--out", str(tmp_path)]
    assert run.main(arguments(home, *more, settings=["early.lr=1e30"])) == 1
    assert "early seed 1: given up" in capsys.readouterr().err
    assert pq.read_table(tmp_path / "reddit-emotion" / "1.0.0" / "predictions.parquet").num_rows == 0


def test_folds_score_every_post_once_a_seed(home, capsys):
    more = ["--models", "early", "--folds", "3"]
    assert run.main(arguments(home, *more)) == 0
    folder = home / "out" / "reddit-emotion" / "1.0.0-folds3"
    rows = pq.read_table(folder / "predictions.parquet", filters=[("mode", "=", "both")]).to_pylist()
    posts = sum(sum(counts.values()) for counts in read(folder).dataset.counts.values())
    for seed in range(SEEDS):
        mine = [row["post_id"] for row in rows if row["seed"] == seed]
        assert len(mine) == len(set(mine)) == posts
    assert {row["fold"] for row in rows} == {0, 1, 2}
    assert f"{posts} test posts, 2 seeds, 3 folds" in capsys.readouterr().out
    [row] = read(folder).rows
    assert len(row.history) == len(row.losses) == 6  # 3 folds, 2 seeds each
    assert "the median over seeds and folds" in (folder / "results.html").read_text()


def test_an_unknown_dataset_names_those_that_are_built(home, capsys):
    places = [f"--{name}={home / name}" for name in ("datasets", "cache", "features", "out")]
    line = refused(capsys, ["redit", *places])
    assert line == (
        f"error: 'redit' is not built in '{home / 'datasets'}' (built: reddit-emotion): "
        "there is no recipe of that name either; the recipes are flickr-emotion, "
        "flickr-emotion-multitask, mami, met-meme, reddit-emotion, "
        "reddit-emotion-strict, reddit-emotion-text, sandbox-memes, vso"
    )


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--device", "tpu"], "error: --device 'tpu' is not available: this machine has cpu"),
        (["--folds", "2"], "error: --folds 2 is below 3: each fold is the test set once"),
        (["--seeds", "0"], "error: --seeds 0 is below 1"),
        (["--width", "1"], "error: --width 1 is below 2"),
        (["--width", "50", "--vectors", __file__], "error: --width 50 has no effect with --vectors"),
        (["--models", "joimt"], "error: there is no model 'joimt'; did you mean joint?"),
        (["--preset", "duong"], "error: there is no --preset 'duong'; did you mean duong2017?"),
        (["--task", "several"], "has one label a post, and no column `labels`"),
        (["--version", "9.9.9"], "has no version '9.9.9': it has 1.0.0"),
        (["--backbone", "mobilnet_v2"], "mobilenet_v2"),
        (["--weights", "no/such.pth"], "no/such.pth"),
        (["--vectors", "no/such.txt"], "error: --vectors 'no/such.txt' is not a file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(home, capsys, more, told):
    assert told in refused(capsys, arguments(home, *more))


@pytest.mark.parametrize(
    ("models", "post", "missing"),
    [
        (("sm", "cv_ct_cm"), {"text": "a day"}, "images"),
        (("st", "cv_ct_cm"), {"image": small.png(1, 2, 3), "image_sha256": "0" * 64}, "texts"),
    ],
)
def test_a_release_of_one_modality_is_one_line_where_no_model_reads_it(
    models, post, missing, tmp_path, capsys
):
    splits = {
        split: [post | {"post_id": f"reddit:{split}{label}", "label": label} for label in (0, 1)]
        for split in SPLITS
    }
    small.release(tmp_path / "datasets" / "half", splits)
    places = [f"--{name}={tmp_path / name}" for name in ("datasets", "cache", "features", "out")]
    assert run.main(["half", *places, "--device", "cpu", "--models", *models]) == 2
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"left out: {model}: half 1.0.0 has no {missing}" for model in models]
    assert said.err.splitlines()[-1:] == [f"error: none of {', '.join(models)} can be trained on half"]


def test_vectors_of_another_format_name_the_line(home, tmp_path, capsys):
    path = tmp_path / "vectors.txt"
    path.write_text("the 0.1 0.2 0.3\nof 0.4 0.5\n")
    line = refused(capsys, arguments(home, "--vectors", str(path)))
    assert line == (
        f"error: '{path}', line 2: 2 values after 'of', and 3 in the lines before; "
        "every line is a word and its vector, spaces between"
    )


def test_help_fits_one_screen(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        run.main(["--help"])
    assert len(capsys.readouterr().out.splitlines()) <= 50


def test_help_imports_no_torch():
    program = (
        "import sys\nfrom baselines import missing, predict, run\n"
        "for main in (run.main, missing.main, predict.main):\n"
        "    try:\n        main(['--help'])\n    except SystemExit as end:\n        assert not end.code\n"
        "print(sorted({'torch', 'pyarrow', 'numpy', 'datasets', 'PIL', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "CHECKPOINT" in done.stdout
