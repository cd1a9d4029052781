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


def misread(said: str, given: Collection[str], flags: Collection[str], hint: str) -> str:
    """Return on one line what `said`, tyro's message, says.

    `given`: the arguments; `flags`: the options that there are; `hint`: the next step.
    """
    lines = [line.strip(" │") for line in said.splitlines() if not set(line) <= _RULES]
    text = " ".join(" ".join(lines).split())
    unknown = _UNKNOWN.search(text)
    missing = _MISSING.search(text)
    if unknown and unknown["given"].startswith("-"):
        return _no_option(unknown["given"], flags, hint)
    if missing:
        return f"{missing['name']} is missing; {hint}"
    if unknown:
        return f"{unknown['given']!r} is one argument too many; {hint}"
    if found := _NO_VALUE.search(text):
        if not found["flag"].startswith("-"):  # an option stands where this argument is expected
            names = [one.partition("=")[0] for one in given if one.startswith("--")]
            if strange := next((one for one in names if one not in flags), None):
                return _no_option(strange, flags, hint)
            return f"{found['flag'].upper()} is missing; {hint}"
        return f"{found['flag']} needs a value; {hint}"
    if found := _CHOICE.search(text):
        # tyro's order differs from run to run; "None" is the default.
        known = sorted(one for one in ast.literal_eval(found["known"]) if one != "None")
        return f"{found['flag']} {found['value']!r}: {meant(found['value'], known)}"
    if not (found := _VALUE.search(text)):
        return f"{text.partition(' For full helptext')[0]}; {hint}"
    if not found["value"]:  # a message of ours
        return f"{found['flag']}: {found['why']}"
    value = ast.literal_eval(found["value"])
    return f"{found['flag']} can't be {value if isinstance(value, str) else ' '.join(value)!r}; {hint}"


def _no_option(name: str, flags: Collection[str], hint: str) -> str:
    near = meant(name, flags)
    return f"there is no option {name}; {near if near.startswith('did you') else hint}"
