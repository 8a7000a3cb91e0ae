"""What a near deadline changes: who overtakes, when a request leaves, and how long it pauses."""

from __future__ import annotations

import asyncio

import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.admission.gate import Gate
from ptu_optimizer.admission.gated_deployment import GatedDeployment
from ptu_optimizer.capacity.control.pay_as_you_go import PayAsYouGo
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.capacity.work import TOKENS
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_LATER, REQUESTS_SOON
from ptu_optimizer.requests.dispatch.route import Route, route_of
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.item import Priority, Spillover
from ptu_optimizer.requests.urgency import STAYS, Urgency
from tests.requests.protocol.process import DEPLOYMENT
from tests.requests.protocol.process import URGENCY as SHORT
from tests.requests.protocol.world import World

NOW = 10_000.0
URGENCY = Urgency(soon=900, spillover_lead=60)
MAY = Spillover.BEFORE_DEADLINE


def event(
    *,
    left: float = 5_000.0,
    priority: Priority = Priority.NORMAL,
    spillover: Spillover = Spillover.NEVER,
) -> RequestEvent:
    return RequestEvent(
        request_id="g-0",
        deadline=NOW + left,
        deployment="ptu",
        priority=priority,
        spillover=spillover,
    )


# --- overtaking -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "hub", "overtakes"),
    [
        pytest.param(event(), REQUESTS, False, id="bulk"),
        pytest.param(event(), REQUESTS_LATER, False, id="re-scheduled bulk"),
        pytest.param(event(), REQUESTS_SOON, True, id="by requests-soon"),
        pytest.param(event(priority=Priority.HIGH), REQUESTS_LATER, True, id="high, re-scheduled"),
        pytest.param(event(left=899), REQUESTS, True, id="a deadline that has come near"),
        pytest.param(event(left=900), REQUESTS, True, id="at the limit of near"),
        pytest.param(event(left=901), REQUESTS, False, id="not near yet"),
        pytest.param(event(left=-1), REQUESTS, True, id="past its deadline"),
    ],
)
def test_who_overtakes(one: RequestEvent, hub: str, overtakes: bool) -> None:
    assert URGENCY.overtakes(one, hub=hub, now=NOW) is overtakes


@pytest.mark.parametrize(
    "urgent",
    [
        pytest.param({"priority": Priority.HIGH}, id="high priority"),
        pytest.param({"deadline": EPOCH + SHORT.soon - 1}, id="a near deadline"),
    ],
)
@in_virtual_time
async def test_at_the_gate_what_is_urgent_passes_before_what_came_first(
    urgent: dict[str, object],
) -> None:
    """On whichever hub it came: here in the same batch, behind the bulk."""
    world = World()
    full = Reading(
        deployment=DEPLOYMENT,
        kind=ReadingKind.THROTTLED,
        value=1.0,
        source="the test",
        observed_at=EPOCH,
        until=EPOCH + 3,
    )
    world.process().gate.observe(full)
    bulk = [world.request() for _ in range(3)]
    last = world.request().model_copy(update=urgent)
    await world.dispatch(*bulk, last)
    order = [request for request, _ in world.books.served]
    assert len(order) == 4
    assert order[0] == last.request_id


# --- when it leaves -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "created_at", "leaves_at"),
    [
        pytest.param(event(), NOW, STAYS, id="it does not want to"),
        pytest.param(event(spillover=MAY), NOW, NOW + 4_940, id="its lead before the deadline"),
        pytest.param(event(left=120, spillover=MAY), NOW, NOW + 60, id="twice its lead"),
        pytest.param(event(left=40, spillover=MAY), NOW, NOW + 20, id="half of a short time"),
        pytest.param(event(left=40, spillover=MAY), NOW - 60, NOW - 10, id="half is over"),
    ],
)
def test_when_a_request_leaves(one: RequestEvent, created_at: float, leaves_at: float) -> None:
    assert URGENCY.leaves_at(one, created_at=created_at) == leaves_at


