"""The rules of the ledger protocol, one by one (docs/ledger.md has them under the same numbers).

Each test fails when its rule is broken: `mutations.py` has, for each, a change of the code that
breaks it, and `test_mutations.py` tries them all.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools

import orjson
import pytest

from local.virtual_time import EPOCH, in_virtual_time
from ptu_optimizer.errors import AppError
from ptu_optimizer.ports.hubs import (
    HUBS,
    REQUESTS,
    REQUESTS_LATER,
    REQUESTS_SOON,
    Outgoing,
    PublishFailed,
)
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.item import Spillover
from ptu_optimizer.requests.ledger.outcomes import OutcomeHasNoPlace
from ptu_optimizer.requests.ledger.result_event import ResultEvent
from ptu_optimizer.requests.ledger.rules import Sighting, may_end, next_step
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind
from ptu_optimizer.requests.ledger.timing import Timing
from tests.requests.protocol.process import Process
from tests.requests.protocol.world import BODY, TIMING, World

SKEW = TIMING.skew


def _copies(world: World) -> list[RequestEvent]:
    return [event for event in world.on_hub() if isinstance(event, RequestEvent)]


def _results(world: World) -> list[ResultEvent]:
    return [event for event in world.on_hub() if isinstance(event, ResultEvent)]


def _calls(world: World, event: RequestEvent) -> list[int]:
    return world.books.calls[event.request_id]


def _fine(world: World) -> None:
    assert world.books.violations == []


# --- the usual path -------------------------------------------------------------------------------


@in_virtual_time
async def test_the_usual_path_is_two_creates_one_call_and_no_read() -> None:
    world = World()
    event = world.request()
    await world.dispatch(event)
    assert world.kinds(event) == ["attempt", "succeeded"]
    assert _calls(world, event) == [1]
    assert world.on_hub() == []
    _fine(world)


# --- 1: slots carried by events -------------------------------------------------------------------


@in_virtual_time
async def test_rule_01_who_meets_a_live_attempt_carries_the_slot_that_refused_him() -> None:
    world = World()
    event = world.request()
    world.lay(event, 1, SlotKind.ATTEMPT, lease_until=34)
    await world.dispatch(event)
    (copy,) = _copies(world)
    assert copy.slot == 1
    assert copy.not_before == EPOCH + 34 + SKEW


@in_virtual_time
async def test_rule_01_a_take_over_that_is_not_admitted_carries_the_slot_of_the_attempt() -> None:
    world = World()
    event = world.request().model_copy(update={"slot": 2, "deployment": "unknown"})
    world.lay(event, 1, SlotKind.ATTEMPT, lease_until=0)
    await asyncio.sleep(SKEW + 2)
    await world.dispatch(event, hub=REQUESTS_LATER)
    (copy,) = _copies(world)
    assert copy.slot == 1


@in_virtual_time
async def test_rule_01_the_next_slot_is_carried_after_a_released_one_was_created() -> None:
    world = World()
    event = world.request()
    world.faults.order("429", times=99)
    await world.dispatch(event)
    (copy,) = _copies(world)
    kinds = world.kinds(event)
    assert kinds == ["attempt", "released"] * (len(kinds) // 2)
    assert copy.slot == len(kinds) + 1
    _fine(world)


@in_virtual_time
async def test_rule_01_a_released_slot_of_unknown_fate_is_not_stepped_over() -> None:
    world = World()
    event = world.request()
    world.faults.order("429")
    world.faults.order("create lost", "released", times=99)
    world.faults.order("read fails", times=99)
    await world.dispatch(event)
    (copy,) = _copies(world)
    assert copy.slot == 1


# --- 2: claim tokens ------------------------------------------------------------------------------


@in_virtual_time
async def test_rule_02_a_claim_that_landed_unseen_is_recognised_by_its_token() -> None:
    world = World()
    event = world.request()
    world.faults.order("create landed unseen", "attempt")
    await world.dispatch(event)
    assert world.kinds(event) == ["attempt", "succeeded"]
    assert world.on_hub() == []


@in_virtual_time
async def test_rule_02_every_claim_has_a_token_of_its_own() -> None:
    world = World()
    event = world.request()
    world.faults.order("frozen call")
    await asyncio.gather(world.dispatch(event), world.dispatch(event, to=1))
    assert _calls(world, event) == [1]
    _fine(world)


@in_virtual_time
async def test_rule_02_an_outcome_that_landed_unseen_is_no_duplicate_call() -> None:
    world = World()
    event = world.request()
    world.faults.order("create landed unseen", "succeeded")
    report = await world.dispatch(event)
    assert world.kinds(event) == ["attempt", "succeeded"]
    assert [a for a in report.annotations if a["type"] == "duplicate"] == []


@in_virtual_time
async def test_rule_02_an_outcome_that_came_second_is_kept_for_the_books() -> None:
    world = World()
    event = world.request()
    attempt = world.lay(event, 1, SlotKind.ATTEMPT, lease_until=100)
    world.lay(event, 2, SlotKind.CANCELLED)
    outcome = Slot(
        request_id=event.request_id,
        n=2,
        kind=SlotKind.SUCCEEDED,
        claim_token=attempt.claim_token,
        at=EPOCH,
        details={"response": {"usage": {"total_tokens": 7}}},
    )
    record = outcome.record(ends_at=EPOCH + 900, now=EPOCH)
    report = await world.dispatch(
        ResultEvent(request_id=event.request_id, record=record), hub=REQUESTS_LATER
    )
    assert [(a["type"], a["usage"]) for a in report.annotations] == [
        ("duplicate", {"total_tokens": 7})
    ]


# --- 3: records that are not visible yet ----------------------------------------------------------


@in_virtual_time
async def test_rule_03_who_is_refused_by_an_invisible_record_comes_back_with_the_same_slot() -> (
    None
):
    world = World()
    event = world.request().model_copy(update={"slot": 3})
    world.lay(event, 1, SlotKind.ATTEMPT)
    world.lay(event, 2, SlotKind.RELEASED)
    world.requests.visible_until = world.now()
    await asyncio.sleep(1)
    world.lay(event, 3, SlotKind.ATTEMPT, lease_until=200)
    await world.dispatch(event, hub=REQUESTS_LATER)
    (copy,) = _copies(world)
    assert copy.slot == 3
    assert _calls(world, event) == []


# --- 4: leases ------------------------------------------------------------------------------------


@in_virtual_time
async def test_rule_04_a_holder_whose_time_is_nearly_over_releases_instead_of_calling() -> None:
    world = World(timing=_timing(call_limit=2.5))
    event = world.request()
    world.faults.order("create landed unseen", "attempt")
    world.faults.order("429", times=0)
    await world.dispatch(event)
    assert world.kinds(event)[:2] == ["attempt", "released"]
    assert 1 not in _calls(world, event)
    _fine(world)


def _attempt(*, lease_until: float) -> Slot:
    return Slot(
        request_id="g-0",
        n=1,
        kind=SlotKind.ATTEMPT,
        claim_token="t",
        at=0,
        lease_until=lease_until,
    )


@pytest.mark.parametrize(
    ("now", "step"),
    [
        pytest.param(100.0, "Later", id="at lease_until"),
        pytest.param(100 + SKEW, "Later", id="SKEW after it"),
        pytest.param(100.1 + SKEW, "Claim", id="just after that"),
    ],
)
def test_rule_04_others_act_only_after_lease_and_skew(now: float, step: str) -> None:
    seen = Sighting(now=now, skew=SKEW, on_later=True, enqueued_at=now)
    taken = next_step([_attempt(lease_until=100)], n=1, token="", refused=False, seen=seen)
    assert type(taken).__name__ == step
    free = may_end([_attempt(lease_until=100)], now=now, skew=SKEW, cancelling=False)
    assert free == (2 if step == "Claim" else None)


# --- 5: take-over ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hub", "enqueued", "kinds"),
    [
        pytest.param(REQUESTS, 50.0, ["attempt"], id="on requests"),
        pytest.param(REQUESTS_LATER, 30.0, ["attempt"], id="enqueued before the lease ended"),
        pytest.param(
            REQUESTS_LATER, 50.0, ["attempt", "attempt", "succeeded"], id="enqueued after it"
        ),
    ],
)
@in_virtual_time
async def test_rule_05_only_an_event_that_came_after_the_lease_takes_over(
    hub: str, enqueued: float, kinds: list[str]
) -> None:
    world = World()
    event = world.request()
    world.lay(event, 1, SlotKind.ATTEMPT, lease_until=34)
    await asyncio.sleep(50)
    await world.dispatch(event, hub=hub, enqueued=enqueued)
    assert world.kinds(event) == kinds
    assert len(_copies(world)) == (0 if "succeeded" in kinds else 1), "never dropped"


@pytest.mark.parametrize("hub", [REQUESTS, REQUESTS_SOON])
@in_virtual_time
async def test_rule_05_what_meets_a_live_attempt_goes_where_it_may_take_over_spillover_or_not(
    hub: str,
) -> None:
    world = World()
    event = world.request(deadline=30, spillover=Spillover.BEFORE_DEADLINE)
    world.lay(event, 1, SlotKind.ATTEMPT, lease_until=34)
    await asyncio.sleep(20)
    await world.dispatch(event, hub=hub)
    assert _calls(world, event) == []
    assert (len(_copies(world)), world.on_hub(REQUESTS_SOON)) == (1, [])


@in_virtual_time
async def test_rule_05_a_result_event_is_written_before_a_take_over_behind_it_is_decided() -> None:
    world = World()
    event = world.request()
    attempt = world.lay(event, 1, SlotKind.ATTEMPT, lease_until=34)
    await asyncio.sleep(50)
    world.has_room()
    world.faults.order("create lost", "succeeded")
    await world.dispatch(_result(event, attempt), event, hub=REQUESTS_LATER)
    assert world.kinds(event) == ["attempt", "succeeded"]
    assert _calls(world, event) == []


@in_virtual_time
async def test_rule_05_a_take_over_of_unknown_fate_ends_the_invocation() -> None:
    world = World()
    event = world.request()
    world.lay(event, 1, SlotKind.ATTEMPT, lease_until=0)
    await asyncio.sleep(SKEW + 2)
    world.faults.order("create lost", "attempt a0:2", times=1000)
    started = world.now()
    await world.dispatch(event, hub=REQUESTS_LATER)
    assert world.now() - started < 2 * TIMING.write_budget
    (copy,) = _copies(world)
    assert copy.slot == 1


# --- 6: failures ----------------------------------------------------------------------------------


@in_virtual_time
async def test_rule_06_a_request_whose_workers_are_lost_again_and_again_fails_without_a_call() -> (
    None
):
    world = World(max_failures=3)
    event = world.request()
    for n in (1, 2, 3):
        world.lay(event, n, SlotKind.ATTEMPT, failures=n - 1, lease_until=-100)
    await world.dispatch(event, hub=REQUESTS_LATER)
    assert world.kinds(event) == ["attempt"] * 3 + ["failed"]
    assert _calls(world, event) == []


@in_virtual_time
async def test_rule_06_transient_failures_are_counted_by_the_ledger_up_to_the_limit() -> None:
    world = World(max_failures=3)
    event = world.request()
    world.faults.order("transient", times=99)
    world.start()
    world.hubs.enqueue(REQUESTS, Outgoing(event.encode()))
    await asyncio.sleep(300)
    assert world.kinds(event) == ["attempt", "released", "attempt", "released", "attempt", "failed"]
    await world.stop()


@in_virtual_time
async def test_rule_06_a_429_is_no_failure() -> None:
    world = World(max_failures=2)
    event = world.request()
    world.faults.order("429", times=4)
    world.start()
    world.hubs.enqueue(REQUESTS, Outgoing(event.encode()))
    await asyncio.sleep(300)
    assert world.kinds(event) == ["attempt", "released"] * 4 + ["attempt", "succeeded"]
    await world.stop()


@in_virtual_time
async def test_rule_06_a_deployment_that_is_full_for_long_does_not_fill_the_ledger() -> None:
    world = World()
    world.retry_after = 0.5
    event = world.request()
    world.faults.order("429", times=100_000)
    world.start()
    world.hubs.enqueue(REQUESTS, Outgoing(event.encode()))
    await asyncio.sleep(800)
    assert len(world.kinds(event)) <= 2 * (5 + 800 / TIMING.hold)
    assert world.kinds(event)[-1] == "released"
    await world.stop()


@in_virtual_time
async def test_rule_06_a_released_slot_binds_copies_that_know_nothing_of_it() -> None:
    world = World()
    event = world.request()
    world.lay(event, 1, SlotKind.ATTEMPT)
    world.lay(event, 2, SlotKind.RELEASED, not_before=500)
    await world.dispatch(event)
    (copy,) = _copies(world)
    assert (copy.slot, copy.not_before) == (3, EPOCH + 500)
    assert _calls(world, event) == []


# --- 7: outcomes ----------------------------------------------------------------------------------


@in_virtual_time
async def test_rule_07_an_outcome_that_the_store_cannot_take_travels_and_is_not_paid_again() -> (
    None
):
    world = World()
    event = world.request()
    world.faults.order("create lost", "succeeded", times=1000)
    world.start()
    world.hubs.enqueue(REQUESTS, Outgoing(event.encode()))
    await asyncio.sleep(100)
    assert world.kinds(event) == ["attempt"]
    world.faults.stop()
    await asyncio.sleep(100)
    assert world.kinds(event) == ["attempt", "succeeded"]
    assert _calls(world, event) == [1]
    assert len(_results(world)) == 1
    _fine(world)
    await world.stop()


@in_virtual_time
async def test_rule_07_a_result_event_is_published_before_the_lease_ends() -> None:
    world = World()
    event = world.request()
    world.faults.order("slow call", times=0)
    world.faults.order("create lost", "succeeded", times=1000)
    await world.dispatch(event)
    (at,) = world.published_at()
    assert at < world.books.slots[event.request_id][1]["lease_until"] - EPOCH - SKEW


@in_virtual_time
async def test_rule_07_a_result_event_that_finds_no_place_holds_its_partition() -> None:
    world = World()
    event = world.request()
    attempt = world.lay(event, 1, SlotKind.ATTEMPT, lease_until=34)
    world.faults.order("create lost", "succeeded", times=1000)
    with pytest.raises(OutcomeHasNoPlace):
        await world.dispatch(_result(event, attempt), hub=REQUESTS_LATER)
    assert world.on_hub() == []


# --- 8: cancel and expiry -------------------------------------------------------------------------


@in_virtual_time
async def test_rule_08_a_cancel_may_end_a_live_attempt_whose_success_is_then_a_duplicate() -> None:
    world = World()
    event = world.request()
    calling = asyncio.create_task(world.dispatch(event))
    await asyncio.sleep(0.25)
    view = await world.process(1).cancellation.cancel(event.request_id)
    report = await calling
    assert view["state"] == "cancelled"
    assert world.kinds(event) == ["attempt", "cancelled"]
    assert [a["type"] for a in report.annotations] == ["duplicate"]
    _fine(world)


@in_virtual_time
async def test_rule_08_an_expiry_waits_for_the_lease() -> None:
    world = World()
    event = world.request(deadline=10)
    world.lay(event, 1, SlotKind.ATTEMPT, lease_until=34)
    await asyncio.sleep(20)
    await world.dispatch(event)
    assert world.kinds(event) == ["attempt"]
    assert len(_copies(world)) == 1


@in_virtual_time
async def test_rule_08_an_expiry_after_a_lost_attempt_needs_no_sweep() -> None:
    world = World()
    event = world.request(deadline=10, stored=False)
    world.lay(event, 1, SlotKind.ATTEMPT, lease_until=34)
    world.hubs.start()
    world.hubs.enqueue(REQUESTS, Outgoing(event.encode()))
    await asyncio.sleep(120)
    assert world.kinds(event) == ["attempt", "expired"]
    assert len(_copies(world)) < 20
    await world.stop()


@in_virtual_time
async def test_rule_08_a_cancel_refused_by_what_it_cannot_see_says_that_it_is_not_known() -> None:
    world = World()
    event = world.request()
    world.lay(event, 1, SlotKind.SUCCEEDED, token="other")
    world.requests.visible_until = -1.0
    with pytest.raises(AppError) as refused:
        await world.process().cancellation.cancel(event.request_id)
    assert (refused.value.status, refused.value.code) == (503, "cancel_unknown")


# --- 9: publishing --------------------------------------------------------------------------------


@in_virtual_time
async def test_rule_09_a_copy_that_is_not_acknowledged_is_published_again() -> None:
    world = World()
    event = world.request().model_copy(update={"not_before": EPOCH + 500})
    world.faults.order("publish lost", times=2)
    await world.dispatch(event)
    assert len(_copies(world)) == 1


@in_virtual_time
async def test_rule_09_a_batch_whose_copies_find_no_hub_is_kept() -> None:
    world = World()
    event = world.request().model_copy(update={"not_before": EPOCH + 500})
    world.faults.order("publish lost", times=1000)
    with pytest.raises(PublishFailed):
        await world.dispatch(event)


# --- 10: copies -----------------------------------------------------------------------------------


@in_virtual_time
async def test_rule_10_a_copy_older_than_what_this_process_published_is_dropped() -> None:
    world = World()
    event = world.request().model_copy(update={"not_before": EPOCH + 100})
    await world.dispatch(event)
    await world.dispatch(event)
    assert len(_copies(world)) == 1


@in_virtual_time
async def test_rule_10_the_copy_that_this_process_published_is_not_dropped() -> None:
    world = World()
    event = world.request().model_copy(update={"not_before": EPOCH + 30})
    await world.dispatch(event)
    (copy,) = _copies(world)
    await asyncio.sleep(30)
    await world.dispatch(copy, hub=REQUESTS_LATER)
    assert world.kinds(event) == ["attempt", "succeeded"]


@in_virtual_time
async def test_rule_10_what_was_published_is_forgotten_so_that_a_lost_event_can_come_again() -> (
    None
):
    world = World()
    event = world.request().model_copy(update={"not_before": EPOCH + 30})
    await world.dispatch(event)
    await asyncio.sleep(30 + TIMING.hold + 61)
    await world.dispatch(event)
    assert world.kinds(event) == ["attempt", "succeeded"]


@in_virtual_time
async def test_rule_10_a_copy_is_never_taken_for_stale_because_it_carries_a_lower_slot() -> None:
    """The reader of a stale replica may step back a slot; his copy is still the newest."""
    memory = World().process().memory
    event = RequestEvent(request_id="g-0", slot=3, deferrals=1, deadline=0, deployment="d")
    memory.remember(event)
    newest = event.rescheduled(slot=2, not_before=None)
    memory.remember(newest)
    assert not memory.is_stale(newest)
    assert memory.is_stale(event)


@pytest.mark.parametrize("slot", [1, 2, 3])
@pytest.mark.parametrize("deadline", [900.0, 5.0], ids=["in time", "past its deadline"])
@in_virtual_time
async def test_rule_10_an_event_that_has_to_wait_does_not_circle_the_hub(
    slot: int, deadline: float
) -> None:
    world = World()
    event = world.request(deadline=deadline, stored=False).model_copy(update={"slot": slot})
    if slot == 3:
        world.lay(event, 1, SlotKind.ATTEMPT)
        world.lay(event, 2, SlotKind.RELEASED, not_before=600)
    else:
        world.lay(event, 1, SlotKind.ATTEMPT, lease_until=600)
    world.hubs.start()
    await asyncio.sleep(6)
    world.hubs.enqueue(REQUESTS, Outgoing(event.encode()))
    await asyncio.sleep(160)
    assert len(_copies(world)) <= 5 + 160 / TIMING.hold
    await world.stop()


@in_virtual_time
async def test_rule_10_what_is_too_late_does_not_circle_the_hub_while_clocks_differ() -> None:
    """A lease has ended by our clock, and not yet by the hub's, which says who may take over."""
    world = World(skews=(SKEW / 2, SKEW / 2, -SKEW / 2))
    event = world.request(deadline=10, stored=False)
    world.lay(event, 1, SlotKind.ATTEMPT, lease_until=34)
    world.hubs.start()
    await asyncio.sleep(12)
    world.hubs.enqueue(REQUESTS_LATER, Outgoing(event.encode()))
    await asyncio.sleep(68)
    assert len(_copies(world)) <= 10
    assert world.kinds(event) == ["attempt", "expired"]
    await world.stop()


