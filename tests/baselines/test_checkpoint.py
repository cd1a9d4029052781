import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from affectory.core.errors import BaselineError
from baselines.data.task import SeveralLabels
from baselines.models import registry
from baselines.models.duong2017.settings import FusionSettings, JointSettings
from baselines.models.duong2017.text import TextSettings
from baselines.models.settings import ModelSettings
from baselines.predict import Predictor
from baselines.training.checkpoint import VERSION, Checkpoint, Source, fingerprint, read
from baselines.training.correction import Correction
from tests.baselines import networks, reference, toy_model

ROOT = Path(__file__).parents[2]
SOURCE = Source("mobilenet_v2", "weights.pth", 225, "3f1c9a2b00112233", 5)
SEVERAL = SeveralLabels(networks.CLASSES)


@pytest.mark.parametrize("task", [networks.TASK, SEVERAL], ids=["single", "several"])
@pytest.mark.parametrize("model", registry.selected(["duong2017"]))
def test_a_network_that_was_written_says_the_same_when_it_is_read(model, task, tmp_path):
    one = networks.checkpoint(model, source=SOURCE, task=task)
    path = tmp_path / "deep" / f"{model}-seed0.pt"
    one.write(path)
    again = read(path)
    assert (again.task.kind, again.task.names) == (task.kind, task.names)
    for mode in one.spec.modes:
        expected = networks.probabilities(one, mode=mode)
        assert torch.equal(networks.probabilities(again, mode=mode), expected)
        assert expected.std(0).max() > 0.01
    assert [path.name for path in path.parent.iterdir()] == [path.name]


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from tests.baselines import networks

def half(content, file):
    file.write(b"half")
    file.flush()
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


def test_ctrl_c_while_a_checkpoint_is_written_is_ctrl_c_and_no_error_of_torch(tmp_path, monkeypatch):
    def interrupted(content, file):
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("unexpected pos 80138624 vs 80138576")

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        networks.checkpoint("joint").write(tmp_path / "joint.pt")
    assert list(tmp_path.iterdir()) == []


def test_every_field_of_a_checkpoint_comes_back(tmp_path):
    one = replace(
        networks.checkpoint("joint", source=SOURCE),
        note="3 posts",
        generated="60 of 60 posts are generated",
        corrections={"text": Correction(0.5, (0.25, 0.0, -1.5))},
        history=(0.4, 0.5),
        losses=((1.5, 1.75), (1.25, 1.5)),
    )
    one.write(tmp_path / "joint.pt")
    again = read(tmp_path / "joint.pt")
    assert replace(again, state={}, task=one.task) == replace(one, state={})
    assert again.sources() == [SOURCE]
    assert isinstance(again.settings, JointSettings)
    assert networks.checkpoint("text").sources() == []


def test_a_checkpoint_of_before_losses_were_kept_is_read(tmp_path):
    networks.checkpoint("joint").write(tmp_path / "joint.pt")
    found = torch.load(tmp_path / "joint.pt", weights_only=True)
    del found["checkpoint"]["losses"]
    torch.save(found, tmp_path / "joint.pt")
    assert read(tmp_path / "joint.pt").losses == ()


def test_a_combined_row_holds_its_parts(tmp_path):
    networks.checkpoint("late", source=SOURCE).write(tmp_path / "late.pt")
    late = read(tmp_path / "late.pt")
    assert [(part.model, part.seed) for part in late.parts] == [("image", 0), ("text", 0)]
    assert late.settings is None
    assert late.sources() == [SOURCE]


@pytest.mark.parametrize("model", ["joint", "late"])
def test_only_posts_that_lack_a_modality_are_corrected(model):
    """The third of the posts has no text."""
    plain = networks.checkpoint(model)
    classes = len(networks.CLASSES)
    shift = tuple(float(number) for number in range(classes))
    corrected = replace(plain, corrections={"image": Correction(2.0, shift), "text": Correction(0.0, shift)})
    for mode in ("both", "image", "text"):
        was, now = (one.logits(networks.posts(), mode) for one in (plain, corrected))
        by_image, by_text = 2 * was + torch.tensor(shift), torch.tensor(shift).expand(len(was), -1)
        expected = {"both": was.clone(), "image": by_image, "text": by_text.clone()}[mode]
        if mode == "both":
            expected[2] = by_image[2]
        if mode == "text":
            expected[2] = was[2]  # without an input there is nothing to correct
        torch.testing.assert_close(now, expected)


