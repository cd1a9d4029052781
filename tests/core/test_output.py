"""Lines of results on a terminal that is narrower than they are."""

import io
from contextlib import redirect_stdout

import pytest

from affectory.core.command import finish
from affectory.core.output import Outcome, folded, tell


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (
            "note    12 images of the store wait for the next run",
            ["note    12 images of the store wait for", "        the next run"],
        ),
        (
            "removed predictions, pages and checkpoints from it",
            ["removed predictions, pages and", "        checkpoints from it"],
        ),
        (
            "train      434  joy 148 · fear 94 · anger 81",
            ["train      434  joy 148 · fear 94 ·", "                anger 81"],
        ),
        (
            "        wholesome 203 · creepy 126 · rage 109",
            ["        wholesome 203 · creepy 126 ·", "        rage 109"],
        ),
        (
            "mine 1.0.1: 2 deleted posts removed (1 deleted, 1 moderator)",
            ["mine 1.0.1: 2 deleted posts removed (1", "        deleted, 1 moderator)"],
        ),
        (
            "store   a/folder/whose name/is/longer/than/that  (6 s)",
            ["store   a/folder/whose name/is/longer/than/that  (6 s)"],
        ),
        (
            "run `uv sync --extra cluster` and repeat the command",
            ["run `uv sync --extra cluster` and repeat the command"],
        ),
    ],
)
def test_a_long_line_goes_on_below_its_value(line, lines):
    assert folded(f"{line}\n\nshort", Terminal()).splitlines() == [*lines, "", "short"]


@pytest.mark.parametrize(
    "line",
    [
        "next    affectory build reddit-emotion --store data/demo/store",
        "        copy in the cache: rm -r /home/me/.cache/datasets/mine",
        'load    datasets.load_dataset("data/demo/datasets/mine")   (10 s)',
    ],
)
def test_a_line_with_a_command_stays_whole_so_that_it_can_be_copied(line):
    assert folded(line, Terminal()) == line


def test_every_result_and_every_line_before_it_is_folded():
    def work():
        tell("source  archive: there are no credentials here")
        return Outcome("posts   asked 586 = 586 new, and then some more", {})

    with redirect_stdout(Terminal()) as out:
        assert finish(work) == 0
    assert out.getvalue().splitlines() == [
        "source  archive: there are no",
        "        credentials here",
        "posts   asked 586 = 586 new, and then",
        "        some more",
    ]


def test_in_a_file_every_line_stays_whole():
    line = "note    12 images of the store wait for the next run"
    assert folded(line, io.StringIO()) == line
