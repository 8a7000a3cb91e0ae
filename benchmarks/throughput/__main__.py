"""Items and requests a second through everything, beside the bare SDKs; takes some ten minutes.

Every ratio is made within this run, ours and bare taking turns; the first and the last tenth of a
turn do not count. With --json the last line of stdout is one JSON object; progress is on stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence

from rich.console import Console

from benchmarks.throughput import backlog, dispatch, enqueue
from benchmarks.throughput.plan import BACKLOG, ENQUEUE, FULL, QUICK, Plan
from benchmarks.throughput.progress import View, open_view
from benchmarks.throughput.report import PartReport, print_table
from local.dev.errors import DevError
from local.system import Ports
from local.system.arguments import add_port_arguments, chosen_ports
from local.system.running import run_until_stopped

MISSED = 1
FAILED = 2


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        return run_until_stopped(_run(arguments))
    except DevError as error:
        print(f"./dev bench throughput: {error}", file=sys.stderr)
        return FAILED


async def _run(arguments: argparse.Namespace) -> int:
    started = time.monotonic()
    plan = QUICK if arguments.quick else FULL
    ports = chosen_ports(arguments)
    wanted = arguments.part or plan.names
    parts: list[PartReport] = []
    with open_view() as view:
        for name in wanted:
            view.say(f"{name} …")
            part = await _measure(name, plan, ports=ports, view=view)
            view.say(part.line())
            parts.append(part)
    seconds = round(time.monotonic() - started, 1)
    out = Console(file=sys.stderr if arguments.json else sys.stdout)
    print_table(parts, out)
    if arguments.quick:
        out.print("--quick: too short to be quoted; a full run takes its time for a reason")
    if arguments.json:
        print(json.dumps(as_json(parts, quick=arguments.quick, seconds=seconds)), flush=True)
    return MISSED if arguments.check and any(part.missed for part in parts) else 0


async def _measure(name: str, plan: Plan, *, ports: Ports, view: View) -> PartReport:
    if name == ENQUEUE:
        return await enqueue.measure(plan.enqueue, ports=ports, view=view)
    if name == BACKLOG:
        return await backlog.measure(plan.backlog, ports=ports, view=view)
    [chosen] = [one for one in plan.dispatches if one.name == name]
    return await dispatch.measure(chosen, ports=ports, view=view)


def as_json(parts: Sequence[PartReport], *, quick: bool, seconds: float) -> dict[str, object]:
    """The parts by name, and under `run` where and how they were measured."""
    run = {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "quick": quick,
        "seconds": seconds,
    }
    return {**{part.name: part.as_dict() for part in parts}, "run": run}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev bench throughput",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--json", action="store_true", help="the last line of stdout is one JSON object")
    add("--quick", action="store_true", help="small counts, under two minutes, nothing to quote")
    add(
        "--part",
        action="append",
        choices=FULL.names,
        metavar="NAME",
        help=f"only this one; may be repeated: {', '.join(FULL.names)}",
    )
    add("--check", action="store_true", help="exit with 1 if a target is missed")
    add_port_arguments(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
