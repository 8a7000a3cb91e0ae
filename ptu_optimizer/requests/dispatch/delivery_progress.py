"""How far the requests of one delivered batch have come: when its function may return.

The trigger hands over a partition's next batch when the function has returned. If that were to
wait for the slowest call, nothing of the partition could be sent meanwhile: with one busy
partition a fifth of the deployment stays idle. So a full batch, behind which there is more, returns
when each of its requests is done or under way. The calls go on in this process. If it dies,
their leases end and the sweep finds them, as it finds every request without an event
(docs/ledger.md, rule 11).
"""

from __future__ import annotations

import asyncio

FULL_BATCH_EVENTS = 100
"""`maxEventBatchSize` of host.json: a batch of this size probably has more behind it."""


class DeliveryProgress:
    """Which requests of a batch still wait here, by their ids."""

    def __init__(self) -> None:
        self._waiting: set[str] = set()
        self._moved = asyncio.Event()

    def begins(self, request_id: str) -> None:
        self._waiting.add(request_id)

    def under_way(self, request_id: str) -> None:
        """It is claimed, and its call begins."""
        self._waiting.discard(request_id)
        self._wake()

    def waits_again(self, request_id: str) -> None:
        """Its call brought no outcome: it waits at the gate again."""
        self._waiting.add(request_id)

    done = under_way

    async def moved_on(self) -> None:
        """Wait until none waits here."""
        while self._waiting:
            self._moved.clear()
            await self._moved.wait()

    def _wake(self) -> None:
        if not self._waiting:
            self._moved.set()