@in_virtual_time
async def test_rule_10_copies_that_meet_in_a_batch_become_one() -> None:
    world = World()
    event = world.request().model_copy(update={"not_before": EPOCH + 700})
    newest = event.model_copy(update={"deferrals": 3})
    await world.dispatch(event, event, newest, event, hub=REQUESTS_LATER)
    (copy,) = _copies(world)
    assert copy.deferrals == 4


@in_virtual_time
async def test_rule_10_an_invocation_starts_no_attempt_after_its_budget() -> None:
    """Even when every attempt is released at once, since its claim took too long."""
    world = World(timing=_timing(call_limit=2.5))
    event = world.request()
    world.faults.order("create landed unseen", "attempt", times=100_000)
    await world.dispatch(event)
    assert world.now() < TIMING.invocation_budget + TIMING.lease
    assert len(_copies(world)) == 1


# --- 11: the sweep --------------------------------------------------------------------------------


async def _sweep(world: World, process: Process | None = None) -> int:
    report = await (process or world.process()).sweep.run()
    return report.published


@in_virtual_time
async def test_rule_11_a_backlog_of_hours_makes_no_copies() -> None:
    world = World(deadline=7200)
    event = world.request()
    world.hubs.enqueue(REQUESTS, Outgoing(event.encode()))
    for _ in range(10):
        await asyncio.sleep(600)
        assert await _sweep(world) == 0


