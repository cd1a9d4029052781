"""Ctrl-C while a command's modules are still being imported. This module itself imports next to nothing."""

import os
import signal

#: What a command says that was ended early.
KEPT = "finished files are kept; run the same command again"


def quiet_until_finish() -> None:
    """End the program by one line at Ctrl-C, until `affectory.core.command.finish` runs.

    For the first lines of a module that is run as a program; a module that is imported must not call it.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored, as in a background job
        signal.signal(signal.SIGINT, end_program)


def end_program(number: int, frame: object) -> None:
    """Handle Ctrl-C: nothing has been done yet, so nothing is cleaned up."""
    os.write(2, f"interrupted: {KEPT}\n".encode())
    os._exit(130)
