"""The bindings of an app as the listener needs them, read from what the worker reports.

A binding type, or a setting of one, that this host does not honour is refused: it would work
differently here and in Azure, which is worse than not starting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from local.host.errors import RefusedError
from local.host.ncrontab import Schedule, parse_schedule
from local.host.retry import RetryPolicy, parse_retry
from local.host.settings import AppSettings


@dataclass(frozen=True, kw_only=True)
class HttpTrigger:
    """`@app.route`: who may call, how, and where."""

    name: str
    route: str
    methods: tuple[str, ...]
    auth_level: str


@dataclass(frozen=True, kw_only=True)
class TimerTrigger:
    """`@app.timer_trigger`."""

    name: str
    schedule: Schedule
    run_on_startup: bool
    use_monitor: bool


@dataclass(frozen=True, kw_only=True)
class EventHubTrigger:
    """`@app.event_hub_message_trigger`. `binary` bodies arrive as sent, others as UTF-8 text."""

    name: str
    hub: str
    connection: str
    consumer_group: str
    many: bool
    binary: bool


@dataclass(frozen=True, kw_only=True)
class CosmosOutput:
    """`@app.cosmos_db_output`: documents are upserted into one container."""

    name: str
    connection: str
    database: str
    container: str


Trigger = HttpTrigger | TimerTrigger | EventHubTrigger


@dataclass(frozen=True, kw_only=True)
class FunctionDefinition:
    """One function: its trigger, its outputs in binding order, its retry policy."""

    name: str
    trigger: Trigger
    outputs: tuple[CosmosOutput, ...]
    retry: RetryPolicy | None


def read_functions(
    reported: Iterable[Mapping[str, Any]], settings: AppSettings
) -> list[FunctionDefinition]:
    """The functions the worker indexed, checked, without those that a setting disables."""
    functions = [_read_function(item, settings) for item in reported]
    enabled = [function for function in functions if not _disabled(function.name, settings)]
    if not enabled:
        raise RefusedError("no functions found: the app registers none, or all are disabled")
    return enabled


def _disabled(name: str, settings: AppSettings) -> bool:
    value = settings.get(f"AzureWebJobs.{name}.Disabled") or settings.get(
        f"AzureWebJobs_{name}_Disabled"
    )
    return str(value).lower() in ("true", "1")


def _read_function(item: Mapping[str, Any], settings: AppSettings) -> FunctionDefinition:
    name = str(item["name"])
    trigger: Trigger | None = None
    outputs: list[CosmosOutput] = []
    for raw in item["bindings"]:
        binding = _Binding(raw, function=name, settings=settings)
        if binding.type == "httpTrigger":
            trigger = _http(binding, name)
        elif binding.type == "timerTrigger":
            trigger = _timer(binding)
        elif binding.type == "eventHubTrigger":
            trigger = _event_hub(binding)
        elif binding.type == "cosmosDB" and binding.direction == "OUT":
            outputs.append(_cosmos(binding))
        elif binding.type == "http" and binding.direction == "OUT":
            if binding.name != "$return":
                raise RefusedError(f"{binding.where}: only '$return' is supported")
        else:
            raise RefusedError(
                f"{binding.where}: the {binding.direction.lower()} binding {binding.type!r} "
                "is not supported by the local host"
            )
        binding.finish()
    if trigger is None:
        raise RefusedError(f"function {name}: it has no trigger")
    retry = item.get("retry")
    if retry and isinstance(trigger, HttpTrigger):
        raise RefusedError(f"function {name}: retry policies do not apply to HTTP triggers")
    return FunctionDefinition(
        name=name,
        trigger=trigger,
        outputs=tuple(outputs),
        retry=parse_retry(retry, where=f"function {name}") if retry else None,
    )


def _http(binding: _Binding, function: str) -> HttpTrigger:
    level = str(binding.take("authLevel") or "FUNCTION").lower()
    if level not in ("anonymous", "function", "admin"):
        raise RefusedError(f"{binding.where}: the auth level {level!r} is not supported")
    methods = binding.take("methods") or ()
    binding.refuse_data_type()
    return HttpTrigger(
        name=binding.name,
        route=binding.text("route", default=function),
        methods=tuple(str(method).upper() for method in methods),
        auth_level=level,
    )


def _timer(binding: _Binding) -> TimerTrigger:
    text = binding.text("schedule")
    try:
        schedule = parse_schedule(text)
    except ValueError as error:
        raise RefusedError(f"{binding.where}: schedule: {error}") from None
    binding.refuse_data_type()
    monitor = binding.take("useMonitor")
    return TimerTrigger(
        name=binding.name,
        schedule=schedule,
        run_on_startup=bool(binding.take("runOnStartup")),
        use_monitor=True if monitor is None else bool(monitor),
    )


def _event_hub(binding: _Binding) -> EventHubTrigger:
    data_type = str(binding.take("dataType") or "STRING")
    if data_type not in ("STRING", "BINARY", "UNDEFINED"):
        raise RefusedError(f"{binding.where}: the data type {data_type} is not supported")
    cardinality = str(binding.take("cardinality") or "ONE")
    return EventHubTrigger(
        name=binding.name,
        hub=binding.text("eventHubName"),
        connection=binding.text("connection"),
        consumer_group=binding.text("consumerGroup", default="$Default"),
        many=cardinality == "MANY",
        binary=data_type == "BINARY",
    )


def _cosmos(binding: _Binding) -> CosmosOutput:
    if binding.take("createIfNotExists"):
        raise RefusedError(
            f"{binding.where}: create_if_not_exists cannot work with Entra ID in Azure "
            "(docs/platform.md, The Functions host); create the container beforehand"
        )
    binding.refuse_data_type()
    return CosmosOutput(
        name=binding.name,
        connection=binding.text("connection"),
        database=binding.text("databaseName"),
        container=binding.text("containerName"),
    )


class _Binding:
    """One raw binding: takes its settings, and refuses what nobody took."""

    def __init__(self, raw: Mapping[str, Any], *, function: str, settings: AppSettings) -> None:
        self._left = dict(raw)
        self._settings = settings
        self.type = str(self.take("type"))
        self.direction = str(self.take("direction"))
        self.name = str(self.take("name"))
        self.where = f"function {function}: binding {self.name!r} ({self.type})"

    def take(self, key: str) -> Any:
        return self._left.pop(key, None)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.take(key)
        if value is None or value == "":
            if default is None or (value == "" and key != "route"):
                raise RefusedError(f"{self.where}: {key} is missing")
            value = default if value is None else ""
        return self._settings.resolve(str(value), where=f"{self.where}: {key}")

    def refuse_data_type(self) -> None:
        data_type = self.take("dataType")
        if data_type not in (None, "UNDEFINED", "STRING"):
            raise RefusedError(f"{self.where}: the data type {data_type} is not supported")

    def finish(self) -> None:
        if self._left:
            names = ", ".join(sorted(self._left))
            raise RefusedError(f"{self.where}: not supported by the local host: {names}")
