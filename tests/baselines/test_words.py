import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectory.encoders.text.vectors import Vectors, open_vectors
from affectory.encoders.text.words import (
    MAX_CASED,
    MAX_TOKENS,
    PADDING,
    UNKNOWN,
    Vocabulary,
    cased_forms,
    padded,
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


def test_case_can_be_kept_for_cased_vectors():
    assert tokenise("So HAPPY at WWW.x.org", cased=True) == ["So", "HAPPY", "at", "<url>"]


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


def glove(tmp_path):
    (tmp_path / "g.txt").write_text("day 1 2\nnight 3 4\ndawn 5 6\ndusk 7 8\n")
    return open_vectors(tmp_path / "g.txt", tmp_path / "cache").subset(["day", "night", "dawn"])


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


def test_the_padding_is_zero_and_a_word_without_a_vector_begins_with_the_spread_of_the_file(tmp_path):
    train = [f"word{i} word{i}" for i in range(2000)]
    found = vocabulary([*train, "day night dawn"], [], glove(tmp_path))
    assert found.start[PADDING].tolist() == [0, 0]
    assert found.start[UNKNOWN].any()
    drawn = [i for i, word in enumerate(found.words, 2) if word.startswith("word")]
    assert found.start[drawn].std() == pytest.approx(np.std(range(1, 9)), rel=0.05)
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


# Cased look-up.


def google_news(tmp_path, words):
    """A file in word2vec's binary format, cased as GoogleNews is, each row its number."""
    rows = b"".join(
        word.encode() + b" " + np.array([number, -number], "<f4").tobytes() + b"\n"
        for number, word in enumerate(words, 1)
    )
    (tmp_path / "g.bin").write_bytes(f"{len(words)} 2\n".encode() + rows)
    return open_vectors(tmp_path / "g.bin", tmp_path / "cache")


def cased(tmp_path, words, train, others=()):
    found = google_news(tmp_path, words).subset(cased_forms([*train, *others]), lower=False)
    return vocabulary(train, others, found, cased=True)


def test_a_word_has_the_row_of_its_form_as_written_else_of_its_lower_case_form(tmp_path):
    train = ["Paris in May may", "paris IN Rome rome", "PARIS Rome"]
    found = cased(tmp_path, ["Paris", "in", "May", "may", "Berlin"], train, ["Berlin berlin"])
    assert found.words == ("May", "Paris", "in", "may", "paris", "rome", "Berlin")
    rows = dict(zip(found.words, found.start[2:].tolist(), strict=True))
    assert [rows[word] for word in ("Paris", "in", "May", "may", "Berlin")] == [
        [1, -1],
        [2, -2],
        [3, -3],
        [4, -4],
        [5, -5],
    ]
    # "PARIS" and "paris" have no vector: both are the word "paris". "berlin" occurs once, elsewhere.
    ids = {word: number for number, word in enumerate(found.words, 2)}
    ids["?"] = UNKNOWN
    for text, forms in (
        ("Paris paris PARIS", "Paris paris paris"),
        ("In MAY May may", "in may May may"),
        ("Berlin berlin Rome Oslo", "Berlin ? rome ?"),
    ):
        assert found.encode([text])[0].tolist() == [ids[form] for form in forms.split()]
    assert found.out_of_vocabulary == pytest.approx(5 / 10)


def test_a_checkpoint_keeps_cased_look_up_and_takes_in_later_words_as_written(tmp_path):
    found = cased(tmp_path, ["Paris", "day", "Day", "Rome", "rome"], ["a day in Paris", "a day"])
    kept = Vocabulary.from_state(found.state())
    assert kept.cased
    assert kept.words == ("Paris", "a", "day")
    assert kept.encode(["A Day in Paris"]).tolist() == [[3, 4, UNKNOWN, 2]]
    assert kept.unknown("A Day in Rome, Rome") == ["A", "Day", "in", "Rome", "rome", ","]
    source = open_vectors(tmp_path / "g.bin", tmp_path / "cache")
    later = source.subset(kept.unknown("A Day in Rome"))
    more = kept.extended(later)
    assert more.words == ("Paris", "a", "day", "Day", "Rome", "rome")
    assert more.encode(["A Day in Rome"]).tolist() == [[3, 5, UNKNOWN, 6]]
    assert more.start[5:].tolist() == [[3, -3], [4, -4], [5, -5]]


@pytest.mark.slow
@given(st.lists(st.text("aAbBcC dD,.!'1", max_size=30), max_size=6), st.sets(st.sampled_from("abcd,1")))
def test_with_lower_case_vectors_cased_look_up_changes_nothing(texts, words):
    rows = {word: np.array([number, 0.5], np.float32) for number, word in enumerate(sorted(words))}
    for vectors in (None, Vectors("g", 2, rows, 0.5)):
        one, other = (vocabulary(texts, ["b D"], vectors, width=2, cased=on) for on in (False, True))
        assert one.words == other.words
        assert (one.start == other.start).all()
        assert one.out_of_vocabulary == other.out_of_vocabulary
        assert (one.encode(texts) == other.encode(texts)).all()


def test_a_text_of_150_words_is_read_whole_with_cased_look_up():
    text = "Word, " * 120
    assert len(tokenise(text, cased=True)) == 240
    assert len(tokenise("a " * 1000, cased=True)) == MAX_CASED


def test_rows_of_ids_are_padded_to_the_longest():
    assert padded([[1], [2, 3]]).tolist() == [[1, 0], [2, 3]]
    assert padded([[], []]).tolist() == [[0], [0]]


def test_later_words_are_appended_to_the_vocabulary_of_a_checkpoint(tmp_path):
    found = vocabulary(["a day", "a day"], [], glove(tmp_path))
    kept = Vocabulary.from_state(found.state())
    assert kept.words == ("a", "day")
    assert kept.source == found.source
    assert kept.unknown("Dawn, a dusk at dawn") == ["dawn", ",", "dusk", "at"]
    more = kept.extended(Vectors("g.txt", 2, {"dawn": np.array([5, 6], np.float32)}))
    assert more.words == ("a", "day", "dawn")
    assert more.start.tolist() == [[0, 0]] * 4 + [[5, 6]]
    assert more.encode(["a dawn at dusk"]).tolist() == [[2, 4, UNKNOWN, UNKNOWN]]
