"""What a caller is told of its wait, through the real store: one process tells, another reads."""

from __future__ import annotations

import asyncio

from ptu_optimizer.requests.status.flow_reports import INTERVAL_SECONDS
from tests.end_to_end.in_process import DEPLOYMENT, bench


async def test_a_request_behind_others_is_told_about_when_its_call_begins(storage: str) -> None:
    small = [{"name": DEPLOYMENT, "model": DEPLOYMENT, "ptus": 50}]
    async with bench(storage, deployments=small, MAX_CONCURRENT_CALLS="2") as system:
        events = system.batch(40)
        behind = events[-1].request_id
        web = system.worker()
        before = await web.status.show(behind)
        assert before["waiting"]["projected_seconds"] is None
        assert "nothing is known" in before["waiting"]["projection"]
        dispatching = asyncio.create_task(
            system.deliver(system.worker(), [event.encode() for event in events[:30]])
        )
        await asyncio.sleep(2 * INTERVAL_SECONDS)
        told = (await web.status.show(behind))["waiting"]
        await dispatching
    assert told["projected_seconds"] > 0
    assert told["projected_start"] is not None
    assert "requests are before it in hub requests" in told["projection"]
