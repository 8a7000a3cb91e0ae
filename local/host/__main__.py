"""`python -m local.host --app DIR`: run a Functions app until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from local.host.errors import HostError
from local.host.host import FunctionsHost
from local.host.logs import configure_logging
from local.host.options import DEFAULT_PORT, HostOptions

log = logging.getLogger("host")

REFUSED = 2
"""Exit code when the app, a setting or an option is refused."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a host; the exit code is 0 after a clean stop."""
    given = _parser().parse_args(arguments)
    configure_logging(given.log_level)
    try:
        options = HostOptions(
            app=given.app,
            port=given.port,
            address=given.address,
            settings=given.settings,
            environment=os.environ,
            isolate=given.isolate,
            keys=given.keys,
            data=given.data,
            grace_seconds=given.grace,
            ownership_expiry_seconds=given.ownership_expiry,
            balance_seconds=given.balance_interval,
        )
        asyncio.run(_run(options))
    except HostError as error:
        print(f"refused: {error}", file=sys.stderr)
        return REFUSED
    return 0


async def _run(options: HostOptions) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(1)  # asked twice: the lifelines take the workers along
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    async with FunctionsHost(options) as host:
        print(f"ready {host.url}", flush=True)
        await stop.wait()
        log.info("stopping", extra={"grace_seconds": options.grace_seconds})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.host", description=__doc__)
    parser.add_argument("--app", type=Path, required=True, help="folder with function_app.py")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument("--address", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--settings", type=Path, help="local.settings.json; the environment wins")
    parser.add_argument(
        "--isolate",
        action="store_true",
        help="as Flex Consumption: a process for HTTP, and one for each other function",
    )
    parser.add_argument("--keys", type=Path, help="JSON file of access keys, made if missing")
    parser.add_argument("--data", type=Path, help="folder for the keys file if --keys is missing")
    parser.add_argument("--grace", type=float, default=30.0, help="seconds to drain")
    parser.add_argument(
        "--ownership-expiry", type=float, default=6.0, help="seconds until a take-over"
    )
    parser.add_argument(
        "--balance-interval", type=float, default=1.0, help="seconds between partition balancing"
    )
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
