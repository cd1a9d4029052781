import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectory.core.errors import BaselineError
from affectory.encoders.text.bag_of_words import BagOfWords

TEXTS = ["So happy, so HAPPY a day", "a dark day", "Naïve café 42!"]


def test_the_most_frequent_tokens_of_two_characters_have_a_column():
    assert BagOfWords.fit(TEXTS, most=5).words == ("day", "happy", "so", "42", "café")
    assert BagOfWords.fit(TEXTS).words == ("day", "happy", "so", "42", "café", "dark", "naïve")


def test_a_text_is_ones_for_the_words_it_holds_however_often():
    words = BagOfWords.fit(TEXTS, most=3)
    assert words.encode(["HAPPY happy day", "a b 42", ""]).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert words.encode([]).shape == (0, 3)


def test_a_checkpoint_keeps_the_vocabulary():
    words = BagOfWords.fit(TEXTS)
    again = BagOfWords.from_state(words.state())
    assert again == words
    assert again.encode(TEXTS).sum(1).tolist() == [3, 2, 3]
    assert (again.width, again.modality) == (7, "text")


def test_texts_without_a_word_are_refused():
    with pytest.raises(BaselineError, match="hold no word of two or more characters"):
        BagOfWords.fit(["", "a !"])


@given(st.lists(st.text(), max_size=6), st.integers(1, 9))
def test_any_text_is_zeros_and_ones(texts, most):
    words = BagOfWords.fit([*texts, "at least this"], most)
    found = words.encode(texts)
    assert found.shape == (len(texts), words.width)
    assert set(np.unique(found)) <= {0, 1}
    assert words.width <= most
