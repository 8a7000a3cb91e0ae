"""A small world around the real ledger code: a store, hubs, a service, and processes that fail.

It runs on one event loop in virtual time. A run has an intake, a host that delivers, two processes
that dispatch, sweeps that overlap, and a caller who looks and cancels.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from local.virtual_time import EPOCH
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.errors import AppError, DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_LATER, DeliveredEvent, Delivery
from ptu_optimizer.requests.dispatch.decoding import decode
from ptu_optimizer.requests.dispatch.invocation import Report
from ptu_optimizer.requests.envelope import NudgeEvent, RequestEvent, first_event
from ptu_optimizer.requests.id_keys import FixedIds, Ids
from ptu_optimizer.requests.ids import IdMint, slice_of_request
from ptu_optimizer.requests.item import Item, Spillover
from ptu_optimizer.requests.ledger.result_event import ResultEvent
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind, new_token
from ptu_optimizer.requests.ledger.timing import Timing
from tests.support.id_keys import OLD

from .books import Books
from .faults import Faults
from .hubs import Hubs
from .process import DEPLOYMENT, Crashed, Process
from .store import Container

TIMING = Timing(
    call_limit=20.0,
    write_budget=8.0,
    skew=6.0,
    hold=8.0,
    invocation_budget=20.0,
    turn_wait=400.0,
    first_deferral=2.0,
)
"""Small enough for many runs, in about the proportions of the settings' defaults."""

BODY: JsonObject = {"messages": [{"role": "user"}]}
SWEEP_EVERY = 60.0


