"""Results of two runs, written out: one label per post on Reddit, several labels on memes.

Six models on 325 Reddit posts, of which common space fusion is best; three on 200 memes, one of them in two
conditions.
"""

from dataclasses import dataclass

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from baselines.results.schema import (
    PREDICTIONS,
    Condition,
    Dataset,
    Figure,
    Interval,
    LabelScore,
    LeftOut,
    Pair,
    Projection,
    Results,
    Row,
    Scores,
    Stopped,
    Trivial,
)

CLASSES = ("joy", "fear", "anger", "disgust")
COUNTS = {
    "train": {"joy": 899, "fear": 558, "anger": 492, "disgust": 666},
    "validation": {"joy": 112, "fear": 70, "anger": 62, "disgust": 83},
    "test": {"joy": 112, "fear": 69, "anger": 61, "disgust": 83},
}
POSTS = {"train": 2615, "validation": 327, "test": 325}
METRICS = {
    "accuracy": "Accuracy %",
    "f1_macro": "F1 macro",
    "f1_micro": "F1 micro",
    "f1_weighted": "F1 weighted",
}
BACKBONE = "images: mobilenet_v2 where the paper has inception_v3"
VECTORS = "words: glove.twitter.25d.12k.txt, 25-d where the paper has GloVe-Twitter, 200-d"
POSTS_DIFFER = "data: 3,267 posts where the paper has 3,239"
RATE = "settings: lr = 0.2 where the paper has 0.01"


def figure(mean, spread=0.012, seeds=5):
    """A metric whose interval over seeds and posts is 2.5 times that over seeds."""
    if seeds < 3:
        return Figure(mean, (mean,) * seeds)
    values = tuple(round(mean + (2 * k / (seeds - 1) - 1) * spread, 4) for k in range(seeds))
    sampled = Interval(mean - 2.5 * spread, mean + 2.5 * spread)
    return Figure(mean, values, Interval(mean - spread, mean + spread), sampled)


def scores(accuracy, seeds=5):
    """Scores of one label per post; its errors are spread evenly over the other classes."""
    tests = COUNTS["test"]
    confusion = {
        true: {
            guess: round(tests[true] * (accuracy if guess == true else (1 - accuracy) / 3), 1)
            for guess in CLASSES
        }
        for true in CLASSES
    }
    each = {
        name: LabelScore(accuracy + 0.02 * i - 0.03, accuracy - 0.02 * i, accuracy - 0.01 * i, tests[name])
        for i, name in enumerate(CLASSES)
    }
    metrics = {
        "accuracy": figure(accuracy, seeds=seeds),
        "f1_macro": figure(accuracy - 0.02, seeds=seeds),
        "f1_micro": figure(accuracy, seeds=seeds),
        "f1_weighted": figure(accuracy - 0.005, seeds=seeds),
    }
    return Scores(metrics, each, confusion)


def row(model, title, both=None, image=None, text=None, *, seeds=5, **more):
    """A row of Duong et al.'s models, with the scores of the modes that it reads."""
    given = {"both": both, "image": image, "text": text}
    modes = {mode: scores(value, seeds) for mode, value in given.items() if value is not None}
    reads = [mode for mode in ("image", "text") if mode in modes] or ["image", "text"]
    words = {"vectors": "glove.twitter.25d.12k.txt, 25-d"} if "text" in reads else {}
    pixels = {"backbone": "mobilenet_v2", "weights": "3f1c9a2b"} if "image" in reads else {}
    differs = [BACKBONE] if "image" in reads else []
    differs += [VECTORS] if "text" in reads else []
    usual = {"differs": (*differs, POSTS_DIFFER), "settings": {"lr": 0.01, "batch": 64}}
    fixed = {"family": "duong2017", "preset": "affectory", "tuned": True, "seconds": 4.25, "modes": modes}
    return Row(model=model, title=title, **(words | pixels | usual | fixed | more))


