import math
from dataclasses import replace

import msgspec
import pytest
import torch

from affectory.core.errors import BaselineError
from baselines.models import registry
from baselines.models.duong2017 import image as image_model
from baselines.models.duong2017 import text as text_model
from baselines.models.duong2017.settings import GRID, WORD_GRID, CommonSettings, ImageSettings, JointSettings
from baselines.models.duong2017.text import TextSettings
from baselines.training.tune import Candidate, Found, Search, grid
from tests.baselines import memory, toy_model

CPU = torch.device("cpu")
BASE = {
    "image": ImageSettings(epochs=3, batch=8),
    "text": TextSettings(lr=0.3, epoch=3, dim=4, minn=0, maxn=0),
}


def texts(*pairs):
    """fastText's candidates: rates with epochs."""
    return replace(text_model.SPEC, grid=lambda settings: [{"lr": lr, "epoch": epoch} for lr, epoch in pairs])


@pytest.fixture
def few(monkeypatch):
    """Two candidates of the image-based model, one of which is hopeless; two of fastText."""
    rates = {"lr": (1e-6, 0.2)}
    monkeypatch.setattr(image_model, "SPEC", replace(image_model.SPEC, grid=rates))
    monkeypatch.setattr(text_model, "SPEC", texts((1e-6, 1), (0.5, 20)))


def search(folder, fixed=None, tell=lambda *one: None):
    return Search(folder, CPU, {} if fixed is None else fixed, tell)


def test_the_candidates_are_the_product_of_the_spec_s_grid():
    base = JointSettings(hidden=7)
    found = grid(registry.spec("joint"), base)
    assert [(one.lr, one.weight_decay, one.word_rate) for one in found] == [
        (lr, decay, words)
        for lr in WORD_GRID["lr"]
        for decay in WORD_GRID["weight_decay"]
        for words in WORD_GRID["word_rate"]
    ]
    searched = {"lr": base.lr, "weight_decay": base.weight_decay, "word_rate": base.word_rate}
    assert {replace(one, **searched) for one in found} == {base}
    without_words = grid(registry.spec("image"), ImageSettings(batch=3))
    assert [(one.lr, one.weight_decay) for one in without_words] == [
        (lr, decay) for lr in GRID["lr"] for decay in GRID["weight_decay"]
    ]
    assert {one.batch for one in without_words} == {3}
    common = grid(registry.spec("common"), CommonSettings())
    assert {one.lr for one in common} == {lr / 3 for lr in WORD_GRID["lr"]}
    of_text = grid(registry.spec("text"), TextSettings(dim=25))
    assert len(of_text) == 4 * 2
    assert {one.dim for one in of_text} == {25}


def test_a_setting_that_the_user_gives_is_not_searched():
    found = grid(registry.spec("image"), ImageSettings(lr=0.7), ["lr"])
    assert [(one.lr, one.weight_decay) for one in found] == [(0.7, decay) for decay in GRID["weight_decay"]]
    given = grid(registry.spec("text"), TextSettings(epoch=3), ["epoch", "minn", "maxn", "wordNgrams"])
    assert [(one.lr, one.epoch) for one in given] == [(0.5, 3), (0.1, 3), (0.25, 3), (1.0, 3)]
    toys = grid(toy_model.SPEC, toy_model.ToySettings())
    assert [(one.lr, one.agreement) for one in toys] == [(0.001, 0.0), (0.001, 0.1), (0.02, 0.0), (0.02, 0.1)]


#: Rows without candidates: they choose C by validation themselves, or train nothing.
WITHOUT = ("sentence", "clip_image", "clip_text", "clip", "clip_zero_shot")


@pytest.mark.parametrize("name", [name for name in registry.MODELS if registry.spec(name).made_of is None])
def test_every_model_has_candidates_that_its_settings_allow(name):
    spec = registry.spec(name)
    number = len(grid(spec, spec.settings()))
    assert number == 1 if name in WITHOUT else number > 1


@pytest.mark.slow
def test_the_best_on_validation_is_taken_and_a_second_search_trains_nothing(few, tmp_path):
    told = []
    tell = lambda *one: told.append(one)  # noqa: E731
    chosen = search(tmp_path, tell=tell).best(memory.data(), BASE)
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
    assert best.score > other.score
    assert [path.name for path in tmp_path.iterdir()] == ["tuned.json"]

    def never(*one):
        raise AssertionError(one)

    assert search(tmp_path, tell=never).best(memory.data(), BASE) == chosen
    assert (tmp_path / "tuned.json").read_bytes() == kept
    # Other inputs are another search; each fold has a file of its own.
    search(tmp_path, tell=tell).best(memory.data(shift=3.0), {"image": BASE["image"]})
    assert told[4:] == [("image", 1, 2), ("image", 2, 2)]
    search(tmp_path).best(memory.data(), {"text": BASE["text"]}, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tuned-fold1.json", "tuned.json"]


@pytest.mark.slow
def test_candidates_of_several_labels_are_compared_too(few, tmp_path):
    chosen = search(tmp_path).best(memory.data(several=True), BASE)
    assert (chosen["image"].lr, chosen["text"].lr) == (0.2, 0.5)


@pytest.mark.slow
def test_a_setting_that_the_user_gives_is_kept_by_the_search(few, tmp_path):
    base = {"image": replace(BASE["image"], lr=1e-6)}
    assert search(tmp_path, {"image": {"lr": 1e-6}}).best(memory.data(), base) == base


@pytest.mark.slow
def test_a_candidate_whose_loss_becomes_nan_ranks_last_and_is_kept_as_such(few, monkeypatch, tmp_path):
    monkeypatch.setattr(text_model, "SPEC", texts((1e30, 2), (0.5, 20)))
    told = []
    for _ in range(2):
        chosen = search(tmp_path, tell=lambda *one: told.append(one)).best(
            memory.data(), {"text": BASE["text"]}
        )
        assert (chosen["text"].lr, chosen["text"].epoch) == (0.5, 20)
    assert len(told) == 2
    known = msgspec.json.decode((tmp_path / "tuned.json").read_bytes(), type=dict[str, Found])
    assert known["text"].candidates[1] == Candidate(known["text"].candidates[1].settings, None, None)


@pytest.mark.slow
def test_a_search_of_which_every_candidate_fails_says_so(few, monkeypatch, tmp_path):
    monkeypatch.setattr(text_model, "SPEC", texts((1e30, 2)))
    with pytest.raises(BaselineError) as error:
        search(tmp_path).best(memory.data(), {"text": BASE["text"]})
    assert str(error.value) == (
        "--tune: the loss of text became NaN or infinite for every candidate; look at its features, "
        "or try a smaller --set text.lr without --tune"
    )


def test_a_file_of_another_form_is_searched_anew(few, tmp_path):
    (tmp_path / "tuned.json").write_text('{"image": {"lr": 0.1}}')
    assert search(tmp_path).best(memory.data(), {}) == {}
    assert (tmp_path / "tuned.json").read_text() == "{}"


def test_each_model_is_judged_as_its_spec_says():
    """fastText by its score: its likelihood falls while it still gets better. Others select epochs by one."""
    by_score = [name for name in registry.MODELS if registry.spec(name).ranks_by == "score"]
    assert by_score == ["text", "tib_va", "visualbert", "vilt", "lxmert"]
    assert math.isfinite(registry.spec("text").cost)
