"""The gate: first come, first served, as admission allows; nobody stands there too long."""

import asyncio

import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.admission.gate import PACE_SECONDS, CallAsk, Gate, NotAdmitted
from ptu_optimizer.admission.permits import PERMIT_SECONDS, Ending, Permit
from ptu_optimizer.admission.wait_limits import WaitLimits
from ptu_optimizer.capacity.control.controller import Controller
from ptu_optimizer.capacity.control.verdict import Admit, Verdict, Wait
from ptu_optimizer.capacity.estimate.belief import Belief
from ptu_optimizer.capacity.signals.learned import Learned
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.capacity.signals.signal import Signal
from ptu_optimizer.capacity.signals.usage import UsageWindow
from tests.support.controllers import level_controller
from tests.support.signals import learned

PATIENT = WaitLimits(hold_seconds=30, until=1e6)


class Seats:
    """A controller of so many calls at a time, that a test opens and closes."""

    def __init__(self, seats: int, *, retry_after: float | None = 1.0) -> None:
        self.seats = seats
        self.retry_after = retry_after
        self.taken = 0
        self.asked: list[tuple[float, str]] = []
        self.sends: list[float] = []
        self.ends: list[tuple[float, float | None]] = []
        self.signals: list[Signal] = []
        self.ticks: list[float] = []

    def ask(self, *, now: float, work: float, priority: str) -> Verdict:
        self.asked.append((work, priority))
        if self.seats == 0:
            retry_at = None if self.retry_after is None else now + self.retry_after
            return Wait("closed for the test", blocked=True, retry_at=retry_at)
        if self.taken < self.seats:
            return Admit("open")
        return Wait("all seats are taken", blocked=False, retry_at=None)

    def sent(self, *, now: float, work: float) -> None:
        self.taken += 1
        self.sends.append(work)

    def ended(self, *, now: float, reserved: float, used: float | None) -> None:
        self.taken -= 1
        self.ends.append((reserved, used))

    def observe(self, signal: Signal, *, now: float) -> None:
        self.signals.append(signal)
        if isinstance(signal, Reading):
            self.seats = round(signal.value * 10)

    def tick(self, *, now: float) -> None:
        self.ticks.append(now)

    def belief(self, *, now: float) -> Belief:
        return Belief(value=self.seats / 10, source="test", age=0, fresh=True)

    def learned(self, *, now: float) -> Learned | None:
        return learned(at=now) if self.signals else None


def gate_of(controller: Controller, *, shared: bool = False) -> Gate:
    return Gate(deployment="ptu", controller=controller, clock=VirtualClock(), shared=shared)


def reading_of(seats: int) -> Reading:
    return Reading(
        deployment="ptu", kind=ReadingKind.LEVEL, value=seats / 10, source="x", observed_at=EPOCH
    )


async def enter(
    gate: Gate,
    *,
    work: float = 1.0,
    limits: WaitLimits = PATIENT,
    hub: str = "",
    overtakes: bool = False,
    prefix: str | None = None,
    more_behind: bool = False,
) -> Permit:
    passed = await gate.enter(
        CallAsk(
            work=work,
            limits=limits,
            hub=hub,
            overtakes=overtakes,
            prefix=prefix,
            more_behind=more_behind,
        )
    )
    assert isinstance(passed, Permit), passed
    return passed


def now() -> float:
    return asyncio.get_running_loop().time()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


# --- passing ------------------------------------------------------------------------------------


@in_virtual_time
async def test_an_open_gate_lets_pass_at_once() -> None:
    gate = gate_of(Seats(2))
    await enter(gate)
    await enter(gate)
    assert gate.in_flight == 2
    assert now() == 0


@in_virtual_time
async def test_who_waits_passes_when_a_call_ends() -> None:
    gate = gate_of(Seats(1))
    first = await enter(gate)
    second = asyncio.create_task(enter(gate))
    asyncio.get_running_loop().call_later(5, first.end)
    await second
    assert now() == pytest.approx(5)
    assert gate.in_flight == 1


