"""Checkpoints of networks whose numbers were drawn, of each kind."""

import torch

from affectory.encoders.text.subwords import Subwords
from baselines.data.batch import Batch
from baselines.models import make
from baselines.settings import Settings, TextSettings
from baselines.training.checkpoint import Checkpoint

CLASSES = ("joy", "fear", "anger")
WORDS = ("day", "happy", "night")
NGRAMS = TextSettings(dim=4, wordNgrams=2, minn=2, maxn=3, bucket=50)
TEXTS = ("Happy day!", "a night in the woods", "")


def checkpoint(model, features=5, source=None, seed=0):
    """A network that reads `features` numbers of an image, whose `source` this is."""
    torch.manual_seed(seed)
    if model == "late":
        parts = tuple(checkpoint(part, features, source, seed) for part in ("image", "text"))
        return Checkpoint("late", CLASSES, None, seed, {}, parts=parts)
    if model == "text":
        subwords = Subwords.fit(["happy day", "dark night"], NGRAMS)
        state = {"rows": torch.randn(len(subwords), 4), "output": torch.randn(3, 4)}
        state["rows"][:2] = 0
        return Checkpoint("text", CLASSES, NGRAMS, seed, state, words=subwords.learnt)
    settings = Settings(hidden=3, fusion="mean")
    network = make(model, features, torch.randn(len(WORDS) + 2, 4), 3, settings)
    network.scale.measure(torch.rand(20, features))
    words = () if model == "image" else WORDS
    state = network.state_dict()
    return Checkpoint(
        model, CLASSES, settings, seed, state, "f" * 64, 7, 0.5, -1.25, 2.0, None, words, source
    )


def probabilities(one, texts=TEXTS, features=5):
    """What a checkpoint's network says of posts with these texts."""
    torch.manual_seed(9)
    batch = Batch(
        torch.randn(len(texts), features),
        one.tokens(texts),
        torch.tensor([[True, bool(text)] for text in texts]),
        torch.zeros(len(texts), dtype=torch.int64),
    )
    with torch.no_grad():
        return torch.softmax(one.network()(batch), -1)
