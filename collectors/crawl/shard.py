"""A part of all posts, so that several machines collect them without overlap: `--shard 1/4` to `4/4`.

A post's part follows from its id alone. So the order of a list or a dump, how it is packed and what else it
holds make no difference.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Self

from affectory.core.errors import InputError

#: How the summary counts the posts of the other parts.
ELSEWHERE = "of_other_shards"

_PART = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number`, from 1, of `of` parts; by default all posts."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the part that `--shard` names, as 1/4. Raises `InputError`."""
        found = _PART.fullmatch(text)
        if found is None:
            raise InputError(f"--shard {text!r} is not a part as 1/4, the first of four")
        number, of = int(found[1]), int(found[2])
        if of == 0:
            raise InputError(f"--shard {text}: there are no parts; 1/4 is the first of four")
        if not 1 <= number <= of:
            raise InputError(f"--shard {text}: parts of {of} are numbered 1/{of} to {of}/{of}")
        return cls(number, of)

    @property
    def is_all(self) -> bool:
        """Whether there is no other part."""
        return self.of == 1

    def has(self, post_id: str) -> bool:
        """Return whether a post ("reddit:3svmej") belongs to this part."""
        if self.is_all:
            return True
        digest = hashlib.sha256(post_id.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"
