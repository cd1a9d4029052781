import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from affectory.core.errors import BaselineError
from affectory.encoders.image.backbones import load_backbone
from affectory.encoders.text.subwords import Ngrams, Subwords
from affectory.encoders.text.vectors import open_vectors
from affectory.encoders.text.words import Vocabulary, vocabulary
from baselines import predict
from baselines.data.batch import Batch
from baselines.data.encoders import Images
from baselines.data.inputs import of_post
from baselines.data.task import SeveralLabels, SingleLabel
from baselines.models import registry
from baselines.models.base import Model, Spec
from baselines.models.duong2017.settings import JointSettings
from baselines.predict import Predictor
from baselines.training.checkpoint import Checkpoint, Source

ROOT = Path(__file__).parents[2]
FEATURES = 512
SOURCE = Source("resnet18", "random", 33, "random", FEATURES)
TASK = SingleLabel(("joy", "fear", "anger"))
TEXT = "So happy a day"
WORDS = ("day", "happy", "night")


def trained(model, task=TASK, source=SOURCE, words=None, **settings):
    """A checkpoint of a network whose parameters are drawn. `words`: the encoder of its texts."""
    spec = registry.spec(model)
    if spec.made_of:
        parts = tuple(trained(part, task, source) for part in ("image", "text"))
        return Checkpoint(model, task, None, 0, {}, parts=parts)
    encoders = {
        "image": Images(FEATURES),
        "words": words or Vocabulary(WORDS, np.zeros((5, 4), np.float32), "random, 4-d", None),
        "ngrams": words
        or replace(Subwords.fit(["happy day", "dark night"], Ngrams(minn=2, maxn=3, bucket=50)), width=4),
    }
    encoders = {name: encoders[name] for name in spec.inputs}
    chosen = spec.settings(**settings)
    torch.manual_seed(0)
    network = spec.build(task, encoders, chosen)
    for name, tensor in network.state_dict().items():
        if name in ("rows", "output", "text.lookup.weight"):
            tensor.normal_()
            if name != "output":
                tensor[0] = 0
    states = {name: encoder.state() for name, encoder in encoders.items()}
    given = source if "image" in spec.reads else None
    return Checkpoint(model, task, chosen, 0, network.state_dict(), states, source=given)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint of each model, an image, and a file that is none."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for model in ("image", "text", "late", "early", "joint", "common"):
        trained(model).write(folder / f"{model}.pt")
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
def test_a_post_is_predicted_from_what_there_is_of_it(folder, model, image, text):
    mode = "both" if image and text else "image" if image else "text"
    own = features(folder)

    def posts(one):
        return of_post(TASK, one.loaded_encoders(), own, TEXT)

    expected = torch.softmax(trained(model).logits(posts, mode)[0], -1).tolist()
    predictor = Predictor.load(folder / f"{model}.pt")
    found = predictor(image=folder / "post.png" if image else None, text=TEXT if text else None)
    assert list(found) == ["joy", "fear", "anger"]
    assert list(found.values()) == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["image", "text"])
def test_a_model_of_one_modality_needs_only_that(folder, model):
    predictor = Predictor.load(folder / f"{model}.pt")
    given = {"image": folder / "post.png"} if model == "image" else {"text": TEXT}
    alone = predictor(**given)
    assert sum(alone.values()) == pytest.approx(1)
    assert alone == predictor(image=folder / "post.png", text=TEXT)
    assert max(alone.values()) > 0.34


@pytest.mark.slow
def test_an_image_may_be_a_path_its_bytes_or_a_picture(folder):
    predictor = Predictor.load(folder / "image.pt")
    data = (folder / "post.png").read_bytes()
    expected = predictor(image=str(folder / "post.png"))
    assert predictor(image=data) == expected
    with Image.open(io.BytesIO(data)) as picture:
        assert predictor(image=picture) == expected
        assert predictor(image=picture.copy()) == expected


@pytest.mark.slow
def test_each_of_several_labels_has_a_probability_of_its_own(folder, tmp_path):
    task = SeveralLabels(("joy", "fear"))
    trained("joint", task).write(tmp_path / "joint.pt")
    found = Predictor.load(tmp_path / "joint.pt")(folder / "post.png", TEXT)
    one = trained("joint", task)
    batch = of_post(task, one.loaded_encoders(), features(folder), TEXT)
    with torch.no_grad():
        expected = torch.sigmoid(one.network()(batch)["y"])[0].tolist()
    assert list(found) == ["joy", "fear"]
    assert list(found.values()) == pytest.approx(expected, abs=1e-5)
    assert sum(found.values()) != pytest.approx(1, abs=1e-3)


