"""A site that is collected in test_seams.py: what a folder of `collectors/` would hold."""

import json
import sys
from dataclasses import dataclass, field
from typing import Annotated

import tyro
from aiohttp import web
from tyro.conf import OmitArgPrefixes, arg

from affectory.core.command import finish
from collectors.crawl.crawl import crawl, run_command
from collectors.crawl.options import CrawlOptions
from collectors.crawl.source import Page
from collectors.store.record import Media, Post
from tests.collectors.local_folder import jpeg


@dataclass(frozen=True)
class Options:
    """Collect toys."""

    shelves: Annotated[tuple[str, ...], arg(metavar="NAME …")]
    """Shelves to collect from."""

    crawl: OmitArgPrefixes[CrawlOptions] = field(default_factory=CrawlOptions)


@dataclass(frozen=True)
class Shelves:
    """The source: one page of posts per shelf."""

    names: tuple[str, ...]
    client: object

    async def pages(self):
        for name in self.names:
            answer = await self.client.get(f"https://toys.example/{name}.json")
            posts = [
                Post(
                    f"toys:{one['id']}", "toys", name, one["title"], media=(Media(one["image"], 0, "image"),)
                )
                for one in json.loads(answer.body)
            ]
            yield Page(name, f"toys:{name}", posts, last=True)


def main(arguments=None, *, prog="python -m collectors.toys"):
    given = sys.argv[1:] if arguments is None else arguments
    options = tyro.cli(Options, prog=prog, args=given)

    async def collect():
        async def make_source(store, client, stack):
            return Shelves(options.shelves, client)

        with options.crawl.sandbox_address() as sandbox:
            plan = options.crawl.plan(options.crawl.store, " ".join([prog, *given]), options.shelves)
            return await crawl(plan, options.crawl.client(sandbox), make_source)

    return finish(lambda: run_command(collect))


def _serve(sandbox, request, path):
    """Answer a shelf's list of three toys, or the picture of one."""
    name, _, kind = path.partition(".")
    if kind == "json":
        toys = [f"{name}-{n}" for n in range(3)]
        listed = [{"id": t, "title": f"Toy {t}", "image": f"https://toys.example/{t}.jpg"} for t in toys]
        return web.json_response(listed)
    return web.Response(body=jpeg(name), content_type="image/jpeg")


HOSTS = {"toys.example": (_serve, "media")}
