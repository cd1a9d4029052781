"""The HTTP client of a crawl: polite to the world, quick with the sandbox on this machine."""

from __future__ import annotations

from urllib.parse import urlsplit

from collectors.fetch import Client
from collectors.hosts import Budget


def client_for(sandbox: str | None, honour_noai: bool) -> Client:
    """Return the client; with the address of a sandbox, one that asks that in the sources' place."""
    if sandbox is None:
        return Client(honour_noai=honour_noai)

    def to_sandbox(url: str) -> str:
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        return f"{sandbox}/{parts.hostname}{parts.path}{query}"

    quick = Budget(rate=500, max_rate=2000, at_once=16)
    return Client(honour_noai=honour_noai, route=to_sandbox, budgets={}, default_budget=quick)
