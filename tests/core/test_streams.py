"""What a command's output is connected to: a pipe that nobody reads, nothing at all, a full disk, ASCII."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import ROOT, run

MODELS = ("-m", "affectory", "models")
BUILD = ("-m", "curation.build", "caf\u00e9")


def shell(command):
    """Run a command line with `$PYTHON` in it, as one types it; return exit code, output and errors."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=ROOT,
        env=os.environ | {"PYTHON": sys.executable},
        text=True,
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [MODELS, ("-m", "curation.build", "--help")])
def test_a_reader_that_goes_away_is_not_an_error(arguments):
    code, out, err = shell(f"$PYTHON {shlex.join(arguments)} | head -c 1")
    assert (code, len(out), err) == (0, 1, "")


@pytest.mark.slow
def test_closed_streams_are_not_an_error_and_no_file_gets_their_numbers(tmp_path):
    assert shell(f"$PYTHON {shlex.join(MODELS)} >&-") == (0, "", "")
    assert shell(f"$PYTHON {shlex.join(BUILD)} 2>&-") == (2, "", "")
    program = (
        "import os, sys; from affectory.core.command import finish; "
        "finish(lambda: str(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT))); "
        "assert os.path.getsize(sys.argv[1]) == 0"
    )
    code, _, err = shell(f"$PYTHON -c '{program}' {tmp_path / 'file'} <&- >&-")
    assert (code, err) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [MODELS, ("-u", *MODELS), ("-m", "curation.build", "--help")])
def test_output_that_finds_the_disk_full_is_one_line(arguments):
    with Path("/dev/full").open("w") as full:
        done = run(*arguments, stdout=full)
    assert (done.returncode, done.stderr) == (
        2,
        "error: 'standard output': No space left on device\n",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
)
def test_what_ascii_lacks_is_a_question_mark(environment):
    done = run("-m", "affectory", "--help", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "usage: affectory COMMAND ?  (affectory COMMAND --help lists its options)\n"
    )
    done = run(*BUILD, **environment)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: 'caf")
    done = run("-m", "curation.build", "--help", **environment)
    assert (done.returncode, "usage: python -m curation.build" in done.stdout, done.stderr) == (0, True, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("-m", "baselines.run", "reddit-emotion", "--datasets", "nowhere"),
        ("-m", "affectory", "run", "reddit-emotion", "--datasets", "nowhere"),
        ("-m", "curation.build", "reddit-emotion", "--store", "nowhere"),
    ],
)
@pytest.mark.parametrize("module", ["tyro", "affectory.core.errors", "dataclasses"])
def test_ctrl_c_during_the_imports_is_one_line(tmp_path, arguments, module):
    """The program sends itself the signal when it imports the module."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    done = run(*arguments, PYTHONPATH=f"{tmp_path}:{ROOT}")
    # Python may end itself by the signal, which a shell shows as 130 too
    assert done.returncode in (130, -signal.SIGINT)
    assert (done.stdout, done.stderr) == (
        "",
        "interrupted: finished files are kept; run the same command again\n",
    )
