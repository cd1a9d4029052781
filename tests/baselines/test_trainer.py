import os
import signal

import pytest
import torch
from baselines.settings import Settings
from baselines.training.jobs import Job, run

from affectory.core.errors import BaselineError
from baselines.run import main
from tests.programs import at_work

#: A run of a job that takes ten minutes to be read.
AT_WORK = """
import sys
from pathlib import Path
import torch
from baselines.training.jobs import Job, run
from baselines.settings import Settings

class Long:
    def __reduce__(self):
        return exec, ("import time; print('at work', flush=True); time.sleep(600)",)

list(run([Job(Long(), "image", Path(sys.argv[1]), Settings(), (0,))], torch.device("cpu"), processes=2))
"""


class Deadly:
    """What a process dies of that reads it, at once and without a word, as if it had been killed."""

    def __reduce__(self):
        return os._exit, (1,)


@pytest.mark.slow
def test_a_killed_process_is_one_line_that_says_what_to_do(tmp_path):
    job = Job(Deadly(), "image", tmp_path / "data.pt", Settings(), (0, 1))
    with pytest.raises(
        BaselineError, match=r"a process that trained was killed, .* continues from the checkpoints"
    ):
        list(run([job], torch.device("cpu"), processes=2))


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_with_their_run_and_leave_nothing(tmp_path, by):
    """SIGKILL hits the run alone; Ctrl-C its processes too, which leave it to the run."""
    data = tmp_path / "affectory-run" / "data.pt"
    data.parent.mkdir()
    data.touch()
    with at_work(AT_WORK, data) as program:
        (os.kill if by == signal.SIGKILL else os.killpg)(program.pid, by)
        program.communicate(timeout=60)  # ends with the last process that holds its output
    assert program.returncode == -by
    assert not data.parent.exists()


def test_an_interrupted_command_is_one_line(capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("baselines.pipeline.run", interrupted)
    assert main(["reddit-emotion"]) == 130
    assert capsys.readouterr().err == "interrupted: finished files are kept; run the same command again\n"
