import hashlib
import io
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from affectory.core.errors import BaselineError
from affectory.encoders.image.backbones import Backbone, Network, load_backbone, state_digest
from affectory.encoders.image.features import ImageRef, extract
from baselines.data.aim import Judged
from baselines.data.batch import Batch
from baselines.data.samplers import OtherTexts
from baselines.data.task import SingleLabel
from baselines.models import registry
from baselines.training import finetune_steps
from baselines.training.finetune import Posts, fit_unfrozen
from baselines.training.finetune_steps import FinetuneSettings, Pictured, Unfrozen
from baselines.training.steps import Steps, _more, _sliced

ROOT = Path(__file__).parents[2]
SETTINGS = FinetuneSettings(lr=0.1, backbone_lr=0.1, batch=8, epochs=4, patience=4)


def to_pixels(image):
    return torch.from_numpy(np.asarray(image, np.float32).copy()).permute(2, 0, 1) / 255 - 0.5


def tiny(seed=0):
    """A backbone of 4 features with a batch norm, which sees 8 x 8 pixels."""
    torch.manual_seed(seed)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ).eval()
    digest = state_digest(module)
    return Backbone("tiny", 4, digest[:16], digest, Network(module, to_pixels, "as it is", 8))


def picture(label, number):
    """Stripes across or along, in any colours: a class that no mean colour tells."""
    rng = np.random.default_rng([label, number])
    pixels = rng.integers(0, 60, (8, 8, 3), np.uint8)
    pixels[::2] += np.uint8(150)
    out = io.BytesIO()
    Image.fromarray(pixels if label else pixels.transpose(1, 0, 2)).save(out, "PNG")
    data = out.getvalue()
    return ImageRef(f"reddit:{number}", hashlib.sha256(data).hexdigest(), lambda: data)


def posts(n, start=0, imageless=()):
    """n posts of two classes, their label told by the stripes; tokens tell nothing."""
    numbers = range(start, start + n)
    label = torch.tensor([number % 2 for number in numbers])
    present = torch.ones(n, 2, dtype=torch.bool)
    images = [picture(number % 2, number) for number in numbers]
    for row in imageless:
        present[row, 0] = False
        images[row] = None
    tokens = torch.tensor([[1 + number % 3, 0] for number in numbers])
    inputs = {"image": torch.zeros(n, 0), "words": tokens}
    return Posts(Batch(inputs, present, label, torch.ones(n, dtype=torch.bool)), images)


@dataclass(frozen=True)
class Width:
    """Stands for an encoder: all that a head asks of it."""

    width: int
    start: object = None


def head(name, features=4, seed=0):
    """A head of two classes; stripes are class 1."""
    torch.manual_seed(seed)
    small = {"hidden": 3} if name != "image" else {}
    more = {"negatives": 2} if name == "common" else {}
    settings = registry.spec(name).settings(**small, **more)
    encoders = {"image": Width(features), "words": Width(6, torch.randn(5, 6).numpy())}
    return registry.spec(name).build(SingleLabel(("across", "along")), encoders, settings)


def image_head(seed=0):
    return head("image", seed=seed)


def joint_head(name="joint"):
    return head(name)


def stage(name="image"):
    """How a head is trained on frozen features."""
    spec = registry.spec(name)
    return spec.stages(spec.settings(**({"negatives": 2} if name == "common" else {})))[-1]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))


@pytest.mark.slow
def test_an_unfrozen_backbone_learns_what_its_frozen_features_do_not_tell():
    settings = replace(SETTINGS, epochs=25, patience=25)
    tuned = fit_unfrozen(tiny(), image_head(), posts(64), posts(32, 100), settings, stage(), seed=0)
    assert tuned.score > 0.9
    assert tuned.problem is None
    assert tuned.backbone.digest != tiny().digest
    assert tuned.backbone.key != tiny().key


