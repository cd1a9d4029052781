"""The semi-supervised models by the command, on a small release with shares of its labels."""

import pyarrow.parquet as pq
import pytest

from affectory.core.errors import BaselineError
from affectory.encoders.image.backbones import load_backbone
from affectory.encoders.text.frozen import FrozenText
from affectory.encoders.text.hub_encoders import load_text_encoder
from baselines import run
from baselines.data.encoders import Images
from baselines.data.task import SingleLabel
from baselines.models import registry
from baselines.predict import Predictor
from baselines.results.schema import Condition, read
from baselines.training.checkpoint import Checkpoint, Source
from tests.baselines import small
from tests.encoders.test_hub_encoders import bert, clip

pytestmark = pytest.mark.slow

FAMILY = (
    "raw_n_cook",
    "raw_n_cook_no_crom_ae",
    "raw_n_cook_no_db_loss",
    "raw_n_cook_no_crom_ae_no_db_loss",
    "cmml",
    "cmml_clip",
)
QUICK = [f"{name}.epochs=2" for name in FAMILY] + [
    "raw_n_cook.ae_epochs=2",
    "raw_n_cook_no_db_loss.ae_epochs=2",
]


def arguments(folder, *more):
    places = [f"--{name}={folder / name}" for name in ("datasets", "cache", "features", "out")]
    network = ["--backbone", "resnet18", "--weights", "random", "--side", "33", "--device", "cpu"]
    return ["tiny", *places, *network, "--seeds", "1", "--text-encoder", str(folder / "bert"), *more]


@pytest.fixture(scope="module", params=[True, False], ids=["several", "single"])
def home(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("memes")
    small.learnable(folder / "datasets" / "tiny", request.param, sizes=(48, 12, 12), unlabelled=6)
    bert(folder / "bert")
    models = ["--models", *FAMILY, "--pair", "separate", "--set", *QUICK]
    assert run.main(arguments(folder, *models, "--ratios", ".5", ".25")) == 0
    return folder


def test_every_model_has_a_row_for_each_share_with_scores_in_every_mode(home):
    results = read(home / "out" / "tiny" / "1.0.0")
    shares = Condition(labelled=0.5), Condition(labelled=0.25)
    assert [(row.model, row.condition) for row in results.rows] == [
        (name, share) for share in shares for name in FAMILY
    ]
    for row in results.rows:
        assert (list(row.modes), row.stopped, row.family) == (["both", "image", "text"], (), "memes")
        assert (row.backbone, row.weights) == ("resnet18", "random")
        assert len(row.history[0]) == 2
        assert (row.text_encoder is None) == (row.model == "cmml")
    notes = {row.model: row.notes for row in results.rows}
    assert notes["cmml"] == (
        "reconstructed: the command that SemiMemes published for CMML runs its CLIP variant",
    )
    assert notes["raw_n_cook"] == ()


def test_the_page_has_pictures_of_raw_and_cooked_features_the_raw_ones_once(home):
    found = read(home / "out" / "tiny" / "1.0.0").projections
    kinds = [(one.model, one.kind) for one in found]
    assert kinds[:4] == [
        ("raw_n_cook", kind) for kind in ("raw image", "cooked image", "raw text", "cooked text")
    ]
    assert {kind for model, kind in kinds[4:]} <= {"cooked image", "cooked text"}
    assert "RAW-N-COOK, 50% labelled: cooked text features, PCA" in (
        home / "out" / "tiny" / "1.0.0" / "results.html"
    ).read_text(encoding="utf-8")


def test_a_checkpoint_answers_for_a_post_as_the_run_did(home):
    folder = home / "out" / "tiny" / "1.0.0"
    [path] = (home / "datasets" / "tiny" / "1.0.0").glob("test-*.parquet")
    post = pq.read_table(path).to_pylist()[0]
    rows = pq.read_table(folder / "predictions.parquet").to_pylist()
    for name in ("raw_n_cook", "cmml", "cmml_clip"):
        [checkpoint] = (folder / "checkpoints").glob(f"{name}-*25*-seed0.pt")
        predictor = Predictor.load(checkpoint)
        for mode, given in (
            ("both", {"image": post["image"]["bytes"], "text": post["text"]}),
            ("image", {"image": post["image"]["bytes"]}),
            ("text", {"text": post["text"]}),
        ):
            [expected] = [
                row["probabilities"]
                for row in rows
                if (row["model"], row["mode"], row["post_id"]) == (name, mode, post["post_id"])
                and row["condition"] == predictor.checkpoint.condition
            ]
            assert list(predictor(**given).values()) == pytest.approx(expected, abs=5e-3)


def test_a_model_that_learns_from_unlabelled_posts_is_left_out_of_a_release_without_any(
    home, tmp_path, capsys
):
    small.learnable(tmp_path / "datasets" / "tiny", sizes=(24, 9, 9), unlabelled=0)
    bert(tmp_path / "bert")
    more = ["--models", "raw_n_cook", "--pair", "separate"]
    assert run.main(arguments(tmp_path, *more)) == 2
    out, err = capsys.readouterr()
    assert out.startswith(
        "left out: raw_n_cook: the training part has no unlabelled post with image and text, "
    )
    assert err.endswith("error: none of raw_n_cook can be trained on tiny\n")


def test_a_pair_of_one_folder_is_read_too(home, capsys):
    from transformers import CLIPImageProcessor

    clip(home / "clip")
    side = {"height": 32, "width": 32}
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=side).save_pretrained(home / "clip")
    more = [
        "--models",
        "cmml_clip",
        "--pair",
        str(home / "clip"),
        "--ratios",
        ".5",
        "--out",
        str(home / "other"),
    ]
    assert run.main(arguments(home, *more, "--set", "cmml_clip.epochs=1")) == 0
    [row] = read(home / "other" / "tiny" / "1.0.0").rows
    assert row.backbone == str(home / "clip")
    assert row.text_encoder.startswith(str(home / "clip"))


