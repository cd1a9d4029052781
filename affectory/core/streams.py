"""Standard output and standard error that no command fails on, whatever they are connected to."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO, cast


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
    if sys.stdout is sys.__stdout__:
        sys.stdout = _safe(sys.stdout, "standard output")
    if sys.stderr is sys.__stderr__:
        sys.stderr = _safe(sys.stderr, "standard error")
    try:
        yield
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        with suppress(OSError):
            sys.stderr.flush()
        sys.stdout, sys.stderr = before


def _safe(stream: TextIO, name: str) -> TextIO:
    stream.flush()
    text = cast("io.TextIOWrapper", stream)
    raw = _Output(stream.fileno(), name)
    return io.TextIOWrapper(
        cast("io.BufferedWriter", raw) if text.write_through else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=text.line_buffering,
        write_through=text.write_through,
    )


class _Output(io.FileIO):
    """A stream that drops what it is given once its reader has gone, or once writing has failed."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(number, "w", closefd=False)
        self._what = what
        self._is_lost = False

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if not self._is_lost:
            try:
                return super().write(data)
            except BrokenPipeError:
                self._is_lost = True
            except OSError as error:  # a full disk
                self._is_lost = True
                raise OSError(error.errno, error.strerror, self._what) from None
        return len(data)
