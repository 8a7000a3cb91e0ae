"""Spillover: what would miss its deadline leaves for pay-as-you-go, under the ledger's rules."""

from __future__ import annotations

import asyncio

import pytest

from local.virtual_time import EPOCH, in_virtual_time
from ptu_optimizer.admission.gate import Gate
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_LATER, REQUESTS_SOON, Outgoing
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.item import Spillover
from tests.requests.protocol.process import DEPLOYMENT, SPILLOVER, URGENCY
from tests.requests.protocol.world import TIMING, World

LEAD = URGENCY.spillover_lead
MAY = Spillover.BEFORE_DEADLINE


def full(gate: Gate, *, until: float = 100_000.0) -> None:
    """The deployment has answered 429, and names that time."""
    gate.observe(
        Reading(
            deployment=gate.deployment,
            kind=ReadingKind.THROTTLED,
            value=1.0,
            source="the test",
            observed_at=EPOCH,
            until=EPOCH + until,
        )
    )


def full_world(*, spillover_full: bool = False, spills_over: bool = True) -> World:
    """No process has room at the PTU deployment."""
    world = World(spills_over=spills_over)
    for number in range(2):
        full(world.process(number).gate)
        if spillover_full:
            full(world.process(number).spillover_gate)
    return world


async def played(world: World, event: RequestEvent, *, seconds: float, hub: str = REQUESTS) -> None:
    """The event is on its hub; hosts and hubs run for so long."""
    world.start()
    world.hubs.enqueue(hub, Outgoing(event.encode()))
    await asyncio.sleep(seconds)
    await world.stop()
    assert world.books.violations == []


def served_by(world: World, event: RequestEvent) -> list[str]:
    return [deployment for request, deployment in world.books.served if request == event.request_id]


def slots(world: World, event: RequestEvent) -> list[JsonObject]:
    return [dict(slot) for _, slot in sorted(world.books.slots[event.request_id].items())]


# --- it leaves in time --------------------------------------------------------------------------


@in_virtual_time
async def test_what_waits_at_a_full_deployment_leaves_before_its_deadline() -> None:
    world = full_world()
    event = world.request(deadline=300, spillover=MAY)
    await played(world, event, seconds=300)
    attempt, outcome = slots(world, event)
    assert served_by(world, event) == [SPILLOVER]
    assert 300 - LEAD <= attempt["at"] - EPOCH <= 300 - LEAD + 2
    for slot in (attempt, outcome):
        assert (slot["deployment"], slot["spilled_over"]) == (SPILLOVER, True)
        assert "its deadline was 20 s away" in slot["spilled_over_why"]
        assert "429" in slot["spilled_over_why"]
    view = await world.process().status.show(event.request_id)
    assert (view["state"], view["deployment"]) == ("succeeded", SPILLOVER)
    assert view["spilled_over"] is True
    assert view["spilled_over_why"] == attempt["spilled_over_why"]
    assert view["history"][0]["deployment"] == SPILLOVER


@in_virtual_time
async def test_what_the_deployment_has_room_for_does_not_leave() -> None:
    world = World()
    event = world.request(deadline=300, spillover=MAY)
    await world.dispatch(event)
    assert served_by(world, event) == [DEPLOYMENT]
    view = await world.process().status.show(event.request_id)
    assert (view["deployment"], view["spilled_over"], view["spilled_over_why"]) == (
        DEPLOYMENT,
        False,
        None,
    )


@in_virtual_time
async def test_it_leaves_the_gate_itself_when_its_time_has_come() -> None:
    world = full_world()
    event = world.request(deadline=LEAD + 3 + LEAD, spillover=MAY)
    await asyncio.sleep(LEAD)
    await world.dispatch(event)
    assert served_by(world, event) == [SPILLOVER]
    assert slots(world, event)[0]["at"] - EPOCH == pytest.approx(LEAD + 3, abs=0.2)
    assert world.on_hub(REQUESTS_LATER) == world.on_hub(REQUESTS_SOON) == []


