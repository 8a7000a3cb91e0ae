"""`POST /capacity/alert` through the host, with the real SDK to the store."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from local.system.settings import RESOURCE_ID
from ptu_optimizer.capacity.signals.alert import Alert, brake
from ptu_optimizer.feeds.alerts import BODY_LIMIT
from tests.end_to_end.clients import Answer
from tests.end_to_end.systems import System
from tests.support.alerts import Json, criterion, payload, resolved, time_text

pytestmark = pytest.mark.asyncio(loop_scope="package")

LANE = "late"
TARGET: Json = {"alertTargetIDs": [RESOURCE_ID.lower()]}


def of_the_lane(**changes: Any) -> Json:
    return criterion(dimensions=[{"name": "ModelDeploymentName", "value": LANE}], **changes)


async def deliver(system: System, content: Json, **options: Any) -> Answer:
    return await system.app.call("POST", "/capacity/alert", json=content, **options)


async def alerts(system: System, alert_id: str) -> list[Alert]:
    found = [
        Alert.from_record(record)
        for record in await system.store.records("capacity", LANE)
        if record["type"] == "alert"
    ]
    return [alert for alert in found if alert.alert_id == alert_id]


async def test_a_firing_is_in_the_store_when_it_is_answered_and_its_resolution_too(
    system: System,
) -> None:
    now = time.time()
    fired = payload(of_the_lane(), alertId="one", firedDateTime=time_text(now - 60), **TARGET)
    answer = await deliver(system, fired)
    assert (answer.status, answer.body) == (
        200,
        {"status": "recorded", "deployments": {LANE: "fired"}},
    )
    records = await system.store.records("capacity", LANE)
    assert [reading.deployment for reading in brake(records, now=now)] == [LANE]

    ended = resolved(
        of_the_lane(),
        alertId="one",
        firedDateTime=time_text(now - 60),
        resolvedDateTime=time_text(now),
        **TARGET,
    )
    assert (await deliver(system, ended)).body["deployments"] == {LANE: "resolved"}
    assert (await deliver(system, fired)).body["deployments"] == {LANE: "resolved"}
    (alert,) = await alerts(system, "one")
    assert alert.reading() is None


async def test_deliveries_at_once_do_not_undo_each_other(system: System) -> None:
    """Of an hour ago, so that they brake nobody."""
    then = time.time() - 3_600
    firings = [
        payload(of_the_lane(), alertId="many", firedDateTime=time_text(then + n), **TARGET)
        for n in range(3)
    ]
    ended = resolved(
        of_the_lane(),
        alertId="many",
        firedDateTime=time_text(then),
        resolvedDateTime=time_text(then + 10),
        **TARGET,
    )
    answers = await asyncio.gather(*(deliver(system, one) for one in [*firings, ended]))
    again = [
        one for one, answer in zip([*firings, ended], answers, strict=True) if answer.status == 503
    ]
    for one in again:  # as an action group does
        assert (await deliver(system, one)).status == 200
    (alert,) = await alerts(system, "many")
    assert alert.resolved_at == pytest.approx(then + 10, abs=1e-5)


async def test_without_the_key_the_host_refuses_whatever_else_is_shown(system: System) -> None:
    answer = await deliver(
        system,
        payload(of_the_lane(), **TARGET),
        key=None,
        headers={"x-ms-client-principal": "e30=", "authorization": "Bearer a.b.c"},
    )
    assert (answer.status, answer.body) == (401, "")


async def test_an_alert_of_another_resource_is_ignored(system: System) -> None:
    answer = await deliver(system, payload(of_the_lane(), alertId="foreign"))
    assert (answer.status, answer.body["status"]) == (200, "ignored")
    assert await alerts(system, "foreign") == []


async def test_what_is_no_alert_is_refused_in_openais_shape(system: System) -> None:
    answer = await deliver(system, {"schemaId": "AzureMonitorMetricAlert", "data": {}})
    assert (answer.status, answer.error["code"]) == (400, "invalid_alert")
    assert answer.error["param"] == "schemaId"
    large = await deliver(system, payload(description="x" * BODY_LIMIT.most))
    assert (large.status, large.error["code"]) == (413, "body_too_large")
