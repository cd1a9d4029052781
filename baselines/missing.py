"""Train and score models on posts that lost their image or their text, at several rates.

    python -m baselines.missing met-meme --models image text joint cv_ct_cm --rates 0 0.25 0.5 0.75 1
    python -m baselines.missing met-meme --models cv_ct_cm --masks results/met-meme/1.0.0-missing/masks.json

A share of the posts loses its images or its texts: of the training and validation posts, of the test posts,
or of both. Output files, in results/NAME/VERSION-missing: missing.md, missing.html, missing.json, masks.json
(which posts lost what: --masks uses it again) and checkpoints. To resume a run that was stopped, repeat the
command. Beside that, models are scored on posts whose image is really gone, where the release lists any.
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import sys
from typing import TYPE_CHECKING

from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.output import Outcome
from affectory.core.progress import Steps
from baselines.options import FIRST, MissingOptions
from baselines.training import launch

if TYPE_CHECKING:
    import torch


def main(arguments: list[str] | None = None, *, prog: str = "python -m baselines.missing") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if launch.is_helper():
        return launch.serve(lambda: _device(read_options(MissingOptions, given, prog, __doc__, FIRST)))
    command = " ".join([prog, *given])
    return finish(lambda: _run(read_options(MissingOptions, given, prog, __doc__, FIRST), command))


def _device(options: MissingOptions) -> torch.device:
    options.check()
    from baselines.pipeline import pick_device

    return pick_device(options.device)


def _run(options: MissingOptions, command: str) -> Outcome:
    options.check()
    options.check_release()  # before torch, which takes seconds to import
    with Steps("loading"):
        from baselines.observatory import run  # torch and pyarrow: not for --help

    return run(options, command)


if __name__ == "__main__":
    sys.exit(main())
