"""Pretrained word vectors: a file is converted once, and later opened in milliseconds.

    found = open_vectors(Path("glove.twitter.27B.200d.txt"), Path("data/features"))
    found.subset(["day", "night"]).rows["day"]  # float32[200]

Formats: text, one `word v1 … vd` a line (GloVe; word2vec and fastText with a first line `rows width`), and
word2vec's binary format. The cache:

    <cache>/vectors.json                    which file, by path, size and modification time, has which content
    <cache>/vectors-3f1c9a2b00112233/       the first 16 digits of the sha256 of the file
        vectors.json        {"format": 1, "name": "glove…txt", "sha256": …, "rows": n, "width": d, …}
        words.bin           the distinct words, UTF-8, sorted by their bytes, without separators
        ends.npy            uint64[w]: where each of them ends
        places.npy          uint32[w]: its row in the matrix
        matrix.f32          float32[n, d], little-endian, in the file's order

A file is recognised by path, size and modification time, so that gigabytes aren't hashed at each start. After
a change of either it is hashed, and converted unless its content is known. A change that keeps both isn't
noticed. A conversion is written to `vectors.tmp` under a lock, then renamed: a killed one leaves only that
folder, which the next one removes; a second process waits for the first.

The matrix is float32: float16 would halve it, but round the values of the file.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from affectory.core import files
from affectory.core.errors import AffectoryError, BaselineError
from affectory.core.output import say
from affectory.core.progress import Steps
from affectory.encoders.text.formats import Block, blocks

FORMAT = 1

#: The index of a cache, and the description of a converted file.
ABOUT = "vectors.json"

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VectorSource:
    """Where word vectors came from, as a checkpoint keeps it.

    `lower`: a word without a vector gets the one of its lower-case form (for cased files).
    """

    path: str
    name: str
    sha256: str
    cache: str
    lower: bool = False

    def state(self) -> dict[str, Any]:
        """Return it as strings and a bool."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of some words. `spread`: the standard deviation of all values of their file.

    The file's, and not that of these words: what words without a vector begin with then depends on the file
    alone, and not on the texts of the test part.
    """

    name: str
    width: int
    rows: dict[str, Floats]
    spread: float = 0.5
    source: VectorSource | None = None


@dataclass(frozen=True)
class WordVectors:
    """All vectors of a converted file, memory-mapped."""

    source: VectorSource
    width: int
    spread: float
    matrix: Floats = field(repr=False)  # [n, d]
    _words: NDArray[np.uint8] = field(repr=False)
    _ends: NDArray[np.uint64] = field(repr=False)
    _places: NDArray[np.uint32] = field(repr=False)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.source.name

    def __len__(self) -> int:
        """The number of distinct words."""
        return len(self._ends)

    def __contains__(self, word: str) -> bool:
        return self.find(word) is not None

    def find(self, word: str) -> Floats | None:
        """Return the vector of a word as it is written, float32[d]; None where it has none."""
        wanted = word.encode("utf-8", "replace")
        low, high = 0, len(self._ends)
        while low < high:
            middle = (low + high) // 2
            start = int(self._ends[middle - 1]) if middle else 0
            found = self._words[start : int(self._ends[middle])].tobytes()
            if found == wanted:
                row: Floats = self.matrix[self._places[middle]]
                return row
            low, high = (middle + 1, high) if found < wanted else (low, middle)
        return None

    def subset(self, words: Iterable[str], *, lower: bool | None = None) -> Vectors:
        """Return the vectors of those of the words that have one, in memory.

        `lower`: look a word up as written, then lower-cased (default: as the source says).
        """
        lower = self.source.lower if lower is None else lower
        rows: dict[str, Floats] = {}
        for word in dict.fromkeys(words):
            row = self.find(word)
            if row is None and lower:
                row = self.find(word.lower())
            if row is not None:
                rows[word] = np.array(row)
        return Vectors(self.name, self.width, rows, self.spread, replace(self.source, lower=lower))


def open_vectors(path: Path, cache: Path, *, lower: bool = False) -> WordVectors:
    """Open a file of word vectors through `cache`; convert it if that hasn't been done.

    `lower`: look words up as written, then lower-cased. Raises `BaselineError` for a file of another format,
    naming the line, and for a file or a cache that can't be used.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise BaselineError(f"the vectors {str(path)!r} can't be read: {error.strerror}") from None
    where = str(path.resolve())
    seen = [stat.st_size, stat.st_mtime_ns]
    known = _index(cache).get(where)
    if known and known[:2] == seen and (found := _opened(cache, known[2])):
        return _of(found, where, path.name, cache, lower)
    with _locked(cache):
        sha256 = _digest(path)
        found = _opened(cache, sha256) or _converted(path, cache, sha256)
        content = {"format": FORMAT, "files": _index(cache) | {where: [*seen, sha256]}}
        files.write(cache / ABOUT, json.dumps(content, indent=1))
    return _of(found, where, path.name, cache, lower)


