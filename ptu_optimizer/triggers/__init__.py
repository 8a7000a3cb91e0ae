"""Triggers: bindings only. Decode, one call of a use case, encode. One blueprint a capability."""

from __future__ import annotations

import azure.functions as func


def blueprints() -> list[func.Blueprint]:
    """Every blueprint of the app. Raises SettingsError: a bad setting stops the start-up here."""
    from ptu_optimizer.bootstrap import application

    from . import alerts, capacity, dispatch, operations, requests, usage

    alerts_by_key = application().settings.alert_authentication == "key"
    return [
        requests.blueprint,
        dispatch.blueprint,
        capacity.blueprint,
        usage.blueprint,
        alerts.alerts_blueprint(by_key=alerts_by_key),
        operations.blueprint,
    ]
