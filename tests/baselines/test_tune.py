from dataclasses import replace
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import torch
from baselines.settings import Settings, TextSettings
from baselines.training.fitting import Ask, late, train_all

from affectory.core.errors import BaselineError
from baselines.data import inputs
from baselines.data.inputs import Images
from baselines.data.release import SPLITS, Part, Release
from baselines.training import tune
from baselines.training.tune import Candidate, Found, grid, search
from tests.baselines import networks

CPU = torch.device("cpu")
CLASSES = ("joy", "fear", "anger")
BASE = {
    "image": Settings(epochs=3, batch=8),
    "text": TextSettings(lr=0.3, epoch=3, dim=4),
}


def part(split, n):
    """n posts whose first word tells the class."""
    number = SPLITS.index(split)
    label = np.arange(n) % 3
    names = np.array([f"reddit:{split}{i}" for i in range(n)])
    texts = np.array([f"{CLASSES[c]} and word{i % 7}" for i, c in enumerate(label)], dtype=object)
    where = np.column_stack([np.full(n, number), np.arange(n)])
    digests = np.array(["0" * 64] * n, dtype=object)
    return Part(names, np.zeros(n, np.int16), texts, label.astype(np.int64), digests, names, where)


def made(shift=0.0):
    """The inputs of a small release in memory."""
    parts = {split: part(split, n) for split, n in zip(SPLITS, (36, 15, 9), strict=True)}
    rng = np.random.default_rng(0)
    features = {
        split: (np.eye(5)[one.labels] * 2 + rng.normal(shift, 1, (len(one), 5))).astype(np.float16)
        for split, one in parts.items()
    }
    rows = SimpleNamespace()  # the library's own: nothing here reads it
    return inputs.prepare(Release("tiny", "1.0.0", CLASSES, parts, rows), Images(5, features), None, 4)


@pytest.fixture
def few(monkeypatch):
    """Three candidates of the image-based model, one of which is hopeless; two of fastText."""
    monkeypatch.setattr(tune, "RATES", (1e-6, 0.2))
    monkeypatch.setattr(tune, "DECAYS", (0.0,))
    monkeypatch.setattr(tune, "NGRAMS", ((1, 0, 0),))
    monkeypatch.setattr(tune, "SCHEDULES", ((1e-6, 1), (0.5, 20)))


def test_the_candidates_are_those_of_the_module():
    base = Settings(hidden=7)
    found = grid("joint", base)
    assert [(one.lr, one.weight_decay, one.word_rate) for one in found] == [
        (lr, decay, words) for lr in tune.RATES for decay in tune.DECAYS for words in tune.WORD_RATES
    ]
    searched = {"lr": base.lr, "weight_decay": base.weight_decay, "word_rate": base.word_rate}
    assert {replace(one, **searched) for one in found} == {base}
    without_words = grid("image", base)
    assert [(one.lr, one.weight_decay) for one in without_words] == [
        (lr, decay) for lr in tune.RATES for decay in tune.DECAYS
    ]
    assert {one.word_rate for one in without_words} == {base.word_rate}
    texts = grid("text", TextSettings(dim=25))
    assert len(texts) == len(tune.NGRAMS) * len(tune.SCHEDULES)
    assert {one.dim for one in texts} == {25}


