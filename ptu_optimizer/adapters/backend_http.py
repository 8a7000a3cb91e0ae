"""Calls to backends over HTTP. One session per process, and each of its defaults is a choice.

- No redirect is followed: it would take prompts and a token to another host.
- No cookie is kept: a load balancer's would tie all calls of a process to one of its servers.
- No body is decompressed: a gateway passes on what came, and its `content-encoding` with it.
- No header is added but `User-Agent`: what a gateway passes on stays as its caller wrote it.
- URLs are sent as they stand: `%2F` in a name must not become a separator.
- The proxies of the environment are used, and `.netrc` is not read: see `proxy_of`.
- TLS certificates are verified by the system's authorities, as the Azure SDKs do.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Iterator, Mapping

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from ptu_optimizer.ports.backend_calls import BackendCall, BackendResponse, NoAnswer

USER_AGENT = "ptu-batch-usage-optimizer"

CONNECT_SECONDS = 10.0
"""To make a connection: name, TCP, proxy and TLS. Nobody waits for a free one, because the pool has
as many as the gates let calls pass; if somebody did, this would end that wait as well."""

KEEP_ALIVE_SECONDS = 15.0
"""How long an unused connection is kept. A call that is sent on a connection while the other side
closes it has failed, and nobody may repeat it. So this is shorter than the time after which load
balancers and proxies close one (nginx 75 s, Azure's 240 s), and long enough for a queue that sends
a call every few seconds."""

_ADDED_BY_AIOHTTP = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class HttpBackendCalls:
    """`BackendCalls` on aiohttp."""

    def __init__(
        self,
        *,
        connections: int,
        proxies: Mapping[str, str],
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        """`connections`: the most at a time. `proxies`: as `urllib.request.getproxies` has them."""
        self._connections = connections
        self._proxies = proxies
        self._connect_seconds = connect_seconds
        self._proxy_of_origin: dict[URL, URL | None] = {}
        self._session: aiohttp.ClientSession | None = None

    @contextlib.asynccontextmanager
    async def send(self, call: BackendCall) -> AsyncIterator[BackendResponse]:
        deadline = asyncio.get_running_loop().time() + call.timeout_seconds
        with _translated(call):
            async with asyncio.timeout_at(deadline):
                response = await self._start(call)
        try:
            yield _Response(call, response, deadline=deadline)
        finally:
            # closes the connection unless the body was read to its end
            response.release()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _start(self, call: BackendCall) -> aiohttp.ClientResponse:
        url = URL(call.url, encoded=True)
        headers = CIMultiDict(call.headers)
        headers.setdefault("User-Agent", USER_AGENT)
        headers.update(await call.authorization.headers())
        return await self._opened().request(
            call.method,
            url,
            data=None if call.body == b"" else call.body,
            headers=headers,
            allow_redirects=False,
            proxy=self._proxy(url),
            # the total is ours (`timeout_at`), and so it counts the token as well
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=self._connect_seconds,
                sock_read=call.idle_seconds,
                ceil_threshold=math.inf,  # aiohttp rounds longer times up to whole seconds
            ),
        )

    def _opened(self) -> aiohttp.ClientSession:
        # not in the constructor: a session belongs to the loop in which it was made
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections, keepalive_timeout=KEEP_ALIVE_SECONDS
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=_ADDED_BY_AIOHTTP,
            )
        return self._session

    def _proxy(self, url: URL) -> URL | None:
        origin = url.origin()
        if origin not in self._proxy_of_origin:
            self._proxy_of_origin[origin] = proxy_of(url, self._proxies)
        return self._proxy_of_origin[origin]


class _Response:
    def __init__(
        self, call: BackendCall, response: aiohttp.ClientResponse, *, deadline: float
    ) -> None:
        self._call = call
        self._response = response
        self._deadline = deadline
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers

    async def read(self) -> bytes:
        with _translated(self._call):
            async with asyncio.timeout_at(self._deadline):
                return await self._response.read()

    async def chunks(self) -> AsyncIterator[bytes]:
        while piece := await self._next():
            yield piece

    async def _next(self) -> bytes:
        with _translated(self._call):
            async with asyncio.timeout_at(self._deadline):
                return await self._response.content.readany()


def proxy_of(url: URL, proxies: Mapping[str, str]) -> URL | None:
    """The proxy for a URL by HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY. Raises NoAnswer.

    aiohttp's own `trust_env` also reads `.netrc`: an entry for the backend's host would then take
    the place of our token. And it asks a thread at every call.
    """
    if _is_excepted(url, proxies.get("no", "")):
        return None
    address = proxies.get(url.scheme) or proxies.get("all")
    if not address:
        return None
    proxy = URL(address if "://" in address else f"http://{address}")
    if proxy.scheme not in {"http", "https"}:
        raise NoAnswer(
            f"the proxy of the environment is {proxy.scheme}://, not http:// or https://"
        )
    return proxy


def _is_excepted(url: URL, no_proxy: str) -> bool:
    """By a list of hosts, each with all hosts below it, perhaps with a port; or by `*` for all."""
    host = (url.host or "").lower()
    for entry in no_proxy.lower().split(","):
        name = entry.strip().lstrip(".")
        if name == "*":
            return True
        if name and any(
            one == name or one.endswith(f".{name}") for one in (host, f"{host}:{url.port}")
        ):
            return True
    return False


@contextlib.contextmanager
def _translated(call: BackendCall) -> Iterator[None]:
    """Whatever a network or a backend can do becomes NoAnswer, here and nowhere else."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise NoAnswer(f"no connection ({type(error).__name__})") from error
    except aiohttp.SocketTimeoutError as error:
        raise NoAnswer(f"the answer stood still for {call.idle_seconds or 0:.0f} s") from error
    except TimeoutError as error:
        raise NoAnswer(f"no answer within {call.timeout_seconds:.0f} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise NoAnswer(f"no connection ({type(error).__name__})") from error
    except ValueError as error:
        # a line break in a key or a name, for example; the text could show the key
        raise NoAnswer("the call has a header or an address that HTTP does not allow") from error
