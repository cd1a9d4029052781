import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from affectory.core.errors import BaselineError
from affectory.encoders.feature_cache import caches
from affectory.encoders.text import hub_encoders
from affectory.encoders.text.hub_encoders import compute, features, load_text_encoder, token_states

pytestmark = pytest.mark.slow

WORDS = ("so", "happy", "a", "day", "dark", "night")
TEXTS = ["so happy a day", "night", "a dark dark night so dark", "so happy a day"]
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def tokenizer(folder, first, last, **more):
    """Write a tokenizer of whole words that puts two signs around a text."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    signs = ("[PAD]", "[UNK]", first, last)
    vocabulary = {word: i for i, word in enumerate((*signs, *WORDS))}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(sign, vocabulary[sign]) for sign in (first, last)]
    made.post_processor = processors.TemplateProcessing(single=f"{first} $A {last}", special_tokens=ends)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": first, "eos_token": last}
    PreTrainedTokenizerFast(tokenizer_object=made, **names, **more).save_pretrained(folder)
    return vocabulary


def bert(folder, seed=0):
    from transformers import BertConfig, BertModel

    vocabulary = tokenizer(folder, "[CLS]", "[SEP]", model_max_length=8)
    torch.manual_seed(seed)
    model = BertModel(BertConfig(vocab_size=len(vocabulary), max_position_embeddings=12, **SMALL)).eval()
    model.save_pretrained(folder)
    return model


def clip(folder, width=12):
    from transformers import CLIPConfig, CLIPModel

    vocabulary = tokenizer(folder, "<s>", "</s>", model_max_length=9)
    torch.manual_seed(0)
    text = SMALL | {"vocab_size": len(vocabulary), "max_position_embeddings": 9, "eos_token_id": 3}
    vision = SMALL | {"image_size": 32, "patch_size": 8}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=width)
    model = CLIPModel(config).eval()
    model.save_pretrained(folder)
    return model


def sentence_folder(folder, pooling, *, normalise):
    """Write what sentence-transformers writes beside the model."""
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")] + [("2_Normalize", "Normalize")] * normalise
    listed = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in modules]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "sentence_bert_config.json").write_text(
        json.dumps({"max_seq_length": 5, "do_lower_case": True})
    )
    (folder / "1_Pooling").mkdir()
    told = {
        "word_embedding_dimension": 16,
        "pooling_mode_mean_tokens": False,
        "pooling_mode_cls_token": False,
    }
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(told | {pooling: True}))


def states_of(model, ids):
    """The states of one text by the model itself, without padding."""
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids])).last_hidden_state[0]


# [CLS] so happy a day [SEP], [CLS] night [SEP], and eight tokens of the third: the model's longest text.
IDS = ([2, 4, 5, 6, 7, 3], [2, 9, 3], [2, 6, 8, 8, 9, 4, 8, 3])


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_features_are_the_mean_of_the_tokens_or_the_first_without_padding(tmp_path, pooling):
    model = bert(tmp_path / "bert")
    network = load_text_encoder(str(tmp_path / "bert"), pooling=pooling)
    found = compute(TEXTS, network)
    each = [states_of(model, ids) for ids in (*IDS, IDS[0])]
    expected = torch.stack([one.mean(0) if pooling == "mean" else one[0] for one in each])
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=2e-3)


def test_a_sentence_encoder_is_pooled_normalised_and_cut_as_its_folder_states(tmp_path):
    model = bert(tmp_path / "bert")
    sentence_folder(tmp_path / "bert", "pooling_mode_mean_tokens", normalise=True)
    network = load_text_encoder(str(tmp_path / "bert"))
    assert (network.reading.tokens, network.reading.lower) == (5, True)
    found = compute(["So HAPPY a day"], network)
    mean = states_of(model, [2, 4, 5, 6, 3]).mean(0)
    np.testing.assert_allclose(found[0], (mean / mean.norm()).numpy(), rtol=0, atol=1e-3)


def test_a_sentence_encoder_may_take_the_first_token_and_keep_the_norm(tmp_path):
    model = bert(tmp_path / "bert")
    sentence_folder(tmp_path / "bert", "pooling_mode_cls_token", normalise=False)
    found = compute(["night"], load_text_encoder(str(tmp_path / "bert")))
    np.testing.assert_allclose(found[0], states_of(model, IDS[1])[0].numpy(), rtol=0, atol=2e-3)


def test_another_way_of_pooling_is_refused(tmp_path):
    bert(tmp_path / "bert")
    sentence_folder(tmp_path / "bert", "pooling_mode_max_tokens", normalise=False)
    with pytest.raises(BaselineError, match="pools by pooling_mode_max_tokens; only mean and CLS"):
        load_text_encoder(str(tmp_path / "bert"))


def test_clip_gives_the_projected_features_as_they_come(tmp_path):
    model = clip(tmp_path / "clip")
    network = load_text_encoder(str(tmp_path / "clip"))
    assert network.width == 12
    with torch.inference_mode():
        states = model.text_model(input_ids=torch.tensor([IDS[0]]))
        expected = model.text_projection(states.pooler_output)[0]
    found = compute(TEXTS, network)
    np.testing.assert_allclose(found[0], expected.numpy(), rtol=0, atol=2e-3)
    assert (found[0] == found[3]).all()


def test_siglip_reads_the_padding_that_it_was_trained_with(tmp_path):
    from transformers import SiglipConfig, SiglipModel

    vocabulary = tokenizer(tmp_path, "<s>", "</s>", model_max_length=7)
    torch.manual_seed(0)
    text = SMALL | {"vocab_size": len(vocabulary), "max_position_embeddings": 7, "projection_size": 16}
    vision = SMALL | {"image_size": 32, "patch_size": 8}
    model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).eval()
    model.save_pretrained(tmp_path)
    found = compute(["night"], load_text_encoder(str(tmp_path)))
    with torch.inference_mode():
        out = model.text_model(input_ids=torch.tensor([[*IDS[1], 0, 0, 0, 0]]))
    np.testing.assert_allclose(found[0], out.pooler_output[0].numpy(), rtol=0, atol=2e-3)


@pytest.mark.parametrize("projected", [False, True])
def test_the_states_of_tokens_come_with_a_mask(tmp_path, projected):
    model = clip(tmp_path / "clip")
    output = "projected states" if projected else "states"
    network = load_text_encoder(str(tmp_path / "clip"), output=output)
    found, mask = token_states(TEXTS, network, tmp_path / "cache")
    assert found.shape == (4, 9, 12 if projected else 16)
    assert mask.sum(1).tolist() == [6, 3, 8, 6]
    states = states_of(model.text_model, IDS[1])
    with torch.inference_mode():
        expected = model.text_projection(states) if projected else states
    np.testing.assert_allclose(found[1, :3], expected.numpy(), rtol=0, atol=4e-3)


@pytest.fixture
def computed(monkeypatch):
    """The texts that were run through a network."""
    seen = []
    own = hub_encoders.compute

    def noted(texts, *more):
        seen.extend(texts)
        return own(texts, *more)

    monkeypatch.setattr(hub_encoders, "compute", noted)
    return seen


def test_each_text_is_run_once_and_kept_by_weights_tokenizer_and_pooling(tmp_path, computed):
    bert(tmp_path / "bert")
    network = load_text_encoder(str(tmp_path / "bert"))
    found = features(TEXTS, network, tmp_path / "cache")
    assert sorted(computed) == sorted(set(TEXTS))
    again = features(["night", *TEXTS, "new"], network, tmp_path / "cache")
    assert computed[3:] == ["new"]
    np.testing.assert_array_equal(again[1:5], found)
    np.testing.assert_array_equal(again[0], found[1])
    assert isinstance(again, np.memmap)
    cls = load_text_encoder(str(tmp_path / "bert"), pooling="cls")
    bert(tmp_path / "other", seed=1)
    other = load_text_encoder(str(tmp_path / "other"))
    shorter = load_text_encoder(str(tmp_path / "bert"), tokens=4)
    assert len({one.key for one in (network, replace(other, name=network.name), cls, shorter)}) == 4
    assert [cache.folder.name for cache in caches(tmp_path / "cache")] == [network.key]
    assert features([], network, tmp_path / "cache").shape == (0, 16)


def test_the_key_is_the_same_before_and_after_use(tmp_path):
    """A tokenizer keeps the padding and the truncation of its last call."""
    bert(tmp_path / "bert")
    used = load_text_encoder(str(tmp_path / "bert"))
    compute(TEXTS, used)
    assert used.key == load_text_encoder(str(tmp_path / "bert")).key


def test_many_texts_keep_their_order(tmp_path):
    bert(tmp_path / "bert")
    network = load_text_encoder(str(tmp_path / "bert"))
    texts = [TEXTS[number % 3] for number in range(50)]
    found = compute(texts, network, batch=4)
    np.testing.assert_allclose(found[:48], np.tile(found[:3], (16, 1)), rtol=0, atol=2e-3)


def test_random_weights_are_those_of_their_seed(tmp_path):
    bert(tmp_path / "bert")
    one, same, other = (load_text_encoder(str(tmp_path / "bert"), "random", seed=seed) for seed in (1, 1, 2))
    assert one.weights_sha256 == same.weights_sha256 != other.weights_sha256


def test_a_folder_without_a_model_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(BaselineError) as caught:
        load_text_encoder(str(tmp_path))
    assert "\n" not in str(caught.value)
    assert "can't be loaded from" in str(caught.value)
    with pytest.raises(BaselineError, match="--weights absent: a transformers model is a folder"):
        load_text_encoder("some/model", "absent")


def test_a_hub_that_is_out_of_reach_is_asked_once(tmp_path):
    """Nothing listens on port 9 of the loopback. What the hub gave before would be found all the same."""
    program = (
        "from affectory.encoders.text.hub_encoders import load_text_encoder; load_text_encoder('some/bert')"
    )
    home = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=os.environ | home, text=True, capture_output=True)
    assert "Retry" not in done.stderr
    assert done.stderr.splitlines()[-1] == (
        "affectory.core.errors.BaselineError: some/bert can't be loaded from 'some/bert' (the Hugging Face "
        "hub can't be reached, and hasn't given it before): download it elsewhere (`hf download some/bert "
        "--local-dir DIR`) and give its folder in place of its name"
    )
