"""The rows that every reader expects today: against scikit-learn's own pipelines, and by hand."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectory.core.errors import BaselineError
from affectory.encoders.text.frozen import FrozenText
from affectory.encoders.text.hub_encoders import load_text_encoder
from affectory.encoders.text.tfidf import NgramRange, Tfidf
from baselines import run
from baselines.data.batch import Batch
from baselines.data.inputs import Data, Images, load_encoders
from baselines.data.task import SeveralLabels, SingleLabel
from baselines.models import registry
from baselines.models.today.regression import CANDIDATES, RegressionSettings
from baselines.models.today.tfidf import TfidfSettings
from baselines.predict import Predictor
from baselines.results import comparison, schema
from baselines.training.checkpoint import Checkpoint, read
from tests.baselines import run_fixture, small
from tests.encoders import test_hub_encoders

CPU = torch.device("cpu")
TEXTS = [
    "So happy a day",
    "a dark,  dark night!",
    "Sunny day; sunny me",
    "the night is dark\tand I am alone",
    "",
    "I can't even",
    "happy happy sunny",
    "NIGHT night terrors",
    "x",
    "what a day é",
]
CLASSES = np.array([0, 1, 0, 1, 0, 2, 0, 1, 2, 2])
LABELS = np.array(
    [[1, 0], [0, 1], [1, 0], [0, 1], [0, 0], [1, 1], [1, 0], [0, 1], [0, 0], [1, 1]], np.float32
)
THREE = SingleLabel(("joy", "fear", "anger"))
PAIR = SeveralLabels(("joy", "fear"))
BOTH = {"single": (THREE, CLASSES), "several": (PAIR, LABELS)}


def data(task, target, texts=TEXTS, inputs=None, encoders=None, images=None, labelled=None):
    """Posts with these texts, which are the validation posts too. `images`: which have one."""
    there = torch.tensor([[images is None or images[i], bool(text)] for i, text in enumerate(texts)])
    known = torch.ones(len(texts), dtype=torch.bool) if labelled is None else torch.tensor(labelled)
    posts = Batch(inputs or {}, there, torch.as_tensor(target), known)
    every = posts._replace(labelled=torch.ones(len(texts), dtype=torch.bool))
    return Data(task, posts, every, encoders or {}, {"train": list(texts), "validation": list(texts)})


def checkpoint(name, made, fitted, chosen, folder):
    """The network as a run writes and reads it."""
    states = {one: encoder.state() for one, encoder in made.of(registry.spec(name).inputs).encoders.items()}
    own = states if fitted.encoders is None else fitted.encoders
    path = folder / f"{name}.pt"
    Checkpoint(name, made.task, chosen, fitted.seed, fitted.state, own).write(path)
    return read(path)


def of_fit(name, made, folder, seeds=(0,), **changes):
    """The first network of a model's fit, by way of its checkpoint, and what the fit returned."""
    spec = registry.spec(name)
    chosen = spec.settings(**changes)
    fitted = spec.fit(made.of(spec.inputs), chosen, seeds, CPU)
    return checkpoint(name, made, fitted[0], chosen, folder), fitted


def logits(one, texts, present=True):
    """A network's logits of texts, by its own encoder."""
    [(name, encoder)] = one.loaded_encoders().items()
    n = len(texts)
    there = torch.tensor([[False, present and bool(text)] for text in texts])
    batch = Batch(
        {name: torch.from_numpy(encoder.encode(texts))}, there, torch.zeros(n), torch.ones(n).bool()
    )
    return one.logits(lambda _: batch, "text")


