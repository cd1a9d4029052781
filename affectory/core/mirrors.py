"""Local copies of datasets at an address: data/mirrors/s3/BUCKET/FOLDER/NAME for s3://BUCKET/FOLDER/NAME.

    folder = fetch(place / "reddit-emotion", "1.0.0/*.parquet")    # to read these files

    with written(place / "reddit-emotion", "*/ids-*") as folder:   # to write: what is new is sent at the end
        build(..., out=folder.parent)

A folder stands for itself. A copy has the dataset's own files, the manifest of each version, and of the other
files those that were asked for or written here. A version is what has a manifest.json: that is read first and
sent last, so that a version appears at the address whole or not at all. What was removed at the address is
removed from the copy, too. Copies may be removed while no command runs.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from affectory.core import files
from affectory.core.addresses import Address, Place, reached
from affectory.core.errors import ReleaseError
from affectory.core.progress import Steps

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

MIRRORS = Path("data/mirrors")

#: What completes a version, and the files of a dataset beside its versions.
MANIFEST = "manifest.json"
OWN = ("recipe.toml", "card.md", "exclude.txt", "README.md")

#: In a copy: the files at the address with their sizes, as last seen.
_LISTING = ".listing.json"

#: Files whose names hold a digest of their content, so that name and size identify them.
_DIGESTED = re.compile(r"-[0-9a-f]{12}\.parquet")


def shown(text: str) -> str:
    """Return a text that names the address in place of its local copy."""
    return re.sub(rf"(?<![\w./-]){MIRRORS.as_posix()}/([a-z][a-z0-9+.-]*)/", r"\1://", text)


def is_copy(path: Path) -> bool:
    """Return whether a path is in a local copy of an address."""
    return path.is_relative_to(MIRRORS)


def local(place: Place) -> Path:
    """Return the folder of the datasets, of an address that of their local copies."""
    return place if isinstance(place, Path) else _Mirror(place).folder


def datasets() -> list[Path]:
    """Return the local copies that there are."""
    return sorted(path.parent for path in MIRRORS.rglob(_LISTING))


def size(path: Path) -> int | None:
    """Return the size of a file of a version, None if it isn't there.

    A file that a local copy lacks, but the address has, is there.
    """
    if path.is_file():
        return path.stat().st_size
    return _listed(path.parent.parent).get(f"{path.parent.name}/{path.name}")


def is_unsent(version: Path) -> bool:
    """Return whether a version is complete in a local copy, but not at the address: the upload failed."""
    is_complete = is_copy(version) and (version / MANIFEST).is_file()
    return is_complete and f"{version.name}/{MANIFEST}" not in _listed(version.parent)


def fetch(folder: Place, *patterns: str, fresh: bool = False) -> Path:
    """Return the dataset's folder, of an address a copy with the files of versions that match a pattern.

    A pattern is a path in the dataset's folder: `1.0.0/*.parquet`, `*/ids-*`. Raises `AffectoryError` if a
    file can't be fetched, or its size isn't that of the manifest. `fresh`: all are fetched anew, as they are.
    """
    if isinstance(folder, Path):
        return folder
    mirror = _Mirror(folder)
    with mirror.locked():
        mirror.pull(patterns, fresh=fresh, checked=not fresh)
    return mirror.folder


@contextmanager
def written(folder: Place, *patterns: str, removes: bool = False) -> Iterator[Path]:
    """Yield the dataset's folder for the block to write to, of an address a copy; then send what is new.

    `removes`: what the block removes is removed at the address, too. After an error in the block nothing is
    sent. Raises `AffectoryError`: versions that weren't sent are in the copy, and are sent by the next call.
    """
    if isinstance(folder, Path):
        yield folder
        return
    mirror = _Mirror(folder)
    with mirror.locked():
        before = mirror.pull(patterns)
    yield mirror.folder
    with mirror.locked():
        mirror.push(before, removes=removes)


def _listed(folder: Path) -> dict[str, int]:
    try:
        found: dict[str, int] = json.loads((folder / _LISTING).read_bytes())
    except FileNotFoundError:  # no copy of an address
        return {}
    return found


def _is_manifest(key: str) -> bool:
    return key.endswith(f"/{MANIFEST}")


def _version(key: str) -> str:
    return key.partition("/")[0]


def _is_file(key: str) -> bool:
    """Return whether a path in a dataset's folder is one of its files, or can be one of a version's."""
    parts = key.split("/")
    is_hidden = any(not part or part.startswith(".") for part in parts)
    return key in OWN or (len(parts) == 2 and not is_hidden and not key.endswith(".tmp"))


def _complete(there: Mapping[str, int]) -> dict[str, int]:
    """Return the dataset's own files, and those of versions that have a manifest."""
    return {key: size for key, size in there.items() if key in OWN or f"{_version(key)}/{MANIFEST}" in there}


