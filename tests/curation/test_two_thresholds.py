"""In a release: what groups posts, and the nearer duplicates that a policy drops; detectors of each kind."""

import builtins
import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageOps

from affectory.core.errors import RecipeError
from affectory.encoders.image.backbones import load_backbone, save_backbone
from collectors.store import Store
from curation.hydration.rebuild import hydrate
from curation.ids import write as write_ids
from curation.release.assemble import build
from tests.curation.stores import built, dropped_rows, make_store, post, put_image, rows_of, write_recipe
from tests.curation.test_purge_copies import purged

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(40)]


def saved(image, quality):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def made(tmp_path, labels, text, **more):
    """Build from `POSTS` and three posts of one picture: as it is, saved again, and mirrored."""
    three = [post(61 + number, label, **(more if number == 2 else {})) for number, label in enumerate(labels)]
    store = make_store(tmp_path / "store", POSTS)
    small = np.random.default_rng(7).integers(0, 256, (18, 24, 3), dtype=np.uint8)
    picture = Image.fromarray(small).resize((192, 144), Image.Resampling.BICUBIC)
    copies = [saved(picture, 95), saved(picture, 90), saved(ImageOps.mirror(picture), 90)]
    with Store.open(store) as opened:
        opened.add(three)
        for one, data in zip(three, copies, strict=True):
            put_image(opened, one.media[0].url, data)
    recipe = write_recipe(tmp_path / "datasets", f'[duplicates]\ntexts = "off"\n{text}')
    return three, store, build(recipe, store=store, out=tmp_path / "datasets").folder


def places(folder):
    rows = {key[0]: row for key, row in rows_of(folder).items() if key[0] > "reddit:0006"}
    return {post_id: (row["duplicate_group"], row["split"]) for post_id, row in rows.items()}


@pytest.mark.slow
@pytest.mark.parametrize("images", ["", 'images = ["exact", "pdq"]\n'])
def test_a_copy_that_only_a_view_finds_is_grouped_and_stays(tmp_path, images):
    three, store, old = made(tmp_path, ["happy"] * 3, images + 'policy = "keep-best"\n', score=5000)
    dropped = [(row["post_id"], row["detail"]) for row in dropped_rows(old)]
    assert dropped == [("reddit:00062", "of reddit:00061")]
    assert places(old) == {
        "reddit:00061": ("reddit:00061", "test"),
        "reddit:00063": ("reddit:00061", "test"),
    }
    _, new = purged(store, old, three[0])
    assert places(new) == {
        "reddit:00062": ("reddit:00062", "test"),
        "reddit:00063": ("reddit:00062", "test"),
    }


@pytest.mark.slow
def test_a_post_without_a_conflict_any_more_joins_the_published_copy_that_is_near(tmp_path):
    text = 'policy = "drop-conflicts"\n'
    three, store, old = made(tmp_path, ["happy", "creepy", "creepy"], text, score=5000)
    assert places(old) == {"reddit:00063": (None, "test")}
    _, new = purged(store, old, three[0])
    assert places(new) == {
        "reddit:00062": ("reddit:00062", "test"),
        "reddit:00063": ("reddit:00062", "test"),
    }


@pytest.mark.slow
def test_embeddings_group_and_leave_their_features_in_the_cache(tmp_path):
    cache = tmp_path / "features"
    options = f'network = "mobilenet_v2", weights = "random", cache = "{cache}", similarity = 1, '
    text = f'images = ["exact", {{ use = "embedding", {options}drop_similarity = 1 }}]\n'
    _, _, folder = made(tmp_path, ["happy"] * 3, text)
    assert len(rows_of(folder)) == 43
    assert sum(len(path.read_text().split()) for path in cache.glob("*/*.txt")) == 43


@pytest.mark.slow
def test_other_weights_of_the_same_name_make_another_release(tmp_path):
    weights = tmp_path / "weights.safetensors"
    options = f'weights = "{weights}", cache = "{tmp_path / "features"}"'
    text = f'[duplicates]\nimages = [{{ use = "embedding", {options} }}]\n'
    store, found = make_store(tmp_path / "store", POSTS), []
    for seed in (0, 0, 1):
        save_backbone(load_backbone("mobilenet_v2", "random", seed=seed), weights)
        found.append(built(tmp_path, store, text))
    assert [(done.manifest.version, done.stood) for done in found] == [
        ("1.0.0", False),
        ("1.0.0", True),
        ("1.0.1", False),
    ]


@pytest.mark.slow
def test_a_detector_whose_package_is_missing_says_what_to_install(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "pdqhash":
            raise ImportError(name)
        return real(name, *rest)

    ids_of = made(tmp_path, ["happy"] * 3, 'images = ["pdq"]\n')[2].parent
    write_ids(ids_of, out=tmp_path / "ids")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RecipeError) as error:
        build(tmp_path / "datasets/test/recipe.toml", store=tmp_path / "store", out=tmp_path / "datasets")
    assert str(error.value) == (
        "the detector 'pdq' needs the package pdqhash: pip install 'affectory[duplicates]'"
    )
    done = hydrate(tmp_path / "ids", store=tmp_path / "store", out=tmp_path / "full")  # needs no detector
    assert places(done.folder) == places(ids_of / "1.0.0")


@pytest.mark.slow
def test_without_images_the_detectors_of_images_find_none(tmp_path):
    store = make_store(tmp_path / "store", POSTS, pictures=False)
    text = '[images]\nwhich = "none"\n[duplicates]\nimages = ["exact", "dhash", "pdq"]\n'
    folder = build(write_recipe(tmp_path, text), store=store, out=tmp_path).folder
    table = pq.read_table(next(folder.glob("train-*.parquet")))
    assert table["duplicate_group"].null_count == len(table)
