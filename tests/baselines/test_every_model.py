"""What holds for every registered model that has a network: each parameter learns, and it learns by heart."""

from dataclasses import fields, replace

import pytest
import torch

from affectory.encoders.text.bag_of_words import BagOfWords
from affectory.encoders.text.words import Vocabulary
from baselines.data.encoders import INPUTS
from baselines.data.inputs import Data
from baselines.models import registry
from baselines.models.base import Group, LastEpoch, Optimiser, StepDecay, total
from baselines.training.checkpoint import Checkpoint
from baselines.training.loop import fit, new
from tests.baselines import memes, test_memes_transformers
from tests.encoders import test_hub_encoders

pytestmark = pytest.mark.slow

MODELS = [name for name in registry.MODELS if registry.spec(name).build is not None]
#: A row that trains nothing has a network without parameters.
UNTRAINED = "clip_zero_shot"
CLASSIFIERS = [name for name in MODELS if name != UNTRAINED]
#: Those that train a network of `transformers`.
HUB = (*test_memes_transformers.NAMES, "text_transformer")
KINDS = pytest.mark.parametrize("kind", memes.TASKS)

LABELLED, UNLABELLED = 32, 16
CUES, FILLERS = ("happy", "dark", "day"), ("so", "a", "night")
WORDS = (*CUES, *FILLERS)


def encoders():
    vectors = torch.randn(len(WORDS) + 2, 4, generator=torch.Generator().manual_seed(9))
    vectors[0] = 0
    words = Vocabulary(WORDS, vectors.numpy(), "random, 4-d", None)
    return memes.ENCODERS | {
        "pair_text": memes.frozen(),
        "sentence": memes.frozen(),
        "words": words,
        "cased_words": replace(words, cased=True),
        "bag": BagOfWords(WORDS),
    }


