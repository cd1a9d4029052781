"""Edited copies are near to a view of the picture; the search of views against all pairs."""

import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from curation.duplicates.across import link_across
from curation.duplicates.components import ALONE, Forest, merge
from curation.duplicates.detector import Asked
from curation.duplicates.dhash import DETECTOR, Dhash, difference_hash
from curation.duplicates.pdq import DETECTOR as PDQ
from curation.duplicates.pdq import Pdq
from curation.duplicates.views import link_views, stored


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
    assert linked(hashes, others, distance) == linked_by_all_pairs(hashes, others, distance)


def test_the_search_links_just_what_is_within_the_distance_among_hashes_that_share_most_bits():
    rng = np.random.default_rng(0)
    hashes, others = (rng.integers(0, 2**14, (n, 1), dtype=np.uint64) << np.uint64(30) for n in (1500, 2000))
    assert linked(hashes, others, 1) == linked_by_all_pairs(hashes, others, 1)


def linked(hashes, others, distance):
    forest = Forest(len(hashes) + len(others))
    rows = np.arange(len(forest.parent))
    link_across(forest, hashes, rows[: len(hashes)], others, rows[len(hashes) :], distance)
    return forest.labels().tolist()


def linked_by_all_pairs(hashes, others, distance):
    forest = Forest(len(hashes) + len(others))
    where = np.unique(hashes, axis=0, return_inverse=True)[1]
    forest.link_equal(np.arange(len(hashes)), where.reshape(-1))
    apart = np.bitwise_count(hashes[:, None] ^ others[None]).sum(axis=2, dtype=int)
    left, right = np.nonzero(apart <= distance)
    forest.link(left, right + len(hashes))
    return forest.labels().tolist()


@settings(deadline=None, max_examples=200)
@given(
    st.integers(1, 3),
    st.lists(st.lists(st.sampled_from([0, 1, 7, 15, 2**40, 2**40 + 3, 2**64 - 1]), min_size=3, max_size=3)),
)
def test_a_row_is_linked_by_its_own_hashes_and_never_by_two_views(own, rows):
    def tells(hashes):
        return hashes[:, 0] > 0

    def near(one, other):
        pairs = [(a, b) for a in one[:own] for b in other] + [(a, b) for a in one for b in other[:own]]
        return any(min(a, b) > 0 and (a ^ b).bit_count() <= 3 for a, b in pairs)

    found = link_views(
        len(rows), np.arange(len(rows)), np.array(rows, np.uint64).reshape(-1, 3, 1), 3, tells, own
    )
    pairs = [(i, j) for i in range(len(rows)) for j in range(i) if near(rows[i], rows[j])]
    forest = Forest(len(rows))
    forest.link(*np.array(pairs, dtype=np.int64).reshape(-1, 2).T)
    in_pairs = {row for pair in pairs for row in pair}
    labels = enumerate(forest.labels().tolist())
    assert found.tolist() == [label if row in in_pairs else ALONE for row, label in labels]


def test_fingerprints_are_read_from_slices_and_chunks_with_nulls():
    prints = [number.to_bytes(8, "big") + b"\xff" * 8 for number in range(6)]
    first = pa.array([prints[0], prints[1], None, prints[2]], pa.binary()).slice(1)
    column = pa.chunked_array([first, pa.array([None, None], pa.binary()), pa.array(prints[3:], pa.binary())])
    rows, hashes = stored(column, 1)
    assert rows.tolist() == [0, 2, 5, 6, 7]
    assert hashes[:, 0, 0].tolist() == [1, 2, 3, 4, 5]
    assert (hashes[:, 1, 0] == 2**64 - 1).all()
    rows, hashes = stored(pa.chunked_array([pa.nulls(2, pa.binary())]), 1)
    assert (rows.tolist(), len(hashes)) == ([], 0)


def test_a_distance_that_the_search_cannot_find_is_refused():
    none = np.empty((0, 4), np.uint64)
    with pytest.raises(ValueError, match="a distance of 32 bits: give 0 to 31 of 256"):
        link_across(Forest(0), none, np.empty(0, np.int64), none, np.empty(0, np.int64), 32)