@in_virtual_time
async def test_what_comes_after_its_time_to_leave_does_not_ask_the_deployment_first() -> None:
    world = World()
    event = world.request(deadline=300, spillover=MAY)
    await asyncio.sleep(300 - LEAD / 2)
    await world.dispatch(event)
    assert served_by(world, event) == [SPILLOVER]


@in_virtual_time
async def test_half_of_a_short_time_belongs_to_the_deployment() -> None:
    world = full_world()
    event = world.request(deadline=10, spillover=MAY)
    await world.dispatch(event)
    assert served_by(world, event) == [SPILLOVER]
    assert slots(world, event)[0]["at"] - EPOCH == pytest.approx(5, abs=0.6)


@in_virtual_time
async def test_a_refused_attempt_is_not_put_off_beyond_the_time_to_leave() -> None:
    world = World()
    world.retry_after = 50.0
    event = world.request(deadline=60, spillover=MAY)
    world.faults.order("429")
    await played(world, event, seconds=60)
    attempt, released, again, outcome = slots(world, event)
    assert released["not_before"] == pytest.approx(EPOCH + 60 - LEAD)
    assert [attempt["deployment"], again["deployment"]] == [DEPLOYMENT, SPILLOVER]
    assert outcome["kind"] == "succeeded"


@in_virtual_time
async def test_copies_come_back_when_it_is_time_to_leave() -> None:
    world = full_world()
    event = world.request(deadline=TIMING.hold + 3 + LEAD, spillover=MAY)
    event = event.model_copy(update={"deferrals": 10})
    await world.dispatch(event)
    (copy,) = world.on_hub(REQUESTS_SOON)
    assert isinstance(copy, RequestEvent)
    assert copy.not_before == pytest.approx(event.deadline - LEAD)
    assert copy.spillover is MAY


@pytest.mark.parametrize(
    ("left", "spillover", "hub"),
    [
        pytest.param(URGENCY.soon + 60, MAY, REQUESTS_LATER, id="far from it"),
        pytest.param(URGENCY.soon - 5, MAY, REQUESTS_SOON, id="near"),
        pytest.param(URGENCY.soon - 5, Spillover.NEVER, REQUESTS_LATER, id="near, but it stays"),
    ],
)
@in_virtual_time
async def test_who_leaves_soon_does_not_wait_behind_a_crowd_that_is_not_due(
    left: float, spillover: Spillover, hub: str
) -> None:
    world = full_world()
    event = world.request(deadline=left + LEAD, spillover=spillover)
    await world.dispatch(event)
    assert len(world.on_hub(hub)) == 1
    assert sum(len(world.on_hub(each)) for each in (REQUESTS_SOON, REQUESTS_LATER)) == 1


@in_virtual_time
async def test_it_leaves_in_time_out_of_a_backlog_that_has_not_come_to_it() -> None:
    """Its event is somewhere in `requests`, where nobody reads; the sweep knows of it."""
    world = full_world()
    event = world.request(deadline=900, spillover=MAY)
    world.hubs.enqueue(REQUESTS, Outgoing(event.encode()))
    swept_at = 0.0
    while world.now() < 900 and not world.on_hub(REQUESTS_SOON):
        await asyncio.sleep(60)
        swept_at = world.now()
        await world.process().sweep_once()
    (copy,) = world.on_hub(REQUESTS_SOON)
    assert isinstance(copy, RequestEvent)
    assert swept_at < 900 - LEAD
    world.hubs.start()
    await asyncio.sleep(900 - swept_at)
    await world.stop()
    assert served_by(world, event) == [SPILLOVER]
    assert world.books.violations == []


# --- when there is no room there either -----------------------------------------------------------


@in_virtual_time
async def test_a_429_of_pay_as_you_go_is_waited_out_and_it_is_tried_again() -> None:
    world = full_world()
    world.retry_after = 0.5
    event = world.request(deadline=300, spillover=MAY)
    world.faults.order("429", f"by {SPILLOVER}", times=2)
    await played(world, event, seconds=300)
    assert world.kinds(event) == ["attempt", "released"] * 2 + ["attempt", "succeeded"]
    assert served_by(world, event) == [SPILLOVER] * 3


