"""How long a request will wait, learned from those that left the gate, however they came."""

from __future__ import annotations

import random
import statistics
from collections import deque
from collections.abc import Iterator

import orjson
import pytest

from ptu_optimizer.requests.status.flow import (
    IDLE_SECONDS,
    LEAST_BUSY_SECONDS,
    MEMORY_SECONDS,
    MOST_GROUPS,
    SCATTER,
    Flow,
    FlowMeter,
    GroupProgress,
    InvalidFlow,
    Place,
)
from ptu_optimizer.requests.status.outlook import Outlook


def place(index: int = 0, *, accepted_at: float = 0.0, count: int = 1, group: str = "") -> Place:
    return Place(
        accepted_at=accepted_at, group=group or f"group {accepted_at}", index=index, count=count
    )


def flow_of(meter: FlowMeter, *, now: float) -> Flow:
    flow = meter.flow(hub="requests", worker="w", now=now)
    assert flow is not None
    return flow


def served(meter: FlowMeter, places: list[Place], *, every: float, start: float = 0.0) -> float:
    """All are in hand; one leaves at each interval. Returns when the last has left."""
    for _ in places:
        meter.took(now=start)
    for number, one in enumerate(places, 1):
        meter.left(one, now=start + number * every, started=True)
        meter.done(now=start + number * every)
    return start + len(places) * every


GROUP = [place(index, count=100) for index in range(100)]


# --- the rate -----------------------------------------------------------------------------------


def test_nothing_is_known_before_somebody_has_left() -> None:
    meter = FlowMeter()
    meter.took(now=0.0)
    assert meter.flow(hub="requests", worker="w", now=10.0) is None


def test_the_rate_is_counted_while_something_is_in_hand() -> None:
    meter = FlowMeter()
    end = served(meter, GROUP, every=0.5)
    assert flow_of(meter, now=end).rate == pytest.approx(2.0)


def test_an_idle_hub_is_not_taken_for_a_slow_one() -> None:
    meter = FlowMeter()
    served(meter, GROUP[:50], every=0.5)
    end = served(meter, GROUP[50:], every=0.5, start=3_600.0)
    assert flow_of(meter, now=end + 7_200.0).rate == pytest.approx(2.0)


def test_a_gate_that_lets_nobody_pass_is_slow() -> None:
    meter = FlowMeter()
    end = served(meter, GROUP, every=0.5)
    meter.took(now=end)
    assert flow_of(meter, now=end + MEMORY_SECONDS).rate < 0.6


def test_an_old_pace_is_forgotten_for_the_new_one() -> None:
    meter = FlowMeter()
    end = served(meter, GROUP, every=0.1)
    end = served(meter, GROUP, every=5.0, start=end)
    assert flow_of(meter, now=end).rate == pytest.approx(0.2, rel=0.1)


def test_what_is_done_at_once_has_no_rate_beyond_measure() -> None:
    meter = FlowMeter()
    for number in range(10):
        served(meter, [place(accepted_at=number * 60.0)], every=0.0, start=number * 60.0)
    assert flow_of(meter, now=600.0).rate == 10 / LEAST_BUSY_SECONDS


def test_with_nothing_in_hand_for_a_while_it_is_idle() -> None:
    meter = FlowMeter()
    end = served(meter, GROUP, every=0.5)
    assert not flow_of(meter, now=end + IDLE_SECONDS / 2).idle, "the next batch may be on its way"
    assert flow_of(meter, now=end + IDLE_SECONDS).idle
    meter.took(now=end + 5)
    assert not flow_of(meter, now=end + 60).idle


def test_the_calls_themselves_are_time_as_well() -> None:
    """Behind them wait those of the next batch."""
    meter = FlowMeter()
    for call in range(10):
        meter.took(now=call * 10.0)
        meter.left(place(call, count=20), now=call * 10.0, started=True)
        meter.done(now=call * 10.0 + 10.0)
    assert flow_of(meter, now=100.0).rate == pytest.approx(0.1, rel=0.1)


def test_how_often_there_was_room_and_how_long_a_round_takes() -> None:
    meter = FlowMeter()
    for number in range(8):
        meter.left(place(number), now=0.0, started=number % 4 == 0, round_seconds=30.0)
    flow = flow_of(meter, now=0.0)
    assert (flow.chance, flow.round_seconds) == (0.25, 30.0)


# --- records --------------------------------------------------------------------------------------


