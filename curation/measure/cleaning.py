"""The cleaning of texts that papers describe, as named steps of a recipe: `[text] clean = "slides"`.

`prose` is no such step: it is what the identification of languages reads of a text.
"""

from __future__ import annotations

import html
import re
import string
import unicodedata
from collections.abc import Callable
from typing import Literal

#: The steps' names. "none" leaves a text as it was collected.
Cleaning = Literal["none", "slides", "released"]

#: A pattern of links with a scheme, or from `www.` on.
LINK = r"(?:https?://|\bwww\.)\S+"

_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_TO_SPACES = str.maketrans(dict.fromkeys(string.punctuation, " "))
# Meant as .net, .com and .org, and written as a character class: it takes `end.then` with it.
_DOTTED = re.compile(r"\S*\.[()|netcomrg\[]\S+")
_HTTP = re.compile(r"http\S*")
_DIGITS = re.compile(r"\d+")

# Links with or without a protocol, e-mail addresses, and names of users and subreddits. A link without a
# protocol has a dot before its slash: "and/or" is none.
_ADDRESSES = re.compile(
    LINK + r"|[\w-]+(?:\.[\w-]+)+/\S*|(?<!\S)\S+@\S+|(?<!\w)@\w+|(?<![\w/])/?[ru]/[\w-]{3,}",
    re.IGNORECASE,
)
# Soft hyphens, zero-width characters and direction marks.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")


def slides(text: str) -> str:
    """Return a text as the slides of SemiMemes have it: no URLs, non-ASCII or punctuation, lower case."""
    plain = _URL.sub(" ", text).encode("ascii", "ignore").decode()
    return " ".join(plain.translate(_PUNCTUATION).lower().split())


def released(text: str) -> str:
    """Return a text as the released code of SemiMemes has it.

    In this order: words with a dot before one of `()|netcomrg[` and a further character go, `http…` goes,
    each run of digits and each underscore becomes a space; then, word by word, NFKD to ASCII, lower case,
    punctuation to spaces. Spaces are collapsed.
    """
    text = _DIGITS.sub(" ", _HTTP.sub("", _DOTTED.sub("", text))).replace("_", " ")
    words = (
        unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode().lower().translate(_TO_SPACES)
        for word in text.split()
    )
    return " ".join(" ".join(words).split())


def unescaped(text: str) -> str:
    """Decode HTML entities, twice because Reddit escapes what its users have escaped."""
    return html.unescape(html.unescape(text)) if "&" in text else text


def prose(text: str) -> str:
    """Return a text without links, addresses, names of users and subreddits, and invisible characters.

    HTML entities are decoded. Letters in the forms of other blocks, as 𝓵𝓸𝓿𝓮, become plain ones (NFKC).
    """
    text = unescaped(text)
    if "/" in text or "@" in text or "www." in text:
        text = _ADDRESSES.sub(" ", text)
    if text.isascii():
        return text
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


CLEANING: dict[Cleaning, Callable[[str], str]] = {"none": str, "slides": slides, "released": released}
