"""What becomes of a request whose calls go well, badly, or not at all; the PTU's counters are the
truth. Each test has a deployment of its own, so that no other meets its faults."""

from __future__ import annotations

import base64
import time

import pytest

from local.system.settings import REQUEST_ID_KEY
from ptu_optimizer.requests.envelope import first_event
from ptu_optimizer.requests.ids import IdMint, bucket_of
from ptu_optimizer.requests.item import Item
from tests.end_to_end.clients import chat, send_raw
from tests.end_to_end.systems import SETTINGS, System
from tests.support.polling import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")

MAX_FAILURES = int(SETTINGS["MAX_FAILURES"])


# --- 429 ------------------------------------------------------------------------------------------


async def test_429s_are_waited_out_and_are_no_failures(system: System) -> None:
    await system.ptu.fault(deployment="throttled", count=2, status=429, retry_after_ms=100)
    request_id = await system.app.submit_one(chat("throttled", model="throttled"))
    view = await system.app.in_state(request_id, "succeeded")
    assert (view["attempts"], view["failures"]) == (3, 0), view["history"]
    kinds = [entry["kind"] for entry in view["history"]]
    assert kinds == ["attempt", "released"] * 2 + ["attempt", "succeeded"]
    assert await system.ptu.served("throttled") == 1


async def test_a_deployment_that_is_too_small_serves_all_in_the_end_and_each_once(
    system: System,
) -> None:
    items = [chat(f"small {n}", model="small", max_tokens=100) for n in range(5)]
    views = await system.app.ended(await system.app.submit(*items))
    assert {view["state"] for view in views} == {"succeeded"}
    assert {view["failures"] for view in views} == {0}
    begun = sorted(view["history"][0]["at"] for view in views)
    assert len(set(begun)) == 5, "they waited for room, or this test shows nothing"
    counters = await system.ptu.counters("small")
    assert counters["refused"] == 0, "whoever waits is not refused"
    assert (counters["served"], counters["surplus"]) == (5, 0)


# --- transient errors -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([{"status": 500}, {"drop": "before"}], id="500, connection lost"),
        pytest.param([{"status": 408}, {"status": 409}], id="408, 409"),
    ],
)
async def test_a_transient_error_is_retried_later(
    system: System, faults: list[dict[str, object]]
) -> None:
    before = await system.ptu.served("flaky")
    for fault in faults:
        await system.ptu.fault(deployment="flaky", **fault)
    request_id = await system.app.submit_one(chat("flaky", model="flaky"))
    view = await system.app.in_state(request_id, "succeeded", "failed")
    assert view["state"] == "succeeded"
    assert (view["attempts"], view["failures"]) == (3, 2)
    released = [entry for entry in view["history"] if entry["kind"] == "released"]
    assert len({entry["why"] for entry in released}) == 2, "each says what it met"
    assert await system.ptu.served("flaky") - before == 1


async def test_a_request_that_keeps_failing_fails_with_the_services_last_error(
    system: System,
) -> None:
    await system.ptu.fault(deployment="broken", count=MAX_FAILURES, status=503)
    request_id = await system.app.submit_one(chat("broken", model="broken"))
    view = await system.app.in_state(request_id, "succeeded", "failed")
    assert (view["state"], view["attempts"], view["failures"]) == ("failed", 3, MAX_FAILURES)
    assert view["error"]["code"] == "attempts_exhausted"
    assert "503" in view["error"]["message"]
    assert view["error"]["last_error"]["message"]
    assert view["response"] is None
    assert await system.ptu.served("broken") == 0


async def test_what_the_service_refuses_fails_at_once_with_its_error(system: System) -> None:
    await system.ptu.fault(deployment="refusing", status=400, code="content_filter")
    item = {"custom_id": "refused", "body": chat("refusing", model="refusing")}
    view = await system.app.in_state(await system.app.submit_one(item), "succeeded", "failed")
    assert (view["state"], view["attempts"], view["failures"]) == ("failed", 1, 0)
    assert view["error"]["code"] == "content_filter"
    assert view["custom_id"] == "refused"
    assert len(system.upstream.of_text("refusing")) == 1


