"""The pages of the documentation, run as a reader would: their code blocks in order, in an empty folder.

A fenced block is run by its language:

sh        each command; its output is not compared
console   each command after `$ `; the output below it is compared
python    a session with `>>>` as doctest runs it; other code as a program
diff      is applied to the checkout
any       with title="PATH" is written to that file

`…` in an output stands for any text, and "(4 s)" for any time. Of standard error only warnings and errors
are compared: progress is shown there, too. An HTML comment before a block says what is special:

<!-- not run: REASON -->          the command's own parser reads its options, and that is all
<!-- long: REASON -->             likewise, but with -m long it is run
<!-- with OPTIONS: REASON -->     these options are added to each command, such as --sandbox
<!-- figures: REASON -->          numbers with a decimal point may be others, and columns wider or narrower
<!-- folder: NAME -->             `folders.FOLDERS[NAME]` writes files into the folder first
"""

import contextlib
import doctest
import importlib
import io
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import dropwhile
from pathlib import Path
from unittest import mock

import tyro

from tests.docs.folders import FOLDERS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(
    r"(?P<comments>(?:^<!-- .*? -->\n+)*)"
    r"^```(?P<language>\w+)(?: title=\"(?P<title>.+?)\")?\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"<!-- (not run|long|with|figures|folder):? ?(.*?) -->", re.DOTALL)

#: Programs of others, whose options aren't checked.
OTHERS = {"mypy", "pip", "printf", "pytest", "python3", "ray", "ruff", "sha256sum", "source", "uv"}


@dataclass(frozen=True)
class Block:
    """A code block: where it is, what it holds, and what the comments before it say."""

    place: str
    language: str
    title: str | None
    body: str
    said: dict[str, str] = field(default_factory=dict)

    def runs(self, long: bool) -> bool:
        return "not run" not in self.said and (long or "long" not in self.said)

    @property
    def does(self) -> bool:
        """Whether there is anything to be run, and not only a file to be written."""
        return self.language in ("sh", "console", "python", "diff") and not self.title

    def commands(self):
        """Yield each command with the output shown; None where it isn't compared."""
        if self.language == "console":
            for part in re.split(r"^\$ ", self.body, flags=re.MULTILINE)[1:]:
                lines = part.split("\n")
                end = next(i for i, line in enumerate(lines) if not line.endswith("\\"))
                yield "\n".join(lines[: end + 1]), "\n".join(lines[end + 1 :]).strip("\n")
        elif self.language == "sh":
            for command in re.split(r"(?<!\\)\n", self.body.strip("\n")):
                if command and not command.startswith("#"):
                    yield command, None


def blocks(page: Path) -> list[Block]:
    """Return a page's code blocks."""
    text = page.read_text()
    return [
        Block(
            f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, match.start('language')) + 1}",
            match["language"],
            match["title"],
            match["body"],
            dict(_COMMENT.findall(match["comments"])),
        )
        for match in _BLOCK.finditer(text)
    ]


