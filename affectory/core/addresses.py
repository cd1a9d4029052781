"""Addresses of folders that `fsspec` reaches, such as s3://BUCKET/FOLDER, beside folders on this machine.

An option that takes both has the type `PlaceOption` (place_option.py), and its value is a `Place`. What takes
folders alone refuses an address with `check_folder`, because `Path("s3://a")` is the folder "s3:/a".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from affectory.core.errors import AffectoryError, InputError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.IGNORECASE | re.DOTALL)

#: What may be secret in an address: all before the last @ if there is a colon in it, and a query.
_SECRET = re.compile(r"(?<=://)[^\s\"']*:[^\s\"']*@|\?[^\s\"']*")


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a folder; as a string without what may be secret."""

    text: str

    def __str__(self) -> str:
        return _SECRET.sub("", self.text)

    def __truediv__(self, name: str) -> Address:
        return Address(f"{self.text}/{name}")

    @property
    def protocol(self) -> str:
        """What stands before `://`."""
        return self.text.partition("://")[0]

    @property
    def parts(self) -> list[str]:
        """The names after `://`."""
        return self.text.partition("://")[2].split("/")

    @property
    def name(self) -> str:
        """The last of the names."""
        return self.parts[-1]

    @property
    def parent(self) -> Address:
        """The folder above."""
        return Address(self.text.rpartition("/")[0])

    def with_name(self, name: str) -> Address:
        """Return the address beside this one."""
        return self.parent / name

    def check(self) -> None:
        """Raise `InputError` if this is not the address of a folder, or holds a password."""
        if str(self) != self.text:
            raise InputError(
                f"{str(self)!r} was given with a password or a query: leave it out; credentials are read "
                "from the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE) or the "
                "configuration of fsspec"
            )
        if "::" in self.text or not all(part.strip(".") for part in self.parts):
            raise InputError(f"{str(self)!r} is not the address of a folder: write it as s3://BUCKET/FOLDER")

    def opened(self) -> tuple[AbstractFileSystem, str]:
        """Return the file system and the path in it. Raises `AffectoryError`, as `reached` says."""
        self.check()
        with reached(self, "read"):
            from fsspec.core import url_to_fs

            found: tuple[AbstractFileSystem, str] = url_to_fs(self.text)
        return found


#: Where releases are: a folder or an address.
Place: TypeAlias = Path | Address


def place(text: str) -> Place:
    """Return the address that a text is, else the folder; `file://` is a folder, too."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return Path(text)
    protocol, rest = found[1].lower(), found[2].rstrip("/")
    return Path(found[2]) if protocol in ("file", "local") else Address(f"{protocol}://{rest}")


def check_folder(path: Path, what: str) -> None:
    """Raise `InputError` for a path that was given as an address: `what` is kept in a folder."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:$", path.parts[0] if path.parts else ""):
        given = Address(f"{path.parts[0]}//{'/'.join(path.parts[1:])}")
        raise InputError(f"{str(given)!r} is an address, and {what} can only be in a folder: name a folder")


@contextmanager
def reached(address: Address, done: str) -> Iterator[None]:
    """Turn an error of the block, which calls a file system of `fsspec`, into a one-line `AffectoryError`.

    `done` is what the block does: "read" or "written". Which errors there are depends on the protocol, and
    not all are `OSError`s. An error of a file on this machine stays as it is.
    """
    try:
        yield
    except AffectoryError:
        raise
    except ImportError as error:
        how = "pip install 'affectory[s3]'" if address.protocol in ("s3", "s3a") else _line(error)
        raise InputError(f"{str(address)!r} needs a package that isn't installed: {how}") from None
    except Exception as error:
        if getattr(error, "filename", None) or getattr(error, "errno", None) in _OF_DISKS:
            raise
        if isinstance(error, ValueError) and "rotocol not known" in str(error):
            raise InputError(
                f"{str(address)!r}: no protocol {address.protocol!r} is known: name a folder, or an address "
                "such as s3://BUCKET/FOLDER"
            ) from None
        raise AffectoryError(f"{str(address)!r} can't be {done}: {_line(error)}; {_step(error)}") from error


#: No space left, quota exceeded, file too large.
_OF_DISKS = (28, 122, 27)


def _line(error: Exception) -> str:
    """Return the first line of an error's message, with what may be secret left out."""
    line = (str(error).strip() or type(error).__name__).partition("\n")[0]
    return _SECRET.sub("", line).rstrip(".")


def _step(error: Exception) -> str:
    if isinstance(error, PermissionError) or "credential" in type(error).__name__.lower():
        return (
            "use credentials that may do this (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE)"
        )
    if isinstance(error, FileNotFoundError):
        return "make the bucket, or name another address"
    return "check the address and the connection, and run the command again"
