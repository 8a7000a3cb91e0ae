"""Tokens of Microsoft Entra: real keys and signatures, the tenant's documents over a socket."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ptu_optimizer.access.bearer import InvalidToken
from ptu_optimizer.adapters.entra_keys import (
    MAX_DOCUMENT_BYTES,
    PAUSE_SECONDS,
    REFRESH_AFTER_SECONDS,
    RETRY_SECONDS,
    TRUSTED_FOR_SECONDS,
)
from ptu_optimizer.adapters.entra_tokens import LEEWAY_SECONDS, MAX_TOKEN_CHARS, EntraTokens
from ptu_optimizer.errors import DependencyUnavailable
from tests.support.entra import (
    AUDIENCE,
    ISSUER_1,
    ISSUER_2,
    NOW,
    TENANT,
    Tenant,
    claims,
    private_key,
    public_jwk,
    token,
)


class HandClock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> float:
        return NOW + self.passed

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here sleeps")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def tenant() -> AsyncIterator[Tenant]:
    async with Tenant() as started:
        yield started


def verifier(tenant: Tenant, clock: HandClock, *, seconds: float = 5.0) -> EntraTokens:
    return EntraTokens(
        tenant=TENANT.upper(),  # as the settings may have it
        audiences=[AUDIENCE, "11112222-bbbb-3333-cccc-4444dddd5555"],
        clock=clock,
        authority=tenant.url,
        request_seconds=seconds,
    )


@pytest.fixture
def tokens(tenant: Tenant, clock: HandClock) -> EntraTokens:
    return verifier(tenant, clock)


async def refused(tokens: EntraTokens, given: str) -> str:
    with pytest.raises(InvalidToken) as raised:
        await tokens.claims(given)
    return str(raised.value)


# --- what is genuine ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="version 2"),
        pytest.param({"iss": ISSUER_1, "ver": "1.0"}, id="version 1"),
        pytest.param({"aud": "11112222-bbbb-3333-cccc-4444dddd5555"}, id="the other audience"),
        pytest.param({"aud": ["somebody", AUDIENCE]}, id="one audience among several"),
        pytest.param({"nbf": None, "iat": None}, id="without the times that may be missing"),
    ],
)
async def test_a_genuine_token_yields_its_claims(
    tokens: EntraTokens, changes: dict[str, Any]
) -> None:
    assert await tokens.claims(token(**changes)) == claims(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iss": "https://sts.windows.net/other/"}, id="another tenant"),
        pytest.param({"iss": ISSUER_1.removesuffix("/")}, id="almost version 1"),
        pytest.param({"iss": ISSUER_2 + "/"}, id="almost version 2"),
        pytest.param({"iss": None}, id="no issuer"),
        pytest.param({"aud": "api://somebody"}, id="another audience"),
        pytest.param({"aud": AUDIENCE + "/"}, id="almost our audience"),
        pytest.param({"aud": None}, id="no audience"),
        pytest.param({"aud": []}, id="an empty list of audiences"),
        pytest.param({"exp": None}, id="no end"),
        pytest.param({"exp": "later"}, id="an end that is no time"),
        pytest.param({"exp": True}, id="an end that is a truth value"),
        pytest.param({"nbf": "earlier"}, id="a beginning that is no time"),
    ],
)
async def test_a_signed_token_that_is_not_for_us_is_refused(
    tokens: EntraTokens, changes: dict[str, Any]
) -> None:
    await refused(tokens, token(**changes))


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        pytest.param({"exp": NOW - LEEWAY_SECONDS + 1}, True, id="ended within the leeway"),
        pytest.param({"exp": NOW - LEEWAY_SECONDS}, False, id="ended"),
        pytest.param({"nbf": NOW + LEEWAY_SECONDS}, True, id="begins within the leeway"),
        pytest.param({"nbf": NOW + LEEWAY_SECONDS + 1}, False, id="has not begun"),
        pytest.param({"exp": float("inf")}, False, id="ends never"),
        pytest.param({"exp": float("nan")}, False, id="ends at no number"),
        pytest.param({"exp": 10**400}, False, id="ends after all numbers"),
    ],
)
async def test_a_token_is_valid_between_its_times(
    tokens: EntraTokens, changes: dict[str, Any], valid: bool
) -> None:
    if valid:
        await tokens.claims(token(**changes))
    else:
        await refused(tokens, token(**changes))


# --- what is forged -------------------------------------------------------------------------------


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def altered(given: str) -> str:
    """The same token with another claim, and the old signature."""
    header, _, signature = given.split(".")
    return f"{header}.{part(claims(roles=['ActionGroupsSecureWebhook', 'Admin']))}.{signature}"


def unsigned(alg: str) -> str:
    return f"{part({'alg': alg, 'typ': 'JWT', 'kid': 'one'})}.{part(claims())}."


def signed(alg: str, key: Any = None, *, kid: str | None = "one") -> str:
    headers = {"kid": kid} if kid is not None else None
    return jwt.encode(claims(), key or private_key("one"), alg, headers=headers)


def signed_with_the_public_key() -> str:
    """HS256 with what everybody may know: works where the token's own word for it is taken."""
    pem = (
        private_key("one")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return jwt.PyJWS().encode(
        json.dumps(claims()).encode(), _raw(pem), "HS256", headers={"kid": "one"}
    )


def _raw(pem: bytes) -> bytes:
    """PyJWT does not sign with a text that looks like a key: without the first line it does not."""
    return b"\n".join(pem.splitlines()[1:-1])


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(lambda: "", id="nothing"),
        pytest.param(lambda: "a.b", id="two parts"),
        pytest.param(lambda: "a.b.c", id="three parts of nothing"),
        pytest.param(lambda: "ü.ü.ü", id="not ASCII"),
        pytest.param(lambda: unsigned("none"), id="unsigned"),
        pytest.param(lambda: unsigned("RS256"), id="unsigned, but says otherwise"),
        pytest.param(lambda: altered(token()), id="altered"),
        pytest.param(lambda: token(key="two", kid="one"), id="signed with another key"),
        pytest.param(lambda: token(key="two"), id="signed with a key that the tenant lacks"),
        pytest.param(signed_with_the_public_key, id="signed with the public key as a secret"),
        pytest.param(lambda: signed("RS512"), id="another algorithm"),
        pytest.param(lambda: signed("PS256"), id="another padding"),
        pytest.param(
            lambda: signed("ES256", ec.generate_private_key(ec.SECP256R1())),
            id="another kind of key",
        ),
        pytest.param(lambda: signed("RS256", kid=None), id="names no key"),
        pytest.param(lambda: "x" * (MAX_TOKEN_CHARS + 1), id="too long"),
        pytest.param(lambda: token(padding="x" * MAX_TOKEN_CHARS), id="genuine, but too long"),
    ],
)
async def test_what_the_tenant_has_not_signed_is_refused(
    tokens: EntraTokens, forged: Callable[[], str]
) -> None:
    given = forged()
    why = await refused(tokens, given)
    assert not given or given not in why, "nothing of a token is logged"


