import os
from pathlib import Path

import pytest
import torch

from baselines.errors import BaselineError
from baselines.jobs import Job, run
from baselines.settings import Settings


class Deadly:
    """What a process dies of that reads it, at once and without a word, as if it had been killed."""

    def __reduce__(self):
        return os._exit, (1,)


def test_a_killed_process_is_one_line_that_says_what_to_do():
    job = Job(Deadly(), "image", Path("data.pt"), Settings(), (0, 1))
    with pytest.raises(
        BaselineError, match=r"a process that trained was killed, .* goes on from the checkpoints"
    ):
        list(run([job], torch.device("cpu"), processes=2))
