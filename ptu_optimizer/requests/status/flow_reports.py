"""What this process publishes of how fast its requests reach their deployments.

One small record per hub and deployment in `capacity`, at most every 3 s while it dispatches, and
only if something has moved. `GET /requests/{id}` makes its projection of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

from ptu_optimizer.background import Background
from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.stores import CapacityStore
from ptu_optimizer.requests.ids import GroupId
from ptu_optimizer.telemetry import logger

from .flow import FlowMeter, Place

_log = logger("flow")

INTERVAL_SECONDS = 3.0
TTL_SECONDS = 300
"""Longer than a flow is believed."""


class Passing:
    """One request in hand, which leaves the gate once, whatever it does afterwards."""

    def __init__(self, meter: FlowMeter, clock: Clock) -> None:
        self._meter = meter
        self._clock = clock
        self._has_left = False

    def left(self, place: Place, *, enqueued_at: float, started: bool) -> None:
        """To be called, or to be re-scheduled. `enqueued_at` is the hub's clock."""
        if self._has_left:
            return
        self._has_left = True
        now = self._clock.now()
        self._meter.left(place, now=now, started=started, round_seconds=now - enqueued_at)


class FlowReports:
    def __init__(self, *, store: CapacityStore, clock: Clock, worker: str) -> None:
        self._store = store
        self._clock = clock
        self._worker = worker
        self._meters: dict[tuple[str, str], FlowMeter] = {}
        self._told: dict[tuple[str, str], int] = {}
        self._background = Background(
            self._tell,
            interval=INTERVAL_SECONDS,
            first_after=INTERVAL_SECONDS,
            last=self._tell,
            log=_log,
            failed="the flow of requests failed unexpectedly",
        )

    @contextmanager
    def in_hand(self, *, deployment: str, hub: str) -> Iterator[Passing]:
        """While a request is handled."""
        meter = self._meters.setdefault((deployment, hub), FlowMeter())
        meter.took(now=self._clock.now())
        try:
            yield Passing(meter, self._clock)
        finally:
            meter.done(now=self._clock.now())

    def active(self) -> AbstractAsyncContextManager[None]:
        """Publish while at least one invocation of this process is inside, and once after the
        last."""
        return self._background.active()

    async def stop(self) -> None:
        """Stop publishing, before a host ends. The last record lives for minutes."""
        await self._background.stop()

    async def _tell(self) -> None:
        try:
            await self.tell()
        except DependencyUnavailable as error:
            _log.warning("the flow of requests cannot be published", extra={"reason": error.reason})

    async def tell(self) -> None:
        """Write what has moved since it was last written. Raises DependencyUnavailable."""
        for key, meter in list(self._meters.items()):  # others join while one is written
            changes = meter.changes
            if changes == self._told.get(key, 0):
                continue
            deployment, hub = key
            flow = meter.flow(hub=hub, worker=self._worker, now=self._clock.now())
            if flow is not None:
                await self._store.write(flow.record(deployment=deployment, ttl_seconds=TTL_SECONDS))
            self._told[key] = changes


def place_of(group: GroupId, request_id: str) -> Place:
    """Of an id that is known to be genuine."""
    return Place(
        accepted_at=group.created_at,
        group=group.text,
        index=int(request_id.rpartition("-")[2]),
        count=group.count,
    )
