"""The papers' figures: right in themselves, found by release, and what makes a row no reproduction."""

import subprocess
import sys

import pytest

from baselines.results.papers import differences, figures

PAPER = figures("reddit-emotion")
SAME = {
    "backbone": "inception_v3",
    "weights": "0cc3c7bd",
    "vectors": "glove.twitter.27B.200d.txt, 200-d",
    "dataset": "a-release-without-remarks",
    "counts": {
        "train": {"joy": 1000, "fear": 600, "anger": 600, "disgust": 800},
        "test": {"joy": 119, "fear": 97, "anger": 13, "disgust": 10},
    },
}


@pytest.mark.parametrize(
    ("release", "key", "dataset", "posts"),
    [
        ("reddit-emotion", "duong2017", "Reddit", 3239),
        ("reddit-emotion-strict", "duong2017", "Reddit", 3239),
        ("reddit-emotion-text", "duong2017", "Reddit", 3239),
        ("flickr-emotion", "duong2017", "Flickr", 9337),
        ("flickr-emotion-multitask", "pagefortin2019", "Flickr Emotion", 8163),
        ("vso", "pagefortin2019", "VSO", 301042),
        ("mami", "semimemes2023", "MAMI", 11000),
    ],
)
def test_a_release_has_the_figures_of_the_paper_that_it_rebuilds(release, key, dataset, posts):
    paper = figures(release)
    assert (paper.key, paper.dataset, paper.posts) == (key, dataset, posts)


def test_a_release_of_no_paper_has_none():
    assert figures("met-meme") is None


@pytest.mark.parametrize(
    ("release", "model", "mode", "accuracy", "f1_macro", "f1_micro", "table"),
    [
        ("reddit-emotion", "common", "both", 0.8692, 0.85, 0.87, "Table 4"),
        ("reddit-emotion", "image", "both", 0.7748, 0.77, 0.78, "Table 4"),
        ("reddit-emotion", "text", "text", 0.784, 0.77, 0.78, "Table 4"),
        ("reddit-emotion", "joint", "image", 0.3583, None, None, "Table 5"),
        ("flickr-emotion", "common", "both", 0.9344, 0.91, 0.934, "Table 4"),
        ("flickr-emotion", "common", "text", 0.8914, None, None, "Table 5"),
        ("flickr-emotion-multitask", "multitask", "both", 0.9117, 0.8803, None, "Table 2"),
        ("flickr-emotion-multitask", "single_multimodal", "image", 0.4792, 0.4064, None, "Table 2"),
        ("vso", "single_late", "both", 0.8573, None, None, None),
    ],
)
def test_a_figure_is_that_of_the_paper(release, model, mode, accuracy, f1_macro, f1_micro, table):
    line = figures(release).figure(model, mode)
    assert (line.accuracy, line.f1_macro, line.f1_micro, line.table) == (accuracy, f1_macro, f1_micro, table)


def test_a_figure_that_the_paper_lacks_is_none():
    assert PAPER.figure("late", "image") is None
    assert PAPER.figure("image", "text") is None
    assert PAPER.figure("vilt", "both") is None


def test_what_was_trained_with_more_or_less_is_asked_for_by_its_condition():
    mami, vso = figures("mami"), figures("vso")
    assert mami.figure("semimemes", "both") is None
    line = mami.figure("semimemes", "both", "5% labelled")
    assert (line.f1_weighted, line.auc) == (0.6792, 0.7989)
    assert vso.figure("multitask", "both").accuracy == 0.8635
    assert vso.figure("multitask", "both", "0.1% of the pairs alone").accuracy == 0.6256


def test_one_cell_contradicts_itself_and_all_others_agree_to_their_digits():
    for release in ("reddit-emotion", "flickr-emotion"):
        for line in figures(release).figures:
            if line.f1_micro is None:
                continue
            # With one label a post they are one number; the paper rounds micro-F1 either way by a point.
            agree = abs(line.accuracy - line.f1_micro) < 0.012
            assert agree == (line.inconsistent is None), line
    assert "56.87 beside micro-F1 .73" in figures("flickr-emotion").figure("image", "image").inconsistent


def test_a_row_with_the_papers_backbone_vectors_and_counts_differs_in_nothing():
    assert differences(PAPER, **SAME) == ()
    unused = {"backbone": None, "weights": None, "vectors": None}
    assert differences(PAPER, **SAME | unused) == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"backbone": "mobilenet_v2"}, "images: mobilenet_v2 where the paper has inception_v3"),
        ({"weights": "random"}, "images: random weights where the paper has ImageNet's"),
        ({"vectors": "random, 200-d"}, "words: random, 200-d where the paper has GloVe-Twitter, 200-d"),
        (
            {"vectors": "glove.twitter.27B.25d.txt, 25-d"},
            "words: glove.twitter.27B.25d.txt, 25-d where the paper has GloVe-Twitter, 200-d",
        ),
        ({"counts": {"train": {"joy": 3267}}}, "data: 3,267 posts where the paper has 3,239"),
        (
            {"counts": {"train": {"joy": 3239}}},
            "data: 3,239 posts as in the paper, but other numbers in the classes",
        ),
        (
            {"dataset": "reddit-emotion-text"},
            "data: titles of posts whose image need not exist any more",
        ),
        (
            {"folds": 5},
            "split: 5-fold cross-validation where the paper has one split: top 10% by upvotes within each "
            "class is the test set, the next 10% validation",
        ),
    ],
)
def test_every_departure_from_the_paper_is_told(change, told):
    assert differences(PAPER, **SAME | change) == (told,)


@pytest.mark.slow
def test_the_figures_need_no_torch():
    modules = "baselines.results.papers, baselines.results.tables, baselines.results.page.document"
    program = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
