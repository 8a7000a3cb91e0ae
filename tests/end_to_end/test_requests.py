"""Reading a request back, cancelling it, and its deadline, over real sockets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.end_to_end.clients import chat
from tests.end_to_end.systems import SETTINGS, System
from tests.support.polling import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def close_gate(system: System, deployment: str) -> None:
    """Make a deployment answer 429 until its faults are used up, from its next call on."""
    await system.ptu.fault(deployment=deployment, count=50, status=429, retry_after_ms=60_000)


# --- reading --------------------------------------------------------------------------------------


async def test_an_outcome_is_read_with_times_attempts_and_the_response(system: System) -> None:
    body = chat("read me", max_tokens=30)
    request_id = await system.app.submit_one({"custom_id": "mine", "body": body})
    view = await system.app.in_state(request_id, "succeeded")
    assert view["request_id"] == request_id
    assert view["response"]["object"] == "chat.completion"
    assert view["response"]["choices"][0]["message"]["content"]
    assert (view["attempts"], view["failures"], view["deferrals"]) == (1, 0, 0)
    assert (view["error"], view["waiting"], view["duplicate_calls"]) == (None, None, 0)
    created, ended, until_ = (
        datetime.fromisoformat(view[name]) for name in ("created_at", "ended_at", "records_until")
    )
    assert created <= ended < until_
    alias = await system.app.call("GET", f"/requests/{request_id}")
    assert (alias.status, alias.body) == (200, view)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda one: one[:-1] + "9999", id="beyond its group"),
        pytest.param(lambda one: one[:-2], id="no index"),
        pytest.param(lambda one: ("0" if one[0] != "0" else "1") + one[1:], id="forged"),
        pytest.param(lambda one: one.upper(), id="capitals"),
        pytest.param(lambda _: "nonsense", id="nonsense"),
        pytest.param(lambda _: "%F0%9F%98%80", id="not ASCII"),
        pytest.param(lambda _: "x" * 3_000, id="long"),
    ],
)
async def test_an_id_that_was_never_given_out_is_not_found(system: System, change: object) -> None:
    assert callable(change)
    strange = change(await system.app.submit_one(chat("genuine")))
    for method, path in (
        ("GET", f"/response/{strange}"),
        ("GET", f"/requests/{strange}"),
        ("POST", f"/requests/{strange}/cancel"),
    ):
        answer = await system.app.call(method, path)
        assert (answer.status, answer.error["code"]) == (404, "request_not_found")


async def test_a_request_that_waits_says_why_and_until_when(system: System) -> None:
    await close_gate(system, "full")
    request_id = await system.app.submit_one(chat("waiting", model="full"))

    async def deferred() -> dict[str, object] | None:
        view = await system.app.show(request_id)
        return view if view["state"] == "deferred" else None

    view = await eventually(deferred, "its deferral")
    waiting = view["waiting"]
    assert isinstance(waiting, dict)
    assert "429" in waiting["why"]
    assert datetime.fromisoformat(waiting["not_before"]) > datetime.now(UTC) - timedelta(hours=1)
    assert (await system.app.cancel(request_id)).status == 200


# --- cancelling -----------------------------------------------------------------------------------


async def test_a_request_that_was_not_dispatched_is_cancelled_and_never_called(
    system: System,
) -> None:
    await close_gate(system, "full")
    opener = await system.app.submit_one(chat("closes the gate", model="full"))
    await system.app.in_state(opener, "deferred")
    request_id = await system.app.submit_one(chat("never called", model="full"))
    answer = await system.app.cancel(request_id)
    assert answer.status == 200
    assert answer.body["state"] == "cancelled"
    assert "before it was dispatched" in answer.body["detail"]
    again = await system.app.cancel(request_id)
    assert (again.status, again.body["state"]) == (200, "cancelled")
    assert "before" in again.body["detail"]
    await system.app.cancel(opener)
    assert system.upstream.of_text("never called") == []
    assert (await system.app.show(request_id))["error"]["code"] == "cancelled"


async def test_a_request_under_way_is_cancelled_and_its_answer_is_dropped(system: System) -> None:
    before = await system.ptu.served("slow")
    await system.ptu.fault(deployment="slow", delay_seconds=3)
    request_id = await system.app.submit_one(chat("under way", model="slow"))
    await system.app.in_state(request_id, "dispatching")
    answer = await system.app.cancel(request_id)
    assert (answer.status, answer.body["state"]) == (200, "cancelled")
    assert "under way" in answer.body["detail"]

    async def accounted() -> bool:
        return bool((await system.app.show(request_id))["duplicate_calls"])

    await eventually(accounted, "the call to be accounted for")
    view = await system.app.show(request_id)
    assert (view["state"], view["response"]) == ("cancelled", None)
    assert await system.ptu.served("slow") - before == 1
    assert await system.store.outcomes([request_id]) == {request_id: 1}


async def test_a_request_that_has_ended_cannot_be_cancelled(system: System) -> None:
    request_id = await system.app.submit_one(chat("too late"))
    await system.app.in_state(request_id, "succeeded")
    answer = await system.app.cancel(request_id)
    assert (answer.status, answer.error["code"]) == (409, "already_succeeded")
    assert (await system.app.show(request_id))["state"] == "succeeded"


# --- deadlines ------------------------------------------------------------------------------------


async def test_what_found_no_room_before_its_deadline_expires_and_is_never_called(
    system: System,
) -> None:
    await close_gate(system, "late")
    deadline = datetime.now(UTC) + timedelta(seconds=5)
    bodies = [chat(f"late {n}", model="late") for n in range(4)]
    items = [{"body": body, "deadline": deadline.isoformat()} for body in bodies]
    ids = await system.app.submit(*items)
    views = await system.app.ended(ids)
    assert {view["state"] for view in views} == {"expired"}
    assert {view["error"]["code"] for view in views} == {"deadline_exceeded"}
    assert all(datetime.fromisoformat(view["ended_at"]) >= deadline for view in views)
    assert {view["response"] for view in views} == {None}
    assert await system.ptu.served("late") == 0
    assert await system.store.outcomes(ids) == dict.fromkeys(ids, 1)


async def test_a_deadline_does_not_cut_a_call_that_is_under_way(system: System) -> None:
    assert int(SETTINGS["CALL_LIMIT_SECONDS"]) > 4
    await system.ptu.fault(deployment="slow", delay_seconds=4)
    item = {"body": chat("just in time", model="slow"), "deadline": in_seconds(3)}
    view = await system.app.in_state(await system.app.submit_one(item), "succeeded", "expired")
    assert view["state"] == "succeeded"
