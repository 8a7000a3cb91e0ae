"""Re-scheduling: publish a copy for later without multiplying copies (docs/ledger.md, rule 10)."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass

from ptu_optimizer.clock import Clock
from ptu_optimizer.ports.hubs import REQUESTS_LATER, Publisher, PublishFailed
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.ledger.timing import Timing
from ptu_optimizer.requests.publishing import publish_again
from ptu_optimizer.retry import Backoff
from ptu_optimizer.telemetry import logger

_log = logger("deferral")

GATHER_SECONDS = 0.05
"""All copies that are added within this time leave in one publication."""

MEMORY_MARGIN_SECONDS = 60.0
"""How much longer than its due time and the hold budget a publication is remembered."""


@dataclass(frozen=True, slots=True)
class _Published:
    version: tuple[int, int]
    forget_at: float


class PublishedMemory:
    """The highest (deferrals, slot) that this process published per request.

    A copy that is strictly lower is stale: a newer one of ours is on the hub. An equal one is the
    newer one. Deferrals come first, since every publication adds one, while a copy may carry a
    lower slot than the one it replaces: the only copy of a request must never look stale to its
    own publisher. Forgotten in time, so that a lost event can be published again.
    """

    def __init__(self, *, clock: Clock, timing: Timing) -> None:
        self._clock = clock
        self._keep = timing.hold + MEMORY_MARGIN_SECONDS
        self._published: dict[str, _Published] = {}
        self._by_age: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._published)

    def is_stale(self, event: RequestEvent) -> bool:
        known = self._published.get(event.request_id)
        if known is None:
            return False
        if known.forget_at <= self._clock.now():
            del self._published[event.request_id]
            return False
        return (event.deferrals, event.slot) < known.version

    def remember(self, event: RequestEvent) -> None:
        now = self._clock.now()
        version = (event.deferrals, event.slot)
        self._forget_old(now)
        known = self._published.get(event.request_id)
        if known is not None:
            version = max(version, known.version)
        forget_at = max(now, event.not_before or now) + self._keep
        self._published[event.request_id] = _Published(version, forget_at)
        heapq.heappush(self._by_age, (forget_at, event.request_id))

    def _forget_old(self, now: float) -> None:
        while self._by_age and self._by_age[0][0] <= now:
            _, request_id = heapq.heappop(self._by_age)
            known = self._published.get(request_id)
            if known is not None and known.forget_at <= now:
                del self._published[request_id]


class Rescheduler:
    """Publishes the copies of one invocation, several at a time."""

    def __init__(
        self, *, publisher: Publisher, memory: PublishedMemory, clock: Clock, timing: Timing
    ) -> None:
        self._publisher = publisher
        self._memory = memory
        self._clock = clock
        self._timing = timing
        self._waiting: list[tuple[str, RequestEvent]] = []
        self._sender: asyncio.Task[None] | None = None

    def add(self, event: RequestEvent, *, hub: str = REQUESTS_LATER) -> None:
        """Publish this copy soon; it is acknowledged when `flushed` has returned."""
        self._waiting.append((hub, event))
        if self._sender is None or self._sender.done():
            # a failed sender is looked at in flushed(), by the copies it left waiting
            self._sender = asyncio.create_task(self._send_soon())

    async def flushed(self) -> None:
        """Wait until all copies are acknowledged. Raises PublishFailed after the budget."""
        until = self._clock.monotonic() + self._timing.write_budget
        backoff = Backoff(self._clock, until=until)
        if self._sender is not None:
            await asyncio.wait([self._sender])
        while self._waiting:
            try:
                await self._send()
            except PublishFailed:
                if not await backoff.again():
                    raise

    async def _send_soon(self) -> None:
        await self._clock.sleep(GATHER_SECONDS)
        while self._waiting:
            try:
                await self._send()
            except PublishFailed as error:
                _log.warning("re-scheduling failed, will try again", extra={"reason": str(error)})
                return

    async def _send(self) -> None:
        hub = self._waiting[0][0]
        batch = [(to, event) for to, event in self._waiting if to == hub]
        self._waiting = [(to, event) for to, event in self._waiting if to != hub]
        try:
            await publish_again(self._publisher, hub, [event for _, event in batch])
        except BaseException:
            # some may have been sent: a second copy is harmless, a lost one is not
            self._waiting += batch
            raise
        for _, event in batch:
            self._memory.remember(event)
