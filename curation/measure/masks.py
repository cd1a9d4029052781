"""Mask names of users, e-mail addresses and phone numbers in texts: `[text] mask = ["usernames", …]`.

| kind | what is masked | in place of it |
|---|---|---|
| `usernames` | `u/name`, `/u/name`, `r/u_name`; links to profiles at Reddit, imgur and Flickr | `u/[user]` |
| | `@name`, `@name@mastodon.social`; Flickr's numbers of users, `12345678@N00` | `@[user]`, `[user]` |
| `emails` | `name@example.org`, `name (at) example (dot) org`, `name at gmail dot com` | `[email]` |
| `phones` | numbers in any country's format with a +, without it in that of `REGIONS` | `[phone]` |

No names are `r/subreddit`, `@5pm`, `@home`, `@scope/package`, `icon@2x.png`. A phone number in a link is
left, as are names that are written without such a mark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import cache, partial
from typing import Any, Literal

from affectory.core.errors import RecipeError
from curation.measure.cleaning import LINK

Mask = Literal["usernames", "emails", "phones"]

#: What stands for each kind in a masked text; that of a name follows its mark, as in `u/[user]`.
TOKENS: dict[str, str] = {"usernames": "[user]", "emails": "[email]", "phones": "[phone]"}

#: The countries whose numbers are found without their country's code, and how these begin.
REGIONS = {"US": "", "GB": "0"}

# Names have ASCII letters. Reddit's editor writes an underscore as `\_`.
_PROFILE = re.compile(
    r"("
    r"(?<![^\W_])(?<!/)/?u/"
    r"|(?<![^\W_])/?r/u\\?_"
    r"|(?:reddit|imgur)\.com/u(?:ser)?/"
    r"|flickr\.com/(?:photos|people)/(?!tags/)"
    r")(?:[a-z0-9-]|\\?_){3,}(?:@N\d\d)?(?:/u/(?:[a-z0-9-]|\\?_)+)*",
    re.ASCII | re.IGNORECASE,
)
_NSID = re.compile(r"(?<!\w)\d{5,}@N\d\d(?!\w)", re.ASCII)

#: After a number, what makes `@5pm` or `@60fps` no name.
_UNITS = (
    "am|pm|h|hrs?|hours?|min|mins|s|secs?|k|m|p|fps|[kmg]?hz|mph|kph|kmh|km|ft|mm|cm|kg|g|lbs?|v|w|a|th|st|nd|rd"
    "|x|ish|ea|each|c|f|usd|bpm|rpm|noon|oclock"
)
#: Words after `@` that are no person: those of chats, places, and of programs.
_COMMON = "everyone|here|all|channel|home|work|school|asshole|override|property|media|import|param|return"
_NAME = r"[a-z0-9_](?:[a-z0-9_]|\\_|[.-](?=[a-z0-9_]))*+"
_HANDLE = re.compile(
    r"(?<![a-z0-9\u00c0-\u024f])@"
    r"(?=[\d_.\\-]*[a-z])(?=[\w\\.@-]{3})"
    rf"(?!\d[\d.,:]*(?:{_UNITS})?(?!\w))(?!(?:{_COMMON})(?!\w))"
    rf"(?:(?<=/@){_NAME}|(?<!/@){_NAME}(?!/\w))"
    r"(?:@[a-z0-9_.-]*[a-z0-9_])*",
    re.ASCII | re.IGNORECASE,
)

_LATIN = "a-z0-9\u00c0-\u024f"
_LOCAL = rf"(?<![{_LATIN}])[{_LATIN}][{_LATIN}._%+-]{{0,63}}+"
_NO_DOMAIN = "(?:png|jpe?g|gif|svg|webp|avif|mp4|webm|css|js)(?![a-z])"  # icon@2x.png
_AT, _DOT = r"\s?[\[({<]\s?at\s?[\])}>]\s?", r"(?:\.|\s?[\[({<]\s?dot\s?[\])}>]\s?|\sdot\s)"
_HOSTS = "gmail|googlemail|yahoo|ymail|hotmail|outlook|live|icloud|aol|proton|protonmail|gmx"
_EMAIL = re.compile(
    # A name of a user, which `usernames` masks, and no address: @name@mastodon.social.
    rf"(?P<name>(?<![{_LATIN}._%+-])@[a-z0-9_][a-z0-9_.-]*@[a-z0-9.-]*)"
    # git@github.com:user/repo is the address of a repository.
    rf"|{_LOCAL}@(?:[{_LATIN}-]++\.)+(?!{_NO_DOMAIN})[a-z\u00c0-\u024f]{{2,}}+(?!:[\w~.-]+/)"
    rf"|{_LOCAL}{_AT}(?:[{_LATIN}-]++{_DOT})+[a-z]{{2,}}(?![a-z])"
    rf"|{_LOCAL}(?:\s?@\s?(?:{_HOSTS})\s?\.\s?|\sat\s(?:{_HOSTS})\sdot\s)[a-z]{{2,}}(?![a-z])",
    re.IGNORECASE,
)

_LINKS = re.compile(rf"{LINK}|(?<![\w.-])(?:[\w-]+\.)+[a-z]{{2,}}/\S*", re.IGNORECASE)
#: Seven digits near to each other, without which no phone number is looked for.
_DIGITS = re.compile(r"(?:\d\D{0,4}){6}\d")


def require(kinds: Collection[Mask]) -> None:
    """Raise `RecipeError` if a package that finds one of these kinds isn't installed."""
    if "phones" in kinds:
        _library()


def masked(text: str, kinds: Collection[Mask]) -> str:
    """Return a text in which these kinds are masked. Masking it again changes nothing."""
    while True:
        before = text
        if "emails" in kinds:
            text = _without_emails(text)
        if "usernames" in kinds:
            text = _without_names(text)
        if "phones" in kinds and _DIGITS.search(text):
            text = _without_phones(text)
        if text == before:  # what is left beside a token may be a match: a@b.com@c.com
            return text


def _without_emails(text: str) -> str:
    return _EMAIL.sub(lambda found: found["name"] or "[email]", text)


def _without_names(text: str) -> str:
    if "@" in text:
        text = _HANDLE.sub("@[user]", _NSID.sub("[user]", text))
    return _PROFILE.sub(r"\1[user]", text) if "/" in text else text


def _without_phones(text: str) -> str:
    links = [one.span() for one in _LINKS.finditer(text)]
    found = {
        (start, end)
        for start, end in _phones(text)
        if not any(start < after and before < end for before, after in links)
    }
    parts, done = [], 0
    for start, end in sorted(found):
        if start >= done:  # of two that overlap, the first
            parts += [text[done:start], "[phone]"]
            done = end
    return "".join([*parts, text[done:]])


def _phones(text: str) -> Iterator[tuple[int, int]]:
    """Yield where there is a phone number, written in the format of one of the regions or with a +."""
    matches = _library()
    for region, beginning in REGIONS.items():
        for one in matches(text, region):
            if one.raw_string.lstrip("( ").startswith(beginning):
                yield one.start, one.end


@cache
def _library() -> Callable[[str, str], Any]:
    try:
        from phonenumbers import Leniency, PhoneNumberMatcher
    except ImportError:
        raise RecipeError(
            "text.mask = [\"phones\"] needs the package phonenumbers: pip install 'affectory[privacy]'"
        ) from None
    # Of a range that is in use, and with its digits grouped as they are there, or not at all.
    return partial(PhoneNumberMatcher, leniency=Leniency.STRICT_GROUPING)
