"""Zero-shot classification by an image-text pair, against a computation by hand."""

import numpy as np
import pytest
import torch

from affectory.core.errors import BaselineError
from affectory.encoders.text.frozen import FrozenText
from affectory.encoders.text.hub_encoders import load_text_encoder
from baselines.data.inputs import Images
from baselines.data.task import SeveralLabels, SingleLabel
from tests.baselines.today import (
    BOTH,
    CLASSES,
    TEXTS,
    THREE,
    WITH_IMAGE,
    data,
    features,
    frozen_encoders,
    of_fit,
)
from tests.encoders import test_hub_encoders


def pair(folder):
    """A tiny CLIP, and the encoders of both its sides."""
    model = test_hub_encoders.clip(folder / "clip")
    encoder = FrozenText.fill(["night"], load_text_encoder(str(folder / "clip")), folder / "cache")
    return model, {"pair_image": Images(12), "pair_text": encoder}


def embedded(model, folder, prompts):
    """The mean of prompts' normalised embeddings, normalised; a prompt at a time, so without padding."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder / "clip")
    rows = []
    for prompt in prompts:
        with torch.inference_mode():
            states = model.text_model(input_ids=torch.tensor([tokenizer(prompt)["input_ids"]]))
            row = model.text_projection(states.pooler_output)[0].double()
        rows.append(row / row.norm())
    mean = torch.stack(rows).mean(0)
    return mean / mean.norm()


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOTH)
def test_zero_shot_is_the_cosine_to_the_mean_of_two_prompts(kind, tmp_path):
    model, encoders = pair(tmp_path)
    names = ("happy", "dark_night", "day")
    task = SingleLabel(names) if kind == "single" else SeveralLabels(names)
    target = CLASSES if kind == "single" else np.eye(3, dtype=np.float32)[CLASSES]
    image = torch.randn(len(TEXTS), 12, generator=torch.Generator().manual_seed(0)).half()
    inputs = {"pair_image": image, "pair_text": torch.from_numpy(encoders["pair_text"].encode(TEXTS))}
    made = data(task, target, inputs=inputs, encoders=encoders, images=WITH_IMAGE)
    one, fitted = of_fit("clip_zero_shot", made, tmp_path, seeds=(0, 1))
    found = one.logits(lambda _: made.of(("pair_image",)).train, "image").double()

    unit = image.double() / image.double().norm(dim=-1, keepdim=True)
    classes = [
        embedded(model, tmp_path, [f"a photo that evokes {name}", f"a post about {name}"])
        for name in ("happy", "dark night", "day")
    ]
    expected = torch.stack([unit @ one for one in classes], -1)
    if kind == "several":
        expected -= (unit @ embedded(model, tmp_path, ["a photo", "a post"]))[:, None]
    expected *= model.logit_scale.detach().double().exp()
    expected[~torch.tensor(WITH_IMAGE)] = 0
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05)
    assert found.std(0).min() > 1
    assert list(one.encoders) == ["pair_image"]
    assert fitted[0].note == (
        "not trained, so all seeds are one network; logit scale 14.28, the network's own"
    )
    assert fitted[0].state is fitted[1].state


@pytest.mark.slow
def test_zero_shot_of_a_network_without_a_scale_takes_clip_s(tmp_path):
    test_hub_encoders.bert(tmp_path / "bert")
    encoder = FrozenText.fill(["night"], load_text_encoder(str(tmp_path / "bert")), tmp_path / "cache")
    encoders = {"pair_image": Images(16), "pair_text": encoder}
    inputs = {"pair_image": torch.ones(10, 16), "pair_text": torch.from_numpy(encoder.encode(TEXTS))}
    made = data(THREE, CLASSES, inputs=inputs, encoders=encoders, images=WITH_IMAGE)
    one, [fitted] = of_fit("clip_zero_shot", made, tmp_path)
    assert float(one.state["scale"]) == 100
    assert fitted.note.endswith("logit scale 100, CLIP's: this network has none")
    one, [fitted] = of_fit("clip_zero_shot", made, tmp_path, scale=20.0)
    assert (float(one.state["scale"]), fitted.note[-22:]) == (20, "logit scale 20, as set")


def test_a_pair_without_one_space_is_one_line(tmp_path):
    made = data(THREE, CLASSES, inputs=features(), encoders=frozen_encoders(), images=WITH_IMAGE)
    with pytest.raises(BaselineError) as error:
        of_fit("clip_zero_shot", made, tmp_path)
    assert str(error.value) == (
        "clip_zero_shot: the pair's images have width 5 and its texts 4: take a pair with one space "
        "(openai/clip-vit-base-patch32), or leave clip_zero_shot out of --models"
    )