@in_virtual_time
async def test_pauses_leave_time_to_be_tried_again() -> None:
    """However often pay-as-you-go fails, it is asked until the end, and not without a pause."""
    world = full_world()
    world.retry_after = 0.0
    event = world.request(deadline=300, spillover=MAY)
    world.faults.order("429", f"by {SPILLOVER}", times=1_000)
    await played(world, event, seconds=330)
    calls = served_by(world, event)
    assert 3 <= len(calls) <= 30
    attempts = [slot["at"] - EPOCH for slot in slots(world, event) if slot["kind"] == "attempt"]
    assert attempts[-1] > 290
    assert world.kinds(event)[-1] == "expired"


@in_virtual_time
async def test_without_room_there_either_it_expires_and_says_so() -> None:
    world = full_world(spillover_full=True)
    event = world.request(deadline=300, spillover=MAY)
    await played(world, event, seconds=330)
    assert served_by(world, event) == []
    (outcome,) = slots(world, event)
    message = outcome["error"]["message"]
    assert outcome["kind"] == "expired"
    assert "before there was room" in message
    assert f"Spillover: {SPILLOVER} could not take it in time" in message
    assert "429" in message


@in_virtual_time
async def test_a_target_that_was_taken_away_is_told() -> None:
    world = full_world(spills_over=False)
    event = world.request(deadline=30, spillover=MAY)
    await played(world, event, seconds=60)
    (outcome,) = slots(world, event)
    assert f"deployment {DEPLOYMENT} has no target" in outcome["error"]["message"]


# --- without the policy ---------------------------------------------------------------------------


@in_virtual_time
async def test_without_the_policy_it_expires_and_says_what_it_waited_for() -> None:
    world = full_world()
    event = world.request(deadline=100)
    await played(world, event, seconds=130)
    assert served_by(world, event) == []
    (outcome,) = slots(world, event)
    assert outcome["kind"] == "expired"
    assert outcome["error"]["code"] == "deadline_exceeded"
    assert outcome["error"]["message"] == (
        "The deadline passed before there was room for this request. "
        "Why it waited last: the deployment answered 429."
    )


@in_virtual_time
async def test_it_expires_at_the_gate_when_its_deadline_comes_not_when_its_hold_ends() -> None:
    world = full_world()
    event = world.request(deadline=3)
    await world.dispatch(event)
    assert world.kinds(event) == ["expired"]
    assert world.now() < 4


@in_virtual_time
async def test_what_had_attempts_is_told_so() -> None:
    world = World()
    world.retry_after = 200.0
    world.faults.order("429")
    event = world.request(deadline=100)
    await played(world, event, seconds=330)
    message = slots(world, event)[-1]["error"]["message"]
    assert message.startswith("The deadline passed after attempts that had to be given up.")
    assert "the deployment answered 429" in message


@in_virtual_time
async def test_what_the_sweep_expires_says_why_it_waited_too() -> None:
    world = full_world()
    event = world.request(deadline=100, spillover=MAY)
    await asyncio.sleep(101)
    await world.process().sweep_once()
    (outcome,) = slots(world, event)
    assert "in its hub, behind what came before it" in outcome["error"]["message"]
    assert "Spillover: pay-as-you-go could not take it" in outcome["error"]["message"]


# --- the books ------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_duplicate_call_says_that_it_was_paid_by_the_token() -> None:
    world = full_world()
    event = world.request(deadline=10, spillover=MAY)
    world.faults.order("long call")
    calling = asyncio.create_task(world.dispatch(event))
    await asyncio.sleep(8)
    await world.process(1).cancellation.cancel(event.request_id)
    report = await calling
    (duplicate,) = [a for a in report.annotations if a["type"] == "duplicate"]
    assert (duplicate["deployment"], duplicate["spilled_over"]) == (SPILLOVER, True)
