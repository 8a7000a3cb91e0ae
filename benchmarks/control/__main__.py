"""How much of the idle capacity is filled, and what that costs interactive calls.

The real dispatcher, gauge and admission code run in virtual time against the simulated PTU while a
trace of interactive calls plays. Alone it runs every row of the table, within 15 minutes; each
option leaves out what it does not name. With --json the last line of stdout is one JSON object;
progress is on stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.control.baseline import baseline
from benchmarks.control.picture import PICTURE, picture
from benchmarks.control.plan import Choice, pictured, rows_of
from benchmarks.control.policies import POLICIES
from benchmarks.control.pool import RowFailed, play_all
from benchmarks.control.report import as_json, misses, print_table
from benchmarks.control.row import OURS, SIGNALS, Row
from benchmarks.control.scenarios import MODEL, SCENARIOS
from benchmarks.control.traces import TraceError
from benchmarks.throughput.progress import View, open_view
from ptu_optimizer.capacity.work import known_models

MISSED = 1
FAILED = 2


def main(argv: Sequence[str] | None = None) -> int:
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.trace and arguments.scenarios:
        parser.error("--trace plays in the place of --scenarios: give one of them")
    choice = _choice(arguments)
    try:
        with open_view() as view:
            if arguments.plot is not None:
                return _plot(choice, arguments.plot, view)
            return _measure(choice, arguments, view)
    except (TraceError, RowFailed, OSError) as error:
        print(f"./dev bench control: {error}", file=sys.stderr)
        return FAILED


def _measure(choice: Choice, arguments: argparse.Namespace, view: View) -> int:
    started = time.monotonic()
    rows = rows_of(choice)
    if not rows:
        raise TraceError("nothing to run: no row has all that the options name")
    _say_what_is_played(rows, view)
    results = play_all(rows, view=view)
    out = Console(file=sys.stderr if arguments.json else sys.stdout)
    if not out.is_terminal:
        out.width = 200
    print_table(results, out)
    out.print(f"{len(results)} rows in {time.monotonic() - started:.0f} s", highlight=False)
    if arguments.json:
        print(json.dumps(as_json(results, apart=not choice.kill)), flush=True)
    return MISSED if arguments.check and misses(results) else 0


def _say_what_is_played(rows: Sequence[Row], view: View) -> None:
    """And refuse a trace that leaves nothing to fill, before anything is run."""
    for scenario in dict.fromkeys(row.scenario for row in rows):
        alone = baseline(scenario, bucket_seconds=rows[0].bucket_seconds)
        idle = 1 - alone.accepted_work / alone.capacity
        said = f"{scenario.name}: {alone.calls} calls in {alone.seconds:.0f} s on "
        said += f"{scenario.ptus:g} PTU of {scenario.model}, {idle:.1%} idle alone"
        if idle <= 0:
            raise TraceError(f"{said}: there is nothing to fill; give it more --ptus")
        view.say(said)


def _plot(choice: Choice, path: Path, view: View) -> int:
    results = play_all(pictured(choice), view=view)
    path.write_text(picture(results), encoding="utf-8")
    view.say(f"drawn: {path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev bench control",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--trace",
        type=Path,
        action="append",
        metavar="FILE",
        help="play this instead: CSV, gzip or not, with TIMESTAMP or seconds, ContextTokens and "
        "GeneratedTokens; several are merged",
    )
    add("--scenarios", nargs="+", choices=SCENARIOS, metavar="NAME", help=_list(SCENARIOS))
    add(
        "--model", choices=known_models(), default=MODEL, metavar="NAME", help=_list(known_models())
    )
    add(
        "--ptus",
        type=_count,
        metavar="N",
        help="the deployment's size; of a trace of one's own by default so many that half is idle",
    )
    add(
        "--bucket-seconds",
        type=_above_zero,
        nargs="+",
        metavar="W",
        help="depth of the bucket: 100 %% is W seconds of drain (60 and 10)",
    )
    add("--signals", nargs="+", choices=SIGNALS, metavar="NAME", help=_list(SIGNALS))
    add("--metric", choices=("level", "load"), default="level", help="what the metric means")
    add("--processes", type=_count, nargs="+", metavar="P", help="of the app (1, 8 and 32)")
    add(
        "--policies",
        nargs="+",
        choices=(OURS, *POLICIES),
        metavar="NAME",
        help=f"{_list((OURS, *POLICIES))}; the others run at P=1",
    )
    add("--kill", action="store_true", help="kill the process that sent last, every 10 minutes")
    add("--robustness", action="store_true", help="the rows in which something is wrong instead")
    add("--quick", action="store_true", help="8 processes only, within 3 minutes")
    add("--json", action="store_true", help="the last line of stdout is one JSON object")
    add("--check", action="store_true", help="exit with 1 if a target is missed")
    add("--profile", action="store_true", help="measure the time of decisions")
    add("--seed", type=int, default=1, help="of the backlog's order and of what is late or lost")
    add(
        "--plot",
        type=Path,
        nargs="?",
        const=PICTURE,
        metavar="FILE",
        help=f"draw one row instead, beside the threshold on the metric ({PICTURE.name})",
    )
    return parser


def _choice(arguments: argparse.Namespace) -> Choice:
    given = vars(arguments)
    return Choice(
        traces=tuple(arguments.trace or ()),
        model=arguments.model,
        ptus=arguments.ptus,
        metric=arguments.metric,
        kill=arguments.kill,
        robustness=arguments.robustness,
        quick=arguments.quick,
        profile=arguments.profile,
        seed=arguments.seed,
        **{
            name: None if given[name] is None else tuple(dict.fromkeys(given[name]))
            for name in ("scenarios", "bucket_seconds", "signals", "processes", "policies")
        },
    )


def _list(names: Iterable[str]) -> str:
    return "any of " + ", ".join(names)


def _above_zero(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


if __name__ == "__main__":
    sys.exit(main())
