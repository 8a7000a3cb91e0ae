"""The sweep: publishes again what lost its event, expires what is late, closes what is complete.

What is lost is known from how far each partition has been read, never from age alone, so a backlog
of hours makes no copies (LEDGER.md 11). It reads one partition at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import orjson

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.telemetry import logger

from .deferral import publish_again
from .events import REQUESTS_LATER, RequestEvent, first_event
from .ids import REQUESTS_PER_SLICE, ForgedId, GroupId, IdMint, bucket_of, slice_of
from .inputs import InputMissing, Inputs, PackedInputs
from .ledger import Kind, Slot, head, is_slot, may_end, new_token
from .model import Item, JsonObject, Spillover
from .ports import Created, GroupStore, LedgerStore, Publisher, PublishFailed
from .records import Ledger
from .timing import Timing
from .waiting import deadline_exceeded, reason
from .watermark import Watermark

_log = logger("sweep")

HTTP_LIMIT_SECONDS = 230.0
"""Azure ends every HTTP request after this: no intake publishes later than that after its group."""

LONGEST_PAUSE_SECONDS = 3_600.0
BUCKET_SECONDS = 3_600


@dataclass(slots=True)
class _Slice:
    """What the records of one slice say, request by request."""

    slots: dict[str, list[Slot]] = field(default_factory=dict)
    deferrals: dict[str, JsonObject] = field(default_factory=dict)
    """The annotation of each request's last copy."""
    marks: list[float] = field(default_factory=list)

    def last_known_publication(self, request_id: str, group_published: float) -> float:
        """The latest time at which an event of the request was surely, or maybe, published."""
        top = head(self.slots.get(request_id, ()))
        deferred_at: float = self.deferrals.get(request_id, {}).get("at", 0.0)
        return max(
            group_published,
            deferred_at,
            top.at if top is not None else 0.0,
            *self.marks,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepReport:
    """What one run did. `closings` are written by output binding when it ends."""

    closings: list[JsonObject]
    published: int
    expired: int
    looked_at: int


class Sweep:
    def __init__(
        self,
        *,
        mint: IdMint,
        groups: GroupStore,
        store: LedgerStore,
        ledger: Ledger,
        inputs: Inputs,
        publisher: Publisher,
        watermark: Watermark,
        clock: Clock,
        timing: Timing,
        longest_deadline_seconds: float,
        pause_seconds: float,
        run_seconds: float = 240.0,
    ) -> None:
        """`pause_seconds`: between two looks at a young group, and before a second publication;
        both grow. `run_seconds`: a run ends after it, the next goes on where it ended."""
        self._mint = mint
        self._groups = groups
        self._store = store
        self._ledger = ledger
        self._inputs = inputs
        self._publisher = publisher
        self._watermark = watermark
        self._clock = clock
        self._timing = timing
        self._longest = longest_deadline_seconds
        self._pause = pause_seconds
        self._run_seconds = run_seconds
        self._finished_until: dict[str, float] = {}
        self._next_look: dict[str, float] = {}

    async def run(self) -> SweepReport:
        """One run. Raises DependencyUnavailable when the store or a hub is away."""
        ends = self._clock.monotonic() + self._run_seconds
        watermark = await self._watermark.read()
        run = _Run(watermark=watermark)
        for bucket in self._buckets():
            records = await self._groups.bucket(bucket)
            closed = {record["group_id"] for record in records if record["type"] == "closed"}
            open_groups = [
                record
                for record in records
                if record["type"] == "group" and record["id"] not in closed
            ]
            for record in open_groups:
                if self._clock.monotonic() > ends:
                    _log.warning("the sweep ran out of time", extra={"bucket": bucket})
                    return run.report()
                try:
                    await self._look_at(record, run)
                except InputMissing as error:
                    # its requests expire at its latest deadline; the other groups go on
                    _log.error(
                        "the inputs of a group are gone",
                        extra={"group": record["id"], "reason": str(error)},
                    )
                    self._next_look[record["id"]] = min(
                        self._clock.now() + LONGEST_PAUSE_SECONDS,
                        max(self._clock.now(), record["latest_deadline"]),
                    )
            if not open_groups and self._is_past(bucket):
                # not for ever: the retry of an Idempotency-Key stores its group hours later
                self._finished_until[bucket] = self._clock.now() + LONGEST_PAUSE_SECONDS
        return run.report()

    def _buckets(self) -> Iterable[str]:
        """Every hour in which a group that is still open may have been created (12)."""
        now = self._clock.now()
        start = now - self._longest - self._timing.lease - self._timing.skew - BUCKET_SECONDS
        hours = int((now + self._timing.skew - start) // BUCKET_SECONDS) + 2
        wanted = dict.fromkeys(
            bucket_of(min(start + hour * BUCKET_SECONDS, now + self._timing.skew))
            for hour in range(hours)
        )
        self._finished_until = {
            bucket: until
            for bucket, until in self._finished_until.items()
            if bucket in wanted and until > now
        }
        self._next_look = {k: due for k, due in self._next_look.items() if due > start}
        return [bucket for bucket in wanted if bucket not in self._finished_until]

    def _is_past(self, bucket: str) -> bool:
        """No group can be created in it any more: an intake may still be at work for a while."""
        latest = self._clock.now() - HTTP_LIMIT_SECONDS - self._timing.skew
        return bucket < bucket_of(latest)

    async def _look_at(self, record: JsonObject, run: _Run) -> None:
        now = self._clock.now()
        if now < self._next_look.get(record["id"], 0.0):
            return
        try:
            group = self._mint.parse_group(record["id"])
        except ForgedId:
            # signed with another REQUEST_ID_KEY: its requests can no longer be told from forged
            _log.error("a group of an unknown key is left alone", extra={"group": record["id"]})
            self._next_look[record["id"]] = now + LONGEST_PAUSE_SECONDS
            return
        run.looked_at += 1
        work = _GroupWork(group=group, record=record)
        ended = 0
        for start in range(0, group.count, REQUESTS_PER_SLICE):
            size = min(REQUESTS_PER_SLICE, group.count - start)
            ended += await self._sweep_slice(work, start, size, run)
        if ended == group.count:
            run.closings.append(
                {
                    "id": f"{group.text}:closed",
                    "bucket": group.bucket,
                    "type": "closed",
                    "group_id": group.text,
                    "at": now,
                    "ttl": max(1, int(group.ends_at - now)),
                }
            )
            self._next_look.pop(group.text, None)
            return
        age = now - group.created_at
        pause = min(LONGEST_PAUSE_SECONDS, max(self._pause, age / 10))
        due = now + pause
        if now < record["earliest_deadline"]:
            due = min(due, record["earliest_deadline"])
        self._next_look[group.text] = due

    async def _sweep_slice(self, work: _GroupWork, start: int, size: int, run: _Run) -> int:
        """Returns how many requests of the slice have their outcome."""
        slice_id = slice_of(work.group.text, start)
        known = await self._read_slice(slice_id)
        now = self._clock.now()
        group_published = work.record["created_at"] + HTTP_LIMIT_SECONDS
        ended = 0
        lost: list[int] = []
        for index in range(start, start + size):
            request_id = work.group.request_id(index)
            slots = known.slots.get(request_id, ())
            top = head(slots)
            if top is not None and top.kind.is_outcome:
                ended += 1
                continue
            n = may_end(slots, now=now, skew=self._timing.skew, cancelling=False)
            if n is None:
                continue  # a live attempt
            if now >= work.record["latest_deadline"] or (
                now >= work.record["earliest_deadline"]
                and now >= (await self._item(work, index)).deadline
            ):
                deferral = known.deferrals.get(request_id)
                ended += await self._expire(work, index, n, top, deferral, run)
            elif (
                known.last_known_publication(request_id, group_published)
                < run.watermark - self._timing.skew
            ):
                lost.append(index)
        if lost and self._may_publish(known.marks, now):
            await self._publish_again(work, slice_id, lost, known, run)
        return ended

    async def _read_slice(self, slice_id: str) -> _Slice:
        known = _Slice()
        async for record in self._store.slice(slice_id):
            if is_slot(record):
                slot = Slot.from_record(record)
                known.slots.setdefault(slot.request_id, []).append(slot)
            elif record.get("type") == "deferral":
                known.deferrals[record["request_id"]] = record
            elif record.get("type") == "sweep":
                known.marks.append(record["at"])
        return known

    def _may_publish(self, marks: Sequence[float], now: float) -> bool:
        """At growing intervals (11)."""
        if not marks:
            return True
        pause = min(LONGEST_PAUSE_SECONDS, self._pause * 2 ** min(len(marks), 16))
        return bool(now >= max(marks) + pause)

    async def _publish_again(
        self, work: _GroupWork, slice_id: str, lost: Sequence[int], known: _Slice, run: _Run
    ) -> None:
        packed = await self._packed(work)
        now = self._clock.now()
        mark: JsonObject = {
            "id": f"{slice_id}:sweep:{len(known.marks)}",
            "slice": slice_id,
            "type": "sweep",
            "at": now,
            "requests": len(lost),
            "ttl": max(1, int(work.group.ends_at - now)),
        }
        if await self._store.create(mark) is not Created.CREATED:
            return  # another sweep does this round, or nobody knows: the next round will
        events: list[RequestEvent] = []
        for index in lost:
            request_id = work.group.request_id(index)
            top = head(known.slots.get(request_id, ()))
            slot = 1
            if top is not None:
                slot = top.n + 1 if top.kind is Kind.RELEASED else top.n
            event = first_event(
                request_id,
                await self._item(work, index),
                inline=packed.is_inline(index),
                blob=packed.ranges[index],
            )
            deferrals = known.deferrals.get(request_id, {}).get("deferrals", -1) + 1
            events.append(event.model_copy(update={"slot": slot, "deferrals": deferrals}))
        try:
            await publish_again(self._publisher, REQUESTS_LATER, events)
            run.published += len(events)
        except PublishFailed as error:
            run.published += error.sent
            raise DependencyUnavailable("Event Hubs", error.reason) from None
        finally:
            _log.warning(
                "published again what had lost its event",
                extra={"group": work.group.text, "requests": len(lost)},
            )

    async def _expire(
        self,
        work: _GroupWork,
        index: int,
        n: int,
        top: Slot | None,
        deferral: JsonObject | None,
        run: _Run,
    ) -> int:
        details: JsonObject = {}
        spillover = None
        try:
            item = await self._item(work, index)
            details |= {"custom_id": item.custom_id, "metadata": item.metadata}
            if item.spillover is Spillover.BEFORE_DEADLINE:
                spillover = "pay-as-you-go could not take it in time"
        except InputMissing:
            _log.warning("a request expires without its labels", extra={"group": work.group.text})
        why, _ = reason(top, deferral)
        details["error"] = deadline_exceeded(why=why, attempted=n > 1, spillover=spillover)
        created = await self._ledger.create(
            Slot(
                request_id=work.group.request_id(index),
                n=n,
                kind=Kind.EXPIRED,
                claim_token=new_token(),
                at=self._clock.now(),
                failures=top.failures if top is not None else 0,
                details=details,
            ),
            ends_at=work.group.ends_at,
            until=self._clock.monotonic() + self._timing.write_budget,
        )
        if created is not Created.CREATED:
            return 0
        run.expired += 1
        return 1

    async def _packed(self, work: _GroupWork) -> PackedInputs:
        """Raises InputMissing, DependencyUnavailable."""
        if work.packed is None:
            record = work.record
            if not record["in_blob"]:
                full = await self._groups.read(work.group.bucket, work.group.text)
                if full is None:
                    raise DependencyUnavailable("Cosmos DB", "a group record is not visible")
                record = full
            work.packed = await self._inputs.all_items(work.group, record)
        return work.packed

    async def _item(self, work: _GroupWork, index: int) -> Item:
        return Item.from_record(orjson.loads((await self._packed(work)).lines[index]))


@dataclass(kw_only=True, slots=True)
class _Run:
    watermark: float
    closings: list[JsonObject] = field(default_factory=list)
    published: int = 0
    expired: int = 0
    looked_at: int = 0

    def report(self) -> SweepReport:
        return SweepReport(
            closings=self.closings,
            published=self.published,
            expired=self.expired,
            looked_at=self.looked_at,
        )


@dataclass(kw_only=True, slots=True)
class _GroupWork:
    """A group under the sweep; its inputs are read when something needs them."""

    group: GroupId
    record: JsonObject
    packed: PackedInputs | None = None
