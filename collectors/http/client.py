"""One asynchronous HTTP client for everything that isn't Reddit's own API.

A `Client` limits its rate per host (`hosts.py`), checks the address of every redirect (`guard.py`), and
returns an `Answer` or raises one error:

    FetchError                 `reason` (snake_case), `retry` (a later run may succeed), `detail`,
                               `gone` (the source has removed the content), `refused_by` (a signal of
                               consent: see consent.py)

    async with Client() as client:
        answer = await client.get("https://i.redd.it/abc.jpg")

Transient failures (429, 5xx, a lost connection) are repeated with exponential backoff and full jitter. A
transfer that exceeds the deadline or the size limit is not repeated in the same run. A budget limits the
bytes of all bodies that are being read or processed (`getting`, budget.py).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import urljoin, urlsplit

import aiohttp

from collectors.http import answers, consent, headers
from collectors.http.answers import Answer, FetchError
from collectors.http.bodies import bad_chunks, is_bad_chunks, read_body
from collectors.http.byte_budget import ByteBudget, Share
from collectors.http.consent import RobotsTxt, Signals
from collectors.http.guard import GuardedResolver, PrivateAddress, check_url, origin
from collectors.http.hosts import Clock, Host, HostDown, SystemClock
from collectors.http.rates import Budget

#: Maps an address to the one that the request is sent to: with the sandbox, an address on this machine.
Route = Callable[[str], str]

#: Bytes of the budget that a body of unknown size takes at first.
SMALL = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request. Times in seconds, sizes in bytes."""

    deadline: float = 30.0  # the whole transfer, from the connection to the last byte
    connect: float = 10.0
    max_bytes: int = 32 * 2**20
    redirects: int = 5
    attempts: int = 4
    backoff: float = 1.0  # the first pause is up to this, and doubles: full jitter
    backoff_max: float = 30.0
    sockets: int = 64  # connections at once, over all hosts
    in_flight: int = 256 * 2**20  # bodies that are being read or processed, over all hosts

    def pause(self, tries: int) -> float:
        """Return the seconds to wait after a number of tries: exponential backoff with full jitter."""
        return random.uniform(0, min(self.backoff * 2 ** (tries - 1), self.backoff_max))


@dataclass(frozen=True, slots=True)
class _Request:
    """One request: see `Client.get` and `Client.getting`."""

    url: str
    headers: Mapping[str, str]
    accept: tuple[int, ...]
    same_origin: bool = False
    tried: int = 0
    image: bool = False
    signals: Signals = field(default_factory=dict)  # of an image: from robots.txt and redirects so far
    counted_as: str = ""  # the address that a failure counts for, if it isn't `url`


