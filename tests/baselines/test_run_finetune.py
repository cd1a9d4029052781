"""`python -m baselines.run --finetune`: a network for images of its own for each model and seed."""

import io
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from affectory.encoders.image.backbones import load_backbone, save_backbone
from baselines import run
from baselines.predict import Predictor
from baselines.results.schema import read as read_results
from baselines.training.checkpoint import read
from baselines.training.progress import Progress
from tests.baselines import small

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NETWORK = "shufflenet_v2_x0_5"
MODELS = ("image", "text", "late", "joint")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a small release on which four models have been fine-tuned."""
    folder = tmp_path_factory.mktemp("finetune")
    small.sandbox(folder / "datasets", 60)
    backbone = load_backbone(NETWORK, "random", side=32)
    pixels = torch.stack([backbone.preprocess(image) for image in images(folder)])
    backbone.module.train()
    for _ in range(60):  # its batch norms then know these images, as those of a trained network know photos
        backbone.module(pixels)
    save_backbone(backbone, folder / "start.safetensors")
    tell(folder)
    return folder


def images(folder):
    [path] = (folder / "datasets" / "reddit-emotion" / "1.0.0").glob("train-*.parquet")
    column = pq.read_table(path, columns=["image"]).column("image").to_pylist()
    return [Image.open(io.BytesIO(one["bytes"])) for one in column if one]


def arguments(folder, *more):
    places = [f"--{name}={folder / name}" for name in ("datasets", "cache", "features", "out")]
    network = ["--backbone", NETWORK, "--weights", str(folder / "start.safetensors"), "--side", "32"]
    quick = ["--device", "cpu", "--seeds", "2", "--set", "duong2017.epoch=2", "finetune.epochs=2"]
    return ["reddit-emotion", *places, *network, *quick, "--finetune", "--models", *(more or MODELS)]


def tell(folder, *more):
    """Run in this process what must come to its end; return what was said on stderr."""
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        code = run.main(arguments(folder, *more))
    assert code == 0, said.getvalue()
    return said.getvalue()


def results(folder):
    return folder / "out" / "reddit-emotion" / "1.0.0-finetuned"


def predictions(folder):
    """Each model's probabilities: (model, seed, mode, post) -> float[C]."""
    return {
        (one["model"], one["seed"], one["mode"], one["post_id"]): one["probabilities"]
        for one in pq.read_table(results(folder) / "predictions.parquet").to_pylist()
    }


def epochs(said):
    return [line.removesuffix(" is over") for line in said.splitlines() if line.endswith(" is over")]


def test_each_model_and_seed_leaves_a_checkpoint_with_a_network_of_its_own(home):
    folder = results(home) / "checkpoints"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [f"{model}-seed{seed}.pt" for model in MODELS for seed in (0, 1)]
        + [f"{model}-seed{seed}-backbone.safetensors" for model in ("image", "joint") for seed in (0, 1)]
    )
    start = load_backbone(NETWORK, home / "start.safetensors", side=32).digest
    sources = [
        read(folder / f"{model}-seed{seed}.pt").source for model in ("image", "joint") for seed in (0, 1)
    ]
    assert [source.load().digest for source in sources] == [source.digest for source in sources]
    assert len({start, *(source.digest for source in sources)}) == 5


def test_a_row_says_that_it_was_fine_tuned_with_which_settings(home):
    rows = {row.model: row for row in read_results(results(home)).rows}
    tuned = {
        "finetune": True,
        "optimiser": "sgd",
        "lr": 0.01,
        "backbone_lr": 0.001,
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "batch": 32,
        "epochs": 2,
        "patience": 3,
    }
    late = rows["late"].settings
    assert late.items() >= {f"image.{key}": value for key, value in tuned.items()}.items()
    assert "text.finetune" not in late
    assert rows["joint"].settings.items() >= (tuned | {"hidden": 100, "fusion": "max"}).items()
    assert "finetune" not in rows["text"].settings
    difference = "images: a fine-tuned network where the paper's is frozen"
    assert [difference in rows[model].differs for model in MODELS] == [True, False, True, True]


def test_a_moved_checkpoint_answers_for_a_post_as_the_run_did(home, tmp_path):
    folder = shutil.copytree(results(home) / "checkpoints", tmp_path / "moved")
    [source] = read(folder / "late-seed1.pt").sources()
    assert source.weights == str(folder / "image-seed1-backbone.safetensors")
    [path] = (home / "datasets" / "reddit-emotion" / "1.0.0").glob("test-*.parquet")
    posts = [post for post in pq.read_table(path).to_pylist() if post["image"] and post["text"]]
    picture = tmp_path / "post.jpg"
    picture.write_bytes(posts[0]["image"]["bytes"])
    found = predictions(home)
    for model in ("image", "late", "joint"):
        for seed in (0, 1):
            predictor = Predictor.load(folder / f"{model}-seed{seed}.pt")
            answered = predictor(image=picture, text=posts[0]["text"])
            expected = found[model, seed, "both", posts[0]["post_id"]]
            assert list(answered.values()) == pytest.approx(expected, abs=2e-3)


