"""The main job, end to end, on this machine.

Starts the local system, plays a slice of real interactive traffic against a simulated PTU, sends
1,319 real questions through POST /producer, watches them fill what is idle, reads every result
back, compares the books, and stops everything. Takes two to three minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace

from local.dev import paths
from local.system import LocalSystem, Options
from local.system.arguments import add_system_arguments, chosen_ports, chosen_settings
from local.system.running import run_until_stopped

REQUESTS = 1_319


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--requests", type=int, default=REQUESTS, metavar="N", help="questions (%(default)s)"
    )
    parser.add_argument(
        "--json", action="store_true", help="the last line of stdout is one JSON object"
    )
    kill = parser.add_mutually_exclusive_group()
    kill.add_argument(
        "--kill-host", action="store_true", help="kill -9 a host half-way, start another"
    )
    kill.add_argument(
        "--kill-worker", action="store_true", help="kill -9 the Python worker of a live host"
    )
    parser.add_argument(
        "--usage-events",
        action="store_true",
        help="tell the app of the interactive calls on the hub usage, as a gateway would",
    )
    parser.add_argument("--keep", action="store_true", help="leave the system running afterwards")
    parser.add_argument("--seed", type=int, default=1, help="of the simulated PTU (%(default)s)")
    add_system_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    return run_until_stopped(_demo(arguments))


async def _demo(arguments: argparse.Namespace) -> int:
    import aiohttp

    from local.demo import demo, faults, plot, progress
    from local.dev.commands.up import describe

    started = time.monotonic()
    ports = chosen_ports(arguments)
    options = Options(
        ports=ports,
        hosts=arguments.hosts,
        further_hosts=1 if arguments.kill_host else 0,
        isolate=arguments.isolate,
        logs=paths.LOGS / f"demo-{ports.host}",
        seed=arguments.seed,
        settings={**demo.SETTINGS, **chosen_settings(arguments)},
    )
    kill = faults.HOST if arguments.kill_host else faults.WORKER if arguments.kill_worker else ""
    plan = demo.Plan(requests=arguments.requests, kill=kill, usage_events=arguments.usage_events)
    # the answer of --json is alone on stdout: everything else goes to stderr then
    out = sys.stderr if arguments.json else sys.stdout
    async with LocalSystem(options) as system:
        with progress.open_view(quiet_stdout=arguments.json) as view:
            view.say(f"{len(system.parts())} parts started in {time.monotonic() - started:.1f} s")
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=60),
            ) as session:
                course = demo.Demo(plan, system=system, session=session, view=view)
                report, seconds = await system.run(course.run())
        report = replace(report, wall_seconds=round(time.monotonic() - started, 1))
        print(f"\n{plot.draw(seconds, color=out.isatty())}\n\n{report.text()}", file=out)
        broken = report.broken_promises()
        for promise in broken:
            print(f"NOT KEPT: {promise}", file=out)
        if arguments.keep:
            print(f"\n{describe(system)}", file=out, flush=True)
            if arguments.json:
                print(json.dumps(report.as_dict()), flush=True)
            raise await system.wait_failed()
    if arguments.json:
        report = replace(report, wall_seconds=round(time.monotonic() - started, 1))
        print(json.dumps(report.as_dict()), flush=True)
    return 1 if broken else 0
