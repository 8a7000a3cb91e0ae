"""Triggers: bindings only. Decode, one call of a use case, encode. One blueprint a capability."""

from __future__ import annotations

import azure.functions as func


def blueprints() -> list[func.Blueprint]:
    """Every blueprint of the app. The host finds the same functions whatever the settings are: with
    none it would answer 404 everywhere and say that all is well."""
    from ptu_optimizer.composition.application import alerts_need_the_function_key
    from ptu_optimizer.triggers import alerts, capacity, dispatch, operations, requests, usage

    return [
        requests.blueprint,
        dispatch.blueprint,
        capacity.blueprint,
        usage.blueprint,
        alerts.alerts_blueprint(by_key=alerts_need_the_function_key()),
        operations.blueprint,
    ]
