import os
import signal
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import pytest

from affectory.core.processes import Pool
from tests.programs import at_work

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


def test_a_killed_worker_breaks_the_pool():
    with pytest.raises(BrokenProcessPool), Pool(2, preload=[]) as pool:
        pool.submit(os._exit, 1).result()