@in_virtual_time
async def test_who_waits_passes_when_a_reading_opens_the_gate() -> None:
    gate = gate_of(Seats(0, retry_after=None))
    waiting = asyncio.create_task(enter(gate))
    asyncio.get_running_loop().call_later(7, gate.observe, reading_of(1))
    await waiting
    assert now() == pytest.approx(7)


@in_virtual_time
async def test_who_waits_passes_at_the_time_that_the_verdict_named() -> None:
    controller = Seats(0, retry_after=4)
    gate = gate_of(controller)
    waiting = asyncio.create_task(enter(gate))
    await settle()
    controller.seats = 1
    await waiting
    assert now() == pytest.approx(4)


@in_virtual_time
async def test_a_closed_gate_is_asked_no_more_often_than_it_wants() -> None:
    controller = Seats(0, retry_after=10)
    await gate_of(controller).enter(CallAsk(work=1, limits=PATIENT))
    assert len(controller.asked) <= 4


@in_virtual_time
async def test_a_time_to_ask_again_that_is_over_does_not_spin() -> None:
    controller = Seats(0, retry_after=-5)
    await gate_of(controller).enter(CallAsk(work=1, limits=WaitLimits(hold_seconds=1, until=1e6)))
    assert len(controller.asked) <= 1_100, "at most once a millisecond"


@in_virtual_time
async def test_first_come_first_served() -> None:
    gate = gate_of(Seats(1))
    order: list[int] = []

    async def one(number: int) -> None:
        permit = await enter(gate)
        order.append(number)
        await asyncio.sleep(1)
        permit.end()

    await asyncio.gather(*map(one, range(20)))
    assert order == list(range(20))


@in_virtual_time
async def test_a_newcomer_does_not_overtake_who_waits() -> None:
    controller = Seats(1)
    gate = gate_of(controller)
    holder = await enter(gate)
    waiting = asyncio.create_task(enter(gate))
    await settle()
    holder.end()
    newcomer = asyncio.create_task(enter(gate))
    await settle()
    assert waiting.done()
    assert not newcomer.done()
    (await waiting).end()
    await newcomer


@in_virtual_time
async def test_as_many_pass_as_there_are_seats() -> None:
    gate = gate_of(Seats(0, retry_after=None))
    waiting = [asyncio.create_task(enter(gate)) for _ in range(10)]
    await settle()
    gate.observe(reading_of(3))
    await settle()
    assert [task.done() for task in waiting] == [True] * 3 + [False] * 7
    gate.observe(reading_of(10))
    await asyncio.gather(*waiting)
    assert gate.in_flight == 10


@in_virtual_time
async def test_who_overtakes_passes_before_all_who_do_not_and_keeps_order_among_equals() -> None:
    gate = gate_of(Seats(1))
    order: list[str] = []

    async def one(name: str, *, overtakes: bool = False) -> None:
        permit = await enter(gate, overtakes=overtakes)
        order.append(name)
        await asyncio.sleep(1)
        permit.end()

    holder = await enter(gate)
    crowd = [asyncio.create_task(one(name)) for name in ("bulk 1", "bulk 2")]
    await settle()
    crowd += [asyncio.create_task(one(name, overtakes=True)) for name in ("soon 1", "soon 2")]
    await settle()
    holder.end()
    await asyncio.gather(*crowd)
    assert order == ["soon 1", "soon 2", "bulk 1", "bulk 2"]


@in_virtual_time
async def test_who_overtakes_still_waits_for_admission() -> None:
    why = await gate_of(Seats(0)).enter(CallAsk(work=1, limits=PATIENT, overtakes=True))
    assert why == NotAdmitted("closed for the test")
    assert now() == pytest.approx(30)


# --- patience -----------------------------------------------------------------------------------


@in_virtual_time
async def test_a_closed_gate_is_stood_at_for_the_hold_and_says_why() -> None:
    why = await gate_of(Seats(0)).enter(CallAsk(work=1, limits=PATIENT))
    assert why == NotAdmitted("closed for the test")
    assert now() == pytest.approx(30)


