"""Spillover on the real SDKs over real sockets: ours before a deadline, and Azure's own."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest

from local.ptu.faults import Fault
from local.system.settings import REQUEST_ID_KEY
from ptu_optimizer.composition.application import Application
from ptu_optimizer.errors import AppError
from ptu_optimizer.ports.hubs import REQUESTS_SOON
from ptu_optimizer.requests.envelope import first_event
from ptu_optimizer.requests.ids import IdMint
from ptu_optimizer.requests.item import Item, Spillover
from tests.end_to_end.clients import chat
from tests.end_to_end.in_process import DEPLOYMENT, HUBS, Bench, bench

PAYG = "payg"
SPILLS_OVER = {
    "DEPLOYMENTS": json.dumps(
        [{"name": DEPLOYMENT, "model": DEPLOYMENT, "ptus": 50, "spillover": PAYG}]
    ),
    "SPILLOVER_DEPLOYMENTS": json.dumps([{"name": PAYG, "model": DEPLOYMENT, "tpm": 60_000}]),
    "HOLD_SECONDS": "30",
    "INVOCATION_BUDGET_SECONDS": "20",
}


def resource(**provisioned: Any) -> list[Mapping[str, Any]]:
    return [
        {"name": DEPLOYMENT, "model": DEPLOYMENT, "ptus": 50, **provisioned},
        {"name": PAYG, "model": DEPLOYMENT, "tpm": 60_000},
    ]


@pytest.fixture
async def system(storage: str) -> AsyncIterator[Bench]:
    async with bench(storage, deployments=resource(), hubs=HUBS, **SPILLS_OVER) as made:
        yield made


async def dispatched(
    system: Bench,
    worker: Application,
    *,
    seconds: float,
    spillover: Spillover = Spillover.NEVER,
) -> dict[str, Any]:
    """A request with so much time, dispatched as it would come from its hub, and looked at."""
    now = time.time()
    group = IdMint(REQUEST_ID_KEY.encode()).mint(created_at=now, ends_at=now + 3_600, count=1)
    item = Item(chat("Why?"), DEPLOYMENT, now + seconds, spillover=spillover)
    event = first_event(group.request_id(0), item, inline=True)
    await system.deliver(worker, [event.encode()], hub=REQUESTS_SOON)
    return await worker.status.show(event.request_id)


def full(system: Bench) -> None:
    """The PTU refuses every call of this test."""
    system.ptu.simulation.faults.add(
        Fault(count=100, deployment=DEPLOYMENT, status=429, retry_after_ms=60_000)
    )


async def test_what_would_miss_its_deadline_is_served_by_pay_as_you_go(system: Bench) -> None:
    full(system)
    began = time.monotonic()
    view = await dispatched(
        system, system.worker(), seconds=12, spillover=Spillover.BEFORE_DEADLINE
    )
    assert (view["state"], view["deployment"]) == ("succeeded", PAYG)
    assert view["spilled_over"] is True
    assert "the deployment answered 429" in view["spilled_over_why"]
    assert [entry["kind"] for entry in view["history"]] == [
        "attempt",
        "released",
        "attempt",
        "succeeded",
    ]
    assert 4 < time.monotonic() - began < 12
    counters: Any = system.ptu.simulation.counters()["deployments"]
    assert (counters[DEPLOYMENT]["served"], counters[PAYG]["served"]) == (0, 1)


async def test_without_the_policy_it_expires(system: Bench) -> None:
    full(system)
    view = await dispatched(system, system.worker(), seconds=6)
    assert (view["state"], view["spilled_over"]) == ("expired", False)
    assert "the deployment answered 429" in view["error"]["message"]


async def test_a_call_that_azure_spills_over_counts_and_closes_the_gate(storage: str) -> None:
    async with bench(storage, deployments=resource(spillover_to=PAYG)) as system:
        full(system)
        view = await dispatched(system, system.worker(), seconds=60)
    assert (view["state"], view["attempts"]) == ("succeeded", 1)
    assert (view["deployment"], view["spilled_over"]) == (PAYG, "by Azure")
    assert DEPLOYMENT in view["spilled_over_why"]


async def test_a_deployment_without_a_target_cannot_promise_it(storage: str) -> None:
    async with bench(storage) as system:
        item = {"body": chat("Why?"), "spillover": "before_deadline"}
        with pytest.raises(AppError) as refused:
            await system.worker().intake.accept(orjson.dumps(item))
    assert (refused.value.status, refused.value.code) == (400, "invalid_items")
    assert "has no spillover target" in refused.value.message
