"""The colours of the pages: texts can be read, and classes are told apart, also by the colour-blind."""

import itertools
import re
from importlib import resources

import numpy as np
import pytest

from tests.core.colours import SIGHT, contrast, difference, seen

CSS = resources.files("affectory.core.html").joinpath("page.css").read_text()
SCHEMES = dict(zip(("light", "dark", "print"), re.findall(r":root \{(.*?)\n? *\}", CSS, re.S), strict=True))


def colours(scheme):
    found = dict(re.findall(r"--(\w+): (#[0-9a-f]+);", SCHEMES[scheme]))
    return {
        name: found[name] for name in ("paper", "card", "wash", "ink", "quiet", "accent", "lost", "good")
    }, [found[f"k{number}"] for number in range(8)]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1, 2), (50, 0, 0), 2.3669),
        ((50, 2.5, 0), (58, 24, 15), 19.4535),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
        ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ],
)
def test_differences_are_those_of_sharma_wu_and_dalal(one, other, expected):
    assert round(difference(one, other), 4) == expected


def test_contrast_is_that_of_wcag():
    assert (round(contrast("#fff", "#000"), 2), round(contrast("#777777", "#ffffff"), 2)) == (21, 4.48)


def test_greys_stay_grey_to_the_colour_blind():
    for sight in SIGHT:
        assert np.allclose(seen("#808080", sight), seen("#808080", "normal"), atol=0.1)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_texts_can_be_read_on_every_ground(scheme):
    named, _ = colours(scheme)
    for text, ground in itertools.product(
        ("ink", "quiet", "accent", "lost", "good"), ("paper", "card", "wash")
    ):
        assert contrast(named[text], named[ground]) >= 4.5, (text, ground)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("sight", SIGHT)
def test_classes_are_told_apart(scheme, sight):
    named, classes = colours(scheme)
    for one, other in itertools.combinations(classes, 2):
        assert difference(seen(one, sight), seen(other, sight)) >= 10, (one, other)
    assert min(contrast(one, named[ground]) for one in classes for ground in ("paper", "card")) >= 3
