from pathlib import Path

import pytest

from affectory.core.errors import RecipeError
from curation.recipe.recipe import load
from tests.curation.stores import write_recipe

DATASETS = Path(__file__).parents[2] / "datasets"


@pytest.mark.parametrize("path", sorted(DATASETS.glob("*/recipe.toml")), ids=lambda p: p.parent.name)
def test_every_recipe_that_is_shipped_is_sound(path):
    recipe = load(path)
    generated = recipe.source.local is not None and recipe.source.local.generated
    assert (recipe.name, bool(recipe.paper), len(recipe.classes) >= 2) == (
        path.parent.name,
        not generated,
        True,
    )
    assert set(recipe.expected) <= set(recipe.classes)
    assert len(path.with_name("card.md").read_text()) > 200


def test_the_reddit_recipes_have_the_classes_of_the_paper():
    for path in DATASETS.glob("reddit-*/recipe.toml"):
        assert load(path).classes == ["joy", "fear", "anger", "disgust"]


def test_a_recipe_has_the_defaults_of_its_parts(tmp_path):
    recipe = load(write_recipe(tmp_path))
    assert (recipe.split.rule, recipe.split.leakage, recipe.duplicates.policy) == (
        "top-score",
        "group",
        "keep-all",
    )
    assert (recipe.communities, recipe.classes) == (["happy", "creepy"], ["joy", "fear"])


def test_a_digest_says_whether_a_recipe_says_the_same(tmp_path):
    plain = load(write_recipe(tmp_path)).digest()
    assert load(write_recipe(tmp_path, "# a comment\n")).digest() == plain
    assert load(write_recipe(tmp_path, "[split]\ntest = 0.2\n")).digest() != plain


def test_a_key_with_its_default_changes_no_digest(tmp_path):
    digest = load(write_recipe(tmp_path)).digest()
    assert load(write_recipe(tmp_path, '[split]\nrule = "top-score"\n')).digest() == digest
    assert load(write_recipe(tmp_path, '[split]\nwithin = "class"\n')).digest() == digest
    recipe = load(write_recipe(tmp_path, '[split]\nwithin = "all"\n'))
    assert recipe.digest() != digest
    assert (recipe.split.within, recipe.plain()["split"]["within"]) == ("all", "all")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[[filters]]\nuse = "languages"\n',
            "filters.0.use = 'languages': the filters are 'removed', 'image', 'text', 'size', 'animated', "
            "'language', 'words', 'score', 'agreement'",
        ),
        (
            '[split]\nrule = "best"\n',
            "split.rule = 'best': Input should be 'top-score', 'unanimous', 'random' or 'given'",
        ),
        ('[split]\nwithin = "each"\n', "split.within = 'each': Input should be 'class' or 'all'"),
        (
            '[split]\nrule = "random"\nwithin = "all"\n',
            "split.within = 'all': there is no such key; there are rule, test, validation, leakage, seed, "
            "given",
        ),
        ("[split]\ntest = 0.5\nvalidation = 0.5\n", "test + validation is 1: leave some for training"),
        (
            '[[filters]]\nusee = "removed"\n',
            "filters.0 = {'usee': 'removed'}: it lacks `use`, the filter's name: 'removed', 'image', 'text', "
            "'size', 'animated', 'language', 'words', 'score', 'agreement'",
        ),
        (
            "[images]\nsize = 5\n",
            "images.size = 5: there is no such key; there are which, format, side, quality",
        ),
        (
            '[[filters]]\nuse = "words"\nmni = 3\nlong = 5\n',
            "filters.0.words.mni = 3: there is no such key; there are use, min, max, otherwise (and 1 more)",
        ),
        ("[splitt]\ntest = 0.2\n", "splitt = {'test': 0.2}: there is no such key; there are name, title, "),
        (
            '[[filters]]\nuse = "language"\nkeep = ["en", "english"]\n',
            "filters.0.language.keep = ['en', 'english']: 'english' is not one of fasttext's 176 codes; they "
            "have two or three letters (ISO 639), as 'en', 'de', 'ru'",
        ),
        (
            '[[filters]]\nuse = "language"\nengine = "langdetect"\nkeep = ["nds"]\n',
            "filters.0.language.keep = ['nds']: 'nds' is not one of langdetect's 56 codes; they have two or "
            "three letters (ISO 639), as 'en', 'de', 'ru'",
        ),
        (
            "[duplicates]\ndistance = 9\n",
            "duplicates.images.1.distance = 9: Input should be less than or equal to 3",
        ),
        ('[text]\nparts = ["headline"]\n', "text.parts.0 = 'headline': Input should be 'title' or 'body'"),
    ],
)
def test_a_fault_names_file_key_value_and_what_is_allowed(tmp_path, text, message):
    path = write_recipe(tmp_path, text)
    with pytest.raises(RecipeError) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("engine", "code"), [("fasttext", "yue"), ("langdetect", "zh")])
def test_every_code_of_the_engine_may_be_kept(tmp_path, engine, code):
    text = f'[[filters]]\nuse = "language"\nkeep = ["{code}"]\nengine = "{engine}"\n'
    assert load(write_recipe(tmp_path, text)).filters[0].keep == (code,)


def test_a_file_that_is_no_toml_is_refused(tmp_path):
    path = write_recipe(tmp_path)
    path.write_text("name = ")
    with pytest.raises(RecipeError, match="is not TOML"):
        load(path)


def test_a_name_that_is_not_its_folders_is_refused(tmp_path):
    path = write_recipe(tmp_path, name="one")
    path.write_text(path.read_text().replace('"one"', '"two"'))
    with pytest.raises(RecipeError, match="name is 'two', but its folder is 'one'"):
        load(path)