@in_virtual_time
async def test_a_hold_counts_for_each_who_comes_from_when_they_came() -> None:
    gate = gate_of(Seats(0))
    first = asyncio.create_task(gate.enter(CallAsk(work=1, limits=PATIENT)))
    await asyncio.sleep(20)
    second = asyncio.create_task(gate.enter(CallAsk(work=1, limits=PATIENT)))
    assert isinstance(await first, NotAdmitted)
    assert now() == pytest.approx(30)
    assert isinstance(await second, NotAdmitted)
    assert now() == pytest.approx(50)


@in_virtual_time
async def test_a_hold_counts_from_when_the_gate_closed() -> None:
    gate = gate_of(Seats(1))
    holder = await enter(gate)
    waiting = asyncio.create_task(gate.enter(CallAsk(work=1, limits=PATIENT)))
    await asyncio.sleep(100)
    gate.observe(reading_of(0))
    assert isinstance(await waiting, NotAdmitted)
    assert now() == pytest.approx(130)
    holder.end()


@in_virtual_time
async def test_a_hold_starts_anew_when_the_gate_was_open_in_between() -> None:
    controller = Seats(0, retry_after=None)
    gate = gate_of(controller)
    waiting = [asyncio.create_task(gate.enter(CallAsk(work=1, limits=PATIENT))) for _ in range(2)]
    await asyncio.sleep(20)
    gate.observe(reading_of(1))
    await asyncio.sleep(5)
    gate.observe(reading_of(0))
    assert isinstance(await waiting[0], Permit)
    assert isinstance(await waiting[1], NotAdmitted)
    assert now() == pytest.approx(55)


@in_virtual_time
async def test_at_an_open_gate_one_waits_for_a_seat_until_the_budget_ends() -> None:
    gate = gate_of(Seats(1))
    await enter(gate)
    why = await gate.enter(CallAsk(work=1, limits=WaitLimits(hold_seconds=30, until=120)))
    assert why == NotAdmitted("all seats are taken")
    assert now() == pytest.approx(120)


@in_virtual_time
async def test_the_budget_ends_a_hold() -> None:
    why = await gate_of(Seats(0)).enter(
        CallAsk(work=1, limits=WaitLimits(hold_seconds=30, until=10))
    )
    assert isinstance(why, NotAdmitted)
    assert now() == pytest.approx(10)


@in_virtual_time
@pytest.mark.parametrize("seats", [0, 1], ids=["blocked", "taken"])
@pytest.mark.parametrize("ours", [True, False], ids=["we may send", "another process sends"])
async def test_the_end_of_a_route_ends_the_wait_whatever_it_waits_for(
    seats: int, ours: bool
) -> None:
    gate = gate_of(Seats(seats), shared=True)
    gate.turn("a", ours=True, why="we have it")
    if seats:
        await enter(gate, hub="a")
    gate.turn("a", ours=ours, why="as agreed")
    limits = WaitLimits(hold_seconds=30, until=1e6, route_seconds=7)
    refusal = await gate.enter(CallAsk(work=1, hub="a", limits=limits))
    assert isinstance(refusal, NotAdmitted)
    assert refusal.route_is_over
    assert now() == pytest.approx(7)


@in_virtual_time
async def test_a_route_that_is_over_lets_pass_what_need_not_wait() -> None:
    limits = WaitLimits(hold_seconds=30, until=1e6, route_seconds=-1)
    passed = await gate_of(Seats(1)).enter(CallAsk(work=1, limits=limits))
    assert isinstance(passed, Permit)
    refused = await gate_of(Seats(0)).enter(CallAsk(work=1, limits=limits))
    assert refused == NotAdmitted("closed for the test", route_is_over=True)


@in_virtual_time
async def test_each_is_let_go_when_its_own_patience_ends() -> None:
    gate = gate_of(Seats(0, retry_after=None))
    left: list[tuple[float, float]] = []

    async def stand(hold: float) -> None:
        await gate.enter(CallAsk(work=1, limits=WaitLimits(hold_seconds=hold, until=1e6)))
        left.append((hold, now()))

    holds = [30.0, 5.0, 12.0, 5.0, 21.0]
    await asyncio.gather(*(stand(hold) for hold in holds))
    assert left == [(hold, hold) for hold in sorted(holds)]


