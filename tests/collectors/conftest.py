import pytest


@pytest.fixture
def folder(tmp_path):
    """A store's folder, as far as images need one."""
    (tmp_path / "media" / "tmp").mkdir(parents=True)
    return tmp_path
