import os
import signal
import subprocess
from dataclasses import replace

import pytest
import torch

from affectory.core.errors import BaselineError
from baselines.data.task import SingleLabel
from baselines.models import registry
from baselines.models.duong2017.settings import ImageSettings
from baselines.models.duong2017.text import TextSettings
from baselines.run import main
from baselines.training.checkpoint import Source, read
from baselines.training.jobs import Job, run, stored, work
from baselines.training.loop import fit
from baselines.training.trainer import Ask, combined, train_all
from tests.baselines import memory, networks, toy_model
from tests.programs import at_work

CPU = torch.device("cpu")
IMAGE = "baselines.models.duong2017.image:SPEC"
SETTINGS = {"image": ImageSettings(epochs=3, batch=8), "text": TextSettings(lr=0.3, epoch=3, dim=4)}
SOURCE = Source("resnet18", "random", 33, "random", 5)

#: A run of a job that takes ten minutes to be read.
AT_WORK = """
import sys
from pathlib import Path
import torch
from baselines.training.jobs import Job, run
from baselines.models.duong2017.settings import ImageSettings

class Long:
    def __reduce__(self):
        return exec, ("import time; print('at work', flush=True); time.sleep(600)",)

spec = "baselines.models.duong2017.image:SPEC"
list(run([Job(Long(), spec, Path(sys.argv[1]), ImageSettings(), (0,))], torch.device("cpu"), processes=2))
"""


class Deadly:
    """A process that reads it dies at once and without a word, as if it had been killed."""

    def __reduce__(self):
        return os._exit, (1,)


@pytest.mark.slow
def test_a_killed_process_is_one_line_that_says_what_to_do(tmp_path):
    job = Job(Deadly(), IMAGE, tmp_path / "data.pt", ImageSettings(), (0, 1))
    with pytest.raises(
        BaselineError, match=r"a process that trained was killed, .* continues from the checkpoints"
    ):
        list(run([job], CPU, processes=2))


