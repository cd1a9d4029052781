"""VisualBERT, ViLT and LXMERT at a small size, against the networks of `transformers` themselves."""

import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from affectory.core.errors import BaselineError
from affectory.encoders import hub
from affectory.encoders.text.tokens import Tokens
from baselines.data.encoders import Regions
from baselines.models import registry
from baselines.models.base import Unfinished
from baselines.training.steps import Steps
from tests.baselines import memes
from tests.encoders.test_hub_encoders import bert, tokenizer

pytestmark = pytest.mark.slow

NAMES = ("visualbert", "vilt", "lxmert")
SMALL = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 12}
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.3}
LAYERS = {"l_layers": 1, "x_layers": 2, "r_layers": 1}


def config_of(name, vocabulary):
    from transformers import LxmertConfig, ViltConfig, VisualBertConfig

    small = SMALL | STILL | {"vocab_size": vocabulary}
    if name == "visualbert":
        return VisualBertConfig(visual_embedding_dim=memes.IMAGE, num_hidden_layers=2, **small)
    if name == "lxmert":
        return LxmertConfig(visual_feat_dim=memes.IMAGE, **LAYERS, **small)
    return ViltConfig(image_size=memes.SIDE, patch_size=4, num_hidden_layers=2, **small)


def written(folder):
    """Write a folder for each model with a small network and its tokenizer; return the folder of all."""
    for name in NAMES:
        vocabulary = tokenizer(folder / name, "[CLS]", "[SEP]", model_max_length=8)
        torch.manual_seed(1)
        config = config_of(name, len(vocabulary))
        hub.transformers().AutoModel.from_config(config).save_pretrained(folder / name)
    return folder


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    return written(tmp_path_factory.mktemp("networks"))


def settings_of(name, networks, **more):
    kind = registry.settings_of(name)
    folder = str(networks / name)
    known = {"tokenizer": folder, "hidden": 32, "dropout": 0.0, "tokens": 8, "batch": 8, "epochs": 1}
    return kind(network=folder, **(known | more))


def model_of(name, kind, networks, **more):
    """A model with the weights of its folder, dropout off, and 10 posts with their tokens."""
    they = hub.transformers()
    folder, settings = networks / name, settings_of(name, networks, **more)
    network = they.AutoModel.from_pretrained(folder).float()
    tokens = Tokens.of(they.AutoTokenizer.from_pretrained(folder), network.config, settings.tokens)
    torch.manual_seed(0)
    model = registry.spec(name).build(memes.TASKS[kind], memes.ENCODERS | {"tokens": tokens}, settings)
    model.network.load_state_dict(network.state_dict())
    batch = memes.posts(10, kind)
    ids = torch.from_numpy(tokens.encode([memes.written(7 * row % 36 if row else 0) for row in range(10)]))
    return model.eval(), batch._replace(inputs=batch.inputs | {"tokens": ids})


