"""Ray clusters of this machine for tests, and work for them."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.programs import ROOT

#: Starts a head of one core; then adds a node of one core, or kills the node or the head, as its input says.
PROGRAM = """
import sys
from ray.cluster_utils import Cluster

cluster = Cluster()
head = cluster.add_node(
    num_cpus=1, num_gpus=int(sys.argv[1]), include_dashboard=False, no_monitor=True,
    _system_config={"health_check_period_ms": 1000, "health_check_failure_threshold": 3},
)
print(cluster.address, flush=True)
for line in sys.stdin:
    if line == "add\\n":
        node = cluster.add_node(num_cpus=1)
    elif line == "kill\\n":
        cluster.remove_node(node, allow_graceful=False)
    elif line == "end\\n":
        cluster.remove_node(head, allow_graceful=False)
    print("done", flush=True)
"""


class Cluster:
    """A cluster in a process of its own, of a head and at most one other node, of one core each."""

    def __init__(self, program):
        self.program = program
        self.address = program.stdout.readline().strip()

    def do(self, command):
        """Run "add", "kill" (the node) or "end" (the head) to its end."""
        print(command, file=self.program.stdin, flush=True)
        assert self.program.stdout.readline() == "done\n"

    @contextlib.contextmanager
    def node(self):
        """Yield while there is another node; it may have been killed at the end."""
        self.do("add")
        killed = []
        try:
            yield lambda: killed.append(self.do("kill"))
        finally:
            if not killed:
                self.do("kill")


@contextlib.contextmanager
def cluster(gpus=0):
    """Yield a cluster of a head alone, which may claim to have GPUs; all its processes end with the block."""
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT)}
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as compiled,
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(gpus)],
            cwd=ROOT,
            # Without bytecode, each of a dozen processes would compile Ray.
            env={"PYTHONPYCACHEPREFIX": compiled} | environment | {"PYTHONDONTWRITEBYTECODE": ""},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as program,
    ):
        try:
            yield Cluster(program)
        finally:
            program.stdin.close()  # it then ends its nodes
            program.wait(timeout=180)
            _kill_leftovers(program)


def _kill_leftovers(program):
    """Kill what still logs to the session of a cluster: the agents of a killed node stay for minutes."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            logs = [str(file.readlink()) for file in (process / "fd").iterdir()]
            if any(re.search(rf"/session_[^/]*_{program.pid}/", name) for name in logs):
                os.kill(int(process.name), signal.SIGKILL)


def ended(process):
    """Return whether a process is gone, or has ended and waits for its parent to notice."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_for(condition, seconds=180):
    """Wait until a condition holds; return what it gave."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.02)
    return found


def relative(name):
    """Read a file by its relative path."""
    return Path(name).read_text()


def held(item, folder):
    """Say on which node this is, then wait until the file "go" is there."""
    (folder / f"{item}-{os.getppid()}-{os.getpid()}").touch()
    wait_for((folder / "go").exists)
    return item * item


class TwoPartError(ValueError):
    """An error that takes two values."""

    def __init__(self, what, value):
        super().__init__(f"{what}: {value}")
        self.parts = (what, value)

    def __reduce__(self):
        return TwoPartError, self.parts


def refuse(item):
    raise TwoPartError("no", item)
