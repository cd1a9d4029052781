"""How words are counted, and that both ways of counting agree."""

import csv
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.measure.words import count_words

INDEX = Path(__file__).parents[3] / "shared" / "data" / "reddit_emotion_index"


def plainly(text):
    """Count as the docstring says, one character at a time."""
    return sum(any(unicodedata.category(letter)[0] in "LN" for letter in word) for word in text.split())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("   \t\n ", 0),
        ("Dusk", 1),
        ("  My dog,  at last ", 4),
        ("wow... just wow", 3),
        ("one\ttwo\nthree\rfour\x0bfive\x0csix", 6),
        # punctuation and emoji alone are no words, stuck to one they are part of it
        ("... — & !!", 0),
        ("😀 :) ❤️ \U0001f468\u200d\U0001f469\u200d\U0001f467", 0),
        ("so happy 😀", 2),
        ("happy😀", 1),
        ("___ _a_", 1),
        # a number counts, in whatever script
        ("2016", 1),
        ("I <3 you", 3),
        ("٣ ½ Ⅷ", 3),
        # no hyphen, apostrophe, slash or colon splits a word
        ("don't", 1),
        ("a well-known, well - hidden and/or lost cat's toy", 8),
        ("https://i.imgur.com/DPnilTa.jpg look", 2),
        ("#blessed @home [OC] (1920x1080)", 4),
        # scripts with spaces
        ("Туман в лесу", 3),
        ("e\u0301te\u0301", 1),
        ("घर की याद", 3),
        ("집에 가고 싶다", 3),
        # and without: the limit that the module states
        ("海に沈む夕日", 1),
        ("お母さん、誕生日おめでとう", 1),
        ("东京 上海", 2),
        ("东京\u3000上海", 2),
        ("แมวของฉัน", 1),
        # white space beyond ASCII
        ("a\xa0b\u2003c\u2028d\u1680e\x85f\x1cg", 7),
        ("zero\u200bwidth", 1),
    ],
)
def test_words_are_counted_as_written_down(text, words):
    assert count_words([text]).tolist() == [words]
    assert plainly(text) == words


def test_a_missing_text_has_no_words_and_no_texts_no_counts():
    assert count_words([None, "a b", None]).tolist() == [0, 2, 0]
    assert count_words([]).tolist() == []
    assert count_words(pa.chunked_array([], pa.string())).tolist() == []
    assert count_words(["", "", ""]).tolist() == [0, 0, 0]
    assert count_words(["a"]).dtype == np.int32


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_arrow_columns_are_counted_whatever_their_type_slices_and_chunks(kind):
    texts = ["a b c", None, "é", "", "... x", "海 夕"] * 4000
    column = pa.array(texts, pa.string()).cast(kind)
    expected = [3, 0, 1, 0, 1, 2] * 4000
    assert count_words(column).tolist() == expected
    assert count_words(column.slice(5, 9000)).tolist() == expected[5:9005]
    assert count_words(pa.chunked_array([column.slice(0, 7), column.slice(7)])).tolist() == expected


LETTERS = st.sampled_from([*"abZ09 \t\n\x0b\x1c\x1f.,-_'😀é½海\xa0\u3000\u200b\u0301\x85\x00"])
TEXTS = st.lists(st.text(LETTERS) | st.text(st.characters(max_codepoint=127)), max_size=20)


@pytest.mark.slow
@settings(deadline=None)
@given(TEXTS)
def test_the_fast_count_is_the_plain_one(texts):
    assert count_words(texts).tolist() == [plainly(text) for text in texts]


@pytest.mark.slow
@settings(deadline=None)
@given(TEXTS, st.data())
def test_a_slice_counts_as_the_whole_does(texts, data):
    at = data.draw(st.integers(0, len(texts)))
    column = pa.array(texts, pa.string())
    assert count_words(column.slice(at)).tolist() == count_words(column).tolist()[at:]


def test_a_quarter_of_the_real_titles_have_five_words_or_fewer():
    if not INDEX.is_dir():
        pytest.skip("../shared/data/reddit_emotion_index is absent")
    titles = []
    for path in sorted(INDEX.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            titles += [line["title"] for line in csv.DictReader(file)]
    words = count_words(titles)
    assert (len(words), int((words <= 5).sum())) == (3267, 794)  # 24.3%; 784 by white space alone
    assert words.tolist() == [plainly(title) for title in titles]
