"""What travels on the hubs: a request's envelope, or an outcome that the store could not take.

JSON, version 1. A small body travels in the event; a large one is referred to by its place in the
group record or in the group's blob.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from ptu_optimizer.ports.documents import JsonObject

from .item import Item, Priority, Spillover

MAX_REASON_CHARS = 500
"""A reason goes into a dead letter beside the event itself, which may be 1 MB; an item takes 2."""


class UndecodableEvent(ValueError):
    """The event is not one of ours; the message says why, without its content."""


class BlobRange(BaseModel):
    """Where one item's record lies in its group's blob, in bytes."""

    model_config = ConfigDict(frozen=True)
    offset: Annotated[int, Field(ge=0)]
    length: Annotated[int, Field(gt=0)]


class RequestEvent(BaseModel):
    """A request on its way. `slot` is the ledger slot it may create next (docs/ledger.md,
    rule 1)."""

    model_config = ConfigDict(frozen=True)
    v: Literal[1] = 1
    kind: Literal["request"] = "request"
    request_id: str
    tenant: str = ""
    """Whose request it is; its id is genuine for this tenant only."""
    slot: Annotated[int, Field(ge=1)] = 1
    deferrals: Annotated[int, Field(ge=0)] = 0
    not_before: float | None = None
    why: str | None = None
    """Why it was re-scheduled: shown, never decided upon."""
    deadline: float
    deployment: str
    priority: Priority = Priority.NORMAL
    custom_id: str | None = None
    metadata: dict[str, str] | None = None
    spillover: Spillover = Spillover.NEVER
    body: JsonObject | None = None
    blob: BlobRange | None = None
    """Absent with `body` absent: the item is in the group record itself."""

    def encode(self) -> bytes:
        said = {
            name: value
            for name, value in self.__dict__.items()
            if value is not None and value is not Spillover.NEVER
        }
        if not self.tenant:
            del said["tenant"]
        return orjson.dumps(said, _to_json)

    def rescheduled(
        self, *, slot: int, not_before: float | None, why: str | None = None
    ) -> RequestEvent:
        """The copy that is published when this one has to wait."""
        return self.model_copy(
            update={
                "slot": slot,
                "not_before": not_before,
                "why": None if why is None else why[:MAX_REASON_CHARS],
                "deferrals": self.deferrals + 1,
            }
        )


class NudgeEvent(BaseModel):
    """An event without content: handling it moves a partition's position on (docs/ledger.md,
    rule 11)."""

    model_config = ConfigDict(frozen=True)
    v: Literal[1] = 1
    kind: Literal["nudge"] = "nudge"

    def encode(self) -> bytes:
        return orjson.dumps(self.__dict__)


def first_event(
    request_id: str, item: Item, *, tenant: str = "", inline: bool, blob: BlobRange | None = None
) -> RequestEvent:
    """The event that intake (or the sweep) publishes for an item. Trusted input: not validated."""
    return RequestEvent.model_construct(
        request_id=request_id,
        tenant=tenant,
        deadline=item.deadline,
        deployment=item.deployment,
        priority=item.priority,
        custom_id=item.custom_id,
        metadata=None if item.metadata is None else dict(item.metadata),
        spillover=item.spillover,
        body=item.body if inline else None,
        blob=None if inline else blob,
    )


def _to_json(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError(type(value).__name__)


def encode_inline(request_id: str, line: bytes, *, tenant: str = "") -> bytes:
    """The encoded first event of a small item, spliced from the line that the item is stored as.

    The same as `first_event(…, inline=True).encode()`, but no body is serialized a second time:
    that is what intake would spend its time on.
    """
    whose = b'"tenant":' + orjson.dumps(tenant) + b"," if tenant else b""
    start = b'{"v":1,"kind":"request","request_id":"' + request_id.encode() + b'",'
    return start + whose + line[1:]