@in_virtual_time
async def test_rule_11_a_lost_event_is_found() -> None:
    world = World(deadline=7200)
    event = world.request()
    world.faults.order("event lost")
    world.hubs.enqueue(REQUESTS, Outgoing(event.encode()))
    assert await _sweep(world) == 0, "an intake may still be publishing it"
    await asyncio.sleep(300)
    assert await _sweep(world) == 1
    (copy,) = _copies(world)
    assert copy.slot == 1
    await world.dispatch(copy, hub=REQUESTS_LATER)
    assert world.kinds(event) == ["attempt", "succeeded"]


@in_virtual_time
async def test_rule_11_a_partition_is_read_only_as_far_as_its_invocations_have_ended() -> None:
    world = World(deadline=7200)
    event, other = world.request(), world.request()
    world.hubs.enqueue(REQUESTS, Outgoing(event.encode()))
    world.groups.upsert(_position(REQUESTS, sequence_number=-1, enqueued_at=EPOCH))
    await asyncio.sleep(600)
    assert await _sweep(world) == 0
    for partition in world.hubs.partitions[REQUESTS]:
        partition.events.clear()
    await asyncio.sleep(600)
    assert await _sweep(world) == 2
    assert {copy.request_id for copy in _copies(world)} == {event.request_id, other.request_id}


