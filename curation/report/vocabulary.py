"""Distinctive words of a class: weighted log-odds with an informative Dirichlet prior.

Monroe, Colaresi and Quinn (2008), "Fightin' Words: Lexical Feature Selection and Evaluation for Identifying
the Content of Political Conflict", Political Analysis 16(4), section 3.5.1. y is the count of a word in the
class and n the number of words of the class; y' and n' are those of all other classes together. The prior
has a words, a_w of them this word:

    delta = log((y + a_w) / (n + a - y - a_w)) - log((y' + a_w) / (n' + a - y' - a_w))
    z     = delta / sqrt(1 / (y + a_w) + 1 / (y' + a_w))

The prior has the word frequencies of the whole release, which shrinks the score of rare words.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

#: Letters of any script; an apostrophe or a hyphen inside a word belongs to the word.
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")

#: The number of words of the prior, a.
PRIOR = 500
#: z of a single word at a two-sided significance level of 5%.
NOTABLE = 1.96
#: The characters of a post that are counted, and the number of words of a class above which rare ones go.
LONGEST, MOST_WORDS = 4000, 300_000


@dataclass(frozen=True, slots=True)
class Distinctive:
    """A word, its count in the class and in all others, and its z."""

    word: str
    here: int
    elsewhere: int
    z: float


class Vocabulary:
    """The count of each lower-case word in each class."""

    def __init__(self, classes: int) -> None:
        self.counts: list[Counter[str]] = [Counter() for _ in range(classes)]

    def add(self, label: int, texts: Sequence[str | None]) -> None:
        """Count the words of texts with this label."""
        counter = self.counts[label]
        joined = "\n".join(text[:LONGEST] for text in texts if text)
        counter.update(_WORD.findall(joined.lower().replace("’", "'")))
        if len(counter) > MOST_WORDS:
            # Words seen once can't be distinctive; without them, memory stays bounded.
            self.counts[label] = Counter({word: n for word, n in counter.items() if n > 1})

    def distinctive(self, most: int, classes: int) -> list[list[Distinctive]]:
        """Return up to `most` words with z >= `NOTABLE` of each of the first classes, the highest z first."""
        everywhere: Counter[str] = Counter()
        for counter in self.counts[:classes]:
            everywhere.update(counter)
        return [self._distinctive(counter, everywhere, most) for counter in self.counts[:classes]]

    def _distinctive(self, counts: Counter[str], everywhere: Counter[str], most: int) -> list[Distinctive]:
        total, own = everywhere.total(), counts.total()
        if not own or own == total or len(everywhere) < 2:
            return []
        scale = PRIOR / total
        found = [
            Distinctive(word, here, everywhere[word] - here, z)
            for word, here in counts.items()
            if (z := _z(here, own, everywhere[word] - here, total - own, everywhere[word] * scale)) >= NOTABLE
        ]
        return sorted(found, key=lambda one: (-one.z, one.word))[:most]


def _z(here: int, own: int, elsewhere: int, others: int, prior: float) -> float:
    first, second = here + prior, elsewhere + prior
    odds = math.log(first / (own + PRIOR - first)) - math.log(second / (others + PRIOR - second))
    return odds / math.sqrt(1 / first + 1 / second)
