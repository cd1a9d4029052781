"""The console command `affectory`: every command of the project under one name.

affectory [--json]                    the steps, what this folder holds, and what to type next
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
affectory export NAME --to FORMAT     python -m curation.export
affectory push NAME USER/REPO         publish a release, or its ids, on the Hugging Face hub
affectory hydrate FOLDER              python -m curation.hydrate
affectory purge NAME                  python -m curation.purge
affectory trace POST_ID               every place that still holds data of a post
affectory diff STORE STORE            what two crawl stores have in common, and where they differ
affectory verify STORE|RELEASE        every digest and count of a store or release
affectory audit PATH_OR_HUB_ID        leaks, shortcuts, likely label errors of any dataset
affectory models [NAME]               the models, or the settings of one
affectory run NAME                    python -m baselines.run
affectory missing NAME                python -m baselines.missing
affectory compare RUN RUN             two runs row by row, and the settings that differ
affectory predict CHECKPOINT          python -m baselines.predict
affectory sandbox                     python -m collectors.sandbox
"""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence

from affectory.commands.demo import demo
from affectory.core import output
from affectory.core.command import finish
from affectory.core.errors import InputError, meant, shown
from collectors.sites import SITES

#: The commands by step, but for `demo` and `collect SITE`: the module whose `main` is called, and the line of
#: help.
GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Begin": {
        "doctor": ("affectory.commands.doctor", "Show which sources work here, and what each needs."),
        "init": ("affectory.commands.init", "Write the built-in recipes to ./datasets."),
    },
    "Collect": {
        "merge": ("collectors.merge", "Merge crawl stores into one."),
        "diff": ("affectory.commands.diff", "Compare two crawl stores."),
        "sandbox": (
            "collectors.sandbox.__main__",
            "Serve imitations of Reddit, imgur, the archives and Flickr, with generated posts.",
        ),
    },
    "Build": {
        "build": ("curation.build", "Build a dataset's release from a crawl store."),
        "report": ("curation.report.__main__", "Write a release's report again."),
        "ids": ("curation.ids", "Write a release's ids, which may be passed on, to a folder of their own."),
        "export": ("curation.export", "Write a release as WebDataset, folders of images, CSV or JSON lines."),
        "push": ("affectory.commands.push", "Publish a release, or its ids, on the Hugging Face hub."),
        "hydrate": ("curation.hydrate", "Rebuild a full release from an ids release."),
        "purge": (
            "curation.purge",
            "Remove posts from a dataset that their source has deleted, or that opted out.",
        ),
        "verify": (
            "affectory.commands.verify",
            "Check every digest and count of a crawl store or a release.",
        ),
        "audit": (
            "affectory.commands.audit",
            "Look for leaks, shortcuts, likely label errors and odd images in any dataset.",
        ),
        "trace": ("affectory.commands.trace", "Show every place that still holds data of a post."),
    },
    "Run": {
        "models": (
            "affectory.commands.models",
            "List the models that can be trained, or the settings of one.",
        ),
        "run": ("baselines.run", "Train baselines on a release; compare with the papers' scores."),
        "missing": (
            "baselines.missing",
            "Train and score models on posts that lost their image or their text.",
        ),
        "compare": (
            "affectory.commands.compare",
            "Compare two runs row by row: differences with paired intervals, settings that differ.",
        ),
        "predict": ("baselines.predict", "Predict the classes of one post with a trained model."),
    },
}

USAGE = "usage: affectory COMMAND …  (affectory COMMAND --help lists its options)\n"

#: The width of the help, and of its column of commands.
_WIDTH, _COLUMN = 79, 16


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return finish(lambda: _run(given))  # also while the command's module is imported


def _run(given: list[str]) -> object:
    match given:
        case [] | ["--json"]:
            from affectory.commands.front import front

            output.want(output.Wanted(json=bool(given)))
            return front()
        case ["--version" | "-V"]:
            from affectory import __version__

            return f"affectory {__version__}"
        case ["-h" | "--help" | "--help-all", *_]:
            return _help()
        case ["demo", *rest]:
            return demo(rest, "affectory demo", main)
        case ["collect", "-h" | "--help" | "--help-all", *_]:
            return _sites()
        case ["collect", *rest]:
            commands = {name: site.command for name, site in SITES.items() if site.command}
            if not rest:
                raise InputError(f"name a site: affectory collect SITE; SITE is one of {', '.join(commands)}")
            _not_an_option(rest[0], "affectory collect SITE")
            if rest[0] not in commands:
                raise InputError(f"there is no site {rest[0]!r} to collect from; {meant(rest[0], commands)}")
            return _called(f"collect {rest[0]}", commands[rest[0]], rest[1:])
    commands = {name: module for group in GROUPS.values() for name, (module, _) in group.items()}
    name, *rest = given
    _not_an_option(name, "affectory COMMAND")
    if name not in commands:
        known = meant(name, ["demo", "collect", *commands])
        raise InputError(f"there is no command {name!r}; {known} (affectory --help lists all)")
    return _called(name, commands[name], rest)


def _not_an_option(word: str, usage: str) -> None:
    """Raise `InputError` for an option that is given where a command or a site is read."""
    if word.startswith("-"):
        raise InputError(
            f"{shown(word)} stands before its command: options come last, {usage} --help lists them"
        )


def _called(words: str, module: str, arguments: list[str]) -> int:
    main_of: Callable[..., int] = importlib.import_module(module).main
    return main_of(arguments, prog=f"affectory {words}")


def _help() -> str:
    """Return the commands by step."""
    sites = {f"collect {name}": site.does for name, site in SITES.items() if site.command}
    lines = [USAGE, *_listed({"demo": str(demo.__doc__)}, "Begin")]
    for title, group in GROUPS.items():
        does = {name: says for name, (_, says) in group.items()}
        if title == "Begin":
            lines += _listed(does)
        else:
            lines += ["", *_listed((sites if title == "Collect" else {}) | does, title)]
    return "\n".join(
        [
            *lines,
            "",
            "affectory alone shows what this folder holds and what to type next, affectory",
            "--json the same as JSON, affectory --version the version. Exit codes: 0 done,",
            "1 done in part or nothing found, 2 an error that you can fix, 130 interrupted",
            "by Ctrl-C, 143 ended by SIGTERM.",
        ]
    )


def _listed(does: Mapping[str, str], title: str = "") -> Iterator[str]:
    """Yield commands with what they do, wrapped."""
    if title:
        yield title
    for words, says in does.items():
        yield from textwrap.wrap(
            says,
            _WIDTH,
            initial_indent=f"  {words:<{_COLUMN}}",
            subsequent_indent=" " * (_COLUMN + 2),
        )


def _sites() -> str:
    """Return the sites that posts can be collected from, each with an example."""
    lines = ["usage: affectory collect SITE …  (SITE --help lists its options)", ""]
    for name, site in SITES.items():
        if site.command:
            lines += [*_listed({name: site.does}), f"{'':18}affectory collect {name} {site.example}"]
    return "\n".join(
        [*lines, "", "Reddit and Flickr can be tried with --sandbox: generated posts, no network."]
    )
