"""With our defaults, on corpora 8 to 15, the order of Duong et al. 2017, Tables 4 and 5, holds.

The defaults were chosen on validation posts of corpora 0 to 7 (docs/settings.md).
"""

from __future__ import annotations

import numpy as np
import pytest

from baselines import experiment
from baselines.models import registry
from benchmarks import missing
from benchmarks._corpora import TESTED_ON, drawn, right, train

pytestmark = pytest.mark.slow

SEEDS = (0, 1)


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, np.ndarray]]:
    """For each model and mode, the share of seeds that is right about each test post of eight corpora."""
    models = registry.selected(["duong2017"])
    settings = experiment.chosen(models, {}, {})
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for corpus in TESTED_ON:
        made = drawn(corpus)
        for model, networks in train(made, settings, SEEDS).items():
            for mode in registry.spec(model).modes:
                found.setdefault(model, {}).setdefault(mode, []).append(right(made, networks, mode))
    return {
        model: {mode: np.concatenate(parts) for mode, parts in by_mode.items()}
        for model, by_mode in found.items()
    }


@pytest.mark.parametrize("fusion", ["late", "early", "joint", "common"])
def test_fusion_beats_each_of_its_inputs_beyond_the_interval(answers, fusion):
    both = answers[fusion]["both"]
    assert missing.interval(both - answers["image"]["image"])[0] > 0
    assert missing.interval(both - answers["text"]["text"])[0] > 0


def test_common_space_fusion_loses_less_than_joint_fusion_without_an_image_or_a_text(answers):
    joint, common = missing.lost(answers["joint"]), missing.lost(answers["common"])
    assert common.mean() > 0
    assert missing.interval(joint - common)[0] > 0
