"""What a crawl would do, which `--dry-run` prints: nothing is asked for, and nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affectory.core.numbers import count
from collectors.store.lookup import Here, here

#: How many communities are named, those that come first.
NAMED = 20


@dataclass(frozen=True, slots=True)
class Planned:
    """A crawl that wasn't run.

    `source` is where posts would come from and `requests` what that costs, in words. `asked`: by community,
    as it is shown, the posts that are asked for, None if all there are.
    """

    store: Here
    source: str
    requests: str
    asked: Mapping[str, int | None]
    known: Mapping[str, int]
    media: bool = True

    @classmethod
    def of(
        cls,
        folder: Path,
        source: str,
        requests: str,
        asked: Mapping[str, int | None],
        *,
        shown_as: str = "{}",
        media: bool = True,
    ) -> Planned:
        """Return what a crawl into the store in `folder` would do; `asked` is by community, as stored."""
        store = here(folder)
        names = {shown_as.format(name): name for name in asked}
        known = {shown: store.posts.get(name, 0) for shown, name in names.items()}
        return cls(store, source, requests, {s: asked[name] for s, name in names.items()}, known, media)

    def __str__(self) -> str:
        lines = [f"source   {self.source}", f"requests {self.requests}"]
        width = max(map(len, self.asked), default=0)
        for name, most in list(self.asked.items())[:NAMED]:
            posts = "all posts" if most is None else f"at most {count(most, 'post')}"
            lines.append(f"posts    {name:<{width}}  {posts}; the store has {self.known[name]:,}")
        if more := len(self.asked) - NAMED:
            lines += [f"         and {count(more, 'more community', 'more communities')}"] * (more > 0)
        lines.append(f"images   {self._images()}")
        lines.append(f"store    {self.store.folder}" + " (a new one)" * (not self.store.exists))
        return "\n".join([*lines, "dry run: nothing was asked for, and nothing was written"])

    def as_json(self) -> dict[str, Any]:
        """Return the same as data."""
        return {
            "store": str(self.store.folder),
            "store_exists": self.store.exists,
            "source": self.source,
            "requests": self.requests,
            "communities": {
                name: {"at_most": most, "known": self.known[name]} for name, most in self.asked.items()
            },
            "images": self.media,
            "images_waiting": self.store.waiting,
        }

    def _images(self) -> str:
        if not self.media:
            return "none: --no-media keeps their links for a later run"
        waiting = self.store.waiting
        return "those of new posts" + f", and {count(waiting, 'image')} still to fetch" * bool(waiting)
