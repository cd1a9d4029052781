"""What a long command shows: a live display on a terminal, plain lines elsewhere, and the time left."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from affectory.core import progress
from affectory.core.output import Wanted, until_end, want
from affectory.core.progress import Display, Pace, Steps, Task, bars, span

ROOT = Path(__file__).parents[2]


class Clock:
    """A clock that a test moves on."""

    def __init__(self):
        self.time = 1000.0

    def __call__(self):
        return self.time


def pace_of(*counts):
    """Return a pace that has seen counts at seconds since its start."""
    clock = Clock()
    pace = Pace(clock)
    for seconds, done in counts:
        clock.time = 1000.0 + seconds
        pace.rate(done)
    return pace


def test_a_time_is_in_seconds_minutes_or_hours():
    found = [span(seconds) for seconds in (0, 45.4, 89, 90, 720, 5399, 5400, 12_240, 90_000)]
    assert found == ["0 s", "45 s", "89 s", "2 min", "12 min", "90 min", "1.5 h", "3.4 h", "25.0 h"]


def test_the_time_left_is_what_remains_at_the_rate_of_the_last_seconds():
    slow_then_fast = pace_of((50, 10), (60, 20), (65, 120), (70, 220))
    assert (slow_then_fast.rate(220), slow_then_fast.left(220, 1220)) == (20.0, "50 s left")


def test_steps_that_take_minutes_each_have_a_time_left_too():
    pace = pace_of((60, 1), (120, 2))
    assert (pace.rate(2), pace.left(2, 12)) == (1 / 60, "10 min left")


def test_a_count_that_stops_growing_has_ever_more_time_left():
    clock = Clock()
    pace = Pace(clock)
    found = []
    for seconds, done in ((10, 100), (20, 100), (100, 100)):
        clock.time = 1000.0 + seconds
        found.append(pace.left(done, 200))
    assert found == ["10 s left", "20 s left", "2 min left"]


def test_no_time_left_is_claimed_before_the_first_step_or_after_the_last():
    assert (pace_of((30, 0)).left(0, 100), pace_of((30, 100)).left(100, 100)) == ("", "")


def test_a_line_has_the_count_its_rate_and_the_time_left():
    task = Task("features", 1_000, "images", pace=pace_of((10, 250)))
    task.advance(250)
    assert task.line() == "features: 250 of 1,000, 25.0 images/s, 30 s left"


def test_a_rate_below_a_tenth_is_not_shown():
    task = Task("rows", 10, "shards", pace=pace_of((100, 1)))
    task.advance()
    assert task.line() == "rows: 1 of 10, 15 min left"


def test_work_of_unknown_length_says_for_how_long_it_has_been_running():
    assert Task("duplicates", pace=pace_of((100, 0))).line() == "duplicates: 2 min so far"


def test_a_summary_says_what_was_done_in_which_time():
    task = Task("features", 500, "images", pace=pace_of((100, 0)))
    task.advance(500)
    assert task.summary() == "features: 500 images in 2 min, 5.0 images/s"


def test_off_a_terminal_a_plain_line_is_printed_when_it_is_due(capsys, monkeypatch):
    with Steps("rows", 3, "shards") as steps:
        steps.advance()
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(progress, "PLAIN_EVERY", 0.0)
        steps.advance()
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("rows: 2 of 3, ")


def test_work_that_reports_nothing_is_not_silent(monkeypatch):
    """The line comes from the display itself, while the work waits."""
    monkeypatch.setattr(progress, "PLAIN_EVERY", 0.0)
    monkeypatch.setattr(progress, "TICK", 0.001)
    read, write = os.pipe()
    with os.fdopen(read) as lines, os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stderr", pipe)
        with Display(lambda: "still at work"):
            assert lines.readline() == "still at work\n"


def test_of_nested_displays_the_innermost_prints(capsys, monkeypatch):
    monkeypatch.setattr(progress, "TICK", 600.0)
    monkeypatch.setattr(progress, "PLAIN_EVERY", 0.0)
    with Display(lambda: "outer") as outer:
        with Display(lambda: "inner") as inner:
            outer.tick()
            inner.tick()
        outer.tick()
    assert capsys.readouterr().err == "inner\nouter\n"


def test_short_stages_of_long_work_are_not_silent(capsys, monkeypatch):
    """A stage goes on waiting where the stage before it has stopped."""
    clock = Clock()
    monkeypatch.setattr(progress, "TICK", 600.0)
    monkeypatch.setattr(progress, "PLAIN_EVERY", 10.0)
    monkeypatch.setattr(progress.time, "monotonic", clock)
    with Steps("building"):
        for number in range(5):
            with Steps(f"stage {number}", 2, "posts") as steps:
                clock.time += 4
                steps.advance()
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("stage 2: 1 of 2, ")


ON_A_TERMINAL = """
from affectory.core.output import say
from affectory.core.progress import Steps

