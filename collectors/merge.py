"""Merge crawl stores into one: the newer observation of each post, and the images of all.

    python -m collectors.merge data/reddit data/archive --into data/both

Of two copies of a post the newer one is kept (`observed_at`, else `collected_at`; Reddit's own answer before
an archive's of the same age). A removed post stays removed, unless another copy was observed later. Images
are linked if the file system supports it, otherwise copied; one that any of the stores has is kept. The
stores themselves aren't changed. The command can be stopped or killed at any moment: the same command
completes it.
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import itertools
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import FlagCreatePairsOff, Positional, arg

from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import InputError
from affectory.core.numbers import count
from affectory.core.progress import Steps, span

if TYPE_CHECKING:
    from collectors.store.reading import Reader

#: Posts in one transaction.
BATCH = 500


@dataclass(frozen=True)
class Options:
    """Merge crawl stores into one: the newer observation of each post, and the images of all.

    The stores aren't changed. The command can be stopped at any moment: the same command completes it.
    """

    stores: Positional[Annotated[tuple[Path, ...], arg(metavar="STORE …", help_behavior_hint="(required)")]]
    """The crawl stores to merge."""

    into: Annotated[Path, arg(metavar="DIR")]
    """The folder of the merged store; if there is one already, the others are merged into it."""

    drop_authors: FlagCreatePairsOff[bool] = False
    """Leave out the authors of stores that hash them with another key than the merged one."""


@dataclass(slots=True)
class Merged:
    """The result of a merge, as it is printed: per store the posts by outcome, the files added and lost."""

    folder: Path
    posts: dict[Path, Counter[str]] = field(default_factory=dict)
    added: int = 0
    lost: dict[Path, int] = field(default_factory=dict)
    authorless: Sequence[Path] = ()
    seconds: float = 0.0

    def __str__(self) -> str:
        width = max(len(str(folder)) for folder in self.posts)
        lines = []
        for folder, counts in self.posts.items():
            parts = " + ".join(f"{counts[word]:,} {word}" for word in ("new", "replaced", "known"))
            lines.append(f"posts   {folder!s:<{width}}  {counts.total():,} = {parts}")
        lines.append(f"images  {self.added:,} added")
        lines += [f"note    the authors of {folder} were left out" for folder in self.authorless]
        for folder, lost in self.lost.items():
            files = count(lost, "image file is", "image files are")
            lines.append(f"note    {files} missing or damaged in {folder}: affectory verify {folder}")
        lines.append(f"store   {self.folder}  ({span(self.seconds)})")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Return all counts, as `--json` prints them."""
        return {
            "store": str(self.folder),
            "posts": {str(folder): dict(counts) for folder, counts in self.posts.items()},
            "images_added": self.added,
            "images_lost": {str(folder): lost for folder, lost in self.lost.items()},
            "authors_left_out": [str(folder) for folder in self.authorless],
            "seconds": round(self.seconds, 3),
        }


def main(arguments: list[str] | None = None, *, prog: str = "python -m collectors.merge") -> int:
    """Run the command with these arguments (default: those of the process); return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    return finish(lambda: _merge(read_options(Options, given, prog, __doc__), " ".join([prog, *given])))


def _merge(options: Options, command: str) -> Merged:
    from collectors.store.reading import reading

    if not options.stores:
        raise InputError("name the stores to merge: affectory merge STORE … --into DIR")
    if same := [one for one in options.stores if one.resolve() == options.into.resolve()]:
        raise InputError(f"--into {str(same[0])!r} is one of the stores: name another folder")
    with ExitStack() as stack:
        readers = [stack.enter_context(reading(folder)) for folder in dict.fromkeys(options.stores)]
        return merge(readers, options.into, command, drop_authors=options.drop_authors)


def merge(readers: Sequence[Reader], into: Path, command: str, *, drop_authors: bool = False) -> Merged:
    """Merge stores into the one in `into`. Raises `InputError` if their authors have different keys."""
    from collectors.store import Store, runs
    from collectors.store.files import Files

    began, merged = time.monotonic(), Merged(into)
    if alive := runs.alive(into):
        raise InputError(f"run {alive[0]} is working on the store {str(into)!r}: merge when it has ended")
    key, merged.authorless = _author_key(readers, into, drop_authors=drop_authors)
    with (
        Store.open(into) as store,
        store.run(command) as run,
        Steps("merging", sum(reader.count() for reader in readers), "posts") as steps,
    ):
        if key is not None:
            store.author_key(key)
        for reader in readers:
            files, counts = Files(reader.folder, into, run.run_id), Counter[str]()
            records = reader.records()
            while batch := list(itertools.islice(records, BATCH)):
                counts += store.merge(batch, files, authors=reader.folder not in merged.authorless)
                steps.advance(len(batch))
            store.add_dumps(reader.dumps())
            merged.posts[reader.folder] = counts
            merged.added += files.added
            if files.lost:
                merged.lost[reader.folder] = len(files.lost)
        merged.seconds = time.monotonic() - began
        store.end(run, str(merged))
    return merged


def _author_key(
    readers: Sequence[Reader], into: Path, *, drop_authors: bool
) -> tuple[bytes | None, list[Path]]:
    """Return the key of the merged store's authors, and the stores that have others.

    Raises `InputError` if there are such stores, unless their authors are dropped.
    """
    from collectors.store.keys import read_key
    from collectors.store.reading import reading

    first, key = into, None
    if (into / "crawl.sqlite").is_file():
        with reading(into) as store:
            key = store.author_key()
    foreign = []
    for reader in readers:
        if not reader.has_authors():
            continue
        own = reader.author_key()
        if key is None and own is not None:
            first, key = reader.folder, own
        elif own is None or own != key:
            foreign.append(reader.folder)
    if foreign and not drop_authors:
        if fault := read_key(foreign[0])[1]:
            raise InputError(
                f"{fault}, and the store has authors that were hashed with it: restore it from a copy, or "
                "leave them out with --drop-authors"
            )
        raise InputError(
            f"the authors of {str(foreign[0])!r} are hashed with another key than those of {str(first)!r}, "
            "so one author would have two hashes: leave them out with --drop-authors"
        )
    return key, foreign


if __name__ == "__main__":
    sys.exit(main())