@in_virtual_time
async def test_rule_11_sweeps_that_overlap_publish_once() -> None:
    world = World(deadline=7200)
    world.request()
    await asyncio.sleep(600)
    published = await asyncio.gather(
        _sweep(world, world.process(0)), _sweep(world, world.process(1))
    )
    assert sorted(published) == [0, 1]


@in_virtual_time
async def test_rule_11_the_sweep_publishes_at_growing_intervals() -> None:
    world = World(deadline=7200)
    world.request()
    at = []
    for _ in range(110):
        await asyncio.sleep(60)
        if await _sweep(world):
            at.append(world.now())
            for hub in HUBS:
                for partition in world.hubs.partitions[hub]:
                    partition.events.clear()
    gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert len(gaps) >= 3
    assert gaps == sorted(gaps)
    assert gaps[-1] >= 4 * gaps[0]


@in_virtual_time
async def test_rule_11_the_sweep_lets_live_attempts_and_outcomes_alone() -> None:
    world = World(deadline=7200)
    live, ended = world.request(), world.request()
    world.lay(live, 1, SlotKind.ATTEMPT, lease_until=5000)
    world.lay(ended, 1, SlotKind.CANCELLED)
    await asyncio.sleep(3000)
    assert await _sweep(world) == 0


@in_virtual_time
async def test_rule_11_a_lost_worker_s_request_comes_back_with_the_slot_of_its_attempt() -> None:
    world = World(deadline=7200)
    event = world.request()
    world.lay(event, 1, SlotKind.ATTEMPT, lease_until=34)
    await asyncio.sleep(600)
    assert await _sweep(world) == 1
    (copy,) = _copies(world)
    assert copy.slot == 1


