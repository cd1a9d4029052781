"""Which addresses a crawl may visit: public hosts over http(s), and nothing else.

Every hop of a redirect is checked by `check_url`, every name's addresses by `GuardedResolver`, so
that a link in a post can't make us ask a machine of the private network or a cloud's metadata
service (169.254.169.254).
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver


class PrivateAddress(OSError):
    """A name or address that isn't on the public internet."""


def is_public(address: str) -> bool:
    """Say whether an IP address is globally reachable, looking through IPv6's wrappings of IPv4."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def check_url(url: str) -> str | None:
    """Return why an address may not be visited (`bad_url`, `private_address`), or None."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return "bad_url"
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        return "bad_url"
    if host == "localhost" or host.endswith(".localhost"):
        return "private_address"
    try:
        return None if is_public(host) else "private_address"
    except ValueError:
        return None  # a name: `GuardedResolver` looks at what it stands for


class GuardedResolver(AbstractResolver):
    """The system's resolver, refusing names that stand for a private address."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of `host`; raise `PrivateAddress` where one of them isn't public."""
        found = await self._inner.resolve(host, port, family)
        for answer in found:
            if not is_public(answer["host"]):
                raise PrivateAddress(f"{host} stands for {answer['host']}")
        return found

    async def close(self) -> None:
        """Close the system's resolver."""
        await self._inner.close()
