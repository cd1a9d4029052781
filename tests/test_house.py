"""The house rules that no reviewer should have to remember."""

import ast
import re
import subprocess
import sys
from functools import cache
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
    "collectors.merge",
    "collectors.sandbox",
    "curation.build",
    "curation.report",
    "curation.ids",
    "curation.export",
    "curation.hydrate",
    "curation.purge",
    "baselines.run",
    "baselines.missing",
    "baselines.predict",
)

ENTRIES = (
    "affectory.commands.audit",
    "affectory.commands.compare",
    "affectory.commands.init",
    "affectory.commands.diff",
    "affectory.commands.doctor",
    "affectory.commands.push",
    "affectory.commands.trace",
    "affectory.commands.verify",
    "collectors.merge",
    "collectors.reddit.__main__",
    "collectors.flickr.__main__",
    "collectors.local.__main__",
    "collectors.sandbox.__main__",
    "curation.build",
    "curation.report.__main__",
    "curation.ids",
    "curation.export",
    "curation.hydrate",
    "curation.purge",
    "baselines.run",
    "baselines.missing",
    "baselines.predict",
)

#: What each package may import of ours besides itself. The commands in `affectory/` may import all.
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

#: The longest file, in lines, that needs no reason.
LONGEST = 400


def module_of(path):
    """Return the dotted name of a file's module; that of a package for its __init__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    module_of(path): path
    for package in sorted(OURS)
    for path in sorted((ROOT / package).rglob("*.py"))
    if "__pycache__" not in path.parts
}


def within(module, packages):
    """Say whether a module is one of these packages, or inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@cache
def imports(module):
    """Return the modules that a module imports, inside functions too; of our own the file that is meant."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively: write the whole name"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name in FILES else node.module)
    return found


def folder_of(module):
    """Return the folder of a module; an __init__.py belongs to its own folder."""
    return module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]


def circles(edges):
    """Return the circles of a graph, each as the sorted list of its members."""

    def reached(start):
        found, ahead = set(), [start]
        while ahead:
            more = edges.get(ahead.pop(), set()) - found
            found |= more
            ahead += more
        return found

    reach = {node: reached(node) for node in edges}
    found = {
        tuple(sorted(other for other in ahead if node in reach.get(other, ())))
        for node, ahead in reach.items()
        if node in ahead
    }
    return sorted(map(list, found))


@pytest.mark.slow
@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_run_one_way(package):
    bad = [
        f"{module} imports {name}"
        for module in FILES
        if within(module, {package})
        for name in sorted(imports(module))
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


def test_no_files_import_each_other_in_a_circle():
    modules = [module for module in FILES if within(module, OURS)]
    edges = {module: {name for name in imports(module) if name in FILES} - {module} for module in modules}
    assert circles(edges) == []


def test_no_folders_import_each_other_in_a_circle():
    edges = {}
    for module in FILES:
        if within(module, OURS):
            others = {folder_of(name) for name in imports(module) if name in FILES} - {folder_of(module)}
            edges.setdefault(folder_of(module), set()).update(others)
    assert circles(edges) == []


def test_a_long_file_begins_with_a_comment_that_says_why():
    bad = []
    for path in [ROOT / name for name in TRACKED if name.endswith(".py")]:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) > LONGEST and not re.match(rf"# Over {LONGEST} lines: \w+", lines[0]):
            bad.append(f"{path.relative_to(ROOT)} has {len(lines)} lines")
    assert bad == []


@pytest.mark.parametrize("package", sorted(OURS))
def test_a_packages_root_holds_a_dozen_files_at_most(package):
    assert len([path for path in (ROOT / package).iterdir() if path.is_file()]) <= 12


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


@pytest.mark.slow
def test_every_option_that_a_document_names_exists():
    known = ""
    for module in COMMANDS:
        known += subprocess.run(
            [sys.executable, "-m", module, "--help-all"], cwd=ROOT, capture_output=True, text=True, check=True
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


def test_a_module_that_is_run_ends_by_one_line_at_ctrl_c_from_its_first_lines_on():
    programs = [path for path in FILES.values() if "sys.exit(main" in path.read_text()]
    assert len(programs) >= len(COMMANDS)
    bad = [
        str(path.relative_to(ROOT))
        for path in programs
        if not re.match(
            r'""".*?"""\n\n(from __future__ import annotations\n\n)?'
            r"from affectory.core.interrupt import quiet_until_finish\n\n"
            r'if __name__ == "__main__":\n    quiet_until_finish\(\)\n',
            path.read_text(),
            re.DOTALL,
        )
    ]
    assert bad == []


def test_options_are_read_within_finish():
    bad = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in FILES.values()
        for line in path.read_text().splitlines()
        if re.match(r"    options = tyro\.cli\(", line)
    ]
    assert bad == []


def test_no_lock_file_and_no_large_file_is_tracked():
    if not TRACKED:
        pytest.skip("no git checkout")
    assert [name for name in TRACKED if name.endswith(("uv.lock", "package-lock.json"))] == []
    assert [name for name in TRACKED if (ROOT / name).exists() and (ROOT / name).stat().st_size > 2**20] == []


def test_the_installed_command_is_the_checkouts_own(tmp_path):
    program = "import affectory; print(affectory.__file__)"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == str(ROOT / "affectory" / "__init__.py")
