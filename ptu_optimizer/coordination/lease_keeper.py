"""Reads and writes send leases, and sets the permissions of the gates.

One per deployment and process. `send_lease` decides.
"""

from __future__ import annotations

from dataclasses import replace

from ptu_optimizer.admission.gate import Gate
from ptu_optimizer.clock import Clock
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_SOON
from ptu_optimizer.ports.stores import CapacityStore
from ptu_optimizer.telemetry import logger

from .send_lease import (
    LEASE_SECONDS,
    RECORD_TTL_SECONDS,
    SAFETY_SECONDS,
    Candidate,
    Seen,
    SendLease,
    Write,
    may_send_until,
    next_lease_step,
)

_log = logger("leadership")

CANDIDATE_INTERVAL_SECONDS = 7.0
"""How often a process that waits for the lease says so."""

CANDIDATE_TTL_SECONDS = 30


class LeaseKeeper:
    def __init__(self, *, gate: Gate, store: CapacityStore, clock: Clock, worker: str) -> None:
        self._gate = gate
        self._store = store
        self._clock = clock
        self._worker = worker
        self._seen: dict[str, Seen] = {}
        self._candidates: dict[str, dict[str, Candidate]] = {}
        self._waiting_since: dict[str, float] = {}
        self._announced_at: dict[str, float] = {}

    def take(self, record: JsonObject) -> None:
        """Take in a record of the deployment, if it is a lease or a candidate."""
        try:
            if record["type"] == "lease":
                self._take_lease(SendLease.from_record(record), record.get("_etag"))
            elif record["type"] == "candidate" and record["worker"] != self._worker:
                self._candidates.setdefault(record["hub"], {})[record["worker"]] = Candidate(
                    worker=record["worker"],
                    since=float(record["since"]),
                    heard_at=self._clock.monotonic(),
                )
        except (KeyError, TypeError, ValueError) as error:
            _log.warning("a lease makes no sense", extra={"reason": repr(error)})

    async def step(self) -> None:
        """Write what is due, and set the gate's permissions. Raises DependencyUnavailable."""
        try:
            for hub in self._gate.hubs:
                await self._step(hub)
        finally:
            self.tell()

    def tell(self) -> None:
        """Set the gate's permission for each hub."""
        monotonic, now = self._clock.monotonic(), self._clock.now()
        yields = self._must_yield(monotonic)
        for hub in self._gate.hubs:
            seen = self._seen.get(hub)
            until = float("-inf")
            if seen is not None:
                until = may_send_until(seen, self._worker, monotonic=monotonic, now=now)
            ours, why = monotonic < until, "another process has the turn to send"
            if ours and yields and hub != REQUESTS_SOON:
                ours, why = False, f"requests of {REQUESTS_SOON} in another process go first"
            self._gate.turn(hub, ours=ours, why=why, until=until)

    async def release(self) -> None:
        """Give the leases up, when nothing is left to do here. Raises DependencyUnavailable."""
        for hub, seen in list(self._seen.items()):
            lease = seen.lease
            if lease is not None and lease.holder == self._worker and not lease.successor:
                await self._write(hub, replace(lease, holder="", serial=lease.serial + 1))

    @property
    def leads(self) -> bool:
        """Whether this process holds a lease, or has been named as a successor."""
        return any(
            seen.lease is not None and self._worker in (seen.lease.holder, seen.lease.successor)
            for seen in self._seen.values()
        )

    @property
    def speaks(self) -> bool:
        """Whether this process should publish what was learned: it holds the lease of hub
        `requests`, or it holds some lease and no process holds that one."""
        bulk = self._seen.get(REQUESTS)
        if bulk is not None and bulk.lease is not None and bulk.lease.holder:
            fresh = self._clock.monotonic() - bulk.changed_at < LEASE_SECONDS
            if fresh or bulk.lease.holder == self._worker:
                return bulk.lease.holder == self._worker
        return any(
            seen.lease is not None and seen.lease.holder == self._worker
            for seen in self._seen.values()
        )

    def soonest(self) -> float | None:
        """Wall time of the next announced handover that concerns this process, so that it is on
        time."""
        now = self._clock.now()
        times = [
            seen.lease.handover_at
            for seen in self._seen.values()
            if seen.lease is not None
            and self._worker in (seen.lease.successor, seen.lease.holder)
            and seen.lease.successor
            and seen.lease.handover_at > now
        ]
        return min(times, default=None)

    # --- parts ------------------------------------------------------------------------------------

    def _take_lease(self, lease: SendLease, etag: str | None) -> None:
        known = self._seen.get(lease.hub)
        if known is not None and known.lease is not None:
            outlived = self._clock.monotonic() - known.changed_at > RECORD_TTL_SECONDS
            if known.lease == lease or (known.lease.serial > lease.serial and not outlived):
                return  # known already, or read before our own write
        self._seen[lease.hub] = Seen(
            lease=lease,
            etag=etag,
            changed_at=self._clock.monotonic(),
            ours_until=known.ours_until
            if known is not None and lease.holder == self._worker
            else float("-inf"),
        )

    async def _step(self, hub: str) -> None:
        waiting = self._gate.waiting(hub)
        monotonic, now = self._clock.monotonic(), self._clock.now()
        seen = self._seen.get(hub) or Seen(lease=None, etag=None, changed_at=monotonic)
        step = next_lease_step(
            seen,
            me=self._worker,
            deployment=self._gate.deployment,
            hub=hub,
            waiting=waiting,
            dry_in=self._gate.dry_in(hub),
            candidates=self._candidates.get(hub, {}).values(),
            monotonic=monotonic,
            now=now,
        )
        if isinstance(step, Write):
            await self._write(hub, step.lease)
        await self._stand(hub, waiting, now)

    async def _write(self, hub: str, lease: SendLease) -> None:
        started = self._clock.monotonic()
        known = self._seen.get(hub)
        if known is not None:
            # another process may begin as soon as the store has this, even if its answer is
            # lost
            new = replace(known, lease=lease)
            until = may_send_until(new, self._worker, monotonic=started, now=self._clock.now())
            self._seen[hub] = known = replace(known, ours_until=min(known.ours_until, until))
            self.tell()
        etag = await self._store.swap(lease.record(), etag=None if known is None else known.etag)
        if etag is not None:
            ours = lease.holder == self._worker
            self._seen[hub] = Seen(
                lease=lease,
                etag=etag,
                changed_at=self._clock.monotonic(),
                ours_until=started + LEASE_SECONDS - SAFETY_SECONDS if ours else float("-inf"),
            )
        elif known is not None and started - known.changed_at > RECORD_TTL_SECONDS:
            del self._seen[hub]  # the record is gone: the first to write makes a new one

    async def _stand(self, hub: str, waiting: int, now: float) -> None:
        """Write a candidate record, if this process waits for the lease."""
        seen = self._seen.get(hub)
        holds = seen is not None and seen.lease is not None and seen.lease.holder == self._worker
        if waiting == 0 or holds:
            self._waiting_since.pop(hub, None)
            self._announced_at.pop(hub, None)
            return
        since = self._waiting_since.setdefault(hub, now)
        if now - self._announced_at.get(hub, float("-inf")) < CANDIDATE_INTERVAL_SECONDS:
            return
        self._announced_at[hub] = now
        await self._store.write(
            {
                "id": f"candidate:{hub}:{self._worker}",
                "deployment": self._gate.deployment,
                "type": "candidate",
                "hub": hub,
                "worker": self._worker,
                "since": since,
                "ttl": CANDIDATE_TTL_SECONDS,
            }
        )

    def _must_yield(self, monotonic: float) -> bool:
        """Whether another process has requests waiting that go before all others."""
        seen = self._seen.get(REQUESTS_SOON)
        return (
            seen is not None
            and seen.lease is not None
            and seen.lease.holder not in ("", self._worker)
            and seen.lease.waiting > 0
            and monotonic - seen.changed_at < LEASE_SECONDS
        )
