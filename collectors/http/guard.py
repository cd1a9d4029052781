"""Which addresses a crawl may visit: public hosts over http(s), and nothing else.

Every hop of a redirect is checked by `check_url`, every name's addresses by `GuardedResolver`, so
that a link in a post can't make us ask a machine of the private network or a cloud's metadata
service (169.254.169.254).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

#: The one block of IPv6 that the internet routes, and the well-known prefix that a NAT64 gateway
#: turns into IPv4. Everything else (::127.0.0.1, ::ffff:0:127.0.0.1, fec0::1, 64:ff9b:1::/48, …)
#: is a wrapping, a local address, or nobody's.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class PrivateAddress(OSError):
    """A name or address that isn't on the public internet."""


def is_public(address: str) -> bool:
    """Say whether an IP address is globally reachable, looking through IPv6's wrappings of IPv4."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast


def check_url(url: str) -> str | None:
    """Return why an address may not be visited (`bad_url`, `private_address`), or None."""
    try:
        parts = urlsplit(url)
        _ = parts.port
        # The host that aiohttp will connect to: it reads "１２７。0。0。1" as 127.0.0.1, urlsplit doesn't.
        host = (URL(url).raw_host or "").lower().removesuffix(".")
    except ValueError:
        return "bad_url"
    if parts.scheme not in ("http", "https") or not host or not parts.hostname or parts.username is not None:
        return "bad_url"
    if any(not 0 < len(label) < 64 for label in host.split(".")) and ":" not in host:
        return "bad_url"  # example..com
    if host == "localhost" or host.endswith(".localhost"):
        return "private_address"
    try:
        return None if is_public(host) else "private_address"
    except ValueError:
        # A number in another notation (2130706433, 127.1, 0x7f.1), which the system would take for
        # an address, or a name: `GuardedResolver` looks at what that stands for.
        return "bad_url" if _NUMBER.fullmatch(host.rpartition(".")[2]) else None


def origin(url: str) -> str:
    """Return an address's origin, "https://api.imgur.com:443": what a secret must not leave.

    As aiohttp reads the address, with the scheme's own port where none is given; raises `ValueError`
    where it has none.
    """
    parts = URL(url)
    if not parts.raw_host:
        raise ValueError(f"{url!r} has no host")
    return f"{parts.scheme}://{parts.raw_host.lower()}:{parts.port}"


class GuardedResolver(AbstractResolver):
    """The system's resolver, refusing names that stand for a private address."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of `host`; raise `PrivateAddress` where one of them isn't public."""
        try:
            found = await self._inner.resolve(host, port, family)
        except UnicodeError as error:  # "example..com", a label of 64 characters
            raise OSError(f"{host!r} is no host name: {error}") from None
        for answer in found:
            if not is_public(answer["host"]):
                raise PrivateAddress(f"{host} stands for {answer['host']}")
        return found

    async def close(self) -> None:
        """Close the system's resolver."""
        await self._inner.close()
