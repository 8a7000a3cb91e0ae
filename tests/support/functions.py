"""The app's functions and their bindings, without a host and without settings."""

from __future__ import annotations

import json
from typing import Any

from ptu_optimizer.triggers import alerts, capacity, dispatch, operations, requests, usage

Bindings = list[dict[str, Any]]


def app_functions() -> dict[str, Bindings]:
    """The bindings of every function by its name, as the host is told of them."""
    blueprints: list[Any] = [
        *(module.blueprint for module in (requests, dispatch, capacity, usage, operations)),
        alerts.alerts_blueprint(by_key=True),
    ]
    built = [builder.build() for one in blueprints for builder in one._function_builders]
    return {
        function.get_function_name(): [json.loads(raw) for raw in function.get_raw_bindings()]
        for function in built
    }


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """The functions that have a binding of this type, and that binding."""
    return {
        name: binding
        for name, bindings in app_functions().items()
        for binding in bindings
        if binding["type"] == kind
    }


def hubs() -> set[str]:
    """Every hub that a function reads."""
    return {str(binding["eventHubName"]) for binding in of_type("eventHubTrigger").values()}


def consumer_groups() -> set[str]:
    return {str(binding["consumerGroup"]) for binding in of_type("eventHubTrigger").values()}


def containers() -> set[str]:
    """Every container that an output binding writes to."""
    return {
        str(binding["containerName"])
        for bindings in app_functions().values()
        for binding in bindings
        if binding["type"] == "cosmosDB"
    }