def test_a_flow_comes_out_as_it_went_in() -> None:
    meter = FlowMeter()
    flow = flow_of(meter, now=served(meter, GROUP, every=0.5))
    record = orjson.loads(orjson.dumps(flow.record(deployment="ptu", ttl_seconds=300)))
    assert (record["id"], record["type"], record["ttl"]) == ("flow:requests:w", "flow", 300)
    assert Flow.from_record(record) == flow


@pytest.mark.parametrize(
    "spoil",
    [{"groups": None}, {"groups": [{"group": "x"}]}, {"rate": "fast"}, {"chance": None}],
    ids=["no groups", "half a group", "no rate", "no chance"],
)
def test_half_a_flow_is_none(spoil: dict[str, object]) -> None:
    meter = FlowMeter()
    served(meter, GROUP, every=0.5)
    record = flow_of(meter, now=50.0).record(deployment="ptu", ttl_seconds=300)
    with pytest.raises(InvalidFlow):
        Flow.from_record(record | spoil)


# --- who is ahead ---------------------------------------------------------------------------------


def group(
    name: str, *, accepted_at: float, count: int, left: int = 0, before: int = 0
) -> GroupProgress:
    return GroupProgress(group=name, accepted_at=accepted_at, count=count, left=left, before=before)


def flow(
    *groups: GroupProgress,
    newest: float = 1_000.0,
    rate: float = 2.0,
    chance: float = 1.0,
    accepted_per_second: float = 0.0,
    idle: bool = False,
) -> Flow:
    return Flow(
        hub="requests",
        worker="w",
        at=0.0,
        rate=rate,
        idle=idle,
        chance=chance,
        round_seconds=30.0,
        accepted_per_second=accepted_per_second,
        newest=newest,
        groups=groups,
    )


def outlook(*flows: Flow) -> Outlook:
    found = Outlook.of(flows)
    assert found is not None
    return found


UNDER_WAY = flow(
    group("old", accepted_at=900, count=300, left=250),
    group("big", accepted_at=1_000, count=5_000, left=200),
    accepted_per_second=3.0,
)


@pytest.mark.parametrize(
    ("one", "ahead"),
    [
        pytest.param(
            place(4_200, accepted_at=1_000, count=5_000, group="big"), 50 + 4_000, id="same group"
        ),
        pytest.param(
            place(100, accepted_at=1_000, count=5_000, group="big"), 50, id="its turn was due"
        ),
        pytest.param(place(280, accepted_at=900, count=300, group="old"), 30, id="an older group"),
        pytest.param(place(0, accepted_at=950), 50, id="between the two: overlooked"),
        pytest.param(
            place(30, accepted_at=1_060, count=50), 50 + 4_800 + 3 * 60 + 30, id="a later group"
        ),
        pytest.param(
            place(7, accepted_at=1_000, count=9, group="x"), 50 + 4_800 + 7, id="the same second"
        ),
    ],
)
def test_how_many_come_before(one: Place, ahead: float) -> None:
    assert outlook(UNDER_WAY).ahead(one) == ahead


def test_at_an_idle_hub_nobody_is_before_it() -> None:
    newest = place(3, accepted_at=2_000, count=9)
    idle = flow(newest=1_000.0, accepted_per_second=5.0, idle=True)
    assert outlook(idle).ahead(newest) == 0.0
    assert outlook(idle, flow(newest=1_000.0)).ahead(newest) > 0.0


def test_processes_that_share_a_hub_add_up() -> None:
    both = outlook(
        flow(
            group("a", accepted_at=5, count=900, left=40, before=100),
            rate=3.0,
            chance=0.5,
            accepted_per_second=1.0,
            newest=5.0,
        ),
        flow(
            group("a", accepted_at=5, count=900, left=60, before=200),
            rate=1.0,
            chance=0.9,
            accepted_per_second=1.0,
            newest=7.0,
        ),
    )
    assert (both.rate, both.chance, both.accepted_per_second) == (4.0, 0.6, 2.0)
    assert (both.newest, both.groups) == (
        7.0,
        (group("a", accepted_at=5, count=900, left=100, before=200),),
    )


def test_without_anybody_who_moves_nothing_is_known() -> None:
    assert Outlook.of([]) is None
    assert Outlook.of([flow(rate=0.0)]) is None


def test_who_comes_late_takes_the_beginning_of_a_group_for_done() -> None:
    meter = FlowMeter()
    meter.left(place(4_000, count=5_000), now=0.0, started=True)
    (known,) = flow_of(meter, now=0.0).groups
    assert (known.before, known.left) == (4_000 - SCATTER, 1)


