"""Duplicate groups over the columns of a table: detectors by name, two thresholds, images and texts."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from curation.duplicates.duplicates import Duplicates, group
from curation.duplicates.near_texts import HASHES, hashed
from curation.recipe.recipe import Recipe, RecipeError, load, recorded
from tests.curation.stores import LABELS, write_recipe

PLAIN_HASHES = Duplicates.model_validate(
    {"images": ["exact", {"use": "dhash", "views": False}], "texts": "off"}
)


def _table(rows: list[tuple[str | None, int | None]], texts: list[str] | None = None) -> pa.Table:
    hashes = hashed(texts or [str(number) for number in range(len(rows))])
    return pa.table(
        {
            "image_sha256": pa.array([digest for digest, _ in rows], pa.string()),
            "image_hash": pa.array([value for _, value in rows], pa.uint64()),
            **dict(zip(HASHES, hashes, strict=True)),
        }
    )


def test_near_hashes_and_equal_bytes_make_a_group():
    rows = [("a", 0xFF00), ("b", 0xFF01), ("c", 0xF0F0F0), ("c", 0xF0F0F0), (None, None), (None, None)]
    assert group(_table(rows), PLAIN_HASHES).wide.tolist() == [0, 0, 2, 2, 4, 5]


@pytest.mark.parametrize("flip", [0, 2**64 - 1])
def test_plain_pictures_are_no_twins_unless_their_bytes_are_equal(flip):
    rows = [("a", 0), ("b", 0), ("c", 1), ("d", 0b111), ("e", 0b1111), ("f", 0b1110), ("a", 0)]
    table = _table([(digest, value ^ flip) for digest, value in rows])
    assert group(table, PLAIN_HASHES).wide.tolist() == [0, 1, 2, 3, 4, 5, 0]


def test_what_a_policy_may_drop_is_nearer_than_what_is_grouped():
    rows = [("a", 0xFFFF00), ("b", 0xFFFF01), ("c", 0xFFFF07)]
    table = _table(rows)
    kept = PLAIN_HASHES.model_copy(update={"policy": "keep-best"})
    found = group(table, kept)
    assert (found.wide.tolist(), found.narrow.tolist()) == ([0, 0, 0], [0, 0, 2])
    assert group(table, PLAIN_HASHES).narrow.tolist() == [0, 1, 2]  # keep-all drops nothing


def test_with_both_a_policy_drops_only_what_has_near_images_and_near_texts():
    both = Duplicates.model_validate(
        {"images": ["exact"], "texts": "equal", "policy": "keep-best", "drop": "both"}
    )
    rows = [("a", 1), ("a", 1), ("a", 1), ("b", 1), ("c", 1), ("c", 1), ("d", 1), (None, None), (None, None)]
    texts = ["one text", "One text!", "another", "one text", "same", "", "", "alone", "Alone"]
    found = group(_table(rows, texts), both)
    # c: one of its two has no text, and the other's is the only one. a: two texts.
    assert found.narrow.tolist() == [0, 0, 2, 3, 4, 4, 6, 7, 7]
    assert found.wide.tolist() == [0, 0, 0, 0, 4, 4, 6, 7, 7]
    either = both.model_copy(update={"drop": "either"})
    assert group(_table(rows, texts), either).narrow.tolist() == [0, 0, 0, 0, 4, 4, 6, 7, 7]


def test_a_row_without_a_text_is_not_dropped_for_one_of_several_texts():
    both = Duplicates.model_validate(
        {"images": ["exact"], "texts": "equal", "policy": "keep-best", "drop": "both"}
    )
    found = group(_table([("a", 1), ("a", 1), ("a", 1)], ["one", "two", ""]), both)
    assert found.narrow.tolist() == [0, 1, 2]


EARLIER = [
    ("off", 3, []),
    ("exact", 2, [{"use": "exact"}]),
    ("near", 2, [{"use": "exact"}, {"use": "dhash", "distance": 2, "views": False, "drop_distance": 3}]),
]


@pytest.mark.parametrize(("word", "distance", "meant"), EARLIER, ids=[one[0] for one in EARLIER])
def test_recipes_of_earlier_versions_make_the_links_that_they_made(tmp_path, word, distance, meant):
    said = {"images": word, "distance": distance, "texts": "equal", "policy": "keep-best"}
    old = {"name": "test", "title": "T", "summary": "S", "labels": LABELS, "duplicates": said}
    found = recorded(json.loads(json.dumps(old)), "test 1.0.0").plain()["duplicates"]
    assert found == {"images": meant, "texts": "equal", "policy": "keep-best", "drop": "either"}
    text = f'[duplicates]\nimages = "{word}"\ndistance = {distance}\n'
    assert load(write_recipe(tmp_path, text)).plain()["duplicates"]["images"] == meant


def test_a_recipe_without_duplicates_has_the_exact_and_the_hashed():
    plain = Recipe.model_validate({"name": "t", "title": "T", "summary": "S", "labels": LABELS}).plain()
    assert plain["duplicates"]["images"] == [
        {"use": "exact"},
        {"use": "dhash", "distance": 3, "views": True, "drop_distance": 1},
    ]


FAULTS = [
    (
        'images = "dhash"\n',
        """images = 'dhash': list detectors, such as ["exact", "dhash"]: 'exact', 'dhash', """,
    ),
    ('images = ["dhsh"]\n', "images.0 = 'dhsh': Input should be 'exact', 'dhash', 'pdq' or 'embedding'"),
    ('images = [{ use = "dhash", dist = 3 }]\n', "images.0.dist = 3: there is no such key; there are use, "),
    ("images = [{ distance = 3 }]\n", "it lacks `use`, the detector's name: 'exact', 'dhash', 'pdq' or "),
    ('images = ["dhash", { use = "dhash", distance = 1 }]\n', "'dhash' is there twice: remove one"),
    ('images = ["dhash"]\ndistance = 2\n', "distance = 2: there is no such key; there are images, texts, "),
    (
        'images = [{ use = "pdq", distance = 32 }]\n',
        "images.0.distance = 32: Input should be less than or equal",
    ),
    ('drop = "both"\ntexts = "off"\n', "asks for near images and near texts, and texts has no detector"),
]


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_a_fault_in_the_list_of_detectors_is_named(tmp_path, text, message):
    with pytest.raises(RecipeError) as error:
        load(write_recipe(tmp_path, "[duplicates]\n" + text))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_similar_features_are_a_group():
    from curation.duplicates.embedding import similar

    features = np.array([[1, 0], [2, 0.1], [0, 1], [0.1, 3], [-1, 0]], dtype=np.float16)
    assert similar(features, 0.99).tolist() == [0, 0, 2, 2, 4]
