"""What a gateway says of its calls is in the store, window by window, over real sockets."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from azure.eventhub.aio import EventHubProducerClient

from examples.usage_events import UsageSender
from ptu_optimizer.capacity.signals.usage import UsageWindows
from ptu_optimizer.capacity.signals.usage_events import MAX_AGE_SECONDS
from ptu_optimizer.feeds.usage_feed import USAGE_TTL_SECONDS
from ptu_optimizer.ports.hubs import USAGE
from tests.end_to_end.clients import send_raw
from tests.end_to_end.systems import System
from tests.support.polling import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")

RATIO = 4
"""Of gpt-4.1, the model of every deployment here."""


async def usages(system: System, deployment: str) -> list[UsageWindows]:
    """What is known of a deployment's interactive calls."""
    records = await system.store.records("capacity", deployment)
    return [
        UsageWindows.from_record(record)
        for record in records
        if record["type"] == "usage" and not record["ours"]
    ]


def total(found: list[UsageWindows], part: str) -> float:
    return sum(float(getattr(window, part)) for usage in found for window in usage.windows)


async def seen(system: System, deployment: str, *, calls: int) -> list[UsageWindows]:
    """All of it, once so many calls have started."""

    async def look() -> list[UsageWindows] | None:
        found = await usages(system, deployment)
        return found if total(found, "calls") >= calls else None

    return await eventually(look, f"{calls} calls of {deployment} in capacity")


async def test_calls_of_a_gateway_become_windows_of_work(system: System) -> None:
    producer = EventHubProducerClient.from_connection_string(
        system.local.settings["EVENT_HUBS"], eventhub_name=USAGE
    )
    begin = time.time()
    async with UsageSender(producer) as usage:
        served, refused, failed = (
            usage.started(deployment="Verbose", prompt_tokens=1_000, max_tokens=500)
            for _ in range(3)
        )
        served.finished(cached_tokens=200, completion_tokens=50)
        refused.finished(status=429)
        failed.finished(status=500)
    found = await seen(system, "verbose", calls=3)
    assert total(found, "reserved") == 3 * (1_000 + RATIO * 500)
    assert total(found, "net") == total(found, "used") == 1_000 - 200 + RATIO * 50
    assert total(found, "refused") == 1
    assert all(begin - 1 < w.start <= time.time() for each in found for w in each.windows)
    assert {each.record_id.rpartition(":")[0] for each in found} == {"usage:0"}
    (record, *_) = [
        each
        for each in await system.store.records("capacity", "verbose")
        if each["id"] == found[0].record_id
    ]
    assert record["ttl"] == USAGE_TTL_SECONDS


async def test_events_that_make_no_sense_hold_nobody_up(system: System) -> None:
    now = time.time()
    good: dict[str, Any] = {
        "kind": "started",
        "deployment": "refusing",
        "prompt_tokens": "10",
        "max_tokens": 0,
        "at": now,
    }
    odd = [
        b"\xff\xfe no text at all",
        b'{"kind": "started"',
        json.dumps([{**good, "deployment": "unheard-of"}, good, None]).encode(),
        json.dumps({**good, "at": now - MAX_AGE_SECONDS - 60}).encode(),
        json.dumps({**good, "at": now + 3_600}).encode(),
        json.dumps({**good, "prompt_tokens": -1}).encode(),
    ]
    await send_raw(system.local, USAGE, *odd)
    await send_raw(system.local, USAGE, json.dumps(good).encode())
    found = await seen(system, "refusing", calls=2)
    assert total(found, "net") == 20
    assert await usages(system, "unheard-of") == []