def deployment_with(name: str, *, spillover: GatedDeployment | None = None) -> GatedDeployment:
    controller = PayAsYouGo(
        tokens_per_minute=1_000, requests_per_minute=None, max_concurrent_calls=1
    )
    gate = Gate(deployment=name, controller=controller, clock=VirtualClock())
    return GatedDeployment(gate=gate, model=TOKENS, spillover=spillover)


def route(
    one: RequestEvent, *, now: float = NOW, target: bool = True, why: str = "it is full"
) -> Route:
    own = deployment_with("ptu", spillover=deployment_with("payg") if target else None)
    return route_of(one, own, urgency=URGENCY, created_at=NOW - 5_000, why=why, now=now)


@pytest.mark.parametrize(
    ("one", "target", "now", "deployment", "until"),
    [
        pytest.param(event(), True, NOW, "ptu", NOW + 5_000, id="it stays to its deadline"),
        pytest.param(event(), True, NOW + 4_999, "ptu", NOW + 5_000, id="it stays, even late"),
        pytest.param(event(spillover=MAY), True, NOW, "ptu", NOW + 4_940, id="not yet"),
        pytest.param(event(spillover=MAY), True, NOW + 4_940, "payg", NOW + 5_000, id="now"),
        pytest.param(event(spillover=MAY), False, NOW + 4_990, "ptu", NOW + 5_000, id="no target"),
    ],
)
def test_which_deployment_a_request_asks_and_until_when(
    one: RequestEvent, target: bool, now: float, deployment: str, until: float
) -> None:
    taken = route(one, target=target, now=now)
    assert (taken.target.deployment, taken.until) == (deployment, until)
    assert (taken.spilled_over is not None) == (deployment == "payg")


def test_who_left_says_why() -> None:
    near = NOW + 4_945
    assert route(event(spillover=MAY), now=near).spilled_over == (
        "its deadline was 55 s away; why it waited last: it is full"
    )
    assert route(event(spillover=MAY), now=near, why="").spilled_over == (
        "its deadline was 55 s away"
    )


# --- how long it pauses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "now", "wanted", "at_least", "pause"),
    [
        pytest.param(event(), NOW, 30, 0, 30, id="as it is wanted"),
        pytest.param(event(), NOW, 30, 45, 45, id="or as its deployment asks"),
        pytest.param(event(), NOW + 4_990, 30, 0, 30, id="whatever its deadline"),
        pytest.param(event(spillover=MAY), NOW + 4_930, 30, 0, 10, id="until it leaves"),
        pytest.param(event(spillover=MAY), NOW + 4_930, 0, 45, 10, id="whatever is asked for"),
        pytest.param(event(spillover=MAY), NOW + 4_960, 30, 0, 10, id="a quarter of what is left"),
        pytest.param(event(spillover=MAY), NOW + 4_960, 1, 0, 1, id="or less"),
        pytest.param(event(spillover=MAY), NOW + 4_960, 1, 25, 25, id="or as the target asks"),
        pytest.param(event(spillover=MAY), NOW + 5_010, 30, 0, 0, id="too late"),
    ],
)
def test_pauses_leave_time_for_what_comes_after(
    one: RequestEvent, now: float, wanted: float, at_least: float, pause: float
) -> None:
    assert route(one, now=now).pause(wanted, at_least=at_least, now=now) == pause


@in_virtual_time
async def test_who_left_is_timed_by_the_gate_of_the_target() -> None:
    """The tokens of pay-as-you-go are spaced out: the second call waits for the first's minute."""
    world = World()
    events = [
        world.request(deadline=600, spillover=MAY).model_copy(
            update={"body": {"messages": [{"role": "user"}], "max_tokens": 5_000}}
        )
        for _ in range(2)
    ]
    await asyncio.sleep(600 - SHORT.spillover_lead)
    await world.dispatch(*events)
    starts = sorted(world.books.slots[each.request_id][1]["at"] - EPOCH for each in events)
    assert starts[1] - starts[0] == pytest.approx(5, abs=0.3)
