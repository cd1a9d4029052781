"""A text encoder that is fine-tuned, on tiny ones with random weights."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from affectory.core.errors import BaselineError
from baselines.models import registry
from tests.baselines.today import BOTH, CPU, PAIR, THREE, data, logits, of_fit
from tests.encoders import test_hub_encoders


def small_encoder(folder):
    """A tiny BERT with a tokenizer of whole words."""
    pytest.importorskip("accelerate", reason="accelerate isn't installed")
    test_hub_encoders.bert(folder / "tiny-bert")
    return str(folder / "tiny-bert")


WORDS = ["so happy", "dark night", "happy day", "a night so dark", "", "day", "so dark", "happy", "a a", "a"]
FOUR = np.array([0, 1, 0, 1, 0, 2, 1, 0, 2, 2])


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOTH)
def test_an_encoder_is_fine_tuned_and_read_without_its_folder(kind, tmp_path):
    folder = small_encoder(tmp_path)
    task, target = (THREE, FOUR) if kind == "single" else (PAIR, np.eye(3, dtype=np.float32)[FOUR][:, :2])
    made = data(task, target, texts=WORDS)
    changes = {"encoder": folder, "epochs": 15, "batch": 4, "lr": 2e-2}
    one, fitted = of_fit("text_transformer", made, tmp_path, seeds=(0, 1), **changes)
    (tmp_path / "tiny-bert").rename(tmp_path / "gone")
    texts = [text for text in WORDS if text]
    found = logits(one, texts)
    rows = [i for i, text in enumerate(WORDS) if text]
    true = torch.as_tensor(target)[rows]
    assert float(task.losses(found, true).mean()) == pytest.approx(-fitted[0].likelihood, abs=1e-5)
    assert task.score(task.probabilities(found), true) == fitted[0].score
    assert 1 <= fitted[0].epoch <= 15
    floats = {value.dtype for value in one.state.values() if value.is_floating_point()}
    assert floats == {torch.float16}
    assert not torch.equal(*(each.state["network.classifier.weight"] for each in fitted))
    assert fitted[0].note.startswith("fine-tuned from tiny-bert, digest ")

    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "gone")  # the tokenizer's own ids, a text at a time
    network = one.network().network
    for row, text in enumerate([*texts, "so happy a day night so dark happy happy happy"]):
        ids = torch.tensor([tokenizer(text, truncation=True)["input_ids"]])
        with torch.inference_mode():
            expected = network(input_ids=ids).logits[0]
        torch.testing.assert_close(logits(one, [text])[0], expected, rtol=0, atol=1e-5)
        if row < len(texts):
            torch.testing.assert_close(found[row], expected, rtol=0, atol=1e-5)

    share = torch.from_numpy(task.hot(true)).float().mean(0)
    without = logits(one, texts, present=False)
    torch.testing.assert_close(task.probabilities(without), share.expand(9, -1), rtol=0, atol=1e-3)
    assert fitted[0].likelihood > -float(task.losses(without, true).mean()) + 0.2  # it has learnt something


@pytest.mark.slow
def test_the_epoch_with_the_lowest_validation_loss_is_kept(tmp_path):
    """Validation says the opposite of training: every epoch makes it worse, and the first is kept."""
    folder = small_encoder(tmp_path)
    made = data(THREE, FOUR, texts=WORDS)
    made = replace(made, validation=made.validation._replace(target=(torch.as_tensor(FOUR) + 1) % 3))
    _, [fitted] = of_fit("text_transformer", made, tmp_path, encoder=folder, epochs=4, batch=4, lr=5e-3)
    assert fitted.epoch == 1


@pytest.mark.slow
def test_a_loss_that_is_no_number_is_a_problem_of_the_seed(tmp_path):
    folder = small_encoder(tmp_path)
    made = data(THREE, FOUR, texts=WORDS)
    spec = registry.spec("text_transformer")
    chosen = spec.settings(encoder=folder, epochs=1, batch=1, lr=1e30)
    fitted = spec.end_to_end(made, chosen, 0, CPU, None)
    assert fitted.problem == "the validation loss was NaN or infinite in every epoch: try an lr below 1e+30"


def test_an_encoder_that_is_not_there_is_one_line(tmp_path):
    pytest.importorskip("accelerate", reason="accelerate isn't installed")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BaselineError) as error:
        of_fit("text_transformer", data(THREE, FOUR, texts=WORDS), tmp_path, encoder=str(tmp_path / "empty"))
    assert "\n" not in str(error.value)
    assert str(error.value).endswith("give its folder with --set text_transformer.encoder=DIR")


def test_without_accelerate_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(BaselineError) as error:
        of_fit("text_transformer", data(THREE, FOUR, texts=WORDS), tmp_path)
    assert str(error.value) == (
        "text_transformer needs Accelerate: pip install 'affectory[finetune]' (or uv sync --extra finetune)"
    )
