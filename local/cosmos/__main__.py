"""`python -m local.cosmos`: the account as a process of its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from local.serving import parser_of, serve

from .resources import CONSISTENCY_LEVELS
from .schema import SCHEMA
from .server import EMULATOR_KEY, CosmosServer

DEFAULT_PORT = 8081


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(
        "local.cosmos",
        "A Cosmos DB (NoSQL) account on this machine, for the unmodified Azure SDKs.",
        port=DEFAULT_PORT,
    )
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status."""
    options = _parser().parse_args(arguments)
    return serve(lambda: _server(options), name="cosmos")


if __name__ == "__main__":
    sys.exit(main())
