"""How likely a short text is in each language by its letters: the n-grams of langdetect's profiles.

    log_likelihoods("my new cats\\n")   # float64[31], one for each of `CODES`

fastText has learnt from whole sentences and answers English for what it doesn't know. One to three letters
say less of a sentence, but something of any word. The profiles hold how often n-grams, spaces at the ends of
words included, occur in the Wikipedia of a language (Nakatani 2010).
"""

from __future__ import annotations

import importlib.util
import json
import re
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affectory.core.errors import InputError

#: The languages in the Latin script of which langdetect has a profile.
CODES = (
    *("af", "ca", "cs", "cy", "da", "de", "en", "es", "et", "fi", "fr", "hr", "hu", "id", "it", "lt", "lv"),
    *("nl", "no", "pl", "pt", "ro", "sk", "sl", "so", "sq", "sv", "sw", "tl", "tr", "vi"),
)

#: Added to the share of every n-gram among those of its length, so that a strange one decides nothing alone.
SMOOTHING = 2e-4

_LONGEST = 3  # n-grams of the profiles
_RUN = re.compile(r"(.)\1{2,}")


def log_likelihoods(line: str) -> NDArray[np.float64]:
    """Return the log-likelihood of a text in lower case without punctuation, for each of `CODES`.

    Each n-gram counts once, and a letter that is repeated three times and more is there twice: "haaaaaa ha"
    says no more than "haa". A text without a known n-gram has 0 for all. float64[31].
    """
    found = frozenset().union(*map(_rows_of, _RUN.sub(r"\1\1", line).split()))
    likelihoods: NDArray[np.float64] = _profiles()[1].take(sorted(found), 0).sum(0)
    return likelihoods


@lru_cache(maxsize=1 << 13)
def _rows_of(word: str) -> frozenset[int]:
    rows, padded = _profiles()[0], f" {word} "
    ngrams = (padded[at : at + n] for n in range(1, _LONGEST + 1) for at in range(len(padded) - n + 1))
    return frozenset(rows[gram] for gram in ngrams if gram in rows)


@cache
def _profiles() -> tuple[dict[str, int], NDArray[np.float64]]:
    """Return the row of each n-gram, and the logarithms of their shares, float64[19,770, 31]."""
    spec = importlib.util.find_spec("langdetect")
    if spec is None or spec.origin is None:
        raise InputError("langdetect's profiles of languages are missing: run `uv sync`")
    rows: dict[str, int] = {}
    found: list[tuple[int, int, float]] = []
    for column, code in enumerate(CODES):
        profile = json.loads((Path(spec.origin).parent / "profiles" / code).read_text(encoding="utf-8"))
        for gram, count in profile["freq"].items():
            if gram == gram.lower() and gram.strip():
                row = rows.setdefault(gram, len(rows))
                found.append((row, column, count / profile["n_words"][len(gram) - 1]))
    shares = np.zeros((len(rows), len(CODES)))
    at_rows, columns, values = zip(*found, strict=True)
    shares[at_rows, columns] = values
    return rows, np.log(shares + SMOOTHING)
