"""What the local servers share: loopback only, a port, a chore at intervals, a process that ends.

A server opens its state, listens, and does its chore until it is closed. What keeps it from
starting is a `StartError` that names the option to change.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import ipaddress
import logging
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import ClassVar, Final, Self

from ptu_optimizer.background import Background

BACKLOG: Final = 1_024
"""Connections that wait to be accepted: a load test opens hundreds at once."""

BEYOND_LOOPBACK = "--beyond-loopback"


class StartError(RuntimeError):
    """The server cannot start; the message says which option to change."""


class LocalServer(ABC):
    """Use it as an async context manager, or `start` and `close` it."""

    unusable: ClassVar[tuple[type[Exception], ...]] = (ValueError,)
    """What `open` raises if an option cannot be used; its text is the `StartError`'s."""

    def __init__(
        self, *, host: str, port: int, chore: Background, beyond_loopback: bool | None = None
    ) -> None:
        """`beyond_loopback` is for a container, whose network is its own; None if the server does
        not offer it. The server starts the chore and stops it."""
        self.host = host
        self._wanted_port = port
        self._port: int | None = None
        self._chore = chore
        self._beyond_loopback = beyond_loopback

    @property
    def port(self) -> int:
        """The port it listens on, or listened on before it was closed."""
        if self._port is None:
            raise RuntimeError("the server has not been started")
        return self._port

    @property
    def address(self) -> str:
        """Host and port, as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Where clients find it, without a slash at its end."""
        return f"http://{self.address}"

    async def start(self) -> None:
        """Open the state and listen. Raises `StartError` if that cannot be."""
        if not (self._beyond_loopback or is_loopback(self.host)):
            offered = self._beyond_loopback is not None
            way_out = f", unless {BEYOND_LOOPBACK} is given" if offered else ""
            raise StartError(f"--host {self.host}: only a loopback address is served{way_out}")
        try:
            self._port = await self.open(self._wanted_port)
        except BaseException as error:
            await self.close()
            if isinstance(error, self.unusable):
                raise StartError(str(error)) from error
            if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                raise StartError(
                    f"port {self._wanted_port} is taken; choose another with --port"
                ) from error
            raise
        self._chore.start()

    async def close(self) -> None:
        """Stop listening, end what is under way, close the state. Harmless when not started."""
        await self._chore.stop()
        await self.shut()

    @abstractmethod
    async def open(self, port: int) -> int:
        """Open the state and listen at `port`, or at a free one for 0; the port. What was opened
        before an error is shut."""

    @abstractmethod
    async def shut(self) -> None:
        """Stop listening and close what `open` has opened."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parser_of(program: str, description: str, *, port: int) -> argparse.ArgumentParser:
    """A parser with the options of every server; `port` is the default one."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=port, help="0 takes a free one")
    return parser


def serve(make: Callable[[], LocalServer], *, name: str) -> int:
    """Serve until SIGTERM or SIGINT; the exit status.

    Prints one line, `ready <url>`, when connections are accepted. `make` may raise ValueError for
    options that cannot be used.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    try:
        try:
            server = make()
        except ValueError as error:
            raise StartError(str(error)) from error
        asyncio.run(_until_signal(server))
    except StartError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return 0


async def _until_signal(server: LocalServer) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with server:
        print(f"ready {server.url}", flush=True)
        await stop.wait()
