"""A model is one file and one line in the registry: the rest of the program takes everything from its spec.

`toy_model.py` is such a file. The fixtures add its line and run the program on a small release, once with one
label a post and once with several.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
import torch

from affectory.core.errors import BaselineError
from affectory.encoders.image.backbones import load_backbone
from baselines import experiment, run
from baselines.data import inputs
from baselines.data.release import Release, load
from baselines.experiment import Fold
from baselines.models import registry
from baselines.models.settings import Described, described
from baselines.plan import Setup
from baselines.predict import Predictor
from baselines.projection import projections
from baselines.results.schema import USUAL, Row, read
from baselines.training import checkpoint
from baselines.training.checkpoint import Source
from baselines.training.tune import Found, Search
from tests.baselines import small, toy_model

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
SEEDS = (0, 1)
MODELS = ("toy", "mean")
GIVEN = ("toy.lr=0.05", "toys.epochs=3", "toy.activation=tanh", "image.epochs=2", "text.epoch=2")
BOTH = {"single": False, "several": True}


@pytest.fixture(scope="module", autouse=True)
def registered():
    """The one line; another for a row that is made of two of ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.MODELS, "toy", toy_model.ENTRY)
        patch.setitem(registry.MODELS, "mean", toy_model.MEAN_ENTRY)
        yield


def test_the_pictures_of_the_model_are_those_of_its_vectors_in_the_colour_of_the_labels(made):
    test, several = made.fold.test, made.release.task.kind == "several"
    found = {one.kind: one for one in projections(made.fold, made.setup)}
    both = (test.digests != "") & (test.texts != "")
    assert {kind: (one.model, one.method, len(one.posts)) for kind, one in found.items()} == {
        "raw": ("toy", "PCA", both.sum()),
        "cooked": ("toy", "PCA", both.sum()),
    }
    network = made.fold.networks["toy", USUAL][0]
    posts = experiment.PartPosts(made.release, made.setup, test.take(both.nonzero()[0]))(network)
    vectors = network.network().pictures(posts)["cooked"].detach().double()
    drawn = torch.tensor(found["cooked"].posts, dtype=torch.float64)
    # Two components can't be farther apart than the vectors, and hold their largest variance.
    assert (torch.pdist(drawn) <= torch.pdist(vectors) + 1e-9).all()
    expected = torch.linalg.svdvals(vectors - vectors.mean(0))[:2]
    torch.testing.assert_close(torch.linalg.svdvals(drawn), expected)
    counts = made.release.counts()["train"]
    for target, label in zip(test.target[both].tolist(), found["raw"].labels, strict=True):
        own = [i for i, there in enumerate(target) if there] if several else [target]
        assert label in own
        assert all(list(counts.values())[label] <= list(counts.values())[i] for i in own)


def post_of(folder: Path, name: str, number: int) -> dict:
    """A test post as the release holds it."""
    [path] = (folder / name / "1.0.0").glob("test-*.parquet")
    return pq.read_table(path).to_pylist()[number]


@dataclass
class Made:
    """What the functions of an experiment made of a release."""

    folder: Path
    release: Release
    setup: Setup
    fold: Fold


