"""On the sandbox's corpora the order of Duong et al. 2017, Tables 4 and 5, holds beyond its interval."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines.experiment import chosen
from baselines.results import evaluate
from baselines.settings import MODELS, TEXT, Settings
from baselines.training import fitting
from baselines.training.fitting import Ask
from benchmarks import missing

pytestmark = pytest.mark.slow

SEEDS = (0, 1)


@pytest.fixture(scope="module")
def right(tmp_path_factory) -> dict[str, dict[str, np.ndarray]]:
    """For each model and mode, the share of seeds that is right about each test post of eight corpora."""
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for corpus in missing.CORPORA:
        made = missing.drawn(corpus)
        folder = tmp_path_factory.mktemp("checkpoints")
        settings = chosen(MODELS, Settings(), TEXT, made)
        ask = Ask(made, settings, SEEDS, folder, None, torch.device("cpu"))
        networks = fitting.train_all(ask)
        networks["late"] = fitting.late(ask, networks["image"], networks["text"])
        texts, test = list(made.release.parts["test"].texts), made.batches["test"]
        for model, trained in networks.items():
            for mode in evaluate.modes(model):
                answers = [
                    evaluate.probabilities(one.network(), test._replace(tokens=one.tokens(texts)), mode)
                    for one in trained
                ]
                scored = evaluate.answers(model, answers, test.label).right
                found.setdefault(model, {}).setdefault(mode, []).append(scored)
    return {
        model: {mode: np.concatenate(parts) for mode, parts in by_mode.items()}
        for model, by_mode in found.items()
    }


@pytest.mark.parametrize("fusion", ["late", "early", "joint", "common"])
def test_fusion_beats_each_of_its_inputs_beyond_the_interval(right, fusion):
    both = right[fusion]["both"]
    assert missing.interval(both - right["image"]["image"])[0] > 0
    assert missing.interval(both - right["text"]["text"])[0] > 0


def test_common_space_fusion_loses_less_than_joint_fusion_without_an_image_or_a_text(right):
    joint, common = missing.lost(right["joint"]), missing.lost(right["common"])
    assert common.mean() > 0
    assert missing.interval(joint - common)[0] > 0
