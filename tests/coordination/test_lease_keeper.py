"""Processes agree whose turn it is to send to a deployment: one at a time, and hardly ever none."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from local.virtual_time import VirtualClock, in_virtual_time
from ptu_optimizer.admission.gate import CallAsk, Gate, NotAdmitted
from ptu_optimizer.admission.permits import Ending, Permit
from ptu_optimizer.admission.wait_limits import WaitLimits
from ptu_optimizer.coordination.exchange import FOLLOWER_INTERVALS, CapacityExchange
from ptu_optimizer.coordination.lease_keeper import LeaseKeeper
from ptu_optimizer.coordination.send_lease import (
    LEASE_SECONDS,
    LONGEST_TURN_SECONDS,
    NOTICE_SECONDS,
    RECORD_TTL_SECONDS,
    RENEW_SECONDS,
    SAFETY_SECONDS,
)
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_LATER, REQUESTS_SOON
from tests.support.controllers import Paced
from tests.support.stores import FakeCapacity

PATIENT = WaitLimits(hold_seconds=1e6, until=1e6)
INTERVAL = 0.25
READ_SECONDS = FOLLOWER_INTERVALS * INTERVAL
"""How often who has not the turn looks."""

PACE = 0.05
LEASE_ID = ("ptu", f"lease:{REQUESTS}")


@dataclass(frozen=True)
class Call:
    """A request that passed a gate."""

    at: float
    process: str
    hub: str


class Reach:
    """One process's way to the store, which can be cut."""

    def __init__(self, store: FakeCapacity) -> None:
        self._store = store
        self.cut = False

    async def write(self, record: JsonObject) -> None:
        self._check()
        await self._store.write(record)

    async def changed(
        self, deployment: str, *, since: float, kinds: Sequence[str] | None = None
    ) -> list[JsonObject]:
        self._check()
        return await self._store.changed(deployment, since=since, kinds=kinds)

    async def swap(self, record: JsonObject, *, etag: str | None) -> str | None:
        self._check()
        return await self._store.swap(record, etag=etag)

    def _check(self) -> None:
        if self.cut:
            raise DependencyUnavailable("Cosmos DB", "the way there is cut")


class Process:
    """One worker with one deployment; what passes its gate it writes into `calls`."""

    def __init__(
        self, name: str, store: FakeCapacity, calls: list[Call], *, pace: float = PACE
    ) -> None:
        self.name = name
        self.clock = VirtualClock()
        self.reach = Reach(store)
        self.gate = Gate(deployment="ptu", controller=Paced(pace), clock=self.clock, shared=True)
        self._calls = calls
        self._task: asyncio.Task[None] | None = None

    def start(self, hub: str = REQUESTS, *, requests: int | None = None) -> None:
        """Have so many requests, or without end."""
        self._task = asyncio.create_task(self._run(hub, requests))

    def die(self) -> None:
        """Nothing of it is heard any more, and nothing is sent."""
        assert self._task is not None
        self.reach.cut = True
        self._task.cancel()

    async def _run(self, hub: str, requests: int | None) -> None:
        exchange = CapacityExchange(
            gates={"ptu": self.gate},
            store=self.reach,
            clock=self.clock,
            worker=self.name,
            interval_seconds=INTERVAL,
        )
        async with exchange.active():
            if requests is not None:
                await asyncio.gather(*(self._send(hub) for _ in range(requests)))
                return
            await asyncio.gather(*(self._without_end(hub) for _ in range(5)))

    async def _without_end(self, hub: str) -> None:
        while True:
            await self._send(hub, more_behind=True)

    async def _send(self, hub: str, *, more_behind: bool = False) -> None:
        permit = await self.gate.enter(
            CallAsk(work=1.0, limits=PATIENT, hub=hub, more_behind=more_behind)
        )
        assert isinstance(permit, Permit), permit
        self._calls.append(Call(self.clock.monotonic(), self.name, hub))
        permit.end(Ending(used=1.0, answered=True))


def permissions(calls: list[Call]) -> list[tuple[str, float, float]]:
    """Who sent, from when and until when. If two sent at once, each of them comes up again and
    again."""
    return [
        (name, run[0].at, run[-1].at)
        for name, run in (
            (name, list(group)) for name, group in itertools.groupby(calls, lambda c: c.process)
        )
    ]


def gaps(calls: list[Call]) -> list[float]:
    """From the last call of each turn to the first of the next."""
    found = permissions(calls)
    return [after[1] - before[2] for before, after in itertools.pairwise(found)]


def by(calls: list[Call], process: Process) -> list[float]:
    return [call.at for call in calls if call.process == process.name]


# --- one at a time ------------------------------------------------------------------------------


@pytest.mark.parametrize("visible_after", [0.0, 1.0])
@in_virtual_time
async def test_one_process_sends_at_a_time_and_all_come_to_their_turn(visible_after: float) -> None:
    store, calls = FakeCapacity(visible_after=visible_after), list[Call]()
    processes = [Process(f"p{i}", store, calls, pace=0.5) for i in range(3)]
    for process in processes:
        process.start()
    await asyncio.sleep(3 * LONGEST_TURN_SECONDS)
    found = permissions(calls)
    assert len(found) == 3
    assert {name for name, _, _ in found} == {"p0", "p1", "p2"}