def _state(path: Path) -> tuple[int, int]:
    """Return what changes when a file is written."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size


@dataclass(frozen=True)
class _Mirror:
    """A dataset at an address, and its local copy. A key is a file's path in the dataset's folder."""

    address: Address

    @cached_property
    def folder(self) -> Path:
        self.address.check()
        return MIRRORS.joinpath(self.address.protocol, *self.address.parts)

    @cached_property
    def _opened(self) -> tuple[AbstractFileSystem, str]:
        return self.address.opened()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait for other processes that fetch or send this dataset."""
        with files.writable(self.folder, "the local copy"):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / ".lock").open("wb")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def pull(
        self, patterns: Sequence[str], *, fresh: bool = False, checked: bool = False
    ) -> Mapping[str, tuple[int, int]]:
        """Bring the copy up to date; return the state of those of its files that the address has, too.

        With `checked` a file whose size isn't that of the manifest is an error.
        """
        there = _complete(self._sizes())
        self._forget(there)
        for key in there:
            if key in OWN or _is_manifest(key):
                self._update(key)
        self._list(there)
        local = {key: path for key, path in self._local().items() if f"{_version(key)}/{MANIFEST}" in there}
        for key, path in local.items():
            if path.stat().st_size != there.get(key):  # of an earlier state, or of an upload that failed
                path.unlink()
        wanted = [key for key in there if any(fnmatchcase(key, one) for one in patterns)]
        if checked:
            self._check_sizes({key: there[key] for key in wanted})
        self._get([key for key in wanted if fresh or not (self.folder / key).is_file()], there)
        return {key: _state(path) for key, path in self._local().items() if key in there}

    def push(self, before: Mapping[str, tuple[int, int]], *, removes: bool) -> None:
        """Send what was written since `before`, each version's manifest after its other files."""
        known = _listed(self.folder)
        there = self._sizes()
        local = self._local()
        new = [key for key, path in local.items() if before.get(key) != _state(path)]
        new.sort(key=lambda key: (key in OWN, _version(key), _is_manifest(key), key))
        made = {key for key in new if _is_manifest(key) and key not in known}
        for key in made & there.keys():
            if self._read(key) != local[key].read_bytes():
                raise ReleaseError(
                    f"{str(self.address / _version(key))!r} was written by another command meanwhile: run "
                    "this one again"
                )
        with Steps("uploading", len(new), "files") as steps:
            for key in new:
                if key in made:
                    self._remove_version(_version(key), [one for one in there if one not in local])
                if not (_DIGESTED.search(key) and there.get(key) == local[key].stat().st_size):
                    self._put(key)
                if key in made:
                    self._list(_complete(self._sizes()))
                steps.advance()
        for key in known:
            if removes and _is_manifest(key) and key not in local:
                self._remove_version(_version(key), sorted(there, key=lambda one: one != key))
        self._list(_complete(self._sizes()))

    def _sizes(self) -> dict[str, int]:
        """Return the files at the address with their sizes."""
        fs, root = self._opened
        with reached(self.address, "read"):
            fs.invalidate_cache()
            found = fs.find(root, detail=True)
        keys = {path[len(root) :].lstrip("/"): one["size"] for path, one in found.items()}
        return {key: size for key, size in sorted(keys.items()) if _is_file(key)}

    def _local(self) -> dict[str, Path]:
        """Return the files of complete versions in the copy, and the dataset's own."""
        paths = [path for pattern in ("*", "*/*") for path in self.folder.glob(pattern) if path.is_file()]
        keys = {path.relative_to(self.folder).as_posix(): path for path in paths}
        sizes = _complete({key: 0 for key in keys if _is_file(key)})
        return {key: keys[key] for key in sizes}

    def _list(self, there: Mapping[str, int]) -> None:
        files.write(self.folder / _LISTING, json.dumps(there, indent=1))

    def _forget(self, there: Mapping[str, int]) -> None:
        """Remove from the copy what was removed at the address."""
        known = _listed(self.folder)
        for path in self.folder.glob(f"*/{MANIFEST}"):
            key = path.relative_to(self.folder).as_posix()
            if key in known and key not in there:
                shutil.rmtree(path.parent)
        for key in OWN:
            if key not in there:
                (self.folder / key).unlink(missing_ok=True)

    def _update(self, key: str) -> None:
        """Fetch a small file. Another manifest makes another version, of which the copy has no file yet."""
        data, path = self._read(key), self.folder / key
        if path.is_file() and path.read_bytes() == data:
            return
        if _is_manifest(key):
            shutil.rmtree(path.parent, ignore_errors=True)
        with files.writable(path.parent, path.name):
            path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, data)

    def _check_sizes(self, wanted: Mapping[str, int]) -> None:
        """Raise `ReleaseError` if a file hasn't the size that its version's manifest gives it."""
        for version in sorted({_version(key) for key in wanted}):
            try:
                listed = json.loads((self.folder / version / MANIFEST).read_bytes())["files"]
                sizes = {f"{version}/{file['path']}": int(file["bytes"]) for file in listed}
            except (OSError, ValueError, KeyError, TypeError):
                continue  # a damaged manifest is reported by those that read it
            for key in sizes.keys() & wanted.keys():
                if wanted[key] != sizes[key]:
                    raise ReleaseError(
                        f"{str(self.address / key)!r} has {wanted[key]:,} bytes instead of {sizes[key]:,}: "
                        "build the version again"
                    )

    def _read(self, key: str) -> bytes:
        fs, root = self._opened
        with reached(self.address / key, "read"):
            data: bytes = fs.cat_file(f"{root}/{key}")
        return data

    def _get(self, keys: Sequence[str], there: Mapping[str, int]) -> None:
        """Fetch files of versions; those that are complete stay if a later one fails."""
        if not keys:
            return
        fs, root = self._opened
        with Steps("downloading", len(keys), "files") as steps:
            for key in keys:
                with files.replacing(self.folder / key) as temporary:
                    with reached(self.address / key, "read"):
                        fs.get_file(f"{root}/{key}", str(temporary))
                    if temporary.stat().st_size != there[key]:
                        raise ReleaseError(
                            f"{str(self.address / key)!r} changed while it was read: run the command again"
                        )
                steps.advance()

    def _put(self, key: str) -> None:
        fs, root = self._opened
        with reached(self.address / key, "written"):
            try:
                fs.put_file(str(self.folder / key), f"{root}/{key}")
            except FileNotFoundError:  # a file system with folders
                fs.makedirs(f"{root}/{key}".rpartition("/")[0], exist_ok=True)
                fs.put_file(str(self.folder / key), f"{root}/{key}")

    def _remove_version(self, version: str, keys: Iterable[str]) -> None:
        """Remove those of these files that are of a version, in their order."""
        fs, root = self._opened
        for key in keys:
            if _version(key) == version and key not in OWN:
                with reached(self.address / key, "written"):
                    fs.rm_file(f"{root}/{key}")
