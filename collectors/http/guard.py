"""The addresses that a crawl may request: public hosts over http(s), and nothing else.

`check_url` checks every redirect, `GuardedResolver` the addresses of every host name, so that a link in a
post can't make the crawl request a machine of the private network or a cloud's metadata service
(169.254.169.254).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

#: The block of IPv6 that the internet routes, and the well-known prefix that a NAT64 gateway
#: turns into IPv4. Everything else (::127.0.0.1, ::ffff:0:127.0.0.1, fec0::1, 64:ff9b:1::/48, …)
#: embeds an IPv4 address, is local, or is unassigned.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class PrivateAddress(OSError):
    """A name or address that isn't on the public internet."""


def is_public(address: str) -> bool:
    """Return whether an IP address is globally reachable; of IPv6 with an IPv4 inside, whether that is."""
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
    """Return why an address may not be requested (`bad_url`, `private_address`), or None."""
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
        # A number in another notation (2130706433, 127.1, 0x7f.1), which the system reads as an address, or
        # a name: `GuardedResolver` checks the addresses that it resolves to.
        return "bad_url" if _NUMBER.fullmatch(host.rpartition(".")[2]) else None


def origin(url: str) -> str:
    """Return an address's origin, as "https://api.imgur.com:443". A secret is sent to one origin only.

    The address is parsed as aiohttp does, with the scheme's default port. Raises `ValueError` for an address
    without a host.
    """
    parts = URL(url)
    if not parts.raw_host:
        raise ValueError(f"{url!r} has no host")
    return f"{parts.scheme}://{parts.raw_host.lower()}:{parts.port}"


class GuardedResolver(AbstractResolver):
    """The system's resolver; it refuses names that resolve to a private address."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of `host`; raise `PrivateAddress` if one of them isn't public."""
        try:
            found = await self._inner.resolve(host, port, family)
        except UnicodeError as error:  # "example..com", a label of 64 characters
            raise OSError(f"{host!r} is not a host name: {error}") from None
        for answer in found:
            if not is_public(answer["host"]):
                raise PrivateAddress(f"{host} resolves to {answer['host']}")
        return found

    async def close(self) -> None:
        """Close the system's resolver."""
        await self._inner.close()
