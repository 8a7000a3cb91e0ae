"""Fresh readings, exchanged between processes while they dispatch.

An output binding leaves only when a function ends, so a reading that another process needs now is a
small upsert through the SDK, at most one a second and deployment, and only when there is a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from ptu_optimizer.capacity.reading import InvalidReading, Reading
from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.telemetry import logger

from .gate import Gate
from .ports import CapacityStore

_log = logger("exchange")

READING_TTL_SECONDS = 600
"""How long a reading stays in `capacity`: longer than any is believed."""


class ReadingExchange:
    def __init__(
        self,
        *,
        gates: Mapping[str, Gate],
        store: CapacityStore,
        clock: Clock,
        worker: str,
        interval_seconds: float,
    ) -> None:
        self._gates = gates
        self._store = store
        self._clock = clock
        self._worker = worker
        self._interval = interval_seconds
        self._running = 0
        self._task: asyncio.Task[None] | None = None
        self._sent: dict[str, Reading] = {}

    @asynccontextmanager
    async def active(self) -> AsyncIterator[None]:
        """Exchange while at least one invocation of this process is inside."""
        self._running += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._loop())
        try:
            yield
        finally:
            self._running -= 1

    async def _loop(self) -> None:
        while self._running:
            results = await asyncio.gather(
                *(self.once(gate) for gate in self._gates.values()), return_exceptions=True
            )
            for result in results:
                if isinstance(result, Exception):  # nobody awaits this task: it must not just end
                    _log.error("the exchange of readings failed unexpectedly", exc_info=result)
            await self._clock.sleep(self._interval)

    async def once(self, gate: Gate) -> None:
        """Send ours if new, take in the others'. A store that is away costs only freshness."""
        try:
            await self._send(gate)
            for record in await self._store.changed(gate.deployment, since=0.0):
                if record.get("type") == "reading":
                    self._take(gate, record)
        except DependencyUnavailable as error:
            _log.warning("readings cannot be exchanged", extra={"reason": error.reason})

    async def _send(self, gate: Gate) -> None:
        ours = gate.newest_reading()
        if ours is None or ours.source != self._worker or self._sent.get(gate.deployment) == ours:
            return
        record_id = f"reading:{self._worker}"
        await self._store.write(ours.record(record_id=record_id, ttl_seconds=READING_TTL_SECONDS))
        self._sent[gate.deployment] = ours

    def _take(self, gate: Gate, record: dict[str, object]) -> None:
        try:
            reading = Reading.from_record(record)
        except InvalidReading as error:
            _log.warning("an invalid reading is left out", extra={"reason": str(error)})
            return
        if reading.source != self._worker:
            gate.observe(reading)
