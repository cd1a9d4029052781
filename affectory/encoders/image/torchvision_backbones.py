"""Image classifiers of torchvision without their last layer, from the hub or from a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from affectory.core.errors import BaselineError
from affectory.encoders.image.network import RANDOM, Network, check_keys, seeded
from affectory.encoders.image.published_weights import fetch
from affectory.encoders.image.torchvision_import import without_the_compiler

with without_the_compiler():
    import torchvision.models as zoo
    from torchvision.transforms._presets import ImageClassification
    from torchvision.transforms.functional import InterpolationMode

#: densenet121-a639ec97.pth and its kin say "denselayer1.norm.1.weight" for "denselayer1.norm1.weight".
_OLD_DENSENET = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..+)")


def names() -> list[str]:
    """Return the names of the networks."""
    return list(zoo.list_models(module=zoo))


def load(
    name: str, weights: str | Path | None, side: int | None, seed: int, *, squash: bool = False
) -> Network:
    """Load a network. Arguments and errors as of `load_backbone`."""
    published = zoo.get_model_weights(name)
    chosen = published.DEFAULT
    if weights is not None:
        # Few files tell how their images were prepared (`save_backbone`'s do); most are of the first recipe.
        told = _preprocessing(Path(weights))
        same = (one for one in published if _in_words(_transform(one, side, squash)) == told)
        chosen = next(same, next(iter(published)))
    transform = _transform(chosen, side, squash)
    if str(weights) == RANDOM:
        module, dim = seeded(lambda: _without_head(name), seed)
    else:
        with _Undrawn():
            module, dim = _without_head(name)
        where = chosen.url if weights is None else str(weights)
        _fill(module, name, where, _fetched(name, chosen) if weights is None else _from_file(Path(weights)))
    return Network(module, transform, _in_words(transform), transform.crop_size[0], dim)


class _Undrawn(TorchFunctionMode):
    """Makes weights zero instead of drawing them: drawing what a file replaces takes seconds.

    PyTorch draws some until all values are within bounds, which zeros are. The device "meta" would draw
    nothing, but imports torch's compiler.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0].zero_()
        return func(*args, **(kwargs or {}))


def _fill(module: nn.Module, name: str, where: str, state: dict[str, Tensor]) -> None:
    """Load a state dict, which may hold the layers that were taken off too."""
    state = {_OLD_DENSENET.sub(r"\1\2", key): tensor for key, tensor in state.items()}
    check_keys(
        name, where, module, state, rf"{re.escape(_head(module))}\.(weight|bias)$|AuxLogits\.|aux[12]\."
    )
    own = module.state_dict()
    # Some files leave out `num_batches_tracked`, which counts training steps and changes nothing.
    module.load_state_dict({key: state.get(key, tensor) for key, tensor in own.items()})


def _without_head(name: str) -> tuple[nn.Module, int]:
    """Return the network without its last linear layer and any auxiliary classifiers, and the features."""
    more: dict[str, Any] = {}
    if name in ("inception_v3", "googlenet"):
        # Their published weights were trained on inputs of mean 0.5 and std 0.5: `transform_input` converts.
        # `init_weights` takes seconds.
        more = {"init_weights": False, "transform_input": True, "aux_logits": True}
    module: Any = zoo.get_model(name, weights=None, **more)
    if more:
        module.aux_logits = False
        for auxiliary in ("AuxLogits", "aux1", "aux2"):
            if hasattr(module, auxiliary):
                setattr(module, auxiliary, None)
    linear = [key for key, child in module.named_modules() if isinstance(child, nn.Linear)]
    if not linear:
        raise BaselineError(f"{name} has no linear layer to take off: choose another backbone")
    dim = int(module.get_submodule(linear[-1]).in_features)
    module.set_submodule(linear[-1], _Headless())
    return module, dim


class _Headless(nn.Identity):
    """Stands where the last layer was."""


def _head(module: nn.Module) -> str:
    return next(str(key) for key, child in module.named_modules() if isinstance(child, _Headless))


def _fetched(name: str, chosen: Any) -> dict[str, Tensor]:
    """Return the published weights, from torch's cache where they are there."""
    try:
        fetch(name, chosen.url)
        state: dict[str, Tensor] = chosen.get_state_dict(progress=False, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        reason = getattr(error, "reason", error)
        raise BaselineError(
            f"the weights of {name} can't be fetched ({reason}): get {chosen.url} elsewhere and give it "
            "with --weights PATH, or take random ones with --weights random"
        ) from error
    return state


def _from_file(path: Path) -> dict[str, Tensor]:
    """Read a state dict: .safetensors, or what `torch.save` wrote, also inside a checkpoint."""
    if not path.is_file():
        raise BaselineError(
            f"there is no weights file {str(path)!r}: give a .safetensors or .pth file, or random"
        )
    try:
        tensors = path.suffix == ".safetensors"
        state = load_file(path) if tensors else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a text or a picture, read as a pickle, fails in any way
        raise BaselineError(
            f"{path} can't be read as weights: give .safetensors, or a state dict saved by torch.save"
        ) from error
    for key in ("state_dict", "model"):  # {"epoch": 90, "state_dict": {…}}
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise BaselineError(f"{path} holds no state dict: save one with torch.save(model.state_dict(), PATH)")
    return {key.removeprefix("module."): tensor for key, tensor in state.items()}  # DataParallel's prefix


def _preprocessing(path: Path) -> str | None:
    """Return what a file says of the preprocessing, if it is one of ours."""
    if path.suffix != ".safetensors" or not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            return (file.metadata() or {}).get("preprocessing")
    except (SafetensorError, OSError):
        return None  # reading its weights tells what is wrong


def _transform(chosen: Any, side: int | None, squash: bool) -> ImageClassification:
    """Return the preprocessing of published weights, at another input size where one is asked for.

    `squash`: the whole image, bicubic, whatever its proportions.
    """
    usual: ImageClassification = chosen.transforms()
    if side is None:
        side = usual.crop_size[0]
        if not squash:
            return usual
    if not 32 <= side <= 2048:
        raise BaselineError(f"--side {side}: the input's side is between 32 and 2048 pixels")
    found = ImageClassification(
        crop_size=side,
        resize_size=round(usual.resize_size[0] * side / usual.crop_size[0]),
        mean=tuple(usual.mean),
        std=tuple(usual.std),
        interpolation=InterpolationMode.BICUBIC if squash else usual.interpolation,
        antialias=usual.antialias,
    )
    if squash:
        found.resize_size = [side, side]  # of one number it keeps the proportions
    return found


def _in_words(transform: ImageClassification) -> str:
    squashed = len(transform.resize_size) == 2
    fitted = (
        f"squash to {transform.crop_size[0]} {transform.interpolation.value}"
        if squashed
        else f"resize {transform.resize_size[0]} {transform.interpolation.value}, "
        f"crop {transform.crop_size[0]}"
    )
    return f"{fitted}, mean {tuple(transform.mean)}, std {tuple(transform.std)}"