def vectorizers(ngrams):
    """The two blocks as scikit-learn makes them."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    words = TfidfVectorizer(
        ngram_range=(1, ngrams.words), min_df=ngrams.word_min_df, sublinear_tf=ngrams.sublinear_tf
    )
    characters = TfidfVectorizer(
        ngram_range=(ngrams.shortest, ngrams.longest),
        analyzer=ngrams.analyzer,
        min_df=ngrams.char_min_df,
        sublinear_tf=ngrams.sublinear_tf,
    )
    return make_union(words, characters)


def dense(encoder, texts):
    """What `encode` says, as a matrix."""
    pairs = encoder.encode(texts)
    out = np.zeros((len(texts), encoder.width), np.float32)
    for row, pair in zip(out, pairs, strict=True):
        np.add.at(row, pair[:, 0].astype(int), pair[:, 1])
    return out


@pytest.mark.parametrize(
    "ngrams",
    [
        NgramRange(),
        NgramRange(analyzer="char", sublinear_tf=False),
        NgramRange(words=1, shortest=4, longest=6, word_min_df=2, char_min_df=1),
        NgramRange(words=3, shortest=1, longest=1, analyzer="char", char_min_df=1),
    ],
)
def test_tf_idf_is_scikit_learn_s(ngrams):
    theirs, ours = vectorizers(ngrams).fit(TEXTS), Tfidf.fit(TEXTS, ngrams)
    words, characters = (one.get_feature_names_out().tolist() for _, one in theirs.transformer_list)
    assert (list(ours.words), list(ours.characters)) == (words, characters)
    new = [*TEXTS, "another happy night,and  a day", "\t", "zzz"]
    np.testing.assert_allclose(dense(ours, new), theirs.transform(new).toarray(), rtol=0, atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=1), st.sampled_from(["char_wb", "char"]))
def test_tf_idf_is_scikit_learn_s_for_any_text(texts, analyzer):
    ngrams = NgramRange(analyzer=analyzer, char_min_df=1)
    texts = ["aa bb", *texts]
    theirs, ours = vectorizers(ngrams).fit(texts), Tfidf.fit(texts, ngrams)
    np.testing.assert_allclose(dense(ours, texts), theirs.transform(texts).toarray(), rtol=0, atol=1e-7)


def test_texts_without_an_n_gram_are_one_line():
    with pytest.raises(BaselineError, match=r"^the training texts hold no n-gram that is frequent enough"):
        Tfidf.fit(["", "!"], NgramRange())


def test_one_text_without_a_known_n_gram_is_a_row_of_zeros():
    found = Tfidf.fit(TEXTS, NgramRange()).encode(["ж"])
    assert (found.shape, found.any()) == ((1, 1, 2), False)


@pytest.mark.parametrize("kind", BOTH)
def test_the_logits_are_those_of_scikit_learn_s_own_pipeline(kind, tmp_path):
    """Texts, vectorizers and regressions of scikit-learn; the unlabelled post and the empty text are out."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    task, target = BOTH[kind]
    labelled = [True] * 9 + [False]
    one, fitted = of_fit("tfidf", data(task, target, labelled=labelled), tmp_path, seeds=(0, 3), C=3.0)
    used = [i for i in range(9) if TEXTS[i]]
    regression = LogisticRegression(C=3, max_iter=1000)
    if kind == "several":
        regression = OneVsRestClassifier(regression)
    theirs = make_pipeline(vectorizers(NgramRange()), regression)
    theirs.fit([TEXTS[i] for i in used], target[used])
    new = [text for text in TEXTS if text] + ["another day", "жж"]
    ours = task.probabilities(logits(one, new))
    np.testing.assert_allclose(ours, theirs.predict_proba(new), rtol=0, atol=1e-5)
    if kind == "single":
        apart = logits(one, new).numpy() - theirs.predict_log_proba(new)
        np.testing.assert_allclose(apart - apart[:, :1], 0, rtol=0, atol=1e-4)
    assert [each.seed for each in fitted] == [0, 3]
    assert fitted[0].state is fitted[1].state
    assert fitted[0].note == (
        "a logistic regression with C = 3, without a random part: all seeds are one fit"
    )