def test_a_pair_of_another_width_than_the_checkpoint_s_is_one_line(tmp_path):
    from transformers import CLIPImageProcessor

    folder, side = str(tmp_path / "clip"), {"height": 32, "width": 32}
    clip(tmp_path / "clip")
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=side).save_pretrained(folder)
    image = load_backbone(folder)
    text = FrozenText.fill(["so happy"], load_text_encoder(folder), tmp_path / "cache")
    encoders = {"pair_image": Images(image.dim), "pair_text": text}
    spec, task = registry.spec("raw_n_cook"), SingleLabel(("joy", "fear"))
    settings = spec.settings(hidden=4)
    state = spec.build(task, encoders, settings).state_dict()
    states = {name: encoder.state() for name, encoder in encoders.items()}
    source = Source(folder, None, None, image.digest, image.dim)
    Checkpoint("raw_n_cook", task, settings, 0, state, states, source=source).write(tmp_path / "one.pt")
    clip(tmp_path / "clip", width=20)
    predictor = Predictor.load(tmp_path / "one.pt")
    with pytest.raises(BaselineError, match=rf"^the text network in {folder!r} is ") as error:
        predictor(text="a dark night")
    assert str(error.value).endswith(f", that of training {text.key}: put the same files there")
    with pytest.raises(BaselineError, match=rf"^the weights {folder!r} have the digest ") as error:
        predictor(image=small.png(1, 2, 3)["bytes"])
    assert str(error.value).endswith(f"those of training {image.digest}: pass the same file with --weights")


def test_cmml_is_fine_tuned_with_labelled_and_unlabelled_posts_in_a_step(home, capsys):
    more = [
        "--models",
        "cmml",
        "--finetune",
        "--ratios",
        ".5",
        "--set",
        "finetune.epochs=1",
        "finetune.batch=9",
    ]
    assert run.main(arguments(home, *more)) == 0
    [row] = read(home / "out" / "tiny" / "1.0.0-finetuned").rows
    assert (row.settings["finetune"], row.stopped) == (True, ())
    assert list(row.modes) == ["both", "image", "text"]
