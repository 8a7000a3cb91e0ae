"""The simulator's own API: faults, settings, history, reset."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.local.ptu.serving import PTU, QUESTION, SteppedClock, serving

CALL: dict[str, Any] = {"model": "ptu", "messages": QUESTION, "max_tokens": 10}
BATCH = {"x-ms-client-request-id": "r:1"}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (408, openai.APIStatusError),
        (409, openai.ConflictError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
async def test_the_next_calls_answer_the_status_asked_for_and_then_all_is_well(
    status: int, error: type[openai.APIStatusError]
) -> None:
    async with serving() as (_, client, control):
        await control.post("faults", {"status": status, "count": 2})
        for _attempt in range(2):
            with pytest.raises(error) as failed:
                await client.chat.completions.create(**CALL)
            assert failed.value.status_code == status
        await client.chat.completions.create(**CALL)
        total = await control.total()
        assert total["served"] == 1
        assert total["refused" if status == 429 else "failed"] == 2


async def test_a_content_filter_fault_has_azure_s_shape() -> None:
    async with serving() as (_, client, control):
        await control.post("faults", {"status": 400, "code": "content_filter"})
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(**CALL)
        assert refused.value.code == "content_filter"
        assert isinstance(refused.value.body, dict)
        assert refused.value.body["innererror"]["code"] == "ResponsibleAIPolicyViolation"


async def test_a_fault_may_say_when_to_retry() -> None:
    async with serving() as (_, client, control):
        await control.post("faults", {"status": 503, "retry_after_ms": 1_500})
        with pytest.raises(openai.InternalServerError) as failed:
            await client.chat.completions.create(**CALL)
        assert failed.value.response.headers["retry-after-ms"] == "1500"
        assert failed.value.response.headers["retry-after"] == "2"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("drop", "served"), [("before", 0), ("after", 1)])
async def test_a_dropped_connection_is_served_or_not_as_asked(
    drop: str, served: int, stream: bool
) -> None:
    async with serving() as (_, client, control):
        await control.post("faults", {"drop": drop})
        with pytest.raises(openai.APIConnectionError):
            await client.chat.completions.create(**CALL, stream=stream, extra_headers=BATCH)
        total = await control.total()
        assert total["traffic"]["batch"]["served"] == served
        assert total["failed"] == 1 - served
        assert total["in_flight"] == 0


async def test_a_fault_can_be_for_one_class_of_traffic_only() -> None:
    async with serving() as (_, client, control):
        await control.post("faults", {"status": 500, "traffic": "batch"})
        await client.chat.completions.create(**CALL)
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(**CALL, extra_headers=BATCH)


async def test_faults_are_taken_back_by_delete() -> None:
    async with serving() as (_, client, control):
        _, due = await control.post("faults", {"status": 500, "count": 5})
        assert due == {"faults_due": 5}
        async with control.session.delete(f"{control.url}/_ptu/faults") as response:
            assert await response.json() == {"faults_due": 0}
        await client.chat.completions.create(**CALL)


async def test_added_latency_keeps_the_call_in_flight() -> None:
    async with serving() as (_, client, control):
        await control.post("faults", {"delay_seconds": 5.0})
        with pytest.raises(openai.APITimeoutError):
            await client.chat.completions.create(**CALL, timeout=0.2)
        assert (await control.total())["in_flight"] == 1


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({}, "status"),
        ({"status": 200}, "status"),
        ({"status": 500, "count": 0}, "count"),
        ({"drop": "sometimes"}, "drop"),
        ({"status": 500, "traffic": "urgent"}, "urgent"),
        ({"status": 500, "deployment": "other"}, "other"),
        ({"delay_seconds": -1}, "delay_seconds"),
        ({"speed": 1}, "speed"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused_by_name(
    fault: dict[str, Any], named: str
) -> None:
    async with serving() as (_, _client, control):
        status, answer = await control.post("faults", fault)
        assert status == 400
        assert named in answer["error"]


async def test_settings_change_while_running() -> None:
    clock = SteppedClock()
    async with serving(clock=clock) as (server, client, control):
        status, _ = await control.post(
            "config",
            {"utilization_header": False, "ptus": 100, "latency": {"first_token_seconds": 0.01}},
        )
        assert status == 200
        raw = await client.chat.completions.with_raw_response.create(
            **CALL, extra_headers={"x-sim-prompt-tokens": "25000", "x-sim-output-tokens": "1"}
        )
        assert "azure-openai-deployment-utilization" not in raw.headers
        assert server.simulation.levels(clock.now)["ptu"] == pytest.approx(25_004 / 50_000)
        described = await control.get("config")
        assert described["deployments"]["ptu"]["ptus"] == 100
        assert described["deployments"]["ptu"]["latency"]["first_token_seconds"] == 0.01


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"ptus": 0}, "ptus"),
        ({"metric": "share", "utilization_header": False}, "metric"),
        ({"latency": {"speed": 1}}, "speed"),
        ({"deployment": "other", "ptus": 5}, "other"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_setting_that_makes_no_sense_changes_nothing(
    values: dict[str, Any], named: str
) -> None:
    async with serving() as (_, _client, control):
        before = await control.get("config")
        status, answer = await control.post("config", values)
        assert status == 400
        assert named in answer["error"]
        assert await control.get("config") == before


async def test_history_tells_interactive_from_batch_load() -> None:
    clock = SteppedClock()
    async with serving(clock=clock) as (server, client, control):
        for headers in ({}, BATCH):
            await client.chat.completions.create(
                model="ptu",
                messages=QUESTION,
                max_tokens=1,
                extra_headers={
                    **headers,
                    "x-sim-prompt-tokens": "1246",
                    "x-sim-output-tokens": "1",
                },
            )
        clock.pass_seconds(0.5)
        server.simulation.sample(clock.now)
        clock.pass_seconds(1.0)
        server.simulation.sample(clock.now)
        answer = await control.get(f"history?since={clock.now - 1.2}")
        first, second = answer["deployments"]["ptu"][-2:]
        assert first["level"] == pytest.approx(0.05)
        assert first["load_interactive"] == pytest.approx(0.5)
        assert first["load_batch"] == pytest.approx(0.5)
        assert second["load_interactive"] == pytest.approx(0.25)
        assert (second["served_interactive"], second["served_batch"]) == (1, 1)


async def test_the_level_can_be_read_at_any_time() -> None:
    clock = SteppedClock()
    async with serving(PTU, {"name": "payg"}, clock=clock) as (_, client, control):
        await client.chat.completions.create(
            model="ptu",
            messages=QUESTION,
            max_tokens=1,
            extra_headers={"x-sim-prompt-tokens": "12496", "x-sim-output-tokens": "1"},
        )
        clock.pass_seconds(1.0)
        assert await control.get("level") == {"at": clock.now, "levels": {"ptu": 0.4}}


async def test_a_reset_forgets_what_happened() -> None:
    async with serving(clock=SteppedClock()) as (server, client, control):
        await client.chat.completions.create(**CALL, extra_headers=BATCH)
        await control.post("faults", {"status": 500})
        await control.post("reset")
        await client.chat.completions.create(**CALL)
        total = await control.total()
        assert (total["served"], total["requests_served"]) == (1, 0)
        assert server.simulation.faults.remaining() == 0
