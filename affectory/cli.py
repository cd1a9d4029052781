"""The console command `affectory`: every command of the project under one name.

affectory demo                        a small example of all steps, without keys or network
affectory doctor                      which sources work here, and what each needs
affectory init [NAME …]               write the built-in recipes to ./datasets
affectory collect reddit --subs …     python -m collectors.reddit
affectory collect flickr --votes …    python -m collectors.flickr
affectory collect local NAME …        python -m collectors.local
affectory merge STORE … --into DIR    python -m collectors.merge
affectory build NAME                  python -m curation.build
affectory report NAME                 python -m curation.report
affectory ids FOLDER                  python -m curation.ids
affectory hydrate FOLDER              python -m curation.hydrate
affectory purge NAME                  python -m curation.purge
affectory trace POST_ID               every place that still holds data of a post
affectory diff STORE STORE            what two crawl stores have in common, and where they differ
affectory verify STORE|RELEASE        every digest and count of a store or release
affectory models [NAME]               the models, or the settings of one
affectory run NAME                    python -m baselines.run
affectory missing NAME                python -m baselines.missing
affectory predict CHECKPOINT          python -m baselines.predict
affectory sandbox                     python -m collectors.sandbox
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence

from affectory.core.command import finish, print_error
from affectory.demo import demo
from collectors.sites import SITES

#: All commands but `demo` and `collect SITE`: the module whose `main` is called, and the line of help.
MODULES = {
    "doctor": ("affectory.doctor", "Show which sources work here, and what each needs."),
    "init": ("affectory.init", "Write the built-in recipes to ./datasets."),
    "merge": ("collectors.merge", "Merge crawl stores into one."),
    "build": ("curation.build", "Build a dataset's release from a crawl store."),
    "report": ("curation.report.__main__", "Write a release's report again."),
    "ids": ("curation.ids", "Write a release's ids, which may be passed on, to a folder of their own."),
    "hydrate": ("curation.hydrate", "Rebuild a full release from an ids release."),
    "purge": (
        "curation.purge",
        "Remove posts from a dataset that their source has deleted, or that opted out.",
    ),
    "trace": ("affectory.trace", "Show every place that still holds data of a post."),
    "diff": ("affectory.diff", "Compare two crawl stores."),
    "verify": ("affectory.verify", "Check every digest and count of a crawl store or a release."),
    "models": ("affectory.models", "List the models that can be trained, or the settings of one."),
    "run": ("baselines.run", "Train baselines on a release; compare with the papers' scores."),
    "missing": (
        "baselines.missing",
        "Train and score models on posts that lost their image or their text.",
    ),
    "predict": ("baselines.predict", "Predict the classes of one post with a trained model."),
    "sandbox": (
        "collectors.sandbox.__main__",
        "Serve imitations of Reddit, imgur, the archives and Flickr, with generated posts.",
    ),
}


def _commands() -> dict[str, tuple[str, str]]:
    """Return all commands but `demo`: `collect SITE` for each site of the table, then the others."""
    sites = {f"collect {name}": (site.command, site.does) for name, site in SITES.items() if site.command}
    return sites | MODULES


def _command(words: str, module: str) -> Callable[[Sequence[str]], int]:
    main_of: Callable[..., int] = importlib.import_module(module).main
    return lambda arguments: main_of(list(arguments), prog=f"affectory {words}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return finish(lambda: _run(given))  # also while the command's module is imported


def _run(given: list[str]) -> int:
    if given[:1] == ["demo"]:
        return demo(given[1:], "affectory demo", main)
    commands = _commands()
    for words, (module, _) in commands.items():
        if given[: words.count(" ") + 1] == words.split():
            return _command(words, module)(given[words.count(" ") + 1 :])
    asked_for_help = given[:1] in (["-h"], ["--help"])
    if given and not asked_for_help:
        print_error(f"there is no command {' '.join(given)!r}")
    print("usage: affectory COMMAND …  (affectory COMMAND --help lists its options)\n")
    print(f"  affectory {'demo':<15} {demo.__doc__}")
    for words, (_, does) in commands.items():
        print(f"  affectory {words:<15} {does}")
    return 0 if asked_for_help else 2