@in_virtual_time
async def test_without_patience_a_closed_gate_answers_at_once() -> None:
    why = await gate_of(Seats(0)).enter(
        CallAsk(work=1, limits=WaitLimits(hold_seconds=0, until=1e6))
    )
    assert why == NotAdmitted("closed for the test")
    assert now() == 0


@in_virtual_time
async def test_who_went_away_takes_no_seat() -> None:
    controller = Seats(0, retry_after=None)
    gate = gate_of(controller)
    assert isinstance(await gate.enter(CallAsk(work=1, limits=PATIENT)), NotAdmitted)
    gate.observe(reading_of(1))
    assert gate.in_flight == 0
    await enter(gate)


# --- ends ---------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_permit_ends_once_however_often_it_is_ended() -> None:
    controller = Seats(1)
    gate = gate_of(controller)
    permit = await enter(gate, work=70)
    permit.end(Ending(used=50))
    permit.end()
    permit.end(Ending(used=60))
    assert controller.ends == [(70, 50)]
    assert gate.in_flight == 0


@in_virtual_time
async def test_who_is_cancelled_while_waiting_leaves_the_line() -> None:
    gate = gate_of(Seats(1))
    holder = await enter(gate)
    cancelled = asyncio.create_task(enter(gate))
    behind = asyncio.create_task(enter(gate))
    await settle()
    cancelled.cancel()
    await settle()
    assert cancelled.cancelled()
    holder.end()
    await behind
    assert gate.in_flight == 1


@in_virtual_time
async def test_who_is_cancelled_as_they_pass_gives_the_seat_back() -> None:
    gate = gate_of(Seats(1))
    holder = await enter(gate)
    cancelled = asyncio.create_task(enter(gate))
    behind = asyncio.create_task(enter(gate))
    await settle()
    holder.end()  # now it is the cancelled one's turn, but it has not run yet
    cancelled.cancel()
    await behind
    assert cancelled.cancelled()
    assert gate.in_flight == 1


