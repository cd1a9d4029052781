import json
import os
import subprocess
import sys

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision.models import get_model

from affectory.core.errors import BaselineError
from affectory.encoders.image.backbones import load_backbone, save_backbone
from tests.conftest import SHARED
from tests.encoders.test_hub_encoders import clip

pytestmark = pytest.mark.slow

MOBILENET = SHARED / "weights" / "mobilenet_v2_imagenet.safetensors"


def real_weights():
    if not MOBILENET.exists():
        pytest.skip(f"{MOBILENET} is absent")
    return MOBILENET


@pytest.fixture(scope="module")
def mobilenet():
    return load_backbone("mobilenet_v2", real_weights(), side=225)


@pytest.fixture
def shufflenet(tmp_path):
    """The state dict of a small network, and the network itself."""
    torch.manual_seed(3)
    model = get_model("shufflenet_v2_x0_5", weights=None).eval()
    return model, model.state_dict()


# Width, input side and input range are those of the papers' and torchvision's documents.
@pytest.mark.parametrize(
    ("name", "dim", "side", "resize"),
    [("inception_v3", 2048, 299, 342), ("densenet121", 1024, 224, 256), ("mobilenet_v2", 1280, 224, 256)],
)
def test_a_backbone_has_the_width_and_the_input_of_its_paper(name, dim, side, resize):
    backbone = load_backbone(name, "random")
    assert (backbone.dim, backbone.side, backbone.digest) == (dim, side, "random")
    assert backbone.preprocessing == (
        f"resize {resize} bilinear, crop {side}, mean (0.485, 0.456, 0.406), std (0.229, 0.224, 0.225)"
    )
    assert not backbone.module.training


def test_features_are_what_the_whole_network_puts_into_its_last_layer(tmp_path, shufflenet):
    model, state = shufflenet
    torch.save(state, tmp_path / "w.pth")
    backbone = load_backbone("shufflenet_v2_x0_5", tmp_path / "w.pth")
    pixels = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(model.fc(backbone.module(pixels)), model(pixels))


