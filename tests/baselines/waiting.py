"""A mark for tests of the whole command: skipped until its tables and page read results of version 2."""

import pytest


def _imports():
    try:
        from baselines import pipeline  # noqa: F401
    except ImportError:
        return False
    return True


whole_command = pytest.mark.skipif(
    not _imports(), reason="tables and page don't read results of version 2 yet"
)
