"""CROM-AE: two cross-modal autoencoders, trained on unlabelled pairs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from baselines.data.batch import IMAGE, TEXT, Batch
from baselines.models.base import Term, Terms
from baselines.models.semimemes2023.features import PAIR, features


class CrossModalAutoencoder(nn.Module):
    """One modality's features from the other's: Linear, PReLU with a slope a feature, Linear.

    float[B, d_in] -> float[B, d_out].
    """

    def __init__(self, features: int, others: int) -> None:
        super().__init__()
        self.encode = nn.Linear(features, features)
        self.decode = nn.Sequential(nn.PReLU(features), nn.Linear(features, others))

    def forward(self, features: Tensor) -> Tensor:
        """Return the other modality's features."""
        other: Tensor = self.decode(self.encode(features))
        return other


class CromAE(nn.Module):
    """Image to text and text to image. A modality's cooked features are its encoder's output, before PReLU.

    The cooked features of a missing modality are those of what the other direction decodes.
    """

    def __init__(self, image: int, text: int) -> None:
        super().__init__()
        self.image_to_text = CrossModalAutoencoder(image, text)
        self.text_to_image = CrossModalAutoencoder(text, image)

    def cooked(self, image: Tensor, text: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cooked features, float[B, D_i] and float[B, D_t]. `present`: bool[B, 2]."""
        seen, told = present[:, IMAGE].unsqueeze(-1), present[:, TEXT].unsqueeze(-1)
        cooked_image, cooked_text = self.image_to_text.encode(image), self.text_to_image.encode(text)
        # Zeros where neither is there: decoded from nothing they would say something.
        image_of_text = self.text_to_image.decode(cooked_text) * told
        text_of_image = self.image_to_text.decode(cooked_image) * seen
        return (
            torch.where(seen, cooked_image, self.image_to_text.encode(image_of_text)),
            torch.where(told, cooked_text, self.text_to_image.encode(text_of_image)),
        )

    def terms(self, batch: Batch) -> Terms:
        """Return both mean squared errors, over the posts that have image and text."""
        image, text = features(batch, PAIR, self.image_to_text.encode.weight)
        pairs = batch.present.all(-1)
        errors = {
            "image to text": self.image_to_text(image) - text,
            "text to image": self.text_to_image(text) - image,
        }
        return {
            name: Term((error.square().mean(-1) * pairs).sum(), pairs.sum()) for name, error in errors.items()
        }


def reconstruction(model: Any, batch: Batch) -> Terms:
    """Return the terms of the first stage: those of the model's autoencoders, whatever the labels."""
    found: Terms = model.crom_ae.terms(batch)
    return found
