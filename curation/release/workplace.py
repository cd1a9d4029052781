"""The temporary folder in which a release is made, within the dataset's folder.

datasets/<name>/.building/lock            locked while a build runs
datasets/<name>/.building/<new>/release   renamed once when it is complete
datasets/<name>/.building/<new>/scratch   temporary files of the stages
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from affectory.core.errors import AffectoryError, InputError
from affectory.core.files import writable

BUILDING = ".building"


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """Yield a new folder with empty folders `release` and `scratch`; remove it at the end of the block.

    Its name is new each time, so that processes of a killed build can't write into it; the folders of such
    builds are removed. Raises `AffectoryError` if another build is running, or `folder` can't be written.
    """
    if os.fsencode(folder).decode("utf-8", "replace") != str(folder):
        raise InputError(f"{str(folder)!r} isn't UTF-8, as Parquet files' paths must be: name another folder")
    building = folder / BUILDING
    new = [parent for parent in folder.parents if not parent.exists()]
    with writable(folder, "the release"):
        try:
            building.mkdir(parents=True, exist_ok=True)
            with _locked(building):
                try:
                    yield _new_place(building)
                finally:
                    shutil.rmtree(building, ignore_errors=True)
        finally:
            for empty in (building, folder, *new):  # if nothing was written
                with suppress(OSError):
                    empty.rmdir()


@contextmanager
def _locked(building: Path) -> Iterator[None]:
    with (building / "lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(lock.fileno()).st_nlink:  # removed by its owner: another build may have a new one
                raise BlockingIOError
        except BlockingIOError:
            raise AffectoryError(f"another build of {building.parent.name} is running: wait for it") from None
        yield


def _new_place(building: Path) -> Path:
    """Remove the folders of killed builds; return a folder with a new name."""
    for leftover in building.iterdir():
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
    place = Path(tempfile.mkdtemp(prefix="", dir=building))
    for name in ("scratch", "release"):
        (place / name).mkdir()
    return place


def replace_files(new: Path, old: Path, stale: Iterable[str]) -> None:
    """Move the files of the release `new` over those of `old`, the manifest last; remove the `stale` ones.

    If the process is killed in between, each file is either old or new, and the next build completes them.
    """
    for path in sorted(new.iterdir(), key=lambda path: path.name == "manifest.json"):
        path.replace(old / path.name)
    for name in stale:
        (old / name).unlink(missing_ok=True)
