"""Bindings as the worker reports them: what is read, and what is refused by name."""

from typing import Any

import pytest

from local.host.bindings import (
    CosmosOutput,
    EventHubTrigger,
    HttpTrigger,
    TimerTrigger,
    read_functions,
)
from local.host.errors import RefusedError
from local.host.settings import AppSettings

SETTINGS = AppSettings({"HUB": "requests", "GAUGE_SCHEDULE": "*/15 * * * * *"})
RETRY = {"strategy": "fixed_delay", "max_retry_count": "-1", "delay_interval": "00:00:01"}


def http(**more: Any) -> dict[str, Any]:
    return {"type": "httpTrigger", "direction": "IN", "name": "req", "route": "r", **more}


def timer(**more: Any) -> dict[str, Any]:
    schedule = {"schedule": "%GAUGE_SCHEDULE%"}
    return {"type": "timerTrigger", "direction": "IN", "name": "timer", **schedule, **more}


def hub(**more: Any) -> dict[str, Any]:
    where = {"eventHubName": "%HUB%", "connection": "EVENT_HUBS"}
    return {"type": "eventHubTrigger", "direction": "IN", "name": "events", **where, **more}


def cosmos(**more: Any) -> dict[str, Any]:
    where = {"connection": "COSMOS", "databaseName": "ptu", "containerName": "capacity"}
    return {"type": "cosmosDB", "direction": "OUT", "name": "documents", **where, **more}


def function(*bindings: dict[str, Any], name: str = "f", retry: Any = None) -> dict[str, Any]:
    return {"name": name, "bindings": list(bindings), "retry": retry}


def test_an_http_trigger_is_read() -> None:
    returned = {"type": "http", "direction": "OUT", "name": "$return"}
    reported = function(http(methods=["POST"], authLevel="ADMIN"), returned)
    (read,) = read_functions([reported], SETTINGS)
    assert read.trigger == HttpTrigger(name="req", route="r", methods=("POST",), auth_level="admin")


def test_an_auth_level_is_function_unless_said_otherwise() -> None:
    (read,) = read_functions([function(http())], SETTINGS)
    assert isinstance(read.trigger, HttpTrigger)
    assert read.trigger.auth_level == "function"


def test_settings_in_a_schedule_are_replaced() -> None:
    (read,) = read_functions([function(timer(runOnStartup=True), retry=RETRY)], SETTINGS)
    assert isinstance(read.trigger, TimerTrigger)
    assert read.trigger.schedule.text == "*/15 * * * * *"
    assert (read.trigger.run_on_startup, read.trigger.use_monitor) == (True, True)
    assert read.retry is not None


def test_an_event_hub_trigger_is_read() -> None:
    reported = function(hub(cardinality="MANY", dataType="BINARY", consumerGroup="audit"))
    (read,) = read_functions([reported], SETTINGS)
    assert read.trigger == EventHubTrigger(
        name="events",
        hub="requests",
        connection="EVENT_HUBS",
        consumer_group="audit",
        many=True,
        binary=True,
    )


def test_cardinality_is_one_and_bodies_are_text_unless_said_otherwise() -> None:
    (read,) = read_functions([function(hub())], SETTINGS)
    assert isinstance(read.trigger, EventHubTrigger)
    assert (read.trigger.many, read.trigger.binary) == (False, False)
    assert read.trigger.consumer_group == "$Default"


def test_outputs_keep_the_order_of_the_bindings() -> None:
    reported = function(cosmos(name="b"), cosmos(name="a", containerName="groups"), timer())
    (read,) = read_functions([reported], SETTINGS)
    assert read.outputs == (
        CosmosOutput(name="b", connection="COSMOS", database="ptu", container="capacity"),
        CosmosOutput(name="a", connection="COSMOS", database="ptu", container="groups"),
    )


def test_a_function_can_be_disabled_by_a_setting() -> None:
    settings = AppSettings({**SETTINGS.values, "AzureWebJobs.off.Disabled": "true"})
    reported = [function(timer(), name="on"), function(timer(), name="off")]
    assert [read.name for read in read_functions(reported, settings)] == ["on"]


@pytest.mark.parametrize(
    ("reported", "reason"),
    [
        pytest.param(function(cosmos()), "no trigger", id="no trigger"),
        pytest.param(function(hub(eventHubName="%NONE%")), "'NONE'", id="undefined setting"),
        pytest.param(function(timer(schedule="%NONE%")), "'NONE'", id="undefined schedule"),
        pytest.param(function(timer(schedule="* * *")), "schedule", id="malformed schedule"),
        pytest.param(function(hub(connection="")), "connection is missing", id="no connection"),
        pytest.param(function(hub(dataType="STREAM")), "STREAM", id="data type"),
        pytest.param(function(hub(identifier="x")), "identifier", id="unknown hub setting"),
        pytest.param(function(timer(every="day")), "every", id="unknown timer setting"),
        pytest.param(function(http(webHookType="x")), "webHookType", id="unknown http setting"),
        pytest.param(function(http(authLevel="SYSTEM")), "system", id="auth level"),
        pytest.param(function(http(), retry=RETRY), "HTTP", id="retries of HTTP"),
        pytest.param(function(timer(), retry={**RETRY, "strategy": "x"}), "strategy", id="retry"),
        pytest.param(
            function(timer(), cosmos(createIfNotExists=True)), "create_if_not_exists", id="create"
        ),
        pytest.param(
            function(timer(), cosmos(preferredLocations="x")), "preferredLocations", id="locations"
        ),
        pytest.param(
            function(timer(), cosmos(direction="IN")), "in binding 'cosmosDB'", id="input binding"
        ),
        pytest.param(
            function({"type": "queueTrigger", "direction": "IN", "name": "q"}),
            "queueTrigger",
            id="another trigger",
        ),
        pytest.param(
            function(timer(), {"type": "eventHub", "direction": "OUT", "name": "$return"}),
            "eventHub",
            id="another output",
        ),
    ],
)
def test_what_this_host_does_not_honour_is_refused(reported: dict[str, Any], reason: str) -> None:
    with pytest.raises(RefusedError, match=reason) as refused:
        read_functions([reported], SETTINGS)
    assert "function f" in str(refused.value)


def test_an_app_without_functions_is_refused() -> None:
    with pytest.raises(RefusedError, match="no functions"):
        read_functions([], SETTINGS)
