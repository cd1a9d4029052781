"""L-Fus, late fusion: the mean of the probabilities of SI and ST.

Pagé Fortin and Chaib-draa 2019, Table 2. A missing modality's classifier is left out.
"""

from __future__ import annotations

from baselines.models.base import Combination, Spec

SPEC = Spec(
    name="l_fus",
    title=lambda settings: "L-Fus",
    reads=("image", "text"),
    inputs=(),
    made_of=Combination("si", "st", "mean"),
    posts="pairs",
    names={"both": "L-Fus"},
)
