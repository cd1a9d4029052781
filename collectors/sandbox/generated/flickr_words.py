"""The texts of the sandbox's Flickr photos: titles, descriptions, adjective-noun pairs of eight emotions."""

from __future__ import annotations

import random

# emotion: adjectives; things. Each adjective with each thing is a pair: "funny_cat".
# fmt: off
EMOTIONS: dict[str, tuple[list[str], list[str]]] = {
    "amusement": (["funny", "silly", "crazy"], ["cat", "costume", "face", "sign"]),
    "anger": (["angry", "outrageous", "violent"], ["protest", "crowd", "graffiti", "driver"]),
    "awe": (["majestic", "amazing", "stunning"], ["mountains", "waterfall", "cathedral", "sky"]),
    "contentment": (["peaceful", "calm", "cozy"], ["garden", "morning", "lake", "home"]),
    "disgust": (["dirty", "rotten", "nasty"], ["food", "toilet", "bugs", "trash"]),
    "excitement": (["exciting", "wild", "great"], ["concert", "race", "party", "game"]),
    "fear": (["scary", "haunted", "dark"], ["clown", "house", "forest", "spider"]),
    "sadness": (["sad", "lonely", "broken"], ["goodbye", "grave", "heart", "dog"]),
}
POSITIVE = frozenset({"amusement", "awe", "contentment", "excitement"})

_TITLES = [
    "A {adjective} {thing}", "{Adjective} {thing} {where}", "The {thing}, so {adjective}",
    "{Adjective} {thing} & friends", "My {adjective} {thing}",
]
_LINES = [
    "I took this photo of a {adjective} {thing} {where} last summer.",
    "It was the most {adjective} {thing} that we saw on the whole trip.",
    "Nobody {where} had expected such a {adjective} {thing}.",
    "We walked for hours &amp; then there was this {adjective} {thing}.",
]
_MARKUP = [
    '<b>{Adjective}!</b> {line}',
    '{line}\n\nSee <a href="https://www.flickr.com/photos/{owner}/" rel="noreferrer nofollow">my photos</a>.',
    '{line}<br />Taken with an old camera, &quot;as it comes&quot;.',
    '{line}',
]
_WHERE = ["in Lisbon", "near the river", "at the old station", "on the coast", "behind the market", "in Oslo"]
_FOREIGN = [
    ("Un jour en ville", "Une photo que j'ai prise hier au centre de la ville avec mes amis."),
    ("Mi foto favorita", "Hoy estoy muy feliz con mi familia, gracias por todo a la vida."),
    ("Abendstimmung", "Am Abend sind wir noch lange an der Elbe entlang nach Hause gelaufen."),
]
# fmt: on


def texts(adjective: str, thing: str, owner: str, rng: random.Random) -> tuple[str, str]:
    """Return a plain title and a description in HTML. Some titles are file names, some descriptions empty."""
    if rng.random() < 0.05:
        return rng.choice(_FOREIGN)
    words = {"adjective": adjective, "Adjective": adjective.capitalize(), "thing": thing, "owner": owner}
    words["where"] = rng.choice(_WHERE)
    title = rng.choice(_TITLES).format(**words)
    if rng.random() < 0.12:
        title = f"DSC_{rng.randrange(10_000):04d}"
    line = " ".join(one.format(**words) for one in rng.sample(_LINES, k=rng.randint(1, 3)))
    description = rng.choice(_MARKUP).format(**words, line=line) if rng.random() < 0.8 else ""
    return title, description


def pairs() -> list[tuple[str, float]]:
    """Return the adjective-noun pairs and their sentiment: ("funny_cat", 1.0)."""
    return [
        (f"{adjective}_{thing}", 1.0 if emotion in POSITIVE else -1.0)
        for emotion, (adjectives, things) in EMOTIONS.items()
        for adjective in adjectives
        for thing in things
    ]
