"""Shared access signatures: what `$cbs` takes and what it then allows."""

from __future__ import annotations

import base64
import hashlib
import hmac
import urllib.parse

import pytest

from local.event_hubs.codec import NULL
from local.event_hubs.errors import AmqpError, Condition
from local.event_hubs.messages import Reply, Request
from local.event_hubs.tokens import Authority, Authorizations

NOW = 1_000_000.0
POLICY, KEY = "policy", "a key"


class Clock:
    """Time that moves when a test says so."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def signature(
    resource: str, *, expires: float = NOW + 60, key: str = KEY, policy: str = POLICY
) -> str:
    """A token as every Azure SDK makes it."""
    escaped = urllib.parse.quote_plus(resource)
    signed = hmac.new(key.encode(), f"{escaped}\n{expires:.0f}".encode(), hashlib.sha256).digest()
    sig = urllib.parse.quote(base64.b64encode(signed))
    return f"SharedAccessSignature sr={escaped}&sig={sig}&se={expires:.0f}&skn={policy}"


def put(
    authorizations: Authorizations,
    token: str,
    *,
    name: str = "sb://127.0.0.1:5672/requests",
    kind: str = "servicebus.windows.net:sastoken",
    operation: str = "put-token",
) -> Reply:
    properties = {"operation": operation, "type": kind, "name": name}
    return authorizations.put_token(Request(NULL, None, properties, token))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authorizations(clock: Clock) -> Authorizations:
    return Authorizations(Authority(policy=POLICY, key=KEY, clock=clock))


HUB = "sb://127.0.0.1:5672/requests"


def test_a_token_for_a_hub_allows_the_hub_its_groups_and_partitions(
    authorizations: Authorizations,
) -> None:
    assert put(authorizations, signature(HUB)).status == 202
    assert authorizations.allows("requests")
    assert authorizations.allows("requests/Partitions/0")
    assert authorizations.allows("Requests/ConsumerGroups/$Default/Partitions/0")


def test_a_token_for_a_hub_does_not_allow_another_hub(authorizations: Authorizations) -> None:
    put(authorizations, signature(HUB))
    assert not authorizations.allows("requests-soon")
    with pytest.raises(AmqpError, match="'Send' claim") as refused:
        authorizations.require("requests-soon", "Send")
    assert refused.value.condition == Condition.UNAUTHORIZED


def test_a_token_for_the_namespace_allows_every_hub(authorizations: Authorizations) -> None:
    namespace = "sb://127.0.0.1:5672/"
    assert put(authorizations, signature(namespace), name=namespace).status == 202
    assert authorizations.allows("requests-soon")


def test_without_a_token_nothing_is_allowed(authorizations: Authorizations) -> None:
    assert not authorizations.allows("requests")


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        pytest.param(signature(HUB, key="another"), "InvalidSignature", id="wrong key"),
        pytest.param(signature(HUB, policy="another"), "InvalidSignature", id="wrong policy"),
        pytest.param(signature(HUB, expires=NOW), "ExpiredToken", id="expired"),
        pytest.param(signature("sb://127.0.0.1/usage"), "InvalidAudience", id="another hub's"),
        pytest.param("SharedAccessSignature sr=x", "MalformedToken", id="incomplete"),
        pytest.param("Bearer abc", "MalformedToken", id="not a signature"),
        pytest.param("", "MalformedToken", id="empty"),
    ],
)
def test_a_token_that_is_not_valid_is_answered_401(
    authorizations: Authorizations, token: str, reason: str
) -> None:
    reply = put(authorizations, token)
    assert reply.status == 401
    assert reason in reply.description
    assert not authorizations.allows("requests")


def test_entra_tokens_are_not_supported_and_the_answer_says_so(
    authorizations: Authorizations,
) -> None:
    reply = put(authorizations, "eyJ0", kind="jwt")
    assert reply.status == 401
    assert "Entra" in reply.description


def test_any_other_operation_is_a_bad_request(authorizations: Authorizations) -> None:
    assert put(authorizations, signature(HUB), operation="delete-token").status == 400


def test_what_was_allowed_ends_with_the_token_and_a_new_one_renews_it(
    authorizations: Authorizations, clock: Clock
) -> None:
    put(authorizations, signature(HUB, expires=NOW + 60))
    clock.now = NOW + 61
    assert not authorizations.allows("requests")
    put(authorizations, signature(HUB, expires=NOW + 120))
    assert authorizations.allows("requests")