async def test_what_does_not_even_look_like_entras_costs_no_fetch(
    tenant: Tenant, tokens: EntraTokens
) -> None:
    for given in ("a.b.c", unsigned("none"), signed_with_the_public_key()):
        await refused(tokens, given)
    assert tenant.asked == 0


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"use": "enc"}, id="a key to encrypt with"),
        pytest.param({"kty": "EC"}, id="called another kind"),
        pytest.param({"n": None}, id="half a key"),
        pytest.param({"kid": None}, id="without an id"),
    ],
)
async def test_keys_that_do_not_sign_are_left_out(
    tenant: Tenant, tokens: EntraTokens, changes: dict[str, Any]
) -> None:
    tenant.keys = [public_jwk("one", **changes), public_jwk("two")]
    await refused(tokens, token(key="one"))
    await tokens.claims(token(key="two"))


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
async def test_a_key_that_is_too_short_is_not_believed(tenant: Tenant, tokens: EntraTokens) -> None:
    tenant.keys = [public_jwk("short", 1024)]
    await refused(tokens, token(key="short", bits=1024))


# --- the keys over time ---------------------------------------------------------------------------


async def test_keys_are_fetched_once_for_many_tokens(tenant: Tenant, tokens: EntraTokens) -> None:
    await asyncio.gather(*(tokens.claims(token()) for _ in range(20)))
    await tokens.claims(token())
    assert tenant.asked == 1


