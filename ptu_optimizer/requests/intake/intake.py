"""Intake: validate all, promise once, publish, answer with ids.

The group record is the promise behind the 202; what is not published after it, the sweep publishes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import AppError, DependencyUnavailable, unavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_SOON, Outgoing, Publisher, PublishFailed
from ptu_optimizer.ports.stores import BlobStore, Created, GroupStore
from ptu_optimizer.requests.bodies import PackedInputs, inputs_blob, pack
from ptu_optimizer.requests.envelope import encode_inline, first_event
from ptu_optimizer.requests.id_keys import Ids
from ptu_optimizer.requests.ids import ForgedId, GroupId
from ptu_optimizer.requests.item import Item, Priority, Spillover
from ptu_optimizer.requests.ledger.timing import Timing
from ptu_optimizer.telemetry import logger

from .validation import ItemRules, Problem, parse_item

_log = logger("intake")

MAX_IDEMPOTENCY_KEY_CHARS = 255
MAX_REPORTED_PROBLEMS = 100
FIRST_RETRY_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class IntakeLimits:
    max_items: int
    max_body_bytes: int
    soon_seconds: float
    """A deadline nearer than this overtakes the backlog on `requests-soon`."""
    hub_retention_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """What was promised; `sent` of the events are on their hub already."""

    request_ids: list[str]
    sent: int

    @property
    def detail(self) -> str:
        if self.sent == len(self.request_ids):
            return f"{self.sent} event(s) sent successfully"
        return (
            f"{self.sent} of {len(self.request_ids)} event(s) sent; all are stored and the sweep "
            "sends the rest"
        )


@dataclass(frozen=True, slots=True)
class _Promise:
    group: GroupId
    known: bool
    """Whether an earlier call with this idempotency key has stored the group already."""
    latest_deadline: float | None = None
    """A group that an earlier call has named ends when its id says: no deadline after this."""
    made_at: float = 0.0
    """When that call was read."""


class Intake:
    def __init__(
        self,
        *,
        ids: Ids,
        groups: GroupStore,
        blobs: BlobStore,
        publisher: Publisher,
        rules: ItemRules,
        limits: IntakeLimits,
        clock: Clock,
        timing: Timing,
    ) -> None:
        self._ids = ids
        self._groups = groups
        self._blobs = blobs
        self._publisher = publisher
        self._rules = rules
        self._limits = limits
        self._clock = clock
        self._timing = timing

    @property
    def max_body_bytes(self) -> int:
        return self._limits.max_body_bytes

    async def accept(
        self, raw: bytes, *, tenant: str = "", idempotency_key: str | None = None
    ) -> Accepted:
        """Take a call's requests in, all or none. Raises AppError."""
        now = self._clock.now()
        items = self._parse(raw, now=now)
        if idempotency_key is not None and not (
            1 <= len(idempotency_key) <= MAX_IDEMPOTENCY_KEY_CHARS
        ):
            raise AppError(
                f"Idempotency-Key must have 1 to {MAX_IDEMPOTENCY_KEY_CHARS} characters.",
                status=400,
                param="Idempotency-Key",
                code="invalid_idempotency_key",
            )
        packed = pack(items)
        hubs = [self._hub(item) for item in items]
        try:
            # before anything is promised: a hub that is away is a 503, not a queue of promises
            for hub in set(hubs):
                await self._publisher.ready(hub)
            promise = await self._promise(raw, items, tenant, idempotency_key, now)
            if promise.known:
                return self._answer(promise.group, sent=promise.group.count)
            if promise.latest_deadline is not None:
                # as the first call read it, to the byte: its events may already point into the blob
                # that is written here once more
                items = [
                    replace(item, deadline=min(item.deadline, promise.latest_deadline))
                    for item in self._parse(raw, now=promise.made_at)
                ]
                packed = pack(items)
            if packed.in_blob:
                await self._blobs.write(inputs_blob(promise.group.text), packed.blob)
            stored = await self._store(promise.group, items, packed, tenant)
        except DependencyUnavailable as error:
            _log.warning("intake refused", extra={"reason": str(error)})
            raise unavailable(
                f"{error.service} cannot be reached; nothing was accepted. Try again.",
                code="dependency_unavailable",
            ) from None
        if stored is Created.REFUSED:
            # another call with the same key was faster: its events are on their way
            return self._answer(promise.group, sent=promise.group.count)
        return self._answer(
            promise.group, sent=await self._publish(promise.group, items, packed, hubs)
        )

    # --- validation ------------------------------------------------------------------------------

    def _parse(self, raw: bytes, *, now: float) -> list[Item]:
        if len(raw) > self._limits.max_body_bytes:
            raise too_large(self._limits.max_body_bytes)
        try:
            decoded = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise AppError(
                f"The body is not JSON: {error}.", status=400, code="invalid_json"
            ) from None
        entries = decoded if isinstance(decoded, list) else [decoded]
        if not entries:
            raise AppError("The array has no items.", status=400, code="no_items")
        if len(entries) > self._limits.max_items:
            raise AppError(
                f"A call takes at most {self._limits.max_items} items (MAX_ITEMS); "
                f"this one has {len(entries)}.",
                status=413,
                code="too_many_items",
            )
        items: list[Item] = []
        problems: list[Problem] = []
        for index, entry in enumerate(entries):
            parsed = parse_item(entry, index, now=now, rules=self._rules)
            if isinstance(parsed, Item):
                items.append(parsed)
            else:
                problems += parsed
        if problems:
            raise _refused(problems, len(entries) - len(items))
        return items

    def _hub(self, item: Item) -> str:
        near = item.deadline - self._clock.now() <= self._limits.soon_seconds
        return REQUESTS_SOON if near or item.priority is Priority.HIGH else REQUESTS

    # --- the promise -----------------------------------------------------------------------------

    @property
    def _margin(self) -> float:
        """From the latest deadline to the group's end: no event, no lease lives longer (15)."""
        return self._limits.hub_retention_seconds + self._timing.lease + self._timing.skew

    async def _promise(
        self, raw: bytes, items: Sequence[Item], tenant: str, key: str | None, now: float
    ) -> _Promise:
        mint = await self._ids.mint()
        group = mint.mint(
            created_at=now,
            ends_at=max(item.deadline for item in items) + self._margin,
            count=len(items),
        )
        if key is None:
            return _Promise(group, known=False)
        record_id = "idem:" + hashlib.sha256(f"{tenant}\0{key}".encode()).hexdigest()
        record: JsonObject = {
            "id": record_id,
            "bucket": record_id,
            "type": "idempotency",
            "body_sha256": hashlib.sha256(raw).hexdigest(),
            "group_id": group.text,
            "at": now,
            "ttl": int(group.ends_at - now),
        }
        created = await self._create(record)
        if created is Created.CREATED:
            return _Promise(group, known=False)
        first = await self._groups.read(record_id, record_id)
        if first is None:
            raise unavailable(
                "Whether a call with this Idempotency-Key was made is not known yet. Try again.",
                code="idempotency_unknown",
            )
        if first["body_sha256"] != record["body_sha256"]:
            raise AppError(
                "This Idempotency-Key was used with another body.",
                status=409,
                param="Idempotency-Key",
                code="idempotency_key_reused",
            )
        try:
            group = await self._ids.group(first["group_id"])
        except ForgedId:
            raise AppError(
                "A call with this Idempotency-Key was made, and the key that signed its request "
                "ids is gone, so its requests cannot be found. Use another Idempotency-Key.",
                status=409,
                param="Idempotency-Key",
                code="idempotency_key_of_unknown_ids",
            ) from None
        stored = await self._groups.read(group.bucket, group.text)
        return _Promise(group, stored is not None, group.ends_at - self._margin, first["at"])

    async def _store(
        self, group: GroupId, items: Sequence[Item], packed: PackedInputs, tenant: str
    ) -> Created:
        """Write the group record: the promise. An unknown fate is retried under the same id."""
        now = self._clock.now()
        deadlines = [item.deadline for item in items]
        record: JsonObject = {
            "id": group.text,
            "bucket": group.bucket,
            "type": "group",
            "tenant": tenant,
            "created_at": now,
            "count": len(items),
            "earliest_deadline": min(deadlines),
            "latest_deadline": max(deadlines),
            "earliest_spillover": min(
                (i.deadline for i in items if i.spillover is not Spillover.NEVER), default=None
            ),
            "in_blob": packed.in_blob,
            "ttl": max(1, int(group.ends_at - now)),
        }
        if not packed.in_blob:
            record["items"] = [item.record() for item in items]
        created = await self._create(record)
        if created is Created.REFUSED:
            # by a call with the same key, or by ourselves: the SDK sends a write again whose
            # answer was lost, and an unknown fate is retried
            created = await self._whose(record)
        if created is Created.UNKNOWN:
            raise unavailable(
                f"Whether group {group.text} was stored is not known. Repeat the call with an "
                "Idempotency-Key, or read its requests: they are handled if it was.",
                code="acceptance_unknown",
            )
        return created

    async def _create(self, record: JsonObject) -> Created:
        until = self._clock.monotonic() + self._timing.write_budget
        pause = FIRST_RETRY_SECONDS
        while True:
            created = await self._groups.create(record)
            if created is not Created.UNKNOWN:
                return created
            if self._clock.monotonic() + pause >= until:
                return created
            await self._clock.sleep(pause)
            pause *= 2

    async def _whose(self, record: JsonObject) -> Created:
        try:
            stored = await self._groups.read(record["bucket"], record["id"])
        except DependencyUnavailable:
            return Created.UNKNOWN
        ours = stored is not None and all(stored.get(k) == v for k, v in record.items())
        return Created.CREATED if ours else Created.REFUSED

    # --- publishing ------------------------------------------------------------------------------

    async def _publish(
        self, group: GroupId, items: Sequence[Item], packed: PackedInputs, hubs: Sequence[str]
    ) -> int:
        outgoing: dict[str, list[Outgoing]] = {}
        for index, (item, hub) in enumerate(zip(items, hubs, strict=True)):
            request_id = group.request_id(index)
            if packed.is_inline(index):
                payload = encode_inline(request_id, packed.lines[index])
            else:
                place = packed.ranges[index]
                payload = first_event(request_id, item, inline=False, blob=place).encode()
            outgoing.setdefault(hub, []).append(Outgoing(payload))
        sent = 0
        for hub, events in outgoing.items():
            try:
                await self._publisher.publish(hub, events)
                sent += len(events)
            except PublishFailed as error:
                sent += error.sent
                _log.warning("events wait for the sweep", extra={"reason": str(error)})
        return sent

    @staticmethod
    def _answer(group: GroupId, *, sent: int) -> Accepted:
        return Accepted(
            request_ids=[group.request_id(index) for index in range(group.count)], sent=sent
        )


def too_large(limit: int) -> AppError:
    return AppError(
        f"The body is larger than {limit} bytes (MAX_BODY_BYTES).",
        status=413,
        code="body_too_large",
    )


def _refused(problems: Sequence[Problem], items: int) -> AppError:
    first = problems[0]
    place = f"item {first.index}" + (f", {first.path}" if first.path else "")
    return AppError(
        f"{items} item(s) are refused, so none was accepted. First: {place}: {first.reason}.",
        status=400,
        param=f"[{first.index}]" + (f".{first.path}" if first.path else ""),
        code="invalid_items",
        details=[problem.as_dict() for problem in problems[:MAX_REPORTED_PROBLEMS]],
    )