class ThreeHeads(Model):
    """Favours a class of its own in each head, whatever the post."""

    def forward(self, batch: Batch):
        return {name: 5 * torch.eye(3)[[row]] for row, name in enumerate(("fused", "seen", "read"))}


HEADS = Spec(
    name="heads",
    title=lambda settings: "Three heads",
    reads=("image", "text"),
    inputs=("image", "words"),
    settings=JointSettings,
    build=lambda task, encoders, settings: ThreeHeads(task),
    stages=lambda settings: (),
    heads={"both": "fused", "image": "seen", "text": "read"},
)


@pytest.mark.slow
def test_the_head_of_what_there_is_answers(folder, tmp_path, monkeypatch):
    entry = registry.Entry("duong2017", "Three heads", f"{__name__}:HEADS")
    monkeypatch.setitem(registry.MODELS, "heads", entry)
    trained("heads").write(tmp_path / "heads.pt")
    predictor = Predictor.load(tmp_path / "heads.pt")
    image = folder / "post.png"
    answers = [predictor(image, TEXT), predictor(image), predictor(text=TEXT)]
    assert [max(found, key=found.get) for found in answers] == ["joy", "fear", "anger"]


GLOVE = "day .1 .2 .3 .4\nhappy 1 -1 1 -1\nnight -.5 .5 0 0\ndawn 9 8 7 6\ndusk -3 2 -5 4\n"
LATER = "dawn"


def with_vectors(model, tmp_path, later=()):
    """A checkpoint of a release with the vectors of a file; `later`: words that its test part adds."""
    path = tmp_path / "glove.txt"
    if not path.exists():
        path.write_text(GLOVE)
    found = open_vectors(path, tmp_path / "cache").subset([*WORDS, *later])
    if model == "text":
        words = Subwords.fit(["happy day", "dark night"], Ngrams(), found.rows)
        words = replace(words, width=4, source=found.source)
        one = trained(model, words=words)
        rows = torch.randn(99, 4, generator=torch.Generator().manual_seed(3))[: len(words)]
        rows[:2] = 0
        for word in later:
            rows[words.place(word)] = torch.from_numpy(found.rows[word])
        state = {"rows": rows, "output": torch.arange(12.0).reshape(3, 4).sin()}
        return replace(one, state=state)
    words = vocabulary(["happy day", "night"], list(later), found)
    one = trained(model, words=words)
    return replace(one, state=one.state | {"text.lookup.weight": torch.from_numpy(words.start)})


@pytest.mark.parametrize("model", ["joint", "text"])
def test_a_later_word_is_read_as_if_the_test_part_had_held_it(model, tmp_path):
    with_vectors(model, tmp_path).write(tmp_path / "without.pt")
    with_vectors(model, tmp_path, [LATER]).write(tmp_path / "with.pt")
    (tmp_path / "glove.txt").unlink()  # its conversion is enough
    predictor = Predictor.load(tmp_path / "without.pt")
    before = predictor(text="happy day")
    found = predictor(text=f"happy day {LATER}")
    expected = Predictor.load(tmp_path / "with.pt")(text=f"happy day {LATER}")
    assert list(found.values()) == pytest.approx(list(expected.values()), abs=1e-6)
    assert list(found.values()) != pytest.approx(list(before.values()), abs=1e-3)
    assert predictor(text=f"happy day {LATER}") == found
    assert predictor(text="happy day") == before
    assert predictor(text="happy day dusk") != before


def test_later_words_are_read_by_the_parts_of_late_fusion(tmp_path):
    parts = (trained("image"), with_vectors("text", tmp_path))
    Checkpoint("late", TASK, None, 0, {}, parts=parts).write(tmp_path / "late.pt")
    predictor = Predictor.load(tmp_path / "late.pt")
    with_vectors("text", tmp_path, [LATER]).write(tmp_path / "text.pt")
    expected = Predictor.load(tmp_path / "text.pt")(text=LATER)
    assert list(predictor(text=LATER).values()) == pytest.approx(list(expected.values()), abs=1e-6)


def test_a_conversion_that_is_gone_is_made_again_from_the_file(tmp_path):
    with_vectors("joint", tmp_path).write(tmp_path / "joint.pt")
    expected = Predictor.load(tmp_path / "joint.pt")(text=LATER)
    (tmp_path / "cache").rename(tmp_path / "moved")
    assert Predictor.load(tmp_path / "joint.pt")(text=LATER) == expected
    (tmp_path / "glove.txt").unlink()
    (tmp_path / "cache").rename(tmp_path / "gone")
    assert Predictor.load(tmp_path / "joint.pt", features=tmp_path / "moved")(text=LATER) == expected


