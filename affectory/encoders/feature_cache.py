"""A cache of features on disk, so that no image and no text is run through the same network twice.

    <cache>/mobilenet_v2-bd6e02e4f7a50050-65324341/     backbone, weights, preprocessing
        about.json          {"format": 1, "backbone": "mobilenet_v2", "dim": 1280, "weights": …, …}
        part-<id>.npy       float16[m, dim]: rows that a run has finished
        part-<id>.txt       m lines: the sha256 of each row's image or text
        pack-<id>.npy .txt  the same for all rows of one request, in its order, to be memory-mapped
        lock                held while features are added

`<id>` is the first 16 digits of the sha256 of the .txt file. The .txt is written last: a .npy without it is
unfinished. A part is removed when a pack contains all its rows.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from affectory.core import files
from affectory.core.errors import BaselineError
from affectory.core.output import say

FORMAT = 1

Features = NDArray[np.float16]


class Encoder(Protocol):
    """What identifies a network in the cache: its features are kept apart from those of any other."""

    @property
    def key(self) -> str:
        """The name of the network's folder: network, weights and preprocessing."""
        ...

    @property
    def name(self) -> str:
        """The network's name."""
        ...

    @property
    def dim(self) -> int:
        """The length of a feature vector."""
        ...

    @property
    def weights_sha256(self) -> str:
        """The digest of the network's weights."""
        ...

    @property
    def preprocessing(self) -> str:
        """The preprocessing of an image."""
        ...


class FeatureCache:
    """The features of one network, by the sha256 of the image.

    Raises `BaselineError` for a folder that can't be used, or that has another format.
    """

    def __init__(self, cache: Path, backbone: Encoder) -> None:
        self.folder = cache / backbone.key
        self.dim = backbone.dim
        about = {
            "format": FORMAT,
            "backbone": backbone.name,
            "dim": backbone.dim,
            "weights": backbone.weights_sha256,
            "preprocessing": backbone.preprocessing,
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / "about.json").exists():
                self._describe(about)
            found = json.loads((self.folder / "about.json").read_bytes()).get("format")
        except (OSError, ValueError) as error:
            raise BaselineError(f"the feature cache {self.folder} can't be used ({error})") from error
        if found != FORMAT:
            raise BaselineError(f"{self.folder} has format {found!r}, not {FORMAT}: remove that folder")

    @contextmanager
    def locked(self, wait: Callable[[], None]) -> Iterator[None]:
        """Lock the cache for writing; if another process has locked it, call `wait` and then wait."""
        with (self.folder / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                wait()
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def packed(self, digests: Sequence[str]) -> Features | None:
        """Return the features of a pack of these images in this order, memory-mapped; None without one."""
        return self._open(f"pack-{_id(digests)}", len(digests))

    def missing(self, digests: Sequence[str]) -> list[str]:
        """Return the images without features, in order and without repeats."""
        places = self._places()
        return [digest for digest in dict.fromkeys(digests) if digest not in places]

    def rows(self, digests: Sequence[str]) -> dict[str, NDArray[np.float16]]:
        """Return the features, float16[dim], of those of the images that are stored. Writes nothing."""
        places = self._places()
        opened: dict[str, Features | None] = {}
        found: dict[str, NDArray[np.float16]] = {}
        for digest in dict.fromkeys(digests):
            if digest in places:
                name, row = places[digest]
                if name not in opened:
                    listed = (self.folder / f"{name}.txt").read_text().split()
                    opened[name] = self._open(name, len(listed))
                if (array := opened[name]) is not None:
                    found[digest] = array[row]
        return found

    def add(self, digests: Sequence[str], features: Features) -> None:
        """Store the features, float16[n, dim], of n images. The lock must be held."""
        with self._committed("part", digests) as temporary, temporary.open("wb") as file:
            np.save(file, features)

    def pack(self, digests: Sequence[str]) -> Features:
        """Pack the features of images that are all stored; return them memory-mapped, float16[n, dim].

        The lock must be held.
        """
        with self._committed("pack", digests) as temporary:
            self._gather(digests, temporary)
        self._remove_parts(set(digests))
        packed = self.packed(digests)
        assert packed is not None
        return packed

    def _gather(self, digests: Sequence[str], path: Path) -> None:
        """Write the features of these images to `path`, in this order."""
        places = self._places()
        out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(len(digests), self.dim))
        if hasattr(os, "posix_fallocate"):  # a full disk is found here; in the mapping it would be SIGBUS
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        rows: dict[str, list[tuple[int, int]]] = {}
        for to, digest in enumerate(digests):
            name, place = places[digest]
            rows.setdefault(name, []).append((to, place))
        for name, pairs in rows.items():
            to_rows, from_rows = np.array(pairs).T
            part = np.load(self.folder / f"{name}.npy", mmap_mode="r")
            out[to_rows] = part[from_rows]
        out.flush()

    @contextmanager
    def _committed(self, kind: str, digests: Sequence[str]) -> Iterator[Path]:
        """Yield the name under which the block writes features; then name the file, and list its rows."""
        name = f"{kind}-{_id(digests)}"
        with files.replacing(self.folder / f"{name}.npy") as temporary:
            yield temporary
        files.write(self.folder / f"{name}.txt", _lines(digests))

    def _describe(self, about: Mapping[str, object]) -> None:
        """Write `about.json`. The lock is not held: another process may do the same."""
        temporary = self.folder / f"{os.getpid()}-about.json.tmp"
        try:
            temporary.write_bytes(json.dumps(about, indent=1).encode())
            temporary.replace(self.folder / "about.json")
        finally:
            temporary.unlink(missing_ok=True)

    def _open(self, name: str, rows: int) -> Features | None:
        """Return a file's features, or None if it is missing, unfinished or damaged."""
        if not (self.folder / f"{name}.txt").exists():
            return None
        try:
            array = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        except (OSError, ValueError, EOFError):
            return None
        return cast("Features", array) if array.shape == (rows, self.dim) else None

    def _places(self) -> dict[str, tuple[str, int]]:
        """Return where the features of each image are: the file's name and the row."""
        places: dict[str, tuple[str, int]] = {}
        for path in sorted(self.folder.glob("p*-*.txt")):
            digests = path.read_text().split()
            if self._open(path.stem, len(digests)) is not None:
                places.update((digest, (path.stem, row)) for row, digest in enumerate(digests))
        return places

    def forget(self, digests: Collection[str]) -> int:
        """Remove the features of these images; return the number of rows removed. The lock must be held.

        A file with other rows too is first written without the removed ones, under its new name.
        """
        gone, rows = frozenset(digests), 0
        for path in sorted(self.folder.glob("p*-*.txt")):
            listed = path.read_text().split()
            kept = [row for row, digest in enumerate(listed) if digest not in gone]
            if len(kept) == len(listed):
                continue
            features = self._open(path.stem, len(listed))
            if kept and features is not None:
                kind = path.stem.partition("-")[0]
                with (
                    self._committed(kind, [listed[row] for row in kept]) as temporary,
                    temporary.open("wb") as file,
                ):
                    np.save(file, features[kept])
            _remove(path)
            rows += len(listed) - len(kept)
        self._remove_unfinished()
        return rows

    def rows_of(self, digests: Collection[str]) -> int:
        """Return the number of rows stored for these images."""
        lists = (path.read_text().split() for path in self.folder.glob("p*-*.txt"))
        return sum(digest in digests for listed in lists for digest in listed)

    def _remove_parts(self, held: set[str]) -> None:
        for path in self.folder.glob("part-*.txt"):
            if held.issuperset(path.read_text().split()):
                _remove(path)
        self._remove_unfinished()

    def _remove_unfinished(self) -> None:
        # Files of a run that was killed: no other process writes while the lock is held.
        unlisted = [p for p in self.folder.glob("p*-*.npy") if not p.with_suffix(".txt").exists()]
        for left in (*unlisted, *self.folder.glob("*.tmp")):
            left.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Known:
    """A network as `about.json` describes it."""

    key: str
    name: str
    dim: int
    weights_sha256: str
    preprocessing: str