def test_late_fusion_multiplies_the_fine_tuned_image_based_one_with_the_text_based_one(home):
    found = predictions(home)
    late = [key for key in found if key[0] == "late" and key[2] == "both"]
    assert late
    for _, seed, mode, post in late:
        image, text = (found[model, seed, mode, post] for model in ("image", "text"))
        product = [a * b for a, b in zip(image, text, strict=True)]
        expected = [value / sum(product) for value in product]
        assert found["late", seed, mode, post] == pytest.approx(expected, abs=1e-5)


def test_a_second_run_trains_and_extracts_nothing_and_finds_the_same(home):
    before = predictions(home)
    said = tell(home)
    assert epochs(said) == []
    assert "images/s" not in said
    assert said.count("from its checkpoint") == 6
    assert predictions(home) == before


@pytest.mark.parametrize("damage", ["lost", "cut"])
def test_a_network_that_was_lost_is_trained_again_alone_to_the_same_end(home, damage):
    path = results(home) / "checkpoints" / "joint-seed1-backbone.safetensors"
    before, content = read(path.with_name("joint-seed1.pt")).source.digest, path.read_bytes()
    if damage == "lost":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2])
    assert epochs(tell(home)) == ["joint seed 1: epoch 1", "joint seed 1: epoch 2"]
    assert read(path.with_name("joint-seed1.pt")).source.load().digest == before


def test_a_run_that_was_stopped_goes_on_after_its_last_epoch(home, tmp_path, monkeypatch):
    for name in ("datasets", "cache", "start.safetensors"):
        (tmp_path / name).symlink_to(home / name)

    def stop(self, model, seed, epoch):
        if (model, seed, epoch) == ("image", 1, 1):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Progress, "finetuned", stop)
        assert run.main(arguments(tmp_path, "image")) == 130
    folder = results(tmp_path) / "checkpoints"
    assert sorted(path.name for path in folder.iterdir()) == [
        "image-seed0-backbone.safetensors",
        "image-seed0.pt",
        "image-seed1-unfinished.pt",
    ]
    assert epochs(tell(tmp_path, "image")) == ["image seed 1: epoch 2"]
    for seed in (0, 1):
        whole = read(results(home) / "checkpoints" / f"image-seed{seed}.pt")
        assert read(folder / f"image-seed{seed}.pt").source.digest == whole.source.digest
    assert not (folder / "image-seed1-unfinished.pt").exists()


def test_a_training_that_comes_to_no_number_is_given_up_and_said_so(home, tmp_path, capsys):
    more = ["image", "--set", "finetune.lr=1e30", "finetune.epochs=2", f"--out={tmp_path}"]
    assert run.main(arguments(home, *more)) == 1
    said = capsys.readouterr().err
    assert "image seed 1: given up: the" in said
    assert said.count("try a smaller learning rate") == 2
    [row] = read_results(tmp_path / "reddit-emotion" / "1.0.0-finetuned").rows
    assert ([one.seed for one in row.stopped], row.modes) == ([0, 1], {})
    assert [path.suffix for path in tmp_path.rglob("image-*")] == [".pt", ".pt"]


def test_of_two_processes_one_writes_and_prints(home, tmp_path):
    # What `accelerate launch` runs where there are GPUs.
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    given = arguments(home, "image", "--seeds", "1", f"--out={tmp_path}")
    done = subprocess.run(
        [*launch, "-m", "baselines.run", *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("results.html") == 1
    assert epochs(done.stderr) == ["image seed 0: epoch 1", "image seed 0: epoch 2"]
    folder = tmp_path / "reddit-emotion" / "1.0.0-finetuned"
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == [
        "image-seed0-backbone.safetensors",
        "image-seed0.pt",
    ]
    assert read_results(folder).rows[0].modes["both"].metrics["accuracy"].values


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            ["image", "--tune"],
            "error: --tune can't be combined with --finetune: it searches settings for features that are "
            "computed once; use --set finetune.lr=… and the like instead",
        ),
        (
            ["text"],
            "error: --finetune trains the image network, but --models text reads no images: "
            "leave it out, or name another model",
        ),
    ],
)
def test_what_can_t_be_fine_tuned_is_one_line_and_exit_code_2(home, capsys, more, told):
    assert run.main(arguments(home, *more)) == 2
    assert capsys.readouterr().err.splitlines() == [told]


def test_without_accelerate_one_line_names_the_extra(home, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    assert run.main(arguments(home)) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: --finetune needs Accelerate: pip install 'affectory[finetune]' (or uv sync --extra finetune)"
    ]


def test_a_saved_network_gets_its_images_as_it_got_them_in_training(tmp_path):
    backbone = load_backbone("mobilenet_v2", "random")
    assert backbone.preprocessing.startswith("resize 256 ")
    later = backbone.preprocessing.replace("resize 256 ", "resize 232 ")  # torchvision's second recipe
    tuned = replace(backbone, network=replace(backbone.network, preprocessing=later))
    save_backbone(tuned, tmp_path / "tuned.safetensors")
    assert load_backbone("mobilenet_v2", tmp_path / "tuned.safetensors").key == tuned.key
