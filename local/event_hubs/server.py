"""The server: opens the hubs, listens on the loopback interface, and sweeps once a second."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local.serving import LocalServer, StartError
from ptu_optimizer.background import Background

from .attach import attach
from .broker import Broker, Limits
from .connection import Connection
from .errors import AmqpError
from .faults import Faults
from .hub import Hubs, open_hubs
from .partition import Retention
from .segment_log import CorruptLog
from .tokens import DEFAULT_KEY, DEFAULT_POLICY, Authority

_logger = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
"""Between two looks at heartbeats, idle connections, expired tokens and retention."""


class EventHubsServer(LocalServer):
    """An Event Hubs namespace. Use it as an async context manager, or `start` and `close` it."""

    unusable = (CorruptLog, ValueError)

    def __init__(
        self,
        *,
        hubs: Mapping[str, int],
        port: int = 0,
        host: str = "127.0.0.1",
        consumer_groups: Mapping[str, Sequence[str]] | None = None,
        data: Path | None = None,
        fsync: bool = False,
        retention: Retention | None = None,
        policy: str = DEFAULT_POLICY,
        key: str = DEFAULT_KEY,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`hubs` maps names to partition counts, `consumer_groups` hubs to what `$Default` is not.

        Port 0 takes a free one. Without `data`, a directory, events live in memory. `clock` gives
        seconds since the epoch: enqueued times, retention and token expiry follow it.
        """
        super().__init__(
            host=host,
            port=port,
            chore=Background(
                self._sweep,
                interval=SWEEP_SECONDS,
                first_after=SWEEP_SECONDS,
                log=_logger,
                failed="a sweep failed; the next one follows",
            ),
        )
        self._hub_partitions = dict(hubs)
        self._consumer_groups = dict(consumer_groups or {})
        self._data = data
        self._fsync = fsync
        self._retention = retention or Retention()
        self._limits = limits or Limits()
        self._clock = clock
        self._authority = Authority(policy=policy, key=key, clock=clock)
        self._connections: set[Connection] = set()
        self._hubs: Hubs | None = None
        self._server: asyncio.Server | None = None
        self._lock: int | None = None
        self.faults = Faults(
            drop_connections=self._drop_connections, detach_links=self._detach_links
        )

    @property
    def url(self) -> str:
        """The namespace's address."""
        return f"sb://{self.address}"

    @property
    def connection_string(self) -> str:
        """For the Azure SDKs; `UseDevelopmentEmulator` makes them use plain TCP."""
        return (
            f"Endpoint={self.url};SharedAccessKeyName={self._authority.policy};"
            f"SharedAccessKey={self._authority.key};UseDevelopmentEmulator=true;"
        )

    @property
    def connection_count(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def connections(self) -> frozenset[Connection]:
        """The connections as they are now."""
        return frozenset(self._connections)

    async def open(self, port: int) -> int:
        """Open the hubs and listen."""
        self._lock = _lock(self._data)
        hubs = self._hubs = open_hubs(
            hubs=self._hub_partitions,
            consumer_groups=self._consumer_groups,
            retention=self._retention,
            clock=self._clock,
            data=self._data,
            fsync=self._fsync,
        )
        broker = Broker(
            hubs=hubs, authority=self._authority, faults=self.faults, limits=self._limits
        )
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(broker=broker, attach=attach, connections=self._connections),
            self.host,
            port,
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def shut(self) -> None:
        """Stop listening, cut the connections, give back files."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._drop_connections()
        await asyncio.sleep(0)  # for the transports to report that they are gone
        if self._hubs is not None:
            self._hubs.close()
            self._hubs = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def sweep(self) -> None:
        """What is done every second: heartbeats, idle connections, expired tokens, retention."""
        for connection in tuple(self._connections):
            connection.tick()
        if self._hubs is not None:
            self._hubs.expire()

    async def _sweep(self) -> None:
        self.sweep()

    def _drop_connections(self) -> None:
        for connection in tuple(self._connections):
            connection.abort()

    def _detach_links(self, error: AmqpError) -> None:
        for connection in tuple(self._connections):
            connection.detach_links(error)


def _lock(data: Path | None) -> int | None:
    """Keep other servers off a data directory; the lock ends with the process, however it ends."""
    if data is None:
        return None
    data.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(data / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StartError(f"--data {data}: another server is using it") from error
    return descriptor
