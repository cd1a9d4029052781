"""What the multitask model gains over its single-task parts, with our defaults, on corpora 8 to 11.

The defaults were chosen on validation posts of corpora 0 and 1 (docs/settings.md). What doesn't hold beyond
the interval stands in docs/performance.md.
"""

import pytest

from benchmarks import unpaired
from benchmarks._compared import difference

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def found():
    return unpaired.measured(["sm", "cv_ct_cm"], [8, 9, 10, 11], posts=1000, seeds=3, shares=[0.05])


def test_without_a_text_the_multitask_model_is_better_than_one_that_was_trained_on_both(found):
    _, compared = difference(found.whole["sm", "image"], found.whole["cv_ct_cm", "image"])
    assert compared.low > 0


def test_with_few_pairs_the_other_pairs_halves_help(found):
    _, compared = difference(found.fewer[0.05, False], found.fewer[0.05, True])
    assert compared.low > 0
