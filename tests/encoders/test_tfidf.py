"""TF-IDF against scikit-learn's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectory.core.errors import BaselineError
from affectory.encoders.text.tfidf import NgramRange, Tfidf

TEXTS = [
    "So happy a day",
    "a dark,  dark night!",
    "Sunny day; sunny me",
    "the night is dark\tand I am alone",
    "",
    "I can't even",
    "happy happy sunny",
    "NIGHT night terrors",
    "x",
    "what a day é",
]


def vectorizers(ngrams):
    """The two blocks as scikit-learn makes them."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    words = TfidfVectorizer(
        ngram_range=(1, ngrams.words), min_df=ngrams.word_min_df, sublinear_tf=ngrams.sublinear_tf
    )
    characters = TfidfVectorizer(
        ngram_range=(ngrams.shortest, ngrams.longest),
        analyzer=ngrams.analyzer,
        min_df=ngrams.char_min_df,
        sublinear_tf=ngrams.sublinear_tf,
    )
    return make_union(words, characters)


def dense(encoder, texts):
    """What `encode` says, as a matrix."""
    pairs = encoder.encode(texts)
    out = np.zeros((len(texts), encoder.width), np.float32)
    for row, pair in zip(out, pairs, strict=True):
        np.add.at(row, pair[:, 0].astype(int), pair[:, 1])
    return out


@pytest.mark.parametrize(
    "ngrams",
    [
        NgramRange(),
        NgramRange(analyzer="char", sublinear_tf=False),
        NgramRange(words=1, shortest=4, longest=6, word_min_df=2, char_min_df=1),
        NgramRange(words=3, shortest=1, longest=1, analyzer="char", char_min_df=1),
    ],
)
def test_tf_idf_is_scikit_learn_s(ngrams):
    theirs, ours = vectorizers(ngrams).fit(TEXTS), Tfidf.fit(TEXTS, ngrams)
    words, characters = (one.get_feature_names_out().tolist() for _, one in theirs.transformer_list)
    assert (list(ours.words), list(ours.characters)) == (words, characters)
    new = [*TEXTS, "another happy night,and  a day", "\t", "zzz"]
    np.testing.assert_allclose(dense(ours, new), theirs.transform(new).toarray(), rtol=0, atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=1), st.sampled_from(["char_wb", "char"]))
def test_tf_idf_is_scikit_learn_s_for_any_text(texts, analyzer):
    ngrams = NgramRange(analyzer=analyzer, char_min_df=1)
    texts = ["aa bb", *texts]
    theirs, ours = vectorizers(ngrams).fit(texts), Tfidf.fit(texts, ngrams)
    np.testing.assert_allclose(dense(ours, texts), theirs.transform(texts).toarray(), rtol=0, atol=1e-7)


def test_texts_without_an_n_gram_are_one_line():
    with pytest.raises(BaselineError, match=r"^the training texts hold no n-gram that is frequent enough"):
        Tfidf.fit(["", "!"], NgramRange())


def test_one_text_without_a_known_n_gram_is_a_row_of_zeros():
    found = Tfidf.fit(TEXTS, NgramRange()).encode(["ж"])
    assert (found.shape, found.any()) == ((1, 1, 2), False)
