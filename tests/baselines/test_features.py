import hashlib
import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from affectory.core import progress
from affectory.core.errors import BaselineError
from affectory.encoders.feature_cache import FeatureCache
from affectory.encoders.image.backbones import Backbone, Network
from affectory.encoders.image.features import Forward, ImageRef, extract
from baselines.data import images

ROOT = Path(__file__).parents[2]


def to_pixels(image):
    return torch.from_numpy(np.asarray(image.resize((8, 8)), np.float32).copy()).permute(2, 0, 1) / 255


class Counting(nn.Module):
    """Means and maxima of the colours: 6 features. Counts the images it has seen."""

    def __init__(self):
        super().__init__()
        self.seen = 0
        self.lock = threading.Lock()

    def forward(self, pixels):
        with self.lock:
            self.seen += len(pixels)
        return torch.cat([pixels.mean((2, 3)), pixels.amax((2, 3))], 1)


def backbone(weights="0" * 64, module=None):
    network = Network(module or Counting(), to_pixels, "resize 8", 8)
    return Backbone("colours", 6, weights[:16], weights, network)


def ref(number, size=(8, 8)):
    out = io.BytesIO()
    Image.new("RGB", size, (number % 256, number // 256 % 256, 30)).save(out, "PNG")
    data = out.getvalue()
    return ImageRef(f"reddit:{number}", hashlib.sha256(data).hexdigest(), lambda: data)


def expected(*numbers):
    colours = [[n % 256 / 255, n // 256 % 256 / 255, 30 / 255] * 2 for n in numbers]
    return np.array(colours, np.float16).reshape(-1, 6)


def test_features_are_half_precision_in_the_order_of_the_images_and_memory_mapped(tmp_path):
    found = extract([ref(n) for n in (3, 1, 2)], backbone(), tmp_path)
    assert found.dtype == np.float16
    assert isinstance(found, np.memmap)
    np.testing.assert_allclose(found, expected(3, 1, 2), atol=1e-3)


def test_a_second_call_runs_no_network(tmp_path):
    net = backbone()
    first = extract([ref(n) for n in range(9)], net, tmp_path)
    again = extract([ref(n) for n in range(9)], net, tmp_path)
    assert net.module.seen == 9
    assert (first == again).all()


def test_another_release_extracts_only_what_is_new_to_it(tmp_path):
    net = backbone()
    extract([ref(n) for n in (0, 1, 2, 3)], net, tmp_path)
    found = extract([ref(n) for n in (7, 3, 1, 3, 7)], net, tmp_path)
    assert net.module.seen == 5  # 7 alone, and once
    np.testing.assert_allclose(found, expected(7, 3, 1, 3, 7), atol=1e-3)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 400), max_size=30), max_size=4))
def test_any_requests_one_after_another_are_answered_right_and_no_image_is_run_twice(requests):
    import tempfile

    net = backbone()
    with tempfile.TemporaryDirectory() as folder:
        for numbers in requests:
            found = extract([ref(n) for n in numbers], net, Path(folder), batch=7)
            np.testing.assert_allclose(found, expected(*numbers), atol=1e-3)
    assert net.module.seen == len({n for numbers in requests for n in numbers})


def test_other_weights_and_another_preprocessing_have_features_of_their_own(tmp_path):
    extract([ref(1)], backbone(), tmp_path)
    other = backbone("1" * 64)
    extract([ref(1)], other, tmp_path)
    wider = Backbone("colours", 6, "0" * 16, "0" * 64, Network(Counting(), to_pixels, "resize 9", 8))
    extract([ref(1)], wider, tmp_path)
    assert (other.module.seen, wider.module.seen) == (1, 1)
    assert len(list(tmp_path.iterdir())) == 3