def test_a_group_that_has_left_is_told_of_no_longer() -> None:
    meter = FlowMeter()
    end = served(meter, GROUP, every=0.5)
    assert flow_of(meter, now=end).groups == ()


def test_not_more_groups_are_told_of_than_fit_a_record() -> None:
    meter = FlowMeter()
    for number in range(100):
        meter.left(place(0, accepted_at=number, count=10), now=0.0, started=True)
    groups = flow_of(meter, now=0.0).groups
    assert [each.accepted_at for each in groups] == list(range(100 - MOST_GROUPS, 100))


def test_rounds_until_there_is_room() -> None:
    assert outlook(flow(chance=1.0)).rounds_seconds() == 0.0
    assert outlook(flow(chance=0.25)).rounds_seconds() == 90.0
    assert outlook(flow(chance=0.0)).rounds_seconds() is None


# --- queues, played -------------------------------------------------------------------------------


def bulk() -> Iterator[tuple[float, int]]:
    """One call of 3,000 items."""
    yield 10.0, 3_000


def steady() -> Iterator[tuple[float, int]]:
    """Single calls, somewhat more than are served."""
    rng, at = random.Random(1), 0.0
    while at < 1_200:
        at += rng.expovariate(5.0)
        yield at, 1


def bursts() -> Iterator[tuple[float, int]]:
    """Calls of hundreds of items at random times."""
    rng, at = random.Random(2), 0.0
    while at < 1_800:
        at += rng.expovariate(1 / 60)
        yield at, rng.randint(50, 450)


def after_a_night() -> Iterator[tuple[float, int]]:
    """Little, then hours of nothing, then much."""
    for at in range(50):
        yield float(at), 1
    for call in range(4):
        yield 20_000.0 + call, 500


def played(calls: Iterator[tuple[float, int]], *, rate: float, workers: int) -> list[float]:
    """Projected over actual waits of requests that were asked about while they waited.

    Four partitions, events of a call in batches of 250 to one after another, as intake publishes
    them. A worker stands with up to 100 of each of its partitions at the gate, first come first
    served; together they are served at `rate`.
    """
    rng, partitions = random.Random(3), 4
    hubs: list[deque[tuple[float, Place]]] = [deque() for _ in range(partitions)]
    turn = 0
    for number, (at, count) in enumerate(calls):
        for index in range(count):
            if index % 250 == 0:
                turn += 1
            one = place(index, accepted_at=float(int(at)), count=count, group=f"g{number:05}")
            hubs[turn % partitions].append((at, one))
    meters = [FlowMeter() for _ in range(workers)]
    gate: deque[tuple[int, Place]] = deque()
    in_hand = [0] * partitions
    asked: dict[tuple[str, int], tuple[float, float]] = {}
    ratios: list[float] = []
    now = 0.0
    while any(hubs) or gate:
        if not gate:
            now = max(now, min(hub[0][0] for hub in hubs if hub))
        for number, hub in enumerate(hubs):
            while hub and hub[0][0] <= now and in_hand[number] < 100:
                gate.append((number, hub.popleft()[1]))
                in_hand[number] += 1
                meters[number % workers].took(now=now)
        if not gate:
            continue
        now += 1 / rate
        number, one = gate.popleft()
        in_hand[number] -= 1
        meters[number % workers].left(one, now=now, started=True)
        meters[number % workers].done(now=now)
        projected = asked.pop((one.group, one.index), None)
        if projected is not None and now - projected[0] > 30:
            ratios.append(projected[1] / (now - projected[0]))
        if rng.random() < 0.02:
            flows = [m.flow(hub="requests", worker="w", now=now) for m in meters]
            known = Outlook.of([flow for flow in flows if flow is not None])
            waiting = [each for hub in hubs for at, each in hub if at <= now]
            if known is not None and waiting:
                each = rng.choice(waiting)
                seconds = known.ahead(each) / known.rate
                asked.setdefault((each.group, each.index), (now, seconds))
    return ratios


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("calls", [bulk, steady, bursts, after_a_night])
def test_what_is_projected_comes_true_about(calls: object, workers: int) -> None:
    ratios = played(calls(), rate=4.0, workers=workers)  # type: ignore[operator]
    assert len(ratios) > 15
    assert 0.65 < statistics.median(ratios) < 1.35
    within = sum(0.4 < ratio < 2.5 for ratio in ratios) / len(ratios)
    assert within > 0.75, "partitions are not equally far, and nobody knows which one it is in"
