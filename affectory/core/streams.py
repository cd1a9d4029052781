"""Standard output and standard error that no command fails on, whatever they are connected to."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from typing_extensions import Buffer


@contextmanager
def standard_streams() -> Iterator[None]:
    """Make the streams safe in the block, unless they have been replaced, as in a test.

    A stream that was closed before the program began is the null device: otherwise the next file to be opened
    would get its number. What nobody reads any more (`| head`) is dropped, and the work goes on. A character
    that the encoding lacks is printed as `?`.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(null, True)
            setattr(sys, name, os.fdopen(null, "r" if name == "stdin" else "w"))
    before = sys.stdout, sys.stderr
    for name, what in (("stdout", "standard output"), ("stderr", "standard error")):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _safe(stream, what))
    try:
        yield
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        with suppress(OSError):
            sys.stderr.flush()
        sys.stdout, sys.stderr = before


def _safe(stream: io.TextIOWrapper, what: str) -> io.TextIOWrapper:
    with suppress(OSError):
        stream.flush()
    raw = _Output(stream.fileno(), what)
    return io.TextIOWrapper(
        cast("io.BufferedWriter", raw) if stream.write_through else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Output(io.FileIO):
    """A stream that drops what it is given once its reader has gone, or once writing has failed."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(number, "w", closefd=False)
        self._what = what
        self._is_lost = False

    def write(self, data: Buffer) -> int:
        if not self._is_lost:
            try:
                return super().write(data)
            except BrokenPipeError:
                self._is_lost = True
            except OSError as error:  # a full disk
                self._is_lost = True
                raise OSError(error.errno, error.strerror, self._what) from None
        return memoryview(data).nbytes