async def _lost_in_a_backlog(*, enqueued: float, read_to: float) -> World:
    """A process died with a call under way whose batch had returned. Behind its event lie others:
    the hub is read up to what it took at `read_to`."""
    world = World(deadline=7200)
    event = world.request()
    await asyncio.sleep(1_000)
    world.lay(event, 1, SlotKind.ATTEMPT, lease_until=1_034, enqueued=enqueued)
    world.hubs.enqueue(REQUESTS, Outgoing(world.request().encode()))
    for partition in ("0", "1"):
        position = _position(REQUESTS, sequence_number=-1, enqueued_at=EPOCH + read_to)
        record = {**position, "id": f"position:{REQUESTS}:{partition}", "partition": partition}
        world.groups.upsert(record)
    await asyncio.sleep(100)
    return world


@in_virtual_time
async def test_rule_11_what_was_lost_with_its_worker_does_not_wait_for_the_backlog() -> None:
    world = await _lost_in_a_backlog(enqueued=10, read_to=50)
    assert await _sweep(world) == 1
    assert [copy.slot for copy in _copies(world)] == [1]


@in_virtual_time
async def test_rule_11_what_its_hub_delivers_again_is_not_lost_with_its_worker() -> None:
    world = await _lost_in_a_backlog(enqueued=50, read_to=50)
    assert await _sweep(world) == 0


