"""The models of Pagé Fortin and Chaib-draa 2019 against float64 references, post by post."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from affectory.core.errors import BaselineError
from baselines.data.batch import Batch
from baselines.data.inputs import Data
from baselines.models import registry
from baselines.models.base import total
from baselines.models.pagefortin2019.layers import TextualNetwork
from baselines.models.pagefortin2019.settings import MultitaskSettings, TextSettings
from baselines.training.checkpoint import Checkpoint, read
from baselines.training.loop import fit
from tests.baselines import reference
from tests.baselines import reference_multitask as by_hand

CPU = torch.device("cpu")
MODELS = ("si", "st", "sm", "cv_ct_cm")
GAPS = [[1, 1], [1, 0], [0, 1], [0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]
MASKS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=6)


def numbers(model):
    return {name: value.detach().numpy() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_those_of_the_formulas_for_every_mix_of_present_and_absent(name):
    model, batch = by_hand.network(name), by_hand.posts(8, present=GAPS)
    expected = by_hand.logits(name, numbers(model), batch, by_hand.SETTINGS[name])
    found = model(batch)
    assert found.keys() == expected.keys()
    for head, logits in found.items():
        np.testing.assert_allclose(logits.detach().numpy(), expected[head], rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", ["both", "image", "text"])
def test_every_mode_is_answered_by_its_own_classifier(mode):
    """Cm reads both, Cv the image, Ct the text; where one is missing Cm gives the other's answer."""
    spec, model = registry.spec("cv_ct_cm"), by_hand.network("cv_ct_cm")
    batch = by_hand.posts(8, present=GAPS)
    values, chosen = numbers(model), by_hand.SETTINGS["cv_ct_cm"]
    expected = by_hand.logits("cv_ct_cm", values, batch, chosen)
    found = model(batch.only(mode))[spec.heads[mode]].detach().numpy()
    head = {"both": "m", "image": "v", "text": "t"}[mode]
    np.testing.assert_allclose(found, expected[head], rtol=0, atol=1e-12)
    assert spec.names == {"both": "Cm", "image": "Cv", "text": "Ct"}
    if mode == "both":
        np.testing.assert_array_equal(found[[3, 7]], np.zeros((2, 3)))
        np.testing.assert_allclose(found[1], expected["v"][1], rtol=0, atol=1e-12)
        np.testing.assert_allclose(found[2], expected["t"][2], rtol=0, atol=1e-12)


def test_an_absent_modality_enters_sm_as_zeros():
    model, batch = by_hand.network("sm"), by_hand.posts(3)
    values = numbers(model)
    for mode, column in (("image", 0), ("text", 1)):
        found = model(batch.only(mode))["y"].detach().numpy()
        for row, (image, tokens, _, _) in enumerate(by_hand.of_posts(batch)):
            parts = [np.zeros(6), np.zeros(6)]
            parts[column] = (
                by_hand.textual(values, tokens, by_hand.SETTINGS["sm"])
                if column
                else by_hand.visual(values, image.numpy())
            )
            expected = by_hand.classified(values, "classify", np.concatenate(parts))
            np.testing.assert_allclose(found[row], expected, rtol=0, atol=1e-12)
    assert registry.spec("sm").names == {"both": "SM", "image": "SM_I", "text": "SM_T"}


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(present=MASKS, several=st.booleans(), unlabelled=st.sets(st.integers(0, 5)), seed=st.integers(0, 9))
def test_masked_loss_and_gradients_are_those_of_the_formula_post_by_post(present, several, unlabelled, seed):
    """For any mix of pairs, image-only, text-only, empty and unlabelled posts."""
    n = len(present)
    unlabelled = {row for row in unlabelled if row < n}
    task = reference.SEVERAL if several else reference.SINGLE
    batch = by_hand.posts(n, seed, present, several, unlabelled)
    model, chosen = by_hand.network("cv_ct_cm", seed, task), by_hand.SETTINGS["cv_ct_cm"]
    found = total(model.terms(batch))
    own = by_hand.leaves(model)
    expected = by_hand.loss(own, batch, chosen)
    if not torch.is_tensor(expected):  # no labelled post has anything
        assert found == expected == 0
        return
    np.testing.assert_allclose(found.item(), expected.item(), rtol=1e-10, atol=1e-12)
    found.backward()
    expected.backward()
    for name, parameter in model.named_parameters():
        left = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        right = torch.zeros_like(parameter) if own[name].grad is None else own[name].grad
        if name == "textual.lookup.weight":
            right[0] = 0  # the row of the padding isn't trained
        torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-10, msg=name)


