"""Results of a run of `baselines.missing`, written out: ten models, gaps, and posts whose image is gone."""

import msgspec

from baselines.results.missing_schema import PROTOCOLS, Gone, Line, Missing, Model, Point, Scored
from baselines.results.schema import Dataset, LeftOut, Stopped, Trivial
from tests.baselines.run_fixture import CLASSES, COUNTS, METRICS, POSTS, figure

RATES = (0.0, 0.25, 0.5, 0.75, 1.0)
TRIVIAL = 112 / 325
#: Model: title, what it reads, its accuracy on complete posts.
MODELS = {
    "image": ("Image-based", ("image",), 0.71),
    "text": ("Text-based", ("text",), 0.77),
    "late": ("Late fusion", ("image", "text"), 0.82),
    "early": ("Early fusion", ("image", "text"), 0.83),
    "joint": ("Joint fusion (max)", ("image", "text"), 0.86),
    "common": ("Common space fusion (max)", ("image", "text"), 0.87),
    "sm": ("SM, single-task multimodal", ("image", "text"), 0.85),
    "cv_ct_cm": ("Multitask", ("image", "text"), 0.84),
    "cmml_clip": ("CMML-CLIP", ("image", "text"), 0.80),
    "sentence": ("Sentence encoder, logistic regression", ("text",), 0.79),
}
#: Models that can't be trained at rate 1.
NEVER = {"text": "a text", "image": "an image", "sentence": "a text", "sm": "image and text"}


def point(model, modality, protocol, rate):
    """A model's score at a rate: it falls by a third on the way to rate 1."""
    _, reads, complete = MODELS[model]
    touched = modality in reads
    if touched and rate == 1 and model in NEVER and protocol != "test":
        return Point(rate, {}, f"no training post of fear has {NEVER[model]}")
    steep = {"train": 0.12, "test": 0.3, "both": 0.33}[protocol] * touched
    return Point(rate, {"accuracy": figure(round(complete * (1 - steep * rate), 4))})


def line(model, modality, protocol):
    points = tuple(point(model, modality, protocol, rate) for rate in RATES)
    means = [one.metrics["accuracy"].mean if one.metrics else TRIVIAL for one in points]
    inner = sum(means[1:-1]) / 4 + (means[0] + means[-1]) / 8
    return Line(model, modality, protocol, points, figure(round(inner, 4)))


def found(**changes):
    """The run."""
    models = tuple(
        Model(
            model=model,
            title=title,
            family="duong2017",
            reads=reads,
            complete={"accuracy": figure(complete)},
            settings={"lr": 0.01, "batch": 64},
            seconds=120.5,
            notes=("reconstructed from its description",) if model == "cmml_clip" else (),
            stopped=(Stopped(3, "75% without texts: the loss became NaN"),) if model == "common" else (),
        )
        for model, (title, reads, complete) in MODELS.items()
    )
    known = Missing(
        dataset=Dataset(
            name="reddit-emotion",
            version="1.0.0",
            task="single",
            labels=CLASSES,
            counts=COUNTS,
            posts=POSTS,
            generated="generated posts: not results",
        ),
        rates=RATES,
        modalities=("image", "text"),
        models=models,
        lines=tuple(
            line(model, modality, protocol)
            for model in MODELS
            for modality in ("image", "text")
            for protocol in PROTOCOLS
        ),
        gone=Gone(
            412,
            325,
            {"with a title of training": 9, "tombstones of deleted posts": 31},
            (
                Scored("text", figure(0.71), figure(0.75)),
                Scored("joint", figure(0.8), figure(0.84)),
                Scored("", figure(0.31, seeds=1), figure(TRIVIAL, seeds=1)),
            ),
        ),
        trivial=Trivial("Always 'joy'", {"accuracy": TRIVIAL}),
        headline="accuracy",
        metrics={"accuracy": METRICS["accuracy"]},
        masks="0123456789abcdef" * 4,
        seeds=(0, 1, 2, 3, 4),
        preset="affectory",
        networks={"image": "mobilenet_v2 bd6e02e4f7a50050"},
        command="python -m baselines.missing reddit-emotion --models " + " ".join(MODELS),
        device="cpu (2 cores)",
        date="2026-11-22",
        tools={"torch": "2.15.0"},
        left_out=(LeftOut("vilt", "it reads pixels, and the release has none"),),
    )
    return msgspec.structs.replace(known, **changes)


def make(folder, **changes):
    """Write the folder of the run."""
    folder.mkdir(parents=True, exist_ok=True)
    found(**changes).write(folder)
    return folder
