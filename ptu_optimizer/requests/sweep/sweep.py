"""The sweep: publishes again what lost its event, expires what is late, closes what is complete.

What is lost is known from how far each partition has been read, never from age alone, so a backlog
of hours makes no copies (docs/ledger.md, rule 11). It reads one partition at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import REQUESTS_LATER, REQUESTS_SOON
from ptu_optimizer.ports.stores import Created, GroupStore
from ptu_optimizer.requests.bodies import InputMissing
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.groups import CLOSED, GROUP, GROUP_FIELDS, Closing, GroupRecord
from ptu_optimizer.requests.id_keys import Ids
from ptu_optimizer.requests.ids import REQUESTS_PER_SLICE, ForgedId, bucket_of, slice_of
from ptu_optimizer.requests.item import Spillover
from ptu_optimizer.requests.ledger.annotations import Deferral
from ptu_optimizer.requests.ledger.ledger import Ledger
from ptu_optimizer.requests.ledger.outcome_errors import deadline_exceeded
from ptu_optimizer.requests.ledger.rules import may_end
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind, head, new_token
from ptu_optimizer.requests.ledger.timing import Timing
from ptu_optimizer.requests.status.wait_reason import reason
from ptu_optimizer.telemetry import logger

from .republish import LEAVING, LOST, GroupWork, Republisher
from .spill_waiting import SpillWaiting
from .watermark import Watermark

_log = logger("sweep")

HTTP_LIMIT_SECONDS = 230.0
"""Azure ends every HTTP request after this: no intake publishes later than that after its group."""

LONGEST_LOOK_PAUSE_SECONDS = 3_600.0
BUCKET_SECONDS = 3_600


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
        ids: Ids,
        groups: GroupStore,
        ledger: Ledger,
        republisher: Republisher,
        spill_waiting: SpillWaiting,
        watermark: Watermark,
        clock: Clock,
        timing: Timing,
        longest_deadline_seconds: float,
        pause_seconds: float,
        run_seconds: float = 240.0,
    ) -> None:
        """`pause_seconds`: between two looks at a young group, and before a second publication;
        both grow. `run_seconds`: a run ends after it, the next goes on where it ended."""
        self._ids = ids
        self._groups = groups
        self._ledger = ledger
        self._again = republisher
        self._watermark = watermark
        self._clock = clock
        self._timing = timing
        self._longest = longest_deadline_seconds
        self._pause = pause_seconds
        self._leaving = spill_waiting
        self._run_seconds = run_seconds
        self._finished_until: dict[str, float] = {}
        self._next_look: dict[str, float] = {}

    async def run(self) -> SweepReport:
        """One run. Raises DependencyUnavailable when the store or a hub is away, or while no key
        of request ids is known."""
        ends = self._clock.monotonic() + self._run_seconds
        await self._ids.mint()  # without a key no group could be looked at
        watermark = await self._watermark.read()
        run = _Run(watermark=watermark)
        for bucket in self._buckets():
            open_groups = _open(await self._groups.bucket(bucket, fields=GROUP_FIELDS))
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
                        extra={"group": record.id, "reason": str(error)},
                    )
                    self._next_look[record.id] = min(
                        self._clock.now() + LONGEST_LOOK_PAUSE_SECONDS,
                        max(self._clock.now(), record.latest_deadline),
                    )
            if not open_groups and self._is_past(bucket):
                # only for a while: the retry of an Idempotency-Key may store its group hours
                # later
                self._finished_until[bucket] = self._clock.now() + LONGEST_LOOK_PAUSE_SECONDS
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

    async def _look_at(self, record: GroupRecord, run: _Run) -> None:
        now = self._clock.now()
        if now < self._next_look.get(record.id, 0.0):
            return
        try:
            group = await self._ids.group(record.id, tenant=record.tenant)
        except DependencyUnavailable as error:
            # perhaps signed with a key that this process has not read yet
            _log.warning(
                "whether a group is genuine is not known yet",
                extra={"group": record.id, "reason": str(error)},
            )
            self._next_look[record.id] = now + self._pause
            return
        except ForgedId:
            # signed with a key that is gone: its requests can no longer be distinguished from
            # forged
            _log.error("a group of an unknown key is left alone", extra={"group": record.id})
            self._next_look[record.id] = now + LONGEST_LOOK_PAUSE_SECONDS
            return
        run.looked_at += 1
        work = self._again.work(group, record)
        ended = 0
        for start in range(0, group.count, REQUESTS_PER_SLICE):
            size = min(REQUESTS_PER_SLICE, group.count - start)
            ended += await self._sweep_slice(work, start, size, run)
        if ended == group.count:
            run.closings.append(Closing(group_id=group.text, at=now).record(group))
            self._next_look.pop(group.text, None)
            return
        age = now - group.created_at
        pause = min(LONGEST_LOOK_PAUSE_SECONDS, max(self._pause, age / 10))
        due = min(now + pause, work.look_at)
        for at in (record.earliest_deadline, self._leaving.begins_at(work)):
            if now < at:
                due = min(due, at)
        self._next_look[group.text] = due

    async def _sweep_slice(self, work: GroupWork, start: int, size: int, run: _Run) -> int:
        """Returns how many requests of the slice have their outcome."""
        slice_id = slice_of(work.group.text, start)
        known = await self._again.read(slice_id)
        now = self._clock.now()
        group_published = work.record.created_at + HTTP_LIMIT_SECONDS
        ended = 0
        lost: list[int] = []
        leaving: list[RequestEvent] = []
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
            if now >= work.record.latest_deadline or (
                now >= work.record.earliest_deadline
                and now >= (await work.inputs.item(index)).item.deadline
            ):
                deferral = known.deferrals.get(request_id)
                ended += await self._expire(work, index, n, top, deferral, run)
            elif event := await self._leaving.event(work, index, known, now=now):
                leaving.append(event)
            elif (
                known.last_known_publication(request_id, group_published)
                < run.watermark - self._timing.skew
            ):
                lost.append(index)
        if leaving:
            run.published += await self._again.publish(
                work, leaving, known, kind=LEAVING, hub=REQUESTS_SOON
            )
        if lost and self._may_publish(known.marks[LOST], now):
            events = [await self._again.event(work, index, known) for index in lost]
            run.published += await self._again.publish(
                work, events, known, kind=LOST, hub=REQUESTS_LATER
            )
        return ended

    def _may_publish(self, marks: Sequence[float], now: float) -> bool:
        """At growing intervals (11)."""
        if not marks:
            return True
        pause = min(LONGEST_LOOK_PAUSE_SECONDS, self._pause * 2 ** min(len(marks), 16))
        return bool(now >= max(marks) + pause)

    async def _expire(
        self,
        work: GroupWork,
        index: int,
        n: int,
        top: Slot | None,
        deferral: Deferral | None,
        run: _Run,
    ) -> int:
        details: JsonObject = {"tenant": work.group.tenant} if work.group.tenant else {}
        spillover = None
        try:
            item = (await work.inputs.item(index)).item
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
                kind=SlotKind.EXPIRED,
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


def _open(records: Sequence[JsonObject]) -> list[GroupRecord]:
    """The groups of an hour that are not closed yet."""
    closed = {record.get("group_id") for record in records if record.get("type") == CLOSED}
    groups = []
    for record in records:
        if record.get("type") != GROUP or record["id"] in closed:
            continue
        try:
            groups.append(GroupRecord.from_record(record))
        except (KeyError, TypeError) as error:
            _log.error(
                "a group record makes no sense and is left alone",
                extra={"group": record["id"], "reason": repr(error)},
            )
    return groups


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
