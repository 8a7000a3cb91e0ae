"""The composition root: builds each use case once per process and hands it what it needs.

The only package that imports `settings` and `services`. Nothing is connected at import: clients are
built at the first use, on the worker's event loop, so that a cold start pays for nothing it does
not need.
"""

from __future__ import annotations

from functools import cache, cached_property

from ptu_optimizer.errors import BadSettings
from ptu_optimizer.operator_views.health import Health
from ptu_optimizer.settings.alerts import alerts_need_the_function_key
from ptu_optimizer.settings.setting_errors import SettingsError
from ptu_optimizer.settings.settings import load_settings
from ptu_optimizer.telemetry import logger, quiet_sdks

from .queue import QueueUseCases

_log = logger("settings")

__all__ = ["Application", "alerts_need_the_function_key", "application"]


class Application(QueueUseCases):
    """Every use case of this process, each built when it is first asked for."""

    @cached_property
    def health(self) -> Health:
        return Health(
            checks={
                "event_hubs": lambda: self._services.hubs.ping("requests"),
                "cosmos": self._services.groups.ping,
                "blobs": self._services.blobs.ping,
            },
            ids=self._ids,
        )


@cache
def application() -> Application:
    """The application of this process. Raises BadSettings: every trigger works as soon as its
    settings do, and the host finds all functions in any case."""
    quiet_sdks()
    try:
        settings = load_settings()
    except SettingsError as error:
        told("; ".join(error.complaints))
        raise BadSettings(error.names) from None
    return Application(settings)


@cache
def told(complaints: str) -> None:
    """Tell the log once in a process, since every call meets the same settings."""
    _log.error("the settings are not usable", extra={"complaints": complaints})
