"""`POST /producer`, `GET /health` and the keys, through the host and over real sockets."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.end_to_end.clients import chat
from tests.end_to_end.systems import SETTINGS, System

pytestmark = pytest.mark.asyncio(loop_scope="package")

ID = "0" * 40 + "-0"


# --- what is accepted -----------------------------------------------------------------------------


async def test_an_array_is_accepted_with_an_id_for_each_item_in_order(system: System) -> None:
    items = [{"custom_id": f"mine {n}", "body": chat(f"array {n}")} for n in range(7)]
    answer = await system.app.post(items)
    assert answer.status == 202
    assert set(answer.body) == {"request_ids", "detail"}
    assert answer.body["detail"] == "7 event(s) sent successfully"
    ids = answer.body["request_ids"]
    assert len(set(ids)) == 7
    views = await system.app.ended(ids)
    assert [view["custom_id"] for view in views] == [f"mine {n}" for n in range(7)]
    assert {view["state"] for view in views} == {"succeeded"}


async def test_a_single_item_is_accepted_without_an_array(system: System) -> None:
    answer = await system.app.post(chat("alone"))
    assert (answer.status, answer.body["detail"]) == (202, "1 event(s) sent successfully")
    (view,) = await system.app.ended(answer.body["request_ids"])
    assert view["state"] == "succeeded"


async def test_an_envelope_names_deployment_metadata_and_its_own_id(system: System) -> None:
    envelope = {
        "custom_id": "order 66",
        "deployment": "slow",
        "metadata": {"team": "research", "größe": "世界"},
        "completion_window": "24h",
        "priority": "normal",
        "body": chat("enveloped"),
    }
    view = await system.app.in_state(await system.app.submit_one(envelope), "succeeded")
    assert view["custom_id"] == "order 66"
    assert view["metadata"] == {"team": "research", "größe": "世界"}
    assert view["deployment"] == "slow"


async def test_the_model_of_a_body_chooses_its_deployment(system: System) -> None:
    before = await system.ptu.served("slow")
    await system.app.ended([await system.app.submit_one(chat("chosen", model="slow"))])
    assert await system.ptu.served("slow") - before == 1


async def test_unknown_fields_reach_the_deployment_untouched(system: System) -> None:
    strange: dict[str, Any] = {
        "x_future": {"nested": [1, 2.5, None, True, {"深": "い"}], "empty": {}},
        "logit_bias": {"50256": -100},
        "temperature": 0.0,
        "seed": 2**40,
        "stop": ["\n\n", "END"],
        "user": 'Zoë\u2028\t\\"',
    }
    body = chat("untouched", **strange)
    await system.app.ended([await system.app.submit_one(body)])
    (arrived,) = system.upstream.of_text("untouched")
    assert arrived == {**body, "model": "plain"}


async def test_text_of_any_script_makes_the_round_trip(system: System) -> None:
    text = "Grüße, 世界, مرحبا, 🧮👩‍👩‍👧 e\u0301 \u0000 \u2028 \U0001f600 ñ"
    body = chat(text, max_tokens=50)
    view = await system.app.in_state(await system.app.submit_one(body), "succeeded")
    assert len(system.upstream.of_text(text)) == 1
    direct = await system.ptu.ask("plain", body)  # answers depend on the messages alone
    assert view["response"]["choices"] == direct["choices"]
    assert view["response"]["usage"] == direct["usage"]


# --- what is refused: all or nothing --------------------------------------------------------------


async def test_one_bad_item_refuses_the_whole_call_and_says_which_where_and_why(
    system: System,
) -> None:
    bad = {"body": chat("never sent"), "deployment": "unheard of"}
    no_messages: Any = {"body": {"messages": []}}
    answer = await system.app.post([chat("never sent"), bad, chat("never sent"), no_messages])
    assert answer.status == 400
    error = answer.error
    assert error["code"] == "invalid_items"
    assert [(each["index"], each["path"]) for each in error["details"]] == [
        (1, "deployment"),
        (3, "body.messages"),
    ]
    assert "unknown" in error["details"][0]["reason"]
    # whatever was accepted after it is served, so it would have been too
    await system.app.ended([await system.app.submit_one(chat("sent"))])
    assert system.upstream.of_text("never sent") == []


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize(
    ("item", "path"),
    [
        pytest.param("text", "", id="not an object"),
        pytest.param({"prompt": "x"}, "", id="neither body nor envelope"),
        pytest.param(chat(stream=True), "stream", id="a stream"),
        pytest.param({"body": chat(), "tenant": "a"}, "tenant", id="a planned field"),
        pytest.param({"body": chat(), "prioritty": "high"}, "prioritty", id="a misspelt field"),
        pytest.param({"body": chat(), "priority": "urgent"}, "priority", id="no such priority"),
        pytest.param({"body": chat(), "deadline": "2020-01-01T00:00:00Z"}, "deadline", id="past"),
        pytest.param({"body": chat(), "deadline": "tomorrow"}, "deadline", id="no time"),
        pytest.param(
            {"body": chat(), "deadline": in_seconds(8 * 86_400)},
            "deadline",
            id="beyond the hub's retention",
        ),
        pytest.param(
            {"body": chat(), "completion_window": "30d"},
            "completion_window",
            id="a window beyond the hub's retention",
        ),
    ],
)
async def test_an_item_that_cannot_be_served_is_refused_with_its_place(
    system: System, item: Any, path: str
) -> None:
    answer = await system.app.post([item])
    assert answer.status == 400
    assert [(each["index"], each["path"]) for each in answer.error["details"]] == [(0, path)]
    assert answer.error["details"][0]["reason"]


async def test_an_empty_array_is_refused(system: System) -> None:
    answer = await system.app.post([])
    assert (answer.status, answer.error["code"]) == (400, "no_items")


@pytest.mark.parametrize("raw", [b"", b"{", b"[{},]", b"\xff\xfe", b'{"a": NaN}'])
async def test_what_is_not_json_is_refused(system: System, raw: bytes) -> None:
    answer = await system.app.call("POST", "/producer", data=raw)
    assert (answer.status, answer.error["code"]) == (400, "invalid_json")


async def test_too_many_items_are_too_large(system: System) -> None:
    limit = int(SETTINGS["MAX_ITEMS"])
    answer = await system.app.post([chat("many")] * (limit + 1))
    assert (answer.status, answer.error["code"]) == (413, "too_many_items")
    assert str(limit) in answer.error["message"]
    assert system.upstream.of_text("many") == []


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
async def test_too_large_a_body_is_refused(system: System, declared: bool) -> None:
    raw = json.dumps(chat("x" * int(SETTINGS["MAX_BODY_BYTES"]))).encode()

    async def chunks() -> Any:
        for start in range(0, len(raw), 100_000):
            yield raw[start : start + 100_000]

    data = raw if declared else chunks()
    answer = await system.app.call("POST", "/producer", data=data)
    assert (answer.status, answer.error["code"]) == (413, "body_too_large")


# --- Idempotency-Key ------------------------------------------------------------------------------


async def test_the_same_key_and_body_return_the_same_ids_and_pay_once(system: System) -> None:
    headers = {"Idempotency-Key": "monday's batch"}
    items = [chat(f"idempotent {n}") for n in range(3)]
    first = await system.app.post(items, headers=headers)
    await system.app.ended(first.body["request_ids"])
    again = await system.app.post(items, headers=headers)
    assert (first.status, again.status) == (202, 202)
    assert again.body["request_ids"] == first.body["request_ids"]
    await system.app.ended([await system.app.submit_one(chat("afterwards"))])
    assert [len(system.upstream.of_text(f"idempotent {n}")) for n in range(3)] == [1, 1, 1]


async def test_the_same_key_with_another_body_is_a_conflict(system: System) -> None:
    headers = {"Idempotency-Key": "tuesday's batch"}
    await system.app.submit(chat("first body"), headers=headers)
    answer = await system.app.post([chat("other body")], headers=headers)
    assert (answer.status, answer.error["code"]) == (409, "idempotency_key_reused")


async def test_the_same_call_from_many_at_once_is_one_group(system: System) -> None:
    headers = {"Idempotency-Key": "wednesday's batch"}
    items = [chat("at once")]
    answers = await asyncio.gather(*(system.app.post(items, headers=headers) for _ in range(8)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.body["request_ids"][0] for answer in answers}) == 1
    view = await system.app.in_state(answers[0].body["request_ids"][0], "succeeded")
    assert view["attempts"] == 1
    assert len(system.upstream.of_text("at once")) == 1


# --- keys and health ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/producer"),
        ("GET", f"/response/{ID}"),
        ("GET", f"/requests/{ID}"),
        ("POST", f"/requests/{ID}/cancel"),
    ],
)
@pytest.mark.parametrize("key", [None, "wrong"], ids=["without a key", "with a wrong key"])
async def test_every_route_but_health_needs_a_key(
    system: System, method: str, path: str, key: str | None
) -> None:
    assert (await system.app.call(method, path, key=key, json={})).status == 401


async def test_the_function_key_opens_and_so_does_the_master_key(system: System) -> None:
    keys = system.local.keys
    for key in (keys.function, keys.master):
        assert (await system.app.post([], key=key)).status == 400
    by_query = await system.app.call("POST", f"/producer?code={keys.function}", key=None, json=[])
    assert by_query.status == 400


async def test_health_needs_no_key_and_tells_no_details(system: System) -> None:
    answer = await system.app.call("GET", "/health", key=None)
    assert (answer.status, answer.body) == (
        200,
        {"status": "ok", "python": f"{sys.version_info.major}.{sys.version_info.minor}"},
    )


async def test_readiness_names_every_dependency(system: System) -> None:
    answer = await system.app.call("GET", "/health?ready=1", key=None)
    assert answer.status == 200
    assert answer.body == {
        "status": "ok",
        "ready": {"event_hubs": True, "cosmos": True, "blobs": True, "request_id_key": True},
        "request_id_key": "setting",
    }