def data(kind):
    """Posts of which images and texts tell the labels, 16 of 48 unlabelled; validation has the labelled."""
    n = LABELLED + UNLABELLED
    own = torch.Generator().manual_seed(5)
    first = torch.arange(n) % 3
    held = torch.nn.functional.one_hot(first, 3).float()
    if kind == "several":
        held += torch.nn.functional.one_hot((first + torch.arange(n) // 3) % 3, 3)
        held = (held > 0).float() * (torch.arange(n) % 8 != 7).unsqueeze(-1)

    none = (held.sum(1, keepdim=True) == 0).float()

    def features(*shape):
        signal = torch.cat([held, none], 1) @ torch.randn(4, shape[-1], generator=own)
        signal = signal.reshape(n, *[1] * (len(shape) - 1), -1)
        return (signal + 0.1 * torch.randn(n, *shape, generator=own)).half()

    texts = [
        " ".join([*(CUES[i] for i in row.nonzero().flatten()), FILLERS[k % 3], FILLERS[k // 3 % 3], "so"])
        for k, row in enumerate(held)
    ]
    made, posts = encoders(), memes.posts(n, kind, gaps=False, unlabelled=UNLABELLED)
    inputs = posts.inputs | {
        "image": features(memes.IMAGE),
        "pair_image": features(memes.IMAGE),
        "image_views": features(2, memes.IMAGE),
        "first_token": features(memes.TEXT),
        "pair_text": features(memes.TEXT),
        "sentence": features(memes.TEXT),
        "pair_states": features(memes.TOKENS, memes.TEXT),
    }
    for name in ("words", "cased_words", "bag"):
        inputs[name] = torch.from_numpy(made[name].encode(texts))
    target = held if kind == "several" else first
    train = posts._replace(inputs=inputs, target=target)
    kept = {"train": texts, "validation": texts[:LABELLED]}
    return Data(memes.TASKS[kind], train, train.slice(0, LABELLED), made, kept)


#: Small networks without dropout that learn fast, by the name of a setting, where a model has it.
QUICK = {
    "lr": 0.01,
    "weight_decay": 0.0,
    "dropout": 0.0,
    "decay": 1.0,
    "clip": 5.0,
    "batch": 8,
    "epochs": 60,
    "patience": 60,
    "hidden": 24,
    "first": 16,
    "second": 16,
    "width": 32,
    "filters": 16,
    "tokens": 8,
    "projection": 8,
    "ae_epochs": 2,
    "ae_batch": 8,
    "pretrain_epochs": 2,
    "pretrain_batch": 8,
}
OWN = {
    "text": {"lr": 0.5, "epoch": 60, "dim": 8, "bucket": 50},
    "image": {"lr": 0.1},
    "early": {"lr": 0.1, "word_rate": 1.0},
    "joint": {"lr": 0.1, "word_rate": 1.0},
    "common": {"lr": 0.1, "word_rate": 1.0},
    **{name: {"lr": 0.005, "epochs": 30} for name in HUB},
    # At .005 a rounding error decides whether its weights, which start large, settle within the epochs.
    "lxmert": {"lr": 0.002},
    **{name: {"C": 1e4} for name in ("sentence", "clip_image", "clip_text", "clip")},
}


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    folder = test_memes_transformers.written(tmp_path_factory.mktemp("networks"))
    text_transformer(folder / "text_transformer")
    return folder


def text_transformer(folder):
    """A BERT whose weights are large enough to learn in a few epochs."""
    from transformers import BertConfig, BertModel

    vocabulary = test_hub_encoders.tokenizer(folder, "[CLS]", "[SEP]", model_max_length=8)
    torch.manual_seed(1)
    sizes = test_memes_transformers.SMALL | test_memes_transformers.STILL
    BertModel(BertConfig(vocab_size=len(vocabulary), num_hidden_layers=2, **sizes)).save_pretrained(folder)


def quick(name, networks, **more):
    """The settings of a model, with another value for each of those that it has."""
    if name in HUB:
        pytest.importorskip("accelerate", reason="accelerate isn't installed")
        folder = str(networks / name)
        more |= dict.fromkeys(("network", "tokenizer", "encoder"), folder)
    kind = registry.settings_of(name)
    wanted = QUICK | OWN.get(name, {}) | more
    return kind(**{one.name: wanted[one.name] for one in fields(kind) if one.name in wanted})


def trained(name, given, settings, **changes):
    """A network as a run trains it and its checkpoint keeps it."""
    spec = replace(registry.spec(name), **changes)
    given = given.of(spec.inputs)
    [fitted] = fit(spec, given, settings, [0], memes.CPU)
    assert fitted.problem is None
    own = {key: encoder.state() for key, encoder in given.encoders.items() if INPUTS[key].later}
    return Checkpoint(name, given.task, settings, 0, fitted.state, fitted.encoders or own)


def read_by(one, given):
    """The training posts as a network reads them."""
    texts = given.texts["train"]
    inputs = {
        name: given.train.inputs[name]
        if name in given.train.inputs
        else torch.from_numpy(encoder.encode(texts))
        for name, encoder in one.loaded_encoders().items()
    }
    return given.train._replace(inputs=inputs)


def one_step(stage):
    """The stage with one step of Adam and no weight decay; what is frozen remains so."""
    groups = tuple(Group(group.part, 0.01 if group.lr else 0.0) for group in stage.optimiser.groups)
    optimiser = Optimiser("adam", 0.01, groups=groups)
    return replace(stage, epochs=1, optimiser=optimiser, schedule=StepDecay(), stopping=LastEpoch())


def frozen_in(stage, name):
    """Whether a parameter belongs to a group of rate 0."""
    return next((not group.lr for group in stage.optimiser.groups if group.part in name), False)


@KINDS
@pytest.mark.parametrize("name", [name for name in MODELS if registry.spec(name).stages])
def test_every_parameter_gets_a_gradient_in_a_step_of_each_stage_in_which_it_isnt_frozen(name, kind):
    """A parameter without a gradient doesn't move. Those that no stage trains are declared frozen."""
    given, spec = data(kind), registry.spec(name)
    n = LABELLED + UNLABELLED
    settings = quick(name, None, batch=2 * n, ae_batch=2 * n, pretrain_batch=2 * n)
    stages = tuple(one_step(stage) for stage in spec.stages(settings))
    model = new(spec, given.of(spec.inputs), settings, 0)
    parameters = {key for key, _ in model.named_parameters()}
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for number, stage in enumerate(stages, 1):
        assert len(stage.sampler.epoch(given.train, torch.Generator())) == 1
        part = stages[:number]
        after = trained(name, given, settings, stages=lambda _, part=part: part).state
        for key in parameters:
            assert torch.equal(after[key], before[key]) == frozen_in(stage, key), (number, key)
        before = after
    left = {key for key in parameters if all(frozen_in(stage, key) for stage in stages)}
    assert left == ({key for key in parameters if "_head." in key} if name == "ext_pie_net" else set())


@KINDS
@pytest.mark.parametrize("name", [name for name in MODELS if not registry.spec(name).stages])
def test_every_parameter_of_a_network_that_is_trained_otherwise_gets_a_gradient(name, kind, networks):
    """LXMERT's last layer ends with a visual half that nothing reads, and its type 0 is padding."""
    given = data(kind)
    if name == UNTRAINED:
        model = registry.spec(name).build(given.task, given.encoders, registry.settings_of(name)())
        assert not list(model.parameters())
        return
    one = trained(name, given, quick(name, networks, epochs=1, epoch=1))
    model = one.network()
    total(model.terms(read_by(one, given))).backward()
    frozen = {key for key, value in model.named_parameters() if not value.requires_grad}
    assert all("x_layers.1.visn_" in key or "token_type" in key for key in frozen)
    assert bool(frozen) == (name == "lxmert")
    still = {
        key
        for key, value in model.named_parameters()
        if key not in frozen and (value.grad is None or not value.grad.any())
    }
    # The softmax is the same whatever is added to all keys; nothing else stands still.
    assert all("key.bias" in key or key.endswith("k_lin.bias") for key in still), still


@KINDS
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_learns_32_posts_by_heart(name, kind, networks):
    given = data(kind)
    one = trained(name, given, quick(name, networks))
    batch = read_by(one, given)
    with torch.no_grad():
        logits = one.logits(lambda _: batch, "both")[:LABELLED]
    decided = given.task.hot(given.task.decide(given.task.probabilities(logits)))
    assert torch.equal(torch.as_tensor(decided), torch.as_tensor(given.task.hot(given.validation.target)))


def test_every_model_is_among_them_but_those_that_are_made_of_two_others():
    others = {name for name in registry.MODELS if name not in MODELS}
    assert others == {"late", "l_fus"}
    assert all(registry.spec(name).made_of is not None for name in others)
