"""Chat completions over a socket, with the real openai client."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI

from tests.local.ptu.serving import PTU, QUESTION, SteppedClock, eventually, serving

UTILIZATION = "azure-openai-deployment-utilization"
CHAT = "/openai/deployments/ptu/chat/completions?api-version=2024-10-21"
FULL = {"x-sim-prompt-tokens": "25000"}
"""Takes an empty deployment to 100 %."""


async def test_a_call_is_answered_with_text_and_usage() -> None:
    async with serving() as (_, client, control):
        answer = await client.chat.completions.create(
            model="ptu", messages=QUESTION, max_tokens=100
        )
        usage = answer.usage
        assert usage is not None
        assert answer.choices[0].finish_reason == "stop"
        assert len((answer.choices[0].message.content or "").split()) == usage.completion_tokens
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        assert usage.prompt_tokens_details is not None
        assert usage.prompt_tokens_details.cached_tokens == 0
        total = await control.total()
        assert (total["served"], total["output_tokens"]) == (1, usage.completion_tokens)
        assert total["work"] == usage.prompt_tokens + 4 * usage.completion_tokens


async def test_answers_are_the_same_for_the_same_seed_streamed_or_not() -> None:
    texts = []
    for seed in (1, 1, 2):
        async with serving(seed=seed) as (_, client, _control):
            whole = await client.chat.completions.create(
                model="ptu", messages=QUESTION, max_tokens=100
            )
            streamed = ""
            async for chunk in await client.chat.completions.create(
                model="ptu", messages=QUESTION, max_tokens=100, stream=True
            ):
                if chunk.choices:
                    streamed += chunk.choices[0].delta.content or ""
            assert streamed == whole.choices[0].message.content
            texts.append(streamed)
    assert texts[0] == texts[1] != texts[2]


async def test_a_stream_ends_with_its_reason_and_with_usage_if_asked() -> None:
    async with serving() as (_, client, control):
        stream = await client.chat.completions.create(
            model="ptu",
            messages=QUESTION,
            max_tokens=20,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={"x-sim-prompt-tokens": "7", "x-sim-output-tokens": "20"},
        )
        chunks = [chunk async for chunk in stream]
        assert chunks[0].choices == []
        assert chunks[1].choices[0].delta.role == "assistant"
        reasons = [c.choices[0].finish_reason for c in chunks if c.choices]
        assert reasons[-1] == "length"
        assert set(reasons[:-1]) == {None}
        usage = chunks[-1].usage
        assert usage is not None
        assert (usage.prompt_tokens, usage.completion_tokens) == (7, 20)
        assert (await control.total())["output_tokens"] == 20


async def test_without_include_usage_a_stream_has_none() -> None:
    async with serving() as (_, client, _control):
        stream = await client.chat.completions.create(
            model="ptu", messages=QUESTION, max_tokens=20, stream=True
        )
        assert [chunk.usage async for chunk in stream if chunk.usage] == []


async def test_headers_describe_the_call_and_the_level_after_its_correction() -> None:
    clock = SteppedClock()
    async with serving(clock=clock) as (_, client, _control):
        raw = await client.chat.completions.with_raw_response.create(
            model="ptu",
            messages=QUESTION,
            max_tokens=1_000,
            extra_headers={
                "x-ms-client-request-id": "r:1",
                "x-sim-prompt-tokens": "400",
                "x-sim-output-tokens": "600",
            },
        )
        assert raw.headers[UTILIZATION] == "11.2%"
        assert raw.headers["x-ms-client-request-id"] == "r:1"
        assert raw.headers["x-ms-deployment-name"] == "ptu"
        assert raw.headers["x-ms-region"] == "local"
        assert raw.headers["apim-request-id"]


async def test_a_streamed_call_s_header_leaves_before_its_correction() -> None:
    clock = SteppedClock()
    async with serving(clock=clock) as (_, client, _control):
        raw = await client.chat.completions.with_raw_response.create(
            model="ptu",
            messages=QUESTION,
            max_tokens=1_000,
            stream=True,
            extra_headers={"x-sim-prompt-tokens": "1000", "x-sim-output-tokens": "1"},
        )
        assert raw.headers[UTILIZATION] == "20.0%"


async def test_the_utilization_header_can_be_absent() -> None:
    async with serving(utilization_header=False) as (_, client, _control):
        raw = await client.chat.completions.with_raw_response.create(model="ptu", messages=QUESTION)
        assert UTILIZATION not in raw.headers


async def test_a_full_deployment_refuses_and_says_when_to_come_back() -> None:
    clock = SteppedClock()
    async with serving(clock=clock) as (_, client, control):
        call: dict[str, Any] = {"model": "ptu", "messages": QUESTION, "max_tokens": 1}
        await client.chat.completions.create(
            **call, extra_headers={"x-sim-prompt-tokens": "30000", "x-sim-output-tokens": "1"}
        )
        with pytest.raises(openai.RateLimitError) as refused:
            await client.chat.completions.create(**call)
        assert refused.value.response.headers["retry-after-ms"] == "2002"
        assert refused.value.response.headers["retry-after"] == "3"
        assert refused.value.response.headers[UTILIZATION] == "120.0%"
        assert refused.value.code == "429"
        clock.pass_seconds(2.002)
        await client.chat.completions.create(**call)
        total = await control.total()
        assert (total["served"], total["refused"]) == (2, 1)


async def test_a_trace_may_reserve_exactly_what_it_uses() -> None:
    clock = SteppedClock()
    async with serving(clock=clock, zero_latency=False) as (server, client, _control):
        exact = asyncio.create_task(
            client.chat.completions.create(
                model="ptu",
                messages=QUESTION,
                max_tokens=4_000,
                extra_headers={
                    "x-sim-prompt-tokens": "100",
                    "x-sim-output-tokens": "10",
                    "x-sim-reserve-exactly": "1",
                },
            )
        )
        await eventually(lambda: server.simulation.levels(clock.now)["ptu"] > 0)
        assert server.simulation.levels(clock.now)["ptu"] == pytest.approx(140 / 25_000)
        await exact


async def test_calls_are_told_apart_and_counted_by_their_client_request_id() -> None:
    async with serving() as (_, client, control):
        for headers in (
            {"x-ms-client-request-id": "r1:0"},
            {"x-ms-client-request-id": "r1:2"},
            {"x-ms-client-request-id": "r2:0"},
            {"x-ms-client-request-id": "0f8fad5b-d9cb-469f-a165-70867728950e"},
            {},
            {"x-sim-class": "batch"},
        ):
            await client.chat.completions.create(
                model="ptu", messages=QUESTION, extra_headers=headers
            )
        total = await control.total()
        assert total["traffic"]["batch"]["served"] == 4
        assert total["traffic"]["interactive"]["served"] == 2
        assert total["requests_served"] == 2
        assert total["requests_served_more_than_once"] == 1
        assert total["surplus"] == 1
        assert await control.get("repeated") == {"r1": 2}


async def test_a_repeated_long_prompt_is_cached_when_the_cache_is_on() -> None:
    messages: list[Any] = [{"role": "user", "content": "one two three four " * 500}]
    async with serving(prompt_cache_seconds=300) as (_, client, control):
        cached = []
        for _attempt in range(2):
            answer = await client.chat.completions.create(
                model="ptu", messages=messages, max_tokens=5
            )
            assert answer.usage is not None
            assert answer.usage.prompt_tokens_details is not None
            cached.append(answer.usage.prompt_tokens_details.cached_tokens)
        assert cached[0] == 0
        assert (cached[1] or 0) > 1_900
        assert (await control.total())["cached_tokens"] == cached[1]


async def test_the_v1_path_takes_the_deployment_from_the_body_and_the_key_as_bearer() -> None:
    async with serving() as (server, _client, control):
        async with AsyncOpenAI(
            base_url=f"{server.url}/openai/v1/", api_key="local", max_retries=0
        ) as v1:
            await v1.chat.completions.create(model="ptu", messages=QUESTION)
            with pytest.raises(openai.NotFoundError) as missing:
                await v1.chat.completions.create(model="other", messages=QUESTION)
            assert missing.value.code == "DeploymentNotFound"
        assert (await control.total())["served"] == 1


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        pytest.param(b"{", None, None, id="not JSON"),
        pytest.param(b"[]", "body", "invalid_type", id="not an object"),
        pytest.param(b"{}", "messages", "missing_required_parameter", id="no messages"),
        pytest.param(b'{"messages": []}', "messages", "empty_array", id="no message"),
        pytest.param(b'{"messages": "hi"}', "messages", "invalid_type", id="not a list"),
        pytest.param(b'{"messages": [1]}', "messages[0]", "invalid_type", id="not a message"),
        pytest.param(
            b'{"messages": [{"role": "king", "content": "x"}]}',
            "messages[0].role",
            "invalid_value",
            id="unknown role",
        ),
        pytest.param(
            b'{"messages": [{"content": "x"}]}',
            "messages[0].role",
            "missing_required_parameter",
            id="no role",
        ),
        pytest.param(
            b'{"messages": [{"role": "user"}]}', "messages[0].content", None, id="no content"
        ),
        pytest.param(
            b'{"messages": [{"role": "user", "content": 1}]}',
            "messages[0].content",
            "invalid_type",
            id="content of a wrong type",
        ),
        pytest.param(
            b'{"messages": [{"role": "user", "content": [{"type": "smell"}]}]}',
            "messages[0].content[0].type",
            "invalid_value",
            id="unknown content part",
        ),
    ],
)
async def test_a_bad_body_is_refused_in_azure_s_words(
    body: bytes, param: str | None, code: str | None
) -> None:
    async with serving() as (server, _client, control):
        async with control.session.post(
            f"{server.url}{CHAT}", data=body, headers={"api-key": "local"}
        ) as response:
            error = (await response.json())["error"]
        assert response.status == 400
        assert (error["param"], error["code"]) == (param, code)
        assert error["message"]
        assert (await control.total())["served"] == 0


@pytest.mark.parametrize(
    ("options", "param", "code"),
    [
        pytest.param({"max_tokens": 0}, "max_tokens", "integer_below_min_value", id="zero"),
        pytest.param({"max_tokens": "9"}, "max_tokens", "invalid_type", id="text"),
        pytest.param(
            {"max_tokens": 1, "max_completion_tokens": 1},
            "max_tokens",
            "invalid_parameter_combination",
            id="both limits",
        ),
        pytest.param({"temperature": 2.1}, "temperature", "decimal_above_max_value", id="too hot"),
        pytest.param({"top_p": -1}, "top_p", "decimal_below_min_value", id="too low"),
        pytest.param({"stream": "yes"}, "stream", "invalid_type", id="stream as text"),
        pytest.param(
            {"stream_options": {}}, "stream_options", None, id="stream options without stream"
        ),
        pytest.param({"n": 2}, "n", None, id="several choices"),
    ],
)
async def test_a_bad_option_is_refused_by_name(
    options: dict[str, Any], param: str, code: str | None
) -> None:
    async with serving() as (_, client, _control):
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(model="ptu", messages=QUESTION, extra_body=options)
        assert (refused.value.param, refused.value.code) == (param, code)


async def test_fields_that_the_simulator_does_not_know_are_let_through() -> None:
    async with serving() as (_, client, _control):
        await client.chat.completions.create(
            model="ptu", messages=QUESTION, extra_body={"a_field_of_next_year": {"x": 1}}
        )


async def test_a_reasoning_model_refuses_max_tokens() -> None:
    async with serving({**PTU, "model": "gpt-5"}) as (_, client, _control):
        await client.chat.completions.create(
            model="ptu", messages=QUESTION, max_completion_tokens=5
        )
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(model="ptu", messages=QUESTION, max_tokens=5)
        assert refused.value.code == "unsupported_parameter"


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        pytest.param(CHAT, {}, 401, "401", id="no key"),
        pytest.param(CHAT, {"api-key": "wrong"}, 401, "401", id="wrong key"),
        pytest.param(CHAT, {"Authorization": "Bearer x"}, 401, "Unauthorized", id="wrong token"),
        pytest.param(
            CHAT.replace("/ptu/", "/other/"),
            {"api-key": "local"},
            404,
            "DeploymentNotFound",
            id="unknown deployment",
        ),
        pytest.param(CHAT.partition("?")[0], {"api-key": "local"}, 404, "404", id="no api-version"),
        pytest.param("/openai/nothing", {"api-key": "local"}, 404, "404", id="unknown path"),
    ],
)
async def test_who_and_where_are_checked_first(
    path: str, headers: dict[str, str], status: int, code: str
) -> None:
    async with (
        serving() as (server, _client, control),
        control.session.post(f"{server.url}{path}", json={}, headers=headers) as response,
    ):
        assert response.status == status
        assert (await response.json())["error"]["code"] == code


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_client_that_leaves_still_pays(stream: bool) -> None:
    latency = {"first_token_seconds": 0.1, "seconds_per_output_token": 0.01}
    async with serving({**PTU, "latency": latency}, zero_latency=False) as (server, _, control):
        timeout = aiohttp.ClientTimeout(total=0.15)
        with pytest.raises((asyncio.TimeoutError, aiohttp.ClientError)):
            async with control.session.post(
                f"{server.url}{CHAT}",
                json={"messages": QUESTION, "max_tokens": 40, "stream": stream},
                headers={"api-key": "local", "x-sim-output-tokens": "40"},
                timeout=timeout,
            ) as response:
                await response.read()
        counters = server.simulation.deployments["ptu"].counters.interactive
        assert (counters.in_flight, counters.served) == (1, 0)
        await eventually(lambda: counters.served == 1)
        assert (counters.in_flight, counters.abandoned, counters.output_tokens) == (0, 1, 40)


async def test_tokens_come_at_the_pace_of_the_latency_model() -> None:
    latency = {"first_token_seconds": 0.05, "seconds_per_output_token": 0.02, "load_slope": 0}
    async with serving({**PTU, "latency": latency}, zero_latency=False) as (_, client, _control):
        loop = asyncio.get_running_loop()
        begun = loop.time()
        times = []
        async for chunk in await client.chat.completions.create(
            model="ptu",
            messages=QUESTION,
            max_tokens=11,
            stream=True,
            extra_headers={"x-sim-output-tokens": "11", "x-sim-prompt-tokens": "0"},
        ):
            if chunk.choices and chunk.choices[0].delta.content:
                times.append(loop.time() - begun)
        assert len(times) >= 4
        assert times[0] >= 0.05
        assert times[-1] >= 0.2


async def test_a_prompt_too_long_for_a_provisioned_deployment_is_refused() -> None:
    async with serving() as (_, client, _control):
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(
                model="ptu", messages=QUESTION, extra_headers={"x-sim-prompt-tokens": "128001"}
            )
        assert refused.value.code == "context_length_exceeded"