def test_an_error_in_the_middle_keeps_what_was_finished(tmp_path):
    images = [ref(n) for n in range(20)]
    broken = ImageRef("reddit:bad", "f" * 64, lambda: b"\xff\xd8\xff\xe0 no image")
    with pytest.raises(BaselineError, match="the image of post reddit:bad can't be decoded"):
        extract([*images[:12], broken, *images[12:]], backbone(), tmp_path, batch=4)
    net = backbone()
    extract(images, net, tmp_path, batch=4)
    assert net.module.seen == 8


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from affectory.encoders.image import features
from baselines.data import images
from tests.baselines.test_features import backbone, ref, Counting
features.FLUSH_SECONDS = 0.0

class Deadly(Counting):
    def forward(self, pixels):
        if len(list(Path({cache!r}).glob("*/part-*.txt"))) >= 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(pixels)

features.extract([ref(n) for n in range(40)], backbone(module=Deadly()), Path({cache!r}), batch=4)
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped(tmp_path):
    program = KILLED.format(root=str(ROOT), cache=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    (folder,) = tmp_path.iterdir()
    assert list(folder.glob("pack-*")) == []
    stored = sum(len(path.read_text().split()) for path in folder.glob("part-*.txt"))
    assert 20 <= stored < 40
    net = backbone()
    found = extract([ref(n) for n in range(40)], net, tmp_path)
    assert net.module.seen == 40 - stored
    np.testing.assert_allclose(found, expected(*range(40)), atol=1e-3)
    assert sorted(path.name.partition("-")[0] for path in folder.iterdir()) == [
        "about.json",
        "lock",
        "pack",
        "pack",
    ]


def test_a_file_whose_list_was_never_written_is_removed(tmp_path):
    extract([ref(1)], backbone(), tmp_path)
    (folder,) = tmp_path.iterdir()
    (folder / "part-0123456789abcdef.npy").write_bytes(b"half a file")
    extract([ref(1), ref(2)], backbone(), tmp_path)
    assert list(folder.glob("part-*")) == []


def extract_in_a_process(cache, counts):
    net = backbone()
    found = extract([ref(n) for n in range(60)], net, Path(cache), batch=2)
    np.testing.assert_allclose(found, expected(*range(60)), atol=1e-3)
    counts.put(net.module.seen)


@pytest.mark.slow
def test_two_processes_at_once_share_the_work_of_one(tmp_path):
    context = multiprocessing.get_context("spawn")
    counts = context.Queue()
    processes = [context.Process(target=extract_in_a_process, args=(str(tmp_path), counts)) for _ in range(2)]
    for process in processes:
        process.start()
    seen = sorted(counts.get(timeout=120) for _ in processes)
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert seen == [0, 60]


def test_a_damaged_file_is_computed_again(tmp_path):
    net = backbone()
    extract([ref(n) for n in range(5)], net, tmp_path)
    (pack,) = tmp_path.glob("*/pack-*.npy")
    os.truncate(pack, 100)
    found = extract([ref(n) for n in range(5)], net, tmp_path)
    assert net.module.seen == 10
    np.testing.assert_allclose(found, expected(*range(5)), atol=1e-3)


def test_a_cache_of_another_format_is_refused_with_its_folder(tmp_path):
    extract([ref(1)], backbone(), tmp_path)
    (about,) = tmp_path.glob("*/about.json")
    about.write_text(json.dumps({"format": 99}))
    with pytest.raises(BaselineError, match=r"has format 99, not 1: remove that folder"):
        extract([ref(1)], backbone(), tmp_path)


def test_the_cache_says_what_it_holds(tmp_path):
    store = FeatureCache(tmp_path, backbone())
    assert json.loads((store.folder / "about.json").read_text()) == {
        "format": 1,
        "backbone": "colours",
        "dim": 6,
        "weights": "0" * 64,
        "preprocessing": "resize 8",
    }


def test_no_images_have_no_features(tmp_path):
    assert extract([], backbone(), tmp_path).shape == (0, 6)


class Overfull(Counting):
    """Has room for three images."""

    def forward(self, pixels):
        if len(pixels) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(pixels)


def test_a_batch_that_does_not_fit_is_halved_and_said_so(capsys):
    module = Overfull()
    forward = Forward(module, torch.device("cpu"), 16)
    pixels = torch.rand(20, 3, 8, 8)
    found = forward(pixels)
    np.testing.assert_allclose(found[:, :3], pixels.mean((2, 3)), atol=1e-3)
    assert module.seen == 20
    assert capsys.readouterr().err.splitlines() == [
        "cpu is out of memory: going on with batches of 8",
        "cpu is out of memory: going on with batches of 4",
        "cpu is out of memory: going on with batches of 2",
    ]


class Full(nn.Module):
    def forward(self, pixels):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_device_without_room_for_one_image_is_one_line(tmp_path):
    with pytest.raises(BaselineError, match=r"^cpu has not enough memory for one image: use --device cpu$"):
        extract([ref(1)], backbone(module=Full()), tmp_path)


class Exploding(nn.Module):
    def forward(self, pixels):
        return torch.full((len(pixels), 6), 1e9)  # no half-precision number


def test_features_that_are_no_numbers_name_the_post(tmp_path):
    with pytest.raises(
        BaselineError, match=r"colours gives no finite features for the image of post reddit:5"
    ):
        extract([ref(5)], backbone(module=Exploding()), tmp_path)


def test_progress_is_plain_lines_off_a_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(progress, "PLAIN_EVERY", 0.0)
    monkeypatch.setattr(progress, "LONG", 0.0)
    extract([ref(n) for n in range(10)], backbone(), tmp_path, batch=5)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("features of colours on cpu: 5 of 10, ")
    assert " images/s, " in lines[0]
    assert lines[0].endswith(" left")
    assert lines[2].startswith("features of colours on cpu: 10 images in ")


def test_a_release_gives_its_images_with_the_digest_of_their_own_bytes(tmp_path):
    datasets = pytest.importorskip("datasets")
    from baselines.data.release import Part, Release
    from baselines.data.task import SingleLabel

    pictures = [ref(n).read() for n in (1, 2)]
    rows = {
        "train": datasets.Dataset.from_dict(
            {"image": [{"bytes": pictures[0], "path": "a.png"}, None]},
            datasets.Features({"image": datasets.Image()}),
        ),
        "validation": datasets.Dataset.from_dict(
            {"image": [{"bytes": pictures[1], "path": "b.png"}]},
            datasets.Features({"image": datasets.Image()}),
        ),
    }
    part = Part(
        post_ids=np.array(["b", "none", "a"]),
        image_index=np.zeros(3, np.int16),
        texts=np.array(["", "", ""], object),
        target=np.zeros(3, np.int64),
        labelled=np.ones(3, bool),
        digests=np.array(["as collected", "", "as collected too"], object),
        groups=np.array(["b", "none", "a"]),
        where=np.array([[1, 0], [0, 1], [0, 0]]),
    )
    release = Release("x", "1.0.0", SingleLabel(("joy",)), {"train": part, "validation": part}, rows)
    found = images.image_refs(release, part)
    assert [(image.post_id, image.sha256) for image in found] == [("b", ref(2).sha256), ("a", ref(1).sha256)]
    assert [image.read() for image in found] == [pictures[1], pictures[0]]


def test_on_a_gpu_features_are_those_of_the_cpu(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from affectory.encoders.image.backbones import load_backbone

    images = [ref(n, (64, 48)) for n in range(20)]
    on_gpu = extract(images, load_backbone("resnet18", "random"), tmp_path / "gpu", "cuda").astype(np.float32)
    on_cpu = extract(images, load_backbone("resnet18", "random"), tmp_path / "cpu").astype(np.float32)
    assert np.abs(on_gpu - on_cpu).max() < 0.02 * np.abs(on_cpu).max()


def test_a_network_is_run_in_evaluation_mode(tmp_path):
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.Dropout(0.5)).train()
    forward = Forward(module, torch.device("cpu"), 4)
    pixels = torch.rand(4, 3, 8, 8)
    assert (forward(pixels) == forward(pixels)).all()


def test_the_threads_of_torch_are_as_they_were(tmp_path):
    before = torch.get_num_threads()
    extract([ref(n) for n in range(9)], backbone(), tmp_path)
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert (torch.get_num_threads(), later) == (before, [before])
