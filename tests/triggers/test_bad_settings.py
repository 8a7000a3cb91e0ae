"""Bad settings: the host finds every function all the same, and each says what is wrong.

An app that raises while its functions are looked for has none: the host answers 404 everywhere and
says that all is well.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from azurefunctions.extensions.http.fastapi import Request

from ptu_optimizer.composition import application as composition
from ptu_optimizer.errors import BadSettings
from ptu_optimizer.settings.settings import Settings
from tests.support.functions import app_functions
from tests.triggers.spoiled import GOOD, SPOILED, spoil

ROOT = Path(__file__).resolve().parents[2]
Functions = dict[str, Any]


@contextmanager
def environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """A process that starts with good settings and these changes; None takes one away."""
    before = dict(os.environ)
    for name, value in {**GOOD, **changes}.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    composition.application.cache_clear()
    composition.told.cache_clear()
    sys.modules.pop("function_app", None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        composition.application.cache_clear()
        sys.modules.pop("function_app", None)


def functions() -> Functions:
    app = importlib.import_module("function_app").app
    return {f.get_function_name(): f for f in app.get_functions()}


def level_of(function: Any) -> str:
    trigger = next(json.loads(raw) for raw in function.get_raw_bindings() if "Trigger" in raw)
    return str(trigger["authLevel"])


async def call(function: Any, **path: str) -> Any:
    """The answer of an HTTP function to a call without a body."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [],
        "path_params": path,
    }
    return await function.get_user_function()(Request(scope, receive))


@pytest.mark.parametrize("changes", SPOILED)
def test_the_host_finds_every_function(changes: Mapping[str, str | None]) -> None:
    with environment(changes):
        found = functions()
    assert found.keys() == app_functions().keys()
    assert len(found) == 14


@pytest.mark.parametrize("changes", SPOILED)
async def test_health_says_which_settings_are_bad_and_nothing_else(
    changes: Mapping[str, str | None],
) -> None:
    with environment(changes):
        answer = await call(functions()["health"])
    assert answer.status_code == 503
    error = orjson.loads(answer.body)["error"]
    assert (error["type"], error["code"]) == ("service_unavailable", "bad_settings")
    assert {entry["setting"] for entry in error["details"]} == changes.keys()
    values = [value for value in changes.values() if value]
    assert not any(value in answer.body.decode() for value in values)


HTTP = {
    "producer": {},
    "response": {"request_id": "x"},
    "request": {"request_id": "x"},
    "cancel": {"request_id": "x"},
    "capacity": {},
    "capacity_deployment": {"deployment": "x"},
    "capacity_alert": {},
}


@pytest.mark.parametrize("name", HTTP)
async def test_every_other_route_answers_503_and_not_404(name: str) -> None:
    with environment(spoil("DEPLOYMENTS")):
        answer = await call(functions()[name], **HTTP[name])
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert orjson.loads(answer.body)["error"]["code"] == "bad_settings"


@pytest.mark.parametrize(
    "name", ["dispatch_requests", "dispatch_requests_soon", "dispatch_requests_later"]
)
async def test_a_batch_of_requests_is_kept(name: str) -> None:
    """By raising: the retry policy brings it again for as long as it takes."""
    with environment(spoil("DEPLOYMENTS")), pytest.raises(BadSettings, match="DEPLOYMENTS"):
        await functions()[name].get_user_function()([], None, None, None)


async def test_usage_events_and_timers_fail_where_it_can_be_seen() -> None:
    with environment(spoil("DEPLOYMENTS")):
        found = functions()
        with pytest.raises(BadSettings):
            await found["usage"].get_user_function()([], None)
        with pytest.raises(BadSettings):
            await found["gauge"].get_user_function()(None, None)
        with pytest.raises(BadSettings):
            await found["sweep"].get_user_function()(None, None)


async def test_the_log_has_the_whole_text_once_in_a_process(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        caplog.at_level(logging.ERROR, logger="ptu_optimizer"),
        environment({"DEPLOYMENTS": "[", "MAX_ITEMS": "many"}),
    ):
        health = functions()["health"]
        for _ in range(3):
            await call(health)
    (record,) = [r for r in caplog.records if "settings are not usable" in r.getMessage()]
    assert "DEPLOYMENTS is not JSON; it should be the JSON array" in record.getMessage()
    assert "MAX_ITEMS is malformed" in record.getMessage()
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize(
    ("value", "level"),
    [
        pytest.param("key", "FUNCTION", id="key"),
        pytest.param("entra", "ANONYMOUS", id="entra"),
        pytest.param("platform", "ANONYMOUS", id="platform"),
        pytest.param("entra ", "FUNCTION", id="not exactly the word"),
        pytest.param("none", "FUNCTION", id="no such word"),
        pytest.param(None, "FUNCTION", id="not set"),
    ],
)
def test_alerts_need_the_key_unless_the_setting_says_exactly_otherwise(
    value: str | None, level: str
) -> None:
    with environment({"ALERT_AUTHENTICATION": value, "DEPLOYMENTS": "["}):
        assert level_of(functions()["capacity_alert"]) == level


def test_every_setting_is_spoiled_in_turn() -> None:
    spoiled = {name for case in SPOILED for name in case.values[0]}
    assert spoiled == {str(field.alias) for field in Settings.model_fields.values()}
