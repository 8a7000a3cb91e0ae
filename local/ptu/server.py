"""The simulated service on a socket: Azure OpenAI, Azure Monitor and managed identity."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from aiohttp import web

from local.http_serving import SHUTDOWN_SECONDS, HttpServer
from local.ptu.access import Access
from local.ptu.chat import ChatApi
from local.ptu.config import PtuServerConfig
from local.ptu.control import ControlApi
from local.ptu.errors import resource_not_found
from local.ptu.identity import LocalIdentity
from local.ptu.monitor import MonitorApi
from local.ptu.simulation import Simulation
from ptu_optimizer.background import Background

DEFAULT_PORT = 8090
SAMPLE_SECONDS = 1.0
MAXIMUM_BODY_BYTES = 64 * 1024 * 1024

_logger = logging.getLogger(__name__)


def steady_wall_clock() -> Callable[[], float]:
    """Unix seconds that never run backwards: wall time at the start, monotonic from there."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


class PtuServer(HttpServer):
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
        port: int = DEFAULT_PORT,
        beyond_loopback: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(
            host=host,
            port=port,
            beyond_loopback=beyond_loopback,
            chore=Background(
                self._sample,
                interval=SAMPLE_SECONDS,
                first_after=SAMPLE_SECONDS,
                log=_logger,
                failed="a sample failed; the next one follows",
            ),
        )
        self._clock = clock or steady_wall_clock()
        self.simulation = Simulation(config, now=self._clock())
        self.identity = LocalIdentity(header=config.identity_header)

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

    async def open(self, port: int) -> int:
        """Listen."""
        runner = web.AppRunner(
            self._application(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS
        )
        return await self.listen(runner, port)

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

    async def _sample(self) -> None:
        self.simulation.sample(self._clock())


async def _nothing_here(_: web.Request) -> web.Response:
    error = resource_not_found()
    return web.Response(status=error.status, body=error.body, content_type="application/json")
