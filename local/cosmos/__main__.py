"""`python -m local.cosmos`: the account as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from .resources import CONSISTENCY_LEVELS
from .schema import SCHEMA
from .server import EMULATOR_KEY, CosmosServer, StartError

DEFAULT_PORT = 8081


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.cosmos",
        description="A Cosmos DB (NoSQL) account on this machine, for the unmodified Azure SDKs.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep items here, not in memory")
    parser.add_argument(
        "--schema",
        type=Path,
        default=SCHEMA,
        metavar="FILE",
        help="container definitions to create where missing (the app's)",
    )
    parser.add_argument("--database", default="ptu", help="where the schema is created (ptu)")
    parser.add_argument("--key", default=EMULATOR_KEY, help="account key (the emulator's)")
    parser.add_argument(
        "--consistency",
        choices=CONSISTENCY_LEVELS,
        default="Strong",
        help="the account's default level, as SDKs learn it (Strong)",
    )
    return parser


def _server(options: argparse.Namespace) -> CosmosServer:
    return CosmosServer(
        host=options.host,
        port=options.port,
        data=options.data,
        schema=options.schema,
        database=options.database,
        key=options.key,
        consistency=options.consistency,
    )


async def _run(server: CosmosServer) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with server:
        print(f"ready {server.url}", flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_run(_server(options)))
    except StartError as error:
        print(f"cosmos: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