def test_the_digest_is_of_the_weights_and_not_of_the_file(tmp_path, shufflenet):
    _, state = shufflenet
    save_file(state, tmp_path / "w.safetensors")
    torch.save({"epoch": 9, "state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "w.pth")
    headless = {k: v for k, v in state.items() if not k.startswith("fc.")}
    torch.save(headless, tmp_path / "headless.pt")
    counted = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    save_file(counted, tmp_path / "counted.safetensors")
    digests = {
        load_backbone("shufflenet_v2_x0_5", tmp_path / file).digest
        for file in ("w.safetensors", "w.pth", "headless.pt", "counted.safetensors")
    }
    assert len(digests) == 1
    state["conv1.0.weight"][0, 0, 0, 0] += 1
    save_file(state, tmp_path / "other.safetensors")
    assert load_backbone("shufflenet_v2_x0_5", tmp_path / "other.safetensors").digest not in digests


@pytest.mark.parametrize("name", ["inception_v3", "densenet121", "swin_t", "maxvit_t", "vit_b_32"])
def test_weights_that_are_read_are_all_there_is_of_a_network(tmp_path, name):
    """Nothing is drawn while the network is made: what a file doesn't hold would be left undefined."""
    wanted = load_backbone(name, "random")
    save_backbone(wanted, tmp_path / "w.safetensors")
    found = load_backbone(name, tmp_path / "w.safetensors")
    assert found.weights_sha256 == wanted.weights_sha256
    assert found.dim == wanted.dim
    buffers = dict(wanted.module.named_buffers())
    for key, tensor in found.module.named_buffers():
        assert torch.equal(tensor, buffers[key])


def test_the_number_of_features_is_known_without_running_the_network():
    for name in ("mobilenet_v3_small", "googlenet", "regnet_x_400mf", "convnext_tiny", "efficientnet_b0"):
        backbone = load_backbone(name, "random")
        with torch.inference_mode():
            out = backbone.module(torch.zeros(1, 3, backbone.side, backbone.side))
        assert out.shape == (1, backbone.dim)


def test_weights_of_the_old_densenet_spelling_are_read(tmp_path):
    model = get_model("densenet121", weights=None)
    new = model.state_dict()
    old = {}
    for key, tensor in new.items():
        for part in ("norm", "conv"):
            for number in "12":
                if "denselayer" in key:
                    key = key.replace(f".{part}{number}.", f".{part}.{number}.")
        old[key] = tensor
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(new, tmp_path / "new.pth")
    torch.save(old, tmp_path / "old.pth")
    digests = [
        load_backbone("densenet121", tmp_path / f"{age}.pth", side=32).digest for age in ("new", "old")
    ]
    assert digests[0] == digests[1]


def test_random_weights_are_those_of_their_seed_and_leave_the_callers_draws_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = (load_backbone("shufflenet_v2_x0_5", "random", seed=seed) for seed in (1, 1, 2))
    assert torch.rand(1) == expected
    assert first.weights_sha256 == again.weights_sha256 != other.weights_sha256
    assert first.digest == other.digest == "random"
    assert first.key != other.key


def test_another_input_side_is_another_preprocessing():
    usual, odd = (load_backbone("shufflenet_v2_x0_5", "random", side=side) for side in (None, 225))
    assert odd.preprocess(Image.new("RGB", (640, 480))).shape == (3, 225, 225)
    assert odd.preprocessing.startswith("resize 257 bilinear, crop 225, ")
    assert usual.key != odd.key
    assert usual.key.startswith("shufflenet_v2_x0_5-")


def test_a_squashed_image_is_whole_and_its_preprocessing_another(tmp_path):
    """The left third is red: of a square crop of the middle it would be less."""
    image = Image.new("RGB", (90, 30), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 30, 30))
    usual, squashed = (
        load_backbone("shufflenet_v2_x0_5", "random", side=33, squash=squash) for squash in (False, True)
    )
    assert squashed.preprocess(image).shape == (3, 33, 33)
    red = (squashed.preprocess(image)[0] > 0).float().mean((0, 1))
    assert red == pytest.approx(1 / 3, abs=0.02)
    assert not (usual.preprocess(image)[0] > 0).any()
    assert squashed.preprocessing.startswith("squash to 33 bicubic, mean ")
    assert usual.key != squashed.key
    save_backbone(squashed, tmp_path / "w.safetensors")
    again = load_backbone("shufflenet_v2_x0_5", tmp_path / "w.safetensors", side=33, squash=True)
    assert again.key == squashed.key


def test_clip_squashes_in_place_of_its_own_resizing_and_crop(tmp_path):
    from transformers import CLIPImageProcessor

    clip(tmp_path)
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor.save_pretrained(tmp_path)
    image = Image.effect_noise((90, 30), 60).convert("RGB")
    usual, squashed = (load_backbone(str(tmp_path), squash=squash) for squash in (False, True))
    small = image.resize((32, 32), Image.Resampling.BICUBIC)
    torch.testing.assert_close(squashed.preprocess(image), usual.preprocess(small))
    assert squashed.key != usual.key
    assert squashed.preprocess(Image.new("L", (5, 400))).shape == (3, 32, 32)


def test_weights_of_another_network_name_the_first_keys_that_differ(tmp_path, shufflenet):
    torch.save(shufflenet[1], tmp_path / "w.pth")
    with pytest.raises(BaselineError) as caught:
        load_backbone("mobilenet_v2", tmp_path / "w.pth")
    assert str(caught.value).startswith(
        f"{tmp_path / 'w.pth'} does not hold the weights of mobilenet_v2: features.0.0.weight is missing; "
        "features.0.1.weight is missing; features.0.1.bias is missing and "
    )


def test_weights_of_another_width_name_both_shapes(tmp_path):
    torch.save(get_model("shufflenet_v2_x1_0", weights=None).state_dict(), tmp_path / "w.pth")
    with pytest.raises(
        BaselineError, match=r"stage2\.0\.branch1\.2\.weight is \(58, 24, 1, 1\), not \(24, 24"
    ):
        load_backbone("shufflenet_v2_x0_5", tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("mobilenet", {}, "there is no backbone 'mobilenet': take one of torchvision's (mobilenet_v2"),
        ("squeezenet1_0", {"weights": "random"}, "squeezenet1_0 has no linear layer to take off"),
        ("resnet18", {"weights": "absent.pth"}, "there is no weights file 'absent.pth': give a .safetensors"),
        ("resnet18", {"weights": "random", "side": 8}, "--side 8: the input's side is between 32 and 2048"),
        ("some/model", {"side": 225}, "--side 225: some/model has its own input size; leave it out"),
        (
            "some/model",
            {"weights": "absent"},
            "--weights absent: a transformers model is a folder with a config",
        ),
    ],
)
def test_a_choice_that_cannot_be_had_is_one_line(name, options, told):
    with pytest.raises(BaselineError) as caught:
        load_backbone(name, **options)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["w.pth", "w.safetensors"])
def test_a_file_that_holds_no_weights_is_one_line(tmp_path, file):
    (tmp_path / file).write_text("<html>404 Not Found</html>")
    with pytest.raises(BaselineError, match=r"can't be read as weights: give \.safetensors, or a state dict"):
        load_backbone("resnet18", tmp_path / file)


def test_a_whole_pickled_model_is_refused(tmp_path):
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(BaselineError, match="holds no state dict"):
        load_backbone("resnet18", tmp_path / "list.pth")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pth")
    with pytest.raises(BaselineError, match="can't be read as weights"):
        load_backbone("resnet18", tmp_path / "model.pth")


def test_weights_that_cannot_be_fetched_say_where_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    # urlopen keeps its first opener, proxies and all: it must not outlive this test.
    monkeypatch.setattr("urllib.request._opener", None)
    for proxy in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")  # nothing listens there
    with pytest.raises(BaselineError) as caught:
        load_backbone("densenet121")
    told = str(caught.value)
    assert told.startswith("the weights of densenet121 can't be fetched (")
    assert "get https://download.pytorch.org/models/densenet121-a639ec97.pth elsewhere" in told
    assert told.endswith("with --weights PATH, or take random ones with --weights random")


