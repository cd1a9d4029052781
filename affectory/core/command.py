"""How the commands of curation end: what they print, and their exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable

from affectory.core.errors import AffectoryError


def finish(work: Callable[[], object]) -> int:
    """Do the work and print what it returns; return 0, 2 after an error of the user's, 130 after Ctrl-C."""
    try:
        print(work())
    except AffectoryError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: releases that stand are untouched; run the same command again", file=sys.stderr)
        return 130
    return 0
