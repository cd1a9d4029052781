"""Programs that tests run, and kill while they are at work."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **environment):
    """Run Python with these arguments to its end, with these environment variables."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        check=False,
        timeout=120,
    )


@contextlib.contextmanager
def at_work(code, *arguments, stderr=subprocess.DEVNULL):
    """Run Python code in its own session until it prints "at work"; kill what is left of it at the end."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # A shell starts its background jobs so, and the program would inherit it: Ctrl-C would do nothing.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
    ) as program:
        try:
            assert program.stdout.readline() == "at work\n"
            yield program
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
