"""The text in images: read with RapidOCR, cached, published in columns of its own or as a post's text."""

import sys
from dataclasses import replace

import datasets
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydantic import ValidationError

from affectory.commands.trace import main as trace
from affectory.core.errors import AffectoryError, RecipeError
from collectors.store import Store
from curation.hydrate import main as hydrate
from curation.ids import main as write_ids
from curation.measure import ocr
from curation.measure.ocr import Ocr, TextCache
from curation.purge import main as purge
from curation.recipe.recipe import Recipe
from curation.rows import image_text
from tests.curation.stores import Picture, built, make_store, post, rows_of

POSTS = [post(n, ("happy", "creepy")[n % 2], title="" if n % 2 else f"this is title {n}") for n in range(24)]
SAID = {"name": "a", "title": "A", "summary": "A.", "labels": {"x": "joy", "y": "fear"}}


def digest_of(store, number):
    with Store.open(store) as opened:
        (path,) = [p for p in (opened.folder / "media").rglob("*.jpg") if p.read_bytes() == bytes_of(number)]
    return path.stem


def bytes_of(number):
    return Picture(number * 100).bytes()


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store whose images were read before, but for that of post 5; what is read now is "read now"."""
    monkeypatch.chdir(tmp_path)
    folder = make_store(tmp_path / "store", POSTS)
    cache = TextCache(tmp_path / "data/ocr")
    for number in range(24):
        if number != 5:
            lines = [("WHEN IT IS MONDAY", 0.9), (f"credit u/jane{number}", 0.7), ("~", 0.2)]
            cache.put(digest_of(folder, number), lines if number != 7 else [])
    monkeypatch.setattr(image_text, "read_lines", lambda picture: [("read now", 0.8)])
    return folder


COLUMN = '[text]\nmask = ["usernames"]\n[text.ocr]\n'
FILL = f'{COLUMN}use = "fill"\nmin_confidence = 0.8\n[[filters]]\nuse = "text"\n'


@pytest.mark.slow
def test_the_text_in_a_picture_is_read_line_by_line_with_a_confidence():
    picture = Image.new("RGB", (400, 160), "white")
    font = ImageFont.load_default(36)
    ImageDraw.Draw(picture).text((20, 20), "HAPPY MONDAY\nto you all", fill="black", font=font)
    lines = ocr.read_lines(picture)
    assert [text for text, _ in lines] == ["HAPPY MONDAY", "to you all"]
    assert all(0.9 < confidence <= 1 for _, confidence in lines)
    assert ocr.read_lines(Image.new("RGB", (900, 2), "white")) == []


def test_a_picture_that_is_too_large_or_too_narrow_is_reduced_and_padded():
    assert ocr._framed(Image.new("RGB", (4000, 1000))).size == (2000, 500)
    assert ocr._framed(Image.new("RGB", (3, 900))).size == (113, 900)
    assert ocr._framed(Image.new("RGB", (20000, 1))).size == (2000, 250)
    picture = Image.new("RGB", (300, 200))
    assert ocr._framed(picture) is picture


@pytest.mark.slow
def test_a_release_has_the_text_in_images_and_its_mean_confidence_in_columns(tmp_path, store):
    done = built(tmp_path, store, COLUMN)
    rows = rows_of(done.folder)
    read = {key[0][-2:]: (row["ocr_text"], row["ocr_confidence"]) for key, row in rows.items()}
    assert read["04"] == ("WHEN IT IS MONDAY\ncredit u/[user]", pytest.approx(0.8))
    assert read["05"] == ("read now", pytest.approx(0.8))
    assert read["07"] == ("", None)
    assert {row["text"] for row in rows.values()} == {"", *(f"this is title {n}" for n in range(0, 24, 2))}
    assert done.manifest.masked == {"usernames": 22}
    assert {"rapidocr", "onnxruntime"} <= set(done.manifest.tools)
    assert "The text in images was read by RapidOCR (`ocr_text`, `ocr_confidence`)." in (
        done.folder / "croissant.json"
    ).read_text(encoding="utf-8")
    assert not {"ocr_text", "ocr_confidence"} & set(next(iter(rows_of(done.folder, "ids-").values())))
    loaded = datasets.load_dataset(str(done.folder.parent), cache_dir=str(tmp_path / "cache"))
    assert loaded["train"].features["ocr_confidence"].dtype == "float32"
    assert TextCache(tmp_path / "data/ocr").get(digest_of(store, 5)) == [("read now", 0.8)]


@pytest.mark.slow
def test_the_text_in_an_image_is_the_text_of_a_post_without_any_where_the_recipe_says_so(tmp_path, store):
    done = built(tmp_path, store, FILL)
    rows = {key[0][-2:]: row for key, row in rows_of(done.folder).items()}
    assert len(rows) == 23 and "07" not in rows  # no_text, as its image has none
    assert [rows["04"][name] for name in ("text", "title", "has_text")] == ["this is title 4"] * 2 + [True]
    assert [rows["03"][name] for name in ("text", "title", "n_words", "language")] == [
        "WHEN IT IS MONDAY", "", 4, "en",
    ]  # fmt: skip
    assert rows["05"]["text"] == "read now"


@pytest.mark.slow
def test_a_rebuilt_release_has_the_same_texts_and_a_purge_forgets_those_of_deleted_posts(
    tmp_path, store, capsys
):
    done = built(tmp_path, store, FILL)
    folder = done.folder.parent
    assert write_ids([str(folder), "--out", "ids"]) == 0
    assert hydrate(["ids", "--store", str(store), "--store-only", "--out", "full"]) == 0
    again = rows_of(tmp_path / "full" / "1.0.0")
    for key, row in rows_of(done.folder).items():
        assert {name: again[key][name] for name in ("text", "ocr_text", "n_words")} == {
            name: row[name] for name in ("text", "ocr_text", "n_words")
        }
    digest = digest_of(store, 3)
    cache = TextCache(tmp_path / "data/ocr")
    told = ["--stores", str(store), "--datasets", str(folder.parent)]
    capsys.readouterr()
    assert trace(["reddit:00003", *told]) == 0
    assert f"texts in images {cache.folder.relative_to(tmp_path)}" in capsys.readouterr().out
    with Store.open(store) as opened:
        opened.add([replace(POSTS[3], removed="deleted")])
    assert purge(["test", "--datasets", str(folder.parent), "--store", str(store)]) == 0
    assert "removed the text of 1 image from data/ocr" in capsys.readouterr().out
    assert cache.get(digest) is None and cache.get(digest_of(store, 4)) is not None


@pytest.mark.slow
def test_an_image_that_cannot_be_read_has_no_text(tmp_path, store, monkeypatch):
    def fails(picture):
        raise ValueError("a fault of the engine")

    monkeypatch.setattr(image_text, "read_lines", fails)
    rows = {key[0][-2:]: row for key, row in rows_of(built(tmp_path, store, COLUMN).folder).items()}
    assert (rows["05"]["ocr_text"], rows["05"]["ocr_confidence"]) == (None, None)
    assert TextCache(tmp_path / "data/ocr").get(digest_of(store, 5)) is None


def test_what_was_read_is_kept_whole_and_a_damaged_file_is_read_anew(tmp_path):
    cache = TextCache(tmp_path)
    cache.put("ab" * 32, [("größe", 0.5)])
    assert cache.get("ab" * 32) == [("größe", 0.5)]
    (path,) = ocr.cached(tmp_path, ["ab" * 32])
    for damaged in ("", "[[1", "3"):
        path.write_text(damaged)
        assert cache.get("ab" * 32) is None
    (tmp_path / "file").touch()
    with pytest.raises(AffectoryError) as error:
        TextCache(tmp_path / "file").put("ab" * 32, [])
    assert "the cache of texts in images can't be written to" in str(error.value)


def test_lines_below_the_least_confidence_do_not_count():
    lines = [("sure", 0.9), ("perhaps", 0.6), ("no", 0.2)]
    assert Ocr().text(lines) == ("sure\nperhaps", 0.75)
    assert Ocr(min_confidence=0.95).text(lines) == ("", None)


def test_a_recipe_that_reads_no_images_keeps_its_digest_and_one_without_images_cannot():
    plain = Recipe.model_validate(SAID)
    assert "ocr" not in plain.plain()["text"]
    reading = Recipe.model_validate(SAID | {"text": {"ocr": {}}})
    assert reading.plain()["text"]["ocr"] == {"use": "column", "min_confidence": 0.5, "cache": "data/ocr"}
    assert reading.digest() != plain.digest()
    with pytest.raises(ValidationError) as error:
        Recipe.model_validate(SAID | {"text": {"ocr": {}}, "images": {"which": "none"}})
    assert "[text.ocr] reads images, and images.which is 'none': remove one of them" in str(error.value)


@pytest.mark.parametrize("name", ["rapidocr", "onnxruntime"])
def test_a_missing_package_is_one_line_before_anything_is_read(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    store = make_store(tmp_path / "store", POSTS[:1], pictures=False)
    with pytest.raises(RecipeError) as error:
        built(tmp_path, store, "[text.ocr]\n")
    assert str(error.value) == (
        f"[text.ocr] needs the packages rapidocr and onnxruntime ({name} is missing): "
        "pip install 'affectory[ocr]'"
    )
