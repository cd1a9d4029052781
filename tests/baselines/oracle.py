"""fastText's C++ as the tests' oracle."""

import fasttext
import pytest

from benchmarks.text_model import train_cpp


def train(texts, labels, settings, **others):
    """Train the C++ on one thread, the texts read from top to bottom."""
    # Two packages install a module of this name: the oracle, and one that only predicts, for languages.
    if not hasattr(fasttext, "train_supervised"):
        pytest.skip("fasttext-predict hides the oracle: uv pip install --reinstall fasttext-wheel")
    return train_cpp(texts, labels, settings, **others)


def places(model, subwords):
    """Return the oracle's row for each of our rows that was learnt."""
    start = len(model.words)
    return [
        start + piece if isinstance(piece, int) else model.get_word_id(piece) for piece in subwords.learnt
    ]
