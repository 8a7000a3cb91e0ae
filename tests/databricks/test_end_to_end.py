"""The consumer of databricks/ over real sockets: requests go in by intake and come out succeeded by
it, without a Functions host. The simulated PTU's counters are the truth."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubProducerClient
from azure.storage.blob.aio import ContainerClient

from local.cosmos.faults import Operation
from local.ptu.faults import Fault
from local.system import Options as SystemOptions
from local.system import Ports
from local.system.settings import app_settings
from ptu_consumer.clients import CHECKPOINT_CONTAINER
from ptu_consumer.running import Options, consume
from ptu_optimizer.composition.application import Application
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_LATER
from ptu_optimizer.requests.dispatch.delivery_progress import FULL_BATCH_EVENTS
from ptu_optimizer.requests.groups import POSITIONS_BUCKET
from tests.end_to_end.clients import chat
from tests.end_to_end.in_process import Bench, bench
from tests.support.azurite import free_port
from tests.support.cosmos_account import container, kind
from tests.support.polling import eventually
from tests.support.schemas import documents

ROOT = Path(__file__).resolve().parents[2]
BALANCE_SECONDS = 0.2
ONE_TRY = 2
"""Writes that azure-cosmos makes of one that is answered 503."""


@pytest.fixture
async def system(storage: str) -> AsyncIterator[Bench]:
    async with bench(storage) as made:
        yield made


@pytest.fixture
async def patient(storage: str) -> AsyncIterator[Bench]:
    """A system whose calls may take as long as a slow machine needs to look at them."""
    async with bench(storage, CALL_LIMIT_SECONDS="120") as made:
        yield made


@asynccontextmanager
async def consuming(system: Bench, **options: Any) -> AsyncIterator[asyncio.Event]:
    """The consumer in this process; what is yielded stops it."""
    stopping = asyncio.Event()
    chosen = Options(**{"balance_seconds": BALANCE_SECONDS, "grace_seconds": 20.0, **options})
    task = asyncio.create_task(consume(system.settings, chosen, stopping=stopping))
    try:
        yield stopping
    finally:
        stopping.set()
        await task


async def submit(producer: Application, count: int, **more: Any) -> list[str]:
    """What `POST /producer` does with its body."""
    items = [{"body": chat(f"question {n}"), **more} for n in range(count)]
    accepted = await producer.intake.accept(json.dumps(items).encode())
    return list(accepted.request_ids)


async def all_succeeded(producer: Application, request_ids: list[str]) -> None:
    async def look() -> bool:
        views = [await producer.status.show(request_id) for request_id in request_ids]
        return all(view["state"] == "succeeded" for view in views)

    await eventually(look, "every request to succeed", every=0.2)


async def state_of(producer: Application, request_id: str) -> str:
    return str((await producer.status.show(request_id))["state"])


def answer_after_the_stop(held: asyncio.Event) -> None:
    """Let the held call end once the stop had a second in which it could have given it up."""
    asyncio.get_running_loop().call_later(1.0, held.set)


async def records(system: Bench, name: str, partition: str) -> list[dict[str, Any]]:
    async with container(system.cosmos, name) as proxy:
        query = proxy.query_items("SELECT * FROM c", partition_key=partition)
        return [dict(item) async for item in query]


async def checkpoints(system: Bench) -> dict[str, int]:
    """The sequence number up to which each hub of this system is done."""
    found = {}
    prefix = f"127.0.0.1:{system.hubs.port}/"
    async with ContainerClient.from_connection_string(
        system.storage, CHECKPOINT_CONTAINER
    ) as blobs:
        with contextlib.suppress(ResourceNotFoundError):  # no consumer has made it yet
            async for blob in blobs.list_blobs(name_starts_with=prefix, include=["metadata"]):
                if "/checkpoint/" in blob.name:
                    found[blob.name.split("/")[1]] = int(blob.metadata["sequencenumber"])
    return found


async def checkpointed(system: Bench, hub: str, number: int) -> None:
    async def look() -> bool:
        return (await checkpoints(system)).get(hub) == number

    await eventually(look, f"{hub} to be checkpointed at {number}")


async def is_checkpointed(system: Bench, hub: str, number: int, *, within: float) -> bool:
    """Whether a hub is done up to `number` within so many seconds."""
    try:
        async with asyncio.timeout(within):
            await checkpointed(system, hub, number)
    except TimeoutError:
        return False
    return True


# --- the main path --------------------------------------------------------------------------------


async def test_what_intake_accepted_is_dispatched_once_and_checkpointed(system: Bench) -> None:
    producer = system.worker()
    ids = await submit(producer, 30)
    urgent = await submit(producer, 5, priority="high")
    async with consuming(system):
        await all_succeeded(producer, [*ids, *urgent])
        await checkpointed(system, REQUESTS, 29)
        await checkpointed(system, "requests-soon", 4)
    assert system.paid == (35, 0)
    assert await system.outcomes(ids) == ["succeeded"] * 30


async def test_the_records_of_the_output_bindings_are_written(system: Bench) -> None:
    producer = system.worker()
    ids = await submit(producer, 3)
    await send(system, REQUESTS, b"not an event")
    async with consuming(system):
        await all_succeeded(producer, ids)
        await checkpointed(system, REQUESTS, 3)
    (position,) = await records(system, "groups", POSITIONS_BUCKET)
    assert (position["hub"], position["sequence_number"]) == (REQUESTS, 3)
    assert system.cosmos.counters.of("ptu/dead_letters")["upserts"] == 1


async def test_a_request_that_the_deployment_refuses_is_rescheduled_and_succeeds(
    system: Bench,
) -> None:
    system.ptu.simulation.faults.add(Fault(count=1, status=429, retry_after_ms=2_500))
    producer = system.worker()
    ids = await submit(producer, 1)
    async with consuming(system):
        await all_succeeded(producer, ids)

        async def read() -> bool:
            return REQUESTS_LATER in await checkpoints(system)

        await eventually(read, "the re-scheduled event to be dealt with")
    found = await system.records(ids)
    assert any(record["id"].endswith(":deferral") for record in found)


# --- what goes wrong ------------------------------------------------------------------------------


async def test_a_batch_whose_records_cannot_be_written_comes_again_and_pays_nothing_twice(
    system: Bench,
) -> None:
    refused: list[Operation] = []

    def positions(operation: Operation) -> bool:
        concerned = kind("upsert")(operation) and any("position:" in one for one in operation.ids)
        if concerned:
            refused.append(operation)
        return concerned

    system.cosmos.faults.fail_writes(ONE_TRY, status=503, where=positions)
    producer = system.worker()
    ids = await submit(producer, 4)
    async with consuming(system):
        await all_succeeded(producer, ids)

        async def tried() -> bool:
            return bool(refused)

        await eventually(tried, "the position to be refused")
        assert REQUESTS not in await checkpoints(system)
        await checkpointed(system, REQUESTS, 3)
    assert system.paid == (4, 0)
    assert len(await records(system, "groups", POSITIONS_BUCKET)) == 1


async def test_a_stop_waits_for_calls_under_way_and_checkpoints_them(patient: Bench) -> None:
    held = asyncio.Event()
    patient.ptu.simulation.faults.add(Fault(count=1, held=held))
    producer = patient.worker()
    ids = await submit(producer, 1)
    async with consuming(patient) as stopping:

        async def under_way() -> bool:
            return await state_of(producer, ids[0]) == "dispatching"

        await eventually(under_way, "the call to be under way")
        stopping.set()
        answer_after_the_stop(held)
    assert await state_of(producer, ids[0]) == "succeeded"
    assert await checkpoints(patient) == {REQUESTS: 0}
    assert patient.paid == (1, 0)


async def test_a_stop_waits_for_calls_that_outlived_their_batch(patient: Bench) -> None:
    producer = patient.worker()
    held = asyncio.Event()
    sent = 0
    for _ in range(5):
        held.clear()
        if not sent:
            # the first call is a probe, before which nothing else is sent
            patient.ptu.simulation.faults.add(Fault(count=1, delay_seconds=0.1))
        patient.ptu.simulation.faults.add(Fault(count=1, held=held))
        ids = await submit(producer, FULL_BATCH_EVENTS)
        sent += FULL_BATCH_EVENTS
        async with consuming(patient) as stopping:
            if await is_checkpointed(patient, REQUESTS, sent - 1, within=20):
                states = [await state_of(producer, request_id) for request_id in ids]
                assert "dispatching" in states
                stopping.set()
                answer_after_the_stop(held)
                break
            # a busy machine cut the batch, and one that is not full waits for its calls: once more
            held.set()
            await all_succeeded(producer, ids)
    else:
        pytest.fail("the events never came in one batch")
    assert {await state_of(producer, request_id) for request_id in ids} == {"succeeded"}
    assert patient.paid == (sent, 0)


async def test_a_batch_that_outlasts_the_grace_is_left_for_the_next_consumer(
    system: Bench,
) -> None:
    held = asyncio.Event()
    system.ptu.simulation.faults.add(Fault(count=1, held=held))
    producer = system.worker()
    ids = await submit(producer, 1)
    async with consuming(system, grace_seconds=0.2) as stopping:

        async def under_way() -> bool:
            return await state_of(producer, ids[0]) == "dispatching"

        await eventually(under_way, "the call to be under way")
        stopping.set()
    assert await checkpoints(system) == {}
    held.set()
    async with consuming(system):
        await all_succeeded(producer, ids)
        await checkpointed(system, REQUESTS, 0)
    assert await system.outcomes(ids) == ["succeeded"]


async def test_the_next_consumer_goes_on_where_the_last_one_stopped(system: Bench) -> None:
    producer = system.worker()
    first = await submit(producer, 3)
    async with consuming(system):
        await all_succeeded(producer, first)
        await checkpointed(system, REQUESTS, 2)
    reads = system.cosmos.counters.of("ptu/requests")["creates"]
    second = await submit(producer, 2)
    async with consuming(system):
        await all_succeeded(producer, second)
        await checkpointed(system, REQUESTS, 4)
    assert system.cosmos.counters.of("ptu/requests")["creates"] == reads + 2 * 2
    assert system.paid == (5, 0)


# --- what it can take over from a Functions app --------------------------------------------------


async def test_gauge_sweep_and_usage_are_done_if_asked_for(
    storage: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    hubs = {"requests": 1, "requests-soon": 1, "requests-later": 1, "usage": 1}
    async with bench(storage, hubs=hubs) as system:
        for name, value in system.ptu.identity_environment.items():
            monkeypatch.setenv(name, value)
        producer = system.worker()
        event = {
            "kind": "started",
            "deployment": "gpt-4.1",
            "prompt_tokens": 100,
            "max_tokens": 50,
            "at": time.time(),
        }
        await send(system, "usage", json.dumps(event).encode())
        ids = await submit(producer, 1)
        async with consuming(system, extras=("usage", "gauge", "sweep")):
            await all_succeeded(producer, ids)

            async def windows() -> bool:
                found = await records(system, "capacity", "gpt-4.1")
                return any(each["id"].startswith("usage:0:") for each in found)

            await eventually(windows, "the usage event to be told of")
            await checkpointed(system, "usage", 0)
    assert not [each for each in caplog.messages if each.startswith("a chore failed")]


# --- as a process ---------------------------------------------------------------------------------


IN_A_KERNEL = """
import asyncio
from ptu_consumer.__main__ import main
async def cell() -> None:
    main([])  # blocks, as a cell does