@pytest.fixture(scope="module", params=BOTH)
def made(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    small.learnable(folder / "tiny", BOTH[request.param])
    release = load("tiny", folder, cache=folder / "cache")
    backbone = load_backbone("resnet18", "random", side=33)
    settings = experiment.chosen(MODELS, {}, registry.given(GIVEN))
    setup = Setup(
        models=MODELS,
        seeds=SEEDS,
        images={"image": inputs.frozen(release, backbone, folder / "features", CPU)},
        texts={},
        vectors=None,
        width=4,
        sources={"image": Source("resnet18", "random", 33, backbone.digest, backbone.dim)},
        device=CPU,
        folder=folder / "checkpoints",
        preset="affectory",
        tuned=False,
        choose=lambda data, fold, some, condition: {model: settings[model] for model in some},
        corrected=False,  # the heads' own answers are compared
    )
    return Made(folder, release, setup, experiment.fold(release, None, setup))


def test_the_model_is_a_row_with_scores_in_every_mode(made):
    toy, mean = experiment.rows([made.fold], made.setup)
    assert isinstance(toy, Row)
    assert (toy.model, toy.title, toy.family) == ("toy", "Toy (tanh)", "toys")
    assert list(toy.modes) == list(mean.modes) == ["both", "image", "text"]
    for scores in toy.modes.values():
        assert list(scores.metrics) == list(made.release.task.titles)
        assert list(scores.by_label) == ["joy", "fear", "anger"]
        assert all(len(figure.values) == 2 for figure in scores.metrics.values())
    assert toy.settings == {
        "lr": 0.05,
        "epochs": 3,
        "width": 6,
        "decay": 0.9,
        "agreement": 0.1,
        "activation": "tanh",
        "warm": True,
    }
    assert (toy.backbone, toy.weights, toy.vectors) == ("resnet18", "random", "random, 4-d")
    assert (mean.title, toy.stopped, mean.stopped) == ("Mean of two", (), ())
    assert (mean.settings["image.epochs"], mean.settings["text.epoch"]) == (2, 2)
    pair, *others = experiment.pairs([made.fold], made.setup)
    assert [one.mode for one in (pair, *others)] == ["both", "image", "text"]
    assert (pair.first, pair.second, pair.metric) == (0, 1, made.release.task.headline)


def test_each_mode_is_answered_by_the_head_that_the_spec_names(made):
    posts = experiment.PartPosts(made.release, made.setup)
    one = made.fold.networks["toy", USUAL][0]
    network, batch = one.network(), posts(one)
    with torch.no_grad():
        for mode, head in (("both", "seen"), ("image", "seen"), ("text", "told")):
            expected = made.release.task.probabilities(network(batch.only(mode))[head])
            torch.testing.assert_close(made.fold.probabilities[("toy", USUAL), 0, mode], expected)
        other = made.release.task.probabilities(network(batch.only("text"))["seen"])
    assert not torch.allclose(made.fold.probabilities[("toy", USUAL), 0, "text"], other)


def test_every_prediction_is_written(made):
    table = experiment.predictions([made.fold]).to_pylist()
    assert len(table) == 15 * len(SEEDS) * 3 * len(MODELS)
    task = made.release.task
    for row in table:
        probabilities = torch.tensor([row["probabilities"]])
        assert [row["predicted"]] == task.labels(task.decide(probabilities))
        assert row["labels"]
    if task.kind == "several":
        assert any(len(row["labels"]) == 2 for row in table)


def test_a_combined_row_s_probabilities_are_the_mean_of_its_parts(made):
    posts = experiment.PartPosts(made.release, made.setup)
    task = made.release.task
    for seed in SEEDS:
        parts = [made.fold.networks[name, USUAL][seed] for name in ("image", "text")]
        image, text = (task.probabilities(part.logits(posts, "both")) for part in parts)
        there = posts(parts[1]).present
        expected = torch.where(there[:, :1], image, text)
        expected = torch.where(there.all(1, keepdim=True), (image + text) / 2, expected)
        torch.testing.assert_close(made.fold.probabilities[("mean", USUAL), seed, "both"], expected)


def test_its_checkpoint_answers_for_a_post_as_the_run_did(made):
    for model in MODELS:
        predictor = Predictor.load(made.setup.folder / f"{model}-seed1.pt")
        for number in (0, 1):
            post = post_of(made.folder, "tiny", number)
            for mode, given in (
                ("both", {"image": post["image"]["bytes"], "text": post["text"]}),
                ("image", {"image": post["image"]["bytes"]}),
                ("text", {"text": post["text"]}),
            ):
                expected = made.fold.probabilities[(model, USUAL), 1, mode][number].tolist()
                found = predictor(**given)
                assert list(found) == ["joy", "fear", "anger"]
                assert list(found.values()) == pytest.approx(expected, abs=2e-3)
    with pytest.raises(BaselineError) as error:
        Predictor.load(made.setup.folder / "toy-seed0.pt")()
    assert str(error.value) == "the toy model needs image or text: pass --image or --text"


def test_a_second_run_reads_every_network_from_its_checkpoint(made):
    told = []
    setup = replace(made.setup, tell=lambda fold, one, known: told.append((one.model, one.seed, known)))
    again = experiment.fold(made.release, None, setup)
    assert sorted(told) == [(model, seed, True) for model in ("image", "text", "toy") for seed in SEEDS]
    for key, expected in made.fold.probabilities.items():
        assert torch.equal(again.probabilities[key], expected)


def test_it_learns_what_can_be_learnt(made):
    """The release's words and colours tell the class; the trivial prediction is far below."""
    toy, _ = experiment.rows([made.fold], made.setup)
    task = made.release.task
    train = made.release.parts["train"]
    _, trivial = task.trivial(torch.from_numpy(train.target[train.labelled]))
    test = experiment.targets([made.fold])
    least = task.scores(trivial.expand(len(test), -1), test)[task.headline]
    assert toy.modes["both"].metrics[task.headline].mean > least


def test_its_settings_are_searched_by_tune(made, tmp_path):
    told = []
    data = inputs.prepare(made.release, ("image", "words"), made.setup.images, None, 4)
    given = registry.given(["toy.agreement=0.5", "toy.epochs=2"])
    search = Search(tmp_path, CPU, given, lambda *one: told.append(one))
    base = experiment.chosen(["toy"], {}, given)
    chosen = search.best(data, base)
    assert told == [("toy", 1, 2), ("toy", 2, 2)]
    assert (chosen["toy"].agreement, chosen["toy"].epochs) == (0.5, 2)
    known = msgspec.json.decode((tmp_path / "tuned.json").read_bytes(), type=dict[str, Found])
    assert {one.settings["lr"] for one in known["toy"].candidates} == {0.001, 0.02}
    assert known["toy"].candidates[0].settings["lr"] == chosen["toy"].lr


def test_its_settings_are_described_and_refused_as_all_are():
    assert list(described(registry.settings_of("toy"))) == [
        Described("lr", 0.02, "above 0", "learning rate of Adam"),
        Described("epochs", 4, "1 or more", "epochs of the second stage"),
        Described("width", 6, "1 or more", "width of both vectors"),
        Described("decay", 0.9, "above 0 and at most 1", "factor of the learning rate after each epoch"),
        Described("agreement", 0.1, "0 or more", "weight of the term that pulls both heads together"),
        Described("activation", "relu", "relu or tanh", "after the first layer"),
        Described("warm", True, "true or false", "train the heads alone for an epoch first"),
    ]
    for change, said in (
        ("toy.decay=2", "decay = 2.0: it must be above 0 and at most 1"),
        (
            "toy.activaton=relu",
            "--set toy.activaton: toy has no setting 'activaton'; did you mean activation?",
        ),
        ("toyy.lr=1", "there is no model 'toyy'; did you mean toy?"),
        ("mean.lr=1", "--set mean.lr=1: mean has no settings: it is made of two other rows"),
    ):
        with pytest.raises(BaselineError) as error:
            registry.given([change])
        assert str(error.value) == said


def test_no_other_file_names_the_toy_model():
    """What this file promises: nothing in the program knows the model."""
    root = Path(run.__file__).parent
    for path in root.rglob("*.py"):
        assert not re.search(r"\btoys?\b", path.read_text(encoding="utf-8")), path


# The whole command.


@dataclass
class Commanded:
    """A run of the command."""

    folder: Path
    results: Path
    several: bool
    code: int
    out: str
    err: str


def arguments(folder, *more):
    places = [f"--{name}={folder / name}" for name in ("datasets", "cache", "features", "out")]
    network = ["--backbone", "resnet18", "--weights", "random", "--side", "33", "--device", "cpu"]
    return ["tiny", *places, *network, "--width", "4", "--seeds", "3", *more]


@pytest.fixture(scope="module", params=BOTH)
def commanded(request, tmp_path_factory, capsys_module):
    folder = tmp_path_factory.mktemp(f"command-{request.param}")
    small.learnable(folder / "datasets" / "tiny", BOTH[request.param])
    code = run.main(arguments(folder, "--models", "toys", "--set", *GIVEN))
    said = capsys_module()
    return Commanded(folder, folder / "out" / "tiny" / "1.0.0", BOTH[request.param], code, said.out, said.err)


@pytest.fixture(scope="module")
def capsys_module(request):
    """What the process has printed since the last call, for fixtures of a module."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    @dataclass
    class Said:
        out: str
        err: str

    return lambda: Said(*(text or "" for text in capture.read_global_capture()))


def test_the_command_writes_table_page_results_predictions_and_checkpoints(commanded):
    assert commanded.code == 0, commanded.err
    assert sorted(path.name for path in commanded.results.iterdir()) == [
        "checkpoints",
        "predictions.parquet",
        "results.html",
        "results.json",
        "table.md",
    ]
    assert sorted(path.name for path in (commanded.results / "checkpoints").iterdir()) == sorted(
        f"{model}-seed{seed}.pt" for model in ("image", "mean", "text", "toy") for seed in range(3)
    )


def test_table_page_and_terminal_show_the_row_and_its_scores(commanded):
    results = read(commanded.results)
    assert [row.title for row in results.rows] == ["Toy (tanh)", "Mean of two"]
    assert results.dataset.task == ("several" if commanded.several else "single")
    assert results.dataset.unlabelled == 6
    table = (commanded.results / "table.md").read_text()
    page = (commanded.results / "results.html").read_text()
    headline = "f1_weighted" if commanded.several else "accuracy"
    for row in results.rows:
        mean = row.modes["both"].metrics[headline].mean
        shown = f"{100 * mean:.1f}" if headline == "accuracy" else f"{mean:.3f}"[1:]
        for text in (table, page, commanded.out):
            assert row.title in text
            assert shown in text
        assert results.metrics[headline] in table
    assert results.trivial.title in table
    assert str(commanded.results / "results.html") in commanded.out


def test_the_command_tells_of_each_network_on_stderr(commanded):
    told = [line for line in commanded.err.splitlines() if ", validation " in line]
    assert sorted(line.split(":")[0] for line in told) == sorted(
        f"{model} seed {seed}" for model in ("image", "text", "toy") for seed in range(3)
    )


def test_the_command_searches_its_settings(commanded, capsys):
    out = commanded.folder / "tuned"
    more = ["--models", "toy", "--tune", "--set", "toy.epochs=2", "--out", str(out)]
    assert run.main(arguments(commanded.folder, *more)) == 0
    [row] = read(out / "tiny" / "1.0.0").rows
    assert row.tuned
    assert (row.settings["lr"], row.settings["epochs"]) in ((0.001, 2), (0.02, 2))
    assert "toy: 4 candidates tried on validation" in capsys.readouterr().err


def test_the_command_s_checkpoint_answers_for_a_post(commanded):
    post = post_of(commanded.folder / "datasets", "tiny", 0)
    predictor = Predictor.load(commanded.results / "checkpoints" / "toy-seed2.pt")
    rows = pq.read_table(commanded.results / "predictions.parquet").to_pylist()
    [expected] = [
        row["probabilities"]
        for row in rows
        if (row["model"], row["seed"], row["mode"], row["post_id"]) == ("toy", 2, "both", post["post_id"])
    ]
    found = predictor(image=post["image"]["bytes"], text=post["text"])
    assert list(found.values()) == pytest.approx(expected, abs=2e-3)


def test_the_command_refuses_its_settings_in_one_line(commanded, capsys):
    more = ["--models", "toy", "--set", "toy.width=0"]
    assert run.main(arguments(commanded.folder, *more)) == 2
    assert capsys.readouterr().err == "error: width = 0: it must be 1 or more\n"


def test_the_command_gives_it_folds(commanded, capsys):
    more = ["--models", "toy", "--folds", "3", "--seeds", "1", "--set", "toy.epochs=1"]
    assert run.main(arguments(commanded.folder, *more)) == 0
    found = read(commanded.folder / "out" / "tiny" / "1.0.0-folds3")
    assert found.rows[0].modes["both"].metrics
    rows = pq.read_table(commanded.folder / "out" / "tiny" / "1.0.0-folds3" / "predictions.parquet")
    assert set(rows["fold"].to_pylist()) == {0, 1, 2}


@pytest.mark.parametrize("several", [False, True], ids=["single", "several"])
def test_the_command_fine_tunes_it_too(several, tmp_path, monkeypatch):
    monkeypatch.setitem(registry.MODELS, "toy", toy_model.COLD_ENTRY)
    small.learnable(tmp_path / "datasets" / "tiny", several, sizes=(18, 9, 9), unlabelled=3)
    more = ["--models", "toy", "--finetune", "--seeds", "1", "--set", "finetune.epochs=1", "finetune.batch=9"]
    assert run.main(arguments(tmp_path, *more)) == 0
    [row] = read(tmp_path / "out" / "tiny" / "1.0.0-finetuned").rows
    assert list(row.modes) == ["both", "image", "text"]
    assert checkpoint.read(
        tmp_path / "out" / "tiny" / "1.0.0-finetuned" / "checkpoints" / "toy-seed0.pt"
    ).sources()


def test_a_spec_with_two_ways_of_training_or_none_fails_when_its_file_is_imported():
    for way in ({"stages": None}, {"made_of": toy_model.MEAN.made_of}):
        with pytest.raises(AssertionError, match="toy: give one of stages, fit, end_to_end and made_of"):
            replace(toy_model.SPEC, **way)