with Steps("features", 4, "images") as steps:
    steps.advance(3)
    say("a line that stays")
    print("output")
"""


@pytest.mark.slow
def test_a_terminal_shows_bars_below_the_lines_that_stay_and_removes_them():
    parent, child = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", ON_A_TERMINAL],
        cwd=ROOT,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=child,
        check=True,
    )
    os.close(child)
    shown = b""
    while b"a line that stays" not in shown or b"\x1b[?25h" not in shown:  # until the cursor is back
        shown += os.read(parent, 65536)
    os.close(parent)
    assert done.stdout == b"output\n"
    assert b"3/4" in shown
    assert shown.rindex(b"\x1b[2K") > shown.rindex(b"3/4")  # the display's lines are cleared at the end


def test_in_80_columns_each_task_has_one_line_with_count_rate_and_time_left():
    clock = Clock()
    task = Task(
        "features of sentence-transformers/all-MiniLM-L6-v2 on cpu", 12_345, "images", pace=Pace(clock)
    )
    clock.time += 10
    task.advance(3200)
    out = io.StringIO()
    Console(file=out, width=80).print(bars([task, Task("loading", pace=Pace(clock))]))
    lines = out.getvalue().splitlines()
    assert len(lines) == 2 and max(map(len, lines)) <= 80
    assert lines[0].startswith("features of sentence-transforme… ")
    assert lines[0].rstrip().endswith("3,200/12,345 10 s 320.0 images/s, 29 s left")


def test_plain_lines_grow_fewer_the_longer_the_work_takes(capsys, monkeypatch):
    clock, seconds = Clock(), []
    monkeypatch.setattr(progress, "TICK", 6000.0)
    monkeypatch.setattr(progress, "PLAIN_EVERY", 10.0)
    monkeypatch.setattr(progress.time, "monotonic", clock)
    with Display(lambda: f"{clock.time - 1000:.0f}") as display:
        for _ in range(1500):
            clock.time += 1
            display.tick()
    seconds = [int(line) for line in capsys.readouterr().err.split()]
    assert seconds == [10, 20, 40, 80, 160, 320, 620, 920, 1220]


def test_steps_that_took_a_while_leave_a_line(capsys, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "TICK", 6000.0)
    monkeypatch.setattr(progress, "PLAIN_EVERY", 10.0)
    monkeypatch.setattr(progress.time, "monotonic", clock)
    monkeypatch.setattr(progress, "LONG", 5.0)
    for seconds in (4, 6):
        with Steps("rows", 300, "posts") as steps:
            steps.task.pace = Pace(clock)
            clock.time += seconds
            steps.advance(300)
    assert capsys.readouterr().err == "rows: 300 posts in 6 s, 50.0 posts/s\n"


def test_with_v_all_steps_leave_a_line_and_with_q_nothing_is_shown(capsys, monkeypatch):
    monkeypatch.setattr(progress, "PLAIN_EVERY", 0.0)
    for asked, lines in ((Wanted(verbose=True), 2), (Wanted(quiet=True), 0)):
        with until_end():
            want(asked)
            with Steps("loading"), Steps("rows", 3, "posts"):
                pass
        assert len(capsys.readouterr().err.splitlines()) == lines