def test_the_callers_networks_are_left_as_they_are():
    backbone, head = tiny(), image_head()
    before = state_digest(backbone.module), state_digest(head)
    fit_unfrozen(backbone, head, posts(16), posts(8, 100), SETTINGS, stage(), seed=0)
    assert (state_digest(backbone.module), state_digest(head)) == before


@pytest.mark.slow
def test_the_same_seed_gives_the_same_network_and_another_seed_another():
    one, again, other = (
        fit_unfrozen(tiny(), joint_head(), posts(24), posts(8, 100), SETTINGS, stage("joint"), seed=seed)
        for seed in (1, 1, 2)
    )
    assert one.backbone.digest == again.backbone.digest != other.backbone.digest
    assert same(one.head.state_dict(), again.head.state_dict())


@pytest.mark.slow
def test_what_comes_back_is_the_best_epoch_and_reads_cached_features(tmp_path):
    validation = posts(20, 100)
    tuned = fit_unfrozen(tiny(), image_head(), posts(64), validation, SETTINGS, stage(), seed=0)
    features = extract(validation.images, tuned.backbone, tmp_path)
    batch = validation.batch._replace(inputs={"image": torch.from_numpy(features.astype(np.float32))})
    logits = tuned.head(batch)["y"]
    assert (logits.argmax(1) == batch.target).float().mean().item() == pytest.approx(tuned.score)
    likelihood = -nn.functional.cross_entropy(logits, batch.target).item()
    assert likelihood == pytest.approx(tuned.likelihood, abs=2e-3)


@pytest.mark.slow
def test_training_stops_when_validation_no_longer_improves():
    told = []
    wrong = posts(20, 100)
    wrong = wrong._replace(batch=wrong.batch._replace(target=1 - wrong.batch.target))
    settings = replace(SETTINGS, epochs=40, patience=2)
    tuned = fit_unfrozen(tiny(), image_head(), posts(64), wrong, settings, stage(), seed=0, tell=told.append)
    assert told == list(range(1, tuned.epoch + 3))
    assert len(told) < 40


@pytest.mark.parametrize(("select", "kept"), [(None, 1), ("likelihood", 1), ("macro-f1", 2)])
def test_the_selected_score_chooses_the_epoch(select, kept, monkeypatch):
    """The likelihood falls from the first epoch on, macro F1 from the second; two more are waited for."""
    scores = iter([(-0.1, 0.3), (-0.4, 0.6), (-0.5, 0.5), (-0.9, 0.4), (-0.9, 0.4)])

    def score(steps, validation):
        likelihood, macro_f1 = next(scores)
        return Judged(0.5, likelihood, macro_f1 if select == "macro-f1" else likelihood)

    monkeypatch.setattr(Steps, "_score", score)
    model, told = image_head(), []
    model.task = model.task.aimed(torch.tensor([0, 1]), balance=False, select=select)
    settings = replace(SETTINGS, epochs=5, patience=2)
    tuned = fit_unfrozen(tiny(), model, posts(8), posts(4), settings, stage(), seed=0, tell=told.append)
    assert (tuned.epoch, told[-1]) == (kept, kept + 2)


@pytest.mark.slow
def test_posts_without_an_image_are_trained_on_their_text():
    tuned = fit_unfrozen(
        tiny(),
        joint_head(),
        posts(24, imageless=range(0, 24, 3)),
        posts(8, 100, [1]),
        SETTINGS,
        stage("joint"),
        seed=0,
    )
    assert tuned.problem is None
    only_text = posts(8, imageless=range(8))
    fit_unfrozen(tiny(), joint_head(), only_text, posts(8, 100), SETTINGS, stage("joint"), seed=0)


@pytest.mark.parametrize(("optimiser", "rates"), [("sgd", [0.1, 3.2, 0.1]), ("adamw", [0.1, 0.1])])
def test_words_have_larger_rates_in_sgd(optimiser, rates):
    model = Unfrozen(tiny().module, joint_head("common"), "y", 4)
    settings = replace(SETTINGS, optimiser=optimiser)
    groups = finetune_steps.optimiser(model, settings, stage("common")).param_groups
    assert [group["lr"] for group in groups] == pytest.approx(rates)


