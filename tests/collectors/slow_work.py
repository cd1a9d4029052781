"""Work for a decoder's process that takes its time, by the bytes or the address of the image.

A file of its own, as the process that is to do the work imports it.
"""

import signal
import threading
import time

from collectors.crawl.decode import keep
from collectors.store.record import Outcome


def work(data, url, folder, run_id, policy):
    """Burn so many CPU seconds (`burn 0.1`), wait for ever (`wait`); note each image that was begun."""
    with (folder / "begun").open("ab") as file:
        file.write(data + b"\n")
    if data == b"wait":
        threading.Event().wait()
    if data.startswith(b"burn "):
        burn(float(data[5:]))
    return Outcome("stored")


def keep_slowly(data, url, folder, run_id, policy, *, slow):
    """Keep an image; those from the addresses in `slow` burn CPU time for ever."""
    if url in slow:
        burn(float("inf"))
    return keep(data, url, folder, run_id, policy)


def timers():
    """The seconds left of this process's timers, as bytes."""
    return b"%g %g" % (signal.getitimer(signal.ITIMER_REAL)[0], signal.getitimer(signal.ITIMER_PROF)[0])


def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
