"""Features of images that are forgotten: their rows leave every file of every network."""

from dataclasses import dataclass

import numpy as np
import pytest

from affectory.core.errors import BaselineError
from affectory.encoders.feature_cache import FeatureCache, caches, forget


@dataclass(frozen=True)
class Encoder:
    key: str
    name: str = "net"
    dim: int = 2
    weights_sha256: str = "w"
    preprocessing: str = "none"


def features(*numbers):
    return np.array([[n, n] for n in numbers], np.float16)


def full(folder, key="a"):
    """Fill a cache: images 1 to 4 in a pack, 5 and 1 in a part."""
    cache = FeatureCache(folder, Encoder(key))
    with cache.locked(lambda: None):
        cache.add(["d1", "d2", "d3", "d4"], features(1, 2, 3, 4))
        cache.pack(["d4", "d1", "d3", "d2", "d1"])
        cache.add(["d5", "d6"], features(5, 6))
    return cache


def test_the_rows_of_images_leave_packs_and_parts_of_every_network(tmp_path):
    one, other = full(tmp_path, "a"), full(tmp_path, "b")
    assert forget(tmp_path, {"d1", "d5", "unknown"}) == 6
    for cache in (one, other):
        assert cache.missing(["d1", "d2", "d3", "d4", "d5", "d6"]) == ["d1", "d5"]
        assert cache.packed(["d4", "d3", "d2"]).tolist() == [[4, 4], [3, 3], [2, 2]]
        assert cache.rows_of({"d1", "d5"}) == 0
    listed = b"".join(path.read_bytes() for path in tmp_path.rglob("*.txt"))
    assert b"d1" not in listed and b"d5" not in listed
    assert len(list(one.folder.glob("*.npy"))) == len(list(one.folder.glob("*.txt"))) == 2
    assert forget(tmp_path, {"d1", "d5"}) == 0


def test_a_file_that_is_left_without_rows_goes_and_a_damaged_one_too(tmp_path):
    cache = full(tmp_path)
    next(cache.folder.glob("pack-*.npy")).write_bytes(b"half a file")
    assert forget(tmp_path, {"d1", "d5", "d6"}) == 4
    assert [path.name for path in cache.folder.glob("p*-*")] == []


def test_what_a_killed_process_left_between_features_and_their_list_is_completed(tmp_path):
    cache = full(tmp_path)
    (cache.folder / "part-0123456789abcdef.npy").write_bytes(b"features without a list")
    (cache.folder / "17.tmp").write_bytes(b"features without a name")
    assert forget(tmp_path, {"d1"}) == 2
    assert not list(cache.folder.glob("*.tmp")) and not list(cache.folder.glob("part-0123*"))


def test_no_cache_forgets_nothing_and_one_that_can_not_be_read_is_named(tmp_path):
    assert forget(tmp_path / "none", {"d1"}) == 0
    full(tmp_path)
    (tmp_path / "a" / "about.json").write_text("{}")
    with pytest.raises(BaselineError, match=r"a/about.json can't be read \(KeyError\('backbone'\)\)"):
        list(caches(tmp_path))
