"""The reverse proxy over real sockets, between a caller and a worker that a test plays itself."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from local.host.errors import ForwardError
from local.host.http_server import HttpServer
from local.host.proxy import Exchange, open_session, respond
from tests.local.host.support import DEADLINE_SECONDS

ADDED = {"x-ms-invocation-id": "the host's", "x-local-host-call": "{}"}

Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Proxied:
    """A server that forwards every request to a worker on a Unix-domain socket."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "worker.sock"
        self.exchanges: list[Exchange] = []
        self.errors: asyncio.Queue[ForwardError] = asyncio.Queue()
        self.idle_seconds = DEADLINE_SECONDS
        self.port = 0
        self.url = ""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Proxied]:
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        server = HttpServer(self._answer, listening, proxy_headers=False)
        await server.begin()
        async with asyncio.timeout(DEADLINE_SECONDS), open_session(self.socket) as self.session:
            yield self
        await server.close()

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        exchange = Exchange(
            scope=scope,
            receive=receive,
            send=send,
            body_limit=1_000,
            idle_seconds=self.idle_seconds,
        )
        self.exchanges.append(exchange)
        try:
            await exchange.run(self.session, ADDED)
        except ForwardError as error:
            self.errors.put_nowait(error)
            if exchange.answering:
                raise
            await respond(send, error.status, str(error).encode())

    @contextlib.asynccontextmanager
    async def worker(self, play: Play) -> AsyncIterator[None]:
        """Let `play` answer each connection, until it returns."""

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await play(reader, writer)
            finally:
                writer.close()

        server = await asyncio.start_unix_server(connected, self.socket)
        yield
        server.close()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A caller's connection, to write to as the test likes."""
        return await asyncio.open_connection("127.0.0.1", self.port)


@pytest_asyncio.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[Proxied]:
    async with Proxied(tmp_path).running() as started:
        yield started


class Answers:
    """A worker that keeps what it reads and answers each request with the same bytes."""

    def __init__(self, *answer: bytes) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self._answer = b"".join(answer)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(self._answer)

    def header(self, name: bytes) -> list[bytes]:
        """The values of a header in the last request, line by line."""
        lines = self.heads[-1].split(b"\r\n")[1:]
        pairs = [line.partition(b": ") for line in lines]
        return [value for found, _, value in pairs if found.lower() == name]


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def call(proxied: Proxied, head: bytes, method: bytes = b"GET") -> bytes:
    """The answer to a request with these header lines, up to the connection's end."""
    reader, writer = await proxied.connect()
    writer.write(method + b" / HTTP/1.1\r\nhost: app\r\nconnection: close\r\n" + head + b"\r\n")
    answer = await reader.read()
    writer.close()
    return answer


