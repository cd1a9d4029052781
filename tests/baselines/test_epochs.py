"""How far networks are while they train, as the display shows it."""

import os

import torch

from baselines.models import registry
from baselines.training import jobs
from baselines.training.epochs import UnderWay, now, under_way
from baselines.training.jobs import Job, stored, work
from baselines.training.progress import Progress
from tests.baselines import memory

CPU = torch.device("cpu")


def test_a_network_is_listed_with_its_epoch_while_it_trains(tmp_path):
    with under_way(tmp_path, "joint", (0,)) as tell, under_way(tmp_path, "common", (0, 1, 2)) as tell_other:
        assert now(tmp_path) == [UnderWay("common", (0, 1, 2), 0), UnderWay("joint", (0,), 0)]
        assert [str(one) for one in now(tmp_path)] == ["3 seeds: begun", "seed 0: begun"]
        for epoch in range(1, 12):
            tell(epoch)
        tell_other(1)
        assert [str(one) for one in now(tmp_path)] == ["3 seeds: epoch 2", "seed 0: epoch 12"]
    assert now(tmp_path) == [] == list(tmp_path.iterdir())
    assert now(tmp_path / "gone") == []


def test_every_epoch_of_a_job_is_told(tmp_path):
    settings = registry.spec("image").settings(epochs=3, patience=3)
    kept = tmp_path / "kept"
    kept.touch()
    folder = tmp_path / "epochs"
    folder.mkdir()
    os.link(kept, folder / f"{os.getpid()} image 0")  # the job's file, which it removes
    with stored(memory.data()) as path:
        job = Job("image", registry.entry("image").path, path, settings, (0,), epochs=folder)
        [fitted] = work(job, CPU).fitted
    assert int(kept.read_text()) == len(fitted.history) == 3
    assert list(folder.iterdir()) == []


def test_the_line_and_the_view_say_what_trains_now():
    progress = Progress({"image": 2, "joint": 5})
    with progress, under_way(progress.epochs, "joint", (4,)) as tell:
        tell(7)
        assert progress.line() == "training: 0 of 7 networks, 0 s so far (joint seed 4: epoch 8)"
        rows = progress.view().renderables[1]
        assert [list(column.cells) for column in rows.columns][2] == ["waiting", "seed 4: epoch 8"]
    assert not progress.epochs.exists()


def test_a_killed_run_leaves_no_folder_of_epochs(tmp_path):
    """Its workers remove what it made."""
    data, epochs = tmp_path / "data" / "data.pt", tmp_path / "epochs"
    for folder in (data.parent, epochs):
        folder.mkdir()
    data.touch()
    (epochs / "1 joint 0").touch()
    jobs._delete({data}, {epochs})
    assert list(tmp_path.iterdir()) == []
