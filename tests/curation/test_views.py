"""Edited copies are near to a view of the picture; the search of views against all pairs."""

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageOps

from curation.duplicates.across import link_across
from curation.duplicates.components import Forest, merge
from curation.duplicates.detector import Asked
from curation.duplicates.dhash import DETECTOR, Dhash, difference_hash
from curation.duplicates.pdq import DETECTOR as PDQ
from curation.duplicates.pdq import Pdq


def picture(seed=0, size=(200, 150)):
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def cropped(image, share):
    x, y = round(image.width * share), round(image.height * share)
    return image.crop((x, y, image.width - x, image.height - y))


def saved(image):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return Image.open(io.BytesIO(out.getvalue())).convert("RGB")


EDITS = {
    "mirrored": ImageOps.mirror,
    "cropped": lambda image: cropped(image, 0.1),
    "off the bottom": lambda image: image.crop((0, 0, 200, 142)),
    "bordered": lambda image: ImageOps.expand(image, 13, "black"),
    "turned": lambda image: image.rotate(2, Image.Resampling.BICUBIC),
    "squashed": lambda image: image.resize((120, 150)),
}


def grouped(detector, options, images, *, drop=False):
    of = detector.fingerprint(options)
    table = {"image_hash": pa.array([difference_hash(one) for one in images], pa.uint64())}
    if of:
        table[options.column] = pa.array([of(one.convert("L")) for one in images], pa.binary())
    labels = detector.groups(pa.table(table), Asked(options, drop))
    return merge(np.arange(len(images)), labels).tolist()


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize(("detector", "options"), [(DETECTOR, Dhash(use="dhash")), (PDQ, Pdq(use="pdq"))])
def test_an_edited_copy_is_grouped_and_another_picture_is_not(detector, options, edit):
    images = [picture(), picture(1), saved(EDITS[edit](picture())), picture(2)]
    labels = grouped(detector, options, images)
    assert labels == [0, 1, 0, 3]


def test_views_of_different_pictures_link_no_pictures():
    images = [picture(0), picture(1)]
    both = [cropped(one, 0.1) for one in images]
    assert grouped(DETECTOR, Dhash(use="dhash"), images + both) == [0, 1, 0, 1]


def test_a_policy_drops_no_copy_that_is_near_to_a_view_alone():
    images = [picture(), ImageOps.mirror(picture()), saved(picture())]
    for detector, options in ((DETECTOR, Dhash(use="dhash")), (PDQ, Pdq(use="pdq"))):
        assert grouped(detector, options, images, drop=True) == [0, 1, 0]
        assert grouped(detector, options.model_copy(update={"views": False}), images) == [0, 1, 0]
        assert grouped(detector, options, images) == [0, 0, 0]


def test_plain_pictures_have_no_near_views():
    plain = [Image.new("RGB", (60, 40), colour) for colour in ("black", "white")]
    falling = [Image.linear_gradient("L").rotate(angle).convert("RGB") for angle in (90, 270)]
    assert grouped(DETECTOR, Dhash(use="dhash"), plain + falling) == [0, 1, 2, 3]
    assert grouped(PDQ, Pdq(use="pdq"), plain) == [0, 1]


@pytest.mark.parametrize(("words", "distance"), [(1, 0), (1, 1), (1, 3), (4, 9), (4, 31)])
def test_the_search_links_just_what_is_within_the_distance(words, distance):
    rng = np.random.default_rng(words + distance)
    hashes = rng.integers(0, 2**64, (60, words), dtype=np.uint64)
    others = hashes[rng.integers(0, 60, 200)]
    flips = rng.integers(max(0, distance - 2), distance + 3, 200)
    for other, number in enumerate(flips):
        for bit in rng.choice(64 * words, number, replace=False):
            others[other, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    forest = Forest(260)
    link_across(forest, hashes, np.arange(60), others, np.arange(60, 260), distance)
    apart = np.bitwise_count(hashes[:, None] ^ others[None]).sum(axis=2, dtype=int)
    expected = Forest(260)
    left, right = np.nonzero(apart <= distance)
    expected.link(left, right + 60)
    assert forest.labels().tolist() == expected.labels().tolist()


def test_a_distance_that_the_search_cannot_find_is_refused():
    none = np.empty((0, 4), np.uint64)
    with pytest.raises(ValueError, match="a distance of 32 bits: give 0 to 31 of 256"):
        link_across(Forest(0), none, np.empty(0, np.int64), none, np.empty(0, np.int64), 32)
