from pathlib import Path

import pytest

from collectors.sandbox import running

SHARED = Path(__file__).parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def sandbox():
    """The address of a sandbox without faults, of 600 posts."""
    with running() as base:
        yield base
