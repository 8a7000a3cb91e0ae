"""`GET /capacity` as the host calls it: the settings' deployments, and errors in OpenAI's shape."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import azure.functions as func
import orjson
import pytest
from azurefunctions.extensions.http.fastapi import Request, Response

from ptu_optimizer.composition import application as composition
from ptu_optimizer.services import AzureServices
from ptu_optimizer.triggers import blueprints

ROOT = Path(__file__).resolve().parents[2]
SETTINGS: dict[str, str] = {
    **json.loads((ROOT / "local.settings.json.example").read_text())["Values"],
    "REQUEST_ID_KEY": "a key of these tests",
    "DEPLOYMENTS": json.dumps(
        [{"name": "alert", "model": "gpt-4.1", "ptus": 50, "spillover": "payg"}]
    ),
    "SPILLOVER_DEPLOYMENTS": json.dumps([{"name": "payg", "model": "gpt-4.1", "tpm": 90_000}]),
    "COSMOS": "AccountEndpoint=http://127.0.0.1:9/;AccountKey=c2VjcmV0;",
}
"""A deployment may be named as another route is, and nobody listens where the store should be."""

Functions = dict[str, Any]


@pytest.fixture
async def functions(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Functions]:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    composition.application.cache_clear()
    app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
    for blueprint in blueprints():
        app.register_functions(blueprint)
    yield {str(each.get_function_name()): each.get_user_function() for each in app.get_functions()}
    services = composition.application()._services
    assert isinstance(services, AzureServices)
    await services.close()
    composition.application.cache_clear()


async def get(function: Any, path: str, **parameters: str) -> tuple[Response, Any]:
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [],
        "path_params": parameters,
    }
    answer = await function(Request(scope))
    assert isinstance(answer, Response)
    return answer, orjson.loads(bytes(answer.body))


async def test_a_spillover_target_needs_no_store(functions: Functions) -> None:
    answer, found = await get(functions["capacity_deployment"], "/capacity/payg", deployment="payg")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert (found["tokens_per_minute"], found["spillover_of"]) == (90_000, ["alert"])


async def test_an_unknown_deployment_is_a_404_in_openais_shape(functions: Functions) -> None:
    answer, found = await get(
        functions["capacity_deployment"], "/capacity/gpt-9", deployment="gpt-9"
    )
    assert answer.status_code == 404
    assert found["error"]["code"] == "deployment_not_found"
    assert found["error"]["message"].endswith("alert, payg.")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        pytest.param("capacity", {}, id="all"),
        pytest.param("capacity_deployment", {"deployment": "alert"}, id="one"),
    ],
)
async def test_without_the_store_it_is_a_503(
    functions: Functions, name: str, parameters: dict[str, str]
) -> None:
    answer, found = await get(functions[name], "/capacity", **parameters)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert found["error"]["code"] == "dependency_unavailable"
    assert b"c2VjcmV0" not in bytes(answer.body)
