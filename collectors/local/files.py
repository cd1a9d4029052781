"""Files within the folder of a dataset: those that match a pattern, and those that a table names."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from collectors.store.record import Outcome, Rejection

#: An integer that pandas wrote as a float, because its column has gaps.
_FLOAT = re.compile(r"(?<![\d.])(\d+)\.0(?!\d)")


def find(root: Path, relative: str, max_bytes: int) -> Path | Outcome:
    """Return the file at a path below `root`, or the outcome that says why it may not or can't be read.

    `root` is a resolved path. Links must not lead out of it. A name that doesn't exist as it is written is
    looked for in other spellings: composed and decomposed accents, `\\` between folders, 1.0 for 1, and
    .JPG for .jpg.
    """
    try:
        path = (root / relative).resolve()
        if not path.exists():
            path = (_respelt(root, relative) or path).resolve()
        if ".." in re.split(r"[/\\]", relative) or not path.is_relative_to(root):
            return _failed("outside_folder", relative)
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Outcome("gone", "file_missing", detail=relative)
    except (OSError, ValueError, RuntimeError) as error:  # a long name, a NUL, a cycle of links
        return _failed("unreadable_file", f"{relative}: {error}"[:200])
    if not stat.S_ISREG(found.st_mode):
        return _failed("not_a_file", relative)
    if found.st_size > max_bytes:
        return _failed("too_large", f"{relative}: {found.st_size:,} bytes")
    return path


def without_zero(number: str) -> str:
    """Return an integer that was written as a float, 12.0, without its fraction; other text as it is."""
    return _FLOAT.sub(r"\1", number)


def _respelt(root: Path, relative: str) -> Path | None:
    """Return the path in the spelling of the folder, or None if no spelling of it exists."""
    if relative.startswith(("/", "\\")):
        return None
    place = root
    for name in relative.replace("\\", "/").split("/"):
        forms = [name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))]
        forms += [without_zero(form) for form in forms]
        ends = [(PurePosixPath(form).stem, PurePosixPath(form).suffix) for form in forms]
        forms += [stem + end for stem, suffix in ends for end in (suffix.lower(), suffix.upper())]
        there = next((place / form for form in forms if (place / form).exists()), None)
        if there is None:
            return None
        place = there
    return place


def _failed(reason: str, detail: str) -> Outcome:
    return Outcome("failed", reason, detail=detail)


def matching(root: Path, patterns: Sequence[str]) -> Iterator[str]:
    """Yield the files below `root` whose path matches one of the patterns, in the order of their paths.

    `*` stands for any characters within a name, `**` for any number of folders. Upper and lower case are
    the same. Hidden files are left out.
    """
    wanted = [pattern.lower().split("/") for pattern in patterns]
    for folder, below, files in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        inside = PurePosixPath(Path(folder).relative_to(root).as_posix())
        for name in sorted(files):
            path = inside / name
            parts = [part.lower() for part in path.parts]
            if not name.startswith(".") and any(_fits(parts, pattern) for pattern in wanted):
                yield str(path)


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_fits(parts[at:], pattern[1:]) for at in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def file_row(path: str) -> dict[str, str] | Rejection:
    """Return the row of a file: the columns `FILE_COLUMNS` of its path, which must be text."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return Rejection("undecodable_name", "its name is not UTF-8: rename it")
    parts = PurePosixPath(path)
    folders = parts.parts[:-1]
    return {
        "path": path,
        "base": str(parts.with_suffix("")),
        "stem": parts.stem,
        "folder": folders[-1] if folders else "",
        "top": folders[0] if folders else "",
    }
