"""The app as Azure Functions sees it: names, routes, hubs, retries, and outputs in their order."""

import importlib
import json
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from azurefunctions.extensions.http.fastapi import Request, Response

from ptu_optimizer.composition import application as composition
from ptu_optimizer.ports.hubs import HUBS

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS: dict[str, str] = {
    **json.loads((ROOT / "local.settings.json.example").read_text())["Values"],
    "REQUEST_ID_KEY": "a key of these tests",
}
HOST: dict[str, Any] = json.loads((ROOT / "host.json").read_text())

HTTP = {
    "producer": ("POST", "producer", "FUNCTION"),
    "response": ("GET", "response/{request_id}", "FUNCTION"),
    "request": ("GET", "requests/{request_id}", "FUNCTION"),
    "cancel": ("POST", "requests/{request_id}/cancel", "FUNCTION"),
    "capacity": ("GET", "capacity", "FUNCTION"),
    "capacity_deployment": ("GET", "capacity/{deployment}", "FUNCTION"),
    "capacity_alert": ("POST", "capacity/alert", "FUNCTION"),
    "health": ("GET", "health", "ANONYMOUS"),
}
DISPATCH = {
    "dispatch_requests": "requests",
    "dispatch_requests_soon": "requests-soon",
    "dispatch_requests_later": "requests-later",
}
USAGE = "usage"
BATCHED = {**DISPATCH, USAGE: "usage"}
TIMERS = {"gauge": "%GAUGE_SCHEDULE%", "sweep": "%SWEEP_SCHEDULE%"}
OUTPUTS = {
    **{
        name: [
            ("annotations", "requests"),
            ("deadletters", "dead_letters"),
            ("positions", "groups"),
        ]
        for name in DISPATCH
    },
    "gauge": [("minutes", "capacity")],
    "sweep": [("closings", "groups")],
    USAGE: [("windows", "capacity")],
}

Functions = dict[str, Any]


