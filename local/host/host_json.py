"""`host.json`: the part this host honours. Everything it does not know is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from local.host.durations import parse_span
from local.host.errors import RefusedError

FUNCTION_TIMEOUT_SECONDS = 1_800.0
"""Flex Consumption's default (docs/platform.md, "The Functions host")."""

# Read by Azure alone: where logs go and which extensions it loads have no meaning here.
_IGNORED = {"logging", "extensionBundle", "$schema"}


@dataclass(frozen=True, kw_only=True)
class EventHubsOptions:
    """`extensions.eventHubs`, defaults of extension 5 and later (docs/platform.md, "The Event Hubs
    trigger")."""

    max_batch: int = 100
    min_batch: int = 1
    max_wait_seconds: float = 60.0
    prefetch: int = 300
    checkpoint_every: int = 1
    initial_offset: str = "fromStart"
    initial_time: datetime | None = None
    websockets: bool = False


@dataclass(frozen=True, kw_only=True)
class HostJson:
    """What the listener needs to know from `host.json`."""

    route_prefix: str = "api"
    function_timeout_seconds: float | None = FUNCTION_TIMEOUT_SECONDS
    event_hubs: EventHubsOptions = EventHubsOptions()


def load_host_json(path: Path) -> HostJson:
    """Read and check `path`; any setting that is not supported is refused by name."""
    try:
        content: Any = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise RefusedError(
            f"{path} does not exist; --app must be a folder with a host.json"
        ) from None
    except ValueError as error:
        raise RefusedError(f"{path} is not JSON: {error}") from None
    return parse_host_json(content)


def parse_host_json(content: Any) -> HostJson:
    """The settings in `content`, refused by name where they are unknown or out of range."""
    reader = _Reader("host.json", content)
    if reader.take("version") != "2.0":
        raise RefusedError('host.json: version must be "2.0"')
    for name in _IGNORED:
        reader.take(name)
    timeout: float | None = FUNCTION_TIMEOUT_SECONDS
    text = reader.take("functionTimeout")
    if text is not None:
        timeout = None if text == "-1" else reader.span("functionTimeout", text)
    extensions = _Reader("host.json extensions", reader.take("extensions") or {})
    http = _Reader("host.json extensions.http", extensions.take("http") or {})
    prefix = http.take("routePrefix")
    if prefix is not None and not isinstance(prefix, str):
        raise RefusedError("host.json extensions.http.routePrefix must be a string")
    hubs = _Reader("host.json extensions.eventHubs", extensions.take("eventHubs") or {})
    event_hubs = _event_hubs(hubs)
    for part in (http, hubs, extensions, reader):
        part.finish()
    return HostJson(
        route_prefix="api" if prefix is None else prefix.strip("/"),
        function_timeout_seconds=timeout,
        event_hubs=event_hubs,
    )


def _event_hubs(hubs: _Reader) -> EventHubsOptions:
    wait = hubs.take("maxWaitTime")
    transport = hubs.take("transportType") or "amqpTcp"
    if transport not in ("amqpTcp", "amqpWebSockets"):
        raise RefusedError(f"{hubs.name}.transportType must be amqpTcp or amqpWebSockets")
    offset = _Reader(f"{hubs.name}.initialOffsetOptions", hubs.take("initialOffsetOptions") or {})
    kind, when = offset.take("type") or "fromStart", offset.take("enqueuedTimeUtc")
    offset.finish()
    if kind not in ("fromStart", "fromEnd", "fromEnqueuedTime"):
        raise RefusedError(f"{offset.name}.type must be fromStart, fromEnd or fromEnqueuedTime")
    options = EventHubsOptions(
        max_batch=hubs.count("maxEventBatchSize", 100),
        min_batch=hubs.count("minEventBatchSize", 1),
        max_wait_seconds=60.0 if wait is None else hubs.span("maxWaitTime", wait),
        prefetch=hubs.count("prefetchCount", 300),
        checkpoint_every=hubs.count("batchCheckpointFrequency", 1),
        initial_offset=kind,
        initial_time=_moment(f"{offset.name}.enqueuedTimeUtc", when, kind),
        websockets=transport == "amqpWebSockets",
    )
    hubs.count("targetUnprocessedEventThreshold", options.max_batch)  # nothing scales here
    if options.min_batch > options.max_batch:
        raise RefusedError(f"{hubs.name}.minEventBatchSize must not exceed maxEventBatchSize")
    if options.max_wait_seconds > 600:
        raise RefusedError(f"{hubs.name}.maxWaitTime must not exceed 10 minutes")
    return options


def _moment(name: str, text: Any, kind: str) -> datetime | None:
    if kind != "fromEnqueuedTime":
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise RefusedError(f"{name} must be a UTC time such as 2026-01-31T08:00:00Z") from None
    if moment.tzinfo is None:
        raise RefusedError(f"{name} must end in Z")
    return moment


class _Reader:
    """Takes settings out of one JSON object, and refuses what nobody took."""

    def __init__(self, name: str, content: Any) -> None:
        if not isinstance(content, dict):
            raise RefusedError(f"{name} must be a JSON object")
        self.name = name
        self._left = dict(content)

    def take(self, key: str) -> Any:
        return self._left.pop(key, None)

    def count(self, key: str, default: int) -> int:
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise RefusedError(f"{self.name}.{key} must be a whole number of at least 1")
        return value

    def span(self, key: str, text: Any) -> float:
        try:
            return parse_span(str(text))
        except ValueError as error:
            raise RefusedError(f"{self.name}.{key}: {error}") from None

    def finish(self) -> None:
        if self._left:
            names = ", ".join(sorted(self._left))
            raise RefusedError(f"{self.name}: not supported by the local host: {names}")
