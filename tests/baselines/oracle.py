"""fastText's C++ as the tests' oracle."""

import tempfile
from dataclasses import asdict

import fasttext
import pytest

from affectory.encoders.text.subwords import words

#: How labels are marked in the C++'s file. `words` leaves no "/" inside a token: no word looks like one.
LABEL = "/label/"


def train(texts, labels, settings, **others):
    """Train the C++ on one thread, the texts read from top to bottom; `others` overrides its settings.

    `labels`: a text's class, or several as a tuple.
    """
    # Two packages install a module of this name: the oracle, and one that only predicts, for languages.
    if not hasattr(fasttext, "train_supervised"):
        pytest.skip("fasttext-predict hides the oracle: uv pip install --reinstall fasttext-wheel")
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        for text, label in zip(texts, labels, strict=True):
            every = label if isinstance(label, tuple) else (label,)
            tokens = [*(f"{LABEL}{one}" for one in every), *words(text)[:-1]]
            file.write(" ".join(tokens) + "\n")
        file.flush()
        given = asdict(settings) | {"thread": 1} | others
        return fasttext.train_supervised(file.name, label=LABEL, verbose=0, **given)


def places(model, subwords):
    """Return the oracle's row for each of our rows that was learnt."""
    start = len(model.words)
    return [
        start + piece if isinstance(piece, int) else model.get_word_id(piece) for piece in subwords.learnt
    ]
