"""Choose the thresholds of language identification on one half of the titles, and report on the other.

    uv run python -m benchmarks.language --titles FOLDER

Real titles are those of the published Reddit index of Duong et al. (CSV files with a column `title`); all but
a few are English. The foreign ones, `foreign_titles.json`, were written for this benchmark: ten short titles
in each of 15 languages. Every second title of the index and of each language, from the first, is for
choosing, the others for reporting. `foreign_titles_to_choose_by.json` has 20 more in each of ten languages in
the Latin script, all of them for choosing. Without the index only the foreign titles are read.

Titles/s are by processor time, that is per core: the median of several rounds in which the engines alternate.
`lingua` is no dependency: it is in the table if it is installed.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray

from benchmarks._measure import machine, middle, show
from curation.measure import language
from curation.measure.language import DEFAULT, Wanted, _model, identify, keep
from curation.measure.words import count_words

FOREIGN = Path(__file__).with_name("foreign_titles.json")
TO_CHOOSE_BY = FOREIGN.with_name("foreign_titles_to_choose_by.json")
INDEX = Path(__file__).parents[2] / "shared" / "data" / "reddit_emotion_index"

#: Thresholds to compare with the defaults.
SCORES = [0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.11, 0.12]
LENGTHS = [1, 5, 7, 8, 10, 12, 1000]
POWERS = [0, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5]

#: Tells of each title whether it is kept as English.
Keeps = Callable[[Sequence[str]], NDArray[np.bool_]]


def main(titles: Path = INDEX, limit: int | None = None, rounds: int = 5) -> None:
    """Print the tables.

    Args:
        titles: The folder with the index's CSV files.
        limit: How many of the titles are read; all by default.
        rounds: Times that the speed is measured.
    """
    print(machine())
    real = real_titles(titles)[:limit]
    foreign = json.loads(FOREIGN.read_text(encoding="utf-8"))
    if not real:
        print(f"{titles} has no index: no share of real titles is shown, and the speed is of foreign ones")
    halves = [(real[at::2], [title for some in foreign.values() for title in some[at::2]]) for at in (0, 1)]
    note = "{:,} real titles, {} foreign ones in " + f"{len(foreign)} languages"
    for some in json.loads(TO_CHOOSE_BY.read_text(encoding="utf-8")).values():
        halves[0][1].extend(some)
    choose(*halves[0], note)
    report(*halves[1], note, rounds)


def real_titles(folder: Path) -> list[str]:
    """Return the titles of the published index; none where it is absent."""
    titles: list[str] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            titles += [line["title"] for line in csv.DictReader(file)]
    return titles


def choose(real: list[str], foreign: list[str], note: str) -> None:
    """Print what each threshold keeps of the half for choosing."""
    some = [*(replace(DEFAULT, min_score=score) for score in SCORES)]
    some += [replace(DEFAULT, short_words=words) for words in LENGTHS]
    rows = []

    def judge(wanted: Wanted, power: float) -> None:
        lost, kept = (~_ours(wanted)(real)).sum(), _ours(wanted)(foreign).sum()
        default = " (default)" if (wanted, power) == (DEFAULT, chosen) else ""
        rows.append(
            (f"{wanted.min_score:g}{default}", wanted.short_words, f"{power:g}", int(lost), int(kept))
        )

    chosen = language.LETTERS
    for wanted in some:
        judge(wanted, chosen)
    for language.LETTERS in POWERS:
        judge(DEFAULT, language.LETTERS)
    language.LETTERS = chosen
    columns = ["min_score", "short_words", "power of letters", "real lost", "foreign kept"]
    show("The half for choosing", columns, rows, note.format(len(real), len(foreign)))


def report(real: list[str], foreign: list[str], note: str, rounds: int) -> None:
    """Print what each engine keeps of the half for reporting, and its speed."""
    engines: dict[str, Keeps] = {
        "fasttext": _ours(DEFAULT),
        "fasttext of format 2": before,
        "langdetect": lambda texts: keep(*identify(texts, "langdetect")),
        "langdetect's own answer": langdetect_alone,
    }
    if importlib.util.find_spec("lingua"):
        engines["lingua"] = lingua()
    rates: dict[str, list[float]] = {name: [] for name in engines}
    timed = real or foreign
    some = timed[:: max(1, len(timed) // 300)]
    for _ in range(rounds):
        for name, keeps in engines.items():
            texts = timed if name.startswith("fasttext") else some
            keeps(texts[:1])  # loads what it needs
            began = time.process_time()
            keeps(texts)
            rates[name].append(len(texts) / (time.process_time() - began))
    rows = []
    for name, keeps in engines.items():
        english = f"{keeps(real).mean():.2%}" if real else "-"
        rows.append((name, english, f"{keeps(foreign).mean():.2%}", f"{middle(rates[name]):,.0f}"))
        print(f"{name} keeps {[title for title, kept in zip(foreign, keeps(foreign), strict=True) if kept]}")
    columns = ["engine", "real kept", "foreign kept", "titles/s"]
    show("The half for reporting", columns, rows, note.format(len(real), len(foreign)))


def _ours(wanted: Wanted) -> Keeps:
    return lambda texts: keep(*identify(texts, wanted=wanted), wanted)


def before(texts: Sequence[str]) -> NDArray[np.bool_]:
    """Keep what releases of format 2 kept: fastText's answer to the title as it is.

    Titles in capitals were lower-cased; those above five words needed a score of .2.
    """
    predict = _model().predict
    kept = []
    for text, words in zip(texts, count_words(texts), strict=True):
        line = (text.lower() if text.isupper() else text).replace("\n", " ") + "\n"
        score, label = predict(line, 1, 0.0, "strict")[0]
        english = label == "__label__en" and score >= (0.2 if words > 5 else 0)
        kept.append(english and any(map(str.isalpha, text)))
    return np.array(kept, np.bool_)


def langdetect_alone(texts: Sequence[str]) -> NDArray[np.bool_]:
    """Keep what langdetect identifies as English, whatever its score."""
    codes, _ = identify(texts, "langdetect", wanted=Wanted(short_words=0))
    return np.array([code == "en" for code in codes], np.bool_)


def lingua() -> Keeps:
    """Return what lingua keeps, of all its languages, at its higher accuracy."""
    from lingua import (  # type: ignore[import-not-found, unused-ignore]
        Language,
        LanguageDetectorBuilder,
    )

    detector = LanguageDetectorBuilder.from_all_languages().with_preloaded_language_models().build()
    identified = detector.detect_language_of
    return lambda texts: np.array([identified(text) == Language.ENGLISH for text in texts], np.bool_)


if __name__ == "__main__":
    tyro.cli(main)
