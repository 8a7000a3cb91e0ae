"""What processes publish for each other while they dispatch, through the container `capacity`.

An output binding leaves only when a function ends, so what another process needs now is a small
upsert through the SDK, at most one of each kind a second and deployment, and only when there is
something new. Reading is one query a second for what has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from ptu_optimizer.admission.gate import Gate
from ptu_optimizer.background import Background
from ptu_optimizer.capacity.signals.reading import Reading
from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.stores import CapacityStore
from ptu_optimizer.telemetry import logger

from .belief_publisher import BeliefPublisher
from .lease_keeper import LeaseKeeper
from .records import NONSENSE, signal_of
from .send_lease import RENEW_SECONDS

_log = logger("exchange")

READING_TTL_SECONDS = 600
"""How long a reading stays in `capacity`: longer than it is believed."""

USAGE_TTL_SECONDS = 60
"""How long windows of our own calls stay. A reader that missed them for this long finds them in
the metric."""

LEARNED_TTL_SECONDS = 86_400
LEARNED_INTERVAL_SECONDS = 3.0
"""How often the holder of the send lease writes what it has learned, for its successor."""

OVERLAP_SECONDS = 2.0
"""A record of the same time as the newest may come after it, and the clocks of a store's
replicas differ a little."""

FOLLOWED = ("lease", "learned", "alert", "minute")
"""What a process without the send lease reads. It reads the rest when it gets the lease."""

HISTORY_SECONDS = 120.0
"""How far back it then reads: far enough for the newest minute of the metric."""

STOP_SECONDS = 5.0
"""For one write as a host ends. Without that write, the others wait until the lease runs out."""

FOLLOWER_INTERVALS = 8
"""A process without the lease reads at intervals that are longer by this factor."""


class CapacityExchange:
    """Runs while at least one invocation of this process is inside `active`."""

    def __init__(
        self,
        *,
        gates: Mapping[str, Gate],
        store: CapacityStore,
        clock: Clock,
        worker: str,
        interval_seconds: float,
    ) -> None:
        self._clock = clock
        self._interval = interval_seconds
        self._links = [
            _Link(
                gate=gate,
                store=store,
                clock=clock,
                worker=worker,
                lease_keeper=LeaseKeeper(gate=gate, store=store, clock=clock, worker=worker),
            )
            for gate in gates.values()
        ]
        self._background = Background(
            self._exchange,
            interval=interval_seconds,
            last=self._leave,
            log=_log,
            failed="the exchange of capacity failed unexpectedly",
        )
        for gate in gates.values():
            gate.on_wanted = self._background.wake

    def active(self) -> AbstractAsyncContextManager[None]:
        """Exchange while at least one invocation of this process is inside."""
        return self._background.active()

    async def stop(self) -> None:
        """Give the lease up at once, before a host ends. No invocation may be inside any more."""
        await self._background.stop(grace=STOP_SECONDS)

    async def _exchange(self) -> float:
        await self._each(_Link.once)
        return self._until_next()

    async def _leave(self) -> None:
        await self._each(_Link.leave)

    async def _each(self, step: Callable[[_Link], Coroutine[Any, Any, None]]) -> None:
        if len(self._links) == 1:
            await self._one(step, self._links[0])  # most apps have one deployment
            return
        # all of them end before the next step, also if a library cancels one
        steps = [self._one(step, link) for link in self._links]
        for ended in await asyncio.gather(*steps, return_exceptions=True):
            if ended is not None:
                raise ended

    async def _one(self, step: Callable[[_Link], Coroutine[Any, Any, None]], link: _Link) -> None:
        try:
            await step(link)
        except Exception as error:  # the other deployments go on
            _log.error("the exchange of capacity failed unexpectedly", exc_info=error)

    def _until_next(self) -> float:
        """The interval: shorter before an announced handover, longer for a process without the
        lease."""
        now = self._clock.now()
        leads = any(link.is_busy for link in self._links)
        interval = self._interval if leads else FOLLOWER_INTERVALS * self._interval
        # a lease must be renewed, and its end be noticed
        interval = min(interval, RENEW_SECONDS)
        due = [at - now for link in self._links if (at := link.lease_keeper.soonest()) is not None]
        return max(0.01, min([interval, *due]))


class _Link:
    """The exchange of one deployment."""

    def __init__(
        self,
        *,
        gate: Gate,
        store: CapacityStore,
        clock: Clock,
        worker: str,
        lease_keeper: LeaseKeeper,
    ) -> None:
        self.lease_keeper = lease_keeper
        self._gate = gate
        self._store = store
        self._clock = clock
        self._worker = worker
        self._reports = BeliefPublisher(gate=gate, store=store, clock=clock, worker=worker)
        self._since = 0.0
        self._led = False
        self._taken: dict[str, str] = {}
        """The etag of each record that was taken in lately, by id: reads overlap."""
        self._sent: Reading | None = None
        self._learned_at = float("-inf")

    @property
    def is_busy(self) -> bool:
        """Whether other processes wait for what we know: while we send, and until our last call
        has ended."""
        return self.lease_keeper.leads or self._gate.in_flight > 0

    async def once(self) -> None:
        """Read what is new, publish what is ours. If the store is away, signals only get older."""
        try:
            await self._read()
            await self.lease_keeper.step()
            if self.lease_keeper.leads and not self._led:
                # a process that does not send leaves some records out; from now on all are
                # needed
                self._since = max(0.0, self._since - HISTORY_SECONDS)
                await self._read()
            if self.lease_keeper.leads:
                self._gate.tick()
            await self._send()
            if self.lease_keeper.leads:
                await self._reports.tell()
        except DependencyUnavailable as error:
            _log.warning("capacity cannot be exchanged", extra={"reason": error.reason})

    async def leave(self) -> None:
        try:
            await self._send()
            await self.lease_keeper.release()
            await self._reports.take_back()
        except DependencyUnavailable as error:
            _log.warning("a turn cannot be given up", extra={"reason": error.reason})

    async def _read(self) -> None:
        self._led = self.lease_keeper.leads
        kinds = None if self._led else FOLLOWED
        records = await self._store.changed(self._gate.deployment, since=self._since, kinds=kinds)
        # minutes last: the cost of our own calls is subtracted from them
        for record in sorted(records, key=lambda record: record.get("type") == "minute"):
            self._take(record)

    def _take(self, record: JsonObject) -> None:
        at, etag = float(record.get("_ts") or 0.0), str(record.get("_etag") or "")
        if etag and self._taken.get(record["id"]) == etag:
            return
        self._since = max(self._since, at - OVERLAP_SECONDS)
        if len(self._taken) > 1_000:
            self._taken.clear()
        self._taken[record["id"]] = etag
        if record.get("type") in ("lease", "candidate"):
            self.lease_keeper.take(record)
            return
        try:
            signal = signal_of(record)
        except NONSENSE as error:
            _log.warning("an invalid signal is left out", extra={"reason": str(error)})
            return
        if signal is not None and getattr(signal, "source", "") != self._worker:
            self._gate.observe(signal)

    async def _send(self) -> None:
        usage = self._gate.own_usage(source=self._worker)
        if usage is not None:
            await self._store.write(usage.record(ttl_seconds=USAGE_TTL_SECONDS))
        reading = self._gate.own_reading()
        if reading is not None and reading != self._sent:
            record_id = f"reading:{reading.kind.value}:{self._worker}"
            await self._store.write(
                reading.record(record_id=record_id, ttl_seconds=READING_TTL_SECONDS)
            )
            self._sent = reading
        now = self._clock.monotonic()
        due = now - self._learned_at >= LEARNED_INTERVAL_SECONDS
        if usage is not None and due and self.lease_keeper.speaks:
            learned = self._gate.learned()
            if learned is not None:
                self._learned_at = now
                await self._store.write(
                    learned.record(record_id="learned", ttl_seconds=LEARNED_TTL_SECONDS)
                )
