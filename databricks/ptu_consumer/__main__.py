"""`ptu-consumer`: dispatch until SIGTERM or SIGINT.

Settings come from the environment, as everywhere (docs/settings.md); what is said here is only what
this process takes upon itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ptu_optimizer.settings.setting_errors import SettingsError
from ptu_optimizer.settings.settings import Settings, load_settings
from ptu_optimizer.telemetry import quiet_sdks

from .running import EXTRAS, GRACE_SECONDS, Options, consume


class _Stop:
    """Carries a signal, which arrives in the main thread, to the loop, wherever that runs."""

    def __init__(self) -> None:
        self._requested = False
        self._heard: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def __call__(self, *_: object) -> None:
        self._requested = True
        if self._heard is not None:
            loop, event = self._heard
            loop.call_soon_threadsafe(event.set)

    def event(self) -> asyncio.Event:
        """Set by a signal from now on, and at once if one has come already."""
        event = asyncio.Event()
        self._heard = (asyncio.get_running_loop(), event)
        if self._requested:
            event.set()
        return event


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until a signal. Exits with 1 when the settings are not usable."""
    options = _options(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    quiet_sdks()
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.exit(str(error))
    stop = _Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(ValueError):  # only the main thread may ask for signals
            signal.signal(number, stop)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(_run(settings, options, stop))
        return
    # Databricks runs a wheel's entry point in a kernel whose main thread has a loop already
    with ThreadPoolExecutor(max_workers=1) as elsewhere:
        elsewhere.submit(asyncio.run, _run(settings, options, stop)).result()


async def _run(settings: Settings, options: Options, stop: _Stop) -> None:
    await consume(settings, options, stopping=stop.event())


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="ptu-consumer", description="Dispatches queued requests without Azure Functions."
    )
    parser.add_argument(
        "--also",
        action="append",
        choices=EXTRAS,
        default=[],
        help="what else no Functions app does; may be repeated: usage (read usage events), gauge "
        "(read the metric), sweep (look after what got lost)",
    )
    parser.add_argument(
        "--grace",
        type=float,
        default=GRACE_SECONDS,
        metavar="SECONDS",
        help="how long batches under way may take to end after SIGTERM (%(default)g)",
    )
    parser.add_argument(
        "--health-port",
        type=int,
        metavar="PORT",
        help="answer GET /health there, for the probes of a container: 200 while all hubs are read",
    )
    given = parser.parse_args(arguments)
    return Options(
        extras=tuple(given.also), grace_seconds=given.grace, health_port=given.health_port
    )


if __name__ == "__main__":
    main()
