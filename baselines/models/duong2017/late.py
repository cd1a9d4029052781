"""Late fusion: the product of the image-based and the text-based classifier.

Duong et al. 2017, section 3.2, equation 2: argmax_y P(y|i) · P(y|s). A missing modality's factor is left out.
"""

from __future__ import annotations

from baselines.models.base import Combination, Spec

SPEC = Spec(
    name="late",
    title=lambda settings: "Late fusion",
    reads=("image", "text"),
    inputs=(),
    made_of=Combination("image", "text", "product"),
)
