import os
from pathlib import Path

import pytest
from hypothesis import settings

from affectory.core import progress
from collectors.sandbox import running

# Tests run in several processes: with more threads each they would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Time measured on a busy machine says nothing of the code.
settings.register_profile("affectory", deadline=None)
settings.load_profile("affectory")

SHARED = Path(__file__).parents[1].parent / "shared" / "data"


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses among them
def pytest_collection_modifyitems(items):
    """A long test is a slow one, too, so that `-m "not slow"` leaves it out."""
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker("slow")


@pytest.fixture(scope="session", autouse=True)
def no_plain_progress():
    """On a busy machine a command may take so long that it prints its progress among its errors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "PLAIN_EVERY", 3600.0)
        patch.setattr(progress, "LONG", 3600.0)
        yield


@pytest.fixture(scope="session")
def sandbox():
    """The address of a sandbox without faults, of 600 posts."""
    with running() as base:
        yield base
