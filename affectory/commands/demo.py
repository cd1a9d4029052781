"""`affectory demo`: a small example of all steps, without keys or network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

DEMO = Path("data/demo")
SUBS = ("happy", "creepy", "rage", "gore")


def demo(arguments: Sequence[str], prog: str, command: Callable[[Sequence[str]], int]) -> int:
    """Collect four subreddits of the sandbox, build a release of them, and train six models on it."""
    if arguments:
        print(f"usage: {prog}\n\n{demo.__doc__}")
        return 0 if arguments[0] in ("-h", "--help") else 2
    store = str(DEMO / "store")
    collect = ["collect", "reddit", "--subs", *SUBS, "--source", "oauth", "--sandbox", "--store", store]
    build = ["build", "reddit-emotion", "--store", store, "--datasets", str(DEMO / "datasets")]
    # No weights are downloaded: an untrained network suffices to tell the sandbox's pictures apart.
    network = ["--backbone", "resnet18", "--weights", "random", "--side", "64"]
    folders = [f"--{name}={DEMO / name}" for name in ("datasets", "features", "cache")]
    run = ["run", "reddit-emotion", *network, *folders, "--out", str(DEMO / "results")]
    for step in (collect, build, run):
        print(f"$ affectory {' '.join(step)}", flush=True)
        if code := command(step):
            return code
        print()
    print("note    generated posts and random weights: not results")
    print("next    affectory collect reddit --help collects real posts; affectory run --help trains on them")
    return 0
