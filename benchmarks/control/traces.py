"""Interactive traffic to play, and the lengths of a backlog: CSV files, gzip or not."""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TextIO

from local.traffic.trace import TRACES, Call

CONVERSATION = TRACES / "AzureLLMInferenceTrace_conv.csv.gz"
CODE = TRACES / "AzureLLMInferenceTrace_code.csv.gz"
ARXIV = TRACES / "vidur_arxiv_summarization_lengths.csv.gz"

TIMES = ("timestamp", "seconds")
PROMPT, OUTPUT = "contexttokens", "generatedtokens"
GZIP_MAGIC = b"\x1f\x8b"


class TraceError(ValueError):
    """The file is no trace; the message names the file and says what to change."""


class Job(NamedTuple):
    """One batch request, by its length in tokens."""

    prompt_tokens: int
    output_tokens: int


def read_calls(paths: Iterable[Path]) -> list[Call]:
    """The calls of all files together, in order; the first one comes at 0 s. Raises TraceError."""
    paths = list(paths)
    calls = sorted(call for path in paths for call in _calls(path))
    named = " and ".join(str(path) for path in paths)
    if not calls:
        raise TraceError(f"{named}: there is no call in it")
    first = calls[0].at
    if calls[-1].at <= first:
        raise TraceError(
            f"{named}: all calls come at one moment, so no time passes in which anything could "
            "be filled; a trace needs two calls at different times"
        )
    return [call._replace(at=call.at - first) for call in calls]


def read_jobs(path: Path = ARXIV) -> list[Job]:
    with _open(path) as file:
        return [
            Job(int(row["num_prefill_tokens"]), int(row["num_decode_tokens"]))
            for row in csv.DictReader(file)
        ]


def thinned(calls: Sequence[Call], *, keep_every: int) -> list[Call]:
    """Every so-many-th call: the same hour of a smaller deployment."""
    kept = calls[::keep_every]
    return [call._replace(at=call.at - kept[0].at) for call in kept]


def _calls(path: Path) -> Iterator[Call]:
    try:
        with _open(path) as file:
            rows = csv.reader(file)
            header = next(rows, None)
            if header is None:
                raise TraceError(f"{path}: is empty")
            time, prompt, output = _columns(path, header)
            read_time = _time_of(header[time])
            for row in rows:
                if not row:
                    continue
                try:
                    yield Call(read_time(row[time]), _count(row[prompt]), _count(row[output]))
                except (ValueError, IndexError, OverflowError) as error:
                    raise TraceError(f"{path}: line {rows.line_num}: {error}") from None
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise TraceError(f"{path}: cannot be read ({error})") from None


def _columns(path: Path, header: Sequence[str]) -> tuple[int, int, int]:
    names = [name.strip().lower() for name in header]
    time = next((name for name in TIMES if name in names), None)
    missing = ["TIMESTAMP (or seconds)"] if time is None else []
    missing += [
        shown
        for shown, name in (("ContextTokens", PROMPT), ("GeneratedTokens", OUTPUT))
        if name not in names
    ]
    if time is None or missing:
        raise TraceError(
            f"{path}: has no column {' and no column '.join(missing)}; "
            f"its columns are {', '.join(header)}"
        )
    return names.index(time), names.index(PROMPT), names.index(OUTPUT)


def _time_of(column: str) -> Callable[[str], float]:
    return _timestamp if column.strip().lower() == TIMES[0] else _seconds


def _timestamp(text: str) -> float:
    """ISO 8601, any number of digits of a second, UTC if it names no zone; or plain seconds."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return _seconds(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _seconds(text: str) -> float:
    try:
        at = float(text)
    except ValueError:
        at = math.nan
    if not math.isfinite(at):
        raise ValueError(f"{text!r} is not a time")
    return at


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise ValueError(f"{text!r} is not a number of tokens")
    return count


def _open(path: Path) -> TextIO:
    with path.open("rb") as file:
        zipped = file.read(2) == GZIP_MAGIC
    if zipped:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")
