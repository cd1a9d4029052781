"""Near groups of hashes against all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.duplicates import near_images
from curation.duplicates.near_images import LEVELS, SMALL, near_groups


def all_pairs(hashes, distance):
    """Label by comparing all pairs."""
    hashes = np.asarray(hashes, dtype=np.uint64)
    labels = np.arange(len(hashes))
    for row, one in enumerate(hashes):
        near = np.unique(labels[: row + 1][np.bitwise_count(hashes[: row + 1] ^ one) <= distance])
        labels[np.isin(labels, near)] = near[0]
    return labels.tolist()


def test_hashes_are_grouped_over_steps_and_named_by_their_first_row():
    hashes = [0b111_000, 0xFFFF_0000, 0b000_000, 0b111_111, 0xFFFF_0001, 0xF0F0_F0F0_F0F0]
    assert near_groups(np.array(hashes, dtype=np.uint64)).tolist() == [0, 1, 0, 0, 1, 5]


def test_three_bits_are_near_and_four_are_not():
    assert near_groups(np.array([0, 0b111], dtype=np.uint64)).tolist() == [0, 0]
    assert near_groups(np.array([0, 0b1111], dtype=np.uint64)).tolist() == [0, 1]


def test_no_hash_makes_no_group():
    assert near_groups(np.array([], dtype=np.uint64)).tolist() == []
    assert near_groups(np.array([7], dtype=np.uint64)).tolist() == [0]


@pytest.mark.parametrize("distance", [-1, 4, 64])
def test_a_distance_that_the_bands_cannot_find_is_refused(distance):
    with pytest.raises(ValueError, match=f"a distance of {distance} bits: .* 0 to 3 bits apart"):
        near_groups(np.array([0], dtype=np.uint64), distance)


def test_at_the_last_level_no_bucket_can_be_large():
    widest = -(-near_images.BITS // LEVELS[-1])
    assert 2 ** (near_images.FARTHEST * widest) <= SMALL


def flipped(base, flips):
    for bit in flips:
        base ^= 1 << bit
    return base


bits = st.integers(0, 63)
anywhere = st.integers(0, 2**64 - 1)
near_some = st.builds(
    flipped, st.sampled_from([0, 2**64 - 1, 0xF0F0_1234_5678_9ABC]), st.lists(bits, max_size=6)
)


@pytest.mark.slow
@given(st.lists(near_some | anywhere, max_size=60), st.integers(0, 3))
def test_groups_are_those_of_all_pairs(hashes, distance):
    found = near_groups(np.array(hashes, dtype=np.uint64), distance)
    assert found.tolist() == all_pairs(hashes, distance)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32),
    st.integers(1, 3),
    st.sampled_from(["cube", "sparse", "band", "even"]),
    st.integers(0, 9),
)
def test_groups_are_those_of_all_pairs_when_every_bucket_is_large(seed, distance, family, most):
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, 300, dtype=np.uint64)
    if family == "cube":
        hashes &= np.uint64(0x0101_0101_0101_0F0F)
    elif family == "sparse":
        for _ in range(3):
            hashes &= rng.integers(0, 2**64, 300, dtype=np.uint64)
    elif family == "band":
        hashes &= np.uint64(0xFFFF_FF00)
    else:
        hashes = hashes & np.uint64(0xFFFF) | (np.bitwise_count(hashes) & np.uint8(1)).astype(
            np.uint64
        ) << np.uint64(40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_images, "SMALL", 0)  # so that all levels are gone through
        patch.setattr(near_images, "PAIRS", most)
        patch.setattr(near_images, "_CHUNK", 64)
        assert near_groups(hashes, distance).tolist() == all_pairs(hashes, distance)


def test_a_few_hashes_beside_a_large_group_are_compared_to_all_of_it():
    cube = np.arange(2048, dtype=np.uint64)
    near, far = 0b101_0101_0101 | 7 << 40, 0b101_0101_0101 | 15 << 50
    search = near_images._Search(np.append(cube, np.array([near, far], dtype=np.uint64)), distance=3)
    search.forest.link(np.arange(2047), np.arange(1, 2048))
    assert search._few_others(np.arange(2050))
    assert search.forest.labels().tolist() == [0] * 2049 + [2049]
    assert not near_images._Search(cube, distance=3)._few_others(
        np.arange(2048)
    )  # no large group: not its job


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(near_some, max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_group(hashes, random):
    hashes = np.array(hashes, dtype=np.uint64)
    order = random.sample(range(len(hashes)), len(hashes))
    groups, permuted = near_groups(hashes), near_groups(hashes[order])
    assert {frozenset(order[i] for i in np.flatnonzero(permuted == g)) for g in permuted} == {
        frozenset(np.flatnonzero(groups == g).tolist()) for g in groups
    }
