"""`accelerate launch -m baselines.run`: several processes train a network, and one does all the rest."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from affectory.core.errors import AffectoryError
from baselines import run
from baselines.results.schema import read as read_results
from baselines.training import launch
from baselines.training.checkpoint import read
from baselines.training.steps import Steps
from tests.baselines import small
from tests.baselines.test_memes_transformers import SMALL, STILL
from tests.encoders.test_hub_encoders import tokenizer

ROOT = Path(__file__).parents[2]

#: The command, which notes the loss of each step in $LOSSES, and is killed at that of number $KILLED.
COMMAND = """
import os, signal, sys
sys.path.insert(0, {root!r})
from baselines import run
from baselines.training.steps import Steps

step, done = Steps._step, []

def noted(self, *given, **more):
    loss = step(self, *given, **more)
    done.append(loss)
    if not launch.is_helper():
        with open(os.environ["LOSSES"], "a") as file:
            print(loss, file=file)
        if len(done) == int(os.environ.get("KILLED", 0)):
            os.kill(os.getpid(), signal.SIGKILL)
    return loss

if __name__ == "__main__":
    from baselines.training import launch
    Steps._step = noted
    sys.exit(run.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a small release and a small ViLT, whose mini-batches of 7 leave one of a single post."""
    pytest.importorskip("accelerate", reason="accelerate isn't installed")
    folder = tmp_path_factory.mktemp("launch")
    small.learnable(folder / "datasets" / "tiny", sizes=(29, 9, 9), unlabelled=0)
    vocabulary = tokenizer(folder / "vilt", "[CLS]", "[SEP]", model_max_length=8)
    sizes = {"model_type": "vilt", "num_hidden_layers": 1, "image_size": 16, "patch_size": 8}
    config = SMALL | STILL | sizes | {"vocab_size": len(vocabulary)}
    (folder / "vilt" / "config.json").write_text(json.dumps(config))
    (folder / "command.py").write_text(COMMAND.format(root=str(ROOT)))
    return folder


def arguments(home, out, *models):
    places = [f"--{name}={home / name}" for name in ("datasets", "cache", "features")]
    changes = [f"vilt.network={home / 'vilt'}", "vilt.random=true", "vilt.batch=7", "vilt.epochs=3"]
    changes += ["vilt.lr=0.003", "vilt.dropout=0"]
    quick = ["--device", "cpu", "--seeds", "1", "--pixels", "16", f"--out={out}"]
    return ["tiny", *places, *quick, "--models", *models, "--set", *changes]


@pytest.fixture(scope="module")
def alone(home):
    """The loss of each step in one process, and the network."""
    losses, step = [], Steps._step

    def noted(*given, **more):
        losses.append(step(*given, **more))
        return losses[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "is_launched", lambda: True)  # so that it is trained in this process
        patch.setattr(Steps, "_step", noted)
        assert run.main(arguments(home, home / "alone", "vilt")) == 0
    return losses, network(home / "alone")


def network(out):
    return read(out / "tiny" / "1.0.0" / "checkpoints" / "vilt-seed0.pt")


def launched(home, out, *models, **more):
    """Run the command in two processes, as `accelerate launch` does where there are GPUs."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    given = [*start, str(home / "command.py"), *arguments(home, out, *models)]
    told = os.environ | {"LOSSES": str(out.with_suffix(".txt")), "OMP_NUM_THREADS": "1"} | more
    return subprocess.run(given, cwd=ROOT, env=told, capture_output=True, text=True, check=False, timeout=900)


def losses_of(out):
    return [float(line) for line in out.with_suffix(".txt").read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_train_as_one_does_and_one_does_the_rest(home, alone, tmp_path):
    out = tmp_path / "two"
    done = launched(home, out, "vilt", "tfidf")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "deprecated" not in done.stderr
    losses, whole = alone
    assert len(losses) == 3 * 5
    assert losses_of(out) == pytest.approx(losses, rel=1e-4)
    found = network(out)
    assert (found.epoch, found.history) == (whole.epoch, whole.history)
    assert found.likelihood == pytest.approx(whole.likelihood, abs=1e-3)  # in half precision
    folder = out / "tiny" / "1.0.0"
    assert done.stdout.count("results.html") == 1
    assert done.stderr.count("vilt seed 0: epoch ") == done.stderr.count("tfidf seed 0: epoch ") == 1
    assert [row.model for row in read_results(folder).rows] == ["vilt", "tfidf"]
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == [
        "tfidf-seed0.pt",
        "vilt-seed0.pt",
    ]


@pytest.mark.parametrize(
    ("device", "told"),
    [
        (
            "cuda:1",
            "--device cuda:1 can't be shared by 2 processes: give cuda, of which each takes a GPU of its "
            "own, or cpu",
        ),
        (
            "cuda",
            "2 processes were started, and this machine has 1 GPUs: start as many with --num_processes, or "
            "give --device cpu",
        ),
        (
            "cpu",
            "a launch of 2 processes needs Accelerate: pip install 'affectory[finetune]' (or uv sync --extra "
            "finetune)",
        ),
    ],
)
def test_what_several_processes_can_t_share_is_one_line(device, told, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(AffectoryError) as error, launch.main_process(torch.device(device)):
        pass
    assert str(error.value) == told


def test_an_error_that_all_processes_find_is_told_by_the_main_one_alone(monkeypatch, capfd):
    monkeypatch.setenv("WORLD_SIZE", "2")
    before = signal.getsignal(signal.SIGINT)
    try:
        for rank, told in (("0", "error: --seeds 0 is below 1\n"), ("1", "")):
            monkeypatch.setenv("RANK", rank)
            assert run.main(["tiny", "--seeds", "0"]) == 2
            assert capfd.readouterr() == ("", told)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.long
def test_a_launch_that_was_killed_goes_on_after_its_last_epoch_to_the_same_end(home, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "killed"
    assert launched(home, whole, "vilt").returncode == 0
    assert launched(home, out, "vilt", KILLED="7").returncode != 0  # in the second epoch
    assert [path.name for path in out.rglob("*.pt")] == ["vilt-seed0-unfinished.pt"]
    done = launched(home, out, "vilt")
    assert done.returncode == 0, done.stderr[-3000:]
    losses, (one, other) = losses_of(whole), (network(whole), network(out))
    assert losses_of(out) == losses[:7] + losses[5:]
    assert (one.epoch, one.history, one.likelihood) == (other.epoch, other.history, other.likelihood)
    assert all(torch.equal(tensor, other.state[name]) for name, tensor in one.state.items())
    assert [path.name for path in out.rglob("*.pt")] == ["vilt-seed0.pt"]
