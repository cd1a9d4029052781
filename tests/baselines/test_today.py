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
from baselines.data.batch import Batch
from baselines.data.inputs import Data, Images, load_encoders
from baselines.data.task import SeveralLabels, SingleLabel
from baselines.models import registry
from baselines.models.today.regression import CANDIDATES, RegressionSettings
from baselines.models.today.tfidf import TfidfSettings
from baselines.training.checkpoint import Checkpoint, read
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