def find_vectors(source: VectorSource, cache: Path | None = None) -> WordVectors | None:
    """Open the vectors that a checkpoint was trained with; None where they are no longer available.

    They are taken from `cache` (default: the one of training), else converted from the file if its content
    is the same. Raises `BaselineError` for a file or a cache that can't be used.
    """
    cache = Path(source.cache) if cache is None else cache
    found = _opened(cache, source.sha256)
    if found is None and Path(source.path).is_file():
        found = open_vectors(Path(source.path), cache)
    if found is None or found.source.sha256 != source.sha256:
        return None
    return replace(found, source=replace(source, cache=str(cache)))


def _of(found: WordVectors, where: str, name: str, cache: Path, lower: bool) -> WordVectors:
    source = VectorSource(where, name, found.source.sha256, str(cache.resolve()), lower)
    return replace(found, source=source)


def _index(cache: Path) -> dict[str, list[Any]]:
    """Return the known files by path: size, modification time in ns, sha256. Empty if it can't be read."""
    try:
        found = json.loads((cache / ABOUT).read_bytes())
        return dict(found["files"]) if found["format"] == FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _folder(cache: Path, sha256: str) -> Path:
    return cache / f"vectors-{sha256[:16]}"


def _opened(cache: Path, sha256: str) -> WordVectors | None:
    """Return a converted file; None where there is none, or it is damaged or of another format."""
    folder = _folder(cache, sha256)
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        if about["format"] != FORMAT or about["sha256"] != sha256:
            return None
        shape = (about["rows"], about["width"])
        matrix = np.memmap(folder / "matrix.f32", "<f4", "r")
        words = np.memmap(folder / "words.bin", np.uint8, "r")
        ends, places = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("ends", "places"))
        if matrix.size != shape[0] * shape[1] or int(ends[-1]) != len(words) or len(ends) != len(places):
            return None
        source = VectorSource("", about["name"], sha256, str(cache))
        # As plain arrays: each access to a memmap object costs a microsecond more.
        plain = (np.asarray(one) for one in (words, ends, places))
        return WordVectors(source, shape[1], about["spread"], np.asarray(matrix).reshape(shape), *plain)
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError):
        return None


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """Let one process at a time convert files. The lock is released when a process ends, however it ends."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / "vectors.lock").open("a")
    except OSError as error:
        raise BaselineError(f"the cache of word vectors {str(cache)!r} can't be used: {error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process converts word vectors into {cache}: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BaselineError(f"the vectors {str(path)!r} can't be read: {error.strerror}") from None


def _converted(path: Path, cache: Path, sha256: str) -> WordVectors:
    """Convert a file. The lock must be held."""
    folder, temporary = _folder(cache, sha256), cache / "vectors.tmp"
    for left in (temporary, folder):  # of a conversion that was killed; damaged or of another format
        shutil.rmtree(left, ignore_errors=True)
    try:
        with files.writable(cache, f"the vectors of {path.name}"):
            temporary.mkdir()
            _convert(path, temporary, sha256)
            temporary.rename(folder)
    except AffectoryError as error:
        raise BaselineError(str(error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    found = _opened(cache, sha256)
    assert found is not None
    return found


class _Matrix:
    """Writes rows to a file, and sums up their values."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.rows, self.sum, self.squares, self.values = 0, 0.0, 0.0, 0

    def add(self, rows: Floats) -> None:
        """Append rows, float32[k, d]."""
        self.file.write(rows.astype("<f4", copy=False).tobytes())
        self.rows += len(rows)
        self.values += rows.size
        self.sum += float(rows.sum(dtype=np.float64))
        self.squares += float(np.square(rows, dtype=np.float64).sum())

    @property
    def spread(self) -> float:
        """The standard deviation of all values."""
        mean = self.sum / self.values
        return float(max(0.0, self.squares / self.values - mean**2) ** 0.5)


def _convert(path: Path, to: Path, sha256: str) -> None:
    places: dict[bytes, int] = {}
    width = 0
    title = f"converting {path.name}"
    with Steps(title, path.stat().st_size >> 20, "MB") as steps, (to / "matrix.f32").open("wb") as file:
        matrix = _Matrix(file)
        for block in blocks(path):
            _place(block, matrix.rows, places)
            matrix.add(block.rows)
            width = block.rows.shape[1]
            steps.advance((block.read >> 20) - steps.task.done)
    words = sorted(places)  # a word's first vector counts
    (to / "words.bin").write_bytes(b"".join(words))
    np.save(to / "ends.npy", np.cumsum([len(word) for word in words], dtype=np.uint64))
    np.save(to / "places.npy", np.array([places[word] for word in words], np.uint32))
    about = {
        "format": FORMAT,
        "name": path.name,
        "sha256": sha256,
        "rows": matrix.rows,
        "width": width,
        "spread": matrix.spread,
    }
    (to / ABOUT).write_text(json.dumps(about, indent=1))


def _place(block: Block, first: int, places: dict[bytes, int]) -> None:
    for row, word in enumerate(block.words, first):
        places.setdefault(word, row)
