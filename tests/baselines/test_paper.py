"""The papers' figures: right in themselves, found by release, and what makes a row no reproduction."""

import subprocess
import sys
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import msgspec
import pytest

from affectory.core.errors import BaselineError
from baselines.models.registry import MODELS, spec
from baselines.results.differences import differences
from baselines.results.published import figures, layouts, preset
from baselines.results.schema import Condition, Dataset, LabelScore, Row, Scores

[PAPER] = figures("reddit-emotion")
[MEMES] = figures("mami")
#: The paper, for a release that does nothing otherwise.
STRICT = msgspec.structs.replace(PAPER, otherwise=())
COUNTS = {
    "train": {"joy": 1000, "fear": 600, "anger": 600, "disgust": 800},
    "test": {"joy": 119, "fear": 97, "anger": 13, "disgust": 10},
}
DATASET = Dataset(
    name="reddit-emotion",
    version="1.0.0",
    task="single",
    labels=("joy", "fear", "anger", "disgust"),
    counts=COUNTS,
    posts={"train": 3000, "test": 239},
)
NOTHING = Scores({}, {"joy": LabelScore(0, 0, 0, 0)}, {})
ROW = Row(
    model="joint",
    title="Joint fusion (max)",
    family="duong2017",
    modes={"both": NOTHING, "image": NOTHING, "text": NOTHING},
    settings={"lr": 0.01, "momentum": 0.0, "batch": 64, "fusion": "max"},
    preset="duong2017",
    tuned=False,
    seconds=1.0,
    backbone="inception_v3",
    weights="0cc3c7bd",
    vectors="glove.twitter.27B.200d.txt, 200-d",
)
RELEASES = (
    "reddit-emotion",
    "reddit-emotion-strict",
    "reddit-emotion-text",
    "flickr-emotion",
    "flickr-emotion-multitask",
    "vso",
    "mami",
)


def changed(one, **changes):
    return msgspec.structs.replace(one, **changes)


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
    [paper] = figures(release)
    assert (paper.key, paper.dataset, paper.posts) == (key, dataset, posts)


def test_a_release_of_no_paper_has_none():
    assert figures("met-meme") == ()


@pytest.mark.parametrize(
    ("release", "model", "mode", "metrics", "table"),
    [
        ("reddit-emotion", "common", "both", "accuracy .8692, f1_macro .85, f1_micro .87", "Table 4"),
        ("reddit-emotion", "image", "both", "accuracy .7748, f1_macro .77, f1_micro .78", "Table 4"),
        ("reddit-emotion", "text", "text", "accuracy .784, f1_macro .77, f1_micro .78", "Table 4"),
        ("reddit-emotion", "joint", "image", "accuracy .3583", "Table 5"),
        ("flickr-emotion", "joint", "both", "accuracy .9301, f1_macro .90, f1_micro .93", "Table 4"),
        ("flickr-emotion", "common", "both", "accuracy .9344, f1_macro .91, f1_micro .934", "Table 4"),
        ("flickr-emotion", "common", "text", "accuracy .8914", "Table 5"),
        ("flickr-emotion-multitask", "cv_ct_cm", "both", "accuracy .9117, f1_macro .8803", "Table 2"),
        ("flickr-emotion-multitask", "sm", "image", "accuracy .4792, f1_macro .4064", "Table 2"),
        ("flickr-emotion-multitask", "sm", "text", "accuracy .7990, f1_macro .7486", "Table 2"),
        ("flickr-emotion-multitask", "si", "both", "accuracy .7059, f1_macro .5808", "Table 2"),
        ("vso", "l_fus", "both", "accuracy .8573, f1 .8913", "Table 3"),
    ],
)
def test_a_figure_is_that_of_the_paper_with_its_digits(release, model, mode, metrics, table):
    [paper] = figures(release)
    line = paper.figure(model, mode)
    written = ", ".join(f"{name} {str(value).removeprefix('0')}" for name, value in line.metrics.items())
    assert (written, line.table) == (metrics, table)


