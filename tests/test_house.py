"""The house rules that no reviewer should have to remember."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import datasets
import pytest

ROOT = Path(__file__).parents[1]
TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
).stdout.splitlines()

COMMANDS = (
    "collectors.reddit",
    "collectors.flickr",
    "collectors.local",
    "collectors.sandbox",
    "curation.build",
    "curation.report",
    "curation.ids",
    "curation.hydrate",
    "curation.purge",
    "baselines.run",
    "baselines.predict",
)

ENTRIES = (
    "affectory.init",
    "affectory.trace",
    "collectors.reddit.__main__",
    "collectors.flickr.__main__",
    "collectors.local.__main__",
    "collectors.sandbox.__main__",
    "curation.build",
    "curation.report.__main__",
    "curation.ids",
    "curation.hydrate",
    "curation.purge",
    "baselines.run",
    "baselines.predict",
)

#: What each package may import of ours besides itself. The front door (affectory.cli) may import all.
ALLOWED = {
    "affectory.core": set(),
    "affectory.encoders": {"affectory.core"},
    "collectors": {"affectory.core"},
    "curation": {
        "affectory.core",
        "affectory.encoders",
        "collectors.local.source",
        "collectors.sites",
        "collectors.store.record",
        "collectors.store",
    },
    "baselines": {"affectory.core", "affectory.encoders"},
}
OURS = {"affectory", "collectors", "curation", "baselines"}


def within(module, packages):
    """Say whether a module is one of these packages, or inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def imports(path):
    """Yield the modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_run_one_way(package):
    bad = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / package.replace(".", "/")).rglob("*.py"))
        for name in imports(path)
        if name.split(".")[0] in OURS and not within(name, {package, *ALLOWED[package]})
    ]
    assert bad == []


def test_sql_is_written_in_the_crawl_store_alone():
    database = re.compile(
        r"import sqlite3|from sqlite3|\.execute(?:many|script)?\(|\._?db\b"
        r"|[\"'](?:select .+ from|insert into|insert or \w+ into|update \w+ set|delete from) "
        r"|[\"'](?:create|alter|drop) (?:table|index|unique index) |[\"']pragma ",
        re.IGNORECASE,
    )
    bad = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for package in sorted(OURS)
        for path in sorted((ROOT / package).rglob("*.py"))
        if ROOT / "collectors" / "store" not in path.parents
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if database.search(line)
    ]
    assert bad == []


def test_no_python_stands_under_datasets_and_the_library_wins_the_import():
    assert list((ROOT / "datasets").rglob("*.py")) == []
    assert ROOT / "datasets" not in Path(datasets.__file__).parents


def test_a_command_is_light_to_import():
    program = (
        "import importlib, sys; [importlib.import_module(m) for m in sys.argv[1:]]; "
        "heavy = {'torch', 'pandas', 'numpy', 'PIL', 'aiohttp', 'asyncio', 'asyncpraw', 'datasets', "
        "'pyarrow'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *ENTRIES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_every_command_of_the_readme_has_its_help():
    text = (ROOT / "README.md").read_text()
    modules = set(re.findall(r"python -m ([a-z_.]+)", text)) | {"affectory"}
    assert "collectors.reddit" in modules
    for module in sorted(modules):
        done = subprocess.run(
            [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (done.returncode, "usage:" in done.stdout) == (0, True)


def test_every_option_that_a_document_names_exists():
    known = ""
    for module in COMMANDS:
        known += subprocess.run(
            [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    known += (ROOT / "benchmarks" / "crash.py").read_text()
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        lines = [
            line
            for line in document.read_text().splitlines()
            if re.search(r"-m (c|baselines)", line) or line.startswith("| `--")
        ]
        for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", "\n".join(lines))):
            assert option in known, f"{document.name}: {option}"


def test_no_lock_file_and_no_large_file_is_tracked():
    if not TRACKED:
        pytest.skip("no git checkout")
    assert [name for name in TRACKED if name.endswith(("uv.lock", "package-lock.json"))] == []
    assert [name for name in TRACKED if (ROOT / name).exists() and (ROOT / name).stat().st_size > 2**20] == []


def test_the_installed_command_is_the_checkouts_own(tmp_path):
    program = "import affectory; print(affectory.__file__)"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == str(ROOT / "affectory" / "__init__.py")
