"""Calls to a backend over real sockets: what is sent, what comes back, and what can go wrong."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from ptu_optimizer.adapters.backend_http import HttpBackendCalls, proxy_of
from ptu_optimizer.ports.backend_calls import BackendCall, NoAnswer
from tests.support.azurite import free_port
from tests.support.backend import Backend, Seen
from tests.support.tls import server_context

SECRET = "a key of this test"


class Key:
    def __init__(self, value: str = SECRET) -> None:
        self._value = value

    async def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._value}"}


@pytest.fixture
async def calls() -> AsyncIterator[HttpBackendCalls]:
    async with opened() as one:
        yield one


@asynccontextmanager
async def opened(**changes: Any) -> AsyncIterator[HttpBackendCalls]:
    one = HttpBackendCalls(**{"connections": 8, "proxies": {}, **changes})
    yield one
    await one.close()


def a_call(url: str, **changes: Any) -> BackendCall:
    given: dict[str, Any] = {
        "method": "POST",
        "url": url,
        "headers": {},
        "body": b"{}",
        "authorization": Key(),
        "timeout_seconds": 30.0,
    }
    return BackendCall(**(given | changes))


async def body_of(calls: HttpBackendCalls, call: BackendCall) -> bytes:
    async with calls.send(call) as response:
        return await response.read()


def ok(seen: Seen) -> tuple[int, Mapping[str, str], bytes]:
    return 200, {}, b"yes"


# --- what is sent ---------------------------------------------------------------------------------


async def test_a_call_is_sent_as_it_is_and_only_the_authorization_and_who_we_are_are_added(
    calls: HttpBackendCalls,
) -> None:
    async with Backend(ok) as backend:
        call = a_call(backend.url + "/x", method="PUT", headers={"X-Own": "1"}, body=b"\x00\xff")
        assert await body_of(calls, call) == b"yes"
    (seen,) = backend.seen
    assert (seen.method, seen.body) == ("PUT", b"\x00\xff")
    assert {name.lower(): value for name, value in seen.headers} == {
        "host": f"127.0.0.1:{backend.port}",
        "x-own": "1",
        "user-agent": "ptu-batch-usage-optimizer",
        "authorization": f"Bearer {SECRET}",
        "content-length": "2",
    }


async def test_a_call_without_a_body_says_nothing_of_one(calls: HttpBackendCalls) -> None:
    async with Backend(ok) as backend:
        await body_of(calls, a_call(backend.url, method="GET", body=b""))
    (seen,) = backend.seen
    assert seen.header("content-length") == []


async def test_who_the_caller_says_to_be_stays(calls: HttpBackendCalls) -> None:
    async with Backend(ok) as backend:
        await body_of(calls, a_call(backend.url, headers={"user-agent": "OpenAI/Python"}))
    (seen,) = backend.seen
    assert seen.header("user-agent") == ["OpenAI/Python"]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/a%2Fb", id="an encoded slash"),
        pytest.param("/a/%7Eb/%2e%2e/c", id="what needs no encoding"),
        pytest.param("/x?q=a+b%20c&empty=&r=%C3%A4", id="a query"),
        pytest.param("/x?api-version=2024-10-21", id="an api version"),
    ],
)
async def test_an_address_is_sent_as_it_stands(calls: HttpBackendCalls, path: str) -> None:
    async with Backend(ok) as backend:
        await body_of(calls, a_call(backend.url + path))
    (seen,) = backend.seen
    assert seen.path == path


async def test_a_streamed_body_is_on_its_way_before_it_is_whole(calls: HttpBackendCalls) -> None:
    first_came = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"one")
        first_came.set()
        await reader.readuntil(b"two")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        await first_came.wait()
        yield b"two"

    async with listening(serve) as url:
        assert await body_of(calls, a_call(url, body=pieces())) == b"done"


async def test_a_line_break_in_a_key_sends_nothing_and_shows_nothing(
    calls: HttpBackendCalls,
) -> None:
    async with Backend(ok) as backend:
        with pytest.raises(NoAnswer) as raised:
            await body_of(calls, a_call(backend.url, authorization=Key(SECRET + "\n")))
    assert "does not allow" in raised.value.why
    assert SECRET not in raised.value.why
    assert backend.seen == []


# --- what comes back ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204, 400, 429, 500, 503])
async def test_any_status_is_an_answer(calls: HttpBackendCalls, status: int) -> None:
    async with (
        Backend(lambda seen: (status, {"Retry-After-Ms": "5"}, b"")) as backend,
        calls.send(a_call(backend.url)) as response,
    ):
        assert response.status == status
        assert response.headers["retry-after-ms"] == "5"


async def test_a_redirect_is_an_answer_and_is_not_followed(calls: HttpBackendCalls) -> None:
    async with (
        Backend(lambda seen: (307, {"Location": "/elsewhere"}, b"")) as backend,
        calls.send(a_call(backend.url)) as response,
    ):
        assert (response.status, response.headers["location"]) == (307, "/elsewhere")
    assert [seen.path for seen in backend.seen] == ["/"]


async def test_no_cookie_is_kept(calls: HttpBackendCalls) -> None:
    async with Backend(lambda seen: (200, {"Set-Cookie": "a=b; Path=/"}, b"")) as backend:
        # by name: a jar that keeps cookies keeps none of an address
        url = backend.url.replace("127.0.0.1", "localhost")
        for _ in range(2):
            await body_of(calls, a_call(url))
    assert [seen.header("cookie") for seen in backend.seen] == [[], []]


async def test_a_compressed_body_stays_as_it_came(calls: HttpBackendCalls) -> None:
    packed = gzip.compress(b"yes")
    async with (
        Backend(lambda seen: (200, {"Content-Encoding": "gzip"}, packed)) as backend,
        calls.send(a_call(backend.url)) as response,
    ):
        assert response.headers["content-encoding"] == "gzip"
        assert await response.read() == packed


async def test_pieces_come_as_they_are_sent(calls: HttpBackendCalls) -> None:
    seen = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none")
        await seen.wait()
        writer.write(b"two")

    pieces = []
    async with listening(serve) as url, calls.send(a_call(url)) as response:
        async for piece in response.chunks():
            pieces.append(piece)
            seen.set()
    assert pieces == [b"one", b"two"]


# --- connections ----------------------------------------------------------------------------------


async def test_a_connection_is_used_again(calls: HttpBackendCalls) -> None:
    async with Backend(ok) as backend:
        for _ in range(3):
            await body_of(calls, a_call(backend.url))
    assert len({seen.connection for seen in backend.seen}) == 1


async def test_there_are_no_more_connections_than_allowed() -> None:
    async with Backend(ok) as backend, opened(connections=3) as calls:
        await asyncio.gather(*(body_of(calls, a_call(backend.url)) for _ in range(20)))
    assert len(backend.seen) == 20
    assert len({seen.connection for seen in backend.seen}) == 3


class HungUp:
    """Answers with a beginning, and then sees that its caller has gone."""

    def __init__(self, *, begins: bool) -> None:
        self._begins = begins
        self.called = asyncio.Event()
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        if self._begins:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\none")
        self.called.set()
        assert await reader.read() == b""
        self.left.set()


async def test_an_answer_that_is_left_halfway_is_a_hang_up(calls: HttpBackendCalls) -> None:
    backend = HungUp(begins=True)
    async with listening(backend.serve) as url:
        async with calls.send(a_call(url)) as response:
            async for _ in response.chunks():
                break
        await asyncio.wait_for(backend.left.wait(), 10)


@pytest.mark.parametrize("begins", [True, False], ids=["in the body", "before the headers"])
async def test_a_caller_that_hangs_up_ends_the_call(calls: HttpBackendCalls, begins: bool) -> None:
    backend = HungUp(begins=begins)
    async with listening(backend.serve) as url:
        caller = asyncio.create_task(body_of(calls, a_call(url)))
        await asyncio.wait_for(backend.called.wait(), 10)
        caller.cancel()
        await asyncio.wait_for(backend.left.wait(), 10)
        with pytest.raises(asyncio.CancelledError):
            await caller


# --- what can go wrong ----------------------------------------------------------------------------


async def why_of(calls: HttpBackendCalls, call: BackendCall) -> str:
    with pytest.raises(NoAnswer) as raised:
        await body_of(calls, call)
    return raised.value.why


async def test_nobody_listens(calls: HttpBackendCalls) -> None:
    call = a_call(f"http://127.0.0.1:{free_port()}")
    assert await why_of(calls, call) == "no connection (ClientConnectorError)"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(b"", "no connection (ServerDisconnectedError)", id="closed at once"),
        pytest.param(b"+OK\r\n\r\n", "no connection (ClientResponseError)", id="no HTTP"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
            "no connection (ClientPayloadError)",
            id="broken off",
        ),
    ],
)
async def test_an_answer_that_is_none(calls: HttpBackendCalls, answer: bytes, why: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(answer)

    async with listening(serve) as url:
        assert await why_of(calls, a_call(url)) == why


async def test_a_certificate_that_nobody_vouches_for(
    calls: HttpBackendCalls, tmp_path: Path
) -> None:
    called = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.set()

    async with listening(serve, ssl_context=server_context(tmp_path)) as url:
        why = await why_of(calls, a_call(url))
    assert why == "no connection (ClientConnectorCertificateError)"
    assert not called.is_set()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def halfway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"{}")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\none")
    await reader.read()


class NoToken:
    async def headers(self) -> Mapping[str, str]:
        await asyncio.Event().wait()
        return {}


@pytest.mark.parametrize(
    ("serve", "changes", "why"),
    [
        pytest.param(silent, {"timeout_seconds": 0.1}, "no answer within 0 s", id="no headers"),
        pytest.param(halfway, {"timeout_seconds": 0.1}, "no answer within 0 s", id="half a body"),
        pytest.param(
            silent,
            {"timeout_seconds": 0.1, "authorization": NoToken()},
            "no answer within 0 s",
            id="no token",
        ),
        pytest.param(
            halfway, {"idle_seconds": 0.1}, "the answer stood still for 0 s", id="a silence"
        ),
    ],
)
async def test_time_is_bounded(
    calls: HttpBackendCalls, serve: Serve, changes: dict[str, Any], why: str
) -> None:
    async with listening(serve) as url:
        assert await why_of(calls, a_call(url, **changes)) == why


async def test_a_connection_is_made_in_time_or_not_at_all() -> None:
    """TLS that is never shaken hands on: whoever listens is no backend, or is overrun."""
    async with listening(silent) as url, opened(connect_seconds=0.1) as calls:
        call = a_call(url.replace("http:", "https:"))
        assert await why_of(calls, call) == "no connection (ConnectionTimeoutError)"


async def test_an_error_of_the_callers_own_stays_what_it_is(calls: HttpBackendCalls) -> None:
    async with Backend(ok) as backend:
        with pytest.raises(OSError, match="disk full"):
            async with calls.send(a_call(backend.url)):
                raise OSError("disk full")


# --- proxies --------------------------------------------------------------------------------------

AZURE = "https://NAME.openai.azure.com/openai"
PROXY = {"https": "http://proxy:3128"}


@pytest.mark.parametrize(
    ("url", "proxies", "proxy"),
    [
        pytest.param(AZURE, {}, None, id="none"),
        pytest.param(AZURE, PROXY, "http://proxy:3128", id="for https"),
        pytest.param("http://10.0.0.4/", PROXY, None, id="of the other scheme"),
        pytest.param(AZURE, {"all": "http://all:1"}, "http://all:1", id="for all"),
        pytest.param(AZURE, PROXY | {"all": "http://all:1"}, "http://proxy:3128", id="both"),
        pytest.param(AZURE, {"https": "proxy:3128"}, "http://proxy:3128", id="without a scheme"),
        pytest.param(AZURE, {"https": ""}, None, id="empty"),
        pytest.param(AZURE, PROXY | {"no": "*"}, None, id="all excepted"),
        pytest.param(AZURE, PROXY | {"no": "a, .openai.azure.com"}, None, id="a domain excepted"),
        pytest.param(AZURE, PROXY | {"no": "name.OPENAI.azure.com"}, None, id="the host"),
        pytest.param(AZURE, PROXY | {"no": "openai.azure.com:443"}, None, id="with the port"),
        pytest.param(
            AZURE, PROXY | {"no": "openai.azure.com:8443"}, "http://proxy:3128", id="another port"
        ),
        pytest.param(
            AZURE, PROXY | {"no": "ai.azure.com"}, "http://proxy:3128", id="half of a label"
        ),
        pytest.param(AZURE, PROXY | {"no": " , "}, "http://proxy:3128", id="nothing excepted"),
    ],
)
def test_a_proxy_is_chosen_as_the_environment_says(
    url: str, proxies: dict[str, str], proxy: str | None
) -> None:
    chosen = proxy_of(URL(url, encoded=True), proxies)
    assert chosen == (None if proxy is None else URL(proxy))


def test_a_proxy_of_another_kind_is_refused_and_its_password_is_not_shown() -> None:
    with pytest.raises(NoAnswer) as raised:
        proxy_of(URL(AZURE), {"all": "socks5://me:secret@proxy:1080"})
    assert "socks5://" in raised.value.why
    assert "secret" not in raised.value.why


async def test_a_proxy_is_asked_for_the_whole_address() -> None:
    async with (
        Backend(ok) as proxy,
        opened(proxies={"http": proxy.url.replace("//", "//me:secret@")}) as calls,
    ):
        assert await body_of(calls, a_call("http://backend.invalid/a%2Fb?c=d")) == b"yes"
    (seen,) = proxy.seen
    assert seen.path == "http://backend.invalid/a%2Fb?c=d"
    assert seen.header("proxy-authorization") == ["Basic bWU6c2VjcmV0"]


async def test_a_backend_with_tls_is_reached_through_a_tunnel() -> None:
    asked = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.put_nowait(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    async with listening(serve) as url, opened(proxies={"https": url}) as calls:
        why = await why_of(calls, a_call("https://backend.invalid/a"))
    assert why == "no connection (ClientHttpProxyError)"
    head = await asked.get()
    assert head.startswith(b"CONNECT backend.invalid:443 HTTP/1.1\r\n")
    assert SECRET.encode() not in head


async def test_a_netrc_file_does_not_take_the_place_of_our_token(
    calls: HttpBackendCalls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "netrc"
    file.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(file))
    async with Backend(ok) as backend:
        await body_of(calls, a_call(backend.url))
    (seen,) = backend.seen
    assert seen.header("authorization") == [f"Bearer {SECRET}"]


# --- a server by hand -----------------------------------------------------------------------------

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(
    serve: Serve, *, ssl_context: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """For what no HTTP server would do. A connection ends with `serve`."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", ssl=ssl_context)
    scheme = "http" if ssl_context is None else "https"
    try:
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
