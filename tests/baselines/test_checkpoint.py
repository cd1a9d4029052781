import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from baselines.settings import MODELS, Settings, TextSettings

from affectory.core.errors import BaselineError
from baselines.training.checkpoint import Checkpoint, Source, fingerprint, read
from tests.baselines import networks

ROOT = Path(__file__).parents[2]
SOURCE = Source("mobilenet_v2", "weights.pth", 225, "3f1c9a2b00112233", 5)


@pytest.mark.parametrize("model", MODELS)
def test_a_network_that_was_written_says_the_same_when_it_is_read(model, tmp_path):
    one = networks.checkpoint(model, source=SOURCE)
    path = tmp_path / "deep" / f"{model}-seed0.pt"
    one.write(path)
    again = read(path)
    expected = networks.probabilities(one)
    assert torch.equal(networks.probabilities(again), expected)
    assert torch.equal(again.tokens(networks.TEXTS), one.tokens(networks.TEXTS))
    assert expected.std(0).max() > 0.01
    assert [path.name for path in path.parent.iterdir()] == [path.name]


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from tests.baselines import networks

def half(content, path):
    path.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)

torch.save = half
networks.checkpoint("joint").write(Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_run_that_was_killed_while_it_wrote_leaves_nothing_behind_the_next(tmp_path):
    path = tmp_path / "joint-seed0.pt"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    networks.checkpoint("joint").write(path)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_all_that_is_told_of_a_network_comes_back(tmp_path):
    one = networks.checkpoint("joint", source=SOURCE)
    one.write(tmp_path / "joint.pt")
    again = read(tmp_path / "joint.pt")
    assert replace(again, state={}) == replace(one, state={})
    assert again.image_source() == SOURCE
    networks.checkpoint("late", source=SOURCE).write(tmp_path / "late.pt")
    late = read(tmp_path / "late.pt")
    assert [part.model for part in late.parts] == ["image", "text"]
    assert late.image_source() == SOURCE
    assert networks.checkpoint("text").image_source() is None


def test_a_network_that_was_given_up_keeps_its_reason(tmp_path):
    Checkpoint("joint", networks.CLASSES, Settings(), 3, {}, problem="no number").write(tmp_path / "x.pt")
    assert read(tmp_path / "x.pt").problem == "no number"


def test_late_fusion_is_the_product_of_its_parts():
    late = networks.checkpoint("late")
    image, text = (networks.probabilities(part) for part in late.parts)
    product = image * text
    expected = product / product.sum(-1, keepdim=True)
    torch.testing.assert_close(networks.probabilities(late)[:2], expected[:2])
    torch.testing.assert_close(networks.probabilities(late)[2], image[2])  # there is no text


class Evil:
    def __reduce__(self):
        return print, ("this must not be run",)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no zip at all", "is not a checkpoint of affectory: UnpicklingError"),
        (b"", "is not a checkpoint of affectory: EOFError"),
        ({"state_dict": {}}, "is not a checkpoint of affectory: KeyError"),
        ([1, 2], "is not a checkpoint of affectory: TypeError"),
        ({"version": 2, "checkpoint": {"model": "joint"}}, "is not a checkpoint of affectory: KeyError"),
        ({"version": 99}, "has version 99, this program reads 2"),
        ({"version": 2, "checkpoint": Evil()}, "is not a checkpoint of affectory: UnpicklingError"),
    ],
)
def test_other_files_are_refused_in_one_line(content, told, tmp_path, capsys):
    path = tmp_path / "other.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(BaselineError) as error:
        read(path)
    assert str(error.value).endswith(f"'{path}' {told}")
    assert "\n" not in str(error.value)
    assert capsys.readouterr().out == ""


def test_a_checkpoint_that_is_not_there_says_where_they_are(tmp_path):
    with pytest.raises(BaselineError) as error:
        read(tmp_path / "none.pt")
    assert str(error.value) == (
        f"the checkpoint '{tmp_path / 'none.pt'}' can't be read: No such file or directory; "
        "python -m baselines.run NAME writes them to results/NAME/VERSION/checkpoints"
    )


def test_the_fingerprint_tells_all_apart_that_makes_another_network():
    base = ("data", "joint", Settings(), 0)
    others = [
        ("other data", *base[1:]),
        ("data", "common", *base[2:]),
        ("data", "joint", Settings(lr=0.06), 0),
        ("data", "joint", TextSettings(), 0),
        ("data", "joint", Settings(), 1),
    ]
    marks = {fingerprint(*one) for one in (base, *others)}
    assert len(marks) == 6
    assert fingerprint(*base) in marks
