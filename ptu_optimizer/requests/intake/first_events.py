"""The first event of each request of a group, published chunk by chunk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass

from ptu_optimizer.clock import Clock
from ptu_optimizer.ports.hubs import Outgoing, Publisher, PublishFailed
from ptu_optimizer.requests.bodies import StoredItem
from ptu_optimizer.requests.envelope import encode_inline, first_event
from ptu_optimizer.requests.ids import GroupId
from ptu_optimizer.requests.item import Item
from ptu_optimizer.requests.urgency import Urgency
from ptu_optimizer.telemetry import logger

_log = logger("intake")

CHUNK_BYTES = 8_000_000
CHUNK_ITEMS = 10_000
"""A call of POST /producer is one chunk as a rule, so each hub gets one publication. What is
encoded at a time stays far below the memory of a Functions worker, however large a group is."""


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a chunk."""

    cursor: int
    """The index of the first item after it. To continue there repeats no event of this chunk."""
    items: int
    sent: int
    """How many of its events are on their hub. The sweep sends the others."""


class FirstEvents:
    def __init__(self, *, publisher: Publisher, urgency: Urgency, clock: Clock) -> None:
        self._publisher = publisher
        self._urgency = urgency
        self._clock = clock

    async def ready(self, items: Iterable[Item]) -> None:
        """Make sure that a send of each item could succeed now. Raises DependencyUnavailable."""
        now = self._clock.now()
        for hub in dict.fromkeys(self._urgency.first_hub(item, now=now) for item in items):
            await self._publisher.ready(hub)

    async def publish(
        self, group: GroupId, items: Iterable[StoredItem]
    ) -> AsyncIterator[Published]:
        """Publish chunk after chunk, and say after each how far it came. Raises nothing: a chunk
        that failed, in whole or in part, is not tried again here.
        """
        for chunk in _chunks(items):
            sent = await self._publish(group, chunk)
            yield Published(cursor=chunk[-1].index + 1, items=len(chunk), sent=sent)

    async def _publish(self, group: GroupId, chunk: list[StoredItem]) -> int:
        now = self._clock.now()
        outgoing: dict[str, list[Outgoing]] = {}
        for stored in chunk:
            hub = self._urgency.first_hub(stored.item, now=now)
            outgoing.setdefault(hub, []).append(Outgoing(_encode(group, stored)))
        sent = 0
        for hub, events in outgoing.items():
            try:
                await self._publisher.publish(hub, events)
                sent += len(events)
            except PublishFailed as error:
                sent += error.sent
                _log.warning("events wait for the sweep", extra={"reason": str(error)})
        return sent


def _encode(group: GroupId, stored: StoredItem) -> bytes:
    request_id = group.request_id(stored.index)
    if stored.is_inline:
        return encode_inline(request_id, stored.line, tenant=group.tenant)
    event = first_event(
        request_id, stored.item, tenant=group.tenant, inline=False, blob=stored.place
    )
    return event.encode()


def _chunks(items: Iterable[StoredItem]) -> Iterator[list[StoredItem]]:
    chunk: list[StoredItem] = []
    size = 0
    for stored in items:
        if chunk and (size + len(stored.line) > CHUNK_BYTES or len(chunk) >= CHUNK_ITEMS):
            yield chunk
            chunk, size = [], 0
        chunk.append(stored)
        size += len(stored.line)
    if chunk:
        yield chunk