class World:
    def __init__(
        self,
        *,
        faults: Faults | None = None,
        timing: Timing = TIMING,
        skews: tuple[float, float, float] = (0.0, 0.0, 0.0),
        max_failures: int = 3,
        longest_deadline: float = 7200.0,
        deadline: float = 900.0,
        strong: bool = True,
        spills_over: bool = True,
        ids: Ids | None = None,
    ) -> None:
        """`skews`: of the two dispatching processes and of the hub, each within half of SKEW."""
        self.faults = faults or Faults()
        self.faults.tell = self.say
        self.timing = timing
        self.max_failures = max_failures
        self.longest_deadline = longest_deadline
        self.deadline = deadline
        self.strong = strong
        self.spills_over = spills_over
        self.books = Books(timing, max_failures)
        self.mint = IdMint(OLD)
        self.ids = ids or FixedIds(self.mint)
        self.requests = Container(self, key="slice")
        self.groups = Container(self, key="bucket")
        self.blobs: dict[str, bytes] = {}
        self.flows: dict[str, JsonObject] = {}
        """What processes tell of how fast requests move, by record id."""
        self.hub_down_until = 0.0
        self.hubs = Hubs(self, skew=skews[2])
        self._promised: dict[str, list[str]] = {}
        self.response_bytes = 0
        self.retry_after: float | None = None
        """What every 429 says; drawn if None."""
        self._skews = skews[:2]
        self.books.skews["another"] = 0.0
        self._lives = 0
        self._processes = [self._start(f"p{i}", skew) for i, skew in enumerate(self._skews)]
        self._tasks: list[asyncio.Task[None]] = []

    # --- what happens -----------------------------------------------------------------------------

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def say(self, text: str) -> None:
        self.books.say(text, now=self.now())

    def response(self, place: str) -> JsonObject:
        return {"id": place, "padding": "x" * self.response_bytes}

    @staticmethod
    def slice_of(request_id: str) -> str:
        return slice_of_request(request_id)

    # --- processes --------------------------------------------------------------------------------

    def process(self, number: int = 0) -> Process:
        return self._processes[number % len(self._processes)]

    def _start(self, name: str, skew: float) -> Process:
        self._lives += 1
        process = Process(self, name, skew=skew)
        self.books.skews[name] = skew
        return process

    def crashed(self, process: Process) -> None:
        self.books.crashes += 1
        self.say(f"{process.name} dies")
        for i, alive in enumerate(self._processes):
            if alive is process:
                self._processes[i] = self._start(f"p{i}", self._skews[i])

    def has_room(self) -> None:
        """Every process knows that the deployment is empty now."""
        for process in self._processes:
            process.gate.observe(
                Reading(
                    deployment=DEPLOYMENT,
                    kind=ReadingKind.LEVEL,
                    value=0.0,
                    source="the test",
                    observed_at=process.clock.now(),
                )
            )

    # --- requests ---------------------------------------------------------------------------------

    def request(
        self,
        *,
        deadline: float | None = None,
        stored: bool = True,
        spillover: Spillover = Spillover.NEVER,
    ) -> RequestEvent:
        """A request as if intake had taken it in: its first event, not yet published."""
        now = EPOCH + self.now()
        seconds = self.deadline if deadline is None else deadline
        item = Item(BODY, DEPLOYMENT, now + seconds, spillover=spillover)
        group = self.mint.mint(created_at=now, ends_at=item.deadline + 7200, count=1)
        if stored:
            self.groups.create(
                {
                    "id": group.text,
                    "bucket": group.bucket,
                    "type": "group",
                    "created_at": now,
                    "count": 1,
                    "earliest_deadline": item.deadline,
                    "latest_deadline": item.deadline,
                    "earliest_spillover": (None if spillover is Spillover.NEVER else item.deadline),
                    "in_blob": False,
                    "items": [item.record()],
                }
            )
        return first_event(group.request_id(0), item, inline=True)

    async def accept(
        self,
        count: int,
        *,
        key: str | None = None,
        at: float = 0.0,
        within: float | None = None,
        spillover: Spillover = Spillover.NEVER,
    ) -> None:
        """A caller posts a call; what has a group record afterwards is promised."""
        await asyncio.sleep(at)
        window = f"{int(self.deadline if within is None else within)}s"
        item = {"body": BODY, "completion_window": window, "spillover": spillover.value}
        raw = orjson.dumps([item] * count)
        process = self._start("web", 0.0)
        try:
            accepted = await process.run(process.intake.accept(raw, idempotency_key=key))
            self.say(f"accepted: {accepted.detail}")
        except AppError as error:
            self.say(f"refused: {error.message}")
        except Crashed:
            self.say("the caller gets no answer")

    def promised(self) -> list[str]:
        """Every request of every group that is stored, whatever its caller was told."""
        for _, record in self.groups.everything():
            if record.get("type") == "group" and record["id"] not in self._promised:
                group = self.mint.parse_group(record["id"])
                self._promised[group.text] = [group.request_id(i) for i in range(group.count)]
        return [request for requests in self._promised.values() for request in requests]

    # --- for directed tests -----------------------------------------------------------------------

    def lay(
        self,
        event: RequestEvent,
        n: int,
        kind: SlotKind,
        *,
        failures: int = 0,
        lease_until: float = 0.0,
        not_before: float = 0.0,
        enqueued: float | None = None,
        token: str | None = None,
    ) -> Slot:
        """A slot as if another process had created it. Times are true seconds of the world;
        `enqueued` is when the hub took the event that led to it, if that is known."""
        now = EPOCH + self.now()
        slot = Slot(
            request_id=event.request_id,
            n=n,
            kind=kind,
            claim_token=new_token() if token is None else token,
            at=now,
            failures=failures,
            lease_until=EPOCH + lease_until,
            not_before=EPOCH + not_before,
            enqueued_at=0.0 if enqueued is None else EPOCH + enqueued,
            details={"worker": "another"},
        )
        assert self.requests.create(slot.record(ends_at=now + 1e6, now=now))
        return slot

    async def dispatch(
        self,
        *events: RequestEvent | ResultEvent,
        hub: str = REQUESTS,
        enqueued: float | None = None,
        to: int = 0,
    ) -> Report:
        """Deliver one batch to one process; `enqueued` is when the hub took it, else now."""
        at = EPOCH + (self.now() if enqueued is None else enqueued)
        delivered = [
            DeliveredEvent(raw=event.encode(), sequence_number=i, enqueued_at=at)
            for i, event in enumerate(events)
        ]
        return await self.process(to).handle(Delivery(hub=hub, partition="0", events=delivered))

    def on_hub(self, hub: str = REQUESTS_LATER) -> list[RequestEvent | ResultEvent]:
        """Everything that was ever published there, but for nudges."""
        events = (
            decode(event.delivered.raw)
            for partition in self.hubs.partitions[hub]
            for event in partition.events
        )
        return [event for event in events if not isinstance(event, NudgeEvent)]

    def published_at(self, hub: str = REQUESTS_LATER) -> list[float]:
        """When the hub took them, in true seconds."""
        return [
            event.delivered.enqueued_at - EPOCH
            for partition in self.hubs.partitions[hub]
            for event in partition.events
        ]

    def kinds(self, event: RequestEvent) -> list[str]:
        """The kinds of a request's slots, in order."""
        return [str(slot["kind"]) for _, slot in sorted(self.books.slots[event.request_id].items())]

    # --- a run ------------------------------------------------------------------------------------

    def start(self, *, sweeps: int = 1) -> None:
        self.hubs.start()
        for i in range(sweeps):
            self._tasks.append(asyncio.create_task(self._sweeps(i)))

    def also(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def settle(self, *, horizon: float) -> None:
        """Until every promised request has its outcome and every hub is read, or `horizon`."""
        await asyncio.sleep(self.faults.until)
        while self.now() < horizon:
            if self.is_settled():
                return
            await asyncio.sleep(5)

    def is_settled(self) -> bool:
        return self.hubs.idle() and all(
            self.books.outcome(request) is not None for request in self.promised()
        )

    async def stop(self) -> None:
        self.hubs.stop()
        for task in self._tasks:
            task.cancel()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _sweeps(self, number: int) -> None:
        process = self._start(f"sweep{number}", 0.0)
        await asyncio.sleep(number * 0.05)
        while True:
            try:
                await process.run(process.sweep_once())
            except Crashed:
                process = self._start(f"sweep{number}", 0.0)
            except DependencyUnavailable as error:
                self.say(f"sweep{number} gives up: {error}")
            await asyncio.sleep(SWEEP_EVERY)

    async def watch(self, *, every: float) -> None:
        """A caller looks at every request again and again."""
        while True:
            await asyncio.sleep(every)
            process = self._start("web", 0.0)
            for request in self.promised():
                try:
                    view = await process.run(process.status.show(request))
                except (AppError, Crashed):
                    continue
                if self.strong:
                    self.books.was_shown(request, view["state"], view["ended_at"], now=self.now())

    async def cancel(self, index: int, *, at: float) -> None:
        """A caller cancels a request; what he is told must hold."""
        await asyncio.sleep(at)
        requests = self.promised()
        if not requests:
            return
        request = requests[index % len(requests)]
        process = self._start("web", 0.0)
        try:
            view = await process.run(process.cancellation.cancel(request))
        except (AppError, Crashed) as error:
            self.say(f"cancel of {self.books.name(request)}: {error}")
            return
        self.say(f"cancel of {self.books.name(request)}: {view['detail']}")
        if view["detail"].startswith("Cancelled"):
            outcome = self.books.outcome(request)
            if outcome is None or outcome["kind"] != "cancelled":
                self.books.violated(
                    f"{self.books.name(request)} was called cancelled and is not", now=self.now()
                )


@contextmanager
def same_jitter(seed: int) -> Iterator[None]:
    """The code's own jitter is drawn by `random`; this makes it repeatable."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def loud() -> Iterator[list[str]]:
    """Collect what the package logs as errors: none of its code expects them."""
    errors: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            exception = record.exc_info[1] if record.exc_info else None
            errors.append(f"{record.getMessage()}: {exception!r}")

    root = logging.getLogger("ptu_optimizer")
    handler, level, propagate = Collect(level=logging.ERROR), root.level, root.propagate
    root.addHandler(handler)
    root.setLevel(logging.ERROR)
    root.propagate = False
    try:
        yield errors
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        root.propagate = propagate