# --- 12: annotations and the range of the sweep ---------------------------------------------------


@in_virtual_time
async def test_rule_12_losing_every_annotation_loses_no_request() -> None:
    world = World()
    event = world.request()
    world.faults.order("429", times=3)
    world.faults.order("binding lost", times=1000)
    world.start()
    world.hubs.enqueue(REQUESTS, Outgoing(event.encode()))
    await asyncio.sleep(400)
    assert world.kinds(event)[-1] == "succeeded"
    _fine(world)
    await world.stop()


@in_virtual_time
async def test_rule_12_the_sweep_still_looks_at_the_oldest_group_that_can_be_open() -> None:
    world = World(deadline=7200)
    event = world.request()
    await asyncio.sleep(7200 + 1)
    await _sweep(world)
    assert world.kinds(event) == ["expired"]


# --- 13 to 15: intake and ends --------------------------------------------------------------------


def _raw(count: int = 1) -> bytes:
    return orjson.dumps([{"body": BODY}] * count)


@in_virtual_time
async def test_rule_13_a_retry_with_the_same_key_gets_the_same_requests() -> None:
    world = World()
    first = await world.process(0).intake.accept(_raw(2), idempotency_key="k")
    again = await world.process(1).intake.accept(_raw(2), idempotency_key="k")
    assert again.request_ids == first.request_ids
    assert sum(len(world.on_hub(hub)) for hub in HUBS) == 2