async def test_path_query_and_method_arrive_as_they_were_sent(proxied: Proxied) -> None:
    worker = Answers(OK)
    async with proxied.worker(worker):
        reader, writer = await proxied.connect()
        target = b"/a%2Fb%20c//d?x=%41&y&z=a+b%20c"
        writer.write(b"PATCH " + target + b" HTTP/1.1\r\nhost: app\r\n\r\n")
        await reader.readuntil(b"ok")
        writer.close()
    assert worker.heads[0].startswith(b"PATCH " + target + b" HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "name",
    [
        *("connection", "keep-alive", "te", "upgrade", "alt-svc"),
        *("proxy-authorization", "proxy-connection", "proxy-authenticate"),
    ],
)
async def test_headers_of_one_connection_are_not_forwarded(proxied: Proxied, name: str) -> None:
    line = f"{name}: something\r\nx-kept: yes\r\n".encode()
    worker = Answers(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" + line + b"\r\n")
    async with proxied.worker(worker):
        reader, writer = await proxied.connect()
        writer.write(b"GET / HTTP/1.1\r\nhost: app\r\n" + line + b"\r\n")
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
    assert worker.header(name.encode()) == []
    assert worker.header(b"x-kept") == [b"yes"]
    assert b"x-kept: yes" in answer
    assert f"{name}: something".encode() not in answer


async def test_the_hosts_own_headers_replace_what_the_caller_sends(proxied: Proxied) -> None:
    worker = Answers(OK)
    sent = [*ADDED, "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"]
    async with proxied.worker(worker):
        await call(proxied, "".join(f"{name}: forged\r\n" for name in sent).encode())
    expected = {
        **ADDED,
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "app",
    }
    assert {name: worker.header(name.encode()) for name in sent} == {
        name: [value.encode()] for name, value in expected.items()
    }


async def test_nothing_is_added_that_the_caller_did_not_ask_for(proxied: Proxied) -> None:
    worker = Answers(OK)
    async with proxied.worker(worker):
        await call(proxied, b"")
    names = {line.partition(b":")[0].lower() for line in worker.heads[0].split(b"\r\n")[1:-2]}
    added = {b"host", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"}
    assert names == added | {name.encode() for name in ADDED}


async def test_headers_of_one_name_reach_the_worker_in_one_line_as_from_azures_proxy(
    proxied: Proxied,
) -> None:
    worker = Answers(OK)
    async with proxied.worker(worker):
        await call(proxied, b"x-a: 1\r\ncookie: a=1\r\nx-a: 2, 3\r\ncookie: b=2\r\nx-empty:\r\n")
    assert worker.header(b"x-a") == [b"1, 2, 3"]
    assert worker.header(b"cookie") == [b"a=1; b=2"]
    assert worker.header(b"x-empty") == [b""]


async def test_headers_of_one_name_reach_the_caller_line_by_line(proxied: Proxied) -> None:
    lines = b"set-cookie: a=1; Path=/\r\nset-cookie: b=2\r\n"
    worker = Answers(b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n", lines, b"\r\n")
    async with proxied.worker(worker):
        first = await call(proxied, b"")
        await call(proxied, b"")
    assert first.startswith(b"HTTP/1.1 302 ")  # it is not followed
    assert [line for line in first.split(b"\r\n") if line.startswith(b"set-cookie")] == [
        b"set-cookie: a=1; Path=/",
        b"set-cookie: b=2",
    ]
    assert worker.header(b"cookie") == []  # nor is the cookie kept


@pytest.mark.parametrize(
    ("value", "status"),
    [
        pytest.param("Zoë".encode(), 502, id="UTF-8: Kestrel reads it, YARP cannot forward it"),
        pytest.param("Zoë".encode("latin-1"), 400, id="not UTF-8: Kestrel refuses it"),
    ],
)
async def test_a_header_that_is_not_ascii_fails_as_in_azure(
    proxied: Proxied, value: bytes, status: int
) -> None:
    worker = Answers(OK)
    async with proxied.worker(worker):
        answer = await call(proxied, b"x-name: " + value + b"\r\n")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert worker.heads == []
    assert not proxied.exchanges[0].sent


async def test_an_answer_whose_header_is_not_ascii_fails_as_in_azure(proxied: Proxied) -> None:
    head = "HTTP/1.1 200 OK\r\nx-name: Zoë\r\ncontent-length: 2\r\n\r\n".encode("latin-1")
    async with proxied.worker(Answers(head, b"ok")):
        answer = await call(proxied, b"")
    assert answer.startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize(
    ("method", "status"),
    [
        pytest.param(b"HEAD", b"200 OK", id="HEAD"),
        pytest.param(b"GET", b"204 No Content", id="204"),
        pytest.param(b"GET", b"304 Not Modified", id="304"),
    ],
)
async def test_an_answer_without_a_body_ends_with_its_head(
    proxied: Proxied, method: bytes, status: bytes
) -> None:
    length = b"" if status.startswith(b"204") else b"content-length: 1234\r\n"
    worker = Answers(b"HTTP/1.1 " + status + b'\r\netag: "1"\r\n' + length + b"\r\n")
    async with proxied.worker(worker):
        reader, writer = await proxied.connect()
        for _ in range(2):  # on the same connection: nothing may be left of the first
            writer.write(method + b" / HTTP/1.1\r\nhost: app\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 " + status)
            assert length in head
            assert b"transfer-encoding" not in head.lower()
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    assert worker.connections == 1


async def test_a_compressed_answer_stays_as_it_is(proxied: Proxied) -> None:
    body = b"\x1f\x8bnot even gzip"
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(body)}\r\n\r\n"
    async with proxied.worker(Answers(head.encode(), body)):
        answer = await call(proxied, b"")
    assert answer.endswith(b"\r\n\r\n" + body)
    assert b"content-encoding: gzip" in answer


async def test_each_piece_of_an_answer_arrives_before_the_next_one_is_made(
    proxied: Proxied,
) -> None:
    seen = asyncio.Queue[bytes]()

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        assert await seen.get() == b"head"
        for number in range(3):
            writer.write(b"2\r\n%d\n\r\n" % number)
            assert await seen.get() == b"%d\n" % number
        writer.write(b"0\r\n\r\n")

    async with (
        proxied.worker(stream),
        aiohttp.ClientSession() as client,
        client.get(proxied.url) as answer,
    ):
        seen.put_nowait(b"head")
        pieces = []
        async for piece in answer.content.iter_any():
            pieces.append(piece)
            seen.put_nowait(piece)
    assert pieces == [b"0\n", b"1\n", b"2\n"]


@pytest.mark.parametrize("framing", ["content-length: 6", "transfer-encoding: chunked"])
async def test_each_piece_of_a_request_arrives_before_the_next_one_is_sent(
    proxied: Proxied, framing: str
) -> None:
    chunked = framing.endswith("chunked")
    seen = asyncio.Queue[bytes]()

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert framing.encode() in head.lower()
        for _ in range(3):
            size = await reader.readexactly(3 if chunked else 0)
            seen.put_nowait(await reader.readexactly(2))
            assert await reader.readexactly(2 if chunked else 0) == (b"\r\n" if size else b"")
        if chunked:
            assert await reader.readuntil(b"\r\n\r\n") == b"0\r\n\r\n"
        writer.write(OK)

    async with proxied.worker(read):
        reader, writer = await proxied.connect()
        writer.write(f"POST / HTTP/1.1\r\nhost: app\r\n{framing}\r\n\r\n".encode())
        for number in range(3):
            piece = b"%d\n" % number
            writer.write(b"2\r\n" + piece + b"\r\n" if chunked else piece)
            assert await seen.get() == piece
        writer.write(b"0\r\n\r\n" if chunked else b"")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_an_answer_may_end_before_the_request_has_and_the_next_call_is_not_mixed_up(
    proxied: Proxied,
) -> None:
    worker = Answers(OK)
    async with proxied.worker(worker):
        reader, writer = await proxied.connect()
        writer.write(b"POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 20\r\n\r\nhalf of it")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"and the re")
        writer.write(b"GET /next HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"ok")
        writer.close()
    assert worker.heads[-1].startswith(b"GET /next ")
    assert worker.connections == 2


async def test_a_declared_body_over_the_limit_is_refused_and_not_forwarded(
    proxied: Proxied,
) -> None:
    worker = Answers(OK)
    async with proxied.worker(worker):
        answer = await call(proxied, b"content-length: 1001\r\n", b"POST")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert worker.heads == []
    assert not proxied.exchanges[0].sent


async def test_a_streamed_body_over_the_limit_is_refused_and_the_worker_never_sees_its_end(
    proxied: Proxied,
) -> None:
    read: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        read.set_result(await reader.read())

    async with proxied.worker(play):
        reader, writer = await proxied.connect()
        writer.write(b"POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(b"258\r\n" + b"a" * 600 + b"\r\n")
        writer.write(b"258\r\n" + b"b" * 600 + b"\r\n0\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413 ")
        assert not (await read).endswith(b"0\r\n\r\n")
        writer.close()


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", id="by length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", id="by chunks"
        ),
    ],
)
async def test_an_answer_that_breaks_off_breaks_off_for_the_caller(
    proxied: Proxied, begun: bytes
) -> None:
    read = asyncio.Event()

    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(begun)
        await read.wait()

    async with (
        proxied.worker(break_off),
        aiohttp.ClientSession() as client,
        client.get(proxied.url) as answer,
    ):
        assert await answer.content.readexactly(4) == b"half"
        read.set()
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.read()
    assert (await proxied.errors.get()).status == 502


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200", b"nonsense\r\n\r\n"])
async def test_a_worker_that_says_nothing_usable_is_a_bad_gateway(
    proxied: Proxied, said: bytes
) -> None:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)

    async with proxied.worker(play):
        assert (await call(proxied, b"", b"POST")).startswith(b"HTTP/1.1 502 ")
    assert proxied.exchanges[0].sent


