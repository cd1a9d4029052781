"""Full and read-only disks, damaged files: each is an error of one line, and no temporary file is left."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affectory.core.errors import AffectoryError, BaselineError
from affectory.encoders.feature_cache import FeatureCache
from affectory.encoders.image.backbones import load_backbone, save_backbone
from baselines.data.release import load
from baselines.training.checkpoint import read
from tests import disks
from tests.baselines import networks, small
from tests.baselines.test_backbones import vit_folder
from tests.baselines.test_features import backbone
from tests.curation.test_damaged import bad_page, no_json

POSTS = {
    split: [{"post_id": f"reddit:{split}{n}", "label": n % 2, "text": f"a day {n}"} for n in range(4)]
    for split in ("train", "validation", "test")
}


def left(folder):
    return sorted(path.name for path in folder.rglob("*.tmp"))


@pytest.mark.slow
def test_a_checkpoint_that_finds_the_disk_full_leaves_nothing(tmp_path):
    with disks.small(tmp_path / "disk", "4k"):
        path = tmp_path / "disk" / "joint-seed0.pt"
        with pytest.raises(AffectoryError, match=r"^joint-seed0.pt can't be written to .*: No space left on"):
            networks.checkpoint("joint").write(path)
        assert list(path.parent.iterdir()) == []


@pytest.mark.slow
def test_a_backbone_that_finds_the_disk_full_leaves_nothing(tmp_path):
    vit_folder(tmp_path / "vit", pooler=False)
    with disks.small(tmp_path / "disk", "16k"):
        for name, path in (("shufflenet_v2_x0_5", "w.safetensors"), (str(tmp_path / "vit"), "w")):
            with pytest.raises(
                AffectoryError, match=rf"^{path} can't be written to .*disk': No space left on"
            ):
                save_backbone(load_backbone(name, "random"), tmp_path / "disk" / path)
            assert list((tmp_path / "disk").iterdir()) == []


@pytest.mark.slow
def test_features_that_find_the_disk_full_leave_nothing_unfinished(tmp_path):
    digests = [f"{n:064x}" for n in range(400)]
    features = np.zeros((400, backbone().dim), np.float16)
    with disks.small(tmp_path / "disk", "64k"):
        store = FeatureCache(tmp_path / "disk", backbone())
        with store.locked(lambda: None):
            store.add(digests, features)
            filler = tmp_path / "disk" / "filler"
            with pytest.raises(OSError, match="No space left"), filler.open("wb") as file:
                while True:
                    file.write(b"x" * 512)
                    file.flush()
            more = [f"{n:064x}" for n in range(400, 9000)]
            with pytest.raises(AffectoryError, match=r"^part-\S+ can't be written to "):
                store.add(more, np.zeros((len(more), store.dim), np.float16))
            # in a memory map, the full disk would be SIGBUS
            with pytest.raises(AffectoryError, match=r"^pack-\S+ can't be written to .*: No space left on"):
                store.pack(digests)
        assert left(tmp_path / "disk") == []
        assert store.missing(digests) == []


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_one_line(tmp_path):
    small.release(tmp_path / "datasets" / "mine", POSTS)
    (tmp_path / "full").mkdir()
    with (
        disks.read_only(tmp_path / "full"),
        pytest.raises(BaselineError, match=r"can't be loaded \(.*Read-only file system\): .* with --cache"),
    ):
        load("mine", tmp_path / "datasets", cache=tmp_path / "full" / "cache")
    with (
        disks.small(tmp_path / "small", "4k"),
        pytest.raises(BaselineError, match=r"can't be loaded \(.*space"),
    ):
        load("mine", tmp_path / "datasets", cache=tmp_path / "small" / "cache")


def bad_text(folder):
    for path in folder.glob("*.parquet"):
        table = pq.read_table(path)
        column = pa.array([b"caf\xe9"] * len(table), pa.binary()).view(pa.string())
        place = table.column_names.index("text")
        table = table.set_column(place, table.schema.field("text"), column)
        pq.write_table(table, out := io.BytesIO())
        path.write_bytes(out.getvalue())


@pytest.mark.slow
@pytest.mark.parametrize("damage", [no_json, bad_page, bad_text])
def test_a_damaged_release_is_one_line(tmp_path, damage):
    folder = small.release(tmp_path / "datasets" / "mine", POSTS) / "1.0.0"
    damage(folder)
    with pytest.raises(AffectoryError, match=rf"{folder}.* is damaged") as raised:
        load("mine", tmp_path / "datasets", cache=tmp_path / "cache")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "content", [b"not weights\n", b"", b"\x80", b"\xff\xd8\xff\xe0\0\x10JFIF", b"(lp0\nI1\n."]
)
def test_a_file_of_something_else_is_neither_weights_nor_a_checkpoint(tmp_path, content):
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    with pytest.raises(BaselineError, match=r"can't be read as weights|holds no state dict"):
        load_backbone("resnet18", path)
    with pytest.raises(BaselineError, match="is not a checkpoint of affectory"):
        read(path)
