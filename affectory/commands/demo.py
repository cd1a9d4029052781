"""Collect, build and train in one go: a small example of all steps, without keys or network.

    affectory demo

Its store, release and results go to data/demo. The posts are generated and the image network's weights are
random: the numbers are no results. To complete a demo that was stopped, repeat the command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from affectory.core.arguments import read_options
from affectory.core.output import tell

DEMO = Path("data/demo")
SUBS = ("happy", "creepy", "rage", "gore")


@dataclass(frozen=True)
class Options:
    """Collect four subreddits of the sandbox, build a release of them, and train six models on it."""


def demo(arguments: Sequence[str], prog: str, command: Callable[[Sequence[str]], int]) -> object:
    """Collect four subreddits of the sandbox, build a release of them, and train six models on it."""
    read_options(Options, arguments, prog, __doc__, has_json=False)
    store = str(DEMO / "store")
    collect = ["collect", "reddit", "--subs", *SUBS, "--source", "oauth", "--sandbox", "--store", store]
    build = ["build", "reddit-emotion", "--store", store, "--datasets", str(DEMO / "datasets")]
    # No weights are downloaded: an untrained network suffices to tell the sandbox's pictures apart.
    network = ["--backbone", "resnet18", "--weights", "random", "--side", "64"]
    folders = [f"--{name}={DEMO / name}" for name in ("datasets", "features", "cache")]
    run = ["run", "reddit-emotion", *network, *folders, "--out", str(DEMO / "results")]
    for step in (collect, build, run):
        tell(f"$ affectory {' '.join(step)}")
        if code := command(step):
            return code
        tell("")
    return (
        "note    generated posts and random weights: not results\n"
        "next    affectory collect reddit --help (real posts), then affectory run --help"
    )
