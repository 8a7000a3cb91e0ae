"""The gate: first come, first served, as admission allows; nobody stands there too long."""

import asyncio

import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.capacity.admission import Admit, Verdict, Wait
from ptu_optimizer.capacity.gauge import Belief
from ptu_optimizer.capacity.reading import Kind, Reading
from ptu_optimizer.requests.gate import Gate, Patience, Permit

PATIENT = Patience(hold_seconds=30, until=1e6)


class Seats:
    """A controller of so many calls at a time, that a test opens and closes."""

    def __init__(self, seats: int, *, retry_after: float | None = 1.0) -> None:
        self.seats = seats
        self.retry_after = retry_after
        self.taken = 0
        self.asked: list[float] = []
        self.ends: list[tuple[float, float | None]] = []
        self.readings: list[Reading] = []

    def ask(self, *, now: float, work: float) -> Verdict:
        self.asked.append(now)
        if self.seats == 0:
            retry_at = None if self.retry_after is None else now + self.retry_after
            return Wait("closed for the test", closed=True, retry_at=retry_at)
        if self.taken < self.seats:
            return Admit("open")
        return Wait("all seats are taken", closed=False, retry_at=None)

    def sent(self, *, now: float, work: float) -> None:
        self.taken += 1

    def ended(self, *, now: float, reserved: float, used: float | None) -> None:
        self.taken -= 1
        self.ends.append((reserved, used))

    def observe(self, reading: Reading, *, now: float) -> None:
        self.readings.append(reading)
        self.seats = round(reading.value * 10)

    def belief(self, *, now: float) -> Belief:
        return Belief(value=self.seats / 10, source="test", age=0, fresh=True)

    def newest_reading(self) -> Reading | None:
        return self.readings[-1] if self.readings else None


def gate_of(controller: Seats) -> Gate:
    return Gate(deployment="ptu", controller=controller, clock=VirtualClock())


def reading_of(seats: int) -> Reading:
    return Reading(
        deployment="ptu", kind=Kind.LEVEL, value=seats / 10, source="x", observed_at=EPOCH
    )


async def enter(
    gate: Gate, *, work: float = 1.0, patience: Patience = PATIENT, overtakes: bool = False
) -> Permit:
    passed = await gate.enter(work=work, patience=patience, overtakes=overtakes)
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
    await gate_of(controller).enter(work=1, patience=PATIENT)
    assert len(controller.asked) <= 4


@in_virtual_time
async def test_a_time_to_ask_again_that_is_over_does_not_spin() -> None:
    controller = Seats(0, retry_after=-5)
    await gate_of(controller).enter(work=1, patience=Patience(hold_seconds=1, until=1e6))
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
    why = await gate_of(Seats(0)).enter(work=1, patience=PATIENT, overtakes=True)
    assert why == "closed for the test"
    assert now() == pytest.approx(30)


# --- patience -----------------------------------------------------------------------------------


@in_virtual_time
async def test_a_closed_gate_is_stood_at_for_the_hold_and_says_why() -> None:
    why = await gate_of(Seats(0)).enter(work=1, patience=PATIENT)
    assert why == "closed for the test"
    assert now() == pytest.approx(30)


@in_virtual_time
async def test_a_hold_counts_for_each_who_comes_from_when_they_came() -> None:
    gate = gate_of(Seats(0))
    first = asyncio.create_task(gate.enter(work=1, patience=PATIENT))
    await asyncio.sleep(20)
    second = asyncio.create_task(gate.enter(work=1, patience=PATIENT))
    assert isinstance(await first, str)
    assert now() == pytest.approx(30)
    assert isinstance(await second, str)
    assert now() == pytest.approx(50)


@in_virtual_time
async def test_a_hold_counts_from_when_the_gate_closed() -> None:
    gate = gate_of(Seats(1))
    holder = await enter(gate)
    waiting = asyncio.create_task(gate.enter(work=1, patience=PATIENT))
    await asyncio.sleep(100)
    gate.observe(reading_of(0))
    assert isinstance(await waiting, str)
    assert now() == pytest.approx(130)
    holder.end()


@in_virtual_time
async def test_a_hold_starts_anew_when_the_gate_was_open_in_between() -> None:
    controller = Seats(0, retry_after=None)
    gate = gate_of(controller)
    waiting = [asyncio.create_task(gate.enter(work=1, patience=PATIENT)) for _ in range(2)]
    await asyncio.sleep(20)
    gate.observe(reading_of(1))
    await asyncio.sleep(5)
    gate.observe(reading_of(0))
    assert isinstance(await waiting[0], Permit)
    assert isinstance(await waiting[1], str)
    assert now() == pytest.approx(55)


@in_virtual_time
async def test_at_an_open_gate_one_waits_for_a_seat_until_the_budget_ends() -> None:
    gate = gate_of(Seats(1))
    await enter(gate)
    why = await gate.enter(work=1, patience=Patience(hold_seconds=30, until=120))
    assert why == "all seats are taken"
    assert now() == pytest.approx(120)


@in_virtual_time
async def test_the_budget_ends_a_hold() -> None:
    why = await gate_of(Seats(0)).enter(work=1, patience=Patience(hold_seconds=30, until=10))
    assert isinstance(why, str)
    assert now() == pytest.approx(10)


@in_virtual_time
async def test_without_patience_a_closed_gate_answers_at_once() -> None:
    why = await gate_of(Seats(0)).enter(work=1, patience=Patience(hold_seconds=0, until=1e6))
    assert why == "closed for the test"
    assert now() == 0


@in_virtual_time
async def test_who_went_away_takes_no_seat() -> None:
    controller = Seats(0, retry_after=None)
    gate = gate_of(controller)
    assert isinstance(await gate.enter(work=1, patience=PATIENT), str)
    gate.observe(reading_of(1))
    assert gate.in_flight == 0
    await enter(gate)


# --- ends ---------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_permit_ends_once_however_often_it_is_ended() -> None:
    controller = Seats(1)
    gate = gate_of(controller)
    permit = await enter(gate, work=70)
    permit.end(used=50)
    permit.end()
    permit.end(used=60)
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
        patience = Patience(hold_seconds=number % 5, until=now() + number % 11)
        passed = await gate.enter(work=1, patience=patience, overtakes=number % 3 == 0)
        assert gate.in_flight <= 10
        if isinstance(passed, Permit):
            await asyncio.sleep(number % 4)
            passed.end(used=1)

    crowd = [asyncio.create_task(one(number)) for number in range(200)]
    for second in range(20):
        await asyncio.sleep(0.9)
        crowd[second * 7].cancel()
        gate.observe(reading_of((second * 3) % 5))
    gate.observe(reading_of(10))
    results = await asyncio.gather(*crowd, return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
    assert gate.in_flight == controller.taken


@in_virtual_time
async def test_the_gate_passes_readings_and_beliefs_through() -> None:
    gate = gate_of(Seats(1))
    assert gate.newest_reading() is None
    gate.observe(reading_of(4))
    assert gate.newest_reading() == reading_of(4)
    assert gate.belief().value == 0.4