def test_a_network_that_was_given_up_keeps_its_reason(tmp_path):
    lost = Checkpoint("joint", networks.TASK, JointSettings(), 3, {}, problem="the loss became NaN")
    lost.write(tmp_path / "x.pt")
    assert read(tmp_path / "x.pt").problem == "the loss became NaN"


def test_weights_beside_a_checkpoint_move_with_it(tmp_path):
    source = replace(SOURCE, weights=str(tmp_path / "old" / "joint-seed0-backbone.safetensors"))
    networks.checkpoint("joint", source=source).write(tmp_path / "new" / "joint-seed0.pt")
    assert read(tmp_path / "new" / "joint-seed0.pt").source == source
    beside = tmp_path / "new" / "joint-seed0-backbone.safetensors"
    beside.touch()
    assert read(tmp_path / "new" / "joint-seed0.pt").source.weights == str(beside)


# Combined rows.


def both(late, mode="both"):
    """What the two parts of a row say, in float64."""
    return [networks.probabilities(part, mode=mode).double().numpy() for part in late.parts]


def test_late_fusion_is_the_product_of_its_parts():
    """argmax P(y|i) · P(y|s), Duong et al. 2017, equation 2. The third post has no text."""
    late = networks.checkpoint("late")
    image, text = both(late)
    product = image * text
    expected = product / product.sum(-1, keepdims=True)
    found = networks.probabilities(late).numpy()
    np.testing.assert_allclose(found[:2], expected[:2], rtol=0, atol=1e-6)
    np.testing.assert_allclose(found[2], image[2], rtol=0, atol=1e-6)


def test_late_fusion_of_several_labels_is_bayes_rule_label_by_label():
    late = networks.checkpoint("late", task=SEVERAL)
    p, q = both(late)
    expected = p * q / (p * q + (1 - p) * (1 - q))
    found = networks.probabilities(late).numpy()
    np.testing.assert_allclose(found[:2], expected[:2], rtol=0, atol=1e-6)
    np.testing.assert_allclose(found[2], p[2], rtol=0, atol=1e-6)


def test_late_fusion_leaves_out_the_classifier_of_a_missing_modality():
    late = networks.checkpoint("late")
    image, text = both(late)
    found = networks.probabilities(late, mode="image").numpy()
    np.testing.assert_allclose(found, image, rtol=0, atol=1e-6)
    found = networks.probabilities(late, mode="text").numpy()
    np.testing.assert_allclose(found[:2], text[:2], rtol=0, atol=1e-6)
    np.testing.assert_allclose(found[2], [1 / 3] * 3, rtol=0, atol=1e-6)  # there is neither


def test_a_row_can_be_the_mean_of_two_others(monkeypatch):
    monkeypatch.setitem(registry.MODELS, "mean", toy_model.MEAN_ENTRY)
    mean = networks.checkpoint("mean")
    image, text = both(mean)
    found = networks.probabilities(mean).numpy()
    np.testing.assert_allclose(found[:2], ((image + text) / 2)[:2], rtol=0, atol=1e-6)
    np.testing.assert_allclose(found[2], image[2], rtol=0, atol=1e-6)


def test_logits_do_not_depend_on_how_many_rows_are_computed_at_once():
    one = networks.checkpoint("joint")
    texts = ["happy day", "", "dark night", "day"] * 3
    posts = networks.posts(texts)
    whole = one.logits(posts, "both")
    for rows in (1, 5, 12):
        torch.testing.assert_close(one.logits(posts, "both", rows), whole)
    expected = reference.logits(
        "joint", reference.numbers(one.network()), posts(one), networks.SETTINGS["joint"]
    )
    np.testing.assert_allclose(whole.numpy(), expected, rtol=0, atol=1e-5)


