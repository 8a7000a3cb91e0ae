"""`GET /capacity` through the host, while a process dispatches and when none does any more."""

from __future__ import annotations

from typing import Any

import pytest

from tests.end_to_end.clients import chat
from tests.end_to_end.conftest import LANES
from tests.end_to_end.systems import System
from tests.support.polling import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")

LANE = "watched"


async def show(system: System) -> dict[str, Any]:
    answer = await system.app.call("GET", f"/capacity/{LANE}")
    assert answer.status == 200, answer
    return dict(answer.body)


async def test_the_belief_of_who_dispatches_is_seen_by_who_asks(system: System) -> None:
    await system.ptu.seconds_per_call(LANE, 4.0)
    before = await show(system)
    assert (before["dispatching"], before["readings"]) == (False, [])
    assert before["belief"]["level"] is None, "nothing is known yet, which is not 0 %"
    ids = await system.app.submit(*({"body": chat(), "deployment": LANE} for _ in range(3)))

    async def dispatching() -> dict[str, Any] | None:
        found = await show(system)
        return found if found["dispatching"] and found["belief"]["in_flight"] else None

    during = await eventually(dispatching, "a belief that is told while calls are under way")
    worker = during["belief"]["told_by"]
    (lease,) = [one for one in during["leases"] if one["hub"] == "requests"]
    assert lease["holder"] in (worker, None), "given up as soon as nothing waits"
    assert during["verdict"]["requests"]["told_by"] == worker
    assert during["verdict"]["requests"]["verdict"] in ("admit", "wait")
    assert during["belief"]["told_age_seconds"] < 15
    assert during["what_would_change_it"]
    await system.app.ended(ids)

    async def over() -> dict[str, Any] | None:
        found = await show(system)
        return None if found["dispatching"] else found

    after = await eventually(over, "nothing to be dispatched any more")
    assert after["belief"]["told_by"] is None
    (header,) = [one for one in after["readings"] if one["kind"] == "level"]
    assert header["source"] == worker
    assert header["value"] >= 0
    assert "sends" in {one["kind"] for one in after["readings"]}
    assert after["learned"]["learned_by"] == worker
    assert after["learned"]["drain_ptus"] > 0
    assert "nothing is being dispatched now" in after["what_would_change_it"][0]


async def test_all_deployments_are_listed(system: System) -> None:
    answer = await system.app.call("GET", "/capacity")
    assert answer.status == 200
    assert [one["deployment"] for one in answer.body["data"]] == [
        one if isinstance(one, str) else one.name for one in LANES
    ]


async def test_an_unknown_deployment_is_a_404_that_names_the_others(system: System) -> None:
    answer = await system.app.call("GET", "/capacity/gpt-9")
    assert (answer.status, answer.error["code"]) == (404, "deployment_not_found")
    assert LANE in answer.error["message"]


async def test_the_webhook_beside_it_is_another_route(system: System) -> None:
    """By method: a deployment may be called `alert`."""
    answer = await system.app.call("GET", "/capacity/alert")
    assert (answer.status, answer.error["code"]) == (404, "deployment_not_found")
    answer = await system.app.call("POST", "/capacity/alert", json={})
    assert answer.status == 400


@pytest.mark.parametrize("path", ["/capacity", f"/capacity/{LANE}"])
async def test_without_the_key_nothing_is_shown(system: System, path: str) -> None:
    answer = await system.app.call("GET", path, key=None)
    assert (answer.status, answer.body) == (401, "")
