from dataclasses import replace

import numpy as np
import pytest
import torch

from affectory.core.errors import BaselineError
from affectory.encoders.text import frozen
from affectory.encoders.text.frozen import FrozenText
from affectory.encoders.text.hub_encoders import compute, load_text_encoder
from tests.encoders.test_hub_encoders import TEXTS, bert, clip

pytestmark = pytest.mark.slow


@pytest.fixture
def loaded(monkeypatch):
    """The networks that were loaded by an encoder."""
    seen = []
    own = frozen.load_text_encoder

    def noted(name, *more, **options):
        seen.append(name)
        return own(name, *more, **options)

    monkeypatch.setattr(frozen, "load_text_encoder", noted)
    frozen._network.cache_clear()
    return seen


def test_texts_of_a_release_are_read_from_the_cache_without_the_network(tmp_path, loaded):
    bert(tmp_path / "bert")
    network = load_text_encoder(str(tmp_path / "bert"))
    encoder = FrozenText.fill([*TEXTS, ""], network, tmp_path / "cache")
    kept = FrozenText.from_state(torch.load(saved(tmp_path, encoder.state()), weights_only=True))
    assert kept == encoder
    assert (kept.width, kept.modality) == (16, "text")
    found = kept.encode(["", *TEXTS])
    assert loaded == []
    assert not found[0].any()
    np.testing.assert_array_equal(found[1:], compute(TEXTS, network))


def saved(folder, state):
    torch.save(state, folder / "state.pt")
    return folder / "state.pt"


def test_a_later_text_is_computed_and_not_kept(tmp_path, loaded):
    bert(tmp_path / "bert")
    network = load_text_encoder(str(tmp_path / "bert"))
    encoder = FrozenText.fill(TEXTS, network, tmp_path / "cache")
    before = sorted(path.name for path in (tmp_path / "cache").rglob("*"))
    found = encoder.encode(["happy night", "night"])
    np.testing.assert_allclose(found, compute(["happy night", "night"], network), rtol=0, atol=1e-3)
    encoder.encode(["so dark"])
    assert loaded == [str(tmp_path / "bert")]
    assert sorted(path.name for path in (tmp_path / "cache").rglob("*")) == before
    gone = replace(encoder, cache=str(tmp_path / "gone"))
    np.testing.assert_allclose(gone.encode(TEXTS), encoder.encode(TEXTS), rtol=0, atol=1e-3)
    assert not (tmp_path / "gone").exists()


def test_states_have_a_row_for_each_token_and_a_mask(tmp_path):
    clip(tmp_path / "clip")
    network = load_text_encoder(str(tmp_path / "clip"), output="states")
    encoder = FrozenText.fill(TEXTS, network, tmp_path / "cache")
    texts = ["night", "", "so dark"]
    found = encoder.encode(texts)
    assert found.shape == (3, 9, 16)
    assert found[:2].any((1, 2)).tolist() == [True, False]
    assert encoder.mask(texts).sum(1).tolist() == [3, 0, 4]


def test_another_network_in_the_same_folder_is_refused(tmp_path, loaded):
    bert(tmp_path / "bert")
    encoder = FrozenText.fill(TEXTS, load_text_encoder(str(tmp_path / "bert")), tmp_path / "cache")
    bert(tmp_path / "bert", seed=1)
    assert encoder.encode(TEXTS).shape == (4, 16)
    with pytest.raises(BaselineError, match=r"the text network in '.*' is .*, that of training "):
        encoder.encode(["so dark"])
