"""Who may deliver alerts: what is looked at in each mode, and what refuses a caller."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from ptu_optimizer.access.bearer import InvalidToken
from ptu_optimizer.errors import AppError, DependencyUnavailable
from ptu_optimizer.feeds.alert_callers import CallerCheck, KeyIsEnough, PlatformCheck, TokenCheck

APP = "461e8683-5575-4561-ac7f-899cc907d62a"
TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
ROLE = "ActionGroupsSecureWebhook"
ROLE_CLAIM = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
TENANT_CLAIM = "http://schemas.microsoft.com/identity/claims/tenantid"
TOKEN = "s3cr3t.t0k3n.s1gned"


async def refusal(check: CallerCheck, headers: Mapping[str, str]) -> AppError:
    with pytest.raises(AppError) as raised:
        await check.check(headers)
    return raised.value


# --- by key ---------------------------------------------------------------------------------------


class NeverAsked(dict[str, str]):
    """Headers that nobody may look at."""

    def get(self, *_: object) -> Any:
        raise AssertionError("a header was looked at")

    __getitem__ = __contains__ = __iter__ = get


async def test_with_the_key_no_header_is_looked_at() -> None:
    await KeyIsEnough().check(NeverAsked())


# --- by token -------------------------------------------------------------------------------------


class Verified:
    """A verifier that has found these claims."""

    def __init__(self, claims: Mapping[str, Any] | Exception) -> None:
        self._claims = claims
        self.seen: list[str] = []

    async def claims(self, token: str) -> Mapping[str, Any]:
        self.seen.append(token)
        if isinstance(self._claims, Exception):
            raise self._claims
        return self._claims


def by_token(claims: Mapping[str, Any] | Exception) -> TokenCheck:
    return TokenCheck(tokens=Verified(claims), app_id=APP)


BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"azp": APP, "roles": [ROLE]}, id="version 2"),
        pytest.param({"appid": APP, "roles": [ROLE]}, id="version 1"),
        pytest.param({"azp": APP.upper(), "roles": ["Other", ROLE]}, id="among other roles"),
    ],
)
async def test_a_token_of_azure_monitor_with_the_role_is_let_in(claims: dict[str, Any]) -> None:
    await by_token(claims).check(BEARER)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_token_is_what_follows_the_scheme(scheme: str) -> None:
    verifier = Verified({"azp": APP, "roles": [ROLE]})
    await TokenCheck(tokens=verifier, app_id=APP).check({"authorization": f"{scheme}  {TOKEN} "})
    assert verifier.seen == [TOKEN]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no header"),
        pytest.param({"authorization": ""}, id="an empty one"),
        pytest.param({"authorization": "Bearer"}, id="no token"),
        pytest.param({"authorization": TOKEN}, id="no scheme"),
        pytest.param({"authorization": "Basic dXNlcjpwYXNz"}, id="another scheme"),
        pytest.param(
            {"x-ms-client-principal": "e30=", "x-functions-key": "k"}, id="headers of other modes"
        ),
    ],
)
async def test_without_a_bearer_token_nobody_is_let_in_or_verified(headers: dict[str, str]) -> None:
    verifier = Verified({"azp": APP, "roles": [ROLE]})
    refused = await refusal(TokenCheck(tokens=verifier, app_id=APP), headers)
    assert (refused.status, refused.code) == (401, "invalid_token")
    assert refused.headers == {"WWW-Authenticate": "Bearer"}
    assert verifier.seen == []


async def test_a_refused_token_is_401_and_only_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        refused = await refusal(by_token(InvalidToken("expired")), BEARER)
    assert refused.status == 401
    assert refused.body()["error"]["message"] == "The caller is not authenticated."
    assert "expired" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"azp": TENANT, "roles": [ROLE]}, id="another application"),
        pytest.param({"roles": [ROLE]}, id="no application"),
        pytest.param({"azp": [APP], "roles": [ROLE]}, id="a list of applications"),
        pytest.param({"azp": TENANT, "appid": APP, "roles": [ROLE]}, id="two applications"),
        pytest.param({"azp": APP}, id="no roles"),
        pytest.param({"azp": APP, "roles": []}, id="not one role"),
        pytest.param({"azp": APP, "roles": ["Reader"]}, id="another role"),
        pytest.param({"azp": APP, "roles": f"No{ROLE}"}, id="roles that are no list"),
        pytest.param({"azp": APP, "scp": ROLE}, id="the role as a scope"),
    ],
)
async def test_a_genuine_token_without_application_or_role_is_403(claims: dict[str, Any]) -> None:
    refused = await refusal(by_token(claims), BEARER)
    assert (refused.status, refused.code) == (403, "caller_not_permitted")
    assert refused.body()["error"]["type"] == "permission_error"
    assert APP not in str(refused.body())


async def test_when_entra_is_away_the_delivery_is_to_come_again() -> None:
    refused = await refusal(by_token(DependencyUnavailable("Entra", "timeout")), BEARER)
    assert (refused.status, refused.code) == (503, "dependency_unavailable")
    assert "Retry-After" in refused.headers


# --- by platform ----------------------------------------------------------------------------------


def principal(*claims: tuple[str, str], auth_typ: str = "aad") -> dict[str, str]:
    """The header as App Service authentication writes it."""
    content = {
        "auth_typ": auth_typ,
        "claims": [{"typ": typ, "val": value} for typ, value in claims],
        "name_typ": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        "role_typ": ROLE_CLAIM,
    }
    return {"x-ms-client-principal": base64.b64encode(json.dumps(content).encode()).decode()}


def by_platform(*, tenant: str | None = None) -> PlatformCheck:
    return PlatformCheck(app_id=APP, tenant=tenant)


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param([("azp", APP), ("roles", ROLE)], id="version 2"),
        pytest.param([("appid", APP), (ROLE_CLAIM, ROLE)], id="version 1, mapped names"),
        pytest.param(
            [("aud", "x"), ("roles", "Other"), ("roles", ROLE), ("azp", APP.upper())],
            id="among others",
        ),
    ],
)
async def test_azure_monitor_as_the_platform_names_it_is_let_in(
    claims: list[tuple[str, str]],
) -> None:
    await by_platform().check(principal(*claims))


GOOD = [("azp", APP), ("roles", ROLE)]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no header"),
        pytest.param({"x-ms-client-principal": "%%%"}, id="not base64"),
        pytest.param({"x-ms-client-principal": "bm8="}, id="not JSON"),
        pytest.param({"x-ms-client-principal": "W10="}, id="no object"),
        pytest.param({"x-ms-client-principal": "e30="}, id="an empty object"),
        pytest.param({"x-ms-client-principal": "ü"}, id="not ASCII"),
        pytest.param(principal(*GOOD, auth_typ="my-oidc"), id="another identity provider"),
        pytest.param(BEARER, id="a token that nobody has verified"),
    ],
)
async def test_without_a_principal_of_entra_nobody_is_let_in(headers: dict[str, str]) -> None:
    refused = await refusal(by_platform(), headers)
    assert (refused.status, refused.code) == (401, "invalid_token")


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param([("roles", ROLE)], id="no application"),
        pytest.param([("azp", TENANT), ("roles", ROLE)], id="another application"),
        pytest.param([("azp", APP), ("azp", TENANT), ("roles", ROLE)], id="two applications"),
        pytest.param([("azp", APP)], id="no role"),
        pytest.param([("azp", APP), ("roles", "Reader")], id="another role"),
        pytest.param([("azp", APP), ("name", ROLE)], id="the role in another claim"),
    ],
)
async def test_a_principal_without_application_or_role_is_403(
    claims: list[tuple[str, str]],
) -> None:
    refused = await refusal(by_platform(), principal(*claims))
    assert (refused.status, refused.code) == (403, "caller_not_permitted")


@pytest.mark.parametrize(
    ("claims", "let_in"),
    [
        pytest.param([("tid", TENANT)], True, id="ours"),
        pytest.param([(TENANT_CLAIM, TENANT.upper())], True, id="ours, by its mapped name"),
        pytest.param([("tid", APP)], False, id="another"),
        pytest.param([], False, id="none"),
    ],
)
async def test_a_tenant_that_is_set_is_the_only_one(
    claims: list[tuple[str, str]], let_in: bool
) -> None:
    headers = principal(*GOOD, *claims)
    if let_in:
        await by_platform(tenant=TENANT).check(headers)
    else:
        assert (await refusal(by_platform(tenant=TENANT), headers)).status == 401
