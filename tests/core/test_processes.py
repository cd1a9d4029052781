import os
import signal
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import pytest

from affectory.core.processes import Pool
from tests.programs import ROOT, at_work, run

#: A worker that is busy for ten minutes, with a file to remove when its parent is gone.
BUSY = """
import os, sys
from functools import partial
from affectory.core.processes import Pool

with Pool(2, preload=[], cleanup=partial(os.unlink, sys.argv[1])) as pool:
    pool.submit(exec, "import time; print('at work', flush=True); time.sleep(600)").result()
"""


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent_and_clean_up(tmp_path, by):
    """SIGKILL hits the parent alone; Ctrl-C its workers too, which leave it to the parent."""
    leftover = tmp_path / "leftover"
    leftover.touch()
    with at_work(BUSY, leftover) as program:
        (os.kill if by == signal.SIGKILL else os.killpg)(program.pid, by)
        program.communicate(timeout=60)  # ends with the last process that holds its output
    assert program.returncode == -by
    assert not leftover.exists()


def test_a_block_that_ends_well_waits_for_its_workers_and_cleans_nothing_up(tmp_path):
    kept = tmp_path / "kept"
    kept.touch()
    with Pool(1, preload=[], cleanup=partial(os.unlink, kept)) as pool:
        future = pool.submit(pow, 2, 10)
    assert (future.result(), kept.exists()) == (1024, True)


def test_a_worker_is_prepared_before_its_first_work(tmp_path):
    with Pool(1, preload=[], prepare=partial(os.mkdir, tmp_path / "made")) as pool:
        assert pool.submit(os.path.isdir, tmp_path / "made").result()


def test_workers_are_other_processes_that_ignore_ctrl_c():
    with Pool(1, preload=[]) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
        assert pool.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_IGN


#: A module at whose import the server of the workers is killed.
DIES = """
import os, signal, sys

if "multiprocessing.forkserver" in " ".join(sys.orig_argv):
    os.kill(os.getpid(), signal.SIGKILL)
"""

USES_IT = """
import sys
from affectory.core.command import finish
from affectory.core.engine.local import Processes

def work():
    with Processes(2, preload=["dies"]) as engine:
        return list(engine.map(abs, [1, 2]))

sys.exit(finish(work))
"""


@pytest.mark.slow
def test_a_server_of_the_workers_that_is_killed_at_its_start_is_one_line(tmp_path):
    (tmp_path / "dies.py").write_text(DIES)
    done = run("-c", USES_IT, PYTHONPATH=f"{ROOT}:{tmp_path}")
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        "error: a worker process was killed, most often for lack of memory: close other programs, or use "
        "fewer processes with --workers 1\n",
    )


def test_a_killed_worker_breaks_the_pool():
    with pytest.raises(BrokenProcessPool), Pool(2, preload=[]) as pool:
        pool.submit(os._exit, 1).result()