@pytest.mark.slow
def test_the_best_on_validation_is_taken_and_a_second_search_trains_nothing(few, tmp_path):
    told = []
    chosen = search(made(), BASE, tmp_path, CPU, tell=lambda *one: told.append(one))
    assert sorted(told) == [("image", 1, 2), ("image", 2, 2), ("text", 1, 2), ("text", 2, 2)]
    assert chosen == {
        "image": replace(BASE["image"], lr=0.2),
        "text": replace(BASE["text"], lr=0.5, epoch=20),
    }
    kept = (tmp_path / "tuned.json").read_bytes()
    known = msgspec.json.decode(kept, type=dict[str, Found])
    best, other = known["image"].candidates
    assert best.likelihood > other.likelihood
    assert (best.settings["lr"], best.settings["batch"]) == (0.2, 8)
    best, other = known["text"].candidates
    assert best.accuracy > other.accuracy
    assert [path.name for path in tmp_path.iterdir()] == ["tuned.json"]

    def never(*one):
        raise AssertionError(one)

    assert search(made(), BASE, tmp_path, CPU, tell=never) == chosen
    assert (tmp_path / "tuned.json").read_bytes() == kept
    # Other inputs are another search; each fold has a file of its own.
    search(made(shift=3.0), {"image": BASE["image"]}, tmp_path, CPU, tell=lambda *one: told.append(one))
    assert told[4:] == [("image", 1, 2), ("image", 2, 2)]
    search(made(), {"text": BASE["text"]}, tmp_path, CPU, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tuned-fold1.json", "tuned.json"]


def test_a_search_reads_no_test_post(few, tmp_path):
    whole = made()
    blind = replace(
        whole,
        release=replace(whole.release, parts={s: whole.release.parts[s] for s in SPLITS[:2]}),
        images=Images(5, {}),
        batches={s: whole.batches[s] for s in SPLITS[:2]},
    )
    chosen = search(blind, {"image": BASE["image"]}, tmp_path, CPU)
    assert chosen["image"].lr == 0.2


def test_a_candidate_that_comes_to_no_number_is_the_last_and_is_kept_as_such(few, monkeypatch, tmp_path):
    monkeypatch.setattr(tune, "SCHEDULES", ((1e30, 2), (0.5, 20)))
    told = []
    for _ in range(2):
        chosen = search(made(), {"text": BASE["text"]}, tmp_path, CPU, tell=lambda *one: told.append(one))
        assert (chosen["text"].lr, chosen["text"].epoch) == (0.5, 20)
    assert len(told) == 2
    known = msgspec.json.decode((tmp_path / "tuned.json").read_bytes(), type=dict[str, Found])
    assert known["text"].candidates[1] == Candidate(known["text"].candidates[1].settings, None, None)


def test_a_search_without_any_number_says_so(few, monkeypatch, tmp_path):
    monkeypatch.setattr(tune, "SCHEDULES", ((1e30, 2),))
    with pytest.raises(BaselineError, match=r"^text: no candidate of the search came to a number"):
        search(made(), {"text": BASE["text"]}, tmp_path, CPU)


@pytest.mark.slow
def test_networks_stand_until_something_that_they_depend_on_changes(tmp_path):
    def trained(given, settings=BASE, seeds=(0,)):
        told = []
        ask = Ask(given, settings, seeds, tmp_path, None, CPU)
        found = train_all(ask, lambda one, stood: told.append((one.model, one.seed, stood)))
        return found, sorted(told)

    first, told = trained(made())
    assert told == [("image", 0, False), ("text", 0, False)]
    again, told = trained(made(), seeds=(0, 1))
    assert told == [("image", 0, True), ("image", 1, False), ("text", 0, True), ("text", 1, False)]
    assert [one.seed for one in again["image"]] == [0, 1]
    assert torch.equal(first["image"][0].state["last.weight"], again["image"][0].state["last.weight"])
    other = {**BASE, "text": replace(BASE["text"], lr=0.07)}
    assert trained(made(), other)[1] == [("image", 0, True), ("text", 0, False)]
    assert trained(made(shift=1.0))[1] == [("image", 0, False), ("text", 0, False)]


def test_late_fusion_takes_the_two_classifiers_of_its_seed(tmp_path):
    ask = Ask(made(), BASE, (0, 1), tmp_path, None, CPU)
    images = [networks.checkpoint("image", seed=seed) for seed in (0, 1)]
    texts = [networks.checkpoint("text", seed=seed) for seed in (0, 1)]
    fused = late(ask, images, texts)
    assert [(one.seed, [part.seed for part in one.parts]) for one in fused] == [(0, [0, 0]), (1, [1, 1])]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["late-seed0.pt", "late-seed1.pt"]
    lost = replace(texts[1], problem="its loss became NaN or infinite")
    assert late(ask, images, [texts[0], lost])[1].problem == "its loss became NaN or infinite"
