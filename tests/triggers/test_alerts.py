"""The alert webhook's trigger: what the host asks for in each mode, and what the app answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import azure.functions as func
import orjson
import pytest
from azurefunctions.extensions.http.fastapi import Request, Response

from ptu_optimizer.composition import application as composition
from ptu_optimizer.feeds.alerts import BODY_LIMIT
from ptu_optimizer.triggers import blueprints
from tests.support.alerts import payload
from tests.support.entra import TENANT

ROOT = Path(__file__).resolve().parents[2]
SETTINGS: dict[str, str] = {
    **json.loads((ROOT / "local.settings.json.example").read_text())["Values"],
    "REQUEST_ID_KEY": "a key of these tests",
}
ENTRA = {
    "ALERT_AUTHENTICATION": "entra",
    "ALERT_TENANT_ID": TENANT,
    "ALERT_AUDIENCE": "api://ptu-alerts",
}
PLATFORM = {"ALERT_AUTHENTICATION": "platform"}
ELSEWHERE = orjson.dumps(payload(alertTargetIDs=["/subscriptions/s/another/resource"]))
"""An alert that is ignored: it needs no store."""

Indexed = Callable[..., Any]


@pytest.fixture
def indexed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Indexed]:
    """The webhook's function as the host indexes it, with these settings."""

    def index(**settings: str) -> Any:
        for name, value in {**SETTINGS, **settings}.items():
            monkeypatch.setenv(name, value)
        composition.application.cache_clear()
        app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
        for blueprint in blueprints():
            app.register_functions(blueprint)
        return next(f for f in app.get_functions() if f.get_function_name() == "capacity_alert")

    yield index
    composition.application.cache_clear()


async def post(function: Any, body: bytes, headers: dict[str, str] | None = None) -> Response:
    """What the function answers; its host has let the call through."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/capacity/alert",
        "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
    }
    answer = await function.get_user_function()(Request(scope, receive))
    assert isinstance(answer, Response)
    return answer


def content_of(answer: Response) -> Any:
    return orjson.loads(bytes(answer.body))


def principal(app_id: str) -> dict[str, str]:
    claims = [
        {"typ": "appid", "val": app_id},
        {"typ": "roles", "val": "ActionGroupsSecureWebhook"},
    ]
    content = json.dumps({"auth_typ": "aad", "claims": claims}).encode()
    return {"X-MS-CLIENT-PRINCIPAL": base64.b64encode(content).decode()}


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        pytest.param({}, "FUNCTION", id="by key"),
        pytest.param(ENTRA, "ANONYMOUS", id="by token: a secure webhook adds no key"),
        pytest.param(PLATFORM, "ANONYMOUS", id="by platform"),
    ],
)
def test_the_host_asks_for_the_key_only_where_the_key_is_what_counts(
    indexed: Indexed, settings: dict[str, str], level: str
) -> None:
    (trigger,) = [
        binding
        for binding in map(json.loads, indexed(**settings).get_raw_bindings())
        if binding["type"] == "httpTrigger"
    ]
    assert trigger["authLevel"] == level
    assert (trigger["route"], trigger["methods"]) == ("capacity/alert", ["POST"])


async def test_by_key_an_alert_is_taken_from_whom_the_host_lets_through(indexed: Indexed) -> None:
    answer = await post(indexed(), ELSEWHERE)
    assert (answer.status_code, content_of(answer)["status"]) == (200, "ignored")


async def test_by_key_a_principal_is_not_even_looked_at(indexed: Indexed) -> None:
    answer = await post(indexed(), ELSEWHERE, {"X-MS-CLIENT-PRINCIPAL": "nonsense"})
    assert answer.status_code == 200


@pytest.mark.parametrize("settings", [ENTRA, PLATFORM], ids=["entra", "platform"])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"x-functions-key": "a key"}, id="a key"),
        pytest.param({"Authorization": "Bearer a.b.c"}, id="a token that is none"),
        pytest.param({"X-MS-CLIENT-PRINCIPAL": "e30="}, id="a principal that is none"),
    ],
)
async def test_otherwise_nobody_is_heard_who_shows(
    indexed: Indexed, settings: dict[str, str], headers: dict[str, str]
) -> None:
    answer = await post(indexed(**settings), b"not even read", headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert content_of(answer)["error"]["code"] == "invalid_token"


async def test_by_token_a_principal_is_no_way_in(indexed: Indexed) -> None:
    headers = principal(SETTINGS["ALERT_CALLER_APP_ID"])
    assert (await post(indexed(**ENTRA), ELSEWHERE, headers)).status_code == 401


async def test_by_platform_the_principal_of_azure_monitor_is_let_in(indexed: Indexed) -> None:
    headers = principal(SETTINGS["ALERT_CALLER_APP_ID"])
    assert (await post(indexed(**PLATFORM), ELSEWHERE, headers)).status_code == 200


async def test_by_platform_another_application_is_403(indexed: Indexed) -> None:
    answer = await post(indexed(**PLATFORM), ELSEWHERE, principal(TENANT))
    assert answer.status_code == 403
    assert content_of(answer)["error"]["code"] == "caller_not_permitted"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param(b"{", 400, "invalid_json", id="not JSON"),
        pytest.param(b"{}", 400, "invalid_alert", id="no alert"),
        pytest.param(b" " * (BODY_LIMIT.most + 1), 413, "body_too_large", id="too large"),
    ],
)
async def test_what_is_no_alert_is_refused_in_openais_shape(
    indexed: Indexed, body: bytes, status: int, code: str
) -> None:
    answer = await post(indexed(), body)
    assert (answer.status_code, content_of(answer)["error"]["code"]) == (status, code)
