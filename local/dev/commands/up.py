"""Start the local system, print its endpoints, and stay running until Ctrl-C.

Everything is kept in .local/data: queued requests and results are there the next time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from local.dev import paths
from local.system import LocalSystem, Options
from local.system.arguments import add_system_arguments, chosen_ports, chosen_settings
from local.system.health import require_good_settings
from local.system.options import Deployment
from local.system.running import run_until_stopped

DATA = paths.STATE / "data"
STOP = "Ctrl-C stops everything."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_system_arguments(parser)
    parser.add_argument("--data", type=Path, default=DATA, help="where to keep data (.local/data)")
    parser.add_argument(
        "--no-host",
        action="store_true",
        help="everything but the Functions host: run that yourself, with `func start`",
    )
    parser.add_argument("--fresh", action="store_true", help="forget what is kept there first")
    parser.add_argument(
        "--ptus",
        type=int,
        default=Deployment().ptus,
        help="size of the simulated PTU (%(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    options = Options(
        ports=chosen_ports(arguments),
        hosts=0 if arguments.no_host else arguments.hosts,
        isolate=arguments.isolate,
        data=arguments.data.resolve(),
        fresh=arguments.fresh,
        logs=paths.LOGS / "up",
        deployments=(Deployment(ptus=arguments.ptus),),
        settings=chosen_settings(arguments),
    )
    return run_until_stopped(_stay_up(options))


async def _stay_up(options: Options) -> int:
    async with LocalSystem(options) as system:
        for host in system.hosts:
            await require_good_settings(host)
        print(describe(system), flush=True)
        raise await system.wait_failed()


def describe(system: LocalSystem) -> str:
    """The endpoints, the keys, and one command to try."""
    options, settings = system.options, system.settings
    [deployment, *_] = options.deployments
    rows = [
        *((f"Functions host {index}", host.url) for index, host in enumerate(system.hosts)),
        ("Azure OpenAI", f"{system.ptu_url}  {deployment.name}, {deployment.ptus} PTU, simulated"),
        ("  its truth", f"{system.ptu_url}/_ptu/counters  also level, history, config, faults"),
        ("Event Hubs", settings["EVENT_HUBS"]),
        ("Cosmos DB", f"http://127.0.0.1:{options.ports.cosmos}"),
        ("Azurite", f"http://127.0.0.1:{options.ports.blobs}  blobs only"),
        ("logs", str(options.logs)),
    ]
    if not system.hosts:
        lines = [f"{name:<18}{value}" for name, value in rows]
        start = [
            f"cp {system.settings_file} local.settings.json",
            "func start",
        ]
        return "\n".join([*lines, "", "Then:", *(f"  {line}" for line in start), "", STOP])
    rows += [("function key", system.keys.function), ("master key", system.keys.master)]
    lines = [f"{name:<18}{value}" for name, value in rows]
    curl = (
        f"curl -s {system.url}/producer -H 'x-functions-key: {system.keys.function}' "
        "-H 'content-type: application/json' "
        """-d '[{"messages": [{"role": "user", "content": "Why is the sky blue?"}]}]'"""
    )
    return "\n".join([*lines, "", "Try:", f"  {curl}", "", STOP])