def results(**changes):
    """The run on Reddit."""
    rows = (
        row("image", "Image-based", 0.712, image=0.712),
        row("text", "Text-based", 0.768, text=0.768),
        row("late", "Late fusion", 0.8254, 0.712, 0.768, settings={}),
        row("early", "Early fusion", 0.8311, 0.402, 0.7215),
        row("joint", "Joint fusion (max)", 0.8634, 0.361, 0.6902),
        row(
            "common",
            "Common space fusion (max)",
            0.8718,
            0.7011,
            0.7304,
            settings={"lr": 0.2, "batch": 64},
            differs=(BACKBONE, VECTORS, POSTS_DIFFER, RATE),
            stopped=(Stopped(3, "the loss became NaN or infinite in epoch 4"),),
        ),
    )
    pairs = (
        Pair(
            first=3,
            second=4,
            mode="both",
            metric="accuracy",
            difference=0.0323,
            interval=Interval(0.0031, 0.0615),
            p=0.0304,
            p_holm=0.0608,
        ),
        Pair(
            first=4,
            second=5,
            mode="both",
            metric="accuracy",
            difference=0.0084,
            interval=Interval(-0.0092, 0.0262),
            p=0.348,
            p_holm=0.348,
        ),
    )
    known = Results(
        dataset=Dataset(
            name="reddit-emotion",
            version="1.0.0",
            task="single",
            labels=CLASSES,
            counts=COUNTS,
            posts=POSTS,
        ),
        rows=rows,
        pairs=pairs,
        trivial=Trivial(
            "Always 'joy'",
            {"accuracy": 112 / 325, "f1_macro": 0.1281, "f1_micro": 112 / 325, "f1_weighted": 0.1766},
        ),
        metrics=METRICS,
        command="python -m baselines.run reddit-emotion",
        device="cpu (2 cores)",
        date="2026-11-22",
        tools={"torch": "2.15.0"},
        out_of_vocabulary=0.112,
        left_out=(LeftOut("vilt", "it reads pixels, and the release has none"),),
        projections=(projection("joint", 3.0), projection("common", 0.6)),
    )
    return msgspec.structs.replace(known, **changes)


