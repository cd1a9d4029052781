"""The opt-out list of a dataset: `exclude.txt` beside its recipe, with the posts that no release may have.

A line is the SHA-256 of a post's id ("reddit:3svmej") in hex, so that the list itself names nobody. Empty
lines, what follows a #, and the `-` that sha256sum prints for its input, are ignored.

    printf %s reddit:3svmej | sha256sum >> exclude.txt
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Set
from pathlib import Path

from affectory.core.errors import InputError
from affectory.core.files import write

EXCLUDE = "exclude.txt"

_HASH = re.compile(r"([0-9a-f]{64})(\s+\*?-)?")


def read(path: Path) -> frozenset[str]:
    """Read a list. Raises `InputError` for a line that isn't a hash, and for a file that can't be read."""
    try:
        text = path.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise InputError(f"the opt-out list {str(path)!r} can't be read: {error.strerror}") from None
    found = set()
    for number, line in enumerate(text.splitlines(), 1):
        said = line.partition("#")[0].strip().lower()
        if not said:
            continue
        matched = _HASH.fullmatch(said)
        if matched is None:
            raise InputError(
                f"{path}, line {number}: {line.strip()[:80]!r} is not a SHA-256 in hex (64 digits): write "
                "the hash of one post's id a line, as `printf %s reddit:3svmej | sha256sum` prints it"
            )
        found.add(matched[1])
    return frozenset(found)


def beside(*folders: Path) -> frozenset[str]:
    """Return the hashes of the lists in these folders; a folder without one adds none."""
    paths = {path.resolve() for folder in folders if (path := folder / EXCLUDE).exists()}
    return frozenset().union(*map(read, sorted(paths)))


def add(path: Path, folder: Path) -> int:
    """Add the hashes of the list at `path` to the one in `folder`; return how many are new there."""
    kept = folder / EXCLUDE
    new = sorted(read(path) - beside(folder))
    if new:
        before = kept.read_text(encoding="utf-8", errors="replace").rstrip("\n") if kept.exists() else ""
        write(kept, "\n".join([*([before] if before else []), *new]) + "\n")
    return len(new)


def carry(origin: Path, folder: Path) -> int:
    """Add the hashes of one folder's list to that of a copy; return how many are on the copy's list then.

    Comments stay behind: they may say who asked, and the copy may be published.
    """
    if (origin / EXCLUDE).exists():
        add(origin / EXCLUDE, folder)
    return len(beside(folder))


def opted_out(post_ids: Iterable[str], hashes: Set[str]) -> set[str]:
    """Return those of these posts that the hashes name."""
    if not hashes:
        return set()
    return {one for one in post_ids if hashlib.sha256(one.encode()).hexdigest() in hashes}
