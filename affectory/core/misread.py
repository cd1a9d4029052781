"""What is wrong with a command's arguments, on one line: the value, and the next step.

tyro says it in a table of several lines. What isn't known here is passed on in tyro's words.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection

from affectory.core.errors import meant

#: What tyro says of an option that wasn't given, has no value, or one that it can't have.
_UNKNOWN = re.compile(r"Unrecognized options: (?P<given>\S+?),?(?: |$)")
_MISSING = re.compile(r"Missing from .*?: (?P<name>\S+)")
_NO_VALUE = re.compile(r"Missing value for argument '(?P<flag>[^']+)'")
_CHOICE = re.compile(r"invalid choice '(?P<value>.*?)' for argument '(?P<flag>.*?)'\. .*? (?P<known>\(.*?\))")
_VALUE = re.compile(
    r"Error parsing (?P<flag>[^ :]+): .*?(?:from|for arguments:|base 10:) (?P<value>\[.*?\]|'.*?')"
)

#: What rules and borders are drawn with.
_RULES = set("-─╭╮╰╯ ")


def misread(said: str, flags: Collection[str], hint: str) -> str:
    """Return on one line what `said`, tyro's message, says. `flags`: the options; `hint`: the next step."""
    lines = [line.strip(" │") for line in said.splitlines() if not set(line) <= _RULES]
    text = " ".join(" ".join(lines).split())
    unknown = _UNKNOWN.search(text)
    missing = _MISSING.search(text)
    if unknown and unknown["given"].startswith("-"):
        near = meant(unknown["given"], flags)
        return f"there is no option {unknown['given']}; {near if near.startswith('did you') else hint}"
    if missing:
        return f"{missing['name']} is missing; {hint}"
    if unknown:
        return f"{unknown['given']!r} is one argument too many; {hint}"
    if found := _NO_VALUE.search(text):
        return f"{found['flag']} needs a value; {hint}"
    if found := _CHOICE.search(text):
        known = [one for one in ast.literal_eval(found["known"]) if one != "None"]  # as by default
        return f"{found['flag']} {found['value']!r}: {meant(found['value'], known)}"
    if not (found := _VALUE.search(text)):
        return f"{text.partition(' For full helptext')[0]}; {hint}"
    if not found["value"]:  # a message of ours
        return f"{found['flag']}: {found['why']}"
    value = ast.literal_eval(found["value"])
    return f"{found['flag']} can't be {value if isinstance(value, str) else ' '.join(value)!r}; {hint}"
