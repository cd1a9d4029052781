"""The script that a text is written in, and the languages that are written in it.

A script tells more of a short text's language than fastText does, which answers English for a Chinese title
that it doesn't know, and Chinese for "Cthulhu Rising".
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache

LATIN = "LATIN"

#: Scripts by the first word of their letters' Unicode names, with fastText's codes of the languages that are
#: written in them. All other codes are of languages in the Latin script, as are `_ALSO_LATIN`.
LANGUAGES: dict[str, frozenset[str]] = {
    script: frozenset(codes.split())
    for script, codes in {
        "ARABIC": "ar arz azb ckb fa lrc mzn pnb ps sd ug ur",
        "ARMENIAN": "hy",
        "BENGALI": "as bn bpy",
        "CJK": "ja wuu yue zh",
        "CYRILLIC": "av ba be bg bxr ce cv kk krc kv ky lez mhr mk mn mrj myv os ru rue sah sr tg tt tyv uk "
        "uz xal",
        "DEVANAGARI": "bh dty gom hi mai mr ne new sa",
        "ETHIOPIC": "am",
        "GEORGIAN": "ka xmf",
        "GREEK": "el",
        "GUJARATI": "gu",
        "GURMUKHI": "pa",
        "HANGUL": "ko",
        "HEBREW": "he yi",
        "HIRAGANA": "ja",
        "KANNADA": "kn",
        "KATAKANA": "ja",
        "KHMER": "km",
        "LAO": "lo",
        "MALAYALAM": "ml",
        "MYANMAR": "my",
        "ORIYA": "or",
        "SINHALA": "si",
        "TAMIL": "ta",
        "TELUGU": "te",
        "THAANA": "dv",
        "THAI": "th",
        "TIBETAN": "bo",
    }.items()
}

_ALSO_LATIN = frozenset({"sr", "uz"})
_NEVER_LATIN = frozenset().union(*LANGUAGES.values()) - _ALSO_LATIN

#: A character after the blocks Basic Latin to Latin Extended-B.
_LATER = re.compile("[^\0-\u024f]")


def script_of(text: str) -> str:
    """Return the script of most of a text's letters; Latin of a text without letters, or in a tie.

    A text in kanji and kana is in kana: kanji alone may be Chinese.
    """
    if text.isascii() or not (later := _LATER.findall(text)):
        return LATIN
    found = Counter(_script(letter) for letter in later if letter.isalpha())
    del found[LATIN]
    if 2 * found.total() <= sum(map(str.isalpha, text)):
        return LATIN
    kana = next((script for script in ("HIRAGANA", "KATAKANA") if script in found), "")
    return kana or found.most_common(1)[0][0]


def is_written_in(code: str, script: str) -> bool:
    """Return whether the language of fastText's code `code` is written in a script."""
    if script == LATIN:
        return code not in _NEVER_LATIN
    return code in LANGUAGES.get(script, ())


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]