def test_a_figure_that_the_paper_lacks_is_none():
    assert PAPER.figure("late", "image") is None
    assert PAPER.figure("image", "text") is None
    assert PAPER.figure("vilt", "both") is None
    assert PAPER.figure("joint", "both", source="slides") is None


def test_what_was_trained_with_more_or_less_is_found_by_its_condition():
    [vso], [flickr] = figures("vso"), figures("flickr-emotion-multitask")
    pairs = Condition(pairs=0.001)
    assert vso.figure("cv_ct_cm", "both").metrics["accuracy"] == Decimal("0.8635")
    assert vso.figure("cv_ct_cm", "both", pairs).metrics == {"accuracy": Decimal("0.6256")}
    unpaired = Condition(pairs=0.001, unpaired=True)
    assert vso.figure("cv_ct_cm", "both", unpaired).metrics == {"accuracy": Decimal("0.8407")}
    with_images = flickr.figure("cv_ct_cm", "image", Condition(unpaired=True))
    assert (with_images.table, with_images.metrics["accuracy"]) == ("Table 4", Decimal("0.7547"))


@pytest.mark.parametrize(
    ("model", "source", "f1", "auc"),
    [
        ("raw_n_cook", "slides", (".7433", ".7184", ".6792"), (".8310", ".8145", ".7989")),
        ("raw_n_cook", "paper", (".7413", ".7113", ".6782"), None),
        ("cmml", "slides", (".5673", ".5496", ".5256"), (".6234", ".5794", ".5647")),
        ("cmml_clip", "slides", (".7265", ".6872", ".6496"), (".8289", ".7956", ".7664")),
        ("cmml_clip", "paper", (".7242", ".6878", ".6438"), None),
        ("tib_va", "slides", (".7083", ".5885", ".4150"), (".8333", ".7901", ".7093")),
        ("tib_va", "paper", (".7104", ".6886", ".6392"), None),
        ("visualbert", "slides", (".6337", ".5583", ".5174"), (".6825", ".6119", ".5604")),
        ("ext_pie_net", "slides", (".4422", ".4139", ".4139"), (".5043", ".4833", ".4761")),
        ("vilt", "slides", (".6010", ".5566", ".5456"), (".6948", ".6312", ".5978")),
        ("lxmert", "slides", (".6005", ".5597", ".5303"), (".6684", ".6163", ".5986")),
    ],
)
def test_the_slides_and_the_paper_are_two_sources(model, source, f1, auc):
    shares = (0.3, 0.1, 0.05)
    lines = [MEMES.figure(model, "both", Condition(labelled=share), source) for share in shares]
    assert [str(line.metrics["f1_weighted"]).removeprefix("0") for line in lines] == list(f1)
    assert [str(line.metrics.get("auc", "0none")).removeprefix("0") for line in lines] == list(
        auc or ("none",) * 3
    )
    assert MEMES.figure(model, "both", source=source) is None


def test_every_source_of_figures_is_cited():
    for release in RELEASES:
        [paper] = figures(release)
        assert {line.source for line in paper.figures} == set(paper.sources or {"paper": ""})


def test_the_starred_cells_are_exactly_those_that_contradict_the_accuracy():
    """With one label per post micro-F1 is the accuracy, so it must be that, rounded to its digits."""
    starred, wrong = [], []
    for release in ("reddit-emotion", "flickr-emotion", "flickr-emotion-multitask", "vso"):
        [paper] = figures(release)
        for line in paper.figures:
            starred += [(release, line.model, line.doubtful)] if line.doubtful else []
            micro = line.metrics.get("f1_micro")
            if micro is None:
                continue
            rounded = {
                line.metrics["accuracy"].quantize(micro, way) for way in (ROUND_HALF_UP, ROUND_HALF_EVEN)
            }
            wrong += [] if micro in rounded else [(release, line.model, ("accuracy", "f1_micro"))]
    assert starred == wrong
    assert [one[:2] for one in starred] == [
        ("reddit-emotion", "image"),
        ("reddit-emotion", "early"),
        ("flickr-emotion", "image"),
        ("flickr-emotion", "late"),
        ("flickr-emotion", "early"),
    ]