@in_virtual_time
async def test_rule_13_a_retry_finishes_the_group_of_a_call_that_died() -> None:
    world = World()
    world.faults.order("crash", "create group")
    await world.accept(2, key="k")
    assert world.promised() == []
    await world.accept(2, key="k")
    assert len(world.promised()) == 2
    (record,) = [r for _, r in world.groups.everything() if r.get("type") == "idempotency"]
    assert world.promised()[0].startswith(record["group_id"])


@in_virtual_time
async def test_rule_13_a_key_stands_for_one_body() -> None:
    world = World()
    await world.process().intake.accept(_raw(1), idempotency_key="k")
    with pytest.raises(AppError) as refused:
        await world.process().intake.accept(_raw(2), idempotency_key="k")
    assert refused.value.status == 409


@in_virtual_time
async def test_rule_13_a_promise_of_unknown_fate_names_its_group() -> None:
    world = World()
    world.faults.order("create lost", "group", times=1000)
    with pytest.raises(AppError) as refused:
        await world.process().intake.accept(_raw())
    assert refused.value.status == 503
    group = refused.value.message.split()[2]
    assert world.mint.parse_group(group).count == 1


@in_virtual_time
async def test_rule_13_a_group_whose_create_landed_unseen_is_accepted_once() -> None:
    world = World()
    world.faults.order("create landed unseen", "group")
    accepted = await world.process().intake.accept(_raw())
    assert world.promised() == accepted.request_ids
    assert sum(len(world.on_hub(hub)) for hub in HUBS) == accepted.sent == 1


