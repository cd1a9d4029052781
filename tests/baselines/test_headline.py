"""The headline of a run, and what chance gets."""

import msgspec
import numpy as np
import pytest
import torch

from baselines.data.task import SeveralLabels, SingleLabel
from baselines.results import headline
from baselines.results.formatting import largest
from baselines.results.page.scores import header
from tests.baselines import run_fixture


def test_chance_is_the_trivial_prediction_and_a_uniform_one():
    results = run_fixture.results()
    assert headline.chance(results.dataset, results.trivial, "accuracy") == [
        ("always 'joy'", pytest.approx(112 / 325)),
        ("a uniform guess", 0.25),
    ]
    told = headline.on_chance(results.dataset, results.trivial, results.metrics, "accuracy")
    assert told == "By chance: always 'joy' 34.5%, a uniform guess 25.0%."
    assert headline.chance(results.dataset, results.trivial, "f1_macro") == [("always 'joy'", 0.1281)]


@pytest.mark.parametrize(
    ("task", "metric", "dataset"),
    [
        (SingleLabel(run_fixture.CLASSES), "accuracy", run_fixture.results().dataset),
        (SeveralLabels(run_fixture.LABELS), "f1_weighted", run_fixture.memes().dataset),
    ],
)
def test_the_uniform_score_is_what_random_guesses_get(task, metric, dataset):
    rng, counts = np.random.default_rng(0), list(dataset.counts["test"].values())
    posts, width = dataset.posts["test"], len(dataset.labels)
    if dataset.task == "single":
        target = torch.from_numpy(np.repeat(np.arange(width), counts))
    else:
        columns = [rng.permutation(np.arange(posts) < n) for n in counts]
        target = torch.from_numpy(np.column_stack(columns)).float()
    guesses = torch.from_numpy(rng.random((400, posts, width)))
    simulated = task.metric(metric, guesses, target)(np.ones((1, posts)))[0].mean()
    [*_, (_, uniform)] = headline.chance(dataset, run_fixture.memes().trivial, metric)
    assert uniform == pytest.approx(simulated, abs=0.005)


def test_with_folds_every_post_is_a_test_post():
    dataset = run_fixture.memes().dataset
    split = {name: 3 * n for name, n in dataset.counts["test"].items()}
    folds = msgspec.structs.replace(
        dataset, folds=5, counts={"train": split, "test": split}, posts={"train": 600, "test": 600}
    )
    trivial = run_fixture.memes().trivial
    assert headline.chance(folds, trivial, "f1_weighted") == headline.chance(dataset, trivial, "f1_weighted")


def test_the_page_names_chance_beside_the_best_model():
    assert "has the highest F1 weighted: .741 ± .012" in header(run_fixture.memes())
    assert "By chance: never any label .414, a coin toss for each label .471." in header(run_fixture.memes())
    nothing = run_fixture.results(rows=(run_fixture.row("joint", "Joint fusion (max)"),))
    assert "No model finished. By chance: always &#x27;joy&#x27; 34.5%" in header(nothing)


def test_a_value_is_emphasised_only_where_it_is_written_above_another_and_above_zero():
    assert largest([0.1, 0.3, 0.2], percent=False) == 0.3
    assert largest([0.0, 0.0004], percent=False) is None  # .000 and .000
    assert largest([0.0, 0.0, 0.0], percent=True) is None
    assert largest([0.5, 0.5001], percent=True) is None  # 50.0 and 50.0
    assert largest([0.5], percent=True) is None
    assert largest([], percent=True) is None
    assert largest([-0.0, 0.0006], percent=False) == 0.0006  # .001