def test_a_starred_line_says_why():
    for release in RELEASES:
        [paper] = figures(release)
        assert all(bool(line.inconsistent) == bool(line.doubtful) for line in paper.figures)
    [flickr] = figures("flickr-emotion")
    assert flickr.figure("image", "image").inconsistent == "accuracy 56.87 rounds to .57, and micro-F1 is .73"


def test_a_model_has_one_line_a_mode_condition_and_source():
    for release in RELEASES:
        [paper] = figures(release)
        keys = [(line.model, line.mode, line.condition, line.source) for line in paper.figures]
        assert len(keys) == len(set(keys))


def test_a_layout_has_the_metrics_of_its_figures():
    for release in RELEASES:
        [paper] = figures(release)
        held = {metric for line in paper.figures for metric in line.metrics}
        shown = {metric for layout in paper.tables for metric in layout.metrics}
        assert held == shown
    assert [layout.name for layout in layouts("duong2017")] == ["Table 4", "Table 5"]
    assert layouts("today") == ()


def fitting(lines, posts):
    """Return the models whose accuracy is that of a whole number of right answers, to its digits."""
    found = []
    for line in lines:
        accuracy = line.metrics["accuracy"]
        right = Decimal(round(float(accuracy) * posts))
        found += [line.model] if (right / posts).quantize(accuracy) == accuracy else []
    return found


def test_the_remarks_on_the_splits_hold():
    [flickr] = figures("flickr-emotion")
    assert sum(posts // 10 for posts in flickr.counts.values()) == 930
    assert (len(flickr.figures), len(fitting(flickr.figures, 930))) == (10, 9)
    assert set(fitting(PAPER.figures, 321)) == {"early", "joint", "common"}
    assert fitting(PAPER.figures, 324) == ["text", "late"]


def test_a_preset_has_settings_that_its_models_have():
    values = preset("duong2017", "reddit-emotion")
    for model, stated in values.items():
        assert model in MODELS
        known = spec(model).settings()
        assert all(hasattr(known, key) for key in stated)
    assert values["common"]["negatives"] == 3
    assert preset("duong2017", "flickr-emotion")["common"]["negatives"] == 4
    assert preset("affectory", "flickr-emotion") == {"common": {"negatives": 4}}
    with pytest.raises(BaselineError, match="no --preset 'letter'; it is one of affectory, duong2017"):
        preset("letter", "reddit-emotion")
    with pytest.raises(
        BaselineError, match="the paper has no figures for 'mami'; it has for reddit-emotion, "
    ):
        preset("duong2017", "mami")


def test_a_row_with_the_papers_inputs_posts_and_settings_differs_in_nothing():
    assert differences(STRICT, ROW, DATASET) == ()
    unused = changed(ROW, backbone=None, weights=None, vectors=None, settings={})
    assert differences(STRICT, unused, DATASET) == ()


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
        (
            {"settings": {"lr": 0.01, "finetune": True}},
            "images: a fine-tuned network where the paper's is frozen",
        ),
        ({"settings": {"lr": 0.2}}, "settings: lr = 0.2 where the paper has 0.01"),
        ({"settings": {"lr": 0.2 / 3}}, "settings: lr = 0.06667 where the paper has 0.01"),
        ({"settings": {"centre": True}}, "settings: centre = true where the paper has false"),
        ({"settings": {"fusion": "mean"}}, "settings: fusion = mean where the paper has max"),
        (
            {"model": "late", "settings": {"image.lr": 0.2}, "vectors": "random, 100-d"},
            "settings: image.lr = 0.2 where the paper has 0.01",
        ),
        (
            {"model": "text"},
            "words: glove.twitter.27B.200d.txt, 200-d where the paper names no pretrained vectors",
        ),
    ],
)
def test_every_departure_of_a_row_is_told(change, told):
    assert differences(STRICT, changed(ROW, **change), DATASET) == (told,)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"counts": {"train": {"joy": 3267}}, "posts": {"train": 3267}},
            "data: 3,267 posts where the paper has 3,239",
        ),
        (
            {"counts": {"train": {"joy": 3239}}, "posts": {"train": 3239}},
            "data: 3,239 posts as in the paper, but other numbers by label",
        ),
        (
            {"folds": 5},
            "split: 5-fold cross-validation where the paper has one split: the top 10% by upvotes are the "
            "test set, the next 10% validation (section 5.4)",
        ),
        ({"labels": ("joy", "fear")}, "labels: joy, fear where the paper has joy, fear, anger, disgust"),
        ({"task": "several"}, "task: several labels per post where the paper has one label"),
    ],
)
def test_every_departure_of_a_dataset_is_told(change, told):
    assert differences(STRICT, ROW, changed(DATASET, **change)) == (told,)


