"""What RAW-N-COOK gains from unlabelled posts, with the paper's settings, on corpora 8 to 11."""

import pytest

from benchmarks._compared import difference
from benchmarks.unlabelled import WITH, WITHOUT, measured

pytestmark = pytest.mark.long


def test_with_a_tenth_of_the_labels_autoencoders_trained_on_the_other_posts_help():
    found = measured([8, 9, 10, 11], posts=1000, seeds=3, ratios=[0.1])
    _, compared = difference(found[WITHOUT, 0.1], found[WITH, 0.1])
    assert compared.low > 0
