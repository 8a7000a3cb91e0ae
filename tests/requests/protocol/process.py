"""A process of the app: the real use cases, built as `composition` does, on fakes that can fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from local.virtual_time import VirtualClock
from ptu_optimizer.admission.call import GatedCalls
from ptu_optimizer.admission.gate import Gate
from ptu_optimizer.admission.gated_deployment import GatedDeployment
from ptu_optimizer.backends.tokens import TokenEstimator
from ptu_optimizer.capacity.control.level_controller import LevelController
from ptu_optimizer.capacity.control.limits import SlowDownLimits
from ptu_optimizer.capacity.control.pay_as_you_go import PayAsYouGo
from ptu_optimizer.capacity.estimate.observer import LevelObserver
from ptu_optimizer.capacity.work import TOKENS, Model
from ptu_optimizer.coordination.exchange import CapacityExchange
from ptu_optimizer.errors import BodyLimit, DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import Delivery, Outgoing, PartitionState, PublishFailed
from ptu_optimizer.ports.model_calls import (
    CallResult,
    Rejected,
    Success,
    Throttled,
    TokenUsage,
    Transient,
)
from ptu_optimizer.ports.stores import Created
from ptu_optimizer.requests.bodies import Bodies
from ptu_optimizer.requests.dispatch.attempt import Attempts
from ptu_optimizer.requests.dispatch.dispatcher import Dispatcher
from ptu_optimizer.requests.dispatch.handler import RequestHandler
from ptu_optimizer.requests.dispatch.invocation import Report
from ptu_optimizer.requests.dispatch.rescheduling import PublishedMemory
from ptu_optimizer.requests.intake.call_body import CallLimits
from ptu_optimizer.requests.intake.first_events import FirstEvents
from ptu_optimizer.requests.intake.group_record import GroupPromises
from ptu_optimizer.requests.intake.intake import Intake
from ptu_optimizer.requests.intake.validation import ItemRules
from ptu_optimizer.requests.item import Priority
from ptu_optimizer.requests.ledger.ledger import Ledger
from ptu_optimizer.requests.ledger.outcomes import OutcomeWriter
from ptu_optimizer.requests.status.cancel import Cancellation
from ptu_optimizer.requests.status.flow_reports import FlowReports
from ptu_optimizer.requests.status.lookup import RequestLookup
from ptu_optimizer.requests.status.projection import Projections
from ptu_optimizer.requests.status.status import RequestStatus
from ptu_optimizer.requests.sweep.republish import Republisher
from ptu_optimizer.requests.sweep.spill_waiting import SpillWaiting
from ptu_optimizer.requests.sweep.sweep import Sweep
from ptu_optimizer.requests.sweep.watermark import Watermark
from ptu_optimizer.requests.urgency import Urgency

if TYPE_CHECKING:
    from .store import Container
    from .world import World

T = TypeVar("T")

DEPLOYMENT = "ptu"
SPILLOVER = "payg"
MODEL = Model(input_tpm_per_ptu=2500, output_ratio=4)
WORK_PER_SECOND = 100_000.0
"""So much that a few calls are nothing to it: the level is what the service says."""

LIMITS = SlowDownLimits(lower=0.2, upper=0.8, max_concurrent_calls=4)
URGENCY = Urgency(soon=60.0, spillover_lead=20.0)
NO_ANSWER_SECONDS = 2.0
"""After this a client gives an answer up."""


class Crashed(Exception):
    """The process died before it was done."""


class Process:
    """One life of a process; after a crash the world starts another."""

    def __init__(self, world: World, name: str, *, skew: float) -> None:
        self.world = world
        self.name = name
        self.dead = False
        self.clock = VirtualClock(skew=skew)
        self._tasks: set[asyncio.Task[Any]] = set()
        timing, clock = world.timing, self.clock
        self.requests = _Store(self, world.requests)
        self.groups = _Store(self, world.groups)
        publisher, blobs = _Publisher(self), _Blobs(self)
        self.ledger = Ledger(store=self.requests, clock=clock)
        self.outcomes = OutcomeWriter(
            ledger=self.ledger, blobs=blobs, publisher=publisher, clock=clock, timing=timing
        )
        bodies = Bodies(blobs=blobs)
        self.gate = Gate(
            deployment=DEPLOYMENT,
            clock=clock,
            controller=LevelController(
                deployment=DEPLOYMENT,
                source=name,
                work_per_second=WORK_PER_SECOND,
                observer=LevelObserver(
                    work_per_second=WORK_PER_SECOND,
                    model=MODEL,
                    header_ttl_seconds=10,
                    metric_ttl_seconds=60,
                ),
                limits=dict.fromkeys(Priority, LIMITS),
                max_concurrent_calls=4,
            ),
        )
        self.spillover_gate = Gate(
            deployment=SPILLOVER,
            clock=clock,
            controller=PayAsYouGo(
                tokens_per_minute=60_000, requests_per_minute=None, max_concurrent_calls=4
            ),
        )
        spillover = GatedDeployment(
            gate=self.spillover_gate, model=TOKENS, tokens_per_minute=60_000
        )
        self.memory = PublishedMemory(clock=clock, timing=timing)
        self.attempts = Attempts(
            ledger=self.ledger,
            outcomes=self.outcomes,
            clock=clock,
            timing=timing,
            max_failures=world.max_failures,
            worker=name,
        )
        estimator = _Estimator()
        flows = FlowReports(store=_Capacity(self), clock=clock, worker=name)
        handler = RequestHandler(
            targets={
                DEPLOYMENT: GatedDeployment(
                    gate=self.gate,
                    model=MODEL,
                    spillover=spillover if world.spills_over else None,
                )
            },
            calls=GatedCalls(
                caller=_Service(self), listeners=(estimator,), clock=clock, worker=name
            ),
            attempts=self.attempts,
            outcomes=self.outcomes,
            ledger=self.ledger,
            bodies=bodies,
            estimator=estimator,
            memory=self.memory,
            clock=clock,
            timing=timing,
            urgency=URGENCY,
            flows=flows,
        )
        self.dispatcher = Dispatcher(
            ids=world.ids,
            handler=handler,
            outcomes=self.outcomes,
            estimator=estimator,
            publisher=publisher,
            memory=self.memory,
            exchange=CapacityExchange(
                gates={DEPLOYMENT: self.gate},
                store=_Capacity(self),
                clock=clock,
                worker=name,
                interval_seconds=30,
            ),
            flows=flows,
            clock=clock,
            timing=timing,
        )
        self.intake = Intake(
            promises=GroupPromises(
                ids=world.ids,
                groups=self.groups,
                blobs=blobs,
                clock=clock,
                timing=timing,
                hub_retention_seconds=7200,
            ),
            first_events=FirstEvents(publisher=publisher, urgency=URGENCY, clock=clock),
            rules=ItemRules(
                deployments={DEPLOYMENT},
                default_deployment=DEPLOYMENT,
                default_deadline_seconds=900,
                longest_deadline_seconds=world.longest_deadline,
                spills_over={DEPLOYMENT},
            ),
            limits=CallLimits(max_items=100, body=BodyLimit(1_000_000, "MAX_BODY_BYTES")),
            clock=clock,
        )
        lookup = RequestLookup(ids=world.ids, groups=self.groups, ledger=self.ledger, clock=clock)
        self.status = RequestStatus(
            lookup=lookup,
            blobs=blobs,
            projections=Projections(store=_Capacity(self), deployments=[DEPLOYMENT], clock=clock),
            clock=clock,
            timing=timing,
        )
        self.cancellation = Cancellation(
            lookup=lookup, status=self.status, ledger=self.ledger, clock=clock, timing=timing
        )
        republisher = Republisher(
            groups=self.groups,
            store=self.requests,
            blobs=blobs,
            publisher=publisher,
            clock=clock,
        )
        self.sweep = Sweep(
            ids=world.ids,
            groups=self.groups,
            ledger=self.ledger,
            republisher=republisher,
            spill_waiting=SpillWaiting(urgency=URGENCY, again=republisher),
            watermark=Watermark(
                groups=self.groups,
                hubs=_HubReader(self),
                publisher=publisher,
                clock=clock,
                timing=timing,
            ),
            clock=clock,
            timing=timing,
            longest_deadline_seconds=world.longest_deadline,
            pause_seconds=60,
        )

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Raises Crashed if the process dies before the work is done."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        try:
            await asyncio.wait([task])
        finally:
            self._tasks.discard(task)
        if task.cancelled():
            raise Crashed(self.name)
        return task.result()

    def crash(self) -> None:
        """Nothing that this process does from now on has an effect."""
        if not self.dead:
            self.dead = True
            self.world.crashed(self)
            for task in self._tasks:
                task.cancel()

    async def step(self, place: str) -> None:
        """Time passes between two awaits, and the process may die there."""
        world = self.world
        await asyncio.sleep(world.faults.pick(f"{self.name} {place}", 0.002, 0.08))
        if not self.dead and self.strikes("crash", place):
            self.crash()
        task = asyncio.current_task()
        if self.dead and task is not None:
            task.cancel()  # what dies is cancelled, and does not only hear of it
            await asyncio.sleep(0)

    def strikes(self, kind: str, place: str) -> bool:
        return self.world.faults.strikes(kind, f"{self.name} {place}", now=self.world.now())

    async def handle(self, delivery: Delivery) -> Report:
        """What the host and the worker do around `dispatch`: the output bindings come after it."""
        report = await self.dispatcher.dispatch(delivery)
        for annotation in report.annotations:
            if annotation["type"] == "duplicate":
                self.world.books.duplicate(annotation, now=self.world.now())
        for records, container in (
            (report.annotations, self.world.requests),
            (report.positions, self.world.groups),
        ):
            for record in records:
                place = f"binding {record['type']} of {delivery.hub}/{delivery.partition}"
                await self.step(place)
                if self.strikes("binding fails", place):
                    raise DependencyUnavailable("Cosmos DB", "a binding failed")
                if not self.strikes("binding lost", place):
                    container.upsert(record)
        return report

    async def sweep_once(self) -> None:
        report = await self.sweep.run()
        for record in report.closings:
            await self.step("binding closing")
            self.world.groups.upsert(record)


class _Store:
    """`LedgerStore` and `GroupStore` of one process."""

    def __init__(self, process: Process, container: Container) -> None:
        self._process = process
        self._container = container

    async def create(self, record: JsonObject) -> Created:
        process, world, container = self._process, self._process.world, self._container
        place = container.label(record)
        await process.step(f"create {place}")
        if process.strikes("writes down", place):
            container.down_until = world.now() + world.faults.pick("how long", 3, 60)
        if world.now() < container.down_until or process.strikes("create lost", place):
            world.say(f"{process.name} creates {place}: lost")
            return await self._no_answer()
        if process.strikes("create lands later", place):
            after = world.faults.pick(f"landing of {place}", 0.5, 90)
            world.say(f"{process.name} creates {place}: lands in {after:.1f} s, without an answer")
            asyncio.get_running_loop().call_later(after, container.create, record, "late")
            return await self._no_answer()
        landed = container.create(record, process.name)
        if process.strikes("create landed unseen", place):
            return await self._no_answer()
        await process.step(f"created {place}")
        return Created.CREATED if landed else Created.REFUSED

    async def _no_answer(self) -> Created:
        await asyncio.sleep(NO_ANSWER_SECONDS)
        await self._process.step("no answer")
        return Created.UNKNOWN

    async def _read(self, place: str) -> float:
        """Returns the time up to which the reader sees."""
        process, world = self._process, self._process.world
        await process.step(f"read {place}")
        if process.strikes("reads down", place):
            self._container.reads_down_until = world.now() + world.faults.pick("how long", 3, 60)
        if world.now() < self._container.reads_down_until or process.strikes("read fails", place):
            await asyncio.sleep(NO_ANSWER_SECONDS / 2)
            raise DependencyUnavailable("Cosmos DB", "no answer")
        if process.strikes("read is stale", place):
            return world.now() - world.faults.pick(f"staleness of {place}", 0.01, 8)
        return world.now()

    # LedgerStore.read(request_id) and GroupStore.read(bucket, record_id)
    async def read(self, first: str, record_id: str | None = None) -> Any:
        if record_id is None:
            name = self._process.world.books.name(first)
            as_of = await self._read(name)
            found = self._container.of_request(first, as_of)
            await self._process.step(f"have read {name}")
            return found
        as_of = await self._read("group")
        return self._container.get(first, record_id, as_of)

    async def bucket(self, bucket: str, *, fields: Sequence[str]) -> list[JsonObject]:
        as_of = await self._read("bucket")
        return [_only(record, fields) for record in self._container.partition(bucket, as_of)]

    async def slice(self, slice_id: str, *, fields: Sequence[str]) -> AsyncIterator[JsonObject]:
        as_of = await self._read("slice")
        for record in self._container.partition(slice_id, as_of):
            yield _only(record, fields)


def _only(record: JsonObject, fields: Sequence[str]) -> JsonObject:
    return {name: record[name] for name in fields if name in record}


class _Publisher:
    def __init__(self, process: Process) -> None:
        self._process = process

    async def ready(self, hub: str) -> None:
        await self._process.step(f"ready {hub}")

    async def publish(self, hub: str, events: Sequence[Outgoing]) -> None:
        process, world = self._process, self._process.world
        place = f"publish {len(events)} to {hub}"
        await process.step(place)
        if process.strikes("hub down", place):
            world.hub_down_until = world.now() + world.faults.pick("how long", 3, 60)
        if world.now() < world.hub_down_until or process.strikes("publish lost", place):
            await self._fail(hub)
        taken = list(events)
        if process.strikes("publish in part", place):
            taken = taken[: len(taken) // 2]
        for event in taken:
            world.hubs.enqueue(hub, event)
        if len(taken) < len(events) or process.strikes("publish landed unseen", place):
            await self._fail(hub)
        await process.step(f"published to {hub}")
        if process.name.startswith("sweep"):
            world.books.swept.update(event.key for event in events if event.key is not None)

    async def _fail(self, hub: str) -> None:
        await asyncio.sleep(NO_ANSWER_SECONDS / 2)
        await self._process.step("no acknowledgement")
        self._process.world.say(f"{self._process.name} gets no acknowledgement from {hub}")
        raise PublishFailed(hub, sent=0, reason="no acknowledgement")


class _HubReader:
    def __init__(self, process: Process) -> None:
        self._process = process

    async def partitions(self, hub: str) -> list[PartitionState]:
        await self._process.step(f"partitions of {hub}")
        return self._process.world.hubs.states(hub)


class _Blobs:
    def __init__(self, process: Process) -> None:
        self._process = process

    async def write(self, name: str, content: bytes) -> None:
        await self._step("write")
        self._process.world.blobs[name] = content

    async def read(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes | None:
        await self._step("read")
        content = self._process.world.blobs.get(name)
        if content is None:
            return None
        return content[offset:] if length is None else content[offset : offset + length]

    async def _step(self, what: str) -> None:
        await self._process.step(f"blob {what}")
        if self._process.strikes("blob fails", what):
            raise DependencyUnavailable("Blob storage", "no answer")
        if self._process.strikes("blob cancelled", what):
            # as a client does whose own inner task was cancelled; nobody has cancelled ours
            raise asyncio.CancelledError("a cancelled call within the client")


class _Estimator(TokenEstimator):
    """The bodies here have no text, and no thread may run beside virtual time."""

    async def ready(self) -> None:
        return None


class _Capacity:
    """`CapacityStore`: signals of other processes play no part in the ledger; how fast requests
    move is told."""

    def __init__(self, process: Process) -> None:
        self._flows = process.world.flows

    async def write(self, record: JsonObject) -> None:
        if record["type"] == "flow":
            self._flows[record["id"]] = orjson.loads(orjson.dumps(record))

    async def changed(
        self, deployment: str, *, since: float, kinds: Sequence[str] | None = None
    ) -> list[JsonObject]:
        return [record for record in self._flows.values() if record["deployment"] == deployment]

    async def swap(self, record: JsonObject, *, etag: str | None) -> str | None:
        return "an etag"


class _Service:
    """`ModelCaller`: every call is in the books."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def complete(
        self, *, deployment: str, body: JsonObject, call_id: str, timeout_seconds: float
    ) -> CallResult:
        process, world = self._process, self._process.world
        request, _, n = call_id.rpartition(":")
        place = f"call {world.books.name(request)}:{n}"
        if deployment != DEPLOYMENT:
            place += f" by {deployment}"
        world.books.called(call_id, deployment=deployment, timeout=timeout_seconds, now=world.now())
        world.say(f"{process.name} calls for {place[5:]}")
        result, seconds = self._answer(place, timeout_seconds)
        await asyncio.sleep(seconds)
        await process.step(place)
        world.say(f"{process.name} has {type(result).__name__} for {place[5:]}")
        return result

    def _answer(self, place: str, timeout: float) -> tuple[CallResult, float]:
        process, world = self._process, self._process.world
        faults, timing = world.faults, world.timing
        level = 0.95 if process.strikes("busy", place) else 0.1
        took = faults.pick(place, 0.1, timeout / 3)
        if process.strikes("long call", place):
            took = timeout * faults.pick(f"long {place}", 0.8, 1.0)
        if process.strikes("429 for long", place):
            long = faults.pick(f"how long {place}", 60, 400)
            return Throttled(status=429, retry_after_seconds=long), 0.05
        if process.strikes("429", place):
            wait = world.retry_after
            if wait is None:
                wait = faults.pick(f"retry after {place}", 0.0, 20)
            return Throttled(status=429, retry_after_seconds=wait), 0.05
        if process.strikes("transient", place):
            return Transient(status=500, why="it answered 500"), took
        if process.strikes("rejected", place):
            return Rejected(status=400, error={"message": "no"}), took
        if process.strikes("slow call", place):
            return Transient(why="it did not answer in time"), timeout
        if process.strikes("frozen call", place):
            took = timeout + faults.pick(f"frozen {place}", 0, 2 * timing.lease)
        response = world.response(place)
        usage = TokenUsage(prompt_tokens=10, completion_tokens=5)
        return Success(status=200, utilization=level, response=response, usage=usage), took
