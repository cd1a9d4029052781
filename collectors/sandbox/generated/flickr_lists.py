"""The sandbox's lists: vote tables like those of You et al., and adjective-noun pairs like VSO's.

GET /~lists                            {"lists": ["amusement_sandbox.csv", …, "pairs.txt"]}
GET /~lists/amusement_sandbox.csv      0,http://farm9.static.flickr.com/8383/2000000000_0f4c8d1f5d_n.jpg,1,4
"""

from __future__ import annotations

from collectors.sandbox.generated.flickr_corpus import FlickrCorpus
from collectors.sandbox.generated.flickr_words import EMOTIONS, pairs

PAIRS = "pairs.txt"


def names() -> list[str]:
    """Return the lists' names."""
    return [*(f"{emotion}_sandbox.csv" for emotion in EMOTIONS), PAIRS]


def text_of(corpus: FlickrCorpus, name: str) -> str:
    """Return a list's text."""
    if name == PAIRS:
        return "".join(f"\t{pair} [sentiment: {sentiment:.2f}]\n" for pair, sentiment in pairs())
    emotion = name.partition("_")[0]
    voted = [photo for photo in corpus.photos.values() if emotion in photo.votes]
    return "".join(
        f"{row},http://farm9.static.flickr.com/{photo.server}/{photo.id}_{photo.listed_secret}_n.jpg,"
        f"{photo.votes[emotion][0]},{photo.votes[emotion][1]}\n"
        for row, photo in enumerate(voted)
    )
