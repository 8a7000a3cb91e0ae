"""Re-scheduling: copies are acknowledged before the end, and do not multiply."""

import asyncio

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time, run_virtually
from ptu_optimizer.ports.hubs import REQUESTS_LATER
from ptu_optimizer.requests.dispatch.rescheduling import (
    GATHER_SECONDS,
    MEMORY_MARGIN_SECONDS,
    PublishedMemory,
    Rescheduler,
)
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.ledger.timing import Timing
from tests.support.publishing import FakePublisher

TIMING = Timing(
    call_limit=300, write_budget=30, skew=30, hold=30, invocation_budget=120, turn_wait=6_600
)
KEPT = TIMING.hold + MEMORY_MARGIN_SECONDS


def copy(
    request_id: str = "g-0", *, slot: int = 1, deferrals: int = 1, not_before: float | None = None
) -> RequestEvent:
    return RequestEvent(
        request_id=request_id,
        slot=slot,
        deferrals=deferrals,
        not_before=not_before,
        deadline=EPOCH + 86_400,
        deployment="ptu",
    )


# --- what a process remembers -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slot", "deferrals", "stale"),
    [
        pytest.param(2, 3, False, id="the same: the copy itself, coming back"),
        pytest.param(2, 2, True, id="fewer deferrals: an older copy"),
        pytest.param(2, 4, False, id="more deferrals: a newer copy, of another process"),
        pytest.param(9, 2, True, id="fewer deferrals, however new its slot"),
        pytest.param(1, 4, False, id="more deferrals, however old its slot"),
        pytest.param(1, 3, True, id="an older slot among equals"),
        pytest.param(3, 3, False, id="a newer slot among equals"),
    ],
)
@in_virtual_time
async def test_only_strictly_lower_copies_are_stale(slot: int, deferrals: int, stale: bool) -> None:
    memory = PublishedMemory(clock=VirtualClock(), timing=TIMING)
    memory.remember(copy(slot=2, deferrals=3))
    assert memory.is_stale(copy(slot=slot, deferrals=deferrals)) is stale


@in_virtual_time
async def test_what_was_never_published_is_not_stale() -> None:
    memory = PublishedMemory(clock=VirtualClock(), timing=TIMING)
    memory.remember(copy("g-1", deferrals=5))
    assert not memory.is_stale(copy("g-0"))


@in_virtual_time
async def test_the_highest_publication_counts_in_whatever_order_they_went_out() -> None:
    memory = PublishedMemory(clock=VirtualClock(), timing=TIMING)
    memory.remember(copy(slot=1, deferrals=7))
    memory.remember(copy(slot=2, deferrals=3))
    assert memory.is_stale(copy(slot=2, deferrals=6))


@in_virtual_time
async def test_the_only_copy_of_a_request_never_looks_stale_to_its_own_publisher() -> None:
    memory = PublishedMemory(clock=VirtualClock(), timing=TIMING)
    memory.remember(copy(slot=3, deferrals=5))
    # its lease not taken over, the next copy carries the slot that refused it, a lower one
    memory.remember(copy(slot=2, deferrals=6))
    assert not memory.is_stale(copy(slot=2, deferrals=6))


@pytest.mark.parametrize(
    ("due_in", "kept_for"),
    [
        pytest.param(None, KEPT, id="due at once"),
        pytest.param(-50.0, KEPT, id="overdue"),
        pytest.param(600.0, 600 + KEPT, id="due later"),
    ],
)
@in_virtual_time
async def test_a_publication_is_forgotten_so_that_a_lost_event_can_come_again(
    due_in: float | None, kept_for: float
) -> None:
    clock = VirtualClock()
    memory = PublishedMemory(clock=clock, timing=TIMING)
    memory.remember(copy(deferrals=3, not_before=None if due_in is None else EPOCH + due_in))
    await clock.sleep(kept_for - 1)
    assert memory.is_stale(copy(deferrals=1))
    await clock.sleep(1.001)
    assert not memory.is_stale(copy(deferrals=1))
    assert len(memory) == 0


