"""The frozen networks that a run's options name."""

import pytest
import torch

from baselines import frozen
from baselines.options import TrainingOptions
from tests.baselines import memory
from tests.encoders.test_hub_encoders import clip


@pytest.mark.slow
def test_states_of_tokens_are_read_before_the_projection_of_a_pair_or_after_it(tmp_path):
    model = clip(tmp_path / "clip")
    wide, narrow = model.text_projection.in_features, model.text_projection.out_features
    assert (wide, narrow) == (16, 12)
    for projected, width in ((False, wide), (True, narrow)):
        options = TrainingOptions(
            "tiny", pair=str(tmp_path / "clip"), features=tmp_path / "cache", projected_states=projected
        )
        found = frozen.texts(options, memory.release(), {"pair_states"}, torch.device("cpu"))
        assert list(found) == ["pair_states"]
        assert found["pair_states"].encode(["a night"]).shape[-1] == width
