"""The features of images and texts, as the models of this family read them."""

from __future__ import annotations

from torch import Tensor

from baselines.data.batch import IMAGE, TEXT, Batch

#: The inputs of models that read a pair of networks.
PAIR = ("pair_image", "pair_text")


def features(batch: Batch, names: tuple[str, str], like: Tensor) -> tuple[Tensor, Tensor]:
    """Return the inputs of these names, of images and of texts: float[B, D_i] and float[B, D_t].

    They are as their networks give them, not normalised; zeros for a missing modality. `like`: a parameter of
    the model, whose type they get.
    """
    image, text = (batch.inputs[name].to(like.dtype) for name in names)
    seen, told = (batch.present[:, column].unsqueeze(-1) for column in (IMAGE, TEXT))
    return image.masked_fill(~seen, 0), text.masked_fill(~told, 0)
