"""The simulated service on a socket: Azure OpenAI, Azure Monitor and managed identity."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web

from local.ptu.access import Access
from local.ptu.chat import ChatApi
from local.ptu.config import PtuServerConfig
from local.ptu.control import ControlApi
from local.ptu.errors import resource_not_found
from local.ptu.identity import LocalIdentity
from local.ptu.monitor import MonitorApi
from local.ptu.simulation import Simulation

__all__ = ["PortTakenError", "PtuServer", "steady_wall_clock"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAXIMUM_BODY_BYTES = 64 * 1024 * 1024
SHUTDOWN_SECONDS = 0.3
"""How long calls in flight may take to end when the server stops."""


class PortTakenError(OSError):
    """Something else listens on the port."""


def steady_wall_clock() -> Callable[[], float]:
    """Unix seconds that never run backwards: wall time at the start, monotonic from there."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


class PtuServer:
    """``async with PtuServer(config, port=0) as server:`` serves on a free port.

    ``clock`` gives Unix seconds that never run backwards; a test hands in its own to let minutes
    pass. ``beyond_loopback`` is for a container, whose network is its own. ``simulation`` is the
    state behind the sockets, for in-process use.
    """

    def __init__(
        self,
        config: PtuServerConfig,
        *,
        host: str = "127.0.0.1",
        port: int = 8090,
        beyond_loopback: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> None:
        if host not in LOOPBACK and not beyond_loopback:
            raise ValueError(
                f"--host {host!r}: the simulator listens on loopback only, unless "
                "--beyond-loopback says that the network is its own"
            )
        self._host = host
        self._port = port
        self._clock = clock or steady_wall_clock()
        self.simulation = Simulation(config, now=self._clock())
        self.identity = LocalIdentity(header=config.identity_header)
        self._runner: web.AppRunner | None = None
        self._sampler: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._port

    @property
    def url(self) -> str:
        """Base of all paths, without a trailing slash: also AZURE_OPENAI_ENDPOINT and
        AZURE_MONITOR_ENDPOINT."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def identity_environment(self) -> dict[str, str]:
        """What azure-identity needs in its environment to get tokens here."""
        return {
            "IDENTITY_ENDPOINT": f"{self.url}/msi/token",
            "IDENTITY_HEADER": self.simulation.config.identity_header,
        }

    def now(self) -> float:
        """The time that the simulation runs on, in Unix seconds."""
        return self._clock()

    async def start(self) -> None:
        """Listen; ``PortTakenError`` if the port is in use."""
        runner = web.AppRunner(
            self._application(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS
        )
        await runner.setup()
        self._runner = runner
        site = web.TCPSite(runner, self._host, self._port, backlog=1_024)
        try:
            await site.start()
        except OSError as error:
            await self.stop()
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortTakenError(
                errno.EADDRINUSE, f"port {self._port} is taken; choose another with --port"
            ) from error
        self._port = runner.addresses[0][1]
        self._sampler = asyncio.create_task(self._sample_every_second())

    async def stop(self) -> None:
        """Stop listening and end what is in flight; harmless when not started."""
        if self._sampler is not None:
            self._sampler.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sampler
            self._sampler = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def _application(self) -> web.Application:
        simulation, identity, clock = self.simulation, self.identity, self._clock
        access = Access(keys=simulation.config.api_keys, identity=identity)
        chat = ChatApi(simulation, access=access, clock=clock)
        monitor = MonitorApi(simulation, identity=identity, clock=clock)
        application = web.Application(client_max_size=MAXIMUM_BODY_BYTES)
        application.add_routes(
            [
                web.post("/openai/deployments/{deployment}/chat/completions", chat.by_deployment),
                web.post("/openai/v1/chat/completions", chat.by_model),
                web.post("/subscriptions/{subscription}/metrics:getBatch", monitor.get_batch),
                web.get("/msi/token", identity.token),
                *ControlApi(simulation, clock=clock).routes(),
                web.route("*", "/{path:.*}", _nothing_here),
            ]
        )
        return application

    async def _sample_every_second(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.simulation.sample(self._clock())


async def _nothing_here(_: web.Request) -> web.Response:
    error = resource_not_found()
    return web.Response(status=error.status, body=error.body, content_type="application/json")