# Files that can't be read.


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
        ({"version": VERSION}, "is not a checkpoint of affectory: KeyError"),
        ({"version": VERSION, "checkpoint": Evil()}, "is not a checkpoint of affectory: UnpicklingError"),
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


def changed(path, **changes):
    """Write a checkpoint with other packed fields."""
    networks.checkpoint("joint").write(path)
    found = torch.load(path, weights_only=True)
    found["version"] = changes.pop("version", VERSION)
    torch.save(found | {"checkpoint": found["checkpoint"] | changes}, path)
    return path


@pytest.mark.parametrize("version", [2, 99, "new"])
def test_another_version_is_refused_in_one_line(tmp_path, version):
    path = changed(tmp_path / "old.pt", version=version)
    with pytest.raises(BaselineError) as error:
        read(path)
    assert str(error.value) == (
        f"the checkpoint '{path}' has version {version}, and this program reads 4: "
        "repeat the command that trained it"
    )


def test_a_model_that_no_longer_exists_is_refused_in_one_line(tmp_path):
    path = changed(tmp_path / "gone.pt", model="gone")
    with pytest.raises(BaselineError) as error:
        read(path)
    assert str(error.value) == (
        f"the checkpoint '{path}' is of the model 'gone', which this program doesn't have: "
        f"it has {', '.join(registry.MODELS)}"
    )


def test_a_part_whose_model_no_longer_exists_is_refused_in_one_line(tmp_path):
    path = tmp_path / "late.pt"
    networks.checkpoint("late").write(path)
    found = torch.load(path, weights_only=True)
    found["checkpoint"]["parts"][0]["model"] = "gone"
    torch.save(found, path)
    with pytest.raises(BaselineError) as error:
        read(path)
    assert str(error.value).startswith(f"the checkpoint '{path}' is of the model 'gone', which this program ")


@pytest.mark.parametrize(
    "settings",
    [{"learning_rate": 0.1}, {"lr": -1.0}, [0.1]],
    ids=["renamed", "out of range", "no mapping"],
)
def test_settings_of_another_form_are_refused_in_one_line(tmp_path, settings):
    path = changed(tmp_path / "other.pt", settings=settings)
    with pytest.raises(BaselineError) as error:
        read(path)
    assert str(error.value).startswith(
        f"the checkpoint '{path}' has other settings than the model 'joint' has now ("
    )
    assert str(error.value).endswith("): repeat the command that trained it")
    assert "\n" not in str(error.value)


def test_parameters_of_another_label_set_are_refused_in_one_line(tmp_path):
    path = changed(tmp_path / "joint.pt", task=["single", ["joy", "fear"]])
    with pytest.raises(BaselineError) as error:
        Predictor.load(path)(text="happy day")
    assert str(error.value) == (
        "the checkpoint of joint doesn't fit its labels (joy, fear), settings and encoders: size mismatch "
        "for classify.1.weight: copying a param with shape torch.Size([3, 3]) from checkpoint, the shape in "
        "current model is torch.Size([2, 3]); repeat the command that trained it"
    )


def test_a_checkpoint_that_is_not_there_says_where_they_are(tmp_path):
    with pytest.raises(BaselineError) as error:
        read(tmp_path / "none.pt")
    assert str(error.value) == (
        f"the checkpoint '{tmp_path / 'none.pt'}' can't be read: No such file or directory; "
        "affectory run NAME writes them to results/NAME/VERSION/checkpoints"
    )


@dataclass(frozen=True, slots=True)
class Other(ModelSettings):
    """Settings of another form."""

    lr: float = 0.2


def test_everything_that_a_network_depends_on_changes_its_fingerprint():
    base = ("data", "joint", JointSettings(), 0)
    others = [
        ("other data", *base[1:]),
        ("data", "common", *base[2:]),
        ("data", "joint", JointSettings(lr=0.06), 0),
        ("data", "joint", FusionSettings(), 0),
        ("data", "joint", TextSettings(), 0),
        ("data", "joint", Other(), 0),
        ("data", "joint", JointSettings(), 1),
    ]
    marks = {fingerprint(*one) for one in (base, *others)}
    assert len(marks) == 8
    assert fingerprint(*base) in marks
