"""One invocation: its outputs, its retries, and what ends it early."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import aiohttp
import pytest

from local.host.bindings import FunctionDefinition, HttpTrigger
from local.host.errors import DrainingError, WorkerLostError
from local.host.invoker import Invoker, TriggerInput, Worker
from local.host.outputs import OutputError
from local.host.retry import RetryPolicy
from local.virtual_time import in_virtual_time

DATA = TriggerInput(data_type="json", data=[b"{}"])
TRIGGER = HttpTrigger(name="req", route="r", methods=(), auth_level="anonymous")
WRITTEN = [{"name": "documents", "json": "[]"}]


def ok(outputs: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    return {"ok": True, "outputs": list(outputs)}


def raised(error: str = "ValueError: no") -> dict[str, Any]:
    return {"ok": False, "error": error, "traceback": error}


class FakeWorker:
    """A worker that answers from a script; an exception in it is raised, `None` never answers."""

    http = cast(aiohttp.ClientSession, None)

    def __init__(self, *script: dict[str, Any] | Exception | None) -> None:
        self.script = list(script)
        self.headers: list[Mapping[str, Any]] = []
        self.killed: list[str] = []
        self.expected: dict[str, asyncio.Future[dict[str, Any]]] = {}

    def expect(self, invocation_id: str) -> asyncio.Future[dict[str, Any]]:
        self.expected[invocation_id] = asyncio.get_running_loop().create_future()
        return self.expected[invocation_id]

    async def invoke(self, header: Mapping[str, Any], body: list[bytes]) -> dict[str, Any]:
        self.headers.append(header)
        answer = self.script.pop(0)
        if answer is None:
            await asyncio.Event().wait()
            raise AssertionError
        if isinstance(answer, Exception):
            raise answer
        return answer

    def kill(self, reason: str) -> None:
        self.killed.append(reason)


class FakeSlot:
    """A slot whose worker is there, or never comes."""

    def __init__(self, worker: FakeWorker | None) -> None:
        self._worker = worker

    async def ready(self) -> Worker:
        if self._worker is None:
            raise DrainingError("the host is stopping")
        return self._worker


class FakeOutputs:
    """Outputs that fail as often as the test says."""

    def __init__(self, failures: int = 0) -> None:
        self.applied: list[Sequence[Mapping[str, str]]] = []
        self._failures = failures

    async def apply(
        self, function: FunctionDefinition, values: Sequence[Mapping[str, str]]
    ) -> None:
        self.applied.append(values)
        if len(self.applied) <= self._failures:
            raise OutputError("output binding 'documents': 503")


class Harness:
    """An invoker with one function."""

    def __init__(
        self,
        *script: dict[str, Any] | Exception | None,
        retries: int | None = None,
        timeout_seconds: float | None = None,
        output_failures: int = 0,
        available: bool = True,
    ) -> None:
        policy = RetryPolicy(
            max_retries=retries or 0, minimum_seconds=10, maximum_seconds=10, exponential=False
        )
        self.worker = FakeWorker(*script)
        self.outputs = FakeOutputs(output_failures)
        self.function = FunctionDefinition(
            name="f", trigger=TRIGGER, outputs=(), retry=None if retries is None else policy
        )
        self.invoker = Invoker(
            slots={"f": FakeSlot(self.worker if available else None)},
            outputs=self.outputs,
            timeout_seconds=timeout_seconds,
            jitter=lambda: 0.5,
        )
        self.abandoned = asyncio.Event()

    async def run(self) -> tuple[bool, str]:
        outcome = await self.invoker.run(self.function, DATA, abandoned=self.abandoned)
        return outcome.succeeded, outcome.error

    def retries(self) -> list[tuple[int, str]]:
        return [(h["retry"]["count"], h["retry"]["exception"]) for h in self.worker.headers]


@in_virtual_time
async def test_outputs_are_applied_after_the_function_has_succeeded() -> None:
    harness = Harness(ok(WRITTEN))
    assert await harness.run() == (True, "")
    assert harness.outputs.applied == [WRITTEN]


@in_virtual_time
async def test_outputs_are_dropped_if_the_function_raised() -> None:
    harness = Harness(raised())
    assert await harness.run() == (False, "ValueError: no")
    assert harness.outputs.applied == []


@in_virtual_time
async def test_an_output_that_fails_fails_the_invocation_and_is_retried() -> None:
    harness = Harness(ok(WRITTEN), ok(WRITTEN), retries=3, output_failures=1)
    assert await harness.run() == (True, "")
    assert len(harness.outputs.applied) == 2


@in_virtual_time
async def test_without_a_policy_there_is_one_try() -> None:
    harness = Harness(raised(), ok())
    assert await harness.run() == (False, "ValueError: no")
    assert len(harness.worker.headers) == 1
    assert harness.worker.headers[0]["retry"] is None


@in_virtual_time
async def test_retries_know_their_number_and_the_failure_before_and_wait_in_between() -> None:
    begun = asyncio.get_running_loop().time()
    harness = Harness(raised("A"), WorkerLostError("B"), ok(), retries=-1)
    assert await harness.run() == (True, "")
    assert harness.retries() == [(0, ""), (1, "A"), (2, "B")]
    assert asyncio.get_running_loop().time() - begun == pytest.approx(20)


@in_virtual_time
async def test_retries_end_with_the_last_failure() -> None:
    harness = Harness(raised("A"), raised("B"), raised("C"), retries=1)
    assert await harness.run() == (False, "B")


@in_virtual_time
async def test_retries_end_when_the_partition_is_lost() -> None:
    harness = Harness(raised("A"), ok(), retries=-1)
    running = asyncio.create_task(harness.run())
    await asyncio.sleep(1)
    harness.abandoned.set()
    assert await running == (False, "A")
    assert asyncio.get_running_loop().time() < 10


@in_virtual_time
async def test_retries_end_when_the_host_drains() -> None:
    harness = Harness(raised("A"), ok(), retries=-1)
    running = asyncio.create_task(harness.run())
    await asyncio.sleep(1)
    harness.invoker.drain()
    assert await running == (False, "A")


@in_virtual_time
async def test_a_function_that_runs_too_long_takes_its_worker_with_it() -> None:
    harness = Harness(None, timeout_seconds=60)
    succeeded, error = await harness.run()
    assert (succeeded, harness.worker.killed) == (False, ["functionTimeout of 60 s exceeded"])
    assert "functionTimeout" in error


@in_virtual_time
async def test_an_invocation_is_in_flight_until_its_outputs_are_written() -> None:
    harness = Harness(ok(WRITTEN))
    seen: list[int] = []

    class Watching(FakeOutputs):
        async def apply(
            self, function: FunctionDefinition, values: Sequence[Mapping[str, str]]
        ) -> None:
            seen.append(len(harness.invoker.in_flight))

    harness.invoker._outputs = Watching()
    await harness.run()
    await harness.invoker.idle()
    assert (seen, harness.invoker.in_flight) == ([1], {})


@in_virtual_time
async def test_a_host_that_stops_fails_what_has_no_worker() -> None:
    harness = Harness(available=False)
    assert await harness.run() == (False, "the host is stopping")


@in_virtual_time
async def test_an_http_invocation_may_end_before_its_response_has() -> None:
    harness = Harness()
    streaming = asyncio.Event()

    async def forward(worker: Worker, invocation_id: str) -> None:
        harness.worker.expected[invocation_id].set_result(ok(WRITTEN))
        await streaming.wait()

    outcome = await harness.invoker.run_http(harness.function, forward)
    assert outcome.succeeded
    assert harness.outputs.applied == [WRITTEN]
    streaming.set()


@in_virtual_time
async def test_an_http_request_that_does_not_reach_its_worker_fails() -> None:
    harness = Harness()

    async def forward(worker: Worker, invocation_id: str) -> None:
        raise WorkerLostError("the worker takes no requests")

    outcome = await harness.invoker.run_http(harness.function, forward)
    assert (outcome.succeeded, outcome.error) == (False, "the worker takes no requests")