def vit_folder(folder, *, pooler):
    """Write a tiny ViT as its authors' tools would."""
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=8,
    )
    model = ViTModel(config, add_pooling_layer=pooler).eval()
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return model


@pytest.mark.parametrize("pooler", [True, False])
def test_a_vision_transformer_gives_its_trained_pooler_or_its_first_token(tmp_path, pooler):
    model = vit_folder(tmp_path / "vit", pooler=pooler)
    backbone = load_backbone(str(tmp_path / "vit"))
    assert (backbone.dim, backbone.side) == (16, 32)
    pixels = backbone.preprocess(Image.new("RGB", (90, 70), "teal"))[None]
    with torch.inference_mode():
        out = model(pixel_values=pixels)
        wanted = out.pooler_output if pooler else out.last_hidden_state[:, 0]
        torch.testing.assert_close(backbone.module(pixels), wanted)


def test_a_folder_may_stand_for_a_hub_id(tmp_path):
    vit_folder(tmp_path / "vit", pooler=True)
    backbone = load_backbone("google/vit-tiny", tmp_path / "vit")
    assert backbone.name == "google/vit-tiny"
    assert backbone.key.startswith("google-vit-tiny-")


def test_a_checkpoint_of_another_model_names_the_missing_weights(tmp_path):
    vit_folder(tmp_path / "vit", pooler=True)
    file = tmp_path / "vit" / "model.safetensors"
    state = load_file(file)
    kept = {key: tensor for key, tensor in state.items() if ".0." not in key}
    save_file(kept, file, {"format": "pt"})
    with pytest.raises(
        BaselineError, match=r"does not hold the weights of .*\.0\..*, .* are missing and 13 more"
    ):
        load_backbone(str(tmp_path / "vit"))


def test_clip_gives_the_projected_features(tmp_path):
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = CLIPConfig(
        text_config=small | {"vocab_size": 50},
        vision_config=small | {"image_size": 32, "patch_size": 8},
        projection_dim=12,
    )
    model = CLIPModel(config).eval()
    model.save_pretrained(tmp_path)
    side = {"height": 32, "width": 32}
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=side).save_pretrained(tmp_path)
    backbone = load_backbone(str(tmp_path))
    assert backbone.dim == 12
    pixels = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        pooled = model.vision_model(pixel_values=pixels).pooler_output
        torch.testing.assert_close(backbone.module(pixels), model.visual_projection(pooled))


def test_a_hub_model_without_weights_or_network_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}))
    with pytest.raises(BaselineError) as caught:
        load_backbone(str(tmp_path))
    assert "\n" not in str(caught.value)
    assert "can't be loaded from" in str(caught.value)


def test_a_hub_that_is_out_of_reach_is_asked_once(tmp_path):
    """Nothing listens on port 9 of the loopback. What the hub gave before would be found all the same."""
    program = "from affectory.encoders.image.backbones import load_backbone; load_backbone('google/vit-tiny')"
    home = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=os.environ | home, text=True, capture_output=True)
    assert "Retry" not in done.stderr
    assert done.stderr.splitlines()[-1] == (
        "affectory.core.errors.BaselineError: google/vit-tiny can't be loaded from 'google/vit-tiny' (the "
        "Hugging Face hub can't be reached, and hasn't given it before): download it elsewhere (`hf download "
        "google/vit-tiny --local-dir DIR`) and give its folder in place of its name"
    )


def test_the_real_weights_know_a_comic(mobilenet):
    # image_1178.jpg is a comic strip; class 917 of ImageNet is "comic book".
    last = load_file(real_weights())
    assert (mobilenet.digest, mobilenet.dim, mobilenet.side) == ("bd6e02e4f7a50050", 1280, 225)
    with Image.open(SHARED / "met_meme" / "images" / "image_1178.jpg") as image, torch.inference_mode():
        features = mobilenet.module(mobilenet.preprocess(image)[None])
    shares = (features @ last["classifier.1.weight"].T + last["classifier.1.bias"]).softmax(1)
    assert shares.argmax() == 917
    assert shares[0, 917] > 0.95


def test_saved_weights_are_the_same_backbone(tmp_path):
    backbone = load_backbone("shufflenet_v2_x0_5", "random", side=64)
    save_backbone(backbone, tmp_path / "tuned" / "w.safetensors")
    again = load_backbone("shufflenet_v2_x0_5", tmp_path / "tuned" / "w.safetensors", side=64)
    assert again.key == backbone.key
    vit_folder(tmp_path / "vit", pooler=False)
    encoder = load_backbone(str(tmp_path / "vit"))
    save_backbone(encoder, tmp_path / "tuned" / "vit")
    assert load_backbone(str(tmp_path / "vit"), tmp_path / "tuned" / "vit").key == encoder.key
