"""The options that all commands have: --help, --help-all, -q, -v, --json."""

import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Annotated

import pytest
from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, Positional, arg

from affectory import cli
from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.output import Outcome, detail, say, tell
from collectors.sites import SITES

DOC = """Sow seeds in rows.

    python -m garden.sow peas
    python -m garden.sow peas --rows 3    (three rows)
    python -m garden.sow peas --rows 3 --depth 4 --with-labels-of-wood-and-a-string-along-each-row

Seeds that lie deeper than four centimetres don't come up.
"""


@dataclass(frozen=True)
class Bed:
    """Where the rows go."""

    bed: str = "south"
    """The bed."""

    fence: FlagCreatePairsOff[bool] = False
    """Put a fence around it."""


@dataclass(frozen=True)
class Options:
    """Sow seeds."""

    seed: Positional[Annotated[str, arg(metavar="SEED")]]
    """What is sown."""

    rows: Annotated[int, arg(metavar="N")] = 1
    """Rows."""

    depth: Annotated[int, arg(metavar="CM")] = 2
    """Depth below the ground, which is measured where
    the row begins."""

    place: OmitArgPrefixes[Bed] = field(default_factory=Bed)


def sow(*arguments, has_json=True):
    def work():
        options = read_options(Options, arguments, "garden sow", DOC, ["rows", "fence"], has_json=has_json)
        tell("soil    loose")
        say("note: it is early")
        detail("raked in 3 s")
        text = f"sown    {options.rows} of {options.seed}\nnext    garden water {options.place.bed}"
        return Outcome(text, {"seed": options.seed, "rows": options.rows}, exit_code=1)

    return finish(work)


