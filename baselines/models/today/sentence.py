"""A frozen sentence encoder (--text-encoder) and a logistic regression.

The encoder is MiniLM by default, as sentence-transformers publishes it: Reimers and Gurevych 2019,
Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks.
"""

from __future__ import annotations

from baselines.models.today.probe import probe

SPEC = probe("sentence", "Sentence encoder, logistic regression", {"sentence": "text"})