@in_virtual_time
async def test_rule_14_closing_leaves_the_group_record_as_it_was() -> None:
    world = World()
    event = world.request()
    before = [r for _, r in world.groups.everything() if r.get("type") == "group"]
    await world.dispatch(event)
    await asyncio.sleep(300)
    await world.process().sweep_once()
    kept = [r for _, r in world.groups.everything() if r.get("type") == "group"]
    closed = [r for _, r in world.groups.everything() if r.get("type") == "closed"]
    assert kept == before
    assert len(closed) == 1


@in_virtual_time
async def test_rule_15_after_its_end_a_request_is_gone_and_its_events_are_dropped() -> None:
    world = World()
    event = world.request(deadline=60)
    await asyncio.sleep(60 + 7200 + 120)
    await world.dispatch(event)
    assert world.kinds(event) == []
    assert world.on_hub() == []
    with pytest.raises(AppError) as refused:
        await world.process().status.show(event.request_id)
    assert refused.value.status == 410


@in_virtual_time
async def test_rule_15_every_other_slot_ends_its_life_before_the_outcome() -> None:
    world = World()
    event = world.request()
    await world.dispatch(event)
    attempt, outcome = (slot for _, slot in sorted(world.books.slots[event.request_id].items()))
    assert outcome["at"] + outcome["ttl"] > attempt["at"] + attempt["ttl"] + 600


@in_virtual_time
async def test_rule_15_a_group_ends_after_its_last_deadline_the_retention_and_a_lease() -> None:
    world = World()
    accepted = await world.process().intake.accept(_raw())
    group = world.mint.parse_request(accepted.request_ids[0]).group
    assert group.ends_at >= group.created_at + 900 + 7200 + TIMING.lease


# --- helpers --------------------------------------------------------------------------------------


def _timing(**changes: float) -> Timing:
    return dataclasses.replace(TIMING, **changes)


def _result(event: RequestEvent, attempt: Slot) -> ResultEvent:
    outcome = Slot(
        request_id=event.request_id,
        n=attempt.n + 1,
        kind=SlotKind.SUCCEEDED,
        claim_token=attempt.claim_token,
        at=EPOCH,
    )
    return ResultEvent(
        request_id=event.request_id, record=outcome.record(ends_at=EPOCH + 1e5, now=EPOCH)
    )


def _position(hub: str, *, sequence_number: int, enqueued_at: float) -> dict[str, object]:
    return {
        "id": f"position:{hub}:0",
        "bucket": "positions",
        "type": "position",
        "hub": hub,
        "partition": "0",
        "sequence_number": sequence_number,
        "enqueued_at": enqueued_at,
    }