@pytest.mark.parametrize("several", [False, True], ids=["single", "several"])
def test_gradients_are_finite_differences_of_the_loss(several):
    task = reference.SEVERAL if several else reference.SINGLE
    batch = by_hand.posts(8, 3, GAPS, several, unlabelled=(4,))
    model = by_hand.network("cv_ct_cm", 3, task)
    total(model.terms(batch)).backward()
    rng, step = np.random.default_rng(0), 1e-6
    for name, parameter in model.named_parameters():
        for place in rng.integers(0, parameter.numel(), 4):
            if name == "textual.lookup.weight" and place < by_hand.WIDTH:
                continue  # of the padding
            flat, losses = parameter.data.view(-1), []
            before = flat[place].item()
            for moved in (before + step, before - step):
                flat[place] = moved
                losses.append(total(model.terms(batch)).item())
            flat[place] = before
            slope = (losses[0] - losses[1]) / (2 * step)
            assert parameter.grad.view(-1)[place].item() == pytest.approx(slope, rel=1e-4, abs=1e-6), name


class Calls:
    """Counts the rows that each network is run on."""

    def __init__(self, model):
        self.rows = {}
        for name in ("visual", "textual", "cv", "ct", "cm"):
            self.rows[name] = []
            getattr(model, name).register_forward_hook(
                lambda module, inputs, output, name=name: self.rows[name].append(len(output))
            )


@pytest.mark.parametrize(
    ("present", "run", "unused"),
    [
        ([[1, 1], [1, 1]], {"visual": [2], "textual": [2], "cv": [2], "ct": [2], "cm": [2]}, ()),
        (
            [[1, 0], [1, 0]],
            {"visual": [2], "textual": [], "cv": [2], "ct": [], "cm": []},
            ("textual", "ct", "cm"),
        ),
        (
            [[0, 1], [0, 1]],
            {"visual": [], "textual": [2], "cv": [], "ct": [2], "cm": []},
            ("visual", "cv", "cm"),
        ),
        ([[1, 0], [0, 1]], {"visual": [1], "textual": [1], "cv": [1], "ct": [1], "cm": []}, ("cm",)),
        (
            [[1, 0], [1, 1], [0, 1], [1, 0]],
            {"visual": [3], "textual": [2], "cv": [3], "ct": [2], "cm": [1]},
            (),
        ),
    ],
)
def test_the_network_of_an_absent_modality_is_never_run_and_the_batch_still_trains(present, run, unused):
    model, batch = by_hand.network("cv_ct_cm").train(), by_hand.posts(len(present), present=present)
    calls = Calls(model)
    loss = total(model.terms(batch))
    loss.backward()
    assert loss.isfinite()
    assert calls.rows == run
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == (name.partition(".")[0] in unused), name
        assert parameter.grad is None or parameter.grad.isfinite().all()


@pytest.mark.parametrize(("name", "network"), [("si", "visual"), ("st", "textual")])
def test_a_single_task_model_runs_its_network_on_the_posts_that_have_its_modality(name, network):
    model, batch = by_hand.network(name), by_hand.posts(8, present=GAPS)
    rows = []
    getattr(model, network).register_forward_hook(lambda module, inputs, output: rows.append(len(output)))
    model(batch)
    model(batch.only("text" if name == "si" else "image"))
    assert rows == [4]


# The convolutions.


