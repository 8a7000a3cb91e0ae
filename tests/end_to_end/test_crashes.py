"""Hosts and workers that die, stop or share the work: nothing is lost, and no call is paid for
beyond those that were in flight at a kill. The PTU's counters and the ledger are the truth.

One system, in which each test starts the hosts that it needs beside those that still run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from local.system.processes import descendants
from ptu_optimizer.requests.ids import slice_of_request
from tests.end_to_end.clients import chat
from tests.end_to_end.systems import System, running
from tests.support.polling import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

LANE = "plain"
SECONDS_PER_CALL = 0.5
AT_A_TIME = 8
"""Calls that a process has in flight at most."""

ITEMS_PER_CALL = 10
"""Few, because the events of a call share a partition, and calls take turns."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    settings = {
        # few calls at a time, so that a kill finds most of the work before it
        "MAX_CONCURRENT_CALLS": str(AT_A_TIME),
        # short leases, so that what it hit is taken over soon
        "CALL_LIMIT_SECONDS": "4",
        "WRITE_BUDGET_SECONDS": "4",
    }
    async with running(tmp_path_factory.mktemp("crashes"), LANE, settings=settings) as own:
        await own.ptu.seconds_per_call(LANE, SECONDS_PER_CALL)
        yield own


@dataclass
class Work:
    """Requests in the system, and what the PTU had counted before them."""

    system: System
    before: dict[str, Any]
    ids: list[str] = field(default_factory=list)

    @classmethod
    async def submitted(cls, system: System, count: int) -> Work:
        work = cls(system, await system.ptu.counters())
        for start in range(0, count, ITEMS_PER_CALL):
            items = [chat(f"work {n}") for n in range(start, min(count, start + ITEMS_PER_CALL))]
            work.ids += await system.app.submit(*items)
        return work

    async def served(self) -> int:
        return int((await self.system.ptu.counters())["served"] - self.before["served"])

    async def midway(self) -> None:
        """Wait until some are served, and calls are in flight."""

        async def flowing() -> bool:
            counters = await self.system.ptu.counters()
            served = counters["served"] - self.before["served"]
            return bool(served >= 5 and counters["in_flight"] > 0)

        await eventually(flowing, "calls to flow")
        assert await self.served() < len(self.ids), "the fault must come before the end"

    async def taken_over(self) -> int:
        """Attempts that another attempt followed: their process did not live to say how they ended,
        so their call may have been paid for."""
        attempts = 0
        for partition in {slice_of_request(request_id) for request_id in self.ids}:
            kinds = {
                (record["request_id"], record["n"]): record["kind"]
                for record in await self.system.store.records("requests", partition)
                if record.get("request_id") in self.ids and "n" in record
            }
            attempts += sum(
                kind == "attempt" and kinds.get((request_id, n + 1)) == "attempt"
                for (request_id, n), kind in kinds.items()
            )
        return attempts

    async def all_succeeded_once(self, *, after_a_kill: bool = False) -> None:
        """One outcome each, all succeeded, and calls paid for twice only where a kill hit."""
        views = await self.system.app.ended(self.ids)
        assert [view["state"] for view in views] == ["succeeded"] * len(self.ids)
        assert await self.system.store.outcomes(self.ids) == dict.fromkeys(self.ids, 1)
        surplus = (await self.system.ptu.counters())["surplus"] - self.before["surplus"]
        taken_over = await self.taken_over()
        assert surplus <= taken_over
        assert after_a_kill or not taken_over
        assert await self.served() == len(self.ids) + surplus


async def two_hosts(system: System) -> None:
    while len(system.local.running_hosts()) < 2:
        await system.local.start_host()


async def test_a_killed_worker_loses_nothing(system: System) -> None:
    work = await Work.submitted(system, 60)
    await work.midway()
    host = len(system.local.hosts) - 1
    killed = await system.local.kill_worker(host)
    await work.all_succeeded_once(after_a_kill=True)
    assert not set(killed) & set(descendants(system.local.hosts[host].pid)), "a new worker serves"


async def test_two_hosts_share_the_partitions_and_the_work(system: System) -> None:
    await two_hosts(system)
    for host in system.local.running_hosts():
        url = host.url

        async def owns_one(url: str = url) -> bool:
            answer = await system.app.call(
                "GET", "/admin/host/status", key=system.local.keys.master, url=url
            )
            return len(answer.body["partitions"]["dispatch_requests"]) == 1

        await eventually(owns_one, "each host to own one of the two partitions")
    work = await Work.submitted(system, 40)
    await work.all_succeeded_once()
    workers = {
        record["worker"]
        for partition in {slice_of_request(request_id) for request_id in work.ids}
        for record in await system.store.records("requests", partition)
        if record.get("kind") == "attempt"
    }
    assert len(workers) == 2, "both processes made calls"


async def test_a_killed_host_loses_nothing_and_the_other_takes_over(system: System) -> None:
    await two_hosts(system)
    work = await Work.submitted(system, 60)
    await work.midway()
    await system.local.kill_host(len(system.local.hosts) - 1)
    await work.all_succeeded_once(after_a_kill=True)


async def test_a_stopped_host_drains_and_pays_for_nothing_twice(system: System) -> None:
    work = await Work.submitted(system, 40)
    await work.midway()
    stopped = next(
        index for index, host in enumerate(system.local.hosts) if host.returncode is None
    )
    await system.local.start_host()
    assert await system.local.stop_host(stopped), "it ended by itself, within its grace"
    await work.all_succeeded_once()
