import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectory.encoders.text.subwords import (
    EOS,
    UNSEEN,
    Ngrams,
    Subwords,
    character_ngrams,
    hashed,
    word_ngrams,
    words,
)
from baselines.models.duong2017.text import TextSettings
from tests.baselines import oracle

TEXTS = ("so happy today!", "So angry, so ANGRY", "naïve café 😀")
UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def test_the_hash_is_fnv_1a_over_signed_bytes():
    assert hashed(b"") == 2166136261
    assert hashed(b"a") == 0xE40C292C  # FNV-1a's own test vector
    assert hashed(b"foobar") == 0xBF9CF968
    # "é" is C3 A9: as unsigned bytes FNV-1a gives another number.
    assert hashed("é".encode()) == _fnv_of_int8([-61, -87])
    assert hashed("é".encode()) != _fnv_of_int8([195, 169])


def _fnv_of_int8(values):
    h = 2166136261
    for value in values:
        h = ((h ^ (value % 2**32)) * 16777619) % 2**32
    return h


def test_texts_are_prepared_as_in_fasttexts_tutorial():
    assert words("Don't EVER piss on an electric fence.") == [
        *("don", "'", "t", "ever", "piss", "on", "an", "electric", "fence", "."),
        EOS,
    ]
    assert words("</s> a\0b\nc\u00a0d") == ["<", "/", "s>", "a", "b", "c", "d", EOS]
    assert words("") == [EOS]


def test_the_ids_of_a_text_are_its_words_its_end_and_its_ngrams():
    subwords = Subwords.fit(["b a a", "a"], Ngrams(wordNgrams=2, minn=2, maxn=2, bucket=1000))
    of_a, of_b = character_ngrams("a", 2, 2, 1000), character_ngrams("b", 2, 2, 1000)
    pairs = tuple(word_ngrams([hashed(w.encode()) for w in ("b", "a", "a", EOS)], 2, 1000))
    assert subwords.learnt == ("a", EOS, "b", *dict.fromkeys((*of_b, *of_a, *pairs)))
    assert len(of_a) == 2  # "<a", "a>"
    a, b, end = 2, 4, 3
    where = {piece: i for i, piece in enumerate(subwords.learnt, 2)}
    grams = [[where[g] for g in part] for part in (of_b, of_a, pairs)]
    assert subwords.ids("b a a") == [b, *grams[0], a, *grams[1], a, *grams[1], end, *grams[2]]


def test_an_unknown_word_has_no_row_and_an_unseen_ngram_counts_as_zeros():
    alone = Subwords.fit(["good day"], Ngrams())
    assert alone.ids("bad day") == [alone.place("day"), alone.place(EOS)]
    pairs = Subwords.fit(["good day"], Ngrams(wordNgrams=2))
    assert pairs.ids("bad day") == [
        *(pairs.place("day"), pairs.place(EOS)),
        *(UNSEEN, pairs._ids[next(word_ngrams([hashed(b"day"), hashed(EOS.encode())], 2, 2_000_000))]),
    ]


def test_rare_words_have_no_row_unless_they_have_a_vector():
    subwords = Subwords.fit(["a a b", "a c"], Ngrams(minCount=2), pretrained=["c", "d"])
    assert subwords.learnt == ("a", EOS, "c", "d")
    assert [subwords.place(word) for word in ("a", "b", "c", "d")] == [2, None, 4, 5]
    assert len(subwords) == 6


def test_texts_are_padded_with_zeros():
    subwords = Subwords.fit(["a b"], Ngrams())
    assert subwords.encode(["a b", "", "b"]).tolist() == [[2, 3, 4], [4, 0, 0], [3, 4, 0]]


LIKE_PEER = TextSettings(minn=1, maxn=4, wordNgrams=3, bucket=5000, dim=4)


@pytest.fixture(scope="module")
def peer():
    return oracle.train(TEXTS, [0, 1, 0], LIKE_PEER)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(word=UNICODE)
def test_character_ngrams_are_the_oracles(peer, word):
    for token in words(word)[:-1]:
        _, places = peer.get_subwords(token)
        of_word = [peer.get_word_id(token)] if token in peer.words else []
        assert [
            *of_word,
            *(len(peer.words) + b for b in character_ngrams(token, 1, 4, 5000)),
        ] == places.tolist()


@settings(deadline=None, max_examples=100)
@given(text=UNICODE)
def test_a_text_is_split_as_the_oracle_splits_what_is_prepared(peer, text):
    tokens = words(text)
    assert peer.get_line(" ".join(tokens[:-1]))[0] == tokens


@settings(deadline=None, max_examples=100)
@given(text=UNICODE)
def test_any_text_has_ids_within_the_rows(text):
    subwords = Subwords.fit(TEXTS, Ngrams(wordNgrams=2, minn=1, maxn=3, bucket=500))
    ids = subwords.ids(text)
    assert ids
    assert min(ids) >= UNSEEN
    assert max(ids) < len(subwords)


def test_a_training_text_has_a_row_for_everything():
    subwords = Subwords.fit(TEXTS, Ngrams(wordNgrams=3, minn=2, maxn=4, bucket=500))
    assert UNSEEN not in np.concatenate([subwords.ids(text) for text in TEXTS])


def test_the_oracles_vector_of_a_text_is_the_mean_of_its_rows_for_our_ids(peer):
    subwords = Subwords.fit(TEXTS, LIKE_PEER.ngrams)
    places = oracle.places(peer, subwords)
    for text in TEXTS:
        rows = [peer.get_input_vector(places[i - 2]) for i in subwords.ids(text)]
        vector = peer.get_sentence_vector(" ".join(words(text)[:-1]))
        assert np.allclose(np.mean(rows, 0), vector, rtol=0, atol=1e-6)
