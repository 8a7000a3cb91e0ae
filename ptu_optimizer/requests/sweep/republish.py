"""What the sweep publishes again, and what it has to read for that: once per slice and round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import Publisher, PublishFailed
from ptu_optimizer.ports.stores import BlobStore, Created, GroupStore, LedgerStore
from ptu_optimizer.requests.envelope import RequestEvent, first_event
from ptu_optimizer.requests.groups import GroupRecord
from ptu_optimizer.requests.ids import GroupId
from ptu_optimizer.requests.ledger.annotations import DEFERRAL, Deferral
from ptu_optimizer.requests.ledger.slots import SLOT_FIELDS, Slot, SlotKind, head, is_slot
from ptu_optimizer.requests.publishing import publish_again
from ptu_optimizer.requests.stored_inputs import StoredInputs
from ptu_optimizer.telemetry import logger

_log = logger("sweep")

LOST = "sweep"
"""Marks of rounds in which what had lost its event was published again."""
LEAVING = "leaving"
"""Marks of rounds in which what may spill over was taken out of a backlog."""

SLICE_FIELDS = tuple(dict.fromkeys((*SLOT_FIELDS, "type", *(one.name for one in fields(Deferral)))))
"""Asked of a slice's records: no answers, no bodies. A mark's are among them."""


@dataclass(slots=True)
class Slice:
    """What the records of one slice say, request by request."""

    slice_id: str
    slots: dict[str, list[Slot]] = field(default_factory=dict)
    deferrals: dict[str, Deferral] = field(default_factory=dict)
    """The annotation of each request's last copy."""
    marks: Mapping[str, list[float]] = field(default_factory=lambda: {LOST: [], LEAVING: []})
    """When rounds of each kind were."""

    def top(self, request_id: str) -> Slot | None:
        return head(self.slots.get(request_id, ()))

    def deferred_at(self, request_id: str) -> float:
        """0 if it never was."""
        deferral = self.deferrals.get(request_id)
        return 0.0 if deferral is None else deferral.at

    def handled_at(self, request_id: str) -> float:
        """When it surely was in somebody's hands; 0 if that is not known."""
        top = self.top(request_id)
        return max(self.deferred_at(request_id), top.at if top is not None else 0.0)

    def last_known_publication(self, request_id: str, group_published: float) -> float:
        """The latest time at which an event of the request was surely, or maybe, published."""
        top = self.top(request_id)
        if top is not None and top.kind is SlotKind.ATTEMPT and top.enqueued_at > 0.0:
            # the event that it came from, and what was published since, if anything was
            since = [mark for mark in self.marks[LOST] if mark >= top.at]
            return max(top.enqueued_at, self.deferred_at(request_id), *since)
        return max(group_published, self.handled_at(request_id), *self.marks[LOST])


@dataclass(kw_only=True, slots=True)
class GroupWork:
    """A group under the sweep; its inputs are read when something needs them."""

    group: GroupId
    record: GroupRecord
    inputs: StoredInputs
    look_at: float = float("inf")
    """When one of its requests has to be looked at for a reason of its own."""


class Republisher:
    def __init__(
        self,
        *,
        groups: GroupStore,
        store: LedgerStore,
        blobs: BlobStore,
        publisher: Publisher,
        clock: Clock,
    ) -> None:
        self._groups = groups
        self._store = store
        self._blobs = blobs
        self._publisher = publisher
        self._clock = clock

    def work(self, group: GroupId, record: GroupRecord) -> GroupWork:
        inputs = StoredInputs(group, record, groups=self._groups, blobs=self._blobs)
        return GroupWork(group=group, record=record, inputs=inputs)

    async def read(self, slice_id: str) -> Slice:
        """Raises DependencyUnavailable."""
        known = Slice(slice_id)
        async for record in self._store.slice(slice_id, fields=SLICE_FIELDS):
            if is_slot(record):
                slot = Slot.from_record(record)
                known.slots.setdefault(slot.request_id, []).append(slot)
            elif record.get("type") == DEFERRAL:
                known.deferrals[record["request_id"]] = Deferral.from_record(record)
            elif record.get("type") in known.marks:
                known.marks[record["type"]].append(record["at"])
        return known

    async def event(self, work: GroupWork, index: int, known: Slice) -> RequestEvent:
        """The event that a request should have. Raises InputMissing, DependencyUnavailable."""
        stored = await work.inputs.item(index)
        request_id = work.group.request_id(index)
        top = known.top(request_id)
        slot = 1
        if top is not None:
            slot = top.n + 1 if top.kind is SlotKind.RELEASED else top.n
        event = first_event(
            request_id,
            stored.item,
            tenant=work.group.tenant,
            inline=stored.is_inline,
            blob=stored.place,
        )
        last = known.deferrals.get(request_id)
        deferrals = 0 if last is None else last.deferrals + 1
        return event.model_copy(update={"slot": slot, "deferrals": deferrals})

    async def publish(
        self, work: GroupWork, events: Sequence[RequestEvent], known: Slice, *, kind: str, hub: str
    ) -> int:
        """Publish them if this round is ours; how many were. Raises DependencyUnavailable."""
        now = self._clock.now()
        mark: JsonObject = {
            "id": f"{known.slice_id}:{kind}:{len(known.marks[kind])}",
            "slice": known.slice_id,
            "type": kind,
            "at": now,
            "requests": len(events),
            "ttl": max(1, int(work.group.ends_at - now)),
        }
        if await self._store.create(mark) is not Created.CREATED:
            return 0  # another sweep does this round, or nobody knows: the next round will
        sent = len(events)
        try:
            await publish_again(self._publisher, hub, list(events))
        except PublishFailed as error:
            sent = error.sent
            raise DependencyUnavailable("Event Hubs", error.reason) from None
        finally:
            group, count = work.group.text, len(events)
            if kind == LOST:
                _log.warning(
                    "published again what had lost its event",
                    extra={"group": group, "requests": count, "sent": sent},
                )
            else:
                _log.info(
                    "took what may spill over out of a backlog",
                    extra={"group": group, "requests": count, "sent": sent},
                )
        return sent
