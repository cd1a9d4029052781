"""The models of pairs and of pixels by the command, from a release to the predictions of one post."""

import json

import pyarrow.parquet as pq
import pytest

from affectory.core.errors import BaselineError
from baselines import run
from baselines.predict import Predictor
from baselines.results.schema import read
from baselines.training import checkpoint
from tests.baselines import small
from tests.baselines.test_memes_transformers import SMALL
from tests.encoders.test_hub_encoders import bert, clip, tokenizer

pytestmark = pytest.mark.slow

MODELS = ("tib_va", "ext_pie_net", "ext_pie_net_pretrained", "visualbert", "vilt", "lxmert")
NETWORKS = {
    "visualbert": {"model_type": "visual_bert", "num_hidden_layers": 1, "visual_embedding_dim": 9},
    "vilt": {"model_type": "vilt", "num_hidden_layers": 1, "image_size": 32, "patch_size": 16},
    "lxmert": {"model_type": "lxmert", "l_layers": 1, "x_layers": 1, "r_layers": 1},
}


def networks(folder):
    """A folder for each network: CLIP, BERT, and the configurations of three transformers."""
    from transformers import CLIPImageProcessor

    clip(folder / "clip")
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor.save_pretrained(folder / "clip")
    bert(folder / "bert")
    for name, told in NETWORKS.items():
        vocabulary = tokenizer(folder / name, "[CLS]", "[SEP]", model_max_length=8)
        (folder / name / "config.json").write_text(json.dumps(SMALL | told | {"vocab_size": len(vocabulary)}))


def arguments(folder, *more):
    places = [f"--{name}={folder / name}" for name in ("datasets", "cache", "features", "out")]
    images = ["--backbone", "resnet18", "--weights", "random", "--side", "64", "--squash", "--pixels", "32"]
    texts = ["--pair", str(folder / "clip"), "--text-encoder", str(folder / "bert")]
    return ["tiny", *places, *images, *texts, "--device", "cpu", "--seeds", "1", *more]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memes")
    networks(folder)
    small.learnable(folder / "datasets" / "tiny", several=True)
    changes = [f"{name}.{key}" for name in NETWORKS for key in (f"network={folder / name}", "random=true")]
    settings = [*changes, "memes.epochs=1", "memes.batch=8", f"visualbert.tokenizer={folder / 'visualbert'}"]
    code = run.main(arguments(folder, "--models", *MODELS, "--set", *settings))
    return folder, code


def test_every_model_has_a_row_with_scores_in_every_mode_and_a_note_where_one_is_due(ran):
    folder, code = ran
    assert code == 0
    rows = {row.model: row for row in read(folder / "out" / "tiny" / "1.0.0").rows}
    assert tuple(rows) == MODELS
    for row in rows.values():
        assert list(row.modes) == ["both", "image", "text"]
        assert row.family == "memes"
    table = (folder / "out" / "tiny" / "1.0.0" / "table.md").read_text()
    assert "regions: 4 of resnet18; 1 epochs" in table
    assert "images of 32 pixels; 1 epochs" in table
    assert "reconstructed: " in table
    assert "the PIE heads are pretrained on the unlabelled training posts" in table


def test_one_post_is_predicted_as_the_run_did(ran):
    folder, _ = ran
    out = folder / "out" / "tiny" / "1.0.0"
    [path] = (folder / "datasets" / "tiny" / "1.0.0").glob("test-*.parquet")
    posts = {post["post_id"]: post for post in pq.read_table(path).to_pylist()}
    found = [row for row in pq.read_table(out / "predictions.parquet").to_pylist() if row["seed"] == 0]
    for name in MODELS:
        predictor = Predictor.load(out / "checkpoints" / f"{name}-seed0.pt")
        assert predictor.checkpoint.source.squash == (name != "vilt")
        for row in [one for one in found if one["model"] == name][:6]:
            post = posts[row["post_id"]]
            given = {"image": post["image"] and post["image"]["bytes"], "text": post["text"]}
            if row["mode"] != "both":
                given = {row["mode"]: given[row["mode"]]}
            if not any(given.values()):
                continue
            assert list(predictor(**given).values()) == pytest.approx(row["probabilities"], abs=2e-3)


def test_regions_that_were_computed_elsewhere_are_said_to_be_of_no_use_for_another_image():
    source = checkpoint.Source("r.npz", None, None, "file", 9, reading="file")
    with pytest.raises(BaselineError) as error:
        source.load()
    assert str(error.value) == (
        "the regions of training were computed elsewhere (r.npz): this model can't read another image; "
        "give a text alone"
    )


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--pixels", "8"], "--pixels 8: it is between 16 and 1024"),
        (
            ["--regions", "girds"],
            "--regions 'girds' is not a file: give grid, torchvision-frcnn, or a .npz or .safetensors file "
            "of regions",
        ),
    ],
)
def test_an_option_that_cannot_be_used_is_one_line(more, told, tmp_path, capsys):
    assert run.main(arguments(tmp_path, *more)) == 2
    assert capsys.readouterr().err.strip() == f"error: {told}"
