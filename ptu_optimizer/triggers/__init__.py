"""Triggers: bindings only. Decode, one call of a use case, encode. One blueprint a capability."""

from __future__ import annotations

import azure.functions as func


def blueprints() -> list[func.Blueprint]:
    """Every blueprint of the app. Raises SettingsError: a bad setting stops the start-up here."""
    from ptu_optimizer.bootstrap import application

    from . import capacity, dispatch, operations, requests, usage

    application()
    return [
        requests.blueprint,
        dispatch.blueprint,
        capacity.blueprint,
        usage.blueprint,
        operations.blueprint,
    ]
