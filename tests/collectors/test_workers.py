"""Worker processes: they end with their parent, and an image that ends one doesn't affect other images."""

import asyncio
import importlib
import io
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from collectors.crawl.decode import ImagePolicy, keep
from collectors.crawl.workers import TimeLimits, Workers, WorkersError
from tests.collectors import slow_work
from tests.collectors.pictures import slow_jpeg

ROOT = Path(__file__).parents[2]
URL = "https://i.redd.it/a.png"


class Deadly(bytes):
    """Bytes that end the process which unpickles them, as the kernel ends one that takes all memory."""

    def __reduce__(self):
        return os._exit, (1,)


class Timers(bytes):
    """Bytes that become, in the process that unpickles them, the seconds left of its timers."""

    def __reduce__(self):
        return slow_work.timers, ()


class Missing:
    """Work whose module is not there in the process that is to do it."""

    def __reduce__(self):
        return importlib.import_module, ("a_decoder_that_is_not_installed",)


def png(shade=0):
    out = io.BytesIO()
    Image.new("L", (8, 8), shade).save(out, "PNG")
    return out.getvalue()


def keep_all(folder, images, processes=2, **policy):
    async def go():
        with Workers(processes, folder, 1, ImagePolicy(**policy)) as workers:
            return await asyncio.gather(*(workers.keep(data, URL) for data in images))

    return asyncio.run(go())


def test_images_are_examined_in_other_processes_and_come_back_in_their_places(folder):
    images = [png(shade) for shade in range(30)] + [b"", b"<html><title>Moved</title>"]
    found = keep_all(folder, images)
    assert [outcome.status for outcome in found] == ["stored"] * 30 + ["failed"] * 2
    assert [outcome.reason for outcome in found[30:]] == ["empty_body", "html_instead_of_image"]
    assert len({outcome.sha256 for outcome in found[:30]}) == 30
    assert len(list((folder / "media").glob("*/*.png"))) == 30
    assert multiprocessing.active_children() == []


def test_the_policy_reaches_the_worker(folder):
    (outcome,) = keep_all(folder, [png()], max_side=4)
    assert (outcome.mime, outcome.width, outcome.height) == ("image/jpeg", 4, 4)


@pytest.mark.slow
def test_an_image_that_kills_its_worker_takes_no_other_with_it(folder):
    images = [Deadly(), *(png(shade) for shade in range(5)), Deadly()]
    found = keep_all(folder, images)
    assert [outcome.status for outcome in found] == ["failed"] + ["stored"] * 5 + ["failed"]
    for outcome in (found[0], found[6]):
        assert (outcome.reason, outcome.retry) == ("decoder_crashed", True)
        assert outcome.detail == "killed twice: out of memory?"


