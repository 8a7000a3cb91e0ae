"""Runs functions in workers: one try, its outputs, its retries, its log line."""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp

from local.host.bindings import FunctionDefinition
from local.host.errors import HostError, WorkerLostError
from local.host.outputs import OutputWriter
from local.host.retry import RetryPolicy

log = logging.getLogger("host.invocations")


@dataclass(frozen=True, kw_only=True)
class TriggerInput:
    """Data for a function, typed as the host's protocol with its workers types it."""

    data_type: str
    data: list[bytes]
    metadata: Mapping[str, tuple[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended, retries included."""

    succeeded: bool
    error: str = ""


@dataclass(frozen=True)
class InFlight:
    """An invocation that is running now."""

    id: str
    function: str
    started: float


class Worker(Protocol):
    """A worker process, as far as invocations need it."""

    http: aiohttp.ClientSession
    """To its HTTP server."""

    def expect(self, invocation_id: str) -> asyncio.Future[dict[str, Any]]:
        """The result of an HTTP invocation about to be given to it."""

    async def invoke(self, header: Mapping[str, Any], body: list[bytes]) -> dict[str, Any]:
        """Run a triggered function; `WorkerLostError` if the worker ends meanwhile."""

    def kill(self, reason: str) -> None:
        """End it at once."""


class Slot(Protocol):
    """The place of the worker that runs a function."""

    async def ready(self) -> Worker:
        """The worker, once there is one; `DrainingError` if there will be none."""


class Invoker:
    """Gives invocations to the worker that runs the function."""

    def __init__(
        self,
        *,
        slots: Mapping[str, Slot],
        outputs: OutputWriter,
        timeout_seconds: float | None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.in_flight: dict[str, InFlight] = {}
        self._slots = slots
        self._outputs = outputs
        self._timeout = timeout_seconds
        self._jitter = jitter
        self._draining = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._forwarding: set[asyncio.Future[None]] = set()

    def drain(self) -> None:
        """Start no further tries; the running ones go on."""
        self._draining.set()

    async def idle(self) -> None:
        """Return once nothing runs."""
        await self._idle.wait()

    async def run(
        self, function: FunctionDefinition, data: TriggerInput, *, abandoned: asyncio.Event
    ) -> Outcome:
        """Run a triggered function, with its retry policy, until it succeeds or gives up.

        `abandoned` (the partition went to another host) ends the retries, not a running try: the
        Python worker has no cancellation.
        """
        retry, error = 0, ""
        while not self._draining.is_set() and not abandoned.is_set():
            outcome = await self._try(function, data, retry=retry, error=error)
            if outcome.succeeded or function.retry is None:
                return outcome
            retry, error = retry + 1, outcome.error
            delay = function.retry.delay_before(retry, jitter=self._jitter())
            if delay is None:
                return outcome
            log.info(
                "retrying after a pause",
                extra={"function": function.name, "retry": retry, "pause_seconds": delay},
            )
            await _first(self._draining, abandoned, seconds=delay)
        return Outcome(False, error or "the host is stopping")

    async def _try(
        self, function: FunctionDefinition, data: TriggerInput, *, retry: int, error: str
    ) -> Outcome:
        invocation_id = str(uuid.uuid4())
        header = {
            "id": invocation_id,
            "function": function.name,
            "data_type": data.data_type,
            "metadata": data.metadata,
            "retry": _retry_header(function.retry, retry, error),
        }

        async def exchange(worker: Worker) -> dict[str, Any]:
            return await worker.invoke(header, data.data)

        return await self._track(function, invocation_id, exchange)

    async def run_http(
        self,
        function: FunctionDefinition,
        forward: Callable[[Worker, str], Awaitable[None]],
    ) -> Outcome:
        """Run an HTTP function while `forward` carries its request and response.

        A streamed response may go on after the invocation has ended. `forward` raises only if the
        request did not reach the worker.
        """
        invocation_id = str(uuid.uuid4())

        async def exchange(worker: Worker) -> dict[str, Any]:
            result = worker.expect(invocation_id)
            forwarding = asyncio.ensure_future(forward(worker, invocation_id))
            self._forwarding.add(forwarding)
            forwarding.add_done_callback(self._forwarding.discard)
            both: set[asyncio.Future[Any]] = {result, forwarding}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not result.done() and forwarding.exception() is not None:
                result.cancel()
                await forwarding
            return await result

        return await self._track(function, invocation_id, exchange)

    async def _track(
        self,
        function: FunctionDefinition,
        invocation_id: str,
        exchange: Callable[[Worker], Awaitable[dict[str, Any]]],
    ) -> Outcome:
        """One try from beginning to end: worker, function, outputs, log line."""
        started = time.monotonic()
        self.in_flight[invocation_id] = InFlight(invocation_id, function.name, time.time())
        self._idle.clear()
        try:
            outcome = await self._complete(function, exchange)
        finally:
            del self.in_flight[invocation_id]
            if not self.in_flight:
                self._idle.set()
        details = {
            "function": function.name,
            "invocation": invocation_id,
            "duration_ms": round((time.monotonic() - started) * 1000, 1),
            "outcome": "succeeded" if outcome.succeeded else "failed",
        }
        if outcome.succeeded:
            log.info("function ended", extra=details)
        else:
            log.error("function ended", extra={**details, "error": outcome.error})
        return outcome

    async def _complete(
        self,
        function: FunctionDefinition,
        exchange: Callable[[Worker], Awaitable[dict[str, Any]]],
    ) -> Outcome:
        try:
            worker = await self._slots[function.name].ready()
            result = await self._bounded(worker, exchange)
            if not result["ok"]:
                log.debug("function raised", extra={"details": result["traceback"]})
                return Outcome(False, result["error"])
            await self._outputs.apply(function, result["outputs"])
        except HostError as error:
            return Outcome(False, str(error))
        return Outcome(True)

    async def _bounded(
        self,
        worker: Worker,
        exchange: Callable[[Worker], Awaitable[dict[str, Any]]],
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._timeout):
                return await exchange(worker)
        except TimeoutError:
            # As in Azure, a function that runs too long takes its worker, and all that runs there.
            reason = f"functionTimeout of {self._timeout:g} s exceeded"
            worker.kill(reason)
            raise WorkerLostError(reason) from None


def _retry_header(policy: RetryPolicy | None, retry: int, error: str) -> dict[str, Any] | None:
    if policy is None:
        return None
    return {"count": retry, "max": policy.max_retries, "exception": error}


async def _first(*events: asyncio.Event, seconds: float) -> None:
    """Wait for any of the events, at most `seconds`."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
