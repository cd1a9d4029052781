"""fastText's dictionary: the rows of the input matrix that a text stands for.

Words that occur `minCount` times, the end of the text `</s>`, word n-grams and character n-grams, as the C++
(0.9.2) has them: Joulin et al. 2016, Bag of Tricks for Efficient Text Classification; Bojanowski et al. 2016,
Enriching Word Vectors with Subword Information. N-grams are hashed to one of `bucket` numbers.

    subwords = Subwords.fit(texts, Ngrams(wordNgrams=2, minn=3, maxn=5))
    subwords.ids("so happy today!")  # [17, 214, …]

The C++ holds a row for every bucket. Here only the buckets that the training texts hit have one. The C++'s
other rows stay as drawn, uniform around zero: an n-gram never seen adds noise of mean zero to the sum, and
one to the count. Here it is `UNSEEN`, a row of zeros: the same in expectation, without the noise.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectory.encoders.text.vectors import Vectors, VectorSource
from affectory.encoders.text.words import PADDING, padded

#: The id of every n-gram that no training text holds. Rows that are learnt count from 2.
UNSEEN = PADDING + 1

#: The end of a text, a word like any other but without character n-grams.
EOS = "</s>"

_APART = re.compile(r"([.!?,'/()])")
_OFFSET, _PRIME, _NGRAM_PRIME = 2166136261, 16777619, 116049371


@dataclass(frozen=True, slots=True)
class Ngrams:
    """What has a row, under fastText's names and with its defaults for supervised training.

    `minCount`: a rarer word has none. `wordNgrams`: longest word n-gram. `minn`, `maxn`: shortest and longest
    character n-gram; none where `maxn` is 0. `bucket`: numbers that n-grams are hashed to.
    """

    minCount: int = 1
    wordNgrams: int = 1
    minn: int = 0
    maxn: int = 0
    bucket: int = 2_000_000


def words(text: str) -> list[str]:
    """Split a text into fastText's tokens, `</s>` last.

    Lower case, and .!?,'/() set apart, as fastText's tutorial prepares its texts
    (`sed -e "s/\\([.\\!?,'/()]\\)/ \\1 /g" | tr "[:upper:]" "[:lower:]"`); then split at white space.
    """
    return [*_APART.sub(r" \1 ", text.lower().replace("\0", " ")).split(), EOS]


def hashed(data: bytes, start: int = _OFFSET) -> int:
    """Return fastText's 32-bit hash: FNV-1a, but over signed bytes. `start` continues another one."""
    for byte in data:
        start = (start ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * _PRIME & 0xFFFFFFFF
    return start


@lru_cache(1 << 16)
def character_ngrams(word: str, minn: int, maxn: int, bucket: int) -> tuple[int, ...]:
    """Return the buckets of the n-grams of `<word>`, `minn` to `maxn` characters long.

    A lone `<` or `>` is none.
    """
    letters = [letter.encode("utf-8", "replace") for letter in f"<{word}>"]
    out = []
    for first in range(len(letters)):
        value = _OFFSET
        for last in range(first, min(first + maxn, len(letters))):
            value = hashed(letters[last], value)
            alone = first == last and first in (0, len(letters) - 1)
            if last - first + 1 >= minn and not alone:
                out.append(value % bucket)
    return tuple(out)


def word_ngrams(hashes: Sequence[int], longest: int, bucket: int) -> Iterator[int]:
    """Yield the buckets of the n-grams of two to `longest` words, given each word's hash.

    h = h · 116049371 + hash, in 64 bits; the C++ keeps a hash as int32, so it is sign-extended.
    """
    wide = [value if value < 1 << 31 else value | 0xFFFFFFFF00000000 for value in hashes]
    for first, value in enumerate(wide):
        for following in wide[first + 1 : first + longest]:
            value = value * _NGRAM_PRIME + following & 0xFFFFFFFFFFFFFFFF
            yield value % bucket


def pieces(tokens: Sequence[str], known: Container[str | int], settings: Ngrams) -> Iterator[str | int]:
    """Yield what a text is the mean of: known words, and the bucket of each n-gram, of unknown words too."""
    for token in tokens:
        if token in known:
            yield token
        if settings.maxn and token != EOS:
            yield from character_ngrams(token, settings.minn, settings.maxn, settings.bucket)
    if settings.wordNgrams > 1:
        hashes = [hashed(token.encode("utf-8", "replace")) for token in tokens]
        yield from word_ngrams(hashes, settings.wordNgrams, settings.bucket)


@dataclass(frozen=True)
class Subwords:
    """The dictionary of some training texts.

    `learnt`: what has a row of its own, by id from 2: the words of the texts, most frequent first; the
    buckets that their n-grams hit; the other words that have a pretrained vector. `source`: where the
    pretrained vectors are, for words of later texts.
    """

    settings: Ngrams
    learnt: tuple[str | int, ...]
    width: int = 0  # of the rows, where the dictionary belongs to a trained model
    source: VectorSource | None = None
    modality: Literal["text"] = "text"

    @classmethod
    def fit(cls, texts: Iterable[str], settings: Ngrams, pretrained: Iterable[str] = ()) -> Subwords:
        """Read the dictionary off the training texts.

        `pretrained`: words with a pretrained vector; they have a row however rare they are.
        """
        lines = [words(text) for text in texts]
        counts = Counter(token for line in lines for token in line)
        more = set(pretrained)
        frequent = [w for w, n in counts.most_common() if n >= settings.minCount or w in more]
        known = frozenset(frequent)
        found = (piece for line in lines for piece in pieces(line, known, settings))
        buckets = dict.fromkeys(piece for piece in found if isinstance(piece, int))
        return cls(settings, (*frequent, *buckets, *sorted(more - known)))

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        source = self.source.state() if self.source else None
        learnt = list(self.learnt)
        return {"settings": asdict(self.settings), "learnt": learnt, "width": self.width, "source": source}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Subwords:
        """Return the dictionary of a checkpoint."""
        source = VectorSource(**state["source"]) if state.get("source") else None
        return cls(Ngrams(**state["settings"]), tuple(state["learnt"]), state["width"], source)

    def unknown(self, text: str) -> list[str]:
        """Return the words of a text that have no row of their own, each once."""
        return [token for token in dict.fromkeys(words(text)) if token not in self._ids]

    def extended(self, vectors: Vectors) -> Subwords:
        """Return the dictionary with more words at its end, in the order of `vectors.rows`."""
        return replace(self, learnt=(*self.learnt, *vectors.rows))

    @cached_property
    def _ids(self) -> dict[str | int, int]:
        return {piece: i for i, piece in enumerate(self.learnt, UNSEEN + 1)}

    def place(self, word: str) -> int | None:
        """Return the id of a word; None where it has none."""
        return self._ids.get(word)

    def __len__(self) -> int:
        """Rows of the input matrix, padding and `UNSEEN` included."""
        return UNSEEN + 1 + len(self.learnt)

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text, repeated ones too. A word that isn't known has none of its own."""
        return [self._ids.get(piece, UNSEEN) for piece in pieces(words(text), self._ids, self.settings)]

    def encode(self, texts: Iterable[str]) -> NDArray[np.int64]:
        """Return the ids of texts, int64[n, longest], padded with 0."""
        return padded([self.ids(text) for text in texts])
