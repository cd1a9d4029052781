"""Small memes in memory for the models of pairs: features of images, states of tokens, posts with gaps."""

import torch

from affectory.encoders.text.frozen import FrozenText
from baselines.data.batch import Batch
from baselines.data.encoders import INPUTS, Images, Pixels, Regions, Views
from baselines.data.inputs import Data
from baselines.data.task import SeveralLabels, SingleLabel
from baselines.models import registry
from baselines.training.checkpoint import Checkpoint, read
from baselines.training.loop import fit

CPU = torch.device("cpu")
LABELS = ("shaming", "stereotype", "violence")
TASKS = {"single": SingleLabel(LABELS), "several": SeveralLabels(LABELS)}

#: Widths of an image's and a text's features, the tokens of a text, the regions and pixels of an image.
IMAGE, TEXT, TOKENS, REGIONS, SIDE = 6, 5, 4, 3, 8
WORDS = ("so", "happy", "a", "day", "dark", "night")


def frozen(output="features"):
    """The encoder of a text network that is never loaded."""
    return FrozenText("tiny", "tiny", "cls", output, TOKENS, TEXT, "tiny-0-0", "cache")


ENCODERS = {
    "image": Images(IMAGE),
    "image_views": Views(IMAGE),
    "first_token": frozen(),
    "pair_image": Images(IMAGE),
    "pair_states": frozen("states"),
    "regions": Regions(IMAGE, REGIONS, "3 of tiny"),
    "pixels": Pixels(SIDE),
}


def posts(n, kind, seed=0, gaps=True, unlabelled=0):
    """n posts whose features are noise: what a label is can only be learnt by heart.

    The last `unlabelled` have no label.
    """
    draw = torch.Generator().manual_seed(seed)
    shapes = {
        "image": (IMAGE,),
        "first_token": (TEXT,),
        "pair_image": (IMAGE,),
        "pair_states": (TOKENS, TEXT),
    }
    inputs = {name: torch.randn(n, *shape, generator=draw).half() for name, shape in shapes.items()}
    boxes = torch.rand(n, REGIONS, 4, generator=draw).half()
    features = torch.randn(n, REGIONS, IMAGE, generator=draw).half()
    inputs["regions"] = torch.cat([features, boxes, torch.ones(n, REGIONS, 1).half()], -1)
    inputs["regions"][::3, 2] = 0  # fewer regions than others
    inputs["pixels"] = torch.randint(0, 256, (n, 3, SIDE, SIDE), generator=draw, dtype=torch.uint8)
    present = torch.ones(n, 2, dtype=torch.bool)
    if gaps:
        present[2::5, 0] = False
        present[3::5, 1] = False
    several = torch.randint(0, 2, (n, len(LABELS)), generator=draw).float()
    inputs["image_views"] = torch.randn(n, 2, IMAGE, generator=draw).half()
    target = torch.arange(n) % len(LABELS) if kind == "single" else several
    return Batch(inputs, present, target, torch.arange(n) < n - unlabelled)


def written(row):
    """The text of a post: its number in the six words."""
    return " ".join(WORDS[row // 6**place % 6] for place in range(3))


def data(kind, n=32, gaps=True, unlabelled=0):
    """Data of n training posts, and the same as validation."""
    texts = {split: [written(row) for row in range(n)] for split in ("train", "validation")}
    train = posts(n, kind, gaps=gaps, unlabelled=unlabelled)
    return Data(TASKS[kind], train, train, ENCODERS, texts)


def network(name, kind, settings, seed=0):
    """A network in float64, dropout off."""
    torch.manual_seed(seed)
    return registry.spec(name).build(TASKS[kind], ENCODERS, settings).double().eval()


def trained(name, kind, settings, seeds=(0,), **more):
    spec = registry.spec(name)
    return fit(spec, data(kind, **more).of(spec.inputs), settings, seeds, CPU)


def again(folder, name, kind, settings, fitted):
    """The checkpoint of a trained network, written and read."""
    spec = registry.spec(name)
    kept = [one for one in spec.inputs if INPUTS[one].later]
    states = fitted.encoders or {one: ENCODERS[one].state() for one in kept}
    written = Checkpoint(name, TASKS[kind], settings, fitted.seed, fitted.state, states)
    written.write(folder / "one.pt")
    return read(folder / "one.pt")


def check_masks(name, kind, settings):
    """What stands in the inputs of a missing modality changes nothing."""
    model, batch = network(name, kind, settings), posts(8, kind)
    for mode, names in (("image", ("first_token", "pair_states")), ("text", ("image", "pair_image"))):
        only = batch.only(mode)
        other = only._replace(inputs=only.inputs | {one: only.inputs[one] * 2 + 1 for one in names})
        with torch.no_grad():
            assert torch.equal(model(other)["y"], model(only)["y"])
            assert not torch.equal(model(batch)["y"], model(only)["y"])
