"""Rows to split, and the counts of what came of them."""

import csv
from pathlib import Path

import numpy as np

INDEX = Path(__file__).parents[3] / "shared" / "data" / "reddit_emotion_index"


def rows(per_class, *, images=1):
    """Ids, labels and scores of so many posts a class; the score falls with the number."""
    made = [
        (f"{name}:{number:04}", name, 10_000 - number)
        for name, count in per_class.items()
        for number in range(count)
        for _ in range(images)
    ]
    return [list(column) for column in zip(*made, strict=True)]


def csv_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def counts(result):
    return np.bincount(result.splits, minlength=3).tolist()