def caches(folder: Path) -> Iterator[FeatureCache]:
    """Yield the cache of each network in a folder. Raises `BaselineError` for one of another format."""
    for path in sorted(folder.glob("*/about.json")):
        yield _read(path)


def existing(folder: Path, key: str) -> FeatureCache | None:
    """Return the cache of a network by its key; None where there is none. Writes nothing."""
    path = folder / key / "about.json"
    return _read(path) if path.exists() else None


def _read(path: Path) -> FeatureCache:
    try:
        about = json.loads(path.read_bytes())
        known = [about[key] for key in ("backbone", "dim", "weights", "preprocessing")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BaselineError(f"{path} can't be read ({error!r}): remove that folder") from error
    return FeatureCache(path.parents[1], _Known(path.parent.name, *known))


def text_digest(text: str) -> str:
    """Return what a text is known by in the cache: the sha256 of its UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def forget(folder: Path, digests: Collection[str]) -> int:
    """Remove the features of these images and texts from the caches of all networks; return their number.

    Waits for a process that adds features. If the call is killed, the same call completes it.
    """
    rows = 0
    for cache in caches(folder):

        def wait(cache: FeatureCache = cache) -> None:
            say(f"another process adds features to {cache.folder}: waiting for it")

        with cache.locked(wait):
            rows += cache.forget(digests)
    return rows


def _remove(listed: Path) -> None:
    """Remove a list and its features; the list first, so that no list is without its features."""
    listed.unlink()
    listed.with_suffix(".npy").unlink(missing_ok=True)


def _lines(digests: Sequence[str]) -> bytes:
    return "".join(f"{digest}\n" for digest in digests).encode()


def _id(digests: Sequence[str]) -> str:
    return hashlib.sha256(_lines(digests)).hexdigest()[:16]
