"""The life of a local server: on loopback only, refused by the name of an option, shut whole."""

from __future__ import annotations

import asyncio
import errno
import logging

import pytest

from local.serving import LocalServer, StartError, is_loopback, serve
from local.virtual_time import in_virtual_time
from ptu_optimizer.background import Background


class Server(LocalServer):
    """A server that listens nowhere. `problem` is what its opening raises."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        problem: BaseException | None = None,
        beyond_loopback: bool | None = None,
    ) -> None:
        self.did: list[str] = []
        self._problem = problem
        super().__init__(
            host=host,
            port=4711,
            beyond_loopback=beyond_loopback,
            chore=Background(
                self._work,
                interval=1.0,
                first_after=1.0,
                log=logging.getLogger("tests.serving"),
                failed="the work failed",
            ),
        )

    async def open(self, port: int) -> int:
        self.did.append("opened")
        if self._problem is not None:
            raise self._problem
        return port

    async def shut(self) -> None:
        self.did.append("shut")

    async def _work(self) -> None:
        self.did.append("worked")


@in_virtual_time
async def test_it_opens_works_and_is_shut() -> None:
    async with Server() as server:
        assert (server.port, server.url) == (4711, "http://127.0.0.1:4711")
        await asyncio.sleep(2.5)
    await asyncio.sleep(10)
    assert server.did == ["opened", "worked", "worked", "shut"]


def test_before_its_start_it_has_no_port() -> None:
    with pytest.raises(RuntimeError, match="has not been started"):
        _ = Server().port


async def test_an_address_of_ip_version_6_is_in_brackets() -> None:
    async with Server(host="::1") as server:
        assert server.url == "http://[::1]:4711"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("127.0.0.1", True, id="the usual one"),
        pytest.param("127.0.0.2", True, id="another of the network 127"),
        pytest.param("::1", True, id="version 6"),
        pytest.param("localhost", True, id="by name"),
        pytest.param("0.0.0.0", False, id="all addresses"),
        pytest.param("192.168.0.1", False, id="a network's"),
        pytest.param("example.com", False, id="another name"),
    ],
)
def test_what_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


async def test_beyond_loopback_it_serves_only_if_it_offers_that_and_is_told_to() -> None:
    with pytest.raises(StartError, match=r"--host 0.0.0.0: only a loopback address is served$"):
        await Server(host="0.0.0.0").start()
    with pytest.raises(StartError, match="unless --beyond-loopback is given"):
        await Server(host="0.0.0.0", beyond_loopback=False).start()
    async with Server(host="0.0.0.0", beyond_loopback=True) as server:
        assert server.did == ["opened"]


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        pytest.param(ValueError("--data x: no folder"), "--data x: no folder", id="an option"),
        pytest.param(OSError(errno.EADDRINUSE, "taken"), "port 4711 is taken", id="the port"),
    ],
)
async def test_what_was_opened_before_a_problem_is_shut(problem: Exception, said: str) -> None:
    server = Server(problem=problem)
    with pytest.raises(StartError, match=said):
        await server.start()
    assert server.did == ["opened", "shut"]


@pytest.mark.parametrize("problem", [OSError(errno.ENOSPC, "full"), asyncio.CancelledError()])
async def test_another_problem_stays_what_it_is(problem: BaseException) -> None:
    server = Server(problem=problem)
    with pytest.raises(type(problem)):
        await server.start()
    assert server.did == ["opened", "shut"]


@pytest.mark.parametrize("error", [ValueError("--key: no key"), StartError("--key: no key")])
def test_the_process_says_what_is_wrong_and_ends_with_1(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def make() -> LocalServer:
        raise error

    assert serve(make, name="a server") == 1
    assert capsys.readouterr().err == "a server: --key: no key\n"
