"""Which rows are run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.control.policies import POLICIES
from benchmarks.control.robustness import WRONG
from benchmarks.control.row import OURS, SIGNALS, Conditions, Row, Signals
from benchmarks.control.scenarios import MODEL, SCENARIOS, Scenario
from benchmarks.control.signals import Metric
from local.traffic.trace import Call

BUCKET_SECONDS = (60.0, 10.0)
PROCESSES = (1, 8, 32)
QUICK_PROCESSES = 8
QUICK_BESIDE = ("threshold", "C", 10.0)
"""Calls that are refused take their time, too: one such row is what three minutes allow."""
CUSTOM = "custom"

PICTURED_BUCKET_SECONDS = (10.0,)
PICTURED_BESIDE = "threshold"

HALF_IDLE = 0.5
"""What a trace of one's own leaves idle of as many PTUs as it is given if none are named."""

LEAST_PTUS = 50
"""But no fewer: of a deployment that drains in a minute what one batch call costs, no policy could
fill a part without harm."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the command line asks for; None is everything there is."""

    traces: tuple[Path, ...] = ()
    scenarios: tuple[str, ...] | None = None
    model: str = MODEL
    ptus: int | None = None
    bucket_seconds: tuple[float, ...] | None = None
    signals: tuple[Signals, ...] | None = None
    metric: Metric = "level"
    processes: tuple[int, ...] | None = None
    policies: tuple[str, ...] | None = None
    kill: bool = False
    robustness: bool = False
    quick: bool = False
    profile: bool = False
    seed: int = 1


def rows_of(choice: Choice) -> list[Row]:
    """Every row, in the table's order. Raises TraceError for a trace that cannot be played."""
    if choice.robustness:
        rows: Iterable[Row] = (wrong.row() for wrong in WRONG)
    elif choice.quick:
        rows = _quick(choice)
    else:
        rows = [*_ours(choice), *_others(choice)]
    return [replace(row, seed=choice.seed, profile=choice.profile) for row in rows]


def pictured(choice: Choice) -> list[Row]:
    """The rows of the picture: the threshold on the metric, and ours."""
    scenario = scenarios_of(choice)[0]
    bucket_seconds = (choice.bucket_seconds or PICTURED_BUCKET_SECONDS)[0]
    threshold = POLICIES[PICTURED_BESIDE]
    rows = [
        _row(
            choice,
            scenario=scenario,
            bucket_seconds=bucket_seconds,
            processes=1,
            signals=threshold.signals,
            policy=PICTURED_BESIDE,
        ),
        _row(
            choice,
            scenario=scenario,
            bucket_seconds=bucket_seconds,
            processes=(choice.processes or (QUICK_PROCESSES,))[0],
            signals=(choice.signals or SIGNALS)[0],
        ),
    ]
    return [replace(row, seed=choice.seed, picture=True) for row in rows]


def scenarios_of(choice: Choice) -> list[Scenario]:
    if choice.traces:
        custom = Scenario(name=CUSTOM, files=choice.traces, ptus=1, model=choice.model)
        return [replace(custom, ptus=choice.ptus or _half_idle(custom))]
    return [
        replace(one, model=choice.model, ptus=choice.ptus or one.ptus)
        for name, one in SCENARIOS.items()
        if choice.scenarios is None or name in choice.scenarios
    ]


def _half_idle(scenario: Scenario) -> int:
    """The PTUs of which a trace leaves half idle."""
    calls: Sequence[Call] = scenario.calls()
    sizing = scenario.sizing
    work = sum(
        sizing.work(prompt_tokens=call.prompt_tokens, output_tokens=call.output_tokens)
        for call in calls
    )
    a_second = work / calls[-1].at / HALF_IDLE
    return max(LEAST_PTUS, math.ceil(a_second / sizing.drain_per_second(1)))


def _ours(choice: Choice) -> Iterator[Row]:
    """Ours in every row, then the rows in which the sender is killed."""
    if choice.policies is not None and OURS not in choice.policies:
        return
    processes = choice.processes or PROCESSES
    for killed in [True] if choice.kill else [False]:
        for signals in choice.signals or SIGNALS:
            for bucket_seconds in choice.bucket_seconds or BUCKET_SECONDS:
                for scenario in scenarios_of(choice):
                    for count in processes:
                        yield _row(
                            choice,
                            scenario=scenario,
                            bucket_seconds=bucket_seconds,
                            processes=count,
                            signals=signals,
                            kill=killed,
                        )
    if not choice.kill and choice == replace(Choice(), seed=choice.seed, profile=choice.profile):
        yield from _ours(replace(choice, kill=True, signals=("live",)))


def _others(choice: Choice) -> Iterator[Row]:
    """Each other policy at P=1 with the signal it uses."""
    if choice.kill:
        return
    for policy, kind in POLICIES.items():
        if choice.policies is None:
            wanted = choice.signals is None or kind.signals in choice.signals
        else:
            wanted = policy in choice.policies
        if not wanted:
            continue
        for bucket_seconds in choice.bucket_seconds or BUCKET_SECONDS:
            for scenario in scenarios_of(choice):
                yield _row(
                    choice,
                    scenario=scenario,
                    bucket_seconds=bucket_seconds,
                    processes=1,
                    signals=kind.signals,
                    policy=policy,
                )


def _quick(choice: Choice) -> Iterator[Row]:
    """Ours in 8 processes, and one row of the policy that some of them are compared with."""
    eight = replace(choice, quick=False, processes=choice.processes or (QUICK_PROCESSES,))
    yield from _ours(eight)
    for row in _others(eight):
        place = (row.policy, row.scenario.name, row.bucket_seconds)
        if choice.policies is not None or place == QUICK_BESIDE:
            yield row


def _row(
    choice: Choice,
    *,
    scenario: Scenario,
    bucket_seconds: float,
    processes: int,
    signals: Signals,
    policy: str = OURS,
    kill: bool = False,
) -> Row:
    return Row(
        scenario=scenario,
        bucket_seconds=bucket_seconds,
        processes=processes,
        signals=signals,
        policy=policy,
        kill=kill,
        conditions=Conditions(metric=choice.metric),
    )
