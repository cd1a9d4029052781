"""Run the sandbox, which imitates the sites with generated posts.

    python -m collectors.sandbox --port 8300 --posts 600 --faults 429=0.05 drip=0.01

It prints one line, `sandbox ready at http://127.0.0.1:8300`, and serves until it is interrupted.

    python -m collectors.sandbox memes FOLDER

writes generated memes with several labels to a folder instead.
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import os
import signal
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import InputError
from collectors.sandbox import meme_folder

if TYPE_CHECKING:
    import asyncio


#: The options that `--help` shows.
FIRST = ("port", "posts", "seed", "faults", "host_limit")


@dataclass(frozen=True)
class Options:
    """Imitate Reddit, imgur, Arctic Shift and Flickr on 127.0.0.1, with generated posts.

    With `memes FOLDER`, write generated memes with several labels to a folder instead (`memes --help`).
    """

    port: Annotated[int, arg(metavar="N", help_behavior_hint="(default: a free one)")] = 0
    """The port to listen on."""

    posts: Annotated[int, arg(metavar="N")] = 600
    """The number of posts to generate."""

    seed: Annotated[int, arg(metavar="N")] = 0
    """The seed of the posts, and of the choice of addresses that fail."""

    faults: Annotated[tuple[str, ...], arg(metavar="NAME=RATE …", help_behavior_hint="(default: none)")] = ()
    """The faults and their rates: 429=0.05 drip=0.01."""

    strikes: Annotated[int, arg(metavar="N")] = 1
    """How many requests of an address a transient fault affects."""

    host_limit: Annotated[tuple[str, ...], arg(metavar="HOST=RATE …", help_behavior_hint="")] = ()
    """The requests per second that a host allows: i.imgur.com=20."""

    retry_after: bool = True
    """Whether a host that is over its limit sends Retry-After."""

    exit_with_stdin: bool = False
    """End when standard input is closed, as it is when the parent process ends."""


def _serve(options: Options) -> int:
    """Serve until the process is interrupted."""
    import asyncio

    from collectors.sandbox.server import make_sandbox, serving  # aiohttp, numpy: not for --help

    posts, port = options.posts, options.port
    if posts < 0 or not 0 <= port <= 65_535:
        raise InputError(f"posts {posts!r} must be 0 or more, and port {port!r} from 0 to 65535")
    sandbox = make_sandbox(
        posts=posts,
        seed=options.seed,
        faults=options.faults,
        strikes=options.strikes,
        host_limits=options.host_limit,
        retry_after=options.retry_after,
    )

    async def serve() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stop.set)
        async with serving(sandbox, port) as base_url:
            print(f"sandbox ready at {base_url}", flush=True)
            if options.exit_with_stdin:
                threading.Thread(target=_wait_for_end, args=(loop, stop), daemon=True).start()
            await stop.wait()

    try:
        asyncio.run(serve())
    except OSError as error:
        raise InputError(f"can't listen on 127.0.0.1:{port}: {error.strerror}; try --port 0") from None
    return 0


def main(arguments: list[str] | None = None, *, prog: str = "python -m collectors.sandbox") -> int:
    """Run the command with these arguments; return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["memes"]:
        return meme_folder.main(given[1:], prog=f"{prog} memes")
    return finish(lambda: _serve(read_options(Options, given, prog, __doc__, FIRST, has_json=False)))


def _wait_for_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Read standard input to its end, without Python's own buffer, whose lock would delay the exit."""
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    sys.exit(main())