asyncio.run(cell())
"""
"""As Databricks runs the entry point of a wheel: in a kernel whose main thread has a loop."""


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["-m", "ptu_consumer"], id="by itself"),
        pytest.param(["-c", IN_A_KERNEL], id="in a kernel"),
    ],
)
async def test_as_a_process_it_reads_its_settings_and_ends_cleanly_on_sigterm(
    system: Bench, command: list[str]
) -> None:
    producer = system.worker()
    ids = await submit(producer, 10)
    process = await start(system.environment, *command)
    try:
        await all_succeeded(producer, ids)
        await checkpointed(system, REQUESTS, 9)
        process.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
    text = output.decode()
    assert process.returncode == 0, text
    assert text.rstrip().endswith("stopped"), text
    assert "Traceback" not in text, text
    assert "Unclosed" not in text, text
    assert system.paid == (10, 0)


async def test_the_pod_is_healthy_while_it_reads_and_drains_its_calls_on_sigterm(
    storage: str,
) -> None:
    hubs = {"requests": 1, "requests-soon": 1, "requests-later": 1, "usage": 1}
    (dispatch,) = documents(ROOT / "deploy" / "kubernetes" / "base" / "dispatch.yaml")
    (container_spec,) = dispatch["spec"]["template"]["spec"]["containers"]
    port = free_port()
    arguments = [*container_spec["args"], "--health-port", str(port)]
    async with bench(storage, hubs=hubs, CALL_LIMIT_SECONDS="120") as system:
        held = asyncio.Event()
        system.ptu.simulation.faults.add(Fault(count=1, held=held))
        producer = system.worker()
        process = await start(system.environment, "-m", "ptu_consumer", *arguments)
        try:
            await eventually(lambda: health(port, 200), "the hubs to be read")
            ids = await submit(producer, 1)

            async def under_way() -> bool:
                return await state_of(producer, ids[0]) == "dispatching"

            await eventually(under_way, "the call to be under way")
            process.send_signal(signal.SIGTERM)
            await eventually(lambda: health(port, 503), "the process to say that it stops")
            held.set()
            output, _ = await asyncio.wait_for(process.communicate(), 60)
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode == 0, output.decode()
        assert await state_of(producer, ids[0]) == "succeeded"
        assert await checkpoints(system) == {REQUESTS: 0}
        assert system.paid == (1, 0)


async def health(port: int, status: int) -> bool:
    """Whether `GET /health` is answered with this status."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/health") as answer,
        ):
            return answer.status == status
    except aiohttp.ClientError:
        return False


async def test_settings_that_are_not_usable_end_the_process_and_are_named() -> None:
    options = SystemOptions(ports=Ports())
    values = {**app_settings(options), "REQUEST_ID_KEY": "short"}
    process = await start(values, "-m", "ptu_consumer")
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert "REQUEST_ID_KEY" in output.decode()


async def start(values: Mapping[str, str], *command: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, **values, "PYTHONPATH": f"{ROOT}:{ROOT / 'databricks'}"}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, *command),
        env=environment,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def send(system: Bench, hub: str, *payloads: bytes) -> None:
    """Publish events behind the app's back."""
    producer = EventHubProducerClient.from_connection_string(
        system.hubs.connection_string, eventhub_name=hub
    )
    async with producer:
        await producer.send_batch([EventData(payload) for payload in payloads])
