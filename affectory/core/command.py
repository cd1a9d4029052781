"""How a command ends: its output, its errors, its exit code.

0    done
1    done in part (a source, a host or a seed failed), or nothing was found
2    an error that the user can fix: one line on standard error
130  interrupted by Ctrl-C
143  ended by SIGTERM
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from affectory.core import output
from affectory.core.errors import AffectoryError, in_words
from affectory.core.interrupt import KEPT, end_program
from affectory.core.mirrors import shown
from affectory.core.streams import standard_streams


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends the same `with` blocks as Ctrl-C does."""


def finish(work: Callable[[], object]) -> int:
    """Run the work of a command, print its result, and return the exit code.

    `work` begins with reading the options (`affectory.core.arguments`), so that it includes the imports that
    take a while. An int is the exit code of work that has printed its own output. Any other result is
    printed, with `--json` what its `as_json()` returns; its `exit_code`, if it has one, is returned, else 0.
    """
    with standard_streams(), _signals(), output.until_end():
        try:
            return _printed(work)
        except AffectoryError as error:
            # That a disk is full concerns the local copy itself.
            is_of_disk = isinstance(error.__cause__, OSError)
            print_error(error if is_of_disk else shown(str(error)))
            return 2
        except OSError as error:  # a full disk, a folder without permission: it names its file
            print_error(in_words(error))
            return 2
        except Terminated:
            print(f"terminated: {KEPT}", file=sys.stderr)
            return 143
        except KeyboardInterrupt:
            print(f"interrupted: {KEPT}", file=sys.stderr)
            return 130


def _printed(work: Callable[[], object]) -> int:
    stdout = sys.stdout
    try:
        result = work()
        if isinstance(result, int):
            return result
        text = output.text_of(result)
        text = text if getattr(result, "names_copies", False) else shown(text)
        print(text if output.wanted().json else output.folded(text, stdout), file=stdout)
        return int(getattr(result, "exit_code", 0))
    finally:
        stdout.flush()  # here, so that a full disk is an error of the command, also after --help


def print_error(message: object) -> None:
    """Print one line on standard error: what is wrong, the value, the next step.

    What would break the line or steer the terminal is escaped: names of files and answers of servers hold it.
    """
    said = "".join(one if one.isprintable() else repr(one)[1:-1] for one in str(message))
    print(f"error: {said}", file=sys.stderr)


@contextmanager
def _signals() -> Iterator[None]:
    """Raise `KeyboardInterrupt` for Ctrl-C and SIGTERM in the block."""
    if signal.getsignal(signal.SIGINT) is end_program:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        before = signal.signal(signal.SIGTERM, _terminate)
    except ValueError:  # not in the main thread, which alone gets signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated
