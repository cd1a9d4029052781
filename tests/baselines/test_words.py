import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectory.core.errors import BaselineError
from affectory.encoders.text.words import (
    MAX_TOKENS,
    PADDING,
    UNKNOWN,
    padded,
    read_vectors,
    tokenise,
    vocabulary,
)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("So HAPPY today!!", ["so", "happy", "today", "!", "!"]),
        ("I don’t know, it's `fine`", ["i", "don't", "know", ",", "it's", "'", "fine", "'"]),
        ("see https://imgur.com/a?b=1, or www.x.org", ["see", "<url>", "or", "<url>"]),
        ("@bob_1 asks a@b.org", ["<user>", "asks", "a", "@", "b", ".", "org"]),
        ("3,267 posts at 12:30, -4.5 .5", ["<number>", "posts", "at", "<number>", "<number>", "<number>"]),
        ("covid19 r2d2 4chan", ["covid19", "r2d2", "4chan"]),
        ("日本語 🙂😀 naïve", ["日本語", "🙂", "😀", "naïve"]),
        ("", []),
        (" \n\t\x00", ["\x00"]),
    ],
)
def test_a_text_is_split_into_words_signs_and_marks(text, tokens):
    assert tokenise(text) == tokens


def test_a_long_text_is_cut():
    assert tokenise("a " * 1000) == ["a"] * MAX_TOKENS


def test_a_long_row_of_digits_takes_no_time():
    """Each start of a number was once tried with each end: 50 s for 2,000 digits."""
    began = time.process_time()
    assert tokenise("1" * 20_000 + "a") == ["1" * 20_000 + "a"]
    assert time.process_time() - began < 2


@pytest.mark.slow
@given(st.text())
def test_tokens_are_lower_case_and_hold_no_white_space(text):
    for token in tokenise(text):
        assert token
        assert token.split() == [token] or not token.isprintable()
        assert token == token.lower()


def vectors(path, text):
    path.write_text(text, encoding="utf-8")
    return path


GLOVE = "day 1 2\nnight 3.5 -4e-1\n<user> 0 1\n"


def test_vectors_are_read_for_the_words_wanted(tmp_path):
    found = read_vectors(vectors(tmp_path / "glove.txt", GLOVE), {"night", "<user>", "dawn"})
    assert (found.name, found.width) == ("glove.txt", 2)
    assert {word: row.tolist() for word, row in found.rows.items()} == {
        "night": [3.5, pytest.approx(-0.4)],
        "<user>": [0, 1],
    }
    assert found.rows["night"].dtype == np.float32


def test_a_header_of_word2vec_is_skipped(tmp_path):
    found = read_vectors(vectors(tmp_path / "w2v.txt", "3 2\n" + GLOVE), {"day", "3"})
    assert (found.width, sorted(found.rows)) == (2, ["day"])


def test_lines_that_end_in_a_space_and_odd_separators_in_words_are_read(tmp_path):
    text = "day 1 2 \n\u2028 3 4 \n\u0085 5 6\n"
    found = read_vectors(vectors(tmp_path / "fasttext.vec", text), {"day", "\u2028", "\u0085"})
    assert {word: row.tolist() for word, row in found.rows.items()} == {
        "day": [1, 2],
        "\u2028": [3, 4],
        "\u0085": [5, 6],
    }


def test_the_first_vector_of_a_word_counts(tmp_path):
    found = read_vectors(vectors(tmp_path / "twice.txt", "a 1 1\na 2 2\n"), {"a"})
    assert found.rows["a"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "a 1 2\nb 3\n",
            "line 2: 1 values after 'b', and 2 in the lines before; every line is a word and its vector, "
            "spaces between",
        ),
        ("a 1 2\nb 3 x\n", "line 2: \"could not convert string to float: 'x'\"; no word vector"),
        (
            "a\n",
            "line 1: 0 values after 'a', and 0 in the lines before; every line is a word and its vector, "
            "spaces between",
        ),
        ("", "holds no vectors"),
        ("5 2\n", "holds no vectors"),
    ],
)
def test_a_file_of_another_format_names_its_line(tmp_path, text, told):
    path = vectors(tmp_path / "bad.txt", text)
    with pytest.raises(BaselineError) as error:
        read_vectors(path, {"a", "b"})
    separator = " " if told.startswith("holds") else ", "
    assert str(error.value) == f"'{path}'{separator}{told}"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BaselineError) as error:
        read_vectors(tmp_path / "none.txt", set())
    assert str(error.value) == (
        f"the vectors '{tmp_path / 'none.txt'}' can't be read: No such file or directory"
    )


def glove(tmp_path):
    return read_vectors(
        vectors(tmp_path / "g.txt", "day 1 2\nnight 3 4\ndawn 5 6\ndusk 7 8\n"), {"day", "night", "dawn"}
    )


def test_a_word_needs_two_occurrences_or_a_vector(tmp_path):
    train = ["Good day", "good evening", "night"]
    alone = vocabulary(train, ["good dawn"], None, width=3)
    assert alone.words == ("good",)
    assert alone.start.shape == (3, 3)
    assert alone.out_of_vocabulary is None
    assert alone.vectors == "random, 3-d"
    given_ = vocabulary(train, ["good dawn brightness"], glove(tmp_path))
    assert given_.words == ("day", "good", "night", "dawn")
    assert given_.start[[2, 4, 5]].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert given_.vectors == "g.txt, 2-d"


def test_the_padding_is_zero_and_what_has_no_vector_is_drawn_with_their_spread(tmp_path):
    train = [f"word{i} word{i}" for i in range(2000)]
    found = vocabulary([*train, "day night dawn"], [], glove(tmp_path))
    assert found.start[PADDING].tolist() == [0, 0]
    assert found.start[UNKNOWN].any()
    drawn = [i for i, word in enumerate(found.words, 2) if word.startswith("word")]
    assert found.start[drawn].std() == pytest.approx(np.std([1, 2, 3, 4, 5, 6]), rel=0.05)
    assert vocabulary(train, [], None).start[2:].std() == pytest.approx(0.5, rel=0.01)


def test_the_share_of_training_tokens_without_a_vector_is_counted(tmp_path):
    """Of "good day , good night" three tokens of five: twice "good", and the comma."""
    found = vocabulary(["good day, good night"], ["never seen"], glove(tmp_path))
    assert found.out_of_vocabulary == pytest.approx(3 / 5)


def test_texts_are_encoded_by_the_vocabulary_and_padded():
    found = vocabulary(["a b a b"], [], None, width=2)
    assert found.words == ("a", "b")
    assert found.encode(["B new a", "", "b"]).tolist() == [[3, UNKNOWN, 2], [0, 0, 0], [3, 0, 0]]
    assert found.encode([]).shape == (0, 1)


def test_a_vocabulary_is_the_same_each_time():
    one, other = (vocabulary(["a a b b"], [], None, width=4) for _ in range(2))
    assert (one.start == other.start).all()


def test_rows_of_ids_are_padded_to_the_longest():
    assert padded([[1], [2, 3]]).tolist() == [[1, 0], [2, 3]]
    assert padded([[], []]).tolist() == [[0], [0]]
