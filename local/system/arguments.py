"""The arguments that every command has which starts a local system."""

from __future__ import annotations

import argparse
from dataclasses import replace

from local.system.errors import SystemFailed
from local.system.ports import OPTIONS, Ports


def add_system_arguments(parser: argparse.ArgumentParser) -> None:
    """Hosts, ports and app settings."""
    parser.add_argument("--hosts", type=_count, default=1, metavar="N", help="Functions hosts (1)")
    parser.add_argument(
        "--isolate",
        action="store_true",
        help="HTTP functions together and every other function in a process of its own, as on Flex",
    )
    parser.add_argument(
        "--setting",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an app setting; may be repeated",
    )
    add_port_arguments(parser)


def add_port_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the parts listen."""
    group = parser.add_argument_group("ports")
    group.add_argument("--port-base", type=_port, metavar="P", help="five ports in a row from here")
    for field, what in OPTIONS.items():
        group.add_argument(
            f"--{field.replace('_', '-')}-port",
            type=_port,
            metavar="P",
            help=f"{what} ({getattr(Ports(), field)})",
        )


def chosen_ports(arguments: argparse.Namespace) -> Ports:
    """The fixed ports, moved as the arguments say."""
    ports = Ports() if arguments.port_base is None else Ports.from_base(arguments.port_base)
    for field in OPTIONS:
        port = getattr(arguments, f"{field}_port")
        if port is not None:
            ports = replace(ports, **{field: port})
    return ports


def chosen_settings(arguments: argparse.Namespace) -> dict[str, str]:
    """The app settings given as NAME=VALUE. Raises SystemFailed for one without a name."""
    settings: dict[str, str] = {}
    for text in arguments.setting:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise SystemFailed(f"--setting {text}: expected NAME=VALUE")
        settings[name] = value
    return settings


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65_530:
        raise argparse.ArgumentTypeError("must be a port number from 1 to 65530")
    return number
