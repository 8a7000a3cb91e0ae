"""A slice of the real interactive traffic in benchmarks/traces (see the notice there)."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from local.dev import paths

TRACES = paths.ROOT / "benchmarks" / "traces"
FILES = ("AzureLLMInferenceTrace_conv.csv.gz", "AzureLLMInferenceTrace_code.csv.gz")
"""Recorded in the same hour: merged by their times they are the traffic of one deployment."""


class Call(NamedTuple):
    """One interactive call: when, and its size in tokens."""

    at: float
    """Seconds after the start of the slice."""
    prompt_tokens: int
    output_tokens: int


def read_slice(*, start: float, seconds: float, folder: Path = TRACES) -> Sequence[Call]:
    """The calls from `start` seconds after the first one of the merged trace, in order."""
    calls = sorted(call for name in FILES for call in _read(folder / name))
    if not calls:
        return []
    zero = calls[0].at + start
    return [call._replace(at=call.at - zero) for call in calls if 0 <= call.at - zero < seconds]


def _read(path: Path) -> list[Call]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [
            Call(
                # seven digits of a second; Python reads six
                datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp(),
                int(row["ContextTokens"]),
                int(row["GeneratedTokens"]),
            )
            for row in csv.DictReader(file)
        ]
