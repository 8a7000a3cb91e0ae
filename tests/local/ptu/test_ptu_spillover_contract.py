"""Pay-as-you-go limits, and Azure's own spillover to them."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.local.ptu.serving import PTU, QUESTION, SteppedClock, serving

SPILLING = {**PTU, "spillover_to": "payg"}
PAYG = {"name": "payg", "tpm": 6_000}
CALL: dict[str, Any] = {"model": "ptu", "messages": QUESTION, "max_tokens": 10}
FILL = {"x-sim-prompt-tokens": "25000"}


async def test_what_the_deployment_refuses_is_served_by_pay_as_you_go_and_says_so() -> None:
    async with serving(SPILLING, PAYG, clock=SteppedClock()) as (_, client, control):
        first = await client.chat.completions.with_raw_response.create(**CALL, extra_headers=FILL)
        assert "x-ms-spillover-from-deployment" not in first.headers
        assert first.headers["x-ms-deployment-name"] == "ptu"
        spilled = await client.chat.completions.with_raw_response.create(**CALL)
        assert spilled.headers["x-ms-spillover-from-deployment"] == "ptu"
        assert spilled.headers["x-ms-deployment-name"] == "payg"
        assert "azure-openai-deployment-utilization" not in spilled.headers
        by_name = (await control.get("counters"))["deployments"]
        ptu, payg = by_name["ptu"], by_name["payg"]
        assert (ptu["served"], ptu["refused"], ptu["spilled_over"]) == (1, 1, 1)
        assert (payg["served"], payg["refused"]) == (1, 0)


async def test_when_both_are_full_the_original_429_returns_with_a_spillover_error() -> None:
    async with serving(SPILLING, PAYG, clock=SteppedClock()) as (_, client, control):
        for _attempt in range(2):
            await client.chat.completions.create(**CALL, extra_headers=FILL)
        with pytest.raises(openai.RateLimitError) as refused:
            await client.chat.completions.create(**CALL)
        headers = refused.value.response.headers
        assert headers["x-ms-spillover-error"] == "429"
        assert headers["retry-after-ms"]
        assert headers["x-ms-deployment-name"] == "ptu"
        total = await control.total()
        assert (total["served"], total["refused"]) == (2, 2)


async def test_the_request_may_name_where_to_spill_over() -> None:
    async with serving(PTU, PAYG, clock=SteppedClock()) as (_, client, _control):
        await client.chat.completions.create(**CALL, extra_headers=FILL)
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(**CALL)
        raw = await client.chat.completions.with_raw_response.create(
            **CALL, extra_headers={"x-ms-spillover-deployment": "payg"}
        )
        assert raw.headers["x-ms-spillover-from-deployment"] == "ptu"


async def test_a_prompt_that_is_too_long_and_a_server_error_spill_over_too() -> None:
    async with serving(SPILLING, {"name": "payg"}) as (_, client, control):
        long = {"x-sim-prompt-tokens": "128001"}
        raw = await client.chat.completions.with_raw_response.create(**CALL, extra_headers=long)
        assert raw.headers["x-ms-deployment-name"] == "payg"
        for status in (500, 503):
            await control.post("faults", {"status": status})
            raw = await client.chat.completions.with_raw_response.create(**CALL)
            assert raw.headers["x-ms-deployment-name"] == "payg"
        await control.post("faults", {"status": 409})
        with pytest.raises(openai.ConflictError):
            await client.chat.completions.create(**CALL)


async def test_a_pay_as_you_go_deployment_says_what_is_left() -> None:
    async with serving(PAYG, clock=SteppedClock()) as (_, client, _control):
        call = {**CALL, "model": "payg"}
        raw = await client.chat.completions.with_raw_response.create(
            **call, extra_headers={"x-sim-prompt-tokens": "5990"}
        )
        assert raw.headers["x-ratelimit-remaining-tokens"] == "0"
        assert raw.headers["x-ratelimit-limit-tokens"] == "6000"
        with pytest.raises(openai.RateLimitError) as refused:
            await client.chat.completions.create(**call)
        assert refused.value.response.headers["retry-after-ms"] == "1"
        assert refused.value.response.headers["retry-after"] == "1"