def test_without_file_and_cache_later_words_are_unknown_and_that_is_said_once(tmp_path, capsys):
    with_vectors("joint", tmp_path).write(tmp_path / "joint.pt")
    (tmp_path / "cache").rename(tmp_path / "gone")
    (tmp_path / "glove.txt").unlink()
    predictor = Predictor.load(tmp_path / "joint.pt")
    assert predictor(text="happy day")
    assert capsys.readouterr().err == ""
    assert predictor(text="happy dawn") == predictor(text="happy dusk")
    assert capsys.readouterr().err == (
        f"note: the word vectors glove.txt of training aren't available (not in '{tmp_path / 'cache'}', "
        f"nor at '{tmp_path / 'glove.txt'}'): words that training never saw count as unknown\n"
    )


@pytest.mark.parametrize(
    ("model", "given", "told"),
    [
        ("joint", {}, "the joint model needs image or text: pass --image or --text"),
        ("late", {"text": " \n"}, "the late model needs image or text: pass --image or --text"),
        ("text", {"image": "post.png"}, "the text model needs text: pass --text"),
        ("image", {"text": TEXT}, "the image model needs image: pass --image"),
    ],
)
def test_a_post_without_what_the_model_reads_is_refused(folder, model, given, told):
    with pytest.raises(BaselineError) as error:
        Predictor.load(folder / f"{model}.pt")(**given)
    assert str(error.value) == told


def test_weights_that_are_not_those_of_training_are_refused(folder, tmp_path):
    source = Source("resnet18", "random", 33, "3f1c9a2b00112233", FEATURES)
    trained("joint", source=source).write(tmp_path / "joint.pt")
    predictor = Predictor.load(tmp_path / "joint.pt")
    assert predictor(text=TEXT)  # needs no image network
    with pytest.raises(BaselineError) as error:
        predictor(folder / "post.png")
    assert str(error.value) == (
        "the weights 'random' have the digest random, those of training 3f1c9a2b00112233: "
        "pass the same file with --weights"
    )


def test_a_network_whose_training_failed_is_refused(tmp_path, capsys):
    problem = "the loss became NaN or infinite in epoch 2"
    lost = Checkpoint("joint", TASK, JointSettings(), 0, {}, problem=problem)
    lost.write(tmp_path / "lost.pt")
    assert predict.main([str(tmp_path / "lost.pt"), "--text", TEXT]) == 2
    assert capsys.readouterr().err == (
        f"error: the training of '{tmp_path / 'lost.pt'}' failed: "
        "the loss became NaN or infinite in epoch 2\n"
    )


@pytest.fixture
def threads():
    """The command reads on one thread; the other tests on as many as before."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("threads")
def test_the_command_prints_the_most_probable_class_first(folder, capsys):
    arguments = [str(folder / "common.pt"), "--image", str(folder / "post.png"), "--text", TEXT]
    assert predict.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    found = Predictor.load(folder / "common.pt")(folder / "post.png", TEXT)
    likely = sorted(found, key=found.__getitem__, reverse=True)
    assert lines == [f"{name:<14} {found[name]:6.1%}" for name in likely]


@pytest.mark.slow
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["none.pt", "--text", TEXT],
            "error: there is no checkpoint '{}/none.pt': affectory run NAME",
        ),
        (["post.png", "--text", TEXT], "error: '{}/post.png' is not a checkpoint of affectory: "),
        (["joint.pt", "--image", "none.jpg"], "error: --image 'none.jpg' is not a file"),
        (["joint.pt"], "error: the joint model needs image or text: pass --image or --text"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(folder, capsys, arguments, told):
    assert predict.main([str(folder / arguments[0]), *arguments[1:]]) == 2
    said = capsys.readouterr()
    [line] = said.err.splitlines()
    assert line.startswith(told.format(folder))
    assert said.out == ""


@pytest.mark.slow
def test_a_file_that_is_no_image_is_named(folder):
    with pytest.raises(BaselineError) as error:
        Predictor.load(folder / "joint.pt")(image=folder / "page.html")
    assert str(error.value) == (
        f"the image '{folder / 'page.html'}' can't be read: no image that can be decoded"
    )


HEAVY = ("datasets", "pandas", "pyarrow", "scipy", "sympy", "torch._dynamo", "torchmetrics", "transformers")


@pytest.mark.slow
@pytest.mark.parametrize("image", [True, False])
def test_a_prediction_imports_no_more_than_it_needs(folder, image):
    program = (
        "import sys; from baselines import predict; assert predict.main(sys.argv[1:]) == 0; "
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    given = ["--image", str(folder / "post.png")] if image else ["--text", TEXT]
    command = [sys.executable, "-c", program, str(folder / "joint.pt"), *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    imported = set(done.stderr.split())
    assert [name for name in HEAVY if name in imported] == []
    assert ("torchvision" in imported) == image