def test_two_classes_have_the_probabilities_of_scikit_learn(tmp_path):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    task = SingleLabel(("day", "night"))
    target = np.array([int("night" in text.lower()) for text in TEXTS])
    one, _ = of_fit("tfidf", data(task, target), tmp_path, C=1.0)
    theirs = make_pipeline(vectorizers(NgramRange()), LogisticRegression(C=1, max_iter=1000))
    used = [i for i, text in enumerate(TEXTS) if text]
    theirs.fit([TEXTS[i] for i in used], target[used])
    found = task.probabilities(logits(one, TEXTS[:4]))
    np.testing.assert_allclose(found, theirs.predict_proba(TEXTS[:4]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", BOTH)
def test_c_is_the_candidate_of_the_highest_validation_likelihood(kind, tmp_path):
    task, target = BOTH[kind]
    made = data(task, target)
    other = torch.as_tensor(target).roll(2, 0)  # validation contradicts training here and there
    made = replace(made, validation=made.validation._replace(target=other))
    _, [chosen] = of_fit("tfidf", made, tmp_path)
    each = {C: of_fit("tfidf", made, tmp_path, C=C)[1][0].likelihood for C in CANDIDATES}
    best = max(each, key=each.__getitem__)
    assert chosen.likelihood == each[best]
    assert f"C = {best:g}," in chosen.note
    assert len(set(each.values())) == 4


def test_a_post_without_text_gets_the_bias_alone(tmp_path):
    one, _ = of_fit("tfidf", data(THREE, CLASSES), tmp_path)
    found = logits(one, TEXTS[:2], present=False)
    torch.testing.assert_close(found, one.state["bias"].expand(2, -1))


def test_a_checkpoint_is_read_without_scikit_learn(tmp_path):
    one, _ = of_fit("tfidf", data(THREE, CLASSES), tmp_path)
    program = (
        "import sys; from pathlib import Path; from baselines.predict import Predictor; "
        f"print(Predictor.load({str(tmp_path / 'tfidf.pt')!r})(text='So happy')['joy']); "
        "print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    told, imported = done.stdout.splitlines()
    expected = THREE.probabilities(logits(one, ["So happy"]))[0, 0]
    assert (float(told), imported) == (pytest.approx(float(expected), abs=1e-6), "False")


@pytest.mark.parametrize(
    ("task", "target", "told"),
    [
        (
            THREE,
            np.array([0, 1, 0, 1, 2, 0, 0, 1, 1, 0]),
            "tfidf: no training post of 'anger' has a text: leave tfidf out of --models, or the class out of "
            "the recipe",
        ),
        (
            PAIR,
            np.array([[1, i == 4] for i in range(10)], np.float32),
            "tfidf: every training post with a text is 'joy', so there is nothing to tell apart: leave tfidf "
            "out of --models",
        ),
    ],
)
def test_a_class_without_a_readable_training_post_is_one_line(task, target, told, tmp_path):
    with pytest.raises(BaselineError) as error:
        of_fit("tfidf", data(task, target), tmp_path)
    assert str(error.value) == told


def test_a_validation_set_without_a_readable_post_is_one_line(tmp_path):
    made = data(THREE, CLASSES)
    made = replace(made, validation=made.validation._replace(present=torch.zeros(10, 2).bool()))
    with pytest.raises(
        BaselineError, match=r"^tfidf: no labelled validation post has a text: leave tfidf out"
    ):
        of_fit("tfidf", made, tmp_path)


def test_settings_that_allow_no_n_gram_are_refused():
    with pytest.raises(BaselineError, match=r"^shortest = 6 is above longest = 5: no n-gram$"):
        TfidfSettings(shortest=6)
    with pytest.raises(BaselineError, match="C = 0"):
        RegressionSettings(C=0.0)


def test_a_regression_that_did_not_converge_says_so(tmp_path):
    _, [fitted] = of_fit("tfidf", data(THREE, CLASSES), tmp_path, C=10.0, max_iter=2)
    assert fitted.note.endswith("; L-BFGS had not converged, raise max_iter")


@pytest.mark.slow
@pytest.mark.parametrize("module", ["tfidf", "probe", "sentence", "clip", "zero_shot", "transformer"])
def test_a_spec_imports_no_scikit_learn(module):
    program = (
        f"import sys, baselines.models.today.{module}; "
        "print({'sklearn', 'accelerate', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


FEATURES = {"pair_image": 5, "pair_text": 4, "sentence": 6}


def features(seed=0):
    """Random features, which are no directions that anything was trained for."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: (3 * torch.randn(len(TEXTS), width, generator=generator)).half()
        for name, width in FEATURES.items()
    }


def frozen_encoders():
    """Encoders of those features; the text networks aren't there, and aren't asked for."""
    made = {"pair_image": Images(FEATURES["pair_image"])}
    for name in ("pair_text", "sentence"):
        made[name] = FrozenText("tiny", "gone", "mean", "features", 8, FEATURES[name], "key", "gone")
    return made


WITH_IMAGE = [i % 4 != 1 for i in range(len(TEXTS))]
PROBES = {
    "sentence": ("sentence",),
    "clip_image": ("pair_image",),
    "clip_text": ("pair_text",),
    "clip": ("pair_image", "pair_text"),
}


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("name", PROBES)
def test_a_probe_is_scikit_learn_s_regression_on_features_of_norm_1(name, kind, tmp_path):
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.preprocessing import normalize

    task, target = BOTH[kind]
    made = data(task, target, inputs=features(), encoders=frozen_encoders(), images=WITH_IMAGE)
    one, _ = of_fit(name, made, tmp_path, C=10.0)
    there = {"image": np.array(WITH_IMAGE), "text": np.array([bool(text) for text in TEXTS])}
    held = [there["image" if part == "pair_image" else "text"] for part in PROBES[name]]
    side = np.concatenate(
        [
            normalize(features()[part].numpy().astype(float)) * here[:, None]
            for part, here in zip(PROBES[name], held, strict=True)
        ],
        1,
    )
    used = np.any(held, 0)
    theirs = LogisticRegression(C=10, max_iter=1000)
    theirs = OneVsRestClassifier(theirs) if kind == "several" else theirs
    theirs.fit(side[used], target[used])
    found = task.probabilities(one.logits(lambda _: made.of(PROBES[name]).train, "both"))
    np.testing.assert_allclose(found, theirs.predict_proba(side), rtol=0, atol=1e-5)


def test_a_probe_of_both_reads_nothing_that_is_missing(tmp_path):
    made = data(THREE, CLASSES, inputs=features(), encoders=frozen_encoders(), images=WITH_IMAGE)
    one, _ = of_fit("clip", made, tmp_path)
    posts = made.of(PROBES["clip"]).train
    noise = {"pair_image": posts.inputs["pair_image"], "pair_text": 9 * posts.inputs["pair_text"].flip(0)}
    first, second = (one.logits(lambda _, b=b: b, "image") for b in (posts, posts._replace(inputs=noise)))
    assert torch.equal(first, second)
    nothing = [i for i, there in enumerate(WITH_IMAGE) if not there]
    torch.testing.assert_close(first[nothing], one.state["last.bias"].expand(len(nothing), -1))


@pytest.mark.slow
def test_the_sentence_row_reads_a_frozen_text_network(tmp_path):
    test_hub_encoders.bert(tmp_path / "bert")
    network = load_text_encoder(str(tmp_path / "bert"))
    encoder = FrozenText.fill(TEXTS, network, tmp_path / "cache")
    inputs = {"sentence": torch.from_numpy(encoder.encode(TEXTS))}
    made = data(THREE, CLASSES, inputs=inputs, encoders={"sentence": encoder})
    one, _ = of_fit("sentence", made, tmp_path)
    assert one.loaded_encoders() == {"sentence": encoder} == load_encoders(one.encoders)
    expected = one.logits(lambda _: made.train, "text")
    torch.testing.assert_close(logits(one, TEXTS), expected)


def pair(folder):
    """A tiny CLIP, and the encoders of both its sides."""
    model = test_hub_encoders.clip(folder / "clip")
    encoder = FrozenText.fill(["night"], load_text_encoder(str(folder / "clip")), folder / "cache")
    return model, {"pair_image": Images(12), "pair_text": encoder}


def embedded(model, folder, prompts):
    """The mean of prompts' normalised embeddings, normalised; a prompt at a time, so without padding."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder / "clip")
    rows = []
    for prompt in prompts:
        with torch.inference_mode():
            states = model.text_model(input_ids=torch.tensor([tokenizer(prompt)["input_ids"]]))
            row = model.text_projection(states.pooler_output)[0].double()
        rows.append(row / row.norm())
    mean = torch.stack(rows).mean(0)
    return mean / mean.norm()


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOTH)
def test_zero_shot_is_the_cosine_to_the_mean_of_two_prompts(kind, tmp_path):
    model, encoders = pair(tmp_path)
    names = ("happy", "dark_night", "day")
    task = SingleLabel(names) if kind == "single" else SeveralLabels(names)
    target = CLASSES if kind == "single" else np.eye(3, dtype=np.float32)[CLASSES]
    image = torch.randn(len(TEXTS), 12, generator=torch.Generator().manual_seed(0)).half()
    inputs = {"pair_image": image, "pair_text": torch.from_numpy(encoders["pair_text"].encode(TEXTS))}
    made = data(task, target, inputs=inputs, encoders=encoders, images=WITH_IMAGE)
    one, fitted = of_fit("clip_zero_shot", made, tmp_path, seeds=(0, 1))
    found = one.logits(lambda _: made.of(("pair_image",)).train, "image").double()

    unit = image.double() / image.double().norm(dim=-1, keepdim=True)
    classes = [
        embedded(model, tmp_path, [f"a photo that evokes {name}", f"a post about {name}"])
        for name in ("happy", "dark night", "day")
    ]
    expected = torch.stack([unit @ one for one in classes], -1)
    if kind == "several":
        expected -= (unit @ embedded(model, tmp_path, ["a photo", "a post"]))[:, None]
    expected *= model.logit_scale.detach().double().exp()
    expected[~torch.tensor(WITH_IMAGE)] = 0
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05)
    assert found.std(0).min() > 1
    assert list(one.encoders) == ["pair_image"]
    assert fitted[0].note == (
        "not trained, so all seeds are one network; logit scale 14.28, the network's own"
    )
    assert fitted[0].state is fitted[1].state


@pytest.mark.slow
def test_zero_shot_of_a_network_without_a_scale_takes_clip_s(tmp_path):
    test_hub_encoders.bert(tmp_path / "bert")
    encoder = FrozenText.fill(["night"], load_text_encoder(str(tmp_path / "bert")), tmp_path / "cache")
    encoders = {"pair_image": Images(16), "pair_text": encoder}
    inputs = {"pair_image": torch.ones(10, 16), "pair_text": torch.from_numpy(encoder.encode(TEXTS))}
    made = data(THREE, CLASSES, inputs=inputs, encoders=encoders, images=WITH_IMAGE)
    one, [fitted] = of_fit("clip_zero_shot", made, tmp_path)
    assert float(one.state["scale"]) == 100
    assert fitted.note.endswith("logit scale 100, CLIP's: this network has none")
    one, [fitted] = of_fit("clip_zero_shot", made, tmp_path, scale=20.0)
    assert (float(one.state["scale"]), fitted.note[-22:]) == (20, "logit scale 20, as set")


def test_a_pair_without_one_space_is_one_line(tmp_path):
    made = data(THREE, CLASSES, inputs=features(), encoders=frozen_encoders(), images=WITH_IMAGE)
    with pytest.raises(BaselineError) as error:
        of_fit("clip_zero_shot", made, tmp_path)
    assert str(error.value) == (
        "clip_zero_shot: the pair's images have width 5 and its texts 4: take a pair with one space "
        "(openai/clip-vit-base-patch32), or leave clip_zero_shot out of --models"
    )


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
    [fitted] = spec.fit(made, chosen, (0,), CPU)
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


def test_another_gpu_than_the_first_is_refused(tmp_path):
    spec = registry.spec("text_transformer")
    with pytest.raises(
        BaselineError, match=r"^--device cuda:1: text_transformer trains on the first GPU alone"
    ):
        spec.fit(data(THREE, FOUR, texts=WORDS), spec.settings(), (0,), torch.device("cuda:1"))


def test_rows_that_no_paper_has_are_a_family_without_a_paper():
    own = run_fixture.row("tfidf", "TF-IDF, logistic regression", 0.76, text=0.76, family="today", differs=())
    joint = run_fixture.row("joint", "Joint fusion (max)", 0.86, 0.36, 0.69)
    results = run_fixture.results(rows=(joint, own), pairs=())
    assert comparison.reporting(results, "today") is None
    [scores] = [table for table in comparison.tables(results) if table.lines[0].row == own]
    assert (scores.heading, scores.paper, scores.modes) == ("Scores (today)", None, ("both",))
    assert (
        "No paper reports on reddit-emotion with these models: TF-IDF, logistic regression."
        in comparison.notes(results)
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOTH)
def test_the_command_trains_a_row_and_predict_reads_its_checkpoint(kind, tmp_path, capsys):
    """Posts without a text and without a label are among them, and of several labels posts of two."""
    small.learnable(tmp_path / "tiny", several=kind == "several")
    told = ["tiny", "--models", "tfidf", "--datasets", str(tmp_path), "--out", str(tmp_path / "results")]
    told += ["--cache", str(tmp_path / "cache"), "--features", str(tmp_path / "features"), "--seeds", "3"]
    assert run.main([*told, "--device", "cpu"]) == 0
    assert "TF-IDF, logistic regression" in capsys.readouterr().out
    [path] = (tmp_path / "results" / "tiny").glob("*/results.json")
    [row] = schema.read(path.parent).rows
    assert (row.family, row.differs, list(row.modes)) == ("today", (), ["both", "text"])
    figures = row.modes["text"].metrics
    assert all(len(set(figure.values)) == 1 for figure in figures.values())
    assert figures["f1_macro"].mean > 0.7
    found = Predictor.load(path.parent / "checkpoints" / "tfidf-seed2.pt")(text="a sunny day")
    assert max(found, key=found.__getitem__) == "joy"
