"""The console command `affectory`: every command of the project under one name.

affectory demo                        a small example of all steps, without keys or network
affectory init [NAME …]               write the built-in recipes to ./datasets
affectory collect reddit --subs …     python -m collectors.reddit
affectory collect flickr --votes …    python -m collectors.flickr
affectory collect local NAME …        python -m collectors.local
affectory build NAME                  python -m curation.build
affectory report NAME                 python -m curation.report
affectory ids FOLDER                  python -m curation.ids
affectory hydrate FOLDER              python -m curation.hydrate
affectory purge NAME                  python -m curation.purge
affectory trace POST_ID               every place that still holds data of a post
affectory run NAME                    python -m baselines.run
affectory predict CHECKPOINT          python -m baselines.predict
affectory sandbox                     python -m collectors.sandbox
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence

from affectory.core.command import print_error
from affectory.demo import demo

#: The commands: the module whose `main` runs it, and what it does.
MODULES = {
    "init": ("affectory.init", "Write the built-in recipes to ./datasets."),
    "collect reddit": (
        "collectors.reddit.__main__",
        "Collect subreddits' posts and images into a crawl store.",
    ),
    "collect flickr": (
        "collectors.flickr.__main__",
        "Collect Flickr photos that were voted on, or found for adjective-noun pairs.",
    ),
    "collect local": (
        "collectors.local.__main__",
        "Make a crawl store of tables and images on disk.",
    ),
    "build": ("curation.build", "Build a dataset's release from a crawl store."),
    "report": ("curation.report.__main__", "Write a release's report again."),
    "ids": ("curation.ids", "Write a release's ids, which may be passed on, to a folder of their own."),
    "hydrate": ("curation.hydrate", "Rebuild a full release from an ids release."),
    "purge": (
        "curation.purge",
        "Remove posts that their source has deleted from a dataset.",
    ),
    "trace": ("affectory.trace", "Show every place that still holds data of a post."),
    "run": ("baselines.run", "Train the fusion baselines on a release; compare with the paper's scores."),
    "predict": ("baselines.predict", "Predict the classes of one post with a trained model."),
    "sandbox": (
        "collectors.sandbox.__main__",
        "Serve a stand-in for Reddit, imgur, the archives and Flickr.",
    ),
}


def _command(words: str) -> Callable[[Sequence[str]], int]:
    main_of: Callable[..., int] = importlib.import_module(MODULES[words][0]).main
    return lambda arguments: main_of(list(arguments), prog=f"affectory {words}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["demo"]:
        return demo(given[1:], "affectory demo", main)
    for words in MODULES:
        if given[: words.count(" ") + 1] == words.split():
            return _command(words)(given[words.count(" ") + 1 :])
    asked_for_help = given[:1] in (["-h"], ["--help"])
    if given and not asked_for_help:
        print_error(f"there is no command {' '.join(given)!r}")
    print("usage: affectory COMMAND …  (affectory COMMAND --help lists its options)\n")
    print(f"  affectory {'demo':<15} {demo.__doc__}")
    for words, (_, does) in MODULES.items():
        print(f"  affectory {words:<15} {does}")
    return 0 if asked_for_help else 2
