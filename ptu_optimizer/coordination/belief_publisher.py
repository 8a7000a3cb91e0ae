"""What this process tells of a deployment that it dispatches to: the belief of its gate, and what
the next call of each hub would be told.

One small record in `capacity`, every three seconds while this process has a turn to send. `GET
/capacity` is answered by another process, which shows the newest.
"""

from __future__ import annotations

from ptu_optimizer.admission.gate import Gate
from ptu_optimizer.clock import Clock
from ptu_optimizer.ports.stores import CapacityStore

from .belief_report import BeliefReport, HubReport

INTERVAL_SECONDS = 3.0
TTL_SECONDS = 60
"""Longer than a report is believed: of the last ones an operator may still see whose they were."""


class BeliefPublisher:
    """One per deployment and process."""

    def __init__(self, *, gate: Gate, store: CapacityStore, clock: Clock, worker: str) -> None:
        self._gate = gate
        self._store = store
        self._clock = clock
        self._worker = worker
        self._told_at = float("-inf")
        self._is_told = False
        """What was told last says that this process dispatches."""

    async def tell(self) -> None:
        """While this process has a turn. Raises DependencyUnavailable."""
        now = self._clock.monotonic()
        if now - self._told_at >= INTERVAL_SECONDS:
            self._told_at = now
            await self._write(dispatching=True)

    async def take_back(self) -> None:
        """When there is nothing left to do here. Raises DependencyUnavailable."""
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