# --- events that are none of ours -----------------------------------------------------------------


async def test_an_event_that_cannot_be_decoded_is_put_aside_and_its_neighbours_are_served(
    system: System,
) -> None:
    now = time.time()
    mint = IdMint(REQUEST_ID_KEY.encode())
    group = mint.mint(created_at=now, ends_at=now + 3_600, count=3)
    good = [
        first_event(
            group.request_id(n),
            Item(body=chat(f"neighbour {n}"), deployment="plain", deadline=now + 600),
            inline=True,
        )
        for n in range(3)
    ]
    forged = good[0].model_copy(update={"request_id": "0" * 40 + "-0"})
    garbage = '{"not an event: €'.encode()
    await send_raw(
        system.local,
        "requests",
        *(good[0].encode(), garbage, good[1].encode(), forged.encode(), good[2].encode()),
    )
    views = await system.app.ended([group.request_id(n) for n in range(3)])
    assert {view["state"] for view in views} == {"succeeded"}

    async def dead_letters() -> list[dict[str, object]] | None:
        found = [
            record
            for bucket in {bucket_of(now), bucket_of(time.time())}
            for record in await system.store.records("dead_letters", bucket)
        ]
        return found if len(found) >= 2 else None

    records = await eventually(dead_letters, "two dead letters")
    bodies = {base64.b64decode(str(record["body_base64"])): record for record in records}
    assert bodies.keys() == {garbage, forged.encode()}
    assert "not JSON" in str(bodies[garbage]["reason"])
    assert "forged id" in str(bodies[forged.encode()]["reason"])
    assert all(record["hub"] == "requests" for record in records)


# --- blobs ----------------------------------------------------------------------------------------


async def test_a_large_body_travels_through_a_blob_among_small_ones(system: System) -> None:
    texts = ["small before", "Großes, 大 " * 6_000, "small after"]
    views = await system.app.ended(await system.app.submit(*map(chat, texts)))
    assert {view["state"] for view in views} == {"succeeded"}
    assert [len(system.upstream.of_text(text)) for text in texts] == [1, 1, 1]


async def test_many_bodies_too_large_for_one_record_are_kept_in_a_blob(system: System) -> None:
    texts = [f"{n:02d} {'x' * 40_000}" for n in range(40)]
    views = await system.app.ended(await system.app.submit(*map(chat, texts)))
    assert {view["state"] for view in views} == {"succeeded"}
    assert all(len(system.upstream.of_text(text)) == 1 for text in texts)


async def test_an_answer_too_large_for_a_record_is_read_back_whole(system: System) -> None:
    body = chat("tell me everything", model="verbose", max_tokens=1_200_000)
    view = await system.app.in_state(await system.app.submit_one(body), "succeeded")
    content = view["response"]["choices"][0]["message"]["content"]
    assert len(content) > 1_000_000
    direct = await system.ptu.ask("verbose", body)
    assert content == direct["choices"][0]["message"]["content"]


# --- order ----------------------------------------------------------------------------------------


async def test_high_priority_overtakes_a_backlog(system: System) -> None:
    await system.ptu.seconds_per_call("crowded", 0.5)
    backlog: list[str] = []
    for part in range(3):
        items = [chat(f"bulk {part} {n}", model="crowded") for n in range(50)]
        backlog += await system.app.submit(*items)

    async def flowing() -> bool:
        return await system.ptu.served("crowded") > 5

    await eventually(flowing, "the backlog to flow")
    urgent = {"body": chat("urgent", model="crowded"), "priority": "high"}
    await system.app.in_state(await system.app.submit_one(urgent), "succeeded")
    served = await system.ptu.served("crowded")
    assert served < len(backlog) / 2, "it did not wait behind the backlog"
    await system.ptu.seconds_per_call("crowded", 0.0)
    await system.app.ended(backlog)
    counters = await system.ptu.counters("crowded")
    assert (counters["served"], counters["surplus"]) == (len(backlog) + 1, 0)