def alone(name, network, batch, row):
    """The pooled vector of one post by the network as it stands, without padding and masks."""
    ids = batch.inputs["tokens"][row : row + 1]
    ids = ids[:, ids[0] > 0] - 1
    if name == "vilt":
        pixels = batch.inputs["pixels"][row : row + 1].float() / 255
        return network(input_ids=ids, pixel_values=(pixels - 0.5) / 0.5).pooler_output
    regions = batch.inputs["regions"][row : row + 1].float()
    regions = regions[:, regions[0, :, -1] > 0]
    features, boxes = regions[..., :-5], regions[..., -5:-1]
    if name == "visualbert":
        return network(input_ids=ids, visual_embeds=features).pooler_output
    types = torch.zeros_like(ids)
    found = network(input_ids=ids, visual_feats=features, visual_pos=boxes, token_type_ids=types)
    return found.pooled_output


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_two_linear_layers_over_the_networks_own_pooled_vector(name, networks):
    model, batch = model_of(name, "several", networks)
    with torch.no_grad():
        found = model(batch)["y"]
        for row in batch.present.all(1).nonzero().flatten().tolist():
            pooled = alone(name, model.network, batch, row)
            first, last = model.head[0], model.head[2]
            expected = last.weight @ (first.weight @ pooled[0] + first.bias) + last.bias
            torch.testing.assert_close(found[row], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_in_a_missing_modality_changes_nothing(name, networks):
    model, batch = model_of(name, "single", networks)
    regions, pixels = batch.inputs["regions"].clone(), batch.inputs["pixels"]
    regions[:, :2, :-1] += 1
    words = batch.inputs["tokens"].clone()
    words[:, 1:] = words[:, 1:].flip(1).roll(3, 0)
    for mode, other in (
        ("text", {"regions": regions, "pixels": 255 - pixels}),
        ("image", {"tokens": words}),
    ):
        only = batch.only(mode)
        changed = only._replace(inputs=only.inputs | other)
        with torch.no_grad():
            torch.testing.assert_close(model(changed)["y"], model(only)["y"], rtol=0, atol=1e-6)
            assert not torch.allclose(model(batch)["y"], model(only)["y"], atol=1e-3)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("visualbert", "single"), ("visualbert", "several"), ("vilt", "several"), ("lxmert", "single")],
)
def test_its_checkpoint_is_of_the_best_epoch_and_needs_no_folder(name, kind, networks, tmp_path):
    shutil.copytree(networks / name, tmp_path / name)
    settings = settings_of(name, tmp_path, lr=0.003, epochs=5)
    [one] = memes.trained(name, kind, settings)
    shutil.rmtree(tmp_path / name)
    assert one.problem is None
    assert {value.dtype for value in one.state.values()} == {torch.float16}
    kept = memes.again(tmp_path, name, kind, settings, one)
    given = memes.data(kind)
    ids = torch.from_numpy(kept.loaded_encoders()["tokens"].encode(given.texts["train"]))
    batch = given.train._replace(inputs=given.train.inputs | {"tokens": ids})
    if kind == "single":  # of several labels the history is of another metric than the one that selects
        assert one.epoch == 1 + int(np.argmax(one.history))
    logits = kept.logits(lambda _: batch, "both").double()
    expected = -float(given.task.losses(logits, batch.target).mean())
    assert one.likelihood == pytest.approx(expected, abs=1e-5)
    assert f"from {name}, digest " in one.note
    assert one.note.endswith("5 epochs; checkpoints hold the network in half precision")
    assert ("regions: 3 of tiny" in one.note) == (name != "vilt")


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_network_and_unlabelled_posts_change_nothing(name, networks):
    settings = settings_of(name, networks, epochs=1)
    spec, given = registry.spec(name), memes.data("single", 12)
    labelled = torch.arange(12) < 8
    half = replace(given, train=given.train._replace(labelled=labelled))
    fewer = replace(
        given, train=given.train.slice(0, 8), texts=given.texts | {"train": given.texts["train"][:8]}
    )
    first, again, other, cut = (
        spec.end_to_end(one.of(spec.inputs), settings, seed, memes.CPU, None)
        for one, seed in ((half, 3), (half, 3), (half, 4), (fewer, 3))
    )
    assert all(torch.equal(first.state[key], again.state[key]) for key in first.state)
    assert all(torch.equal(first.state[key], cut.state[key]) for key in first.state)
    assert not all(torch.equal(first.state[key], other.state[key]) for key in first.state)


def test_a_training_that_was_stopped_goes_on_after_its_last_epoch_to_the_same_end(
    networks, tmp_path, monkeypatch
):
    settings, given = settings_of("vilt", networks, epochs=3, dropout=0.3), memes.data("single", 12)
    fit, unfinished = registry.spec("vilt").end_to_end, Unfinished(tmp_path / "vilt.pt", "this training")
    whole, kept, save = fit(given, settings, 0, memes.CPU, None), [], Steps._save

    def stop(steps, unfinished):
        save(steps, unfinished)
        kept.append(steps.epoch)
        if kept == [1, 2]:
            raise KeyboardInterrupt

    monkeypatch.setattr(Steps, "_save", stop)
    with pytest.raises(KeyboardInterrupt):
        fit(given, settings, 0, memes.CPU, unfinished)
    resumed = fit(given, settings, 0, memes.CPU, unfinished)
    assert kept == [1, 2, 3]
    assert (resumed.epoch, resumed.history) == (whole.epoch, whole.history)
    assert resumed.losses == whole.losses and len(whole.losses) == 3
    assert all(torch.equal(tensor, resumed.state[name]) for name, tensor in whole.state.items())


