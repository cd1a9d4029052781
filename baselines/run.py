"""Train baselines on a release and write their scores beside the papers'.

    python -m baselines.run reddit-emotion
    python -m baselines.run reddit-emotion-text --models text --tune
    python -m baselines.run met-meme --backbone mobilenet_v2 --weights W.pth --vectors glove.txt --folds 5
    accelerate launch -m baselines.run reddit-emotion --finetune

Output files, in results/NAME/VERSION (with a suffix for --finetune, --gold and --folds): table.md,
results.html, results.json, predictions.parquet and a checkpoint per model and seed. To resume a run that was
stopped, repeat the command: finished networks are read from their checkpoints, features from their cache.
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import sys
from typing import TYPE_CHECKING

from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.output import Outcome, drawn
from affectory.core.progress import Steps
from baselines.options import FIRST, Options
from baselines.training import launch

if TYPE_CHECKING:
    import torch


def main(arguments: list[str] | None = None, *, prog: str = "python -m baselines.run") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if launch.is_helper():
        return launch.serve(lambda: _device(read_options(Options, given, prog, __doc__, FIRST)))
    return finish(
        lambda: _run(read_options(Options, given, prog, __doc__, FIRST), f"{prog} {' '.join(given)}")
    )


def _device(options: Options) -> torch.device:
    options.check()
    from baselines.pipeline import pick_device

    return pick_device(options.device)


def _run(options: Options, command: str) -> Outcome:
    options.check()
    options.check_release()  # before torch, which takes seconds to import
    with Steps("loading"):
        from baselines.pipeline import run  # torch and pyarrow: not for --help
        from baselines.results import tables

    done = run(options, command)
    text = drawn(lambda console: tables.show(done.results, console))
    paths = f"page      {done.page}\ntable     {done.table}\nall runs  {done.index}"
    return Outcome(f"{text}\n\n{paths}", done.as_json(), done.exit_code)


if __name__ == "__main__":
    sys.exit(main())
