"""The server: opens the store, listens on the loopback interface, and purges what has expired."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from .access import AccountKey
from .catalog import Catalog
from .counters import Counters
from .database import Database, DataError
from .documents import Documents
from .faults import Faults
from .front import Front
from .items import PURGE_ROWS, Items
from .resources import CONSISTENCY_LEVELS
from .schema import SchemaError, ensure

EMULATOR_KEY: Final = (
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
)
"""The key of Microsoft's emulator: published, the same everywhere, no secret."""

PURGE_SECONDS: Final = 30.0
SHUTDOWN_SECONDS: Final = 0.3
"""How long requests under way may take to end when the server stops."""
KEEP_ALIVE_SECONDS: Final = 3_600.0
"""Longer than clients keep an idle connection, so that it is they who close it."""

_logger = logging.getLogger(__name__)


class StartError(RuntimeError):
    """The server cannot start; the message says which option to change."""


class CosmosServer:
    """A Cosmos DB account. Use it as an async context manager, or `start` and `close` it."""

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        data: Path | None = None,
        schema: Path | None = None,
        database: str = "ptu",
        key: str = EMULATOR_KEY,
        consistency: str = "Strong",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Port 0 takes a free one. Without `data`, a directory, everything lives in memory.

        `schema`, a file of container definitions, is created in `database` where missing.
        `consistency` is the account's default level as the SDK learns it; the server itself is
        strongly consistent. `clock` gives Unix seconds: `_ts` and TTL follow it.
        """
        self._host = host
        self._wanted_port = port
        self._data = data
        self._schema = schema
        self._database_name = database
        self._key = key
        self._consistency = consistency
        self._clock = clock
        self._database: Database | None = None
        self._items: Items | None = None
        self._runner: web.ServerRunner | None = None
        self._purger: asyncio.Task[None] | None = None
        self.faults = Faults()
        """What shall go wrong next; for tests."""
        self.counters = Counters()
        """What was asked for; also at `GET /_local/counters`."""

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError("the server has not been started")
        return int(self._runner.addresses[0][1])

    @property
    def url(self) -> str:
        """The account's endpoint, without a slash at its end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    @property
    def connection_string(self) -> str:
        """For the Azure SDKs."""
        return f"AccountEndpoint={self.url}/;AccountKey={self._key};"

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

    async def start(self) -> None:
        """Open the store and listen. Raises `StartError` if that cannot be."""
        if not _is_loopback(self._host):
            raise StartError(f"--host {self._host}: only a loopback address is served")
        if self._consistency not in CONSISTENCY_LEVELS:
            raise StartError(
                f"--consistency {self._consistency}: one of {', '.join(CONSISTENCY_LEVELS)}"
            )
        try:
            front = self._open()
            await self._listen(front)
        except (DataError, SchemaError, ValueError) as error:
            await self.close()
            raise StartError(str(error)) from error
        except BaseException:
            await self.close()
            raise
        self._purger = asyncio.create_task(self._purge_forever())

    def _open(self) -> Front:
        key = AccountKey(self._key)
        database = self._database = Database(self._data)
        catalog = Catalog(database, clock=self._clock)
        items = self._items = Items(database, clock=self._clock)
        if self._schema is not None:
            ensure(catalog, database=self._database_name, schema=self._schema)
        return Front(
            key=key,
            consistency=self._consistency,
            catalog=catalog,
            items=items,
            documents=Documents(
                items=items, database=database, faults=self.faults, counters=self.counters
            ),
            counters=self.counters,
        )

    async def _listen(self, front: Front) -> None:
        server = web.Server(front.handle, access_log=None, keepalive_timeout=KEEP_ALIVE_SECONDS)
        self._runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._wanted_port, backlog=1_024)
        try:
            await site.start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise StartError(
                f"port {self._wanted_port} is taken; choose another with --port"
            ) from error

    async def close(self) -> None:
        """Stop listening, end what is under way, close the store."""
        if self._purger is not None:
            self._purger.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._purger
            self._purger = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._database is not None:
            self._database.close()
            self._database = None
            self._items = None

    def stored_rows(self) -> int:
        """How many items the store holds, expired ones that were not purged yet included."""
        if self._items is None:
            raise RuntimeError("the server has not been started")
        return self._items.rows()

    async def purge(self) -> None:
        """Delete what has expired, as is done every half minute; others are served in between."""
        more = True
        while more and self._items is not None:
            more = self._items.purge() == PURGE_ROWS
            await asyncio.sleep(0)

    async def _purge_forever(self) -> None:
        while True:
            await asyncio.sleep(PURGE_SECONDS)
            try:
                await self.purge()
            except Exception:
                _logger.exception("a purge failed; the next one follows")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
