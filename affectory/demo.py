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
    store, out = str(DEMO / "store"), str(DEMO / "datasets")
    here = Path(__file__).parents[1] / "datasets"
    recipes = "datasets" if here == Path.cwd() / "datasets" else str(here)
    collect = ["collect", "reddit", "--subs", *SUBS, "--sandbox", "--store", store]
    build = ["build", "reddit-emotion", "--datasets", recipes, "--store", store, "--out", out]
    # No weights are downloaded: an untrained network is enough to tell the sandbox's pictures apart.
    network = ["--backbone", "resnet18", "--weights", "random", "--side", "64"]
    folders = [f"--{name}={DEMO / name}" for name in ("features", "cache")]
    run = ["run", "reddit-emotion", "--datasets", out, *network, *folders, "--out", str(DEMO / "results")]
    for step in (collect, build, run):
        print(f"$ affectory {' '.join(step)}", flush=True)
        if code := command(step):
            return code
        print()
    print("Generated posts and random weights of the image network: these scores are not results.")
    print("For real posts: affectory collect reddit --help; for real weights: affectory run --help")
    return 0
