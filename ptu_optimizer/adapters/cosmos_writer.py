"""Creates that meet on their way leave together: group commit per partition.

While a write of a partition is under way, further creates for it gather and leave as one
transactional batch (at most 100 operations and 2 MiB). No create waits for company. A batch is all
or nothing, so on a conflict its creates are repeated singly: each learns its own fate.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

import orjson
from azure.core.exceptions import AzureError
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import (
    CosmosBatchOperationError,
    CosmosHttpResponseError,
    CosmosResourceExistsError,
)

from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.stores import Created
from ptu_optimizer.telemetry import logger

_log = logger("cosmos")

MAX_BATCH_OPERATIONS = 100
MAX_BATCH_BYTES = 1_500_000
"""Cosmos DB ends a batch at 2 MiB of request; this leaves room for its envelope."""

WRITES_UNDER_WAY = 2
"""Per partition: one slow answer does not hold up all the others, and batches still form."""

_PERMANENT = frozenset({400, 401, 403, 404, 413})


class StoreRefusesUs(DependencyUnavailable):
    """Not a passing fault: keys, roles, a missing container, a record too large."""

    def __init__(self, status: int) -> None:
        super().__init__("Cosmos DB", f"it refuses a write with status {status}")


@dataclass(frozen=True, slots=True)
class _Waiting:
    record: JsonObject
    size: int
    fate: asyncio.Future[Created]


@dataclass(slots=True)
class _Partition:
    waiting: deque[_Waiting] = field(default_factory=deque)
    under_way: int = 0


class SliceWriter:
    def __init__(self, container: ContainerProxy, *, partition_field: str) -> None:
        self._container = container
        self._field = partition_field
        self._partitions: dict[str, _Partition] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def create(self, record: JsonObject) -> Created:
        """Create one record. Raises StoreRefusesUs for what no retry mends."""
        key = record[self._field]
        partition = self._partitions.setdefault(key, _Partition())
        waiting = _Waiting(record, len(orjson.dumps(record)), _future())
        partition.waiting.append(waiting)
        if partition.under_way < WRITES_UNDER_WAY:
            self._start(key, partition)
        return await asyncio.shield(waiting.fate)

    def _start(self, key: str, partition: _Partition) -> None:
        partition.under_way += 1
        task = asyncio.create_task(self._drain(key, partition))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self, key: str, partition: _Partition) -> None:
        try:
            while partition.waiting:
                batch = _next_batch(partition.waiting)
                try:
                    await self._write(key, batch)
                except Exception as error:  # whatever it is, no caller may wait without end
                    _log.exception("a write failed unexpectedly")
                    _settle(batch, error)
        finally:
            partition.under_way -= 1
            if partition.under_way == 0 and not partition.waiting:
                self._partitions.pop(key, None)

    async def _write(self, key: str, batch: list[_Waiting]) -> None:
        if len(batch) > 1:
            try:
                await self._container.execute_item_batch(
                    [("create", (waiting.record,)) for waiting in batch], partition_key=key
                )
            except CosmosBatchOperationError:
                pass  # rolled back: singly, each learns its own fate
            except (AzureError, TimeoutError, OSError) as error:
                _settle(batch, _fate(error))
                return
            else:
                _settle(batch, Created.CREATED)
                return
        await asyncio.gather(*(self._write_one(waiting) for waiting in batch))

    async def _write_one(self, waiting: _Waiting) -> None:
        try:
            await self._container.create_item(waiting.record, no_response=True)
        except (AzureError, TimeoutError, OSError) as error:
            _settle([waiting], _fate(error))
        else:
            _settle([waiting], Created.CREATED)


def _next_batch(waiting: deque[_Waiting]) -> list[_Waiting]:
    batch = [waiting.popleft()]
    size = batch[0].size
    ids = {batch[0].record["id"]}
    while (
        waiting
        and len(batch) < MAX_BATCH_OPERATIONS
        and size + waiting[0].size <= MAX_BATCH_BYTES
        # two creates of one id in a batch would refuse all the others
        and waiting[0].record["id"] not in ids
    ):
        size += waiting[0].size
        ids.add(waiting[0].record["id"])
        batch.append(waiting.popleft())
    return batch


def _fate(error: Exception) -> Created | Exception:
    if isinstance(error, CosmosResourceExistsError):
        return Created.REFUSED
    if isinstance(error, CosmosHttpResponseError) and error.status_code in _PERMANENT:
        _log.error("Cosmos DB refuses a write", extra={"status": error.status_code})
        return StoreRefusesUs(error.status_code)
    return Created.UNKNOWN


def _settle(batch: list[_Waiting], fate: Created | Exception) -> None:
    for waiting in batch:
        if waiting.fate.done():
            continue
        if isinstance(fate, Created):
            waiting.fate.set_result(fate)
        else:
            waiting.fate.set_exception(fate)


def _future() -> asyncio.Future[Created]:
    return asyncio.get_running_loop().create_future()