class Reader:
    """Someone without keys and files of ours, who types what a page says in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, programs = folder / "here", folder / "programs"
        self.folder.mkdir()
        programs.mkdir()
        python = shlex.quote(sys.executable)
        for name, does in {
            "affectory": f"exec {python} -m affectory",
            "python": f"exec {python}",
            # `uv run OPTIONS affectory …`, in the tests' own environment
            "uv": 'while [ "$1" != affectory ]; do shift; done; exec',
        }.items():
            (programs / name).write_text(f'#!/bin/sh\n{does} "$@"\n')
            (programs / name).chmod(0o755)
        self.environment = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "LANG": "C.UTF-8",
        }

    def read(self, block: Block) -> None:
        """Do what a block says; raise `AssertionError` if the outcome is another."""
        if "folder" in block.said:
            FOLDERS[block.said["folder"]](self.folder)
        if block.title:
            path = self.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.body)
        elif block.language == "diff":
            self._run(block.place, "git", "apply", "-", given=block.body)
        elif block.language == "python" and ">>> " in block.body:
            loose = "figures" in block.said
            program = f"import sys; from tests.docs.pages import session; session(sys.stdin.read(), {loose})"
            self._run(block.place, sys.executable, "-c", program, given=block.body)
        elif block.language == "python":
            self._run(block.place, sys.executable, "-c", block.body)
        more = block.said.get("with", "").partition(":")[0]
        for command, shown in block.commands():
            typed = f"{_uncommented(command)} {more}".strip()
            self._type(typed, shown, block.place, loose="figures" in block.said)

    def _type(self, command: str, shown: str | None, place: str, loose: bool) -> None:
        refused = shown is not None and re.search("^error: ", shown, re.MULTILINE)
        done = self._run(place, "bash", "-c", command, code=2 if refused else 0)
        if shown is not None:
            aside = [line for line in done.stderr.splitlines() if line.startswith(("warning: ", "error: "))]
            same(shown, "\n".join([*aside, done.stdout]), f"{place}: {command}", loose)

    def _run(self, place: str, *arguments: str, given: str = "", code: int = 0):
        done = subprocess.run(
            arguments,
            cwd=self.folder,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == code, f"{place}: {arguments[-1]}\n{done.stdout}{done.stderr}"
        return done


def session(text: str, loose: bool) -> None:
    """Run a Python session; compare what it prints. The exit code is 1 if it is something else."""

    class Checker(doctest.OutputChecker):
        def check_output(self, want, got, optionflags):
            return _pattern(want, loose).fullmatch(_tidy(got)) is not None

    test = doctest.DocTestParser().get_doctest(text, {}, "session", None, 0)
    sys.exit(min(1, doctest.DocTestRunner(Checker(), verbose=False).run(test).failed))


def same(shown: str, got: str, where: str, loose: bool = False) -> None:
    """Compare an output with the one that a page shows."""
    fits = _pattern(shown, loose).fullmatch(_tidy(got))
    assert fits, f"{where}\n--- shown\n{shown}\n--- printed\n{got}"


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def _pattern(shown: str, loose: bool = False) -> re.Pattern[str]:
    pattern = re.escape(_tidy(shown)).replace("…", ".*")
    pattern = re.sub(r"\\\((\d+\\ min\\ )?\d+\\ s\\\)", r"\\([\\w ]+\\)", pattern)
    if loose:
        pattern = re.sub(r"\d*\\\.\d+(\\ ±\\ \d*\\\.\d+)?", r"[-\\d.± ]+", pattern)
        pattern = re.sub(r"(\\ )+", " +", re.sub("─+", "─+", pattern))
    return re.compile(pattern, re.DOTALL)


def _uncommented(command: str) -> str:
    """Return a command in one line, without what is said of it after `#`."""
    return re.sub(r" +# .*", "", re.sub(r"\\\n *", "", command))


class _Parsed(BaseException):
    """The options have been read."""


def check(command: str, place: str) -> None:
    """Let a command's own parser read its options, without running it."""
    for one in re.split(r"\s(?:&&|\|)\s", _uncommented(command)):
        words = shlex.split(one)
        if words[:2] == ["uv", "run"]:
            words = list(dropwhile(lambda word: word.startswith("-"), words[2:]))
        if words[:2] == ["accelerate", "launch"]:
            words = ["python", *words[words.index("-m") :]]
        if words[0] == "affectory":
            _parse("affectory.cli", words[1:], place)
        elif words[:2] == ["python", "-m"] and words[2].startswith("benchmarks."):
            text = (ROOT / Path(*words[2].split("."))).with_suffix(".py").read_text()
            assert all(word[2:] in text for word in words if word.startswith("--")), f"{place}: {one}"
        elif words[:2] == ["python", "-m"]:
            _parse(words[2], words[3:], place)
        else:
            assert words[0] in OTHERS, f"{place}: {one}: what is {words[0]!r}?"


def _parse(name: str, given: list[str], place: str) -> None:
    module = importlib.import_module(name)
    if hasattr(module, "__path__"):
        module = importlib.import_module(f"{name}.__main__")
    read = tyro.cli

    def stop(*arguments, **options):
        read(*arguments, **options)
        raise _Parsed

    try:
        with mock.patch.object(tyro, "cli", stop), contextlib.redirect_stdout(io.StringIO()):
            code = module.main(given)
    except _Parsed:
        return
    except SystemExit as end:
        code = end.code
    shown_alone = name == "affectory.cli" and (not given or given[0] == "demo" or "--help" in given[:2])
    assert code == 0 and (shown_alone or "--help" in given), f"{place}: {name} {shlex.join(given)}"
