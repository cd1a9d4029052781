"""The sandbox's Flickr photos, with their votes, their metadata, and whether they are still available.

    corpus = FlickrCorpus(seed=0, photos=600)
    corpus.photos["53248070597"]            # one photo, by its id

Most photos are as they were when they were listed. A few were deleted, a few are private, and of a few the
listed file is gone, because the photo was replaced and has a new secret.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Literal

from collectors.sandbox.generated import stable, words
from collectors.sandbox.generated.flickr_words import EMOTIONS, POSITIVE, texts
from collectors.sandbox.generated.posts import ImageCue, Picture

#: Photos by emotion in Duong et al. (2017): 9,337 in all.
CLASS_SIZES = {
    "amusement": 1259,
    "anger": 407,
    "awe": 1561,
    "contentment": 2389,
    "disgust": 852,
    "excitement": 1451,
    "fear": 434,
    "sadness": 984,
}
ANNOTATORS = 5

Fate = Literal["public", "not_found", "private", "replaced", "lost"]
_FATES: dict[Fate, float] = {
    "public": 0.88,
    "not_found": 0.06,  # deleted since
    "private": 0.02,
    "replaced": 0.03,  # the file has another secret now: getSizes knows
    "lost": 0.01,  # the API has the photo, but its file is gone
}
_CUES: dict[str, ImageCue] = {
    "amusement": "joy",
    "anger": "anger",
    "awe": "dark",
    "contentment": "joy",
    "disgust": "disgust",
    "excitement": "anger",
    "fear": "fear",
    "sadness": "fear",
}
_SIZES = ((480, 360), (360, 480), (500, 333), (400, 400))
_HEX = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class FlickrPhoto:
    """A photo. `votes`: emotion -> (disagree, agree). `listed_secret` is the secret in the tables' addresses.

    `taken` has Flickr's values of when it was taken: the time, its granularity (0 second, 4 month, 6 year, 8
    about that year), and whether it is unknown (0 or 1).
    """

    id: str
    server: str
    secret: str
    listed_secret: str
    owner: str
    owner_name: str
    title: str
    description: str
    tags: tuple[str, ...]
    licence: int
    uploaded: int
    taken: tuple[str, int, int]
    safety: int
    emotion: str
    pair: str
    votes: dict[str, tuple[int, int]]
    fate: Fate
    picture: Picture


class FlickrCorpus:
    """A fixed set of photos, generated at their first use."""

    def __init__(self, seed: int = 0, photos: int = 600) -> None:
        self.seed, self.size = seed, photos

    @functools.cached_property
    def photos(self) -> dict[str, FlickrPhoto]:
        """All photos by their id."""
        made = [_make(self.seed, index) for index in range(self.size)]
        return {photo.id: photo for photo in made}


def _make(seed: int, index: int) -> FlickrPhoto:
    rng = stable.stream("flickr", seed, index)
    emotion = rng.choices(list(CLASS_SIZES), weights=list(CLASS_SIZES.values()))[0]
    adjective, thing = (rng.choice(list_) for list_ in EMOTIONS[emotion])
    owner_number = rng.randrange(10_000, 10_400)
    owner = f"{owner_number}{rng.randrange(1000):03d}@N0{owner_number % 9}"
    title, description = texts(adjective, thing, owner, rng)
    secret = stable.word(_HEX, 10, "secret", seed, index)
    fate: Fate = rng.choices(list(_FATES), weights=list(_FATES.values()))[0]
    width, height = rng.choice(_SIZES)
    photo_id = str(2_000_000_000 + index * 51_000_017 % 50_000_000_000)
    return FlickrPhoto(
        id=photo_id,
        server=str(rng.randrange(2000, 9000)),
        secret=secret,
        listed_secret=stable.word(_HEX, 10, "old", seed, index) if fate in ("replaced", "lost") else secret,
        owner=owner,
        owner_name=words.author_name(stable.stream("flickr-owner", owner)),
        title=title,
        description=description,
        tags=_tags(emotion, adjective, thing, rng),
        licence=rng.choices([0, *range(1, 17)], weights=[60, *[2] * 16])[0],
        uploaded=(uploaded := rng.randrange(1_200_000_000, 1_450_000_000)),
        taken=_taken(uploaded, stable.stream("flickr-taken", seed, index)),
        safety=rng.choices((0, 1, 2), weights=(96, 3, 1))[0],
        emotion=emotion,
        pair=f"{adjective}_{thing}",
        votes=_votes(emotion, rng),
        fate=fate,
        picture=Picture(photo_id, f"flickr/{seed}/{index}", _CUES[emotion], width, height),
    )


def _taken(uploaded: int, rng: Random) -> tuple[str, int, int]:
    """Return when a photo was taken: before it was posted; for a few only the month or year is known."""
    if rng.random() < 0.1:  # unknown: when it was posted
        return f"{datetime.fromtimestamp(uploaded, UTC):%Y-%m-%d %H:%M:%S}", 0, 1
    granularity = rng.choices((0, 4, 6, 8), weights=(90, 4, 4, 2))[0]
    form = {0: "%Y-%m-%d %H:%M:%S", 4: "%Y-%m-01 00:00:00"}.get(granularity, "%Y-01-01 00:00:00")
    return datetime.fromtimestamp(uploaded - rng.randrange(30_000_000), UTC).strftime(form), granularity, 0


def _tags(emotion: str, adjective: str, thing: str, rng: Random) -> tuple[str, ...]:
    """Return tags; for a few photos also those of a pair with the other sentiment."""
    tags: tuple[str, ...] = (adjective, thing) if rng.random() < 0.7 else ()
    if rng.random() < 0.02:
        others = [name for name in EMOTIONS if (name in POSITIVE) != (emotion in POSITIVE)]
        tags += tuple(rng.choice(words_) for words_ in EMOTIONS[rng.choice(others)])
    return tags


def _votes(emotion: str, rng: Random) -> dict[str, tuple[int, int]]:
    """Return five annotators' votes on the emotion, and sometimes on a second one of the same sentiment."""
    agree = rng.choices((5, 4, 3, 2, 1, 0), weights=(35, 28, 18, 11, 5, 3))[0]
    votes = {emotion: (ANNOTATORS - agree, agree)}
    if rng.random() < 0.05:
        kin = [name for name in EMOTIONS if (name in POSITIVE) == (emotion in POSITIVE) and name != emotion]
        agree = rng.randrange(ANNOTATORS + 1)
        votes[rng.choice(kin)] = (ANNOTATORS - agree, agree)
    return votes
