"""The sandbox's memes: image macros with a caption and four tones, of which a meme may have several or none.

    corpus = MemeCorpus(seed=0, memes=1200)
    corpus.memes[17].tones           # ("complaint", "sarcasm")

The tones are celebration, complaint, nostalgia and sarcasm. A tone has a look in the image and words in the
caption. Either may be missing, and either may appear without its tone, so that neither modality suffices.
Celebration and nostalgia show more in the image, complaint more in the caption. Sarcasm is a contrast of
both: its look, or its words, alone is mostly not sarcastic; the two together mostly are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeVar

from collectors.sandbox.generated import meme_words, stable

Tone = Literal["celebration", "complaint", "nostalgia", "sarcasm"]
Part = Literal["train", "validation", "test", "unlabelled"]
T = TypeVar("T")

TONES: tuple[Tone, ...] = ("celebration", "complaint", "nostalgia", "sarcasm")

#: Percentage of memes with each set of tones, 35, 30, 20 and 12 with each tone. Celebration and nostalgia
#: coincide more often than by chance, complaint and sarcasm too, celebration and complaint less often.
SETS: Mapping[tuple[Tone, ...], int] = {
    (): 31,
    ("celebration",): 20,
    ("complaint",): 15,
    ("nostalgia",): 7,
    ("sarcasm",): 3,
    ("celebration", "complaint"): 4,
    ("celebration", "nostalgia"): 6,
    ("celebration", "sarcasm"): 2,
    ("complaint", "nostalgia"): 3,
    ("complaint", "sarcasm"): 4,
    ("nostalgia", "sarcasm"): 1,
    ("celebration", "complaint", "nostalgia"): 2,
    ("celebration", "complaint", "sarcasm"): 1,
    ("complaint", "nostalgia", "sarcasm"): 1,
}

#: Percentage of memes in each part, in the order of their numbers.
PARTS: Mapping[Part, int] = {"train": 50, "validation": 15, "test": 20, "unlabelled": 15}

#: Probabilities that image and caption show a tone, if the meme has it and if not. Sarcasm: see `_SARCASM`.
_IMAGE: Mapping[Tone, tuple[float, float]] = {
    "celebration": (0.80, 0.12),
    "complaint": (0.62, 0.12),
    "nostalgia": (0.76, 0.10),
}
_CAPTION: Mapping[Tone, tuple[float, float]] = {
    "celebration": (0.66, 0.10),
    "complaint": (0.80, 0.12),
    "nostalgia": (0.66, 0.08),
}
#: Probabilities of the look and the words of sarcasm together, the look alone, and the words alone.
_SARCASM: Mapping[bool, tuple[float, float, float]] = {True: (0.84, 0.06, 0.06), False: (0.03, 0.28, 0.28)}

#: Probability that a caption can't be read, and is empty.
_UNREADABLE = 0.02


@dataclass(frozen=True, slots=True)
class Meme:
    """A meme, with the tones that image (`looks`) and caption (`words`) show. `key` decides what is drawn."""

    name: str
    part: Part
    tones: tuple[Tone, ...]
    looks: tuple[Tone, ...]
    words: tuple[Tone, ...]
    caption: str
    key: str


class MemeCorpus:
    """A fixed set of memes: the same `seed` and `memes` give the same corpus."""

    def __init__(self, seed: int = 0, memes: int = 1200) -> None:
        parts = [part for part, n in _apportioned(PARTS, memes).items() for _ in range(n)]
        tones = [one for one, n in _apportioned(SETS, memes).items() for _ in range(n)]
        stable.stream("memes", seed).shuffle(tones)
        taken: set[str] = set()
        self.memes = [_meme(seed, i, parts[i], tones[i], taken) for i in range(memes)]

    def part(self, name: Part) -> list[Meme]:
        """Return the memes of a part."""
        return [meme for meme in self.memes if meme.part == name]

    def digest(self) -> str:
        """Return a hash over everything in the corpus but the pixels."""
        return hashlib.sha256("\n".join(map(repr, self.memes)).encode()).hexdigest()


def _meme(seed: int, index: int, part: Part, tones: tuple[Tone, ...], taken: set[str]) -> Meme:
    """Make a meme. No caption repeats one of those `taken`, so that no test caption is in training."""
    rng = stable.stream("meme", seed, index)
    looks, words = _shown(tones, rng)
    caption = ""
    if rng.random() >= _UNREADABLE:
        caption = meme_words.caption(words, rng)
        while meme_words.plain(caption) in taken:
            caption = meme_words.caption(words, rng)
        taken.add(meme_words.plain(caption))
        caption = meme_words.as_recognised(caption, rng)
    return Meme(f"m{index + 1:05}.jpg", part, tones, looks, words, caption, f"{seed}/{index}")


def _shown(tones: tuple[Tone, ...], rng: Random) -> tuple[tuple[Tone, ...], tuple[Tone, ...]]:
    """Draw the tones that the image and the caption show."""
    looks = {tone for tone in _IMAGE if rng.random() < _IMAGE[tone][tone not in tones]}
    words = {tone for tone in _CAPTION if rng.random() < _CAPTION[tone][tone not in tones]}
    both, look, word = _SARCASM["sarcasm" in tones]
    fate = rng.random()
    if fate < both + look:
        looks.add("sarcasm")
    if fate < both or both + look <= fate < both + look + word:
        words.add("sarcasm")
    return tuple(t for t in TONES if t in looks), tuple(t for t in TONES if t in words)


def _apportioned(percentages: Mapping[T, int], total: int) -> dict[T, int]:
    """Divide `total` by percentages that sum to 100, with the largest remainders rounded up."""
    counts = {key: total * share // 100 for key, share in percentages.items()}
    by_remainder = sorted(percentages, key=lambda key: total * percentages[key] % 100, reverse=True)
    for key in by_remainder[: total - sum(counts.values())]:
        counts[key] += 1
    return counts
