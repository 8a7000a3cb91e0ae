"""How much of the idle capacity is filled, and what that costs the interactive calls."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from benchmarks.control.play import play
from benchmarks.control.row import SIGNALS, Row
from benchmarks.control.scenarios import SCENARIOS


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./dev bench control", description=__doc__)
    add = parser.add_argument
    add("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    add("--bucket-seconds", nargs="+", type=float, default=[60, 10])
    add("--processes", nargs="+", type=int, default=[1])
    add("--signals", nargs="+", choices=SIGNALS, default=["live"])
    add("--kill", action="store_true")
    arguments = parser.parse_args(argv)
    rows = []
    for processes in arguments.processes:
        for signals in arguments.signals:
            for bucket_seconds in arguments.bucket_seconds:
                for scenario in arguments.scenarios:
                    row = Row(
                        scenario=SCENARIOS[scenario],
                        bucket_seconds=bucket_seconds,
                        processes=processes,
                        signals=signals,
                        kill=arguments.kill,
                    )
                    result = play(row).as_dict()
                    rows.append(result)
                    print(row.title, result, file=sys.stderr, flush=True)
    print(json.dumps({"rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
