"""What is empty: a class, a split, a store without the posts that are asked for."""

import datasets
import pyarrow.parquet as pq
import pytest

from affectory.core.errors import AffectoryError, RecipeError
from curation.hydrate import main as hydrate
from curation.recipe.recipe import load
from curation.release.assemble import build
from curation.report.contents import open_release
from tests.curation.stores import make_store, post, write_recipe
from tests.curation.test_living import ids_alone

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]
BY_SCORE = '[[filters]]\nuse = "score"\nmin = {}\n'


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), POSTS)


def built(tmp_path, store, text=""):
    return build(write_recipe(tmp_path / "recipes", text), store=store, out=tmp_path / "out")


@pytest.mark.parametrize("rule", ["top-score", "random", "unanimous"])
def test_a_class_without_a_post_is_refused_by_every_rule(tmp_path, store, rule):
    text = f'gore = "disgust"\n[split]\nrule = "{rule}"\n'
    with pytest.raises(AffectoryError) as caught:
        built(tmp_path, store, text)
    assert str(caught.value) == (
        "too few posts of 'disgust' to split, 10 are needed (posts: disgust 0, fear 30, joy 30): "
        "collect more, relax the filters, or take the label out of the recipe"
    )
    assert not (tmp_path / "out" / "test").exists()


def test_filters_that_leave_nothing_are_refused(tmp_path, store):
    with pytest.raises(AffectoryError) as caught:
        built(tmp_path, store, BY_SCORE.format(5000))
    assert str(caught.value) == (
        "too few posts of 'fear', 'joy' to split, 10 are needed (posts: fear 0, joy 0): collect more, relax "
        "the filters, or take the label out of the recipe; dropped were: score_too_low 60"
    )


def test_a_published_split_may_lack_a_class_but_not_all_posts(tmp_path):
    splits = ["train", "test", "train"]
    posts = [post(i, "happy" if i % 2 else "creepy", split=splits[i % 3]) for i in range(60)]
    store = make_store(tmp_path / "store", posts)
    text = 'gore = "disgust"\n[split]\nrule = "given"\nvalidation = 0\n'
    counts = built(tmp_path, store, text).manifest.counts
    assert counts["train"] == {"joy": 20, "fear": 20, "disgust": 0}
    with pytest.raises(
        AffectoryError, match=r"^no post is left to release: collect more, or relax the filters$"
    ):
        built(tmp_path, store, text + BY_SCORE.format(5000))


def test_a_least_number_of_words_above_the_most_is_refused(tmp_path):
    with pytest.raises(RecipeError) as caught:
        load(write_recipe(tmp_path, '[[filters]]\nuse = "words"\nmin = 9\nmax = 5\n'))
    assert "filters.0" in str(caught.value)
    assert "min = 9 is above max = 5: give a max of 9 or more" in str(caught.value)
    assert load(write_recipe(tmp_path, '[[filters]]\nuse = "words"\nmin = 5\nmax = 5\n')).filters[0].max == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("[split]\ntest = 0.0\n", {"train": 54, "validation": 6}),
        ("[split]\nvalidation = 0.0\n", {"train": 54, "test": 6}),
        ('[split]\nrule = "unanimous"\ntest = 0\nvalidation = 0\n', {"train": 60}),
    ],
)
def test_a_split_without_rows_has_no_file_and_the_others_load(tmp_path, store, text, sizes):
    done = built(tmp_path, store, text)
    cache = str(tmp_path / "cache")
    for config in (None, "ids"):
        loaded = datasets.load_dataset(str(done.folder.parent), config, cache_dir=cache)
        assert {name: len(split) for name, split in loaded.items()} == sizes
    assert {file.split for file in done.manifest.files} == {*sizes, "dropped"}
    assert {name: sum(by_label.values()) for name, by_label in done.manifest.counts.items()} == {
        "train": 0,
        "validation": 0,
        "test": 0,
    } | sizes
    assert {split for split, _ in open_release(done.folder).data} == set(sizes)
    assert "fails" not in (done.folder / "report.html").read_text().split("<section")[1]


@pytest.mark.slow
def test_a_release_without_a_test_split_is_hydrated_to_the_same(tmp_path, store):
    full = built(tmp_path, store, "[split]\ntest = 0.0\n").folder
    received = ids_alone(full.parent, tmp_path / "received")
    assert (
        hydrate([str(received), "--store", str(store), "--store-only", "--out", str(tmp_path / "full")]) == 0
    )
    [before] = full.glob("validation-*.parquet")
    [after] = (tmp_path / "full" / "1.0.0").glob("validation-*.parquet")
    assert pq.read_table(after).equals(pq.read_table(before))


@pytest.mark.slow
def test_hydrating_from_a_store_of_other_posts_is_one_line(tmp_path, store, capsys):
    received = ids_alone(built(tmp_path, store).folder.parent, tmp_path / "received")
    others = make_store(tmp_path / "others", [post(i, "happy") for i in range(100, 130)])
    out = tmp_path / "full"
    assert hydrate([str(received), "--store", str(others), "--store-only", "--out", str(out)]) == 2
    assert capsys.readouterr().err == (
        f"error: the store {str(others)!r} gives none of the posts that the ids name (not_in_store: 60): "
        "name their --store, or leave out --store-only to collect them\n"
    )
    assert not out.exists()
