"""How long a waiting request will probably wait, and what is said of how that is known."""

from __future__ import annotations

import asyncio
import statistics

import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_LATER, REQUESTS_SOON, Outgoing
from ptu_optimizer.requests.status.flow import Flow, GroupProgress, Place
from ptu_optimizer.requests.status.projection import (
    FLOW_FRESH_SECONDS,
    Projection,
    Projections,
    WaitingRequest,
    project,
)
from tests.requests.protocol.faults import Faults
from tests.requests.protocol.world import World
from tests.support.stores import FakeCapacity

NOW = EPOCH + 100.0


def flow(
    hub: str = REQUESTS,
    *,
    rate: float = 2.0,
    chance: float = 1.0,
    age: float = 1.0,
    worker: str = "w",
) -> Flow:
    big = GroupProgress(group="big", accepted_at=EPOCH, count=1_000, before=0, left=100)
    return Flow(
        hub=hub,
        worker=worker,
        at=NOW - age,
        rate=rate,
        idle=False,
        chance=chance,
        round_seconds=30.0,
        accepted_per_second=0.0,
        newest=EPOCH,
        groups=(big,) if hub == REQUESTS else (),
    )


def waiting(
    *,
    index: int = 500,
    hub: str | None = None,
    not_before: float | None = None,
    deployment: str | None = "ptu",
) -> WaitingRequest:
    place = Place(accepted_at=EPOCH, group="big", index=index, count=1_000)
    return WaitingRequest(place=place, deployment=deployment, hub=hub, not_before=not_before)


@pytest.mark.parametrize(
    ("known", "flows", "seconds", "says"),
    [
        pytest.param(waiting(), [flow()], 200.0, "about 400 requests are before it", id="queued"),
        pytest.param(waiting(index=50), [flow()], 0.0, "about 0 requests", id="its turn has come"),
        pytest.param(
            waiting(),
            [flow(), flow(worker="v")],
            75.0,
            "about 300 requests are before it in hub requests, of which 4 a second",
            id="two processes",
        ),
        pytest.param(
            waiting(),
            [flow(chance=0.5)],
            200.0 + 0.5 * 30.0,
            "50% of them find room at once",
            id="half are re-scheduled",
        ),
        pytest.param(
            waiting(),
            [flow(chance=0.5), flow(REQUESTS_LATER, chance=0.2)],
            200.0 + 0.5 * 120.0,
            "the others are re-scheduled",
            id="and what is re-scheduled needs five rounds",
        ),
        pytest.param(waiting(), [flow(chance=0.0)], None, "hardly any", id="no room at all"),
        pytest.param(waiting(), [], None, "nothing is known: no request", id="nothing known"),
        pytest.param(
            waiting(),
            [flow(age=FLOW_FRESH_SECONDS + 1)],
            None,
            "nothing is known",
            id="known long ago",
        ),
        pytest.param(
            waiting(), [flow(REQUESTS_SOON)], None, "nothing is known", id="of another hub only"
        ),
        pytest.param(
            waiting(hub=REQUESTS_LATER, not_before=NOW + 20),
            [flow(REQUESTS_LATER, chance=0.25)],
            20.0 + 90.0,
            "25% of what is re-scheduled finds room each time",
            id="re-scheduled",
        ),
        pytest.param(
            waiting(hub=REQUESTS_SOON, not_before=NOW - 5),
            [flow(REQUESTS_SOON, chance=1.0), flow(REQUESTS_LATER, chance=0.1)],
            0.0,
            "100%",
            id="re-scheduled where it is urgent",
        ),
        pytest.param(
            waiting(hub=REQUESTS_LATER, not_before=NOW + 20),
            [flow()],
            20.0,
            "at least: nothing is known",
            id="re-scheduled, with nothing known but its time",
        ),
        pytest.param(
            waiting(hub=REQUESTS_LATER, not_before=NOW - 20),
            [],
            None,
            "nothing is known",
            id="re-scheduled and due, with nothing known",
        ),
        pytest.param(
            waiting(hub=REQUESTS_LATER, not_before=NOW + 20),
            [flow(REQUESTS_LATER, chance=0.0)],
            None,
            "hardly any",
            id="re-scheduled, and nothing finds room",
        ),
    ],
)
def test_what_is_projected(
    known: WaitingRequest, flows: list[Flow], seconds: float | None, says: str
) -> None:
    projection = project(known, flows, now=NOW)
    assert projection.seconds == (None if seconds is None else pytest.approx(seconds))
    assert says in projection.text


# --- what is read -------------------------------------------------------------------------------


async def read(store: FakeCapacity, *, deployment: str | None) -> Projection:
    await asyncio.sleep(100)
    projections = Projections(store=store, deployments=["ptu", "other"], clock=VirtualClock())
    return await projections.of(waiting(deployment=deployment))


@pytest.mark.parametrize(
    ("deployment", "seconds"),
    [
        pytest.param("ptu", 200.0, id="its own"),
        pytest.param("other", None, id="another"),
        pytest.param(None, 200.0, id="not known yet: all"),
    ],
)
@in_virtual_time
async def test_the_flows_of_its_deployment_are_read(
    deployment: str | None, seconds: float | None
) -> None:
    store = FakeCapacity()
    await store.write(flow().record(deployment="ptu", ttl_seconds=300))
    await store.write({"id": "flow:bad", "deployment": "ptu", "type": "flow"})
    assert (await read(store, deployment=deployment)).seconds == seconds


@in_virtual_time
async def test_without_the_store_it_says_so() -> None:
    projection = await read(FakeCapacity(away=True), deployment="ptu")
    assert projection == Projection(None, "nothing is known: Cosmos DB cannot be reached")


# --- the whole --------------------------------------------------------------------------------


@in_virtual_time
async def test_what_callers_are_told_comes_true_about() -> None:
    """One call of 99 items, few at a time at the deployment; asked while it is served."""
    world = World(faults=Faults(until=0.0), deadline=7_200)
    world.start()
    await world.accept(99)
    await asyncio.sleep(15)  # at first one call at a time probes: its pace is not that of the rest
    told: dict[str, tuple[float, float]] = {}
    for _ in range(6):
        await asyncio.sleep(15)
        for request in world.promised():
            view = await world.process().status.show(request)
            waiting_for = view["waiting"] or {}
            seconds = waiting_for.get("projected_seconds")
            if view["state"] == "queued" and seconds is not None and request not in told:
                assert waiting_for["projected_start"] is not None
                told[request] = (world.now(), seconds)
    await world.settle(horizon=2_000)
    await world.stop()
    ratios = []
    for request, (at, seconds) in told.items():
        waited = world.books.slots[request][1]["at"] - EPOCH - at
        if waited > 10:
            ratios.append(seconds / waited)
    assert len(ratios) > 20
    assert 0.5 < statistics.median(ratios) < 1.5
    assert world.books.violations == []


@in_virtual_time
async def test_who_is_re_scheduled_is_told_when_it_is_tried_again() -> None:
    world = World()
    event = world.request().model_copy(update={"not_before": EPOCH + 500})
    world.start()
    world.hubs.enqueue(REQUESTS, Outgoing(event.encode()))
    await asyncio.sleep(60)
    view = await world.process().status.show(event.request_id)
    await world.stop()
    assert view["state"] == "deferred"
    assert view["waiting"]["not_before"].endswith("+00:00")
    assert view["waiting"]["projected_seconds"] == pytest.approx(440, abs=2)
    assert "at least" in view["waiting"]["projection"]
