import numpy as np
import pytest
import torch
from PIL import Image

from affectory.core.errors import BaselineError
from affectory.encoders.image.backbones import load_backbone
from baselines import predict
from baselines.data.batch import Batch
from baselines.predict import Predictor
from baselines.settings import Settings
from baselines.training.checkpoint import Checkpoint, Source
from tests.baselines import networks

FEATURES = 512
SOURCE = Source("resnet18", "random", 33, "random", FEATURES)
TEXT = "So happy a day"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint of each model, an image, and a file that is none."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for model in ("image", "text", "late", "early", "joint", "common"):
        networks.checkpoint(model, FEATURES, SOURCE).write(folder / f"{model}.pt")
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "post.png")
    (folder / "page.html").write_text("<html>")
    return folder


def features(folder):
    """The image as the training saw it: through the network, in half precision."""
    backbone = load_backbone("resnet18", "random", side=33)
    with Image.open(folder / "post.png") as image, torch.inference_mode():
        return backbone.module(backbone.preprocess(image)[None]).half().float()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["late", "early", "joint", "common"])
@pytest.mark.parametrize(("image", "text"), [(True, True), (True, False), (False, True)])
def test_a_post_is_answered_by_what_there_is_of_it(folder, model, image, text):
    one = networks.checkpoint(model, FEATURES, SOURCE)
    predictor = Predictor.load(folder / f"{model}.pt")
    found = predictor(image=folder / "post.png" if image else None, text=TEXT if text else None)
    batch = Batch(
        features(folder), one.tokens([TEXT]), torch.tensor([[image, text]]), torch.zeros(1, dtype=torch.int64)
    )
    with torch.no_grad():
        expected = torch.softmax(one.network()(batch)[0], -1).tolist()
    assert list(found) == ["joy", "fear", "anger"]
    assert list(found.values()) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("model", ["image", "text"])
def test_a_model_of_one_modality_needs_only_that(folder, model):
    predictor = Predictor.load(folder / f"{model}.pt")
    given = {"image": folder / "post.png"} if model == "image" else {"text": TEXT}
    alone = predictor(**given)
    assert sum(alone.values()) == pytest.approx(1)
    assert alone == predictor(image=folder / "post.png", text=TEXT)
    assert max(alone.values()) > 0.34


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "given", "told"),
    [
        ("joint", {}, "the joint model needs image or text: pass --image or --text"),
        ("late", {"text": " \n"}, "the late model needs image or text: pass --image or --text"),
        ("text", {"image": "post.png"}, "the text model needs text: pass --text"),
        ("image", {"text": TEXT}, "the image model needs image: pass --image"),
    ],
)
def test_nothing_to_go_by_is_refused(folder, model, given, told):
    with pytest.raises(BaselineError) as error:
        Predictor.load(folder / f"{model}.pt")(**given)
    assert str(error.value) == told


def test_weights_that_are_not_those_of_training_are_refused(tmp_path):
    source = Source("resnet18", "random", 33, "3f1c9a2b00112233", FEATURES)
    networks.checkpoint("joint", FEATURES, source).write(tmp_path / "joint.pt")
    with pytest.raises(BaselineError) as error:
        Predictor.load(tmp_path / "joint.pt")
    assert str(error.value) == (
        "the weights 'random' have the digest random, those of training 3f1c9a2b00112233: "
        "pass the same file with --weights"
    )


def test_a_network_that_was_given_up_is_refused(tmp_path, capsys):
    lost = Checkpoint(
        "joint", networks.CLASSES, Settings(), 0, {}, problem="its loss became NaN or infinite in epoch 2"
    )
    lost.write(tmp_path / "lost.pt")
    assert predict.main([str(tmp_path / "lost.pt"), "--text", TEXT]) == 2
    assert capsys.readouterr().err == (
        f"error: the training of '{tmp_path / 'lost.pt'}' failed: "
        "its loss became NaN or infinite in epoch 2\n"
    )


@pytest.mark.slow
def test_the_command_prints_the_classes_the_likeliest_first(folder, capsys):
    arguments = [str(folder / "common.pt"), "--image", str(folder / "post.png"), "--text", TEXT]
    assert predict.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    found = Predictor.load(folder / "common.pt")(folder / "post.png", TEXT)
    likely = sorted(found, key=found.__getitem__, reverse=True)
    assert lines == [f"{name:<14} {found[name]:6.1%}" for name in likely]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.pt", "--text", TEXT], "error: the checkpoint '{}/none.pt' can't be read: No such file"),
        (["post.png", "--text", TEXT], "error: '{}/post.png' is not a checkpoint of affectory: "),
        (["joint.pt", "--image", "none.jpg"], "error: the image 'none.jpg' can't be read: No such file"),
        (["joint.pt"], "error: the joint model needs image or text: pass --image or --text"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(folder, capsys, arguments, told):
    assert predict.main([str(folder / arguments[0]), *arguments[1:]]) == 2
    said = capsys.readouterr()
    [line] = said.err.splitlines()
    assert line.startswith(told.format(folder))
    assert said.out == ""


def test_a_file_that_is_no_image_is_named(folder):
    with pytest.raises(BaselineError) as error:
        Predictor.load(folder / "joint.pt")(image=folder / "page.html")
    assert str(error.value) == (
        f"the image '{folder / 'page.html'}' can't be read: no image that can be decoded"
    )
