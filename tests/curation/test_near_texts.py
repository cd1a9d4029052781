"""Texts one word apart against all pairs, and the groups around their centres."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.duplicates import near_texts
from curation.duplicates.near_texts import SERIES, equal_groups, near_text_groups
from curation.measure.normalise import normalise


def test_equal_texts_have_the_first_row_and_empty_ones_are_alone():
    texts = ["So happy!", "🎉", "so HAPPY", "sad", "", "so happy https://i.redd.it/x.jpg"]
    assert equal_groups(texts).tolist() == [0, -1, 0, 3, -1, 0]


def test_texts_one_word_apart_are_near():
    texts = [
        "my dog smiled at me today",
        "My dog smiled at me yesterday!",  # one substituted
        "my dog smiled at me again today",  # one inserted
        "dog my smiled at me today",  # two swapped: two words apart
        "my dog smiled at me",  # one deleted, but too short
        "🎉",
        "my dog SMILED at me today",
    ]
    assert near_text_groups(texts).tolist() == [0, 0, 0, 3, 4, -1, 0]


def test_texts_that_share_what_is_left_of_them_without_different_words_are_not_near():
    # without "x" both are "a b c d e f", which is not among the texts
    assert near_text_groups(["x a b c d e f", "a b c d e f x"]).tolist() == [0, 1]
    assert near_text_groups(["x a b c d e f", "a b c d e f x", "a b c d e f"]).tolist() == [0, 0, 0]


def test_a_chain_of_near_texts_is_divided_between_centres():
    chain = ["b c d e f g", "a b c d e f g", "a b c d e f x", "a b c d e x"]
    groups = near_text_groups(chain)
    assert groups[0] != groups[3]
    assert near_text_groups([*chain, "a b c q e f g"]).tolist() == [0, 0, 0, 3, 0]


def test_a_template_with_a_number_is_a_series():
    days = [f"Day {n} of drawing a frog until I am happy" for n in range(500)]
    assert near_text_groups(days).tolist() == list(range(500))
    assert near_text_groups(days[:2]).tolist() == [0, 1]
    assert (
        near_text_groups([days[0], days[0].upper(), "Day one of drawing a frog until I am happy"]).tolist()
        == [0] * 3
    )
    assert near_text_groups([days[0], days[0].replace("Day 0", "Day")]).tolist() == [0, 0]


def test_a_place_with_many_different_words_is_a_series():
    became = [
        f"they told me I could be anything so I became a {thing}"
        for thing in ["frog", "tank", "sheep", "cat", "bee", "jet"]
    ]
    assert len(became) == SERIES + 1
    assert near_text_groups(became[:-1]).tolist() == [0] * SERIES
    assert near_text_groups(became).tolist() == list(range(6))
    without = became[0].removesuffix(" frog")
    assert near_text_groups([without, *became[:-1]]).tolist() == list(range(6))
    typo = became[0].replace("could", "coud")
    assert near_text_groups([*became, typo]).tolist() == [0, 1, 2, 3, 4, 5, 0]


def test_short_texts_are_near_only_when_they_are_equal():
    assert near_text_groups(["so very happy", "so very sad", "So very happy."]).tolist() == [0, 1, 0]


def test_no_text_makes_no_group():
    assert near_text_groups([]).tolist() == []
    assert near_text_groups(["", "?"]).tolist() == [-1, -1]


def test_a_minimum_below_one_word_is_refused():
    with pytest.raises(ValueError, match="at least 0 words: give 1 or more"):
        near_text_groups(["a"], min_words=0)


def test_a_lone_surrogate_is_no_letter():
    assert near_text_groups(["a b c \ud800 d e f", "a b c d e f"]).tolist() == [0, 0]


def slots(words):
    """Return a text's slots: a place, and the text without the word there. Inserted words have slots, too."""
    return [(place, (*words[:place], *words[place + 1 :])) for place in range(len(words))]


def near(a, b, texts):
    """Say whether one word is inserted, deleted or substituted, and is not that of a series, the slow way."""
    if len(a) == len(b):
        shared = set(slots(a)) & set(slots(b))
        shared = {s for s in shared if not (a[s[0]].isdigit() and b[s[0]].isdigit())}
    else:
        short, long = sorted((a, b), key=len)
        shared = {slot for slot in slots(long) if slot[1] == short}
    return any(sum(slot in slots(t) for t in texts) + (slot[1] in texts) <= SERIES for slot in shared)


def all_pairs(texts, min_words):
    """Group around centres, given the hashes that order texts with as many near ones."""
    words = [tuple(normalise(text).split()) for text in texts]
    different = [w for w in dict.fromkeys(words) if len(w) >= min_words]
    neighbours = {a: [b for b in different if a != b and near(a, b, different)] for a in different}
    hashes, _ = near_texts.hashed([" ".join(w) for w in different])
    order = dict(zip(different, hashes.to_pylist(), strict=True))
    centre = {}
    for text in sorted(different, key=lambda t: (-len(neighbours[t]), order[t])):
        if text not in centre:
            centre |= {one: text for one in [text, *neighbours[text]] if one not in centre}
    named = [centre.get(w, w) for w in words]
    return [named.index(name) if name else -1 for name in named]


few_words = st.lists(st.sampled_from(["a", "b", "B!", "é", "🎉", "1", "2", "d", "f"]), max_size=6).map(
    " ".join
)


@pytest.mark.slow
@given(st.lists(few_words, max_size=25), st.integers(1, 4))
def test_near_groups_are_those_of_all_pairs(texts, min_words):
    assert near_text_groups(texts, min_words).tolist() == all_pairs(texts, min_words)


@pytest.mark.slow
@given(st.lists(few_words, max_size=25))
def test_texts_are_hashed_and_signatures_sorted_in_any_portions(texts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_texts, "_AT_ONCE", 7)
        patch.setattr(near_texts, "_TEXTS_AT_ONCE", 2)
        assert near_text_groups(texts, 2).tolist() == all_pairs(texts, 2)


@pytest.mark.slow
@given(st.lists(few_words, max_size=25), st.randoms(use_true_random=False))
def test_the_order_of_texts_changes_no_group(texts, random):
    order = random.sample(range(len(texts)), len(texts))
    groups, permuted = near_text_groups(texts, 2), near_text_groups([texts[i] for i in order], 2)
    for a in range(len(texts)):
        for b in range(a):
            together = groups[order[a]] == groups[order[b]] != -1
            assert (permuted[a] == permuted[b] != -1) == together


def test_a_very_long_text_costs_as_much_as_its_words():
    words = [f"w{i}" for i in range(50_000)]
    texts = [" ".join(words), " ".join([*words[:777], "new", *words[778:]]), " ".join(reversed(words))]
    assert np.array_equal(near_text_groups(texts), [0, 0, 2])
