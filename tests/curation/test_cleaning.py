"""SemiMemes' two ways of cleaning a meme's text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.measure.cleaning import released, slides
from curation.recipe.recipe import Recipe
from tests.curation.stores import built, make_store, post, rows_of


@pytest.mark.parametrize(
    ("text", "by_slides", "by_code"),
    [
        ("So HAPPY, a day!", "so happy a day", "so happy a day"),
        ("see http://a.com/b?c now", "see now", "see now"),
        ("imgflip.com", "imgflipcom", ""),
        ("the end.then we go", "the endthen we go", "the we go"),  # meant to be .net, .com and .org
        ("the end.", "the end", "the end"),
        ("wait...what", "waitwhat", "wait what"),  # no letter of the class after the dot
        ("24 hours_left", "24 hoursleft", "hours left"),
        ("caf\u00e9 \U0001f600", "caf", "cafe"),
        ("don't", "dont", "don t"),
        ("", "", ""),
    ],
)
def test_texts_are_cleaned_as_described(text, by_slides, by_code):
    assert (slides(text), released(text)) == (by_slides, by_code)


@given(st.text())
def test_a_cleaned_text_is_lower_case_ascii_words_with_single_spaces(text):
    for clean in (slides, released):
        found = clean(text)
        assert found.isascii() and found == found.lower() == " ".join(found.split())
        assert all(letter.isalnum() or letter in " " or not letter.isprintable() for letter in found)


def test_a_recipe_that_cleans_nothing_keeps_its_digest():
    said = {"name": "a", "title": "A", "summary": "A.", "labels": {"x": "joy", "y": "fear"}}
    plain = Recipe.model_validate(said)
    assert "clean" not in plain.plain()["text"]
    assert plain.digest() == Recipe.model_validate(said | {"text": {"clean": "none"}}).digest()
    assert plain.digest() != Recipe.model_validate(said | {"text": {"clean": "slides"}}).digest()


def test_a_release_has_the_cleaned_text_and_the_title_as_it_was(tmp_path):
    posts = [post(n, ("happy", "creepy")[n % 2], title=f"So HAPPY, {n} days!") for n in range(24)]
    store = make_store(tmp_path / "store", posts)
    done = built(tmp_path, store, '[text]\nclean = "released"\n[duplicates]\ntexts = "off"\n')
    rows = rows_of(done.folder).values()
    assert {row["text"] for row in rows} == {"so happy days"}
    assert "So HAPPY, 3 days!" in {row["title"] for row in rows}
