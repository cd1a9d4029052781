"""How a command ends: its output, its errors, its exit code."""

import errno
import signal
import tomllib
from dataclasses import dataclass

import pytest

from affectory.cli import main
from affectory.core.command import finish
from affectory.core.errors import BaselineError, InputError, SourceError, StoreError
from tests import programs


@dataclass
class Result:
    exit_code: int

    def __str__(self):
        return "12 posts, 1 host without an answer"


def failing(error):
    def work():
        raise error

    return work


def test_a_result_is_printed_and_the_exit_code_is_0(capsys):
    assert finish(lambda: "release datasets/mine/1.0.0") == 0
    assert capsys.readouterr() == ("release datasets/mine/1.0.0\n", "")


def test_an_error_is_one_line_whatever_the_value_in_it(capsys):
    assert finish(failing(InputError("--weights a\nb\x1b[31m\udcff is not there: café"))) == 2
    assert capsys.readouterr() == ("", "error: --weights a\\nb\\x1b[31m\\udcff is not there: café\n")


def test_a_result_may_have_an_exit_code_of_its_own(capsys):
    assert finish(lambda: Result(1)) == 1
    assert capsys.readouterr() == ("12 posts, 1 host without an answer\n", "")


def test_a_number_is_the_exit_code_of_work_that_has_printed_its_output(capsys):
    assert (finish(lambda: 1), capsys.readouterr()) == (1, ("", ""))


@pytest.mark.parametrize("kind", [InputError, StoreError, SourceError, BaselineError])
def test_an_error_of_the_users_is_one_line_and_exit_code_2(capsys, kind):
    assert finish(failing(kind("--limit 0 is below 1"))) == 2
    assert capsys.readouterr() == ("", "error: --limit 0 is below 1\n")


def test_ctrl_c_is_one_line_and_exit_code_130(capsys):
    assert finish(failing(KeyboardInterrupt())) == 130
    assert capsys.readouterr() == ("", "interrupted: finished files are kept; run the same command again\n")


def test_sigterm_ends_the_same_blocks_as_ctrl_c_with_exit_code_143(capsys):
    def work():
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            print("cleaned up")
            raise

    before = signal.getsignal(signal.SIGTERM)
    assert finish(work) == 143
    assert signal.getsignal(signal.SIGTERM) is before
    assert capsys.readouterr() == (
        "cleaned up\n",
        "terminated: finished files are kept; run the same command again\n",
    )


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "", "results/a.json"), "'results/a.json': No space left on device"),
        (PermissionError(errno.EACCES, ""), "Permission denied"),
        (OSError("Couldn't deserialize thrift\nin a page"), "Couldn't deserialize thrift"),
    ],
)
def test_an_error_of_the_system_is_one_line_and_exit_code_2(capsys, error, line):
    assert finish(failing(error)) == 2
    assert capsys.readouterr() == ("", f"error: {line}\n")


def test_an_error_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        finish(lambda: 1 // 0)


def test_an_unknown_command_is_an_error_with_the_nearest_one(capsys):
    assert main(["colect", "reddit"]) == 2
    assert capsys.readouterr() == (
        "",
        "error: there is no command 'colect'; did you mean collect? (affectory --help lists all)\n",
    )


#: What an installed script does, with Ctrl-C as soon as it imports anything of weight.
INTERRUPTED = """
import signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == "affectory.cli":
            signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Finder())
from {module} import {name}
sys.exit({name}())
"""


def test_ctrl_c_while_an_installed_script_starts_is_one_line():
    scripts = tomllib.loads((programs.ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert list(scripts) == ["affectory"]
    for entry in scripts.values():
        module, name = entry.split(":")
        done = programs.run("-c", INTERRUPTED.format(module=module, name=name))
        assert (done.returncode, done.stdout, done.stderr) == (
            130,
            "",
            "interrupted: finished files are kept; run the same command again\n",
        )
