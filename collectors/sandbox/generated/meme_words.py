"""The captions of the sandbox's memes: a setup, a line for each tone that is put into words, and noise.

Each tone has lines of its own. A few lines fit two tones. Names in braces are keys of `SLOTS`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

#: name: words. A long list continues on the next line, indented.
_SLOT_WORDS = """
who: my cat|my roommate|my manager|grandpa|the intern|my brother|our neighbor|the whole team|mom|nobody|
  the group chat|my dog|the new guy|everyone|my past self|the bus driver
doing: opening the fridge|reading the manual|checking the mail|in the kitchen|waiting for the elevator|
  looking at the map|making coffee|on a video call|folding laundry|at the supermarket|watering plants|
  feeding the ducks|assembling a shelf|parking the car|cutting a pineapple
time: on a Tuesday|at 7 am|after lunch|in July|this week|right now|tonight|before class|on the weekend
party: party|birthday|confetti|cake|promotion|victory|graduation|weekend|balloons|champion|jackpot|vacation
cheer: hooray|yay|finally|woohoo|congrats|cheers|high five|we did it|best day|let's go
trouble: deadline|traffic|queue|paperwork|printer|headache|alarm|overtime|invoice|rain|Monday|bug report
moan: tired|ruined|broken|exhausted|stuck|annoyed|hate this|not again|late|fed up|unbearable
relic: cassette|dial-up|floppy disk|VHS tape|arcade|mixtape|flip phone|cartoon|recess|film camera|
  slide projector
past: remember|back then|childhood|old days|throwback|used to|1998|growing up|simpler|summers|miss
wry: sure|totally|obviously|brilliant|of course|genius|flawless|relaxing|living the dream|smooth
plan: plan|idea|strategy|timing|life choice|solution|advice|shortcut|decision
"""

SLOTS: dict[str, list[str]] = {
    name: words.split("|")
    for name, words in (
        line.split(": ", 1) for line in _SLOT_WORDS.replace("|\n  ", "|").strip().splitlines()
    )
}

SETUPS = [
    "{who} {doing}",
    "{who} {doing} {time}",
    "when {who} is {doing}",
    "nobody: / {who} {time}:",
    "me {doing} and {who} {doing}",
    "{who} when I am {doing}",
    "that moment {time}",
]

LINES: dict[str, list[str]] = {
    "celebration": [
        "{cheer}, {party} {time}",
        "{cheer} {cheer}",
        "it is {party} time",
        "{party} and {party} for {who}",
        "{cheer}, we have a {party}",
    ],
    "complaint": [
        "{trouble} and {trouble} {time}",
        "so {moan} of this {trouble}",
        "{moan}, {moan}",
        "another {trouble}, {moan}",
        "this {trouble} is {moan}",
    ],
    "nostalgia": [
        "{past} the {relic}",
        "{past} {past}",
        "only kids with a {relic} know",
        "{past}: one {relic}, no worries",
        "my first {relic}, {past}",
    ],
    "sarcasm": [
        "{wry}, what a {plan}",
        "{wry} {plan}, {wry}",
        "oh {wry}",
        "{plan} of the year, {wry}",
        "works every time, {wry}",
    ],
    "neutral": [
        "{time}",
        "{who} saw it",
        "{who} and {who}",
        "this is {who}",
        "a picture of {who}",
        "{who} again",
    ],
}

#: Lines that fit two tones, instead of one in six of their own.
SHARED: dict[str, list[str]] = {
    "celebration": ["all together again", "a day to keep", "look at us"],
    "nostalgia": ["all together again", "a day to keep", "look at us"],
    "complaint": ["just what I needed", "another meeting", "how nice of {who}"],
    "sarcasm": ["just what I needed", "another meeting", "how nice of {who}"],
}

#: What character recognition finds besides the caption: watermarks, buttons, a stray address.
NOISE = [
    "memes.example",
    "made with captioner.example",
    "https://macros.example/1f3a",
    "@someone",
    "12:41 PM",
    "Share",
    "|",
    "l0l",
]

_SLOT = re.compile(r"\{(\w+)\}")


def caption(tones: Sequence[str], rng: Random) -> str:
    """Return a caption that puts these tones into words."""
    lines = [_line(tone, rng) for tone in tones] or [rng.choice(LINES["neutral"])]
    rng.shuffle(lines)
    if rng.random() < 0.85:
        lines.insert(0, rng.choice(SETUPS))
    return " ".join(_SLOT.sub(lambda slot: rng.choice(SLOTS[slot[1]]), line) for line in lines)


def plain(text: str) -> str:
    """Return a caption in lower case, without anything but letters and digits."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def as_recognised(text: str, rng: Random) -> str:
    """Return a caption as character recognition gives it: one of three in upper case, some with noise."""
    text = text.upper() if rng.random() < 0.33 else text
    return f"{text} {rng.choice(NOISE)}" if rng.random() < 0.15 else text


def _line(tone: str, rng: Random) -> str:
    return rng.choice((SHARED if tone in SHARED and rng.random() < 1 / 6 else LINES)[tone])
