"""The console command `affectory`: every command of the project under one name.

affectory demo                        the whole program, end to end, without keys or network
affectory collect reddit --subs …     python -m collectors.reddit
affectory sandbox                     python -m collectors.sandbox
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

DEMO_STORE = Path("data/demo")


def demo(arguments: Sequence[str], prog: str) -> int:
    """Collect four subreddits of the sandbox, and say where things are."""
    if arguments:
        print(f"usage: {prog}\n\n{demo.__doc__}")
        return 0 if arguments[0] in ("-h", "--help") else 2
    store = str(DEMO_STORE)
    steps = [
        ["collect", "reddit", "--subs", "happy", "creepy", "rage", "gore", "--sandbox", "--store", store]
    ]
    for step in steps:
        print(f"$ affectory {' '.join(step)}", flush=True)
        code = main(step)
        if code:
            return code
    print(f"""
A crawl store is in {DEMO_STORE}:
  posts    {DEMO_STORE / "crawl.sqlite"}
  images   {DEMO_STORE / "media"}
The posts are generated. For real ones: affectory collect reddit --help""")
    return 0


def collect_reddit(arguments: Sequence[str], prog: str) -> int:
    """Collect subreddits' posts and their images into a crawl store."""
    from collectors.reddit.__main__ import main as command

    return command(list(arguments), prog=prog)


def sandbox(arguments: Sequence[str], prog: str) -> int:
    """Serve a stand-in for Reddit, imgur and the archives on this machine."""
    from collectors.sandbox.__main__ import main as command

    return command(list(arguments), prog=prog)


COMMANDS: dict[str, Callable[[Sequence[str], str], int]] = {
    "demo": demo,
    "collect reddit": collect_reddit,
    "sandbox": sandbox,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for name, command in COMMANDS.items():
        words = name.split()
        if given[: len(words)] == words:
            return command(given[len(words) :], f"affectory {name}")
    lines = [f"  affectory {name:<16} {command.__doc__}" for name, command in COMMANDS.items()]
    asked_for_help = given[:1] in (["-h"], ["--help"])
    unknown = f"error: no command {' '.join(given)!r}\n" if given and not asked_for_help else ""
    print(f"{unknown}usage: affectory COMMAND …  (--help after a command tells its options)\n")
    print("\n".join(lines))
    return 0 if asked_for_help else 2


if __name__ == "__main__":
    sys.exit(main())
