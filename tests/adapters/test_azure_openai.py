"""The caller of Azure OpenAI: the real SDK over a real socket to the simulated service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from azure.core.exceptions import ClientAuthenticationError

from local.ptu import PtuServer, PtuServerConfig
from ptu_optimizer.adapters.azure_openai import (
    AzureOpenAICaller,
    openai_client,
    retry_after_of,
    spilled_from,
    utilization_of,
)
from ptu_optimizer.adapters.identity import Identity
from ptu_optimizer.ports.model_calls import CallResult, Rejected, Success, Throttled, Transient

BODY: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Wie viel ist zwei mal drei? 🧮"}],
    "max_tokens": 20,
    "seed": 7,
    "x_unknown": {"passes": "through"},
}
DEPLOYMENT = {"name": "gpt-4.1-ptu", "model": "gpt-4.1", "ptus": 50}


@asynccontextmanager
async def service(**config: Any) -> AsyncIterator[PtuServer]:
    settings = PtuServerConfig.from_dict({"deployments": [DEPLOYMENT], **config})
    async with PtuServer(settings, port=0) as server:
        yield server


async def call(
    server: PtuServer,
    *,
    key: str | None = "local",
    identity: Identity | None = None,
    timeout_seconds: float = 10,
    deployment: str = "gpt-4.1-ptu",
    **body: Any,
) -> CallResult:
    client = openai_client(
        endpoint=server.url,
        api_key=key,
        api_version="2024-10-21",
        identity=identity or Identity(client_id=None),
        connections=4,
    )
    async with client:
        return await AzureOpenAICaller(client).complete(
            deployment=deployment,
            body={**BODY, **body},
            call_id="some-request-0:1",
            timeout_seconds=timeout_seconds,
        )


async def inject(server: PtuServer, **fault: Any) -> None:
    async with httpx2.AsyncClient() as client:
        answer = await client.post(f"{server.url}/_ptu/faults", json={"count": 1, **fault})
        assert answer.is_success, answer.text


async def test_a_success_carries_the_response_its_usage_and_the_level() -> None:
    async with service() as server:
        result = await call(server)
    assert isinstance(result, Success)
    assert result.response["choices"][0]["message"]["content"]
    assert result.usage is not None
    assert result.usage.prompt_tokens > 0
    assert 0 < result.usage.completion_tokens <= 20
    assert result.utilization is not None
    assert 0 <= result.utilization < 1
    assert result.service_request_id


async def test_the_attempt_is_named_in_azures_correlation_header() -> None:
    async with service() as server:
        await call(server)
        await call(server)
        async with httpx2.AsyncClient() as client:
            counters = (await client.get(f"{server.url}/_ptu/counters")).json()["total"]
    assert counters["requests_served"] == 1
    assert counters["surplus"] == 1


async def test_a_429_is_a_flow_signal_with_its_time() -> None:
    async with service() as server:
        await inject(server, status=429, retry_after_ms=1234)
        result = await call(server)
    assert isinstance(result, Throttled)
    assert result.retry_after_seconds == pytest.approx(1.234)


SPILLING: dict[str, Any] = {
    "deployments": [
        DEPLOYMENT | {"spillover_to": "payg"},
        {"name": "payg", "model": "gpt-4.1", "tpm": 300},
    ]
}


async def test_an_answer_that_azure_had_pay_as_you_go_give_says_from_where_and_by_whom() -> None:
    async with service(**SPILLING) as server:
        own = await call(server)
        await inject(server, deployment="gpt-4.1-ptu", status=429)
        spilled = await call(server)
    assert (own.spilled_from, own.served_by) == (None, "gpt-4.1-ptu")
    assert isinstance(spilled, Success)
    assert (spilled.spilled_from, spilled.served_by) == ("gpt-4.1-ptu", "payg")
    assert spilled.utilization is None


async def test_pay_as_you_go_tells_how_many_tokens_of_its_minute_are_left() -> None:
    async with service(**SPILLING) as server:
        first = await call(server, deployment="payg")
        second = await call(server, deployment="payg")
        provisioned = await call(server)
    assert first.tokens_left is not None
    assert second.tokens_left is not None
    assert second.tokens_left < first.tokens_left < 300
    assert provisioned.tokens_left is None


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        pytest.param({"x-ms-spillover-from-deployment": "ptu"}, "ptu", id="as documented"),
        pytest.param({"x-ms-spillover-from-ptu": "true"}, "ptu", id="as the page has it once"),
        pytest.param({"X-MS-Spillover-From-ptu": ""}, "ptu", id="in capitals"),
        pytest.param({"x-ms-spillover-error": "429"}, None, id="spillover that failed"),
        pytest.param({"x-ms-deployment-name": "ptu"}, None, id="served by the one that was asked"),
        pytest.param({}, None, id="none"),
    ],
)
def test_a_spillover_of_azures_is_seen_under_both_names(
    headers: dict[str, str], origin: str | None
) -> None:
    assert spilled_from(headers) == origin


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503])
async def test_what_may_pass_is_transient(status: int) -> None:
    async with service() as server:
        await inject(server, status=status)
        result = await call(server)
    assert isinstance(result, Transient)
    assert str(status) in result.why


async def test_a_connection_that_breaks_is_transient() -> None:
    async with service() as server:
        await inject(server, drop="before")
        result = await call(server)
    assert isinstance(result, Transient)
    assert "no connection" in result.why


async def test_no_service_at_all_is_transient() -> None:
    async with service() as server:
        pass
    assert isinstance(await call(server), Transient)


class NoToken(Identity):
    """The endpoint that hands out tokens is away, or the identity was taken from the app."""

    async def token(self) -> str:
        raise ClientAuthenticationError("no token")


async def test_an_identity_that_hands_out_no_token_is_transient() -> None:
    async with service() as server:
        result = await call(server, key=None, identity=NoToken(client_id=None))
    assert isinstance(result, Transient)
    assert "identity (ClientAuthenticationError)" in result.why


async def test_the_total_time_is_bounded() -> None:
    async with service() as server:
        await inject(server, delay_seconds=30)
        result = await call(server, timeout_seconds=0.3)
    assert isinstance(result, Transient)
    assert "no answer within" in result.why


async def test_a_request_that_the_service_refuses_fails_with_its_error() -> None:
    async with service() as server:
        result = await call(server, messages=[])
    assert isinstance(result, Rejected)
    assert result.status == 400
    assert result.error["message"]


async def test_a_wrong_key_is_no_reason_to_try_again() -> None:
    async with service() as server:
        result = await call(server, key="wrong")
    assert isinstance(result, Rejected)
    assert result.status == 401


@pytest.mark.parametrize(
    ("header", "level"),
    [
        pytest.param("11.2%", 0.112, id="as Microsoft's tool reads it"),
        pytest.param("104%", 1.04, id="a burst just over"),
        pytest.param("0%", 0.0, id="empty"),
        pytest.param("", None, id="blank"),
        pytest.param("11.2", None, id="without its sign"),
        pytest.param("n/a%", None, id="not a number"),
        pytest.param(None, None, id="not sent"),
    ],
)
def test_the_utilization_header_is_a_hint(header: str | None, level: float | None) -> None:
    headers = {} if header is None else {"azure-openai-deployment-utilization": header}
    assert utilization_of(headers) == (None if level is None else pytest.approx(level))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"retry-after-ms": "250", "retry-after": "1"}, 0.25, id="the finer first"),
        pytest.param({"retry-after": "3"}, 3.0, id="the coarser alone"),
        pytest.param({"retry-after-ms": "soon", "retry-after": "2"}, 2.0, id="malformed"),
        pytest.param({"retry-after-ms": "-5"}, 0.0, id="negative"),
        pytest.param({"retry-after": "1763717051"}, 3_600.0, id="a time of day"),
        pytest.param({}, 1.0, id="none"),
    ],
)
def test_retry_after_is_read_with_care(headers: dict[str, str], seconds: float) -> None:
    assert retry_after_of(headers) == pytest.approx(seconds)
