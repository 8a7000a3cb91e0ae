"""What the use cases need from the outside, as small Protocols; `bootstrap` hands adapters in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.requests.item import JsonObject


class Created(Enum):
    """The fate of a create. UNKNOWN: it may have landed, may land later, or is lost."""

    CREATED = "created"
    REFUSED = "refused"
    UNKNOWN = "unknown"


SLICE_FIELDS = (
    "id",
    "request_id",
    "n",
    "kind",
    "type",
    "claim_token",
    "at",
    "failures",
    "lease_until",
    "not_before",
    "enqueued_at",
    "deferrals",
    "why",
)
"""What `LedgerStore.slice` tells of a record: no bodies and no responses."""

BUCKET_FIELDS = (
    "id",
    "type",
    "group_id",
    "created_at",
    "earliest_deadline",
    "latest_deadline",
    "earliest_spillover",
    "in_blob",
    "hub",
    "partition",
    "sequence_number",
    "enqueued_at",
)
"""What `GroupStore.bucket` tells of a record: no items."""


class LedgerStore(Protocol):
    """The container `requests`."""

    async def create(self, record: JsonObject) -> Created:
        """Create one slot. Never upserts. Raises nothing but for a store that refuses us."""
        ...

    async def read(self, request_id: str) -> list[JsonObject]:
        """Every record of one request: slots and annotations. Raises DependencyUnavailable."""
        ...

    def slice(self, slice_id: str) -> AsyncIterator[JsonObject]:
        """Every record of a slice, its SLICE_FIELDS only. Raises DependencyUnavailable."""
        ...


class GroupStore(Protocol):
    """The container `groups`: groups, their closings, idempotency keys, hub positions."""

    async def create(self, record: JsonObject) -> Created: ...

    async def read(self, bucket: str, record_id: str) -> JsonObject | None:
        """Raises DependencyUnavailable."""
        ...

    async def bucket(self, bucket: str) -> list[JsonObject]:
        """Every record of a bucket, its BUCKET_FIELDS only. Raises DependencyUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class PartitionState:
    """What a hub says of one of its partitions."""

    partition: str
    last_sequence_number: int
    is_empty: bool


class HubReader(Protocol):
    async def partitions(self, hub: str) -> list[PartitionState]:
        """Raises DependencyUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An encoded event, and what decides its partition: a key, its number, or neither (any)."""

    payload: bytes
    key: str | None = None
    partition: str | None = None


class Publisher(Protocol):
    """Event Hubs, as few batches as possible."""

    async def ready(self, hub: str) -> None:
        """Make sure that a send could succeed now. Raises DependencyUnavailable."""
        ...

    async def publish(self, hub: str, events: Sequence[Outgoing]) -> None:
        """Send and wait for the hub's word. Raises PublishFailed."""
        ...


class PublishFailed(Exception):
    """Some events were not acknowledged; `sent` of them were."""

    def __init__(self, hub: str, *, sent: int, reason: str) -> None:
        super().__init__(f"publishing to hub {hub} failed after {sent} events: {reason}")
        self.hub = hub
        self.sent = sent
        self.reason = reason


class BlobStore(Protocol):
    """Large inputs and outcomes. Every method raises DependencyUnavailable."""

    async def write(self, name: str, content: bytes) -> None: ...

    async def read(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes | None:
        """None if there is no such blob."""
        ...


class CapacityStore(Protocol):
    """The container `capacity`, for what must not wait until a function ends."""

    async def write(self, record: JsonObject) -> None:
        """Upsert. Raises DependencyUnavailable."""
        ...

    async def changed(
        self, deployment: str, *, since: float, kinds: Sequence[str] | None = None
    ) -> list[JsonObject]:
        """Every record of a deployment written at or after `since`, which is compared with the
        records' `_ts` (the store's clock, whole seconds); 0.0 for all. Of these `type`s only, if
        `kinds` is given. Raises DependencyUnavailable.
        """
        ...

    async def swap(self, record: JsonObject, *, etag: str | None) -> str | None:
        """Create (`etag` None) or replace a record that nobody has changed since it had this
        `_etag`. Returns its new one; None if somebody has. Raises DependencyUnavailable.
        """
        ...


class Monitor(Protocol):
    """The one-minute metrics of the deployments."""

    async def minutes(self) -> list[Minute]:
        """The minutes of the last ten that are over and have a figure. Raises
        DependencyUnavailable.
        """
        ...


# --- one call to a deployment --------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens as the service reports them."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What every response may tell besides its content."""

    status: int | None = None
    utilization: float | None = None
    """The level from `azure-openai-deployment-utilization`, 1.0 is 100 %; None without it."""
    service_request_id: str | None = None
    served_by: str | None = None
    """The deployment that answered, if the service says so."""
    spilled_from: str | None = None
    """The provisioned deployment that was full, so that Azure itself had the call answered by
    pay-as-you-go: a 429 in disguise."""
    tokens_left: int | None = None
    """What is left of a pay-as-you-go deployment's tokens per minute; None if it is not told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Success(Answer):
    response: JsonObject
    usage: Usage | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Throttled(Answer):
    """429: a flow signal, not a failure."""

    retry_after_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Transient(Answer):
    """408, 409, 5xx, no connection, no answer in time: worth another attempt later."""

    why: str
    error: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected(Answer):
    """Any other 4xx: this request fails for good with the service's error."""

    error: Mapping[str, Any]


CallResult = Success | Throttled | Transient | Rejected


class ModelCaller(Protocol):
    async def complete(
        self, *, deployment: str, body: JsonObject, call_id: str, timeout_seconds: float
    ) -> CallResult:
        """One call, no retries, bounded in total time. Never raises for what a service can do."""
        ...
