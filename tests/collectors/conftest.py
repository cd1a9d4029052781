import pytest

from tests.collectors.local_folder import RECIPE, jpeg


@pytest.fixture
def folder(tmp_path):
    """A store's folder, as far as images need one."""
    (tmp_path / "media" / "tmp").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def place(tmp_path):
    """A folder with a table of three posts and their pictures, and a recipe for it."""
    (tmp_path / "datasets" / "mine").mkdir(parents=True)
    (tmp_path / "datasets" / "mine" / "recipe.toml").write_text(RECIPE)
    folder = tmp_path / "folder"
    (folder / "pictures").mkdir(parents=True)
    (folder / "posts.csv").write_text("name,text,mood\na,one,happy\nb,two,sad\nc,three,happy\n")
    for number, name in enumerate("abc"):
        (folder / "pictures" / f"{name}.jpg").write_bytes(jpeg(number))
    return tmp_path