def projection(model, apart):
    """Image and text vectors in four clouds; `apart` is how far the two kinds are from each other."""
    images, texts, labels = [], [], []
    for number in range(120):
        label, turn = number % 4, number * 2.399963
        x, y = (8 * (label % 2) - 4, 8 * (label // 2) - 4)
        dx, dy = (number % 7 - 3) / 2 + (turn % 1), (number % 5 - 2) / 2 + (turn % 1.3)
        images.append((x + dx, y + dy))
        texts.append((x + dx * 0.8 + apart, y + dy * 0.7 - apart / 2))
        labels.append(label)
    return Projection(model, "PCA", tuple(images), tuple(texts), tuple(labels))


@dataclass(frozen=True)
class Answer:
    """What the models predict for a post, in the order image, text, late, early, joint, common."""

    post: str
    label: str
    said: str  # by the first letters of the classes: "j", "f", "a", "d"


ANSWERS = (
    Answer("reddit:together", "joy", "fajjjj"),
    Answer("reddit:astray", "fear", "ffajja"),
    Answer("reddit:image", "anger", "ajjaja"),
    Answer("reddit:text", "disgust", "jdddjd"),
    Answer("reddit:hard", "joy", "fffaff"),
    Answer("reddit:agreed", "joy", "jjjjjj"),
    Answer("reddit:wrong", "joy", "ffffff"),
)


def predictions(answers=ANSWERS, seeds=(0, 1, 2)):
    """Each model's answers with all its inputs, the same of each seed but one: the last says joy."""
    names = {name[0]: name for name in CLASSES}
    models = [row.model for row in results().rows]
    rows = [
        {
            "post_id": answer.post,
            "image_index": 0,
            "fold": None,
            "labels": [answer.label],
            "model": model,
            "condition": "",
            "seed": seed,
            "mode": "both",
            "predicted": ["joy" if seed == seeds[-1] and len(seeds) > 1 else names[letter]],
            "probabilities": [0.25] * 4,
        }
        for answer in answers
        for model, letter in zip(models, answer.said, strict=True)
        for seed in seeds
    ]
    return pa.Table.from_pylist(rows, PREDICTIONS)


def make(folder, **changes):
    """Write the folder of the run on Reddit."""
    folder.mkdir(parents=True, exist_ok=True)
    results(**changes).write(folder)
    pq.write_table(predictions(), folder / "predictions.parquet")
    return folder


LABELS = ("shaming", "stereotype", "objectification", "violence")
SUPPORT = {"shaming": 29, "stereotype": 70, "objectification": 69, "violence": 31}
THIRTY, FIVE = Condition(labelled=0.3), Condition(labelled=0.05)


def meme_scores(f1):
    """Scores of several labels per post on 200 posts."""
    confusion = {
        name: {
            "true positive": round(n * f1, 1),
            "false positive": round(n * 0.2, 1),
            "false negative": round(n * (1 - f1), 1),
            "true negative": round(200 - n * 1.2, 1),
        }
        for name, n in SUPPORT.items()
    }
    each = {name: LabelScore(f1 + 0.1, f1, f1 + 0.05, n, f1 + 0.12) for name, n in SUPPORT.items()}
    metrics = {"f1_weighted": figure(f1), "auc": figure(f1 + 0.1), "f1_macro": figure(f1 - 0.1)}
    return Scores(metrics, each, confusion)


def meme_row(model, title, both, image=None, text=None, **more):
    given = {"both": both, "image": image, "text": text}
    modes = {mode: meme_scores(value) for mode, value in given.items() if value is not None}
    usual = {"family": "semimemes2023", "preset": "slides", "tuned": False, "seconds": 61.0, "settings": {}}
    return Row(model=model, title=title, modes=modes, **(usual | more))


def memes(**changes):
    """The run on memes: three models, one of them of a family without a paper."""
    rows = (
        meme_row("cmml_clip", "CMML-CLIP", 0.722, 0.64, 0.61, condition=THIRTY),
        meme_row("raw_n_cook", "RAW-N-COOK", 0.741, 0.66, 0.63, condition=THIRTY),
        meme_row("raw_n_cook", "RAW-N-COOK", 0.676, 0.59, 0.57, condition=FIVE),
        meme_row("tfidf", "TF-IDF", 0.655, text=0.655, family="today", preset="affectory"),
    )
    pair = Pair(
        first=0,
        second=1,
        mode="both",
        metric="f1_weighted",
        difference=0.019,
        interval=Interval(-0.004, 0.042),
        p=0.102,
        p_holm=0.204,
    )
    known = results(
        dataset=Dataset(
            name="mami",
            version="1.0.0",
            task="several",
            labels=LABELS,
            counts={
                "train": {name: 8 * n for name, n in SUPPORT.items()},
                "validation": {name: 2 * n for name, n in SUPPORT.items()},
                "test": SUPPORT,
            },
            posts={"train": 1600, "validation": 400, "test": 200},
            unlabelled=8800,
        ),
        rows=rows,
        pairs=(pair,),
        trivial=Trivial("Never any label", {"f1_weighted": 0.4139, "auc": 0.5, "f1_macro": 0.0}),
        metrics={"f1_weighted": "F1 weighted", "auc": "AUC", "f1_macro": "F1 macro"},
        command="python -m baselines.run mami",
        out_of_vocabulary=None,
        left_out=(),
        projections=(),
    )
    return msgspec.structs.replace(known, **changes)


#: The labels of a post, and what CMML-CLIP, RAW-N-COOK at 30 and 5%, and TF-IDF predict, by first letters.
MEMES = (
    ("mami:1.jpg", "sv", ("s", "sv", "", "v")),
    ("mami:2.jpg", "", ("t", "", "", "")),
    ("mami:3.jpg", "to", ("to", "to", "o", "to")),
    ("mami:4.jpg", "o", ("o", "o", "o", "o")),
)


def meme_predictions(seeds=(0, 1, 2)):
    names = {"s": "shaming", "t": "stereotype", "o": "objectification", "v": "violence"}
    rows = [
        {
            "post_id": post,
            "image_index": 0,
            "fold": None,
            "labels": [names[letter] for letter in labels],
            "model": one.model,
            "condition": one.condition.text,
            "seed": seed,
            "mode": "both",
            "predicted": [names[letter] for letter in said],
            "probabilities": [0.5] * 4,
        }
        for post, labels, every in MEMES
        for one, said in zip(memes().rows, every, strict=True)
        for seed in seeds
    ]
    return pa.Table.from_pylist(rows, PREDICTIONS)


def make_memes(folder, **changes):
    """Write the folder of the run on memes."""
    folder.mkdir(parents=True, exist_ok=True)
    memes(**changes).write(folder)
    pq.write_table(meme_predictions(), folder / "predictions.parquet")
    return folder
