"""A local server that imitates the sources, with generated posts and pictures and the faults of real hosts.

    with running(posts=600, faults=["429=0.05"]) as base_url:
        ...                                # https://HOST/PATH is at base_url + "/HOST/PATH"

The import is light: NumPy, Pillow and aiohttp are loaded by the server's process only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from affectory.core.errors import AffectoryError
from collectors.sandbox.state.faults import Faults
from collectors.sandbox.state.limits import HostLimits

_READY = "sandbox ready at "


@contextmanager
def running(
    *,
    posts: int = 600,
    seed: int = 0,
    faults: Sequence[str] = (),
    strikes: int = 1,
    host_limits: Sequence[str] = (),
    retry_after: bool = True,
    port: int = 0,
) -> Iterator[str]:
    """Run the sandbox in a separate process; yield its base address, and end it afterwards.

    The process also ends if this one is killed, because its standard input is then closed.
    Raises `InputError` for faults or limits that can't be read, `AffectoryError` if it does not start.
    """
    Faults.parse(faults)  # raises in the caller's process, before another one is started
    HostLimits.parse(host_limits)
    options = ["--port", port, "--posts", posts, "--seed", seed, "--strikes", strikes]
    command = [sys.executable, "-m", "collectors.sandbox", *map(str, options), "--exit-with-stdin"]
    command += ["--faults", *faults] if faults else []
    command += ["--host-limit", *host_limits] if host_limits else []
    command += [] if retry_after else ["--no-retry-after"]
    root = str(Path(__file__).resolve().parents[2])
    search_path = os.pathsep.join(filter(None, [root, os.getenv("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": search_path}
    server = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        process_group=0,  # Ctrl-C reaches this process alone, which needs the sandbox's answers to its end
    )
    assert server.stdin is not None and server.stdout is not None
    try:
        line = server.stdout.readline().strip()
        if not line.startswith(_READY):
            raise AffectoryError(
                f"the sandbox did not start (exit code {server.wait(10)}): its error message is above"
            )
        yield line.removeprefix(_READY)
    finally:
        server.stdin.close()
        try:
            server.wait(timeout=5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        server.stdout.close()
