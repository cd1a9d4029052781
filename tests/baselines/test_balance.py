"""Imbalanced sets: weights of classes, and the score that chooses an epoch."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from affectory.core.errors import BaselineError
from affectory.encoders.text.subwords import Ngrams, Subwords
from baselines.data.aim import Aim
from baselines.data.batch import Batch
from baselines.data.inputs import Data
from baselines.data.samplers import Shuffled
from baselines.data.task import SeveralLabels, SingleLabel
from baselines.models.base import (
    BestScore,
    LastEpoch,
    Model,
    Optimiser,
    Spec,
    Stage,
    Term,
    Validation,
    own_terms,
)
from baselines.models.duong2017.fasttext import Line, step
from baselines.models.semimemes2023 import raw_n_cook
from baselines.models.semimemes2023.settings import RawNCookSettings
from baselines.models.today.regression import Posts, fit
from baselines.training import loop, tune
from baselines.training.jobs import Done, stored
from tests.baselines import loops, memory, test_every_model

networks = test_every_model.networks

THREE = SingleLabel(("joy", "fear", "anger"))
TWO = SeveralLabels(("shaming", "violence"))
TARGET = torch.tensor([0, 0, 0, 1, 1, 2])
LABELS = torch.tensor([[1.0, 1], [0, 1], [0, 1], [0, 0]])


def balanced(task, target, select=None):
    return task.aimed(target, balance=True, select=select)


# Weights.


def test_a_class_weighs_the_inverse_of_its_posts_and_the_mean_weight_is_one():
    task = balanced(THREE, TARGET)
    assert task.aim == Aim(((6 / 9, 6 / 6, 6 / 3),))
    assert task.weights(TARGET).flatten().tolist() == pytest.approx([2 / 3] * 3 + [1] * 2 + [2])
    assert float(task.weights(TARGET).mean()) == pytest.approx(1)
    assert THREE.weights(TARGET) is None


def test_of_several_labels_both_sides_of_each_weigh_alike():
    task = balanced(TWO, LABELS)
    assert task.aim == Aim(((4 / 6, 4 / 2), (4 / 2, 4 / 6)))  # negatives, then positives
    weights = task.weights(LABELS)
    assert weights.flatten().tolist() == pytest.approx([2, 2 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3, 2])
    for side in (LABELS > 0, LABELS == 0):
        assert (weights * side).sum(0).tolist() == pytest.approx([2, 2])


def test_a_weighted_loss_is_pytorch_s_but_for_its_division_by_the_sum_of_weights():
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = torch.tensor([2 / 3, 1, 2], dtype=torch.float64)
    batch = TARGET[[0, 3, 5, 5, 1, 2]]
    theirs = nn.CrossEntropyLoss(weight=weights)(logits, batch)
    ours = balanced(THREE, TARGET).losses(logits, batch).mean()
    assert float(ours) == pytest.approx(float(theirs * weights[batch].sum() / 6), abs=1e-7)

    logits, negative = logits[:4, :2], torch.tensor([2 / 3, 2], dtype=torch.float64)
    positive = torch.tensor([2, 2 / 3], dtype=torch.float64)
    theirs = F.binary_cross_entropy_with_logits(
        logits, LABELS.double(), negative, pos_weight=positive / negative, reduction="none"
    )
    ours = balanced(TWO, LABELS).losses(logits, LABELS)
    torch.testing.assert_close(ours, theirs.sum(1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_loss_of_one_network_or_of_a_stack_is_pytorch_s_weighted_one(seeds):
    given = loops.data()
    target = given.train.target.where(torch.arange(60) % 4 > 0, 0)
    given = replace(given, train=given.train._replace(target=target)).aimed(balance=True, select=None)
    spec, settings = loops.registry.spec("image"), loops.PLAIN["image"]
    given = given.of(spec.inputs)
    stack = loop.Stack([loop.new(spec, given, settings, seed) for seed in range(seeds)])
    one = given.train
    losses = stack.losses(one.map(lambda tensor: torch.stack([tensor] * seeds)), own_terms)
    weights = torch.tensor(given.task.aim.weights[0])
    with torch.no_grad():
        logits = stack.logits(one, "y")
    for mine, loss in zip(logits, losses.tolist(), strict=True):
        theirs = nn.CrossEntropyLoss(weight=weights)(mine, target)
        assert loss == pytest.approx(float(theirs * weights[target].mean()), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["single", "several"])
def test_regressions_are_scikit_learn_s_with_balanced_classes(kind):
    from sklearn.linear_model import LogisticRegression

    draw = np.random.default_rng(0)
    features = draw.normal(size=(40, 3))
    rare = np.where(np.arange(40) % 8 == 0, 1, np.where(np.arange(40) % 5 == 0, 2, 0))
    hot = np.stack([rare == 1, rare > 0], 1).astype(np.float32)
    target = torch.from_numpy(rare if kind == "single" else hot)
    layer = fit(Posts(features, target), balanced(THREE if kind == "single" else TWO, target), 1.0, 1000)
    found = layer.logits(features)
    for column, true in enumerate([rare] if kind == "single" else hot.T):
        theirs = LogisticRegression(C=1, max_iter=1000, class_weight="balanced").fit(features, true)
        ours = found if kind == "single" else found[:, column]
        np.testing.assert_allclose(ours, theirs.decision_function(features), rtol=0, atol=1e-3)


def test_a_weighted_step_of_fasttext_is_a_longer_one():
    """Of several labels each label's part of the step has a length of its own."""
    draw = np.random.default_rng(0)
    first, output = (draw.normal(size=size).astype(np.float32) for size in ((4, 2, 5), (2, 3, 5)))
    target, ids = np.array([0, 1, 0], np.float32), np.array([1, 3])
    shares = np.full((2, 1), 0.5, np.float32)

    def after(lr, weight):
        rows, last = first.copy(), output.copy()
        step(Line(ids, shares, target, 3, weight), lr, rows, last)
        return rows, last

    np.testing.assert_array_equal(after(0.2, 2.0)[1], after(0.4, 1.0)[1])
    moved = after(0.2, np.array([0, 2, 1], np.float32))[1] - output
    whole = after(0.2, 1.0)[1] - output
    assert not moved[:, 0].any()
    np.testing.assert_allclose(moved[:, 1], 2 * whole[:, 1], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(moved[:, 2], whole[:, 2])
    subwords = Subwords.fit(["a b"], Ngrams(1, 1, 0, 0, 1))
    assert Line.of(subwords, "a b", target).weight == 1.0


def test_the_distribution_balanced_loss_of_memes_is_weighted_too():
    given = test_every_model.data("several")
    settings = RawNCookSettings(dropout=0.0)
    plain, other = (
        loop.new(raw_n_cook.SPEC, one.of(raw_n_cook.SPEC.inputs), settings, 0)
        for one in (given, given.aimed(balance=True, select=None))
    )
    posts = given.of(raw_n_cook.SPEC.inputs).train
    with torch.no_grad():
        alike = plain.balanced(plain(posts)["y"], posts.target)
        found = float(other.terms(posts)["y"].sum)
    weighted = alike * other.task.weights(posts.target)
    assert not torch.allclose(weighted, alike)
    assert found == pytest.approx(float(weighted.mean(1)[posts.labelled].sum()), rel=1e-5)


@pytest.mark.slow
def test_noise_is_answered_by_the_largest_class_and_balanced_by_all():
    n = 120
    draw = torch.Generator().manual_seed(0)
    target = torch.where(torch.arange(n) % 6 == 0, 1, torch.where(torch.arange(n) % 6 == 1, 2, 0))
    posts = Batch(
        {"image": torch.randn(n, 5, generator=draw)},
        torch.ones(n, 2, dtype=torch.bool),
        target,
        torch.ones(n).bool(),
    )
    given = Data(THREE, posts, posts, {"image": loops.Images(5)}, {"train": [""] * n, "validation": [""] * n})
    settings = replace(loops.PLAIN["image"], epochs=20)
    means = []
    for one in (given, given.aimed(balance=True, select=None)):
        [fitted] = loops.trained("image", one, settings, (0,))
        network = loops.registry.spec("image").build(THREE, given.encoders, settings)
        network.load_state_dict(fitted.state)
        with torch.no_grad():
            means.append(torch.softmax(network.eval()(posts)["y"], -1).mean(0))
    assert means[0][0] > 0.6 > 0.4 > means[1].max()


@pytest.mark.parametrize(
    ("task", "target", "told"),
    [
        (THREE, torch.tensor([0, 2, 2]), "no labelled training post is 'fear'"),
        (TWO, torch.tensor([[1.0, 0], [0, 0]]), "no labelled training post has the label 'violence'"),
        (TWO, torch.tensor([[1.0, 0], [1, 1]]), "every labelled training post has the label 'shaming'"),
    ],
)
def test_a_weight_that_would_be_infinite_is_refused(task, target, told):
    with pytest.raises(BaselineError) as error:
        balanced(task, target)
    assert str(error.value) == (
        f"--balance: {told}, so a weight would be infinite: leave --balance out, or that class out of the "
        "release"
    )


def test_of_several_labels_there_is_no_accuracy_to_select_by():
    with pytest.raises(BaselineError) as error:
        TWO.aimed(LABELS, balance=False, select="accuracy")
    assert str(error.value) == (
        "--select accuracy: there is no accuracy of several labels a post; take likelihood or macro-f1"
    )


# What a training is told of them.


def test_an_aim_is_part_of_the_digest_and_travels_to_other_processes():
    given = memory.data()
    digests = {
        one.digest(("image",))
        for one in (
            given,
            given.aimed(balance=True, select=None),
            given.aimed(balance=False, select="macro-f1"),
            given.aimed(balance=True, select="macro-f1"),
        )
    }
    assert len(digests) == 4
    usual = given.aimed(balance=False, select=None)
    assert usual.digest(("image",)) == given.digest(("image",))
    aimed = given.aimed(balance=True, select="accuracy")
    with stored(aimed) as path:
        again = Data.unpacked(torch.load(path, weights_only=True))
    assert again.task.aim == aimed.task.aim
    assert again.digest(("image",)) == aimed.digest(("image",))


def test_weights_are_those_of_the_labelled_posts_alone():
    given = memory.data()
    labelled = torch.arange(36) % 3 == 0
    labelled[1:3] = True  # 12 posts of joy, and one of each other class
    few = replace(given, train=given.train._replace(labelled=labelled))
    assert few.aimed(balance=True, select=None).task.aim.weights == ((14 / 36, 14 / 3, 14 / 3),)


@pytest.mark.slow
@pytest.mark.parametrize("name", test_every_model.CLASSIFIERS)
def test_every_model_that_is_trained_has_another_network_with_balanced_classes(name, networks):
    given = test_every_model.data("single")
    target = given.train.target.where(torch.arange(48) % 4 > 0, 0)
    given = replace(
        given,
        train=given.train._replace(target=target),
        validation=given.validation._replace(target=target[: test_every_model.LABELLED]),
    )
    settings = test_every_model.quick(name, networks, epochs=2, epoch=2, ae_epochs=1, pretrain_epochs=1)
    states = [
        test_every_model.trained(name, one, settings).state
        for one in (given, given.aimed(balance=True, select="macro-f1"))
    ]
    assert not loops.same(*states)


# The score that chooses.


class Scripted(Model):
    """Answers in each epoch as a table says, float[E, n, C]: one step adds 1 to its only parameter."""

    def __init__(self, task, table):
        super().__init__(task)
        self.epoch = nn.Parameter(torch.zeros(()))
        self.register_buffer("table", table)

    def forward(self, batch):
        return {"y": self.table[round(float(self.epoch)) - 1][batch.inputs["row"]] + 0 * self.epoch}

    def terms(self, batch):
        return {"y": Term(-self.epoch, torch.ones(()))}


#: Ten posts, eight of them joy: what is answered in four epochs, and with how much certainty.
TRUE = torch.tensor([0] * 8 + [1] * 2)
HISTORY = (
    ([1] * 10, 0.1),  # accuracy .2, macro F1 .17, and the highest likelihood
    ([1] * 3 + [0] * 5 + [1] * 2, 20.0),  # .7, .67
    ([0] * 10, 20.0),  # .8, .44
    ([1] * 10, 20.0),
)


def scripted(stopping, select):
    task = SingleLabel(("joy", "fear"))
    table = torch.stack([certainty * F.one_hot(torch.tensor(said), 2) for said, certainty in HISTORY])
    every = torch.ones(10, dtype=torch.bool)
    posts = Batch({"row": torch.arange(10)}, every[:, None].repeat(1, 2), TRUE, every)
    given = Data(task, posts, posts, {}, {}).aimed(balance=False, select=select)
    stage = Stage(len(HISTORY), Shuffled(10), Optimiser("sgd", 1.0), stopping)
    spec = Spec(
        name="scripted",
        title=lambda settings: "Scripted",
        reads=("image", "text"),
        inputs=("row",),
        build=lambda task, encoders, settings: Scripted(task, table),
        stages=lambda settings: (stage,),
    )
    [one] = loop.fit(spec, given, None, [0], torch.device("cpu"))
    return one


@pytest.mark.parametrize("stopping", [LastEpoch(), BestScore(), Validation(1, 0.005)])
def test_the_selected_score_chooses_the_epoch_whatever_the_model_s_own_rule(stopping):
    own = scripted(stopping, None)
    assert own.epoch == {LastEpoch: 4, BestScore: 3, Validation: 1}[type(stopping)]
    assert math.isnan(own.selected)
    kept = {select: scripted(stopping, select) for select in ("likelihood", "accuracy", "macro-f1")}
    assert {select: one.epoch for select, one in kept.items()} == {
        "likelihood": 1,
        "accuracy": 3,
        "macro-f1": 2,
    }
    assert {select: pytest.approx(one.selected) for select, one in kept.items()} == {
        "likelihood": kept["likelihood"].likelihood,
        "accuracy": 0.8,
        "macro-f1": (10 / 13 + 4 / 7) / 2,
    }
    lengths = {select: len(one.history) for select, one in kept.items()}
    patient = isinstance(stopping, Validation)
    assert lengths == {"likelihood": 2 if patient else 4, "accuracy": 4, "macro-f1": 3 if patient else 4}


def test_candidates_of_the_search_are_ranked_by_the_selected_score(tmp_path, monkeypatch):
    """The model's own rule would take the other one: its likelihood is higher."""
    given = memory.data().aimed(balance=False, select="macro-f1")
    sure, right = loops.PLAIN["image"], replace(loops.PLAIN["image"], lr=0.1)
    spec = replace(loops.registry.spec("image"), grid={"lr": (sure.lr, right.lr)})
    monkeypatch.setattr(tune.registry, "spec", lambda name: spec)

    def done(jobs, device):
        for job in jobs:
            scores = (0.5, -0.2, 0.3) if job.settings == sure else (0.4, -0.9, 0.6)
            score, likelihood, selected = scores
            fitted = loop.Fitted(0, {}, 1, score, likelihood, selected=selected)
            yield Done(job, (fitted,), 1.0)

    monkeypatch.setattr(tune, "run", done)
    search = tune.Search(tmp_path, torch.device("cpu"), {})
    assert search.best(given, {"image": sure}) == {"image": right}
