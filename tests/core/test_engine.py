import os
import signal
import subprocess
import threading

import pytest

from affectory.core.engine.local import Processes, Threads
from affectory.core.errors import AffectoryError
from tests import programs

AT_WORK = """
import sys
from affectory.core.command import finish
from affectory.core.engine.local import Processes

def work():
    with Processes(2) as engine:
        list(engine.map(exec, ["import time; print('at work', flush=True); time.sleep(600)"]))

sys.exit(finish(work))
"""


@pytest.fixture
def at_work():
    """A program of which another process is in the middle of a long piece of work."""
    with programs.at_work(AT_WORK, stderr=subprocess.PIPE) as program:
        yield program


def test_the_processes_of_a_build_that_is_killed_end_with_it(at_work):
    at_work.kill()
    out, _ = at_work.communicate(timeout=20)  # ends with the last process that could still write to it
    assert out == ""


@pytest.mark.slow
def test_ctrl_c_is_one_line_and_does_not_wait_for_what_is_in_hand(at_work):
    os.killpg(at_work.pid, signal.SIGINT)  # as a terminal does: to all of them
    out, err = at_work.communicate(timeout=20)
    assert (at_work.returncode, out) == (130, "")
    assert err == "interrupted: finished files are kept; run the same command again\n"


def test_a_killed_process_of_a_build_is_one_line_that_says_what_to_do():
    with (
        pytest.raises(
            AffectoryError, match=r"a worker process was killed, .* fewer processes with --workers 1"
        ),
        Processes(2) as engine,
    ):
        list(engine.map(os._exit, [1]))


ENGINES = [lambda: Processes(1), lambda: Processes(2), lambda: Threads(2)]
NAMES = ["this process", "processes", "threads"]


@pytest.mark.parametrize("make", ENGINES, ids=NAMES)
def test_results_come_in_the_order_of_the_items(make):
    with make() as engine:
        assert list(engine.map(divmod, range(7, 12), 3)) == [(2, 1), (2, 2), (3, 0), (3, 1), (3, 2)]
        assert list(engine.map(pow, [2, 3], 2, ahead=0)) == [4, 9]
        assert list(engine.map(abs, [])) == []


@pytest.mark.parametrize("make", ENGINES, ids=NAMES)
def test_an_error_of_the_work_is_the_callers(make):
    with make() as engine, pytest.raises(ZeroDivisionError):
        list(engine.map(divmod, [1], 0))


@pytest.mark.parametrize(("ahead", "taken"), [(0, 1), (3, 4), (None, 100)])
@pytest.mark.parametrize("make", ENGINES[1:], ids=NAMES[1:])
def test_items_are_taken_as_far_ahead_as_the_caller_allows(make, ahead, taken):
    items = iter(range(100))
    with make() as engine:
        results = engine.map(abs, items, ahead=ahead)
        assert next(results) == 0
        assert next(items, 100) == taken


def test_threads_end_with_their_block_though_results_are_left():
    before = threading.active_count()
    with Threads(2) as engine:
        next(engine.map(abs, range(100)))
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_each_thread_is_prepared_once():
    prepared = []
    with Threads(1, prepare=lambda: prepared.append(threading.get_ident())) as engine:
        threads = set(engine.map(lambda _: threading.get_ident(), range(3)))
    assert threads == set(prepared) and len(prepared) == 1
