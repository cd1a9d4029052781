"""Normalised texts, and texts one word apart against all pairs."""

import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curation.duplicates import near_texts
from curation.duplicates.near_texts import equal_groups, near_text_groups, normalise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's HERE!! 🎉 https://i.redd.it/rrinwcmrxzug1.jpg", "its here"),
        ("Don’t   panic\n\tnow…", "dont panic now"),
        ("see www.reddit.com/r/happy, please", "see please"),
        ("[my dog](https://imgur.com/a/x) smiles", "my dog smiles"),
        ("awww.so cute", "awww so cute"),
        ("ｆｕｌｌ　ｗｉｄｔｈ ﬁne ²", "full width fine 2"),
        ("STRASSE Straße", "strasse strasse"),
        ("CAFÉ cafe\u0301", "café café"),
        ("snake_case-and.dots", "snake case and dots"),
        ("हिन्दी की किताब", "हिन्दी की किताब"),
        ("1\ufe0f\u20e3 👩\u200d👩\u200d👧 ❤\ufe0f ok", "1 ok"),
        ("ΐ", "ι\u0308\u0301"),
        ("🎉🎉", ""),
        ("https://i.imgur.com/a.gif", ""),
        ("?!", ""),
        ("", ""),
    ],
)
def test_a_text_is_normalised(text, expected):
    assert normalise(text) == expected


@given(st.text() | st.text(st.sampled_from("aİßΐǰ\u0345\u0301\u200d\ufe0f'w.:/ht ps"), max_size=20))
@example("www.https://a")
def test_a_normalised_text_stays_as_it_is(text):
    once = normalise(text)
    assert normalise(once) == once
    assert once.split() == [word for word in once.split(" ") if word]
    assert not [c for c in once if unicodedata.category(c)[0] in "PSZC" and c != " "]


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


def one_apart(a, b):
    """Say whether one word is inserted, deleted or substituted, the slow way."""
    if len(a) == len(b):
        return sum(x != y for x, y in zip(a, b, strict=True)) <= 1
    short, long = sorted((a, b), key=len)
    return any(long[:i] + long[i + 1 :] == short for i in range(len(long)))


def all_pairs(texts, min_words):
    words = [normalise(text).split() for text in texts]
    labels = [row if words[row] else -1 for row in range(len(texts))]
    for a in range(len(texts)):
        for b in range(a):
            long = min(len(words[a]), len(words[b])) >= min_words
            if words[a] and words[b] and (words[a] == words[b] or (long and one_apart(words[a], words[b]))):
                old, new = sorted((labels[a], labels[b]), reverse=True)
                labels = [new if label == old else label for label in labels]
    return labels


few_words = st.lists(st.sampled_from(["a", "b", "B!", "é", "🎉"]), max_size=6).map(" ".join)


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