async def test_nothing_is_fetched_before_the_first_token(tenant: Tenant) -> None:
    verifier(tenant, HandClock())
    assert tenant.asked == 0


async def test_an_unknown_key_is_looked_for_among_new_ones(
    tenant: Tenant, tokens: EntraTokens, clock: HandClock
) -> None:
    await tokens.claims(token())
    tenant.keys.append(public_jwk("two"))
    clock.passed += PAUSE_SECONDS
    await tokens.claims(token(key="two"))
    assert tenant.asked == 2


async def test_made_up_keys_do_not_make_us_fetch_each_time(
    tenant: Tenant, tokens: EntraTokens, clock: HandClock
) -> None:
    for number in range(50):
        await refused(tokens, token(kid=f"made up {number}"))
        clock.passed += 1
    assert tenant.asked == 1
    await tokens.claims(token())


async def test_keys_are_refreshed_in_time_and_one_that_is_withdrawn_is_no_more_believed(
    tenant: Tenant, tokens: EntraTokens, clock: HandClock
) -> None:
    await tokens.claims(token())
    tenant.keys = [public_jwk("two")]
    clock.passed += REFRESH_AFTER_SECONDS + 1
    await refused(tokens, token(exp=NOW + 1e6))
    await tokens.claims(token(key="two", exp=NOW + 1e6))


# --- Entra is away --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((500, b""), id="500"),
        pytest.param((302, b""), id="elsewhere"),
        pytest.param((200, b"<html>"), id="not JSON"),
        pytest.param((200, b"[]"), id="no object"),
        pytest.param((200, b"{}"), id="no keys"),
        pytest.param((200, b'{"keys": "many"}'), id="keys that are no list"),
        pytest.param((200, b'{"keys": [null, 1]}'), id="keys that are none"),
    ],
)
async def test_without_keys_nothing_is_said_of_a_token(
    tenant: Tenant, tokens: EntraTokens, clock: HandClock, answer: tuple[int, bytes]
) -> None:
    tenant.answers = answer
    with pytest.raises(DependencyUnavailable):
        await tokens.claims(token())
    tenant.answers = None
    clock.passed += RETRY_SECONDS
    await tokens.claims(token())


async def test_a_document_without_end_is_given_up(tenant: Tenant, tokens: EntraTokens) -> None:
    good = json.dumps({"keys": tenant.keys}).encode()
    tenant.answers = (200, good + b" " * MAX_DOCUMENT_BYTES)
    with pytest.raises(DependencyUnavailable):
        await tokens.claims(token())


async def test_a_tenant_that_does_not_answer_is_given_up(tenant: Tenant, clock: HandClock) -> None:
    tenant.silent = True
    tokens = verifier(tenant, clock, seconds=0.2)
    async with asyncio.timeout(5):
        with pytest.raises(DependencyUnavailable):
            await tokens.claims(token())


async def test_a_tenant_that_cannot_be_reached_is_not_asked_each_time(
    tenant: Tenant, tokens: EntraTokens, clock: HandClock
) -> None:
    tenant.answers = (500, b"")
    for _ in range(20):
        with pytest.raises(DependencyUnavailable):
            await tokens.claims(token())
        clock.passed += RETRY_SECONDS / 10
    assert tenant.asked == 2


async def test_known_keys_outlive_an_outage_but_not_for_ever(
    tenant: Tenant, tokens: EntraTokens, clock: HandClock
) -> None:
    long_lived = token(exp=NOW + 1e6)
    await tokens.claims(long_lived)
    tenant.answers = (500, b"")
    clock.passed = TRUSTED_FOR_SECONDS
    await tokens.claims(long_lived)
    clock.passed += RETRY_SECONDS
    with pytest.raises(DependencyUnavailable):
        await tokens.claims(long_lived)


async def test_an_unknown_key_in_an_outage_may_be_a_new_one(
    tenant: Tenant, tokens: EntraTokens, clock: HandClock
) -> None:
    await tokens.claims(token())
    tenant.answers = (500, b"")
    clock.passed += PAUSE_SECONDS
    with pytest.raises(DependencyUnavailable):
        await tokens.claims(token(key="two"))
    await tokens.claims(token())
