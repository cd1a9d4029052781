"""The documentation is built as a site, and what the README links is there."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mkdocs") is None, reason="mkdocs isn't installed: uv sync --group docs")
def test_the_site_is_built_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    functions = (tmp_path / "site" / "api" / "index.html").read_text()
    assert all(f"affectory.api.{name}" in functions for name in ("collect", "build", "load", "train"))
    assert "fonts.googleapis.com" not in functions


def headings(page: Path) -> set[str]:
    """Return the anchors of a page, as they are on the site and where Markdown is shown elsewhere."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_link_of_a_page_leads_somewhere(name):
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", (ROOT / name).read_text()):
        path, _, anchor = link.partition("#")
        assert (ROOT / path).is_file(), f"{name}: {link}"
        assert not anchor or anchor in headings(ROOT / path), f"{name}: {link}"


def test_the_picture_of_the_readme_is_small():
    assert (ROOT / "docs" / "demo.webp").stat().st_size < 150_000
