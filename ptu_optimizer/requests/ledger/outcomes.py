"""Writing outcomes: at once, at most one a request, never lost (docs/ledger.md, rules 2 and 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import REQUESTS_LATER, Outgoing, Publisher, PublishFailed
from ptu_optimizer.ports.stores import BlobStore, Created
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.retry import Backoff
from ptu_optimizer.telemetry import logger

from .ledger import Ledger
from .result_event import ResultEvent
from .rules import Claim, Ended, Later, Ours, Sighting, next_step
from .slots import Slot, SlotKind, new_token
from .timing import Timing

_log = logger("outcomes")

LARGE_OUTCOME_BYTES = 1_000_000
"""Above this a response goes to a blob: Cosmos DB takes items up to 2 MiB, the hub 1 MB."""

LARGEST_ITEM_BYTES = 1_900_000
"""With Blob storage away, an outcome up to this is written inline: Cosmos DB ends at 2 MiB."""


def unpaid(
    event: RequestEvent, claim: Claim, kind: SlotKind, error: JsonObject, *, at: float
) -> Slot:
    """The outcome of a request that ends without a call: expired, given up, without an input."""
    return Slot(
        request_id=event.request_id,
        n=claim.n,
        kind=kind,
        claim_token=new_token(),
        at=at,
        failures=claim.failures,
        details={**labels(event), "error": error},
    )


def labels(event: RequestEvent) -> JsonObject:
    """What the caller gave a request to recognise it by, and whose it is."""
    named = {
        "custom_id": event.custom_id,
        "metadata": event.metadata,
        "tenant": event.tenant or None,
    }
    return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Concluded:
    """The request has its outcome, by us or by someone else."""

    kind: SlotKind
    duplicate: JsonObject | None = None
    """Our paid call that lost against another outcome: an annotation for the books."""


class OutcomeHasNoPlace(Exception):
    """A result event could not be written: hold its partition, the retry policy brings it again."""


class OutcomeWriter:
    def __init__(
        self,
        *,
        ledger: Ledger,
        blobs: BlobStore,
        publisher: Publisher,
        clock: Clock,
        timing: Timing,
    ) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._publisher = publisher
        self._clock = clock
        self._timing = timing

    async def write(self, outcome: Slot, *, ends_at: float, until: float) -> JsonObject | None:
        """Write an outcome that was paid for, before `until` (monotonic: lease_until - SKEW).

        Half of the time for the store, the rest for the hub. Returns the annotation of a duplicate
        call if another outcome was there first. Raises PublishFailed if it found no place at all.
        """
        record = outcome.record(ends_at=ends_at, now=self._clock.now())
        store_until = until - self._timing.write_budget / 2
        record = await self._move_large(record, until=store_until)
        try:
            created = await self._ledger.create_record(record, until=store_until)
        except DependencyUnavailable:
            created = Created.UNKNOWN  # a key or role that changed: it was paid for all the same
        if created is Created.CREATED:
            return None
        if created is Created.REFUSED:
            refused_by = await self._refusing(outcome, until=store_until)
            if refused_by is not None:
                if refused_by.claim_token == outcome.claim_token:
                    return None
                return duplicate_of(outcome, refused_by)
        # 7: the store cannot take it, or does not show who was first: it travels
        _log.warning("an outcome travels as a result event", extra={"slot": outcome.id})
        await self._publish(ResultEvent(request_id=outcome.request_id, record=record), until=until)
        return None

    async def deliver(self, event: ResultEvent) -> JsonObject | None:
        """Write a result event's outcome. Raises OutcomeHasNoPlace: never re-published (7)."""
        outcome = event.outcome()
        until = self._clock.monotonic() + self._timing.write_budget
        created = await self._ledger.create_record(event.record, until=until)
        if created is Created.CREATED:
            return None
        refused_by = await self._refusing(outcome, until=until)
        if created is Created.UNKNOWN or refused_by is None:
            raise OutcomeHasNoPlace(outcome.id)
        if refused_by.claim_token == outcome.claim_token:
            return None
        return duplicate_of(outcome, refused_by)

    async def end(
        self, outcome: Slot, *, ends_at: float, until: float
    ) -> Concluded | Claim | Later:
        """Write an outcome that nothing was paid for (expired, given up): nothing to save."""
        created = await self._ledger.create(outcome, ends_at=ends_at, until=until)
        if created is Created.CREATED:
            return Concluded(outcome.kind)
        now = self._clock.now()
        try:
            records = await self._ledger.read(outcome.request_id, until=until)
        except DependencyUnavailable:
            return Later(outcome.n, now, "its ledger cannot be read now")
        step = next_step(
            records.slots,
            n=outcome.n,
            token=outcome.claim_token,
            refused=created is Created.REFUSED,
            # whatever was there first: look again on requests-later, nothing is taken over here
            seen=Sighting(now=now, skew=self._timing.skew, on_later=False, enqueued_at=0.0),
        )
        match step:
            case Ended(slot):
                return Concluded(slot.kind)
            case Ours():
                return Concluded(outcome.kind)
            case Claim() | Later():
                return step

    async def _refusing(self, outcome: Slot, *, until: float) -> Slot | None:
        """The record that refused us, or None if it does not become visible in time (2)."""
        backoff = Backoff(self._clock, until=until)
        while True:
            try:
                records = await self._ledger.read(outcome.request_id, until=until)
            except DependencyUnavailable:
                return None
            found = records.slot(outcome.n)
            if found is not None or not await backoff.again():
                return found

    async def _publish(self, event: ResultEvent, *, until: float) -> None:
        backoff = Backoff(self._clock, until=until)
        while True:
            try:
                await self._publisher.publish(
                    REQUESTS_LATER, [Outgoing(event.encode(), key=event.request_id)]
                )
            except PublishFailed:
                if not await backoff.again():
                    raise
            else:
                return

    async def _move_large(self, record: JsonObject, *, until: float) -> JsonObject:
        """Put a large response into a blob; the record then says where."""
        if "response" not in record:
            return record
        content = orjson.dumps(record["response"])
        if len(content) <= LARGE_OUTCOME_BYTES:
            return record
        name = outcome_blob(record["id"], record["claim_token"])
        backoff = Backoff(self._clock, until=until)
        while True:
            try:
                await self._blobs.write(name, content)
            except DependencyUnavailable:
                if await backoff.again():
                    continue
                if len(content) <= LARGEST_ITEM_BYTES:
                    return record  # Cosmos DB can just take it, and it was paid for
                raise
            else:
                return {**{k: v for k, v in record.items() if k != "response"}, "blob": name}


def outcome_blob(slot_id: str, claim_token: str) -> str:
    """Per claim, so that a late duplicate never overwrites what the outcome refers to."""
    return f"outcomes/{slot_id.replace(':', '/')}-{claim_token}.json"


def duplicate_of(outcome: Slot, first: Slot) -> dict[str, Any]:
    """The annotation of a call that was paid twice: for the books, never decided upon."""
    record = outcome.record(ends_at=0, now=0)
    return {
        "id": f"{outcome.request_id}:duplicate:{outcome.claim_token}",
        "slice": record["slice"],
        "request_id": outcome.request_id,
        "type": "duplicate",
        "at": outcome.at,
        "of": first.id,
        "deployment": outcome.details.get("deployment"),
        "spilled_over": outcome.details.get("spilled_over"),
        "usage": (outcome.details.get("response") or {}).get("usage"),
    }