@pytest.fixture(scope="module")
def functions() -> Iterator[Functions]:
    """The functions of `function_app.app` by name, built with the example's settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        patch.delitem(sys.modules, "function_app", raising=False)
        composition.application.cache_clear()
        app = importlib.import_module("function_app").app
        yield {f.get_function_name(): f for f in app.get_functions()}
        composition.application.cache_clear()
        sys.modules.pop("function_app", None)


def bindings(function: Any) -> list[dict[str, Any]]:
    """Bindings as the host reads them, in the order in which they are registered."""
    return [json.loads(raw) for raw in function.get_raw_bindings()]


def trigger(function: Any) -> dict[str, Any]:
    return next(b for b in bindings(function) if b["type"].endswith("Trigger"))


def annotations(function: Any) -> dict[str, Any]:
    return typing.get_type_hints(function.get_user_function())


def test_these_are_all_functions_of_the_app(functions: Functions) -> None:
    assert functions.keys() == HTTP.keys() | BATCHED.keys() | TIMERS.keys()


# --- HTTP ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HTTP)
def test_a_route(functions: Functions, name: str) -> None:
    method, route, level = HTTP[name]
    assert trigger(functions[name]) == {
        "direction": "IN",
        "type": "httpTrigger",
        "name": "req",
        "methods": [method],
        "authLevel": level,
        "route": route,
    }


@pytest.mark.parametrize("name", HTTP)
def test_every_http_function_speaks_the_fastapi_types_and_none_the_classic(
    functions: Functions, name: str
) -> None:
    assert annotations(functions[name]) == {"req": Request, "return": Response}


@pytest.mark.parametrize("name", HTTP)
def test_an_http_function_has_no_output_binding_that_would_lag_behind_its_answer(
    functions: Functions, name: str
) -> None:
    assert [b["type"] for b in bindings(functions[name])] == ["httpTrigger", "http"]


@pytest.mark.parametrize("name", HTTP)
def test_no_route_starts_with_what_the_host_keeps_for_itself(
    functions: Functions, name: str
) -> None:
    assert not trigger(functions[name])["route"].startswith(("admin", "runtime"))


def test_routes_are_where_the_documentation_says_without_a_prefix() -> None:
    assert HOST["extensions"]["http"]["routePrefix"] == ""


# --- hubs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BATCHED)
def test_an_event_function_reads_its_hub_in_batches(functions: Functions, name: str) -> None:
    assert trigger(functions[name]) == {
        "direction": "IN",
        "type": "eventHubTrigger",
        "name": "events",
        "connection": "EVENT_HUBS",
        "eventHubName": BATCHED[name],
        "cardinality": "MANY",
        "dataType": "BINARY",
        "consumerGroup": "$Default",
    }


def test_every_hub_is_read() -> None:
    assert sorted(DISPATCH.values()) == sorted(HUBS)


@pytest.mark.parametrize("name", BATCHED)
def test_a_batch_is_a_typing_list_the_worker_refuses_the_builtin(
    functions: Functions, name: str
) -> None:
    annotation = functions[name].get_user_function().__annotations__["events"]
    assert annotation == typing.List[func.EventHubEvent]  # noqa: UP006
    assert annotation != list[func.EventHubEvent]


@pytest.mark.parametrize("name", DISPATCH)
def test_a_failed_batch_of_requests_comes_again_without_end(
    functions: Functions, name: str
) -> None:
    assert functions[name].get_settings_dict("retry_policy") == {
        "setting_name": "retry_policy",
        "strategy": "fixed_delay",
        "max_retry_count": "-1",
        "delay_interval": "00:00:05",
    }


def test_usage_events_hold_their_partition_for_two_seconds_at_most(functions: Functions) -> None:
    assert functions[USAGE].get_settings_dict("retry_policy") == {
        "setting_name": "retry_policy",
        "strategy": "fixed_delay",
        "max_retry_count": "2",
        "delay_interval": "00:00:01",
    }


def test_batches_stay_small_enough_to_be_dealt_with_in_time() -> None:
    hubs = HOST["extensions"]["eventHubs"]
    assert hubs["maxEventBatchSize"] <= 100
    assert hubs["prefetchCount"] <= 100
    assert hubs["batchCheckpointFrequency"] == 1
    assert hubs["initialOffsetOptions"] == {"type": "fromStart"}, "what came first is not lost"


# --- timers and outputs -------------------------------------------------------------------------


@pytest.mark.parametrize("name", TIMERS)
def test_a_timer_has_its_schedule_from_a_setting_that_the_example_shows(
    functions: Functions, name: str
) -> None:
    found = trigger(functions[name])
    assert found["type"] == "timerTrigger"
    assert found["schedule"] == TIMERS[name]
    assert found["runOnStartup"] is False, "every scale-out would run it again"
    assert TIMERS[name].strip("%") in SETTINGS


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_go_to_their_containers_in_this_order(functions: Functions, name: str) -> None:
    outputs = [b for b in bindings(functions[name]) if b["direction"] == "OUT"]
    assert [(b["name"], b["containerName"]) for b in outputs] == OUTPUTS[name]
    for output in outputs:
        assert output["type"] == "cosmosDB"
        assert output["connection"] == "COSMOS"
        assert output["databaseName"] == "%COSMOS_DATABASE%"
        assert not output.get("createIfNotExists"), "infrastructure makes containers, not a binding"


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_binding_has_its_parameter_and_every_parameter_its_binding(
    functions: Functions, name: str
) -> None:
    parameters = annotations(functions[name]).keys() - {"return"}
    assert parameters == {b["name"] for b in bindings(functions[name])}


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_are_written_as_document_lists(functions: Functions, name: str) -> None:
    hints = annotations(functions[name])
    for output, _ in OUTPUTS[name]:
        assert hints[output] == func.Out[func.DocumentList]


def test_the_extension_bundle_is_of_version_4() -> None:
    assert HOST["extensionBundle"]["version"].startswith("[4.")
