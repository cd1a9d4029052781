"""The corpus has what the papers claim of the real one: two inputs together beat either alone."""

import numpy as np
import pytest
from PIL import Image

from collectors.sandbox.generated import pictures
from collectors.sandbox.generated.corpus import Corpus

LABELS = ["joy", "fear", "anger", "disgust"]


@pytest.mark.slow
def test_image_and_title_together_beat_either_alone_by_eight_points():
    posts = [post for post in Corpus(seed=0, posts=2600).posts if post.images]
    labels = np.array([LABELS.index(post.label) for post in posts])
    looks = np.array([_pixels(post.images[0]) for post in posts])
    words = _bag_of_words([post.title for post in posts])
    image = _accuracy(looks, labels, ridge=10)
    title = _accuracy(words, labels, ridge=8)
    both = _accuracy(np.hstack([looks * (8 / 10) ** 0.5, words]), labels, ridge=8)
    assert 0.65 < image < 0.80
    assert 0.70 < title < 0.82
    assert both > max(image, title) + 0.08


def _pixels(picture):
    small = pictures.draw(picture.key, picture.cue, (96, 72)).resize((8, 8), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64).ravel() / 255


def _bag_of_words(titles):
    place = {}
    for title in titles:
        for word in title.lower().split():
            place.setdefault(word, len(place))
    bags = np.zeros((len(titles), len(place)))
    for row, title in enumerate(titles):
        bags[row, [place[word] for word in title.lower().split()]] = 1
    return bags


def _accuracy(inputs, labels, ridge):
    """Mean accuracy of a least-squares classifier over four folds."""
    fold = np.arange(len(labels)) % 4
    found = []
    for k in range(4):
        train, test = fold != k, fold == k
        centre = inputs[train].mean(axis=0)
        x, y = inputs[train] - centre, np.eye(4)[labels[train]]
        weights = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ (y - y.mean(axis=0)))
        scores = (inputs[test] - centre) @ weights + y.mean(axis=0)
        found.append(np.mean(scores.argmax(axis=1) == labels[test]))
    return float(np.mean(found))