@settings(max_examples=10)
@given(rate=st.integers(1, 20), intervals=st.lists(st.integers(0, 30), min_size=1, max_size=6))
def test_memory_is_bounded_by_the_rate_times_the_time_kept(rate: int, intervals: list[int]) -> None:
    async def publish_for_a_while() -> None:
        clock = VirtualClock()
        memory = PublishedMemory(clock=clock, timing=TIMING)
        for second in range(250):
            for number in range(rate):
                due = clock.now() + intervals[number % len(intervals)]
                memory.remember(copy(f"g-{second}-{number}", not_before=due))
            await clock.sleep(1)
            assert len(memory) <= rate * (KEPT + max(intervals) + 2)

    run_virtually(publish_for_a_while())


# --- publishing ---------------------------------------------------------------------------------


class Scene:
    def __init__(self, publisher: FakePublisher) -> None:
        self.clock = VirtualClock()
        self.publisher = publisher
        self.memory = PublishedMemory(clock=self.clock, timing=TIMING)
        self.rescheduler = Rescheduler(
            publisher=publisher, memory=self.memory, clock=self.clock, timing=TIMING
        )

    @property
    def published(self) -> list[str]:
        return [
            str(orjson.loads(event.payload)["request_id"])
            for _, events in self.publisher.batches
            for event in events
        ]


@in_virtual_time
async def test_what_is_rescheduled_together_leaves_together() -> None:
    scene = Scene(FakePublisher())
    for index in range(50):
        scene.rescheduler.add(copy(f"g-{index}"))
    await scene.rescheduler.flushed()
    assert [(hub, len(events)) for hub, events in scene.publisher.batches] == [(REQUESTS_LATER, 50)]


@in_virtual_time
async def test_copies_leave_soon_even_while_the_invocation_goes_on() -> None:
    scene = Scene(FakePublisher())
    scene.rescheduler.add(copy())
    await scene.clock.sleep(GATHER_SECONDS * 2)
    assert scene.published == ["g-0"]


@in_virtual_time
async def test_copies_of_a_request_meet_in_one_partition() -> None:
    scene = Scene(FakePublisher())
    scene.rescheduler.add(copy("g-4"))
    await scene.rescheduler.flushed()
    assert [event.key for _, events in scene.publisher.batches for event in events] == ["g-4"]


@in_virtual_time
async def test_nothing_to_publish_is_flushed_at_once() -> None:
    scene = Scene(FakePublisher())
    await scene.rescheduler.flushed()
    assert scene.publisher.batches == []
    assert scene.clock.monotonic() == 0


@in_virtual_time
async def test_flushed_means_acknowledged() -> None:
    scene = Scene(FakePublisher(seconds_per_batch=3))
    scene.rescheduler.add(copy("g-0"))
    await scene.clock.sleep(1)  # the first is on its way when the second comes
    scene.rescheduler.add(copy("g-1"))
    await scene.rescheduler.flushed()
    assert scene.published == ["g-0", "g-1"]
    assert scene.clock.monotonic() >= 6


@in_virtual_time
async def test_a_publication_is_remembered_only_when_it_is_acknowledged() -> None:
    scene = Scene(FakePublisher(failures=1))
    scene.rescheduler.add(copy(deferrals=3))
    await scene.clock.sleep(GATHER_SECONDS * 2)
    assert not scene.memory.is_stale(copy(deferrals=1)), "the hub did not take it yet"
    await scene.rescheduler.flushed()
    assert scene.memory.is_stale(copy(deferrals=1))


@in_virtual_time
async def test_a_hub_that_fails_for_a_while_is_tried_again_within_the_budget() -> None:
    scene = Scene(FakePublisher(failures=4))
    scene.rescheduler.add(copy())
    await scene.rescheduler.flushed()
    assert scene.published == ["g-0"]
    assert 0 < scene.clock.monotonic() < TIMING.write_budget


@in_virtual_time
async def test_a_hub_that_stays_away_ends_the_invocation_with_an_error() -> None:
    scene = Scene(FakePublisher(failures=10**9))
    scene.rescheduler.add(copy())
    with pytest.raises(scene.publisher.error):
        await scene.rescheduler.flushed()
    assert TIMING.write_budget - 3 < scene.clock.monotonic() <= TIMING.write_budget


@in_virtual_time
async def test_later_copies_still_leave_after_a_failure() -> None:
    scene = Scene(FakePublisher(failures=1))
    scene.rescheduler.add(copy("g-0"))
    await scene.clock.sleep(1)
    scene.rescheduler.add(copy("g-1"))
    await asyncio.sleep(1)
    assert scene.published == ["g-0", "g-1"]