async def test_a_worker_that_is_not_there_is_a_bad_gateway(proxied: Proxied) -> None:
    assert (await call(proxied, b"")).startswith(b"HTTP/1.1 502 ")
    assert not proxied.exchanges[0].sent


async def test_a_worker_that_stays_silent_is_given_up(proxied: Proxied) -> None:
    proxied.idle_seconds = 0.05
    gone = asyncio.Event()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()

    async with proxied.worker(play):
        assert (await call(proxied, b"")).startswith(b"HTTP/1.1 504 ")
        await gone.wait()


def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


def close_one_half(writer: asyncio.StreamWriter) -> None:
    """As a client that wants to read on. Kestrel and uvicorn alike take it for hung up."""
    writer.write_eof()


@pytest.mark.parametrize("leave", [hang_up, close_one_half])
@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nhost: app\r\n\r\n", b"", id="before the answer"),
        pytest.param(
            b"GET / HTTP/1.1\r\nhost: app\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
            id="in the answer",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 9\r\n\r\nhalf",
            b"",
            id="in the request",
        ),
    ],
)
async def test_a_caller_who_hangs_up_is_seen_by_the_worker_as_a_closed_connection(
    proxied: Proxied, leave: Callable[[asyncio.StreamWriter], None], request_: bytes, answer: bytes
) -> None:
    reached, closed = asyncio.Event(), asyncio.Event()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        reached.set()
        await reader.read()
        closed.set()

    async with proxied.worker(play):
        reader, writer = await proxied.connect()
        writer.write(request_)
        await reached.wait()
        if answer:
            await reader.readuntil(b"1\r\na\r\n")
        leave(writer)
        await closed.wait()
        assert (await proxied.errors.get()).status == 499
        assert proxied.exchanges[0].sent
        writer.close()
    async with proxied.worker(Answers(OK)):
        assert (await call(proxied, b"")).endswith(b"ok")
