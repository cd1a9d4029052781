"""The axes of the charts of a page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.results.page.axes import draw_axis, rounded, tenths

LOSSES = st.floats(0, 1e4)


@given(LOSSES, LOSSES)
def test_an_axis_of_losses_holds_them_between_few_lines_with_labels_of_their_own(one, other):
    low, high = sorted((one, other))
    axis = rounded(low, high)
    assert axis.values[0] <= low + 1e-9 and high - 1e-9 <= axis.values[-1]
    assert 2 <= len(axis.values) <= 8
    assert len(set(axis.labels)) == len(axis.labels)
    assert [float(label) for label in axis.labels] == pytest.approx(axis.values)


def test_an_axis_of_losses_has_round_numbers():
    assert rounded(0.42, 1.63).labels == ("0.0", "0.5", "1.0", "1.5", "2.0")
    assert rounded(0, 0).labels == ("0.0000", "0.0001")
    assert rounded(180, 1234).labels == ("0", "500", "1000", "1500")


def test_an_axis_of_scores_is_in_percent_or_without_a_leading_zero():
    assert tenths((0.3, 0.6), percent=True).labels == ("30", "40", "50", "60")
    assert tenths((0.2, 0.3), percent=False, lines=20).labels == (".20", ".25", ".30")


def test_the_axis_above_dot_plots_has_a_tick_at_every_tenth_and_at_most_five_figures():
    drawn = draw_axis((0.3, 1.0), percent=True)
    assert drawn.count("<line") == 8
    assert drawn.count("<text") == 4
    assert '<text x="0.00%" y="11" text-anchor="start">30</text>' in drawn
    assert '<line x1="100.00%" x2="100.00%" y1="15" y2="20"></line>' in drawn
