"""Read a command's options. All commands have --help, --help-all, -q, -v and --json.

    options = read_options(Options, arguments, prog, __doc__, first=("store", "out"))

`--help` shows what the options' class says, the examples of the module's docstring and the options `first`;
`--help-all` the whole docstring and all options. Examples are lines of a docstring that begin with the
command, in paragraphs of their own; after two spaces or more a line may say what it does.
"""

from __future__ import annotations

import dataclasses
import inspect
import io
import re
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from typing import Annotated, Any, NoReturn, TypeVar, get_type_hints

import tyro
from tyro.conf import OmitArgPrefixes, Suppress

from affectory.core import output
from affectory.core.errors import InputError
from affectory.core.misread import misread

T = TypeVar("T")

#: The columns that help fits in.
WIDTH = 79

#: A line of an example, with what it does in parentheses or after spaces.
_EXAMPLE = re.compile(
    r"\s*(?P<command>(?:python -m|affectory|accelerate launch) \S.*?)(?:\s{2,}(?P<does>.+))?"
)

_JSON, _DRY_RUN = ("--json",), ("--dry-run",)

#: The options that all commands have, in the order of the fields of `output.Wanted`.
_SHARED = {
    ("-q", "--quiet"): "print only errors and the last line of the result",
    ("-v", "--verbose"): "print more: each step, and how long it took",
    _JSON: "print the result as JSON, all else on standard error",
    _DRY_RUN: "print what would be done, and write nothing",
}


def read_options(
    kind: type[T],
    arguments: Sequence[str] | None,
    prog: str,
    doc: str | None,
    first: Collection[str] = (),
    *,
    has_json: bool = True,
    has_dry_run: bool = False,
) -> T:
    """Return the options, read from these arguments (default: those of the process).

    `kind`: the class of the options. `doc`: the module's docstring. `first`: the options that `--help` shows,
    by their fields; all, if empty. Options that are required are always shown. `has_json`: whether the
    command's result can be printed as JSON. `has_dry_run`: whether the command looks at
    `output.wanted().dry_run`.

    Exits after help. Raises `InputError` for arguments that can't be read.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    shared = {flags: says for flags, says in _SHARED.items() if flags != _DRY_RUN or has_dry_run}
    if "--help-all" in given:
        _help(kind, prog, _everything(kind, doc or "", prog), _listed("this page", shared, has_json))
    if "-h" in given or "--help" in given:
        shown = _shortened(kind, first) if first else kind
        more = f"all {len(list(_names(kind)))} options" if shown is not kind else "more about the command"
        _help(shown, prog, _in_short(kind, doc or "", prog), _listed(more, shared, has_json))
    asked = output.Wanted(*(not set(flags).isdisjoint(given) for flags in shared))
    if asked.quiet and asked.verbose:
        raise InputError("-q and -v exclude each other: leave one of the two out")
    if asked.json and not has_json:
        raise InputError(f"{prog} has no table that --json could print: leave it out")
    output.want(asked)
    own = [one for one in given if not any(one in flags for flags in shared)]
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):  # so that tyro doesn't know of a terminal
            return tyro.cli(kind, prog=prog, args=own)
    except SystemExit:
        hint = f"{prog} --help-all lists the options"
        raise InputError(misread(said.getvalue(), own, _flags(kind, prog, shared), hint)) from None


def _flags(kind: Any, prog: str, shared: Collection[tuple[str, ...]]) -> list[str]:
    """Return the options as they are typed. `shared`: those of all commands that this one has."""
    text = "\n".join(_tables(kind, prog)[1])
    own = dict.fromkeys(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))
    return [*own, "--help-all", *(flags[-1] for flags in shared)]


def _listed(more: str, shared: Mapping[tuple[str, ...], str], has_json: bool) -> list[str]:
    """Return the lines on the options that all commands have. `more`: what --help-all shows."""
    told = {("--help-all",): more, **shared}
    return [f"  {', '.join(flags):<16}  {says}" for flags, says in told.items() if flags != _JSON or has_json]


def _help(kind: Any, prog: str, says: str, shared: Sequence[str]) -> NoReturn:
    """Print help and exit."""
    usage, options = _tables(kind, prog)
    print(textwrap.fill(usage, WIDTH, subsequent_indent=" " * 7, break_on_hyphens=False), says, sep="\n\n")
    print("", *options, *shared, sep="\n")
    sys.exit()


def _tables(kind: Any, prog: str) -> tuple[str, list[str]]:
    """Return tyro's line on the usage, and the lines of its tables without their rules."""
    text = io.StringIO()
    with redirect_stdout(text), suppress(SystemExit):
        tyro.cli(kind, prog=prog, args=["--help"], description="")
    shown = re.sub(r"\s*\(default:\s+False\)", "", text.getvalue())  # of a flag, that goes without saying
    usage, _, options = shown.partition("\n")
    lines = [line for line in options.strip("\n").splitlines() if set(line.strip()) != {"-"}]
    lines = [line.removeprefix(" ").rstrip() if line[1:2].strip() else line.rstrip() for line in lines]
    return usage, list(_filled(lines))


