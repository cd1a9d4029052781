"""Regions of images: the cells of a feature map, a detector's, and those of a file."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from affectory.core.errors import BaselineError
from affectory.encoders.image import regions
from affectory.encoders.image.backbones import load_backbone
from affectory.encoders.image.regions import BOX, detector, grid
from baselines.data import inputs
from baselines.data.regions import read_regions
from baselines.data.release import load
from tests.baselines import small


@pytest.mark.slow
def test_a_grid_has_the_cells_of_the_last_feature_map_and_their_boxes():
    backbone = load_backbone("resnet18", "random", side=96)
    network = grid(backbone)
    assert (network.shape, network.dim) == ((9, 512 + BOX), 9 * 517)
    pixels = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        cells = network.module(pixels).reshape(2, *network.shape)
        pooled = backbone.module(pixels)  # the network itself is as it was
    torch.testing.assert_close(cells[..., :512].mean(1), pooled)
    expected = [
        [column / 3, row / 3, (column + 1) / 3, (row + 1) / 3, 1] for row in range(3) for column in range(3)
    ]
    torch.testing.assert_close(cells[0, :, 512:], torch.tensor(expected))
    assert network.key != backbone.key
    assert network.digest == backbone.digest
    assert network.preprocessing.endswith(", grid 3 x 3 of layer4")


@pytest.mark.slow
def test_a_small_image_is_one_cell_of_the_same_map():
    network = grid(load_backbone("resnet18", "random", side=32))
    assert network.shape == (1, 512 + BOX)
    assert network.preprocessing.endswith(", grid 1 x 1 of layer4")


@pytest.mark.slow
def test_a_network_without_a_feature_map_is_one_line():
    with pytest.raises(BaselineError) as error:
        grid(load_backbone("vit_b_16", "random"))
    assert str(error.value) == (
        "--regions grid: vit_b_16 has no feature map; take a convolutional --backbone such as resnet50"
    )


@pytest.mark.slow
def test_a_detector_gives_its_surest_regions_with_boxes_within_the_image(monkeypatch):
    monkeypatch.setattr(regions, "SIDE", 64)
    monkeypatch.setattr(regions, "MOST", 5)
    network = detector("random")
    assert (network.shape, network.digest) == ((5, 1024 + BOX), "random")
    image = Image.effect_noise((90, 50), 80).convert("RGB")
    with torch.inference_mode():
        [rows] = network.module(network.preprocess(image)[None]).reshape(1, *network.shape)
    boxes, there = rows[:, -5:-1], rows[:, -1]
    assert set(there.tolist()) <= {0.0, 1.0} and there[0] == 1
    assert (boxes >= 0).all() and (boxes <= 1).all()
    assert (boxes[there == 1, 2:] > boxes[there == 1, :2]).all()
    assert not rows[there == 0].any()


FEATURES = {"reddit:a": np.arange(6.0).reshape(2, 3), "reddit:b#1": np.ones((1, 3))}
BOXES = {"reddit:a.boxes": np.array([[0, 0, 0.5, 1], [0.5, 0, 1, 1]]), "reddit:b#1.boxes": np.ones((1, 4))}


def part(folder):
    """Two posts: "a", and the second image of "b"."""
    picture = small.png(1, 2, 3)
    rows = [
        {"post_id": "reddit:a", "image": picture, "label": 0, "image_sha256": "a"},
        {"post_id": "reddit:b", "image": picture, "label": 1, "image_sha256": "b", "image_index": 1},
    ]
    small.release(folder / "tiny", {"train": rows, "validation": rows, "test": rows})
    release = load("tiny", folder, cache=folder / "cache")
    return release, release.parts["train"]


@pytest.mark.slow
@pytest.mark.parametrize("boxed", [True, False])
@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_regions_of_a_file_are_read_by_post_and_padded(kind, boxed, tmp_path):
    release, posts = part(tmp_path)
    path = tmp_path / f"r.{kind}"
    write = np.savez if kind == "npz" else lambda where, **arrays: save_file(arrays, where)
    write(path, **FEATURES, **(BOXES if boxed else {}))
    found = read_regions(path, posts)
    assert (found.width, found.number, found.has_boxes) == (3, 2, boxed)
    boxes = list(BOXES.values()) if boxed else [np.zeros((2, 4)), np.zeros((1, 4))]
    expected = np.zeros((2, 2, 3 + BOX))
    expected[0] = np.column_stack([FEATURES["reddit:a"], boxes[0], [1, 1]])
    expected[1, 0] = [*np.ones(3), *boxes[1][0], 1]
    np.testing.assert_array_equal(found.rows.reshape(2, 2, 8), expected)
    encoder = inputs.computed_regions(release, path)
    np.testing.assert_array_equal(encoder.of(posts), expected)
    assert encoder.name == f"2 of {path.name}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"reddit:b#1": None},
            "has no regions of the post 'reddit:b#1': compute them, or take --regions grid",
        ),
        (
            {"reddit:a": None, "reddit:b#1": None},
            "has no regions of the post 'reddit:a' and 1 more post: compute them, or take --regions grid",
        ),
        ({"reddit:b#1": np.ones((1, 4))}, "has features of different widths: 3, 4"),
        ({"reddit:a": np.ones(3)}, "'reddit:a' has the shape (3,), not (regions, width)"),
        ({"reddit:a": np.full((2, 3), np.nan)}, "the array 'reddit:a' has NaN or infinite features"),
        ({"reddit:a.boxes": np.ones((3, 4))}, "the boxes of 'reddit:a' have the shape (3, 4), not (2, 4)"),
        ({"reddit:a.boxes": None}, "the boxes of 'reddit:a' have the shape (0,), not (2, 4)"),
        (
            {"reddit:a.boxes": np.full((2, 4), 7.0)},
            "a box of 'reddit:a' is outside of 0 to 1: divide by the image's width and height",
        ),
    ],
)
def test_a_file_that_does_not_fit_the_release_is_one_line(changes, told, tmp_path):
    _, posts = part(tmp_path)
    arrays = {name: one for name, one in (FEATURES | BOXES | changes).items() if one is not None}
    np.savez(tmp_path / "r.npz", **arrays)
    with pytest.raises(BaselineError) as error:
        read_regions(tmp_path / "r.npz", posts)
    said = str(error.value).removeprefix(f"--regions {str(tmp_path / 'r.npz')!r}").lstrip(": ")
    assert said == told


@pytest.mark.slow
def test_a_file_that_holds_no_arrays_is_one_line(tmp_path):
    _, posts = part(tmp_path)
    for name in ("r.npz", "r.safetensors"):
        (tmp_path / name).write_bytes(b"no arrays")
        with pytest.raises(BaselineError, match=r"^--regions '.*' can't be read \(.*\): give grid, "):
            read_regions(tmp_path / name, posts)
