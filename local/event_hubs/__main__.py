"""`python -m local.event_hubs`: the namespace as a process of its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from local.serving import parser_of, serve

from .hub import DEFAULT_CONSUMER_GROUP
from .partition import Retention
from .server import EventHubsServer

DEFAULT_PORT = 5672
DEFAULT_RETENTION_HOURS = 24.0


def _hub(text: str) -> tuple[str, int]:
    name, _, partitions = text.partition(":")
    if not name or not partitions.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' should look like requests:8")
    return name, int(partitions)


def _consumer_group(text: str) -> tuple[str, str]:
    hub, _, name = text.partition(":")
    if not hub or not name:
        raise argparse.ArgumentTypeError(f"'{text}' should look like requests:audit")
    return hub, name


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(
        "local.event_hubs",
        "An Event Hubs namespace on this machine, for the unmodified Azure SDKs.",
        port=DEFAULT_PORT,
    )
    parser.add_argument(
        "--hub",
        type=_hub,
        action="append",
        required=True,
        metavar="NAME:PARTITIONS",
        help="an event hub and its number of partitions; repeat it for each",
    )
    parser.add_argument(
        "--consumer-group",
        type=_consumer_group,
        action="append",
        default=[],
        metavar="HUB:NAME",
        help=f"a consumer group beside {DEFAULT_CONSUMER_GROUP}; repeat it for each",
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep events here, not in memory")
    parser.add_argument(
        "--retention-hours",
        type=float,
        default=DEFAULT_RETENTION_HOURS,
        help=f"how long events are kept ({DEFAULT_RETENTION_HOURS:g})",
    )
    parser.add_argument(
        "--retention-bytes", type=int, help="how much a partition keeps at most (no limit)"
    )
    parser.add_argument(
        "--fsync", action="store_true", help="survive a power cut, not only a killed process"
    )
    return parser


def _server(options: argparse.Namespace) -> EventHubsServer:
    groups: dict[str, list[str]] = {}
    for hub, name in options.consumer_group:
        groups.setdefault(hub, []).append(name)
    return EventHubsServer(
        hubs=dict(options.hub),
        host=options.host,
        port=options.port,
        consumer_groups=groups,
        data=options.data,
        fsync=options.fsync,
        retention=Retention(seconds=options.retention_hours * 3600, bytes=options.retention_bytes),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status."""
    options = _parser().parse_args(arguments)
    return serve(lambda: _server(options), name="event hubs")


if __name__ == "__main__":
    sys.exit(main())
