"""Subreddits' names, as users write them and as they stand in an address.

happy, r/happy, /r/Happy/, https://old.reddit.com/r/happy/top/?t=all     happy
u_Some-Name, u/Some-Name, https://www.reddit.com/user/Some-Name          u_some-name
reddit.com, happy+creepy                                                 reddit.com; happy and creepy
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from affectory.core.errors import InputError

#: Names of listings that show the posts of many subreddits; the last two are those of the user.
LISTINGS = ("all", "popular", "friends", "mod")

# A path, or an address of any of Reddit's hosts. /user/NAME/m/MULTI is not the user's own subreddit.
_ADDRESS = re.compile(
    r"(?:(?:https?://)?(?:[a-z0-9-]+\.)*reddit\.com)?/*"
    r"(?P<kind>r|u|user)/(?P<name>[^/?#]+)(?:(?!/m/)[/?#].*)?",
    re.IGNORECASE | re.DOTALL,
)
# r/reddit.com was the first subreddit, and is the only one with a dot in its name.
_NAME = re.compile(r"[a-z0-9_]{2,32}|reddit\.com|u_[a-z0-9_-]{3,20}")


def subreddit_names(given: Iterable[str]) -> list[str]:
    """Return the names of subreddits in lower case without repeats. Raises `InputError`."""
    return list(dict.fromkeys(name for one in given for name in _names(one)))


def _names(given: str) -> list[str]:
    text = given.strip().lower()
    address = _ADDRESS.fullmatch(text)
    name = address["name"] if address else text.rstrip("/")
    prefix = "u_" if address and address["kind"] != "r" else ""
    found = [prefix + part for part in name.split("+")]
    for one in found:
        if not _NAME.fullmatch(one):
            raise InputError(
                f"--subs {given!r} is not a subreddit's name: 2 to 32 letters, digits and '_', u_USER, or an "
                "address with /r/NAME or /user/USER"
            )
    return found