@in_virtual_time
async def test_no_seat_is_lost_in_a_crowd_that_comes_goes_and_is_cancelled() -> None:
    controller = Seats(3)
    gate = gate_of(controller)

    async def one(number: int) -> None:
        await asyncio.sleep(number % 7)
        limits = WaitLimits(hold_seconds=number % 5, until=now() + number % 11)
        passed = await gate.enter(CallAsk(work=1, limits=limits, overtakes=number % 3 == 0))
        assert gate.in_flight <= 10
        if isinstance(passed, Permit):
            await asyncio.sleep(number % 4)
            passed.end(Ending(used=1))

    crowd = [asyncio.create_task(one(number)) for number in range(200)]
    for second in range(20):
        await asyncio.sleep(0.9)
        crowd[second * 7].cancel()
        gate.observe(reading_of((second * 3) % 5))
    gate.observe(reading_of(10))
    results = await asyncio.gather(*crowd, return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
    assert gate.in_flight == controller.taken


# --- permits that nobody ends --------------------------------------------------------------------


@in_virtual_time
async def test_permits_that_are_never_ended_expire_as_used_in_full() -> None:
    controller = Seats(64)
    gate = gate_of(controller)
    for _ in range(64):
        await enter(gate, work=70)
    waiting = asyncio.create_task(enter(gate))
    await asyncio.sleep(PERMIT_SECONDS)
    gate.tick()
    await settle()
    assert not waiting.done(), "they may still be under way"
    await asyncio.sleep(1)
    gate.tick()
    await waiting
    assert controller.ends == [(70, None)] * 64
    assert gate.in_flight == controller.taken == 1


@in_virtual_time
async def test_the_late_end_of_an_expired_permit_frees_no_seat() -> None:
    controller = Seats(64)
    gate = gate_of(controller)
    lost = [await enter(gate) for _ in range(64)]
    await asyncio.sleep(PERMIT_SECONDS + 1)
    successors = [await enter(gate) for _ in range(64)]
    over = asyncio.create_task(enter(gate))
    await settle()
    for permit in lost:
        permit.end(Ending(used=0, answered=True))
    await settle()
    assert not over.done()
    assert gate.in_flight == controller.taken == 64
    assert len(controller.ends) == 64
    successors[0].end()
    await over
    assert gate.in_flight == 64


@in_virtual_time
async def test_only_permits_that_are_old_enough_expire() -> None:
    controller = Seats(4)
    gate = gate_of(controller)
    old = [await enter(gate, work=1) for _ in range(2)]
    await asyncio.sleep(100)
    young = [await enter(gate, work=2) for _ in range(2)]
    old[0].end(Ending(used=1))
    await asyncio.sleep(PERMIT_SECONDS - 50)
    gate.verdict(hub="")
    assert controller.ends == [(1, 1), (1, None)]
    assert gate.in_flight == 2
    for permit in (*old, *young):
        permit.end()
    assert gate.in_flight == controller.taken == 0


@in_virtual_time
async def test_leaked_reservations_expire_without_over_admitting() -> None:
    """With the controller that runs in production: nothing is given back that was not reserved."""
    gate = gate_of(level_controller())
    idle = Reading(
        deployment="ptu", kind=ReadingKind.LEVEL, value=0.0, source="x", observed_at=EPOCH
    )
    gate.observe(idle)
    lost = [await enter(gate, work=5) for _ in range(64)]
    waiting = [asyncio.create_task(enter(gate, work=5)) for _ in range(65)]
    await settle()
    assert gate.in_flight == 64
    await asyncio.sleep(PERMIT_SECONDS + 1)
    gate.observe(
        Reading(
            deployment="ptu",
            kind=ReadingKind.LEVEL,
            value=0.0,
            source="x",
            observed_at=EPOCH + PERMIT_SECONDS + 1,
        )
    )
    await settle()
    assert [task.done() for task in waiting] == [True] * 64 + [False]
    assert gate.in_flight == 64

    believed = gate.belief().value
    assert believed is not None
    assert believed > 0
    for permit in lost:
        permit.end(Ending(used=0))
    await settle()
    assert gate.belief().value == believed
    assert gate.in_flight == 64
    assert not waiting[64].done()

    for task in waiting[:64]:
        (await task).end(Ending(used=5))
    (await waiting[64]).end(Ending(used=5))
    assert gate.in_flight == 0


# --- turns, where other processes may send as well ------------------------------------------------


@in_virtual_time
async def test_nobody_passes_before_a_turn_is_given() -> None:
    controller = Seats(10)
    gate = gate_of(controller, shared=True)
    waiting = asyncio.create_task(enter(gate, hub="a"))
    await asyncio.sleep(5)
    gate.tick()
    gate.observe(reading_of(10))
    await settle()
    assert not waiting.done()
    assert gate.verdict(hub="a") == Wait(
        "which process may send is being agreed", blocked=False, retry_at=None
    )
    gate.turn("a", ours=True, why="we have it")
    await waiting
    assert now() == pytest.approx(5)


@in_virtual_time
async def test_a_turn_is_given_for_one_hub() -> None:
    gate = gate_of(Seats(10), shared=True)
    a, b = (asyncio.create_task(enter(gate, hub=hub)) for hub in "ab")
    await settle()
    gate.turn("b", ours=True, why="we have it")
    await settle()
    assert (a.done(), b.done()) == (False, True)
    assert (gate.waiting("a"), gate.waiting("b"), gate.waiting("c")) == (1, 0, 0)
    assert gate.hubs == ["a", "b"]
    assert gate.verdict(hub="b") == Admit("open")
    gate.turn("a", ours=True, why="we have it")
    await a


@in_virtual_time
async def test_a_turn_that_is_taken_away_stops_who_waits_and_not_who_passed() -> None:
    gate = gate_of(Seats(1), shared=True)
    gate.turn("a", ours=True, why="we have it")
    passed = await enter(gate, hub="a")
    waiting = asyncio.create_task(enter(gate, hub="a"))
    await settle()
    gate.turn("a", ours=False, why="worker 2 has the turn")
    assert gate.in_flight == 1
    passed.end()
    await settle()
    assert not waiting.done()
    assert gate.verdict(hub="a") == Wait("worker 2 has the turn", blocked=False, retry_at=None)
    gate.turn("a", ours=True, why="we have it again")
    await waiting


@in_virtual_time
async def test_a_turn_ends_by_itself_when_nobody_says_anything() -> None:
    """Whoever agrees on turns may be held up: the store does not answer, say."""
    gate = gate_of(Seats(5), shared=True)
    gate.turn("bulk", ours=True, why="ours", until=now() + 8)
    await enter(gate, hub="bulk")
    await asyncio.sleep(7.9)
    await enter(gate, hub="bulk")
    await asyncio.sleep(0.1)
    late = asyncio.create_task(enter(gate, hub="bulk"))
    await asyncio.sleep(5)
    assert not late.done()
    gate.turn("bulk", ours=True, why="ours", until=now() + 8)
    await late
    assert now() == pytest.approx(13)


@in_virtual_time
async def test_first_come_first_served_across_hubs() -> None:
    gate = gate_of(Seats(1))
    order: list[str] = []

    async def one(hub: str, number: int) -> None:
        permit = await enter(gate, hub=hub)
        order.append(f"{hub}{number}")
        await asyncio.sleep(1)
        permit.end()

    await asyncio.gather(*(one("abba"[number % 4], number) for number in range(8)))
    assert order == ["a0", "b1", "b2", "a3", "a4", "b5", "b6", "a7"]


@in_virtual_time
async def test_who_overtakes_passes_before_other_hubs_too_if_it_is_its_hubs_turn() -> None:
    gate = gate_of(Seats(1), shared=True)
    for hub in "ab":
        gate.turn(hub, ours=True, why="we have it")
    order: list[str] = []

    async def one(name: str, hub: str, *, overtakes: bool = False) -> None:
        permit = await enter(gate, hub=hub, overtakes=overtakes)
        order.append(name)
        await asyncio.sleep(1)
        permit.end()

    holder = await enter(gate, hub="a")
    crowd = [
        asyncio.create_task(one("bulk", "a")),
        asyncio.create_task(one("not its turn", "c", overtakes=True)),
        asyncio.create_task(one("soon", "b", overtakes=True)),
        asyncio.create_task(one("soon too", "b", overtakes=True)),
    ]
    await settle()
    holder.end()
    await asyncio.gather(*crowd[:1], *crowd[2:])
    assert order == ["soon", "soon too", "bulk"]
    gate.turn("c", ours=True, why="we have it")
    await crowd[1]
    assert order[-1] == "not its turn"


@in_virtual_time
async def test_waiting_for_a_turn_uses_up_neither_the_hold_nor_the_budget() -> None:
    gate = gate_of(Seats(0), shared=True)
    waiting = asyncio.create_task(
        gate.enter(CallAsk(work=1, hub="a", limits=WaitLimits(hold_seconds=30, until=100)))
    )
    await asyncio.sleep(1_000)
    assert not waiting.done()
    gate.turn("a", ours=True, why="we have it")
    assert await waiting == NotAdmitted("closed for the test")
    assert now() == pytest.approx(1_030)


@in_virtual_time
async def test_the_hold_counts_from_the_turn_even_if_the_gate_was_closed_to_another_hub() -> None:
    gate = gate_of(Seats(0), shared=True)
    gate.turn("a", ours=True, why="we have it")
    holding = asyncio.create_task(
        gate.enter(CallAsk(work=1, hub="a", limits=WaitLimits(hold_seconds=500, until=1e6)))
    )
    waiting = asyncio.create_task(gate.enter(CallAsk(work=1, hub="b", limits=PATIENT)))
    await asyncio.sleep(200)
    gate.turn("b", ours=True, why="we have it too")
    assert await waiting == NotAdmitted("closed for the test")
    assert now() == pytest.approx(230)
    assert await holding == NotAdmitted("closed for the test")
    assert now() == pytest.approx(500)


@in_virtual_time
async def test_the_budget_is_longer_by_the_wait_for_the_turn() -> None:
    gate = gate_of(Seats(1), shared=True)
    gate.turn("b", ours=True, why="we have it")
    await enter(gate, hub="b")
    waiting = asyncio.create_task(
        gate.enter(CallAsk(work=1, hub="a", limits=WaitLimits(hold_seconds=30, until=100)))
    )
    await asyncio.sleep(500)
    gate.turn("a", ours=True, why="we have it")
    assert await waiting == NotAdmitted("all seats are taken")
    assert now() == pytest.approx(600)


@in_virtual_time
async def test_a_turn_that_was_away_while_the_gate_was_closed_begins_a_hold_anew() -> None:
    gate = gate_of(Seats(0, retry_after=None), shared=True)
    gate.turn("a", ours=True, why="we have it")
    waiting = asyncio.create_task(gate.enter(CallAsk(work=1, hub="a", limits=PATIENT)))
    await asyncio.sleep(10)
    gate.turn("a", ours=False, why="worker 2 has the turn")
    await asyncio.sleep(490)
    assert not waiting.done()
    gate.turn("a", ours=True, why="we have it again")
    assert await waiting == NotAdmitted("closed for the test")
    assert now() == pytest.approx(530)


@in_virtual_time
async def test_who_waits_for_a_turn_too_long_hears_who_has_it() -> None:
    gate = gate_of(Seats(1), shared=True)
    gate.turn("a", ours=False, why="worker 2 has the turn")
    limits = WaitLimits(hold_seconds=30, until=1e6, turn_seconds=6_600)
    why = await gate.enter(CallAsk(work=1, hub="a", limits=limits))
    assert why == NotAdmitted("worker 2 has the turn")
    assert now() == pytest.approx(6_600)
    why = await gate.enter(
        CallAsk(work=1, hub="a", limits=WaitLimits(hold_seconds=0, until=1e6, turn_seconds=7))
    )
    assert why == NotAdmitted("worker 2 has the turn")
    assert now() == pytest.approx(6_607)


@in_virtual_time
async def test_a_turn_is_wanted_once_when_the_first_of_a_hub_comes() -> None:
    gate = gate_of(Seats(10), shared=True)
    wanted: list[float] = []
    gate.on_wanted = lambda: wanted.append(now())
    crowd = [asyncio.create_task(enter(gate, hub="a")) for _ in range(3)]
    await asyncio.sleep(1)
    crowd.append(asyncio.create_task(enter(gate, hub="b")))
    await settle()
    assert wanted == pytest.approx([0, 1]), "once for each hub"
    for hub in "ab":
        gate.turn(hub, ours=True, why="we have it")
    await asyncio.gather(*crowd)
    await enter(gate, hub="a")
    assert len(wanted) == 2, "a turn that is ours is not wanted"
    gate.turn("a", ours=False, why="worker 2 has the turn")
    again = asyncio.create_task(enter(gate, hub="a"))
    await settle()
    assert len(wanted) == 3
    gate.turn("a", ours=True, why="we have it again")
    await again


# --- when a hub runs dry --------------------------------------------------------------------------


@in_virtual_time
async def test_a_hub_of_which_nothing_waits_is_dry() -> None:
    gate = gate_of(Seats(10))
    assert gate.dry_in("a") == 0
    await enter(gate, hub="a", more_behind=True)
    assert gate.dry_in("a") == 0


@in_virtual_time
async def test_a_hub_runs_dry_at_the_pace_of_the_last_seconds() -> None:
    gate = gate_of(Seats(5))
    for _ in range(5):
        await enter(gate, hub="b")
    crowd = [asyncio.create_task(enter(gate, hub="a")) for _ in range(3)]
    await settle()
    assert gate.dry_in("a") == pytest.approx(3 * PACE_SECONDS / 5)
    assert gate.dry_in("b") == 0
    await asyncio.sleep(PACE_SECONDS + 1)
    assert gate.dry_in("a") == float("inf"), "nothing leaves any more"
    gate.observe(reading_of(10))
    await asyncio.gather(*crowd)
    assert gate.dry_in("a") == 0


@in_virtual_time
async def test_a_hub_that_has_more_behind_does_not_run_dry() -> None:
    gate = gate_of(Seats(1))
    await enter(gate, hub="a")
    full = asyncio.create_task(
        gate.enter(CallAsk(work=1, hub="a", limits=PATIENT, more_behind=True))
    )
    await settle()
    assert gate.dry_in("a") == float("inf")
    last = asyncio.create_task(gate.enter(CallAsk(work=1, hub="a", limits=PATIENT)))
    await settle()
    assert gate.dry_in("a") == pytest.approx(2 * PACE_SECONDS), "the newest batch was not full"
    for task in (full, last):
        task.cancel()
    await settle()
    assert gate.dry_in("a") == 0


# --- what passes through --------------------------------------------------------------------------


@in_virtual_time
async def test_requests_with_the_same_prefix_pass_together() -> None:
    gate = gate_of(Seats(1))
    order: list[str] = []

    async def one(name: str, prefix: str | None) -> None:
        permit = await enter(gate, prefix=prefix)
        order.append(name)
        await asyncio.sleep(1)
        permit.end()

    await asyncio.gather(
        one("p1", "p"), one("q1", "q"), one("p2", "p"), one("none", None), one("q2", "q")
    )
    assert order == ["p1", "p2", "q1", "q2", "none"]


@in_virtual_time
async def test_admission_is_asked_for_the_work_and_priority_of_who_is_next() -> None:
    controller = Seats(1)
    gate = gate_of(controller)
    assert isinstance(
        await gate.enter(CallAsk(work=70, limits=PATIENT, hub="a", priority="high")), Permit
    )
    assert controller.asked == [(70, "high")]
    assert controller.sends == [70]


@in_virtual_time
async def test_own_usage_tells_of_windows_that_are_over_and_once() -> None:
    gate = gate_of(Seats(10))
    assert gate.own_usage(source="me") is None
    first = await enter(gate, work=70)
    second = await enter(gate, work=30)
    first.end(Ending(used=50))
    second.end(Ending(used=0, refused=True))
    assert gate.own_usage(source="me") is None, "the window is still open"
    await asyncio.sleep(0.5)
    third = await enter(gate, work=7)
    told = gate.own_usage(source="me")
    assert told is not None
    assert (told.deployment, told.source, told.ours) == ("ptu", "me", True)
    assert told.windows == (
        UsageWindow(start=EPOCH, reserved=100, corrected=-50, used=50, calls=2, refused=1),
    )
    assert gate.own_usage(source="me") is None
    await asyncio.sleep(0.5)
    third.end(Ending(used=None))
    told = gate.own_usage(source="me")
    assert told is not None
    assert told.windows == (UsageWindow(start=EPOCH + 0.5, reserved=7, calls=1),)


@in_virtual_time
async def test_signals_ticks_and_beliefs_pass_through() -> None:
    controller = Seats(1)
    gate = gate_of(controller)
    assert gate.learned() is None
    gate.observe(reading_of(4))
    assert controller.signals == [reading_of(4)]
    assert gate.belief().value == 0.4
    assert gate.learned() == learned(at=EPOCH)
    await asyncio.sleep(3)
    gate.tick()
    assert controller.ticks == [EPOCH + 3]


@in_virtual_time
async def test_a_reading_of_our_own_calls_is_kept_for_others_and_observed() -> None:
    controller = Seats(1)
    gate = gate_of(controller)
    gate.observe(reading_of(4))
    assert gate.own_reading() is None, "others told us of it"
    gate.told(reading_of(5))
    assert gate.own_reading() == reading_of(5)
    assert controller.signals == [reading_of(4), reading_of(5)]