def test_workers_that_cannot_start_are_one_error_and_no_crashed_images(folder):
    async def go():
        with Workers(2, folder, 1, ImagePolicy(), Missing()) as workers:
            tasks = [asyncio.create_task(workers.keep(png(shade), URL)) for shade in range(8)]
            return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(go())
    assert {str(error) for error in found} == {
        "the process that decodes images can't start (exit code 1; its error message is above): free some "
        "memory and run again, or if it stays so, install again with `uv sync --reinstall`"
    }
    assert {type(error) for error in found} == {WorkersError}
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_workers_that_are_sent_home_before_they_begin_say_nothing():
    program = (
        "import asyncio\n"
        "from pathlib import Path\n"
        "from collectors.crawl.decode import ImagePolicy\n"
        "from collectors.crawl.workers import Workers\n"
        "async def go():\n"
        "    with Workers(2, Path('.'), 1, ImagePolicy()):\n"
        "        pass\n"
        "asyncio.run(go())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def timed(folder, images, limits, work=slow_work.work, processes=1):
    """What became of the images under these limits: reason, detail, retry."""

    async def go():
        with Workers(processes, folder, 1, ImagePolicy(), work, limits) as workers:
            return await asyncio.gather(*(workers.keep(data, URL) for data in images))

    return [(found.reason, found.detail, found.retry) for found in asyncio.run(go())]


STORED = (None, None, False)


def test_an_image_may_take_ten_seconds_of_cpu_time_and_a_minute():
    assert TimeLimits() == TimeLimits(cpu=10.0, wall=60.0)


@pytest.mark.slow
def test_an_image_that_takes_too_much_cpu_time_has_failed_for_good_after_one_try(folder):
    images = [b"one", b"burn 60", b"two", b"burn 60", b"three"]
    timeout = ("decoder_timeout", "more than 0.3 s of CPU time", False)
    assert timed(folder, images, TimeLimits(cpu=0.3)) == [STORED, timeout, STORED, timeout, STORED]
    assert sorted((folder / "begun").read_bytes().splitlines()) == sorted(images)  # and once each
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_an_image_that_takes_too_long_without_cpu_time_may_be_tried_again_by_a_rerun(folder):
    images = [b"one", b"wait", b"two"]
    timeout = ("decoder_timeout", "more than 0.3 s", True)
    assert timed(folder, images, TimeLimits(wall=0.3)) == [STORED, timeout, STORED]
    assert sorted((folder / "begun").read_bytes().splitlines()) == sorted(images)


@pytest.mark.slow
def test_each_image_has_the_whole_time(folder):
    assert timed(folder, [b"burn 0.15"] * 8, TimeLimits(cpu=0.6)) == [STORED] * 8


def test_no_timer_runs_while_a_worker_waits_for_an_image(folder):
    assert timed(folder, [b"one", Timers()], TimeLimits()) == [STORED, STORED]
    assert (folder / "begun").read_bytes() == b"one\n0 0\n"


@pytest.mark.slow
def test_a_decoder_is_ended_in_the_middle_of_its_work(folder):
    images = [png(), slow_jpeg(), png(1)]
    assert timed(folder, images, TimeLimits(cpu=0.5), keep) == [
        STORED,
        ("decoder_timeout", "more than 0.5 s of CPU time", False),
        STORED,
    ]
    assert sum(path.is_file() for path in (folder / "media").rglob("*")) == 2


@pytest.mark.slow
def test_the_limits_hold_where_the_program_ignores_and_blocks_their_signals(folder):
    program = (
        "import asyncio, signal, sys\n"
        "from pathlib import Path\n"
        "from collectors.crawl.decode import ImagePolicy\n"
        "from collectors.crawl.workers import TimeLimits, Workers\n"
        "from tests.collectors.slow_work import work\n"
        "for number in (signal.SIGPROF, signal.SIGALRM):\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGPROF, signal.SIGALRM))\n"
        "async def go():\n"
        "    limits = TimeLimits(cpu=0.2, wall=5)\n"
        "    with Workers(1, Path(sys.argv[1]), 1, ImagePolicy(), work, limits) as workers:\n"
        "        print((await workers.keep(b'burn 4', '')).reason)\n"
        "asyncio.run(go())\n"
    )
    command = [sys.executable, "-c", program, folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "decoder_timeout\n", "")


@pytest.mark.slow
def test_the_pool_works_on_after_a_death(folder):
    async def go():
        with Workers(1, folder, 1, ImagePolicy()) as workers:
            return [(await workers.keep(data, URL)).reason for data in (Deadly(), png(), Deadly(), png(1))]

    assert asyncio.run(go()) == ["decoder_crashed", None, "decoder_crashed", None]


def test_no_more_than_four_images_wait_at_a_process(folder):
    async def go():
        with Workers(1, folder, 1, ImagePolicy()) as workers:
            tasks = [asyncio.create_task(workers.keep(png(shade), URL)) for shade in range(20)]
            await asyncio.sleep(0)
            held = sum(len(worker.waiting) for worker in workers._workers)
            found = await asyncio.gather(*tasks)
            return held, {outcome.status for outcome in found}

    held, statuses = asyncio.run(go())
    assert held <= 4
    assert statuses == {"stored"}


def test_a_disk_that_takes_nothing_is_the_callers_error(tmp_path):
    with pytest.raises(OSError, match="No such file or directory"):
        keep_all(tmp_path, [png()])


# A crawl in small: it shows its workers' numbers and waits.
PARENT = """
import asyncio, signal, sys
from pathlib import Path
from collectors.crawl.decode import ImagePolicy
from collectors.crawl.workers import Workers, WorkersError

async def go():
    with Workers(2, Path(sys.argv[1]), 1, ImagePolicy()) as workers:
        data = sys.stdin.buffer.read()
        await asyncio.gather(*(workers.keep(data, "https://i.redd.it/a.png") for _ in range(8)))
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
        print(*(worker.process.pid for worker in workers._workers), flush=True)
        await stopped.wait()
        print((await workers.keep(data, "https://i.redd.it/a.png")).status, flush=True)

asyncio.run(go())
"""


def start(folder):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    parent.stdin.write(png())
    parent.stdin.close()
    workers = [int(number) for number in parent.stdout.readline().split()]
    assert workers and all(map(alive, workers))
    return parent, workers


def alive(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_the_end_of(numbers):
    until = time.monotonic() + 5
    while any(map(alive, numbers)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(map(alive, numbers))


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see processes")


@pytest.mark.slow
@needs_proc
def test_workers_end_with_a_parent_that_is_killed(folder):
    parent, workers = start(folder)
    parent.kill()
    parent.wait(5)
    parent.stdout.close()
    wait_for_the_end_of(workers)


@pytest.mark.slow
@needs_proc
def test_ctrl_c_is_left_to_the_parent(folder):
    parent, workers = start(folder)
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal does: to all of them
    assert parent.stdout.read() == b"stored\n"
    assert parent.wait(5) == 0
    parent.stdout.close()
    wait_for_the_end_of(workers)