@pytest.mark.parametrize("visible_after", [0.0, 1.0])
@in_virtual_time
async def test_a_planned_handover_has_neither_gap_nor_overlap(visible_after: float) -> None:
    store, calls = FakeCapacity(visible_after=visible_after), list[Call]()
    for name in ("one", "other"):
        Process(name, store, calls).start()
        await asyncio.sleep(0.55 * INTERVAL)  # they do not look at the same moments
    await asyncio.sleep(LONGEST_TURN_SECONDS + 2 * NOTICE_SECONDS)
    (gap,) = gaps(calls)
    assert 0.0 <= gap <= 0.1


@in_virtual_time
async def test_who_is_alone_keeps_the_turn() -> None:
    calls = list[Call]()
    Process("one", FakeCapacity(), calls).start()
    await asyncio.sleep(2 * LONGEST_TURN_SECONDS)
    assert max(b.at - a.at for a, b in itertools.pairwise(calls)) <= 2 * PACE


# --- running dry --------------------------------------------------------------------------------


@in_virtual_time
async def test_a_holder_that_runs_dry_hands_over_in_time() -> None:
    store, calls = FakeCapacity(), list[Call]()
    one, other = Process("one", store, calls, pace=0.5), Process("other", store, calls)
    one.start(requests=60)
    await asyncio.sleep(1)
    other.start()
    await asyncio.sleep(45)
    assert [name for name, _, _ in permissions(calls)][:2] == ["one", "other"]
    assert by(calls, other)[0] == pytest.approx(30, abs=2)
    assert gaps(calls)[0] <= 1.0


@in_virtual_time
async def test_a_holder_that_has_nothing_left_gives_the_turn_up() -> None:
    """It does not run dry in the eyes of who waits: its requests were too few to announce that."""
    store, calls = FakeCapacity(), list[Call]()
    one, other = Process("one", store, calls), Process("other", store, calls)
    one.start(requests=5)
    await asyncio.sleep(0.01)
    other.start()
    await asyncio.sleep(10)
    assert len(by(calls, one)) == 5
    assert by(calls, other)[0] <= READ_SECONDS + 1.0


# --- what fails ---------------------------------------------------------------------------------


@in_virtual_time
async def test_a_dead_holder_is_replaced_when_its_lease_has_ended() -> None:
    store, calls = FakeCapacity(), list[Call]()
    one, other = Process("one", store, calls), Process("other", store, calls)
    one.start()
    await asyncio.sleep(1)
    other.start()
    await asyncio.sleep(20)
    one.die()
    await asyncio.sleep(30)
    (gap,) = gaps(calls)
    assert LEASE_SECONDS - RENEW_SECONDS <= gap <= LEASE_SECONDS + READ_SECONDS + INTERVAL


@in_virtual_time
async def test_a_holder_that_cannot_renew_stops_before_another_begins() -> None:
    store, calls = FakeCapacity(), list[Call]()
    one, other = Process("one", store, calls), Process("other", store, calls)
    one.start()
    await asyncio.sleep(1)
    other.start()
    await asyncio.sleep(20)
    one.reach.cut = True
    await asyncio.sleep(30)
    assert [name for name, _, _ in permissions(calls)] == ["one", "other"]
    assert gaps(calls)[0] >= SAFETY_SECONDS - INTERVAL
    one.reach.cut = False
    await asyncio.sleep(30)
    assert [name for name, _, _ in permissions(calls)] == ["one", "other"], "it has lost its turn"


@in_virtual_time
async def test_a_successor_that_died_is_passed_over() -> None:
    store, calls = FakeCapacity(), list[Call]()
    one, other, third = (Process(name, store, calls) for name in ("one", "other", "third"))
    one.start()
    await asyncio.sleep(1)
    other.start()
    await asyncio.sleep(5)
    third.start()
    lease = store.records[LEASE_ID]
    while not lease["successor"]:
        await asyncio.sleep(0.5)
        lease = store.records[LEASE_ID]
    assert lease["successor"] == "other"
    other.die()
    died = other.clock.monotonic()
    await asyncio.sleep(3 * LEASE_SECONDS)
    assert by(calls, other) == []
    after = [call.at for call in calls if call.at > died]
    assert max(after) > died + 2 * LEASE_SECONDS, "others go on"
    longest = max(b - a for a, b in itertools.pairwise(after))
    assert longest <= LEASE_SECONDS + READ_SECONDS + INTERVAL


@in_virtual_time
async def test_a_lease_whose_record_has_died_in_idleness_is_made_anew() -> None:
    store, calls = FakeCapacity(), list[Call]()
    one = Process("one", store, calls)
    one.start(requests=5)
    await asyncio.sleep(RECORD_TTL_SECONDS + 60)
    assert await store.changed("ptu", since=0.0, kinds=["lease"]) == []
    one.start(requests=5)
    await asyncio.sleep(5)
    assert len(calls) == 10


