"""The documents of the container `groups`, and which of their fields a query asks for.

Field names are part of what older releases read (docs/upgrades.md): a field may be added, and its
default is what a record without it means.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import Delivery

from .ids import GroupId
from .item import Item, Spillover

POSITIONS_BUCKET = "positions"
"""The bucket of all positions; every other bucket is an hour."""

GROUP, CLOSED, IDEMPOTENCY, POSITION = "group", "closed", "idempotency", "position"
"""What a document's `type` says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupRecord:
    """The promise behind a 202: requests that were accepted together. Times are epoch seconds."""

    id: str
    """The group's id."""
    tenant: str = ""
    created_at: float
    """When the record was made; a moment after the group's id."""
    count: int
    earliest_deadline: float
    latest_deadline: float
    earliest_spillover: float | None = None
    """The earliest deadline of those that may spill over; None if none may."""
    in_blob: bool = False
    """Whether the inputs are in a blob, and not in `items`."""
    items: Sequence[JsonObject] | None = field(default=None, metadata={"queried": False})

    @classmethod
    def of(
        cls, group: GroupId, items: Sequence[Item], *, in_blob: bool, created_at: float
    ) -> GroupRecord:
        """The record of a group that is about to be promised."""
        deadlines = [item.deadline for item in items]
        return cls(
            id=group.text,
            tenant=group.tenant,
            created_at=created_at,
            count=len(items),
            earliest_deadline=min(deadlines),
            latest_deadline=max(deadlines),
            earliest_spillover=min(
                (i.deadline for i in items if i.spillover is not Spillover.NEVER), default=None
            ),
            in_blob=in_blob,
            items=None if in_blob else [item.record() for item in items],
        )

    def record(self, group: GroupId) -> JsonObject:
        record: JsonObject = {
            "id": self.id,
            "bucket": group.bucket,
            "type": GROUP,
            "tenant": self.tenant,
            "created_at": self.created_at,
            "count": self.count,
            "earliest_deadline": self.earliest_deadline,
            "latest_deadline": self.latest_deadline,
            "earliest_spillover": self.earliest_spillover,
            "in_blob": self.in_blob,
            "ttl": max(1, int(group.ends_at - self.created_at)),
        }
        if self.items is not None:
            record["items"] = list(self.items)
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> GroupRecord:
        """`items` is None if the record came from a query."""
        return cls(
            id=record["id"],
            tenant=record.get("tenant", ""),
            created_at=record["created_at"],
            count=record["count"],
            earliest_deadline=record["earliest_deadline"],
            latest_deadline=record["latest_deadline"],
            earliest_spillover=record.get("earliest_spillover"),
            in_blob=record.get("in_blob", False),
            items=record.get("items"),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Closing:
    """Every request of a group has its outcome: the sweep need not look at it again (12)."""

    group_id: str
    at: float

    def record(self, group: GroupId) -> JsonObject:
        return {
            "id": f"{self.group_id}:closed",
            "bucket": group.bucket,
            "type": CLOSED,
            "group_id": self.group_id,
            "at": self.at,
            "ttl": max(1, int(group.ends_at - self.at)),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class IdempotencyKey:
    """The first call with an Idempotency-Key: what it sent, and the group that it got."""

    id: str
    body_sha256: str
    group_id: str
    at: float
    """When that call was read."""

    @classmethod
    def of(cls, key: str, *, raw: bytes, group: GroupId, at: float) -> IdempotencyKey:
        """Two tenants may use the same key."""
        whose = hashlib.sha256(f"{group.tenant}\0{key}".encode()).hexdigest()
        return cls(
            id=f"idem:{whose}",
            body_sha256=hashlib.sha256(raw).hexdigest(),
            group_id=group.text,
            at=at,
        )

    @property
    def bucket(self) -> str:
        """Of its own: a key is read without knowing when it was first used."""
        return self.id

    def record(self, group: GroupId) -> JsonObject:
        return {
            "id": self.id,
            "bucket": self.bucket,
            "type": IDEMPOTENCY,
            "body_sha256": self.body_sha256,
            "group_id": self.group_id,
            "at": self.at,
            "ttl": int(group.ends_at - self.at),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> IdempotencyKey:
        return cls(
            id=record["id"],
            body_sha256=record["body_sha256"],
            group_id=record["group_id"],
            at=record["at"],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """How far a partition has been read (11)."""

    hub: str
    partition: str
    sequence_number: int
    enqueued_at: float
    """Of the event with that number, by the hub's clock."""

    @classmethod
    def of(cls, delivery: Delivery) -> Position:
        """The position after this batch."""
        last = delivery.events[-1]
        return cls(
            hub=delivery.hub,
            partition=delivery.partition,
            sequence_number=last.sequence_number,
            enqueued_at=last.enqueued_at,
        )

    def record(self, *, now: float) -> JsonObject:
        return {
            "id": f"position:{self.hub}:{self.partition}",
            "bucket": POSITIONS_BUCKET,
            "type": POSITION,
            "hub": self.hub,
            "partition": self.partition,
            "sequence_number": self.sequence_number,
            "enqueued_at": self.enqueued_at,
            "at": now,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Position:
        return cls(
            hub=record["hub"],
            partition=record["partition"],
            sequence_number=record["sequence_number"],
            enqueued_at=record["enqueued_at"],
        )


def _queried(*kinds: Any) -> tuple[str, ...]:
    names = (
        one.name for kind in kinds for one in fields(kind) if one.metadata.get("queried", True)
    )
    return tuple(dict.fromkeys(["id", "type", *names]))


GROUP_FIELDS = _queried(GroupRecord, Closing)
"""What the sweep asks of an hour's documents: everything but the inputs."""

POSITION_FIELDS = _queried(Position)
