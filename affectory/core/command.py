"""How a command ends: its output, its errors, its exit code.

0    done
1    done in part (a source, a host or a seed failed), or nothing was found
2    an error that the user can fix: one line on standard error
130  interrupted by Ctrl-C
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from affectory.core.errors import AffectoryError


def finish(work: Callable[[], object]) -> int:
    """Run the work of a command, print its result, and return the exit code.

    An int is the exit code of work that has printed its own output. Any other result is printed; its
    `exit_code`, if it has one, is returned, else 0.
    """
    try:
        result = work()
        if isinstance(result, int):
            return result
        print(result)
        return int(getattr(result, "exit_code", 0))
    except AffectoryError as error:
        print_error(error)
        return 2
    except KeyboardInterrupt:
        print("interrupted: finished files are kept; run the same command again", file=sys.stderr)
        return 130


def print_error(message: object) -> None:
    """Print one line on standard error: what is wrong, the value, the next step."""
    print(f"error: {message}", file=sys.stderr)