def test_batch_norms_keep_their_statistics_and_train_the_rest():
    start = tiny()
    start.module[1].running_mean.fill_(0.25)
    norm = fit_unfrozen(
        start, image_head(), posts(24), posts(8, 100), SETTINGS, stage(), seed=0
    ).backbone.module[1]
    assert norm.running_mean.tolist() == [0.25] * 4
    assert norm.running_var.tolist() == [1.0] * 4
    assert norm.weight.tolist() != [1.0] * 4


def test_the_batch_norms_of_a_random_network_learn_their_statistics():
    start = replace(tiny(), digest="random")
    norm = fit_unfrozen(
        start, image_head(), posts(24), posts(8, 100), SETTINGS, stage(), seed=0
    ).backbone.module[1]
    assert norm.running_var.tolist() != [1.0] * 4


def test_missing_images_are_not_run_and_have_features_of_zero():
    model = Unfrozen(tiny().module, joint_head(), "y", 4)
    batch = posts(3).batch
    batch.inputs["image"] = torch.full((3, 3, 8, 8), torch.nan)
    batch.inputs["image"][1] = 0.25
    batch.present[:, 0] = torch.tensor([False, True, False])
    features = model.seen(batch).inputs["image"]
    assert torch.isfinite(features).all()
    assert (features[[0, 2]] == 0).all()


def test_the_common_space_draws_its_negatives():
    tuned = fit_unfrozen(
        tiny(), joint_head("common"), posts(24), posts(8, 100), SETTINGS, stage("common"), seed=0
    )
    assert tuned.problem is None


@pytest.mark.slow
@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_stopped_run_goes_on_to_the_same_end(tmp_path, optimiser):
    settings = replace(SETTINGS, optimiser=optimiser, lr=0.01, backbone_lr=0.01)
    arguments = (tiny(), joint_head(), posts(24), posts(8, 100), settings, stage("joint"), 3)
    whole = fit_unfrozen(*arguments)
    told = []

    def stop(epoch):
        told.append(epoch)
        if epoch == 2:
            raise KeyboardInterrupt

    file = tmp_path / "deep" / "joint-3.pt"
    with pytest.raises(KeyboardInterrupt):
        fit_unfrozen(*arguments, checkpoint=file, tell=stop)
    resumed = fit_unfrozen(*arguments, checkpoint=file, tell=told.append)
    assert told == [1, 2, 3, 4]
    assert resumed.backbone.digest == whole.backbone.digest
    assert same(resumed.head.state_dict(), whole.head.state_dict())
    assert (resumed.epoch, resumed.likelihood) == (whole.epoch, whole.likelihood)
    fit_unfrozen(*arguments, checkpoint=file, tell=told.append)  # it is over: nothing more is trained
    assert told == [1, 2, 3, 4]
    assert [path.name for path in file.parent.iterdir()] == ["joint-3.pt"]


@pytest.mark.slow
def test_the_checkpoint_of_another_training_is_written_anew(tmp_path):
    file, told = tmp_path / "image-0.pt", []
    arguments = (tiny(), image_head(), posts(16), posts(8, 100))
    fit_unfrozen(*arguments, SETTINGS, stage(), 0, checkpoint=file)
    fit_unfrozen(*arguments, replace(SETTINGS, lr=0.05), stage(), 0, checkpoint=file, tell=told.append)
    assert told == [1, 2, 3, 4]


def test_a_file_that_is_no_checkpoint_is_one_line(tmp_path):
    file = tmp_path / "image-0.pt"
    file.write_text("not this")
    with pytest.raises(
        BaselineError, match=r"image-0\.pt is not a checkpoint of an unfinished training: remove it$"
    ):
        fit_unfrozen(tiny(), image_head(), posts(8), posts(8, 100), SETTINGS, stage(), 0, checkpoint=file)