@in_virtual_time
async def test_a_process_that_knows_a_vanished_lease_makes_a_new_one() -> None:
    store, gate = FakeCapacity(), waiting_gate()
    lease_keeper = LeaseKeeper(gate=gate, store=store, clock=VirtualClock(), worker="one")
    await asyncio.sleep(0)
    await lease_keeper.step()
    del store.records[LEASE_ID]
    for _ in range(RECORD_TTL_SECONDS):
        await asyncio.sleep(2)
        await lease_keeper.step()
    assert store.records[LEASE_ID]["holder"] == "one"
    assert lease_keeper.leads


# --- which hub goes first, and who speaks -------------------------------------------------------


@in_virtual_time
async def test_requests_yield_while_another_process_has_requests_soon_waiting() -> None:
    store, calls = FakeCapacity(), list[Call]()
    bulk, soon = Process("bulk", store, calls), Process("soon", store, calls, pace=1.0)
    bulk.start(REQUESTS)
    await asyncio.sleep(20)
    soon.start(REQUESTS_SOON, requests=40)
    await asyncio.sleep(60)
    first, last = by(calls, soon)[0], by(calls, soon)[-1]
    assert len(by(calls, soon)) == 40
    assert last - first == pytest.approx(39, abs=1)
    aware = [at for at in by(calls, bulk) if first + READ_SECONDS + 1 < at < last]
    assert aware == []
    assert max(by(calls, bulk)) > 79, "and it goes on afterwards"
    assert min(at for at in by(calls, bulk) if at > last) <= last + READ_SECONDS + RENEW_SECONDS


@in_virtual_time
async def test_requests_later_yield_as_well_but_requests_soon_do_not_yield_to_requests() -> None:
    store, calls = FakeCapacity(), list[Call]()
    bulk, later = Process("bulk", store, calls), Process("later", store, calls)
    soon = Process("soon", store, calls, pace=1.0)
    bulk.start(REQUESTS)
    later.start(REQUESTS_LATER)
    soon.start(REQUESTS_SOON, requests=30)
    await asyncio.sleep(25)
    assert {call.process for call in calls if call.at > 5} == {"soon"}
    assert len(by(calls, soon)) >= 23, "at its own pace"


_WAITING: set[asyncio.Future[Permit | NotAdmitted]] = set()


def waiting_gate(*hubs: str) -> Gate:
    """A gate at which requests of these hubs wait."""
    gate = Gate(deployment="ptu", controller=Paced(1e9), clock=VirtualClock(), shared=True)
    for hub in hubs or (REQUESTS,):
        for _ in range(2):
            entering = asyncio.ensure_future(gate.enter(CallAsk(work=1.0, limits=PATIENT, hub=hub)))
            _WAITING.add(entering)  # a loop keeps no task alive
            entering.add_done_callback(_WAITING.discard)
    return gate


async def read_and_step(lease_keeper: LeaseKeeper, store: FakeCapacity) -> None:
    for record in await store.changed("ptu", since=0.0):
        lease_keeper.take(record)
    await lease_keeper.step()


@in_virtual_time
async def test_who_sends_the_bulk_speaks_and_else_who_sends_at_all() -> None:
    store, clock = FakeCapacity(), VirtualClock()
    bulk = LeaseKeeper(gate=waiting_gate(REQUESTS), store=store, clock=clock, worker="bulk")
    soon = LeaseKeeper(gate=waiting_gate(REQUESTS_SOON), store=store, clock=clock, worker="soon")
    idle = LeaseKeeper(gate=waiting_gate(REQUESTS), store=store, clock=clock, worker="idle")
    await asyncio.sleep(0)

    everybody = (bulk, soon, idle)
    assert [one.speaks for one in everybody] == [False] * 3, "nobody has a turn"
    await read_and_step(soon, store)
    assert [one.speaks for one in everybody] == [False, True, False], "nobody sends the bulk"

    await read_and_step(bulk, store)
    await read_and_step(soon, store)
    await read_and_step(idle, store)
    assert [one.speaks for one in everybody] == [True, False, False]

    await asyncio.sleep(LEASE_SECONDS)
    assert [soon.speaks, idle.speaks] == [True, False], "nothing was heard of who sent the bulk"


@in_virtual_time
async def test_who_gave_the_bulk_up_does_not_speak() -> None:
    store, clock = FakeCapacity(), VirtualClock()
    bulk = LeaseKeeper(gate=waiting_gate(REQUESTS), store=store, clock=clock, worker="bulk")
    soon = LeaseKeeper(gate=waiting_gate(REQUESTS_SOON), store=store, clock=clock, worker="soon")
    await asyncio.sleep(0)
    await read_and_step(bulk, store)
    await read_and_step(soon, store)
    await bulk.release()
    await read_and_step(soon, store)
    assert (bulk.speaks, soon.speaks) == (False, True)
