"""Chat completions for the queue: real calls over a real socket to the simulated service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest
from azure.core.exceptions import ClientAuthenticationError

from local.ptu import PtuServer, PtuServerConfig
from ptu_optimizer.adapters.backend_http import HttpBackendCalls
from ptu_optimizer.adapters.identity import OPENAI_SCOPE, V1_SCOPE, ApiKey, EntraToken, Identity
from ptu_optimizer.backends.chat_completions import ChatCompletions
from ptu_optimizer.ports.backend_calls import Authorization
from ptu_optimizer.ports.model_calls import CallResult, Rejected, Success, Throttled, Transient
from tests.support.backend import Backend, Seen

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
    server: PtuServer | Backend,
    *,
    authorization: Authorization | None = None,
    timeout_seconds: float = 10,
    deployment: str = "gpt-4.1-ptu",
    api_version: str = "2024-10-21",
    **body: Any,
) -> CallResult:
    calls = HttpBackendCalls(connections=4, proxies={})
    completions = ChatCompletions(
        calls=calls,
        endpoint=server.url,
        api_version=api_version,
        authorization=authorization or ApiKey("local"),
    )
    try:
        return await completions.complete(
            deployment=deployment,
            body={**BODY, **body},
            call_id="some-request-0:1",
            timeout_seconds=timeout_seconds,
        )
    finally:
        await calls.close()


async def inject(server: PtuServer, **fault: Any) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/_ptu/faults", json={"count": 1, **fault}) as answer,
    ):
        assert answer.ok, await answer.text()


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
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{server.url}/_ptu/counters") as answer,
        ):
            counters = (await answer.json())["total"]
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

    async def token(self, scope: str) -> str:
        raise ClientAuthenticationError("no token")


async def test_an_identity_that_hands_out_no_token_is_transient() -> None:
    async with service() as server:
        result = await call(
            server, authorization=EntraToken(identity=NoToken(client_id=None), scope=OPENAI_SCOPE)
        )
    assert isinstance(result, Transient)
    assert "identity (ClientAuthenticationError)" in result.why


@pytest.mark.parametrize(
    ("api_version", "scope"),
    [
        pytest.param("2024-10-21", OPENAI_SCOPE, id="a dated version"),
        pytest.param("v1", V1_SCOPE, id="v1"),
    ],
)
async def test_without_a_key_the_apps_identity_is_used(
    api_version: str, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service() as server:
        for name, value in server.identity_environment.items():
            monkeypatch.setenv(name, value)
        identity = Identity(client_id=None)
        authorization = EntraToken(identity=identity, scope=scope)
        result = await call(server, authorization=authorization, api_version=api_version)
        await identity.close()
    assert isinstance(result, Success)


class Forever:
    """A token that never comes."""

    async def headers(self) -> Mapping[str, str]:
        await asyncio.Event().wait()
        return {}


async def test_the_total_time_counts_the_token_as_well() -> None:
    async with service() as server:
        result = await call(server, authorization=Forever(), timeout_seconds=0.1)
    assert isinstance(result, Transient)
    assert "no answer within" in result.why


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
        result = await call(server, authorization=ApiKey("wrong"))
    assert isinstance(result, Rejected)
    assert result.status == 401


async def test_the_request_is_what_azure_openai_documents_and_nothing_else() -> None:
    async with Backend(lambda seen: (200, {}, b"{}")) as backend:
        await call(backend, deployment="a/b c")
    (seen,) = backend.seen
    assert (seen.method, seen.path) == (
        "POST",
        "/openai/deployments/a%2Fb%20c/chat/completions?api-version=2024-10-21",
    )
    assert orjson.loads(seen.body) == {**BODY, "model": "a/b c"}
    headers = {name.lower(): value for name, value in seen.headers}
    assert headers == {
        "host": f"127.0.0.1:{backend.port}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "api-key": "local",
        "content-length": str(len(seen.body)),
        "content-type": "application/json",
        "user-agent": "ptu-batch-usage-optimizer",
        "x-ms-client-request-id": "some-request-0:1",
    }


async def test_the_v1_api_has_the_deployment_in_the_body_and_no_version_in_the_address() -> None:
    async with Backend(lambda seen: (200, {}, b"{}")) as backend:
        await call(backend, api_version="v1")
    (seen,) = backend.seen
    assert seen.path == "/openai/v1/chat/completions"
    assert orjson.loads(seen.body)["model"] == "gpt-4.1-ptu"


async def test_a_redirect_fails_the_request_and_sends_its_prompt_nowhere() -> None:
    def answer(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        return 307, {"Location": "/elsewhere"}, b""

    async with Backend(answer) as backend:
        result = await call(backend)
    assert isinstance(result, Rejected)
    assert result.status == 307
    assert len(backend.seen) == 1
