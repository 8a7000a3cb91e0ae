"""The server: opens the store, listens on the loopback interface, and purges what has expired."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from local.http_serving import SHUTDOWN_SECONDS, HttpServer
from local.serving import StartError
from ptu_optimizer.background import Background

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
KEEP_ALIVE_SECONDS: Final = 3_600.0
"""Longer than clients keep an idle connection, so that it is they who close it."""

_logger = logging.getLogger(__name__)


class CosmosServer(HttpServer):
    """A Cosmos DB account. Use it as an async context manager, or `start` and `close` it."""

    unusable = (DataError, SchemaError, ValueError)

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
        super().__init__(
            host=host,
            port=port,
            chore=Background(
                self.purge,
                interval=PURGE_SECONDS,
                first_after=PURGE_SECONDS,
                log=_logger,
                failed="a purge failed; the next one follows",
            ),
        )
        self._data = data
        self._schema = schema
        self._database_name = database
        self._key = key
        self._consistency = consistency
        self._clock = clock
        self._database: Database | None = None
        self._items: Items | None = None
        self.faults = Faults()
        """What shall go wrong next; for tests."""
        self.counters = Counters()
        """What was asked for; also at `GET /_local/counters`."""

    @property
    def connection_string(self) -> str:
        """For the Azure SDKs."""
        return f"AccountEndpoint={self.url}/;AccountKey={self._key};"

    async def open(self, port: int) -> int:
        """Open the store and listen."""
        if self._consistency not in CONSISTENCY_LEVELS:
            raise StartError(
                f"--consistency {self._consistency}: one of {', '.join(CONSISTENCY_LEVELS)}"
            )
        handler = web.Server(
            self._front().handle, access_log=None, keepalive_timeout=KEEP_ALIVE_SECONDS
        )
        return await self.listen(web.ServerRunner(handler, shutdown_timeout=SHUTDOWN_SECONDS), port)

    def _front(self) -> Front:
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

    async def shut(self) -> None:
        """End what is under way, and close the store."""
        await super().shut()
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
