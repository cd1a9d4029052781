"""docs/store.md lists every reason a medium can have, its status, and whether a rerun tries it again."""

import ast
import re
from pathlib import Path

import pytest

from collectors.crawl.download import NEEDS_CLIENT_ID
from collectors.flickr.api import NEEDS_KEY
from collectors.http.consent import REASONS

ROOT = Path(__file__).parents[2]
CONSTANTS = {"NEEDS_CLIENT_ID": NEEDS_CLIENT_ID, "NEEDS_KEY": NEEDS_KEY}

#: Collectors whose calls below are about media, not about posts.
SOURCES = (
    "crawl",
    "flickr/api.py",
    "flickr/post.py",
    "http",
    "imgur",
    "local/files.py",
    "local/images.py",
    "reddit/post.py",
)

#: Decided far from the call that names it: a host that was given up, an address that may not be asked.
ELSEWHERE = {
    ("host_down", "failed", True),
    ("rate_limited", "failed", True),
    ("bad_url", "failed", False),
    ("private_address", "failed", False),
}

#: Written by no medium: the call with the API's key is answered as `server_error`.
NEVER_STORED = {("foreign_redirect", "failed", True)}


def documented():
    """Return (reason, status, tried again) of each row of the table."""
    found = set()
    for line in (ROOT / "docs" / "store.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[1] in ("failed", "gone", "refused", "not_image"):
            named = re.sub(r"\([^)]*\)", "", cells[0]).partition(":")[0]
            again = {"yes": True, "no": False}[re.match("yes|no", cells[2])[0]]
            found |= {(reason, cells[1], again) for reason in re.findall("`([a-z_]+)`", named)}
    return found


def words(expression, function, seen=frozenset()):
    """Return the snake_case words that an expression may be, following names within its function."""
    if isinstance(expression, ast.IfExp):
        return words(expression.body, function, seen) | words(expression.orelse, function, seen)
    if isinstance(expression, ast.Constant):
        is_word = isinstance(expression.value, str) and re.fullmatch("[a-z]+(_[a-z]+)*", expression.value)
        return {expression.value} if is_word else set()
    if isinstance(expression, ast.Name):
        if expression.id in CONSTANTS:
            return {CONSTANTS[expression.id]}
        values = [] if expression.id in seen else assigned(expression.id, function)
        return {word for value in values for word in words(value, function, seen | {expression.id})}
    return {word for part in ast.iter_child_nodes(expression) for word in words(part, function, seen)}


def assigned(name, function):
    """Return what a function assigns to a name."""
    return [
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and name
        in {one.id for target in node.targets for one in ast.walk(target) if isinstance(one, ast.Name)}
    ]


def outcome(call, function):
    """Return (reason, status, tried again) of a call that settles a medium."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    name = ast.unparse(call.func)
    again = ast.unparse(given["retry"]) == "True" if "retry" in given else False
    if name in ("FetchError", "FetchError.host"):
        status, reason = "gone" if "gone" in given else "failed", call.args[0]
        again |= name == "FetchError.host"
    elif name == "Outcome" and len(call.args) > 1:
        status, reason = call.args[0], call.args[1]
    elif name == "Media" and ("reason" in given or len(call.args) > 4):
        status, reason = (given["status"], given["reason"]) if given else call.args[3:5]
    elif name == "replace" and "reason" in given and "status" in given:
        status, reason = given["status"], given["reason"]
    elif name == "_not_image":
        status, reason = "not_image", call.args[2]
    elif name == "_failed":
        status, reason = "failed", call.args[0]
    else:
        return set()
    status = status if isinstance(status, str) else getattr(status, "value", None)
    return {(word, status, again) for word in words(reason, function)}


def written():
    """Return (reason, status, tried again) of every call of the collectors that settles a medium."""
    found = ELSEWHERE | {(reason, "refused", False) for reason in REASONS.values()}
    for source in SOURCES:
        place = ROOT / "collectors" / source
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            for function in ast.walk(ast.parse(path.read_text())):
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
                    settled = {one for call in calls for one in outcome(call, function)}
                    if source.startswith("local/"):  # a rerun examines a file on disk again, in any case
                        settled = {(reason, status, True) for reason, status, _ in settled}
                    found |= settled
    return found


@pytest.mark.slow
def test_the_reasons_that_the_document_lists_are_those_of_the_code():
    assert documented() - written() == set()
    assert written() - documented() == NEVER_STORED
