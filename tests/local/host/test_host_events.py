"""Event Hub triggers through a real host, the real SDK and real checkpoints."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from azure.eventhub import EventData

from local.event_hubs import EventHubsServer
from tests.local.host.support import HostProcess, Hub, Notes, alive, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

HUBS = {"requests": 4, "plain": 1, "single": 1}
NO_COSMOS = "AccountEndpoint=http://127.0.0.1:9/;AccountKey=AAAA;"


class System:
    """Hubs, storage and notes that several hosts may share."""

    def __init__(self, folder: Path, storage: str, hubs: EventHubsServer) -> None:
        self.folder = folder
        self.notes = Notes(folder / "notes")
        self.connection_string = hubs.connection_string
        self._values = {
            "AzureWebJobsStorage": storage,
            "EVENT_HUBS": hubs.connection_string,
            "COSMOS": NO_COSMOS,
            "HUB": "requests",
            "NOTES": str(self.notes.folder),
        }

    async def host(self, *arguments: str) -> HostProcess:
        """Start one more host; its partitions are given up sooner than by default."""
        quick = ("--balance-interval", "0.5", "--ownership-expiry", "3")
        return await HostProcess.start("events", self.folder, self._values, *quick, *arguments)

    def hub(self, name: str = "requests") -> Hub:
        """A producer."""
        return Hub(self.connection_string, name)


@pytest_asyncio.fixture(loop_scope="module")
async def system(tmp_path: Path, storage: str) -> AsyncIterator[System]:
    async with EventHubsServer(hubs=HUBS) as hubs:
        yield System(tmp_path, storage, hubs)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    tmp_path_factory: pytest.TempPathFactory, storage: str
) -> AsyncIterator[tuple[System, HostProcess]]:
    """A system with one host, for tests that leave it as they found it."""
    async with EventHubsServer(hubs=HUBS) as hubs:
        system = System(tmp_path_factory.mktemp("system"), storage, hubs)
        async with await system.host() as host:
            await host.owning("collect", 4)
            await host.owning("without_retries", 1)
            await host.owning("one_by_one", 1)
            yield system, host


async def test_a_function_gets_the_batches_of_each_partition_in_order(
    shared: tuple[System, HostProcess],
) -> None:
    system, _ = shared
    async with system.hub() as hub:
        for partition in range(4):
            await hub.send(*(f"order {partition} {n}" for n in range(250)), partition=partition)
    await system.notes.seen("collected", [f"order {p} 249" for p in range(4)])
    for partition in range(4):
        notes = [n for n in system.notes.all("collect") if n["partition"] == str(partition)]
        bodies = [b for note in notes for b in note["bodies"] if b.startswith("order")]
        assert bodies == [f"order {partition} {n}" for n in range(250)]
        assert max(len(note["bodies"]) for note in notes) <= 100


async def test_a_single_event_comes_with_its_metadata(shared: tuple[System, HostProcess]) -> None:
    system, _ = shared
    event = EventData(b"\xff\x00")
    event.properties = {"kind": "request", "number": 3}
    async with system.hub("single") as hub:
        await hub.send(event)
    await until(lambda: bool(system.notes.all("single")), "the event")
    (note,) = system.notes.all("single")
    assert (note["body"], note["sequence_number"]) == ("ff00", 0)
    assert note["properties"] == {"kind": "request", "number": 3}
    assert note["partition"]["EventHubName"] == "single"
    assert note["partition"]["PartitionId"] == "0"


async def test_a_failed_batch_is_retried_before_its_partition_goes_on(
    shared: tuple[System, HostProcess],
) -> None:
    system, _ = shared
    async with system.hub() as hub:
        await hub.send("fail-once retried", partition=1)
        await system.notes.seen("collect", ["fail-once retried"])
        await hub.send("after the retry", partition=1)
    await system.notes.seen("collected", ["fail-once retried", "after the retry"])
    notes = [n for n in system.notes.all("collect") if "fail-once retried" in n["bodies"]]
    assert [note["retry"] for note in notes] == [0, 1]
    assert notes[1]["time"] - notes[0]["time"] >= 1
    order = system.notes.bodies("collected")
    assert order.index("fail-once retried") < order.index("after the retry")


async def test_without_a_retry_policy_a_failed_batch_is_passed_over_as_in_azure(
    shared: tuple[System, HostProcess],
) -> None:
    system, _ = shared
    async with system.hub("plain") as hub:
        await hub.send("fail now")
        await system.notes.seen("plain", ["fail now"])
        await hub.send("after the failure")
    await system.notes.seen("plain ended", ["after the failure"])
    assert system.notes.count("plain", "fail now") == 1


async def test_a_batch_whose_worker_dies_is_retried_in_the_next_worker(
    shared: tuple[System, HostProcess],
) -> None:
    system, host = shared
    before = (await host.worker_pids())["all"]
    async with system.hub() as hub:
        await hub.send("die-once with retries", partition=2)
    await system.notes.seen("collected", ["die-once with retries"])
    notes = [n for n in system.notes.all("collect") if "die-once with retries" in n["bodies"]]
    assert [note["retry"] for note in notes] == [0, 1]
    assert notes[0]["pid"] == before != notes[1]["pid"]


async def test_a_batch_whose_worker_dies_is_lost_without_a_retry_policy_as_in_azure(
    shared: tuple[System, HostProcess],
) -> None:
    system, _ = shared
    async with system.hub("plain") as hub:
        await hub.send("die-once without retries")
        await system.notes.seen("plain", ["die-once without retries"])
        await hub.send("after the death")
    await system.notes.seen("plain ended", ["after the death"])
    assert system.notes.count("plain", "die-once without retries") == 1


async def test_a_function_over_its_timeout_takes_its_worker_with_it(
    shared: tuple[System, HostProcess],
) -> None:
    system, _ = shared
    async with system.hub() as hub:
        await hub.send("hang-once blocking", partition=3)
    await system.notes.seen("collected", ["hang-once blocking"])
    notes = [n for n in system.notes.all("collect") if "hang-once blocking" in n["bodies"]]
    assert notes[0]["pid"] != notes[1]["pid"]
    assert notes[1]["time"] - notes[0]["time"] >= 3  # functionTimeout of the app's host.json


async def test_isolated_functions_run_in_processes_of_their_own(system: System) -> None:
    async with await system.host("--isolate") as host:
        pids = await host.worker_pids()
        assert set(pids) == {"http", "collect", "without_retries", "one_by_one"}
        assert len(set(pids.values())) == 4
        assert (await host.get("/where"))["pid"] == pids["http"]
        await host.owning("collect", 4)
        async with system.hub() as hub:
            await hub.send("hello")
        await system.notes.seen("collected", ["hello"])
        assert system.notes.all("collected")[0]["pid"] == pids["collect"]


async def test_a_batch_that_ends_while_stopping_comes_again_at_the_next_host(
    system: System,
) -> None:
    async with await system.host() as host:
        await host.owning("collect", 4)
        async with system.hub() as hub:
            await hub.send("done before")
            await system.notes.seen("collected", ["done before"])
            await hub.send("sleep 1")  # runs only after the checkpoint of what was before
            await system.notes.seen("collect", ["sleep 1"])
            host.terminate()
            await system.notes.seen("collected", ["sleep 1"])
            assert await host.ended() == 0
            await hub.send("afterwards")
    async with await system.host():
        await system.notes.seen("collected", ["afterwards"])
    assert system.notes.count("collected", "sleep 1") == 2
    assert system.notes.count("collected", "done before") == 1


async def test_hosts_share_the_partitions_and_one_takes_over_from_a_killed_one(
    system: System,
) -> None:
    async with await system.host() as first, await system.host() as second, system.hub() as hub:
        await asyncio.gather(first.owning("collect", 2), second.owning("collect", 2))
        (victim,) = (await first.worker_pids()).values()
        lost = (await first.status())["partitions"]["collect"]
        await hub.send("sleep 30", partition=int(lost[0]))
        await system.notes.seen("collect", ["sleep 30"])
        os.kill(first.process.pid, signal.SIGKILL)
        await until(lambda: not alive(victim), "the end of the killed host's worker")
        await hub.send("after the kill", partition=int(lost[1]))
        await second.owning("collect", 4)
        await system.notes.seen("collected", ["after the kill"])
        await until(lambda: system.notes.count("collect", "sleep 30") >= 2, "the batch again")
