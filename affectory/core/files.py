"""Files that are complete or not there at all: written under a temporary name, then renamed.

write(folder / "results.json", data)

with replacing(folder / "rows.parquet") as temporary:    # for libraries that write files themselves
    pq.write_table(table, temporary)
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from affectory.core.errors import AffectoryError, InputError, in_words


@contextmanager
def writable(folder: Path, what: str) -> Iterator[None]:
    """Turn an `OSError` of the block, such as a full disk, into an `AffectoryError`.

    The block writes to `folder`; `what` names in the message what is written: "the release". An error that
    names a file elsewhere is reported as that file's.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error.filename, str) and not _is_within(Path(error.filename), folder):
            raise AffectoryError(in_words(error)) from error  # of a file that the block reads
        # pyarrow's own text repeats the name of the temporary file
        why = os.strerror(error.errno) if error.errno else str(error)
        raise AffectoryError(
            f"{what} can't be written to {str(folder)!r}: {why}; free some space or name a folder that can "
            "be written; complete files there are unchanged"
        ) from error


def check_writable(folder: Path, option: str) -> None:
    """Raise `InputError` if the folder that an option names can't be written, before work that takes long."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        raise InputError(f"{option} {str(folder)!r}: {str(there)!r} is a file; name a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(
            f"{option} {str(folder)!r}: there is no right to write to {str(there)!r}; name another folder"
        )


def _is_within(path: Path, folder: Path) -> bool:
    return path.absolute().is_relative_to(folder.absolute())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the name under which the block writes a file; rename the file to `path` afterwards.

    An error in the block leaves `path` as it was. Raises `AffectoryError` for an `OSError`. Two processes
    must not write the same path at the same time.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    with writable(path.parent, path.name):
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder for the block to write files to; put it in place of `path` afterwards.

    As with `replacing`, an error in the block leaves `path` as it was.
    """
    with _renamed(path) as temporary:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder for the block to write files to; rename it to `path` afterwards.

    An error in the block leaves nothing. Raises `InputError` if `path` is there already.
    """
    if path.exists() or path.is_symlink():
        raise InputError(f"{str(path)!r} is there already: remove it, or name another folder")
    with _renamed(path) as temporary:
        yield temporary
        if path.exists():  # made meanwhile; a rename would replace an empty folder
            raise InputError(f"{str(path)!r} was made by another program meanwhile: name another folder")


@contextmanager
def _renamed(path: Path) -> Iterator[Path]:
    temporary = path.with_name(f".{path.name}.affectory-unfinished")  # no name of a user's own
    with writable(path.parent, path.name):
        shutil.rmtree(temporary, ignore_errors=True)  # left by a process that was killed
        temporary.mkdir(parents=True)
        try:
            yield temporary
            temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write(path: Path, content: str | bytes) -> Path:
    """Write a file, text as UTF-8, and return its path. Raises `AffectoryError` if it can't be written."""
    data = content.encode() if isinstance(content, str) else content
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return path
