"""What this process publishes of a deployment that it dispatches to: the belief of its gate,
and the verdict for the next call of each hub.

One small record in `capacity`, every three seconds while this process holds a send lease. `GET
/capacity` is answered by another process, which shows the newest.
"""

from __future__ import annotations

from ptu_optimizer.admission.gate import Gate
from ptu_optimizer.clock import Clock
from ptu_optimizer.ports.stores import CapacityStore

from .belief_report import BeliefReport, HubReport

INTERVAL_SECONDS = 3.0
TTL_SECONDS = 60
"""Longer than a report is believed, so that an operator still sees which process wrote the last
ones."""


class BeliefPublisher:
    """One per deployment and process."""

    def __init__(self, *, gate: Gate, store: CapacityStore, clock: Clock, worker: str) -> None:
        self._gate = gate
        self._store = store
        self._clock = clock
        self._worker = worker
        self._told_at = float("-inf")
        self._is_told = False
        """Whether the last published report says that this process dispatches."""

    async def tell(self) -> None:
        """Publish a report, if one is due; to be called while this process holds a lease.
        Raises DependencyUnavailable."""
        now = self._clock.monotonic()
        if now - self._told_at >= INTERVAL_SECONDS:
            self._told_at = now
            await self._write(dispatching=True)

    async def take_back(self) -> None:
        """Publish that this process has stopped dispatching. Raises DependencyUnavailable."""
        if self._is_told:
            self._told_at = float("-inf")
            await self._write(dispatching=False)

    async def _write(self, *, dispatching: bool) -> None:
        gate = self._gate
        report = BeliefReport(
            deployment=gate.deployment,
            worker=self._worker,
            at=self._clock.now(),
            belief=gate.belief(),
            in_flight=gate.in_flight,
            hubs=tuple(
                HubReport(hub=hub, verdict=gate.verdict(hub=hub), waiting=gate.waiting(hub))
                for hub in gate.hubs
            ),
            dispatching=dispatching,
        )
        await self._store.write(report.record(ttl_seconds=TTL_SECONDS))
        self._is_told = dispatching
