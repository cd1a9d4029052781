"""The rows that every reader expects today: the regressions, against scikit-learn's own pipelines."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from affectory.core.errors import BaselineError
from affectory.encoders.text.frozen import FrozenText
from affectory.encoders.text.hub_encoders import load_text_encoder
from affectory.encoders.text.tfidf import NgramRange
from baselines import run
from baselines.data.inputs import load_encoders
from baselines.data.task import SingleLabel
from baselines.models import registry
from baselines.models.today.regression import CANDIDATES, RegressionSettings
from baselines.models.today.tfidf import TfidfSettings
from baselines.predict import Predictor
from baselines.results import comparison, notes, schema
from tests.baselines import run_fixture, small
from tests.baselines.today import (
    BOTH,
    CLASSES,
    PAIR,
    TEXTS,
    THREE,
    WITH_IMAGE,
    data,
    features,
    frozen_encoders,
    logits,
    of_fit,
)
from tests.encoders import test_hub_encoders
from tests.encoders.test_tfidf import vectorizers


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
def test_the_specs_import_no_scikit_learn():
    program = (
        "import sys; from baselines.models import registry; "
        "print([registry.spec(name).name for name in registry.selected(['today'])]); "
        "print({'sklearn', 'accelerate', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(list(registry.selected(["today"]))), "set()"]


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


def test_rows_that_no_paper_has_are_a_family_without_a_paper():
    own = run_fixture.row("tfidf", "TF-IDF, logistic regression", 0.76, text=0.76, family="today", differs=())
    joint = run_fixture.row("joint", "Joint fusion (max)", 0.86, 0.36, 0.69)
    results = run_fixture.results(rows=(joint, own), pairs=())
    assert comparison.reporting(results, "today") is None
    [scores] = [table for table in comparison.tables(results) if table.lines[0].row == own]
    assert (scores.heading, scores.paper, scores.modes) == ("Scores (today)", None, ("both",))
    assert (
        "No paper reports on reddit-emotion with these models: TF-IDF, logistic regression."
        in notes.notes(results)
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
