import pytest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "media" / "tmp").mkdir(parents=True)
    return tmp_path
