"""Signals by which a host or an author asks that an image isn't used for AI.

    x-robots-tag       `noai`, `noimageai` or `noml`, for everyone or for `affectory:`
    robots.txt         a Disallow rule for the image's address, or a Content-Usage rule with `train-ai=n`
    tdm-reservation    `1`: text and data mining is reserved (TDM Reservation Protocol; `tdm-policy` names
                       the terms)
    content-usage      `train-ai=n` (IETF AI Preferences, draft-ietf-aipref-attach and -vocab)

`Signals` are what came, by name and unchanged; of robots.txt the rules that apply to the image.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protego import Protego

#: The name by which a host can address us, in robots.txt and X-Robots-Tag.
AGENT = "affectory"

Signals = Mapping[str, Sequence[str]]

ROBOTS_TXT = "robots.txt"

#: The headers that are kept. `tdm-policy` refuses nothing by itself.
HEADERS = ("x-robots-tag", "tdm-reservation", "tdm-policy", "content-usage")

#: The signals that can refuse an image, and the reason of an image that each refuses.
REASONS = {
    ROBOTS_TXT: "robots_txt",
    "x-robots-tag": "noai",
    "tdm-reservation": "tdm_reservation",
    "content-usage": "content_usage",
}

_NO_AI = frozenset(("noai", "noimageai", "noml"))

#: Directives of X-Robots-Tag with a value: "max-snippet: 20". Other names before a colon are crawlers'.
_WITH_VALUE = frozenset(("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"))
_CRAWLER = re.compile(r"[a-z][a-z0-9_-]*")

#: How much of a robots.txt is read (RFC 9309 asks for 500 KiB at least).
_ROBOTS_BYTES = 512 * 2**10

#: Among how many rules of a robots.txt those that apply to an address are looked for.
_RULES = 1000

_USAGE = "Content-Usage: "


def refusing(signals: Signals) -> str | None:
    """Return the first signal that asks not to use the image, a key of `REASONS`; None if none does."""
    if any(_rule_refuses(rule) for rule in signals.get(ROBOTS_TXT, ())):
        return ROBOTS_TXT
    if any(_tag_refuses(line) for line in signals.get("x-robots-tag", ())):
        return "x-robots-tag"
    if any(value.strip() == "1" for value in signals.get("tdm-reservation", ())):
        return "tdm-reservation"
    if _preferences(signals.get("content-usage", ())).get("train-ai") == "n":
        return "content-usage"
    return None


def shown(signals: Signals, name: str) -> str:
    """Return a signal as a message shows it: "X-Robots-Tag: noai"."""
    named = {"x-robots-tag": "X-Robots-Tag", "content-usage": "Content-Usage"}.get(name, name)
    return f"{named}: {', '.join(signals[name])}"[:200]


def merged(some: Signals, more: Signals) -> Signals:
    """Return the signals of both, each value once."""
    return {
        name: list(dict.fromkeys([*some.get(name, ()), *more.get(name, ())])) for name in {**some, **more}
    }


def _tag_refuses(line: str) -> bool:
    """Return whether one X-Robots-Tag header refuses: `noindex, noai`, but not `googlebot: noai`.

    A crawler's name applies to all directives after it, up to the next name.
    """
    crawler = None
    for item in re.split("[,;]", line.lower()):
        name, colon, rest = item.partition(":")
        if colon and name.strip() not in _WITH_VALUE and _CRAWLER.fullmatch(name.strip()):
            crawler, item = name.strip(), rest
        if crawler in (None, AGENT) and not _NO_AI.isdisjoint(item.split()):
            return True
    return False


def _rule_refuses(rule: str) -> bool:
    """Return whether a rule of robots.txt refuses; several rules for one path apply separately."""
    if not rule.startswith(_USAGE):
        return True  # it disallows the address
    return _preferences([_parted(rule.removeprefix(_USAGE))[1]]).get("train-ai") == "n"


def _preferences(lines: Iterable[str]) -> dict[str, str]:
    """Return the preferences of Content-Usage headers: a dictionary of RFC 9651, without parameters.

    Names are case-sensitive, and the last of several values applies.
    """
    members = [member.partition(";")[0].strip().partition("=") for member in ",".join(lines).split(",")]
    return {name: value for name, _, value in members}


class RobotsTxt:
    """A host's robots.txt. One that can't be read as such allows everything."""

    def __init__(self, body: bytes) -> None:
        self._text = body[:_ROBOTS_BYTES].decode("utf-8-sig", "replace")
        self._parsed = _parse(self._text)
        self._usage = _compiled((_parted(value)[0], value) for value in _rules(self._text, "content-usage"))

    def rules(self, url: str) -> list[str]:
        """Return the rules that apply to an address: what disallows it to us, else what is said of its use.

        ["Disallow: /private"], ["Content-Usage: /photos/ train-ai=n"], or [] if nothing is said.
        """
        # The parser doesn't say which rule decides: it is the longest that matches.
        if not self._parsed.can_fetch(url, AGENT):
            return [f"Disallow: {next((path for path, _ in _matching(self._disallow, url)), '…')}"]
        found = list(_matching(self._usage, url))
        return [f"{_USAGE}{value}" for path, value in found if len(path) == len(found[0][0])]

    @cached_property
    def _disallow(self) -> list[_Rule]:
        return _compiled((path, path) for path in _rules(self._text, "disallow") if path)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule of robots.txt: its path, what stands after its name, and a parser that knows it alone."""

    path: str
    value: str
    parsed: Protego


def _compiled(rules: Iterable[tuple[str, str]]) -> list[_Rule]:
    """Return rules, given by path and value, in the order in which they decide."""
    longest_first = sorted(islice(rules, _RULES), key=lambda rule: len(rule[0]), reverse=True)
    return [_Rule(path, value, _parse(f"User-agent: *\nDisallow: {path}")) for path, value in longest_first]


def _matching(rules: Iterable[_Rule], url: str) -> Iterator[tuple[str, str]]:
    """Yield path and value of the rules whose path matches an address."""
    return ((rule.path, rule.value) for rule in rules if not rule.parsed.can_fetch(url, AGENT))


def _parted(usage: str) -> tuple[str, str]:
    """Return the path of a Content-Usage rule, by default that of everything, and its preferences."""
    if not usage.startswith("/"):
        return "/", usage
    path, *said = usage.split(maxsplit=1)
    return path, "".join(said)


def _parse(text: str) -> Protego:
    from protego import Protego  # slow to import, and every command imports this file

    return Protego.parse(text)


def _rules(text: str, wanted: str) -> list[str]:
    """Return the values of the rules of this name in the group that applies to us."""
    groups: dict[str, list[str]] = {}
    agents: list[str] = []
    in_rules = False
    for line in text.splitlines():
        name, _, value = line.partition("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if name == "user-agent":
            agents = [value.lower()] if in_rules else [*agents, value.lower()]
            in_rules = False
            groups.setdefault(agents[-1], [])
        elif name and name not in ("sitemap", "host"):  # these are of no group
            in_rules = True
        if name == wanted:
            for agent in agents:
                groups[agent].append(value)
    return groups.get(AGENT, groups.get("*", []))
