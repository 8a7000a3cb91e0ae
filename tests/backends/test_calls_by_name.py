"""Calls by name: two resources with a deployment of one name stay apart."""

from __future__ import annotations

from dataclasses import replace

from ptu_optimizer.backends.backend import BackendKind, Resource
from ptu_optimizer.backends.calls_by_name import CallsByName
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.model_calls import CallResult, Success
from tests.support.backends import WEST, backend

EAST = replace(WEST, endpoint="https://east.openai.azure.com")
BACKENDS = (
    backend("west", deployment="gpt-4.1", ptus=50),
    backend("east", deployment="gpt-4.1", ptus=50, resource=EAST),
    backend("payg", kind=BackendKind.PAY_AS_YOU_GO, tokens_per_minute=1_000),
)


class Client:
    """The client of one resource; answers who was asked."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource

    async def complete(
        self, *, deployment: str, body: JsonObject, call_id: str, timeout_seconds: float
    ) -> CallResult:
        asked = [self._resource.endpoint, deployment, call_id, timeout_seconds]
        return Success(status=200, response={"asked": asked, "body": body}, usage=None)


async def test_each_call_goes_to_its_resource_under_its_name_there() -> None:
    calls = CallsByName(BACKENDS, caller_of=Client)
    for name, endpoint, deployment in (
        ("west", WEST.endpoint, "gpt-4.1"),
        ("east", EAST.endpoint, "gpt-4.1"),
        ("payg", WEST.endpoint, "payg"),
    ):
        result = await calls.complete(
            deployment=name, body={"n": 1}, call_id="c", timeout_seconds=3.0
        )
        assert isinstance(result, Success)
        assert result.response == {"asked": [endpoint, deployment, "c", 3.0], "body": {"n": 1}}


async def test_backends_of_one_resource_share_its_client_which_is_made_once() -> None:
    made: list[Resource] = []

    def client(resource: Resource) -> Client:
        made.append(resource)
        return Client(resource)

    calls = CallsByName(BACKENDS, caller_of=client)
    assert made == [], "a process that calls nothing needs no client"
    for name in ("west", "payg", "east", "west"):
        await calls.complete(deployment=name, body={}, call_id="c", timeout_seconds=3.0)
    assert made == [WEST, EAST]