@pytest.mark.slow
@pytest.mark.parametrize(("by", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_command_that_trains_ends_by_one_line_and_leaves_nothing(tmp_path, by, code):
    data = tmp_path / "affectory-run" / "data.pt"
    data.parent.mkdir()
    data.touch()
    command = AT_WORK.replace("list(run(", "sys.exit(finish(lambda: list(run(").rstrip() + "))\n"
    command = f"from affectory.core.command import finish{command}"
    with at_work(command, data, stderr=subprocess.PIPE) as program:
        (os.kill if by == signal.SIGTERM else os.killpg)(program.pid, by)
        _, err = program.communicate(timeout=60)
    word = "terminated" if by == signal.SIGTERM else "interrupted"
    assert (program.returncode, err) == (
        code,
        f"{word}: finished files are kept; run the same command again\n",
    )
    assert not data.parent.exists()


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_with_their_run_and_leave_nothing(tmp_path, by):
    """SIGKILL hits the run alone; Ctrl-C its processes too, which leave it to the run."""
    data = tmp_path / "affectory-run" / "data.pt"
    data.parent.mkdir()
    data.touch()
    with at_work(AT_WORK, data) as program:
        (os.kill if by == signal.SIGKILL else os.killpg)(program.pid, by)
        program.communicate(timeout=60)  # ends with the last process that holds its output
    assert program.returncode == -by
    assert not data.parent.exists()


def test_an_interrupted_command_is_one_line(capsys, monkeypatch, tmp_path):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("baselines.pipeline.run", interrupted)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text('configs:\n- config_name: "1.0.0"\n')
    assert main(["mine", "--datasets", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "interrupted: finished files are kept; run the same command again\n"


@pytest.mark.slow
@pytest.mark.parametrize("several", [False, True], ids=["single", "several"])
def test_data_in_a_file_train_the_same_networks(several, tmp_path):
    given = memory.data(several=several)
    for model in ("image", "text"):
        spec = registry.spec(model)
        with stored(given) as path:
            assert path.exists()
            done = work(Job(model, registry.entry(model).path, path, SETTINGS[model], (0,)), CPU)
        assert not path.exists()
        [expected] = fit(spec, given.of(spec.inputs), SETTINGS[model], (0,), CPU)
        [found] = done.fitted
        assert found.likelihood == expected.likelihood
        assert all(torch.equal(found.state[name], expected.state[name]) for name in expected.state)


@pytest.mark.parametrize("several", [False, True], ids=["single", "several"])
def test_data_come_back_from_a_file_as_they_were(several):
    given = memory.data(several=several, vectors=True)
    again = type(given).unpacked(given.packed())
    assert (again.task.kind, again.task.names) == (given.task.kind, given.task.names)
    for name in ("words", "image"):
        assert again.digest((name,)) == given.digest((name,))
    assert again.texts == given.texts
    assert again.vectors.rows.keys() == given.vectors.rows.keys()


def asked(folder, given=None, settings=SETTINGS, seeds=(0,), **more):
    return Ask(
        memory.data() if given is None else given, settings, seeds, folder, {"image": SOURCE}, CPU, **more
    )


def trained(ask):
    told = []
    found = train_all(ask, lambda one, known: told.append((one.model, one.seed, known)))
    return found, sorted(told)


@pytest.mark.slow
def test_answers_of_a_model_of_two_modalities_to_one_are_corrected_unless_they_are_left_as_trained(tmp_path):
    kinds = {name: registry.spec(name).settings for name in ("early", "image", "text")}
    settings = {"early": kinds["early"](epochs=2, batch=8), **SETTINGS}
    found, told = trained(asked(tmp_path, settings=settings))
    assert {name: set(by_seed[0].corrections) for name, by_seed in found.items()} == {
        "early": {"image", "text"},
        "image": set(),
        "text": set(),
    }
    given = memory.data()

    def validation(one):
        own = given.validation.inputs
        read = {
            name: own[name] if name in own else torch.from_numpy(encoder.encode(given.texts["validation"]))
            for name, encoder in one.loaded_encoders().items()
        }
        return given.validation._replace(inputs=read)

    assert not combined(asked(tmp_path), ["late"], found)["late"][0].corrections
    [late] = combined(asked(tmp_path), ["late"], found, validation)["late"]
    assert set(late.corrections) == {"image", "text"}
    assert read(asked(tmp_path).path("late", 0)).corrections == late.corrections
    again, told = trained(asked(tmp_path, settings=settings, corrected=False))
    assert told == [("early", 0, False), ("image", 0, True), ("text", 0, True)]
    assert not again["early"][0].corrections
    assert all(
        torch.equal(one, found["early"][0].state[name]) for name, one in again["early"][0].state.items()
    )


@pytest.mark.slow
def test_a_model_that_can_not_be_trained_does_not_stop_the_others_and_is_tried_again(tmp_path):
    """The given vectors have width 4."""
    settings = SETTINGS | {"text": replace(SETTINGS["text"], dim=8)}
    why = "'tiny.txt' holds vectors of width 4, and dim is 8: set dim to 4, or take vectors of width 8"
    given = memory.data(vectors=True)
    found, told = trained(asked(tmp_path, given, settings, seeds=(0, 1)))
    assert told == [("image", 0, False), ("image", 1, False)]
    assert [(one.seed, one.problem) for one in found["text"]] == [(0, why), (1, why)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image-seed0.pt", "image-seed1.pt"]
    with pytest.raises(BaselineError) as error:
        trained(asked(tmp_path, given, {"text": settings["text"]}))
    assert str(error.value) == why


@pytest.mark.slow
def test_networks_are_read_from_disk_until_something_that_they_depend_on_changes(tmp_path):
    first, told = trained(asked(tmp_path))
    assert told == [("image", 0, False), ("text", 0, False)]
    again, told = trained(asked(tmp_path, seeds=(0, 1)))
    assert told == [("image", 0, True), ("image", 1, False), ("text", 0, True), ("text", 1, False)]
    assert [one.seed for one in again["image"]] == [0, 1]
    assert torch.equal(first["image"][0].state["last.weight"], again["image"][0].state["last.weight"])
    other = SETTINGS | {"text": replace(SETTINGS["text"], lr=0.07)}
    assert trained(asked(tmp_path, settings=other))[1] == [("image", 0, True), ("text", 0, False)]
    moved = trained(asked(tmp_path, memory.data(shift=1.0)))[1]
    assert moved == [("image", 0, False), ("text", 0, False)]
    (tmp_path / "image-seed0.pt").write_bytes(b"half a file")
    assert trained(asked(tmp_path, memory.data(shift=1.0)))[1] == [("image", 0, False), ("text", 0, True)]


@pytest.mark.slow
def test_a_network_whose_model_has_other_parameters_now_is_trained_anew(tmp_path):
    ask = asked(tmp_path, settings={"image": SETTINGS["image"]})
    [one] = trained(ask)[0]["image"]
    replace(one, state=one.state | {"more": torch.zeros(1)}).write(tmp_path / "image-seed0.pt")
    assert trained(ask)[1] == [("image", 0, False)]
    assert trained(ask)[1] == [("image", 0, True)]


@pytest.mark.slow
@pytest.mark.parametrize("names", [("joy", "fear", "calm"), ("fear", "joy", "anger")])
def test_networks_of_another_label_set_are_trained_anew(names, tmp_path):
    ask = asked(tmp_path, settings={"image": SETTINGS["image"]})
    trained(ask)
    other = replace(ask, data=replace(ask.data, task=SingleLabel(names)))
    assert trained(other)[1] == [("image", 0, False)]
    assert read(tmp_path / "image-seed0.pt").task.names == names


@pytest.mark.slow
def test_a_checkpoint_says_where_its_features_and_its_posts_are_from(tmp_path):
    note = "36 of 36 posts are generated"
    found, _ = trained(asked(tmp_path, fold=2, generated=note))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image-fold2-seed0.pt", "text-fold2-seed0.pt"]
    image, text = (read(tmp_path / f"{model}-fold2-seed0.pt") for model in ("image", "text"))
    assert (image.source, text.source) == (SOURCE, None)
    assert (list(image.encoders), list(text.encoders)) == (["image"], ["ngrams"])
    assert image.generated == text.generated == note
    assert (image.epoch, image.score) == (found["image"][0].epoch, found["image"][0].score)
    assert image.seconds > 0


def test_a_combined_row_takes_the_two_networks_of_its_seed(tmp_path):
    ask = asked(tmp_path, seeds=(0, 1))
    by_model = {
        model: [networks.checkpoint(model, seed=seed) for seed in (0, 1)] for model in ("image", "text")
    }
    fused = combined(ask, ["image", "late"], by_model)["late"]
    assert [(one.seed, [part.seed for part in one.parts]) for one in fused] == [(0, [0, 0]), (1, [1, 1])]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["late-seed0.pt", "late-seed1.pt"]
    lost = replace(by_model["text"][1], problem="the loss became NaN or infinite")
    again = combined(ask, ["late"], by_model | {"text": [by_model["text"][0], lost]})["late"]
    assert [one.problem for one in again] == [None, "the loss became NaN or infinite"]


@pytest.mark.slow
def test_a_model_that_is_none_of_ours_is_trained_by_other_processes_too(tmp_path, monkeypatch):
    """They find its spec by the path in its line of the registry."""
    monkeypatch.setitem(registry.MODELS, "toy", toy_model.ENTRY)
    found, told = trained(asked(tmp_path, settings={"toy": toy_model.ToySettings()}, seeds=(0, 1)))
    assert told == [("toy", 0, False), ("toy", 1, False)]
    assert [one.problem for one in found["toy"]] == [None, None]
