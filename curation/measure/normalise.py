"""The normal form of a text, by which duplicates are found.

- Accents are removed from Latin, Greek and Cyrillic letters (`é` is `e`, `ё` is `е`); the marks of other
  scripts, which carry meaning, stay. Compatibility forms become plain letters (NFKD), and case is folded.
- A word that mixes Latin with Cyrillic or Greek letters is written in one script if look-alikes allow it:
  `pаypal` with a Cyrillic а is `paypal`. Words of one script stay as they are.
- HTML entities are decoded, twice because Reddit escapes what its users have escaped.
- Links are removed, with a scheme (`https://…`), from `www.` on, or as a name with a common top-level domain
  and a slash (`imgur.com/abc`; `node.js`, `8.5/10` and `e.g.` are no links, and `imgur.com` alone is a word).
- Notes of crossposts are removed: `(x-post r/aww)`, `[crosspost]`, `xpost from /r/pics`.
- Apostrophes, joiners and variation selectors are removed; every other character that is no letter, mark or
  digit (punctuation, emoji, symbols) becomes a space; words are separated by single spaces.

`"It's HERE!! 🎉 https://i.redd.it/x.jpg"` becomes `"its here"`. Of some texts nothing is left.
"""

from __future__ import annotations

import re
import unicodedata

from curation.measure.cleaning import LINK, unescaped

_DOMAINS = "com|net|org|edu|gov|info|io|co|ly|be|gl|it|me|am|to|tt|kr|tv|ai|st|uk|de|fr|ru|ca|us|eu"
_LINK = re.compile(rf"{LINK}|(?<![\w.-])(?:[\w-]+\.)+(?:{_DOMAINS})/\S*")
# In brackets, which may be left open at the end; or else with the name of a subreddit.
_CROSSPOST = re.compile(
    r"[(\[]\s*(?:x|cross)\W?post(?:ed)?\b[^()\[\]]{0,50}(?:[)\]]|$)"
    r"|\b(?:x|cross)\W?post(?:ed)?\b:?(?:\s+(?:from|to))?\s*/?r/\w+"
)
_JOINED = {"'", "’", "ʼ", "＇", "\u00ad"}  # apostrophes and the soft hyphen: "don't" is "dont"
_ACCENTS = re.compile("[\u0300-\u036f]+")  # used with Latin, Greek and Cyrillic letters

# Letters with a Latin look-alike in Unicode's confusables.txt, without distant ones such as `г` and `σ`.
_CYRILLIC = ("АВЕКМНОРСТУХЅІЈҮԌԜаеорсухѕіјһүѵԁԛԝ", "ABEKMHOPCTYXSIJYGWaeopcyxsijhyvdqw")
_GREEK = ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαινορυ", "ABEZHIKMNOPTYXaivopu")
_TO_LATIN = {ord(a): b for own, latin in (_CYRILLIC, _GREEK) for a, b in zip(own, latin, strict=True)}
_OF_LATIN = [
    {ord(a): b for a, b in zip(latin, own, strict=True) if b < "\u0460"}  # above: letters of rare languages
    for own, latin in (_CYRILLIC, _GREEK)
]
_FOREIGN = re.compile("[\u0370-\u052f]")
_MIXED = re.compile(r"\b(?=\w*[a-zA-Z])(?=\w*[\u0370-\u052f])\w+")


class _Kept(dict[int, int | None]):
    """What each character is replaced by: itself, a space, or nothing. Filled on first use of a character."""

    def __missing__(self, code: int) -> int | None:
        character = chr(code)
        category = unicodedata.category(character)
        kept: int | None = ord(" ")
        if character in _JOINED or category in ("Cf", "Me") or 0xFE00 <= code <= 0xFE0F or code >> 8 == 0xE01:
            kept = None
        elif category[0] in "LMN":
            kept = code
        self[code] = kept
        return kept


_KEPT = _Kept()


def normalise(text: str) -> str:
    """Return the words of a text in their normal form (see the module), separated by single spaces."""
    while True:
        before = text
        text = unescaped(text)
        if not text.isascii():
            text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
            if _FOREIGN.search(text):
                text = _MIXED.sub(_in_one_script, text)
        text = text.casefold()
        if "/" in text or "www." in text:
            text = _LINK.sub(" ", text)
        if "post" in text:
            text = _CROSSPOST.sub(" ", text)
        text = " ".join(text.translate(_KEPT).split())
        if text.isascii():
            return text
        # What is left may fold further: folding may make letters that have another decomposition.
        text = unicodedata.normalize("NFC", text)
        if text == before:
            return text


def _in_one_script(mixed: re.Match[str]) -> str:
    """Return a word in Latin letters, else in Cyrillic or Greek ones; as it is if it has other letters."""
    for table in (_TO_LATIN, *_OF_LATIN):
        word = mixed[0].translate(table)
        if not _MIXED.fullmatch(word):
            return word
    return mixed[0]
