"""A request's content before it has an id: one accepted unit of work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ptu_optimizer.ports.documents import JsonObject


class Priority(StrEnum):
    HIGH = "high"
    NORMAL = "normal"


class Spillover(StrEnum):
    """Whether a request may go to pay-as-you-go."""

    NEVER = "never"
    BEFORE_DEADLINE = "before_deadline"
    """When it would otherwise miss its deadline."""


@dataclass(frozen=True, slots=True)
class Item:
    """One accepted unit of work, before it has an id. `deadline` is in epoch seconds."""

    body: JsonObject
    deployment: str
    deadline: float
    priority: Priority = Priority.NORMAL
    custom_id: str | None = None
    metadata: Mapping[str, str] | None = None
    spillover: Spillover = Spillover.NEVER

    def record(self) -> JsonObject:
        """As stored in a group record or its blob."""
        record: JsonObject = {
            "body": self.body,
            "deployment": self.deployment,
            "deadline": self.deadline,
            "priority": self.priority.value,
        }
        if self.custom_id is not None:
            record["custom_id"] = self.custom_id
        if self.metadata is not None:
            record["metadata"] = dict(self.metadata)
        if self.spillover is not Spillover.NEVER:
            record["spillover"] = self.spillover.value
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Item:
        return cls(
            body=record["body"],
            deployment=record["deployment"],
            deadline=record["deadline"],
            priority=Priority(record["priority"]),
            custom_id=record.get("custom_id"),
            metadata=record.get("metadata"),
            spillover=Spillover(record.get("spillover", Spillover.NEVER)),
        )