def test_a_loss_that_is_no_number_ends_the_training_with_its_reason():
    settings = replace(SETTINGS, lr=1e30, backbone_lr=1e30)
    tuned = fit_unfrozen(tiny(), image_head(), posts(64), posts(8, 100), settings, stage(), seed=0)
    assert tuned.problem is not None
    assert tuned.problem.endswith("try a smaller learning rate")
    assert tuned.epoch == 0


class Overfull(nn.Module):
    """Has room for three images."""

    def __init__(self, inside):
        super().__init__()
        self.inside = inside

    def forward(self, pixels):
        if len(pixels) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.inside(pixels)


def smooth():
    """A backbone without a batch norm, so that slices of a batch add up to the batch."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return replace(tiny(), network=replace(tiny().network, module=module))


@pytest.mark.slow
def test_a_step_that_does_not_fit_is_taken_in_slices_to_the_same_end(capsys):
    backbone = smooth()
    narrow = replace(backbone, network=replace(backbone.network, module=Overfull(backbone.module)))
    arguments = (image_head(), posts(16), posts(3, 100), SETTINGS, stage(), 0)
    wide, sliced = fit_unfrozen(backbone, *arguments), fit_unfrozen(narrow, *arguments)
    assert sliced.likelihood == pytest.approx(wide.likelihood, abs=1e-5)
    assert capsys.readouterr().err.splitlines() == [
        "cpu is out of memory: going on with 4 posts at once",
        "cpu is out of memory: going on with 2 posts at once",
    ]


def test_the_parts_of_a_step_add_up_to_its_loss_whichever_posts_lack_a_modality():
    backbone, given, rows = smooth(), posts(9, imageless=(0, 1, 6)), torch.arange(9)
    given.batch.present[2, 1] = False
    model = Unfrozen(backbone.module, head("common"), "y", 4).eval()
    others = OtherTexts(given.batch, model.head.task, 2)
    more = _more(given.batch, rows, others, others.draw(torch.Generator().manual_seed(0)))
    [batch] = Pictured(given, backbone).read([rows])
    batch.inputs.update(more)
    counts = model.counts(given.batch, rows, more)
    parts = [model(_sliced(batch, start, end), counts) for start, end in ((0, 3), (3, 4), (4, 9))]
    torch.testing.assert_close(sum(parts), model(batch), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_inception_is_trained_without_its_auxiliary_classifier():
    backbone = load_backbone("inception_v3", "random", side=75)
    model = Unfrozen(backbone.module, head("image", 2048), "y", 2048).train()
    batch = posts(4).batch
    batch.inputs["image"] = torch.rand(4, 3, 75, 75)
    model(batch).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


LAUNCHED = """
import sys
sys.path.insert(0, {root!r})
import torch
from tests.baselines.test_finetune import SETTINGS, image_head, posts, smooth, stage
from baselines.training.finetune import fit_unfrozen
torch.set_num_threads(1)
tuned = fit_unfrozen(smooth(), image_head(), posts(18), posts(7, 100), SETTINGS, stage(), 0)
print(f"ended {{tuned.likelihood:.6f}}", flush=True)
"""


@pytest.mark.slow
def test_two_processes_come_to_the_end_of_one(tmp_path):
    file = tmp_path / "launched.py"
    file.write_text(LAUNCHED.format(root=str(ROOT)))
    # What `accelerate launch` runs where there are GPUs.
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(file)]
    done = subprocess.run(launch, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    ends = re.findall(r"ended (-?\d+\.\d{6})", done.stdout)
    alone = fit_unfrozen(smooth(), image_head(), posts(18), posts(7, 100), SETTINGS, stage(), 0)
    assert len(ends) == 2, done.stderr[-2000:]
    assert [float(end) for end in ends] == pytest.approx([alone.likelihood] * 2, abs=1e-5)


def test_on_a_gpu_fine_tuning_learns():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    settings = replace(SETTINGS, epochs=25, patience=25)
    tuned = fit_unfrozen(
        tiny(), image_head(), posts(64), posts(32, 100), settings, stage(), seed=0, device="cuda"
    )
    assert tuned.score > 0.9
