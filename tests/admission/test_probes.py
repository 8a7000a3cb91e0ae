"""With nothing known, one call probes: once a deployment, however many processes there are."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from local.virtual_time import VirtualClock, in_virtual_time
from ptu_optimizer.admission.gate import CallAsk, Gate
from ptu_optimizer.admission.permits import Ending, Permit
from ptu_optimizer.admission.wait_limits import WaitLimits
from ptu_optimizer.capacity.control.level_controller import PROBE_SECONDS
from ptu_optimizer.coordination.exchange import CapacityExchange
from ptu_optimizer.coordination.send_lease import SHORTEST_TURN_SECONDS
from ptu_optimizer.ports.hubs import REQUESTS
from tests.support.controllers import level_controller
from tests.support.stores import FakeCapacity

PATIENT = WaitLimits(hold_seconds=1e6, until=1e6)
CALL_SECONDS = 0.5


class Deployment:
    """It answers, and says nothing of how full it is: what is sent are probes."""

    def __init__(self) -> None:
        self.called_at: list[float] = []
        self.under_way = 0
        self.most_under_way = 0

    async def call(self) -> None:
        self.called_at.append(asyncio.get_running_loop().time())
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(CALL_SECONDS)
        self.under_way -= 1


async def work(name: str, store: FakeCapacity, deployment: Deployment) -> None:
    """A worker that has more requests than it can send."""
    clock = VirtualClock()
    gate = Gate(
        deployment="ptu", controller=level_controller(source=name), clock=clock, shared=True
    )
    exchange = CapacityExchange(
        gates={"ptu": gate}, store=store, clock=clock, worker=name, interval_seconds=0.25
    )

    async def send() -> None:
        while True:
            permit = await gate.enter(
                CallAsk(work=100, limits=PATIENT, hub=REQUESTS, more_behind=True)
            )
            assert isinstance(permit, Permit), permit
            await deployment.call()
            permit.end(Ending(used=50, answered=True))

    async with exchange.active():
        await asyncio.gather(*(send() for _ in range(4)))


async def probed(workers: int, *, seconds: float) -> Deployment:
    store, deployment = FakeCapacity(visible_after=1.0), Deployment()
    tasks = [asyncio.create_task(work(f"w{i}", store, deployment)) for i in range(workers)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return deployment


def pauses(deployment: Deployment) -> list[float]:
    return [after - before for before, after in itertools.pairwise(deployment.called_at)]


@pytest.mark.parametrize("workers", [1, 2, 8])
@in_virtual_time
async def test_there_is_one_probe_in_all_at_a_time_and_in_its_interval(workers: int) -> None:
    seconds = 50.0
    deployment = await probed(workers, seconds=seconds)
    assert deployment.most_under_way == 1
    assert min(pauses(deployment)) > PROBE_SECONDS
    assert len(deployment.called_at) >= 0.6 * seconds / (PROBE_SECONDS + 1), "and it goes on"


@in_virtual_time
async def test_also_when_the_turn_is_handed_over() -> None:
    """For longer than any turn lasts; a successor does not know when the last probe was."""
    seconds = 900.0
    deployment = await probed(8, seconds=seconds)
    assert deployment.most_under_way == 1
    early = [pause for pause in pauses(deployment) if pause <= PROBE_SECONDS]
    assert len(early) <= seconds / SHORTEST_TURN_SECONDS, "at most the first of each turn"