def help_of(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        sow(*arguments)
    assert not end.value.code
    return capsys.readouterr().out


def test_help_shows_examples_and_the_options_that_matter_first(capsys):
    assert help_of(capsys, "--help") == (
        "usage: garden sow [-h] SEED [--rows N] [--fence]\n"
        "\n"
        "Sow seeds.\n"
        "\n"
        "examples\n"
        "  garden sow peas\n"
        "  garden sow peas --rows 3  # three rows\n"
        "  garden sow peas --rows 3 --depth 4 \\\n"
        "      --with-labels-of-wood-and-a-string-along-each-row\n"
        "\n"
        "positional arguments\n"
        "  SEED        What is sown. (required)\n"
        "\n"
        "options\n"
        "  -h, --help  show this help message and exit\n"
        "  --rows N    Rows. (default: 1)\n"
        "\n"
        "place options\n"
        "  Where the rows go.\n"
        "  --fence     Put a fence around it.\n"
        "\n"
        "  --help-all        all 5 options\n"
        "  -q, --quiet       print only errors and the last line of the result\n"
        "  -v, --verbose     print more: each step, and how long it took\n"
        "  --json            print the result as JSON, all else on standard error\n"
    )


def test_help_all_shows_the_whole_docstring_and_every_option(capsys):
    shown = help_of(capsys, "--help-all")
    assert shown.startswith(
        "usage: garden sow [-h] SEED [--rows N] [--depth CM] [--bed STR] [--fence]\n"
        "\nSow seeds in rows.\n\n  garden sow peas\n"
    )
    assert "\n\nSeeds that lie deeper than four centimetres don't come up.\n\n" in shown
    assert (
        "\n  --depth CM  Depth below the ground, which is measured where the row begins.\n"
        "              (default: 2)\n"
    ) in shown
    listed = [line.split()[0] for line in shown.splitlines() if line.startswith("  --")]
    assert listed == ["--rows", "--depth", "--bed", "--fence", "--help-all", "--json"]


COMMANDS = [
    *(name for group in cli.GROUPS.values() for name in group),
    *(f"collect {name}" for name, site in SITES.items() if site.command),
    "sandbox memes",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_commands_help_has_examples_and_fits_80_columns(capsys, command):
    for how in ("--help", "--help-all"):
        with pytest.raises(SystemExit):
            cli.main([*command.split(), how])
        shown = capsys.readouterr().out
        assert f"\n  affectory {command}" in shown
        assert [line for line in shown.splitlines() if len(line) > 80] == []
        assert "False" not in shown  # of a flag, it goes without saying that it isn't given
        assert "python -m" not in shown  # other commands are named as `affectory …`, too


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_what_it_does(capsys, command):
    with pytest.raises(SystemExit):
        cli.main([*command.split(), "--help-all"])
    lines = capsys.readouterr().out.splitlines()
    for line, following in itertools.pairwise([*lines, ""]):
        if line.startswith("  --"):  # the sentence stands behind the option, or on the next line
            assert re.search(r"\S {2,}[A-Za-z]|^ {9,}[A-Z]", f"{line}\n{following}", re.MULTILINE), line


def test_usually_all_is_printed_but_details(capsys):
    assert sow("peas") == 1
    assert capsys.readouterr() == (
        "soil    loose\nsown    1 of peas\nnext    garden water south\n",
        "note: it is early\n",
    )


def test_with_v_details_are_printed_too(capsys):
    assert sow("peas", "-v") == 1
    assert capsys.readouterr().err == "note: it is early\nraked in 3 s\n"


def test_with_q_only_the_last_line_is_printed(capsys):
    assert sow("-q", "peas", "--rows", "2") == 1
    assert capsys.readouterr() == ("next    garden water south\n", "")


def test_with_json_the_result_is_one_document_and_all_else_goes_to_standard_error(capsys):
    assert sow("peas", "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == {"seed": "peas", "rows": 1}
    assert err == "soil    loose\nnote: it is early\n"


def test_what_a_command_was_asked_to_print_ends_with_it(capsys):
    sow("peas", "--json", "-q")
    capsys.readouterr()
    assert sow("peas") == 1
    assert capsys.readouterr().out == "soil    loose\nsown    1 of peas\nnext    garden water south\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["peas", "-q", "--verbose"], "-q and -v exclude each other: leave one of the two out"),
        (["peas", "--json"], "garden sow has no table that --json could print: leave it out"),
    ],
)
def test_what_cannot_be_printed_is_refused(capsys, arguments, line):
    assert sow(*arguments, has_json=False) == 2
    assert capsys.readouterr() == ("", f"error: {line}\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "SEED is missing; garden sow --help-all lists the options"),
        (["--rwos", "2", "peas"], "there is no option --rwos; did you mean --rows?"),
        (["--zzz"], "there is no option --zzz; garden sow --help-all lists the options"),
        (["peas", "--rwos", "2"], "there is no option --rwos; did you mean --rows?"),
        (["peas", "--help-al"], "there is no option --help-al; did you mean --help-all?"),
        (["peas", "--jsn"], "there is no option --jsn; did you mean --json?"),
        (["peas", "--dry-run"], "there is no option --dry-run; garden sow --help-all lists the options"),
        (["peas", "--zzz"], "there is no option --zzz; garden sow --help-all lists the options"),
        (["peas", "beans"], "'beans' is one argument too many; garden sow --help-all lists the options"),
        (["peas", "--rows"], "--rows needs a value; garden sow --help-all lists the options"),
        (["peas", "--rows", "many"], "--rows can't be 'many'; garden sow --help-all lists the options"),
    ],
)
def test_arguments_that_cannot_be_read_are_one_line_with_the_next_step(capsys, arguments, line):
    assert sow(*arguments) == 2
    assert capsys.readouterr() == ("", f"error: {line}\n")


def test_a_value_that_is_none_of_a_few_is_answered_with_the_nearest(capsys):
    assert cli.main(["collect", "reddit", "--subs", "happy", "--time", "yaer"]) == 2
    assert capsys.readouterr().err == "error: --time 'yaer': did you mean year?\n"