def test_the_textual_network_is_the_same_however_many_texts_it_reads_at_once(monkeypatch):
    model, batch = by_hand.network("st"), by_hand.posts(9)
    whole = model(batch)["y"]
    monkeypatch.setattr("baselines.models.pagefortin2019.layers.CHUNK", 2)
    torch.testing.assert_close(model(batch)["y"], whole, rtol=0, atol=1e-12)
    for row in range(9):
        torch.testing.assert_close(model(batch.slice(row, row + 1))["y"][0], whole[row], rtol=0, atol=1e-12)


def test_the_networks_have_the_papers_sizes():
    chosen = MultitaskSettings()
    made = by_hand.encoders()
    made["cased_words"] = replace(made["cased_words"], start=np.zeros((9, 300), np.float32))
    model = registry.spec("cv_ct_cm").build(reference.SINGLE, made, chosen)
    shapes = {name: tuple(value.shape) for name, value in model.named_parameters()}
    assert shapes["visual.last.weight"] == (300, by_hand.FEATURES)
    assert [shapes[f"textual.convolutions.weights.{i}"] for i in range(3)] == [
        (3, 100, 300),
        (4, 100, 300),
        (5, 100, 300),
    ]
    assert shapes["textual.last.weight"] == (300, 900)
    assert [shapes[f"cv.{i}.weight"] for i in (0, 2, 4)] == [(224, 300), (128, 224), (3, 128)]
    assert [shapes[f"cm.{i}.weight"] for i in (0, 2, 4)] == [(224, 600), (128, 224), (3, 128)]
    assert (chosen.dropout, chosen.alpha_v, chosen.alpha_t, chosen.alpha_m) == (0.25, 1, 1, 1)
    library = nn.Conv1d(300, 100, 3)
    weight = model.textual.convolutions.weights[0]
    assert weight.abs().max().item() == pytest.approx(library.weight.abs().max().item(), rel=0.01)


def test_word_vectors_can_be_fixed_and_take_in_later_words():
    model = by_hand.network("st")
    assert isinstance(model.textual, TextualNetwork)
    batch = by_hand.posts(4)
    before = model(batch)["y"]
    model.add_words(torch.full((2, by_hand.WIDTH), 100.0))
    assert torch.equal(model(batch)["y"], before)
    [stage] = registry.spec("st").stages(TextSettings(word_rate=0))
    assert [(group.part, group.lr) for group in stage.optimiser.groups] == [("lookup", 0)]


def test_filters_without_a_width_are_refused():
    with pytest.raises(BaselineError) as error:
        TextSettings(narrowest=6)
    assert str(error.value) == "narrowest = 6 is above widest = 5: there is no filter"


# Training.


def learnable(n=32, several=False, present=None):
    """Posts of which image and text tell the class, each alone, in the inputs of a small vocabulary."""
    batch = by_hand.posts(n, several=several, present=present)
    rng = np.random.default_rng(0)
    centres, target = rng.normal(0, 3, (3, by_hand.FEATURES)), batch.target.numpy()
    hot = target if several else np.eye(3)[target]
    image = hot @ centres + rng.normal(0, 0.3, (n, by_hand.FEATURES))
    tokens = np.zeros((n, 6), np.int64)
    for row in range(n):
        cues = [1 + i for i in np.flatnonzero(hot[row])]
        tokens[row, :6] = [*cues, *rng.integers(4, by_hand.WORDS, 6 - len(cues))]
    inputs = {"image": torch.from_numpy(image).half(), "cased_words": torch.from_numpy(tokens)}
    return batch._replace(inputs=inputs)


def data(batch, task, inputs=("image", "cased_words")):
    every = by_hand.encoders()
    words = replace(every["cased_words"], start=every["cased_words"].start.astype(np.float32))
    every["cased_words"] = words
    texts = {"train": [""] * batch.size, "validation": [""] * batch.size}
    return Data(task, batch, batch, every, texts).of(inputs)