def test_random_weights_take_the_width_of_the_regions(networks):
    settings = settings_of("visualbert", networks, random=True)
    spec, given = registry.spec("visualbert"), memes.data("single", 8)
    wide = torch.randn(8, 2, 11 + 5)
    given = replace(
        given,
        train=given.train._replace(inputs={"regions": wide}),
        validation=given.validation._replace(inputs={"regions": wide}),
        encoders={"regions": Regions(11, 2, "2 of wide")},
    )
    one = spec.end_to_end(given, settings, 0, memes.CPU, None)
    assert one.state["network.embeddings.visual_projection.weight"].shape == (16, 11)
    assert "random weights of visualbert; regions: 2 of wide" in one.note


@pytest.mark.parametrize(
    ("name", "changes", "regions", "told"),
    [
        (
            "visualbert",
            {},
            Regions(11, 2, "49 of resnet18"),
            "--regions gives 11 features a region (49 of resnet18), and NETWORK reads 6: take regions of "
            "that width, another --set visualbert.network, or --set visualbert.random=true",
        ),
        (
            "lxmert",
            {},
            Regions(6, 2, "2 of r.npz", has_boxes=False),
            "--regions: lxmert reads boxes, and the file has none: add an array ID.boxes for each post, or "
            "take --regions grid",
        ),
        (
            "visualbert",
            {"network": "lxmert"},
            Regions(6, 2, "r"),
            "--set visualbert.network=NETWORK: it is of the type 'lxmert', and visualbert needs "
            "'visual_bert'",
        ),
    ],
)
def test_a_network_that_does_not_fit_is_one_line(name, changes, regions, told, networks):
    settings = settings_of(name, networks)
    if changes:
        settings = replace(settings, network=str(networks / changes["network"]))
    given = replace(memes.data("single", 8), encoders={"regions": regions})
    with pytest.raises(BaselineError) as error:
        registry.spec(name).end_to_end(given, settings, 0, memes.CPU, None)
    assert str(error.value) == told.replace("NETWORK", settings.network)


def test_a_tokenizer_of_more_words_than_the_network_has_is_one_line(networks, tmp_path):
    bert(tmp_path / "bert")
    config = config_of("visualbert", 5)
    hub.transformers().AutoModel.from_config(config).save_pretrained(tmp_path / "few")
    settings = replace(settings_of("visualbert", networks), network=str(tmp_path / "few"))
    with pytest.raises(BaselineError) as error:
        registry.spec("visualbert").end_to_end(memes.data("single", 8), settings, 0, memes.CPU, None)
    assert str(error.value) == (
        "--set visualbert.tokenizer: it has 10 tokens, and the network 5: take the network's own tokenizer"
    )


def test_a_hub_that_is_out_of_reach_is_one_line(monkeypatch):
    monkeypatch.setattr(hub, "answers", lambda: False)
    with pytest.raises(BaselineError) as error:
        registry.spec("vilt").end_to_end(
            memes.data("single", 8), registry.settings_of("vilt")(), 0, memes.CPU, None
        )
    assert str(error.value) == (
        "dandelin/vilt-b32-mlm can't be loaded from 'dandelin/vilt-b32-mlm' (the Hugging Face hub can't be "
        "reached, and hasn't given it before): download it elsewhere (`hf download dandelin/vilt-b32-mlm "
        "--local-dir DIR`) and give its folder with --set vilt.tokenizer=DIR"
    )


def test_without_accelerate_the_extra_is_named(networks, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    settings = settings_of("lxmert", networks)
    with pytest.raises(BaselineError) as error:
        registry.spec("lxmert").end_to_end(memes.data("single", 8), settings, 0, memes.CPU, None)
    assert str(error.value) == (
        "lxmert needs Accelerate: pip install 'affectory[finetune]' (or uv sync --extra finetune)"
    )
