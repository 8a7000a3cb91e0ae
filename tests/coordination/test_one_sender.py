"""At most one process at a time believes that it may send, whatever the store does meanwhile.

As long as clocks agree: a disagreement of wall clocks shows in a handover, second for second. The
monotonic clocks of machines may start anywhere.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from local.virtual_time import VirtualClock, in_virtual_time, run_virtually
from ptu_optimizer.admission.gate import CallAsk, Gate
from ptu_optimizer.admission.permits import Ending, Permit
from ptu_optimizer.admission.wait_limits import WaitLimits
from ptu_optimizer.coordination.exchange import CapacityExchange
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import REQUESTS
from tests.support.controllers import Paced
from tests.support.stores import FakeCapacity

SECONDS = 300.0

GRAIN_SECONDS = 0.05
"""How often it is looked who may send."""

PATIENT = WaitLimits(hold_seconds=1e6, until=1e6)


class Way:
    """One process's way to the store: slow at times, and at times it is not told what became."""

    def __init__(self, store: FakeCapacity, chance: random.Random, *, slow: float) -> None:
        self._store = store
        self._chance = chance
        self._slow = slow

    async def write(self, record: JsonObject) -> None:
        await self._travel()
        await self._store.write(record)
        await self._travel()

    async def changed(
        self, deployment: str, *, since: float, kinds: Sequence[str] | None = None
    ) -> list[JsonObject]:
        await self._travel()
        found = await self._store.changed(deployment, since=since, kinds=kinds)
        await self._travel()
        return found

    async def swap(self, record: JsonObject, *, etag: str | None) -> str | None:
        await self._travel()
        swapped = await self._store.swap(record, etag=etag)
        await self._travel()
        return swapped

    async def _travel(self) -> None:
        """Mostly quick; sometimes as long as a lease, and sometimes nobody comes back."""
        draw = self._chance.random()
        if draw >= self._slow:
            await asyncio.sleep(0.02 * self._chance.random())
            return
        await asyncio.sleep(12.0 * self._chance.random())
        if draw < self._slow / 3:
            raise DependencyUnavailable("Cosmos DB", "no answer")


class Worker:
    """It has work for some time, then none, then some again; and it may be replaced."""

    def __init__(
        self,
        name: str,
        way: Way,
        chance: random.Random,
        *,
        skew: float = 0.0,
        interval_seconds: float = 0.25,
    ) -> None:
        self.gate = Gate(
            deployment="ptu", controller=Paced(1.0), clock=VirtualClock(skew=skew), shared=True
        )
        self._exchange = CapacityExchange(
            gates={"ptu": self.gate},
            store=way,
            clock=VirtualClock(skew=skew),
            worker=name,
            interval_seconds=interval_seconds,
        )
        self._chance = chance

    @property
    def may_send(self) -> bool:
        verdict = self.gate.verdict(hub=REQUESTS)
        return "turn" not in verdict.why and "agreed" not in verdict.why

    async def run(self) -> None:
        while True:
            async with self._exchange.active():
                for _ in range(self._chance.randrange(40)):
                    await self._send()
            await asyncio.sleep(20.0 * self._chance.random())

    async def send_for_ever(self) -> None:
        async with self._exchange.active():
            while True:
                await self._send()

    async def _send(self) -> None:
        permit = await self.gate.enter(CallAsk(work=1.0, limits=PATIENT, hub=REQUESTS))
        assert isinstance(permit, Permit), permit
        permit.end(Ending(used=1.0, answered=True))


async def _senders(seed: int, *, count: int, slow: float, skew: float, seconds: float) -> float:
    """For how long more than one believed that it may send, and that it was ever so at all."""
    chance = random.Random(seed)
    store = FakeCapacity(visible_after=chance.choice([0.0, 0.5, 1.0, 3.0]))
    workers = [
        Worker(
            f"w{number}",
            Way(store, chance, slow=slow),
            chance,
            skew=skew * chance.uniform(-0.5, 0.5),
        )
        for number in range(count)
    ]
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    both, longest, sent = 0.0, 0.0, False
    loop = asyncio.get_running_loop()
    while loop.time() < seconds:
        senders = sum(worker.may_send for worker in workers)
        sent |= senders > 0
        both = both + GRAIN_SECONDS if senders > 1 else 0.0
        longest = max(longest, both)
        await asyncio.sleep(GRAIN_SECONDS)
    for task in tasks:
        assert not task.done() or task.cancelled(), task
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert sent, "somebody must send, or nothing is shown"
    return longest


@pytest.mark.parametrize("slow", [0.0, 0.05, 0.2], ids=["quick", "slow at times", "often slow"])
@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("seed", range(4))
def test_clocks_that_agree_never_let_two_send(seed: int, count: int, slow: float) -> None:
    senders = _senders(seed, count=count, slow=slow, skew=0.0, seconds=SECONDS)
    assert run_virtually(senders) == 0.0


@pytest.mark.parametrize("skew", [0.2, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_clocks_that_differ_let_two_send_for_no_longer_than_that(seed: int, skew: float) -> None:
    senders = _senders(seed, count=3, slow=0.05, skew=skew, seconds=SECONDS)
    assert run_virtually(senders) <= skew + 2 * GRAIN_SECONDS


@in_virtual_time
async def test_a_turn_is_renewed_however_seldom_readings_are_exchanged() -> None:
    """READING_EXCHANGE_SECONDS has no upper bound."""
    chance = random.Random(1)
    way = Way(FakeCapacity(), chance, slow=0.0)
    worker = Worker("w", way, chance, interval_seconds=600.0)
    task = asyncio.create_task(worker.send_for_ever())
    await asyncio.sleep(5)
    for _ in range(300):
        assert worker.may_send
        await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