def quick(name):
    """Settings with which a small network learns by heart."""
    own = {"lr": 0.01, "batch": 8, "epochs": 40, "patience": 40, "hidden": 24, "first": 16, "second": 16}
    text = {} if name == "si" else {"filters": 16, "dropout": 0.0}
    return replace(by_hand.SETTINGS[name], **own, **text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "present", [[[1, 0]] * 32, [[0, 1]] * 32, GAPS * 4], ids=["images", "texts", "mixed"]
)
def test_the_multitask_model_learns_from_images_or_texts_alone_and_from_any_mix(present):
    """Of the posts with neither no step is made, and Cm says nothing of them."""
    spec, chosen = registry.spec("cv_ct_cm"), quick("cv_ct_cm")
    batch = learnable(present=present)
    [one] = fit(spec, data(batch, reference.SINGLE), chosen, [0], CPU)
    model = spec.build(reference.SINGLE, data(batch, reference.SINGLE).encoders, chosen).eval()
    model.load_state_dict(one.state)
    with torch.no_grad():
        found = model(batch)
    for head, held in (("v", batch.present[:, 0]), ("t", batch.present[:, 1]), ("m", batch.present.any(1))):
        assert (found[head].argmax(1) == batch.target)[held].all(), head


@pytest.mark.slow
def test_the_same_seed_gives_the_same_network_and_dropout_is_drawn():
    spec, made = registry.spec("cv_ct_cm"), data(learnable(), reference.SINGLE)
    chosen = replace(by_hand.SETTINGS["cv_ct_cm"], epochs=2)
    one, again, other = (fit(spec, made, chosen, [seed], CPU)[0] for seed in (0, 0, 1))
    assert all(torch.equal(one.state[name], again.state[name]) for name in one.state)
    assert not torch.equal(one.state["cm.0.weight"], other.state["cm.0.weight"])


def test_validation_is_judged_by_cm():
    assert registry.spec("cv_ct_cm").heads["both"] == "m"
    assert {name: registry.spec(name).posts for name in (*MODELS, "l_fus")} == {
        "si": "pairs",
        "st": "pairs",
        "sm": "pairs",
        "cv_ct_cm": "both ways",
        "l_fus": "pairs",
    }


# Checkpoints.


def checkpoint(name, task=reference.SINGLE):
    spec, model = registry.spec(name), by_hand.network(name, task=task).float()
    states = {key: one.state() for key, one in by_hand.encoders().items() if key in spec.inputs}
    return Checkpoint(name, task, by_hand.SETTINGS[name], 0, model.state_dict(), states)


def of_checkpoint(batch):
    """Posts with the inputs that a network reads."""

    def posts(one):
        inputs = {name: batch.inputs[name] for name in one.encoders}
        if "image" in inputs:
            inputs["image"] = inputs["image"].float()
        return Batch(inputs, *batch[1:])

    return posts


@pytest.mark.parametrize("mode", ["both", "image", "text"])
@pytest.mark.parametrize("task", [reference.SINGLE, reference.SEVERAL], ids=["single", "several"])
def test_late_fusion_is_the_mean_of_both_and_one_classifier_where_the_other_s_modality_is_missing(task, mode):
    parts = checkpoint("si", task), checkpoint("st", task)
    fused = Checkpoint("l_fus", task, None, 0, {}, parts=parts)
    batch = by_hand.posts(8, present=GAPS)
    posts = of_checkpoint(batch)
    image, text = (task.probabilities(part.logits(posts, mode)).numpy() for part in parts)
    found = task.probabilities(fused.logits(posts, mode)).numpy()
    prior = 1 / 3 if task.kind == "single" else 0.5
    for row, (seen, told) in enumerate(batch.only(mode).present.tolist()):
        there = [one[row] for one, held in ((image, seen), (text, told)) if held]
        expected = np.mean(there, axis=0) if there else np.full(3, prior)
        np.testing.assert_allclose(found[row], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_a_network_says_the_same_when_its_checkpoint_is_read(name, tmp_path):
    one, batch = checkpoint(name), by_hand.posts(8, present=GAPS)
    one.write(tmp_path / "one.pt")
    again = read(tmp_path / "one.pt")
    assert again.settings == by_hand.SETTINGS[name]
    assert all(encoder.cased for key, encoder in again.loaded_encoders().items() if key == "cased_words")
    for mode in one.spec.modes:
        posts = of_checkpoint(batch)
        assert torch.equal(again.logits(posts, mode), one.logits(posts, mode))
