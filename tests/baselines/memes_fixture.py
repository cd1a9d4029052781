"""Results of a run of the semi-supervised models on MAMI, written out: eight models and three ablations.

Each at 30, 10 and 5% of the labels, with validation scores by epoch and pictures of raw and cooked features.
"""

import math

import msgspec
import numpy as np
import pyarrow.parquet as pq

from baselines.results.schema import Condition, Projection
from tests.baselines import run_fixture
from tests.baselines.run_fixture import LABELS, meme_row, memes

SHARES = (0.3, 0.1, 0.05)
#: Title, the weighted F1 at each share, and the number of epochs.
MODELS = {
    "raw_n_cook": ("RAW-N-COOK", (0.741, 0.716, 0.682), 50),
    "cmml": ("CMML", (0.571, 0.546, 0.521), 50),
    "cmml_clip": ("CMML-CLIP", (0.722, 0.688, 0.651), 50),
    "tib_va": ("TIB-VA", (0.709, 0.591, 0.424), 20),
    "ext_pie_net": ("Ext-PIE-Net", (0.445, 0.4139, 0.4139), 50),
    "visualbert": ("VisualBERT", (0.631, 0.561, 0.515), 5),
    "vilt": ("ViLT", (0.604, 0.552, 0.541), 5),
    "lxmert": ("LXMERT", (0.602, 0.557, 0.533), 5),
    "raw_n_cook_no_crom_ae": ("RAW-N-COOK without CROM-AE", (0.735, 0.701, 0.665), 50),
    "raw_n_cook_no_db_loss": ("RAW-N-COOK without DB loss", (0.729, 0.694, 0.641), 50),
    "raw_n_cook_no_crom_ae_no_db_loss": ("RAW-N-COOK without either", (0.711, 0.677, 0.612), 50),
}


def history(end, epochs, seeds=5):
    """Scores that rise from .2 to `end`, with a spread over seeds that narrows."""
    return tuple(
        tuple(
            round(
                end
                - (end - 0.2) * math.exp(-9 * epoch / epochs)
                + (seed - 2) * 0.02 * math.exp(-2 * epoch / epochs)
                + 0.006 * math.sin(2.1 * epoch + seed + 9 * end),
                4,
            )
            for epoch in range(1, epochs + 1)
        )
        for seed in range(seeds)
    )


def losses(scores):
    """Losses of training and of validation that fall as scores rise; validation's rises again at the end."""
    return tuple(
        tuple(
            (round(2.2 - 2.4 * score, 4), round(2.2 - 2 * score + 0.3 * (place / len(one)) ** 3, 4))
            for place, score in enumerate(one)
        )
        for one in scores
    )


def rows():
    """The rows, condition by condition as a run has them."""
    return tuple(
        meme_row(
            model,
            title,
            scores[k],
            scores[k] - 0.08,
            scores[k] - 0.11,
            condition=Condition(labelled=share),
            history=history(scores[k], epochs),
            losses=losses(history(scores[k], epochs)),
        )
        for k, share in enumerate(SHARES)
        for model, (title, scores, epochs) in MODELS.items()
    )


def picture(kind, apart):
    """Posts of each label in a cloud of its own, `apart` from the others, and posts without a label."""
    labels = [number % 5 - 1 for number in range(150)]
    drawn = np.random.default_rng(0).normal(size=(150, 2))
    centres = np.array([(0, 0), (-1, -1), (1, -1), (-1, 1), (1, 1)])[[label + 1 for label in labels]]
    posts = tuple((round(x, 4), round(y, 4)) for x, y in (apart * centres + drawn).tolist())
    return Projection("raw_n_cook", "PCA", (), (), tuple(labels), kind, posts)


def results(**changes):
    """The run."""
    known = memes(
        rows=rows(),
        pairs=(),
        projections=(picture("raw", 0.6), picture("cooked", 2.4)),
        command="python -m baselines.run mami --models memes --ratios 0.3 0.1 0.05",
    )
    return msgspec.structs.replace(known, **changes)


def make(folder, **changes):
    """Write the folder of the run."""
    folder.mkdir(parents=True, exist_ok=True)
    results(**changes).write(folder)
    pq.write_table(run_fixture.meme_predictions(), folder / "predictions.parquet")
    return folder


__all__ = ["LABELS", "MODELS", "SHARES", "history", "make", "picture", "results", "rows"]
