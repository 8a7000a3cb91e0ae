"""What the app stands on goes away and comes back: nothing is promised that cannot be kept, nothing
that was promised is lost, and nothing is paid for twice.

The host isolates its functions as Flex Consumption does: HTTP in one process, every other function
in one of its own, so all of this also shows that nothing is shared in memory that must not be.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from local.system.part import Part
from ptu_optimizer.adapters.event_hubs import HEARD_SECONDS
from tests.end_to_end.clients import chat
from tests.end_to_end.systems import System, running
from tests.support.polling import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

FUNCTIONS = {
    "dispatch_requests",
    "dispatch_requests_soon",
    "dispatch_requests_later",
    "gauge",
    "sweep",
    "usage",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    folder = tmp_path_factory.mktemp("outages")
    async with running(
        folder,
        *("plain", "cut"),
        settings={"MAX_FAILURES": "5"},
        data=folder / "data",  # what is away for a while comes back with what it had
        isolate=True,
    ) as own:
        yield own


@asynccontextmanager
async def away(system: System, name: str) -> AsyncIterator[None]:
    """A part is stopped, and started again at the same place with the same data."""
    part: Part = next(each for each in system.local.parts() if each.name == name)
    await part.stop(grace=10)
    await asyncio.sleep(HEARD_SECONDS)  # its last word no longer vouches for it
    try:
        yield
    finally:
        await part.start()


async def ready(system: System, expected: dict[str, bool]) -> bool:
    answer = await system.app.call("GET", "/health?ready=1", key=None)
    assert answer.status == (200 if all(answer.body["ready"].values()) else 503)
    return bool(answer.body["ready"] == expected)


async def all_ready(system: System) -> None:
    everything = dict.fromkeys(["event_hubs", "cosmos", "blobs", "request_id_key"], True)
    await eventually(lambda: ready(system, everything), "everything to be ready")


async def test_every_function_has_a_process_of_its_own_and_they_work_together(
    system: System,
) -> None:
    answer = await system.app.call("GET", "/admin/host/status", key=system.local.keys.master)
    workers = {worker["worker"]: worker["pid"] for worker in answer.body["workers"]}
    assert workers.keys() == {"http"} | FUNCTIONS
    assert len(set(workers.values())) == len(workers)
    urgent = {"body": chat("urgent"), "priority": "high"}
    views = await system.app.ended(await system.app.submit(chat("bulk"), urgent))
    assert {view["state"] for view in views} == {"succeeded"}


@pytest.mark.parametrize(
    ("part", "dependency"), [("event_hubs", "event_hubs"), ("cosmos", "cosmos")]
)
async def test_without_its_hub_or_its_store_intake_promises_nothing(
    system: System, part: str, dependency: str
) -> None:
    await all_ready(system)
    async with away(system, part):
        answer, health = await asyncio.gather(
            system.app.post([chat(f"without {part}")]),
            system.app.call("GET", "/health?ready=1", key=None),
        )
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.error["type"] == "service_unavailable"
        assert (health.status, health.body["status"]) == (503, "not_ready")
        assert health.body["ready"][dependency] is False
        assert (await system.app.call("GET", "/health", key=None)).status == 200
    await all_ready(system)
    (view,) = await system.app.ended([await system.app.submit_one(chat(f"with {part} again"))])
    assert view["state"] == "succeeded"
    assert system.upstream.of_text(f"without {part}") == []


async def test_without_blobs_only_what_is_large_is_refused_and_the_rest_goes_on(
    system: System,
) -> None:
    await all_ready(system)
    large = chat("x" * 100_000)
    before = await system.app.submit_one(large)
    await system.app.in_state(before, "succeeded")
    async with away(system, "azurite"):
        answer = await system.app.post([large])
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        small = await system.app.submit(*(chat(f"small without blobs {n}") for n in range(10)))
    await all_ready(system)
    after = await system.app.submit(large, chat("small with blobs again"))
    views = await system.app.ended([*small, *after])
    assert {view["state"] for view in views} == {"succeeded"}
    assert await system.store.outcomes([*small, *after]) == dict.fromkeys([*small, *after], 1)


async def test_a_deployment_that_is_away_for_a_while_costs_failures_and_no_request(
    system: System,
) -> None:
    await system.upstream.cut()
    ids = await system.app.submit(*(chat(f"cut {n}", model="cut") for n in range(10)))

    async def has_failed() -> bool:
        views = [await system.app.show(request_id) for request_id in ids]
        return any(view["failures"] for view in views)

    await eventually(has_failed, "a call to fail")
    await system.upstream.mend()
    views = await system.app.ended(ids)
    assert {view["state"] for view in views} == {"succeeded"}
    counters = await system.ptu.counters("cut")
    assert (counters["served"], counters["surplus"]) == (10, 0)


async def test_a_store_that_is_away_while_calls_are_under_way_loses_no_answer(
    system: System,
) -> None:
    await system.ptu.seconds_per_call("plain", 0.5)
    before = await system.ptu.counters("plain")
    ids = await system.app.submit(*(chat(f"stored {n}") for n in range(40)))

    async def flowing() -> bool:
        counters = await system.ptu.counters("plain")
        return bool(counters["served"] - before["served"] >= 5 and counters["in_flight"])

    await eventually(flowing, "calls to flow")
    async with away(system, "cosmos"):

        async def all_answered() -> bool:
            return not (await system.ptu.counters("plain"))["in_flight"]

        await eventually(
            all_answered, "the calls under way to end, with no place for their answers"
        )
        assert await system.ptu.served("plain") - before["served"] < len(ids)
        assert (await system.app.call("GET", f"/response/{ids[0]}")).status == 503
    views = await system.app.ended(ids)
    assert {view["state"] for view in views} == {"succeeded"}
    assert await system.store.outcomes(ids) == dict.fromkeys(ids, 1)
    counters = await system.ptu.counters("plain")
    assert counters["surplus"] == before["surplus"], "no answer was paid for twice"
    assert counters["served"] - before["served"] == len(ids)


async def test_a_hub_that_is_away_while_calls_are_under_way_loses_nothing(system: System) -> None:
    await system.ptu.seconds_per_call("plain", 0.2)
    before = await system.ptu.counters("plain")
    ids = await system.app.submit(*(chat(f"hub {n}") for n in range(50)))
    async with away(system, "event_hubs"):
        assert (await system.app.post([chat("not now")])).status == 503
    views = await system.app.ended(ids)
    assert {view["state"] for view in views} == {"succeeded"}
    counters = await system.ptu.counters("plain")
    assert counters["surplus"] == before["surplus"]
    assert counters["served"] - before["served"] == len(ids)