@dataclass(slots=True)
class Client:
    """The crawl's HTTP client; use as an asynchronous context manager."""

    limits: Limits = field(default_factory=Limits)
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    default_budget: Budget = field(default_factory=Budget)
    honour_robots: bool = True
    route: Route | None = None
    user_agent: str = "affectory/0.1 (research dataset builder)"
    clock: Clock = field(default_factory=SystemClock)
    hosts: dict[str, Host] = field(default_factory=dict)
    _robots: dict[str, RobotsTxt] = field(default_factory=dict)  # by host and port
    _robots_locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    _session: aiohttp.ClientSession | None = None
    _sockets: asyncio.Semaphore = field(init=False)
    _in_flight: ByteBudget = field(init=False)

    async def __aenter__(self) -> Self:
        # Otherwise bodies of unknown size could deadlock: see `_read`.
        assert 2 * self.limits.max_bytes <= self.limits.in_flight, self.limits
        self._sockets = asyncio.Semaphore(self.limits.sockets)
        self._in_flight = ByteBudget(self.limits.in_flight)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=GuardedResolver(), limit=0, ttl_dns_cache=300),
            # No total: waiting for room for the body must not count against the deadline.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.limits.connect),
            # identity: images don't compress. A server may compress anyway: `read_body` decompresses.
            headers={"User-Agent": self.user_agent, "Accept-Encoding": "identity"},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    def host(self, url: str) -> Host:
        """Return the state of an address's host."""
        name = (urlsplit(url).hostname or "").lower()
        if name not in self.hosts:
            self.hosts[name] = Host(name, self.budgets.get(name, self.default_budget), self.clock)
        return self.hosts[name]

    @property
    def robots_unknown(self) -> set[str]:
        """The hosts whose robots.txt was asked for without an answer that can be used."""
        unknown = self._robots_locks.keys() - self._robots.keys()
        return {urlsplit(f"//{host}").hostname or "" for host in unknown}

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (200,),
        same_origin: bool = False,
        image: bool = False,
    ) -> Answer:
        """Fetch an address, following redirects; return the first answer with a status in `accept`.

        A redirect to another origin (scheme, host, port) is requested without `headers`, which may hold a
        secret. With `same_origin`, for an address that holds a secret, it fails as `foreign_redirect`. With
        `image` the signals of consent are kept, and honoured if the client honours them; before the first
        image of a host its robots.txt is fetched. Raises `FetchError` for any other answer.
        """
        async with self.getting(
            url, headers=headers, accept=accept, same_origin=same_origin, image=image
        ) as answer:
            return answer

    @asynccontextmanager
    async def getting(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (200,),
        same_origin: bool = False,
        image: bool = False,
        attempts: int | None = None,
        tried: int = 0,
    ) -> AsyncIterator[Answer]:
        """Fetch as `get` does; until the block ends the body counts as in flight.

        `attempts` overrides the limit. `tried` is how often the address was requested before: among the
        waiting requests of a host the one with the fewest tries goes first.
        """
        request = _Request(url, headers or {}, accept, same_origin, tried, image)
        with self._in_flight.share() as share:
            yield await self._persist(request, attempts or self.limits.attempts, share)

    async def _persist(self, request: _Request, attempts: int, share: Share) -> Answer:
        """Repeat the request until there is an answer, with pauses in between."""
        for attempt in range(1, attempts + 1):
            try:
                return await self._follow(request, share)
            except FetchError as error:
                if not error.again or attempt == attempts:
                    raise
                share.shrink(0)
                await self.clock.sleep(self.limits.pause(attempt))
                request = replace(request, tried=request.tried + 1)
        raise AssertionError("the last attempt returns or raises")

    async def _follow(self, request: _Request, share: Share) -> Answer:
        """Make the request, and follow redirects."""
        home = url = request.url
        for hop in range(self.limits.redirects + 1):
            if (problem := check_url(url)) is not None:
                raise FetchError(problem, detail=url)
            if origin(url) != origin(home):
                if request.same_origin:  # the new address may repeat the secret: only its origin is shown
                    raise FetchError("foreign_redirect", detail=f"to {origin(url)}", retry=True)
                request = replace(request, headers={})
            if answers.is_removed_page(url):
                raise FetchError("removed_placeholder", gone=True, detail=url)
            request = replace(request, url=url)
            try:
                if request.image:
                    request = await self._permitted(request)
                answer = await self._ask(request, share)
            except HostDown as down:
                raise FetchError(down.reason, retry=True, detail=down.host, asked=hop > 0) from None
            if answer.location is None:
                return answer
            request = replace(request, signals=answer.signals)
            try:
                url = urljoin(url, answer.location)
            except ValueError:  # "http://[::1": not a valid address
                raise FetchError("bad_url", detail=answer.location) from None
        raise FetchError("too_many_redirects", detail=url)

    async def _permitted(self, request: _Request) -> _Request:
        """Return the request with what robots.txt says of it; raise `FetchError` if that is honoured."""
        rules = (await self._robots_of(request)).rules(request.url)
        if not rules:
            return request
        signals = consent.merged(request.signals, {consent.ROBOTS_TXT: rules})
        if self.honour_robots and (refused_by := consent.refusing(signals)):
            raise FetchError.refusal(signals, refused_by)
        return replace(request, signals=signals)

    async def _robots_of(self, request: _Request) -> RobotsTxt:
        """Return the robots.txt of the request's host, which is asked for it once.

        A host without one, or with an answer that can't be used (4xx), allows everything. If it fails or
        can't be reached, the image fails in the same way: RFC 9309 forbids access until robots.txt is known,
        and so the image is tried again as after any failure, in this run and in the next. The failure counts
        for the image's address, because the breaker opens only after several addresses.
        """
        parts = urlsplit(request.url)
        host = parts.netloc.lower()
        async with self._robots_locks.setdefault(host, asyncio.Lock()):
            if host not in self._robots:
                body = b""
                asked = _Request(
                    f"{parts.scheme}://{host}/robots.txt",
                    {},
                    accept=(200,),
                    tried=request.tried,
                    counted_as=request.url,
                )
                try:
                    with self._in_flight.share() as share:
                        body = (await self._follow(asked, share)).body
                except FetchError as error:
                    if error.retry and self.honour_robots:
                        error.detail = f"robots.txt: {error.detail}"
                        raise
                # In a thread: of a large file this takes seconds.
                self._robots[host] = await asyncio.to_thread(RobotsTxt, body)
            return self._robots[host]

    async def _ask(self, request: _Request, share: Share) -> Answer:
        """Make one request when its host allows it, and record the outcome in the host's state."""
        host = self.host(request.url)
        async with host.turn(request.tried) as began:
            # Within the turn: a probe's end must be known before the next one begins.
            try:
                # First a free socket: waiting for one mustn't count against the deadline.
                async with self._sockets:
                    answer = await self._transfer(request, share)
            except FetchError as error:
                if error.host_failed:
                    host.failed(request.counted_as or request.url, began)
                elif error.refused_by or error.reason in ("too_large", "bad_content_encoding", "bad_chunks"):
                    host.answered({})
                raise
            return self._judge(host, answer, began, request)

    def _judge(self, host: Host, answer: Answer, began: float, request: _Request) -> Answer:
        """Record an answer in the host's state; return it, or raise its error."""
        problem = None
        if answer.status not in request.accept and answer.location is None:
            problem = answers.failure(answer)
        if problem is not None and problem.reason == "rate_limited":
            host.limited(answer.headers, began, wait=random.uniform(1, 3))
        elif problem is not None and problem.host_failed:
            host.failed(request.counted_as or request.url, began, answer.headers)
        else:
            host.answered(answer.headers)
        if problem is not None:
            raise problem
        return answer

    async def _transfer(self, request: _Request, share: Share) -> Answer:
        """Send the request and read the answer within the deadline and the size limit.

        The body is read only if the status is in `accept`: any other status is a failure without it.
        """
        async with (
            _explained(request.url, self.limits),
            asyncio.timeout(self.limits.deadline) as deadline,
            self._open(request.url, request.headers) as response,
        ):
            headers_in = headers.merged(response)
            # An answer with an empty Location is a failure like any other status.
            location = headers_in.get("location") or None if 300 <= response.status < 400 else None
            signals = consent.merged(request.signals, headers.signals(response)) if request.image else {}
            # A failure takes precedence over a signal: a 429 must lower the rate, a 404 is gone.
            if self.honour_robots and response.status < 400 and (refused_by := consent.refusing(signals)):
                raise FetchError.refusal(signals, refused_by)
            wanted = location is None and response.status in request.accept
            return Answer(
                url=request.url,
                status=response.status,
                headers=headers_in,
                body=await self._read(response, share, deadline) if wanted else b"",
                location=location,
                signals=signals,
            )

    @asynccontextmanager
    async def _open(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        assert self._session is not None, "use the client as a context manager"
        target = self.route(url) if self.route else url
        async with self._session.get(target, headers=headers, allow_redirects=False) as response:
            yield response

    async def _read(self, response: aiohttp.ClientResponse, share: Share, deadline: asyncio.Timeout) -> bytes:
        """Read a body once the budget has room for it."""
        limit = self.limits.max_bytes
        known = None if "Content-Encoding" in response.headers else response.content_length
        # Most bodies of unknown size are small pages, which mustn't take the room of large images. The small
        # shares of all sockets are at most half of the budget, so that one of them can always grow.
        small = min(limit, SMALL, self.limits.in_flight // (2 * self.limits.sockets))

        async def room_for(size: int) -> None:
            if size > share.size:
                await _reserve(share, limit, deadline)

        if known is None or known <= limit:  # a larger one is refused before it is read
            await _reserve(share, small if known is None else known, deadline)
        body = await read_body(response, limit, room_for)
        share.shrink(len(body))
        return body


async def _reserve(share: Share, size: int, deadline: asyncio.Timeout) -> None:
    """Wait for room for a body, with the deadline paused; meanwhile TCP's flow control stops the sender."""
    now, end = asyncio.get_running_loop().time, deadline.when()
    assert end is not None
    left = end - now()
    deadline.reschedule(None)
    await share.reserve(size)
    deadline.reschedule(now() + left)


@asynccontextmanager
async def _explained(url: str, limits: Limits) -> AsyncIterator[None]:
    """Turn the exceptions of a transfer into `FetchError`."""
    try:
        yield
    except TimeoutError as error:  # aiohttp's too
        if isinstance(error, aiohttp.ServerTimeoutError | aiohttp.ConnectionTimeoutError):
            raise FetchError.host("connect_timeout", detail=f"{limits.connect:g} s") from None
        # Not repeated in this run: it would take as long again.
        raise FetchError.host("deadline_exceeded", detail=f"{limits.deadline:g} s", again=False) from None
    except aiohttp.ClientConnectorCertificateError as error:
        # Not repeated in this run: the certificate stays the same for a while.
        detail = getattr(error.certificate_error, "verify_message", "") or _short(error)
        raise FetchError.host("bad_certificate", detail=detail, again=False) from None
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, PrivateAddress):
            raise FetchError("private_address", detail=str(error.os_error)) from None
        reason = "dns_error" if isinstance(error, aiohttp.ClientConnectorDNSError) else "connect_error"
        raise FetchError.host(reason, detail=str(error.os_error)) from None
    except aiohttp.InvalidURL:
        raise FetchError("bad_url", detail=url) from None
    except aiohttp.ClientPayloadError as error:
        # Fewer bytes than Content-Length: it may be transient.
        raise FetchError.host("connection_lost", detail=_short(error)) from None
    except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
        if is_bad_chunks(error):  # refused before the headers were given
            raise bad_chunks() from None
        raise FetchError.host("connection_lost", detail=_short(error)) from None


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def client_for(
    sandbox: str | None, honour_robots: bool, budgets: Mapping[str, Budget] | None = None
) -> Client:
    """Return a client that asks hosts at these rates, or only the sandbox at an address, at full speed."""
    if sandbox is None:
        return Client(honour_robots=honour_robots, budgets=budgets or {})

    def to_sandbox(url: str) -> str:
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        return f"{sandbox}/{parts.hostname}{parts.path}{query}"

    quick = Budget(rate=500, max_rate=2000, at_once=16)
    return Client(honour_robots=honour_robots, route=to_sandbox, budgets={}, default_budget=quick)