def test_posts_of_several_labels_are_counted_once_and_those_without_a_label_too():
    rows = Dataset(
        name="mami",
        version="1.0.0",
        task="several",
        labels=("shaming", "stereotype", "objectification", "violence"),
        counts={"train": {"shaming": 5000, "stereotype": 5000}},
        posts={"train": 2400, "validation": 2000, "test": 1000},
        unlabelled=5600,
    )
    row = changed(ROW, model="cmml_clip", backbone=None, vectors=None, settings={})
    assert differences(MEMES, row, rows) == ()
    assert differences(MEMES, row, changed(rows, unlabelled=0)) == (
        "data: 5,400 posts where the paper has 11,000",
    )
    five = (*rows.labels, "misogynous")
    assert differences(MEMES, row, changed(rows, labels=five))[0].startswith("labels: shaming, stereotype, ")


def test_a_model_can_have_another_image_network_than_its_paper():
    row = changed(ROW, model="ext_pie_net", backbone="resnet18", vectors=None, settings={})
    told = differences(changed(MEMES, posts=3239, task="single", labels=()), row, DATASET)
    assert told == ()


def test_a_papers_unpaired_posts_may_be_in_a_release_or_not():
    [paper] = figures("flickr-emotion-multitask")
    row = changed(ROW, model="si", backbone="densenet121", vectors=None, settings={})
    both = {name: paper.counts[name] + paper.unpaired[name] for name in paper.counts}
    told = {}
    for name, counts in (("pairs", paper.counts), ("all", both), ("fewer", {"fear": 9000})):
        dataset = changed(
            DATASET, labels=paper.labels, counts={"train": counts}, posts={"train": sum(counts.values())}
        )
        told[name] = [one for one in differences(paper, row, dataset) if one.startswith("data")]
    assert told == {
        "pairs": [],
        "all": [],
        "fewer": ["data: 9,000 posts where the paper has 8,163 and 13,912 unpaired"],
    }


def test_what_a_recipe_does_otherwise_marks_the_rows_that_it_concerns():
    jpeg = "images: in their original format where the paper converts them to JPEG"
    first = "images: of a post with several images only the first"
    near = "split: near-duplicates are in the same split; the paper doesn't look for them"
    assert differences(PAPER, ROW, DATASET) == (jpeg, first, near)
    text = changed(
        ROW, model="text", modes={"both": NOTHING, "text": NOTHING}, backbone=None, vectors="random, 100-d"
    )
    assert differences(PAPER, text, DATASET) == (near,)


@pytest.mark.slow
def test_the_figures_need_no_torch():
    modules = "baselines.results.published, baselines.results.tables, baselines.results.page.document"
    program = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
