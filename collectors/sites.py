"""The table of sites: what the rest of the project needs to know about a site.

A new site is a folder with its command, and a line here. Modules are named by dotted paths, so that reading
the table imports none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from collectors.http.rates import Budget


@dataclass(frozen=True, slots=True)
class Site:
    """A site that posts are collected from, or one that only hosts images of posts (`command` is None).

    `command` is the module whose `main` runs `affectory collect NAME`, and `does` its line of help,
    and `example` its arguments in an example.
    `budgets` are request rates, for hosts where the default is wrong. `attribution` is the line to be shown
    with each post, a template with `{id}`, `{permalink}` and `{licence}` (None: "NAME post ID in
    COMMUNITY"). `sandbox` is the mapping of hosts to handlers by which the sandbox imitates the site.
    `by_ids` is called by a rebuild from ids, as `arguments(rows, folder, sandboxed=…)`: it writes a list of
    these posts to `folder` and returns the command's arguments (None: posts can't be collected by their ids).
    `asks_again` says that this asks for posts again that the store has, and so finds deletions.
    """

    command: str | None
    does: str = ""
    example: str = ""
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    attribution: str | None = None
    sandbox: str | None = None
    by_ids: str | None = None
    asks_again: bool = False


#: By name: the `source` of a site's posts in the store.
SITES: dict[str, Site] = {
    "reddit": Site(
        "collectors.reddit.__main__",
        "Collect subreddits' posts and images into a crawl store.",
        "--subs happy creepy rage gore",
        budgets={
            "i.redd.it": Budget(rate=15, max_rate=40, at_once=10),
            "preview.redd.it": Budget(rate=15, max_rate=40, at_once=10),
            "arctic-shift.photon-reddit.com": Budget(rate=2, max_rate=4, at_once=1),  # one person's server
        },
        sandbox="collectors.sandbox.reddit.reddit_hosts:HOSTS",
        by_ids="collectors.reddit.by_ids:arguments",
        asks_again=True,
    ),
    "flickr": Site(
        "collectors.flickr.__main__",
        "Collect Flickr photos that were voted on, or found for adjective-noun pairs.",
        "--votes agg/*.csv",
        budgets={"api.flickr.com": Budget(rate=1, max_rate=1, at_once=4)},  # 3,600 calls an hour
        attribution="Photo {id} on Flickr, its author named at {permalink}; {licence}",
        sandbox="collectors.sandbox.flickr.flickr_hosts:HOSTS",
        by_ids="collectors.flickr.by_ids:arguments",
    ),
    "local": Site(
        "collectors.local.__main__",
        "Make a crawl store of tables and images on disk.",
        "met-meme --path FOLDER",
    ),
    "imgur": Site(
        None,
        budgets={
            "i.imgur.com": Budget(rate=10, max_rate=30, at_once=8),
            "api.imgur.com": Budget(rate=2, max_rate=4, at_once=2),  # 12,500 calls a day
        },
        sandbox="collectors.sandbox.imgur.imgur_hosts:HOSTS",
    ),
}


def budgets() -> dict[str, Budget]:
    """Return the request rates of all sites' hosts: a post on one site may link to images on another."""
    return {host: budget for site in SITES.values() for host, budget in site.budgets.items()}