def _filled(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines with the text of each option filled anew: tyro keeps the line breaks of docstrings."""
    column = max((len(line) - len(line.lstrip()) for line in lines), default=0)
    if column <= 2:  # no text has a second line
        yield from lines
        return
    entries: list[tuple[str, list[str]]] = []  # what stands before the column, and the words behind it
    for line in lines:
        before, does = line[:column], line[column:].split()
        if does and not before.strip():
            entries[-1][1].extend(does)
        elif does and before.endswith("  "):
            entries.append((before, does))
        else:  # a heading, or flags that fill their line
            entries.append((line, []))
    for before, does in entries:
        text = textwrap.wrap(" ".join(does), WIDTH + 1 - column, break_on_hyphens=False)
        if not before.endswith("  "):
            yield before
        elif text:
            yield before + text.pop(0)
        yield from (" " * column + one for one in text)


def _names(kind: Any) -> Iterator[str]:
    """Yield the names of the options, also of those in groups."""
    for one in dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ():
        if dataclasses.is_dataclass(one.default_factory):
            yield from _names(one.default_factory)
        else:
            yield one.name


def _shortened(kind: Any, first: Collection[str]) -> Any:
    """Return a class of options like `kind`, of which help shows only those in `first`, and required ones."""
    hints = get_type_hints(kind, include_extras=True)
    annotations: dict[str, Any] = {}
    groups: dict[str, Any] = {}
    for one in dataclasses.fields(kind):
        hint = hints[one.name]
        if dataclasses.is_dataclass(one.default_factory):
            group = _shortened(one.default_factory, first)
            annotations[one.name] = Annotated[group, OmitArgPrefixes]
            groups[one.name] = dataclasses.field(default_factory=group)
        elif one.name in first or one.default is one.default_factory is dataclasses.MISSING:
            annotations[one.name] = hint
        else:
            annotations[one.name] = Annotated[hint, Suppress]
    body = {"__annotations__": annotations, "__doc__": kind.__doc__, "__module__": kind.__module__}
    return dataclasses.dataclass(frozen=True)(type(kind.__name__, (kind,), body | groups))


def _in_short(kind: Any, doc: str, prog: str) -> str:
    """Return what the class says, and the examples of the module."""
    told = [_wrapped(one) for one in _paragraphs(inspect.getdoc(kind) or "")]
    if examples := [one for one in _paragraphs(doc) if _is_example(one)]:
        told.append("\n".join(["examples", *_examples(examples, doc, prog)]))
    return "\n\n".join(told)


def _everything(kind: Any, doc: str, prog: str) -> str:
    """Return the whole docstring of the module."""
    told = []
    for one in _paragraphs(doc):
        if _is_example(one):
            told.append("\n".join(_examples([one], doc, prog)))
        elif one.startswith("    "):
            told.append(textwrap.indent(textwrap.dedent(one), "  "))
        else:
            told.append(_wrapped(one))
    return "\n\n".join(told) or _in_short(kind, doc, prog)


def _paragraphs(doc: str) -> list[str]:
    return [one.strip("\n") for one in re.split(r"\n\s*\n", inspect.cleandoc(doc)) if one.strip()]


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(" ".join(paragraph.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def _is_example(paragraph: str) -> bool:
    return all(_EXAMPLE.fullmatch(line) for line in paragraph.splitlines())


def _examples(paragraphs: Sequence[str], doc: str, prog: str) -> Iterator[str]:
    """Yield the lines of examples: the command as it was called, what it does behind it or above."""
    found = [_EXAMPLE.fullmatch(line) for one in paragraphs for line in one.splitlines()]
    own = re.search(r"python -m [\w.]+", doc)
    commands = [
        (one["command"].replace(own[0], prog, 1) if own else one["command"], (one["does"] or "").strip("()"))
        for one in found
        if one is not None
    ]
    short = [len(command) for command, does in commands if does and len(command) + len(does) + 6 <= WIDTH]
    column = max(short, default=0)
    for command, does in commands:
        if does and column + len(does) + 6 <= WIDTH and len(command) <= column:
            yield f"  {command:<{column}}  # {does}"
            continue
        if does:
            yield f"  # {does}"
        lines = textwrap.wrap(
            command, WIDTH - 8, break_long_words=False, break_on_hyphens=False, subsequent_indent="    "
        )
        yield "  " + " \\\n  ".join(lines)
