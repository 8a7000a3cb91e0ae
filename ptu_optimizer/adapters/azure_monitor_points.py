"""Azure Monitor's answers as minutes. Pure; percent becomes a float here and nowhere else.

Azure sums up over every dimension that a query does not name, so a deployment has one series a
metric. If it has several all the same, totals are added, and of averages the value is taken that
leaves less room: they cannot be weighted, since no count of samples comes with them.
"""

from __future__ import annotations

import math
import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from azure.monitor.querymetrics import Metric, MetricsQueryResult, MetricValue

from ptu_optimizer.capacity.signals.minute import MINUTE_SECONDS, Minute
from ptu_optimizer.telemetry import logger

_log = logger("azure_monitor")

UTILIZATION = "AzureOpenAIProvisionedManagedUtilizationV2"
CACHE_MATCH_RATE = "AzureOpenAIContextTokensCacheMatchRate"
PROMPT_TOKENS = "ProcessedPromptTokens"
GENERATED_TOKENS = "GeneratedTokens"
ACTIVE_TOKENS = "ActiveTokens"
REQUESTS = "AzureOpenAIRequests"
ONE_MINUTE = timedelta(minutes=1)

_DEPLOYMENT, _STATUS, _SPILLOVER = "modeldeploymentname", "statuscode", "isspillover"
"""Names come back in lower case in Microsoft's samples: compared case-insensitively."""


class _Figure(NamedTuple):
    """What one aggregation of a metric is called here, and how two series of it become one."""

    name: str
    aggregation: str
    unit: float
    merge: Callable[[float, float], float]


_PERCENT, _ONE = 100.0, 1.0
_FIGURES: Mapping[str, tuple[_Figure, ...]] = {
    UTILIZATION.lower(): (
        _Figure("utilization", "average", _PERCENT, max),
        _Figure("utilization_min", "minimum", _PERCENT, min),
        _Figure("utilization_max", "maximum", _PERCENT, max),
    ),
    CACHE_MATCH_RATE.lower(): (_Figure("cache_rate", "average", _PERCENT, min),),
    PROMPT_TOKENS.lower(): (_Figure("prompt_tokens", "total", _ONE, operator.add),),
    GENERATED_TOKENS.lower(): (_Figure("generated_tokens", "total", _ONE, operator.add),),
    ACTIVE_TOKENS.lower(): (_Figure("active_tokens", "total", _ONE, operator.add),),
}

_Calls = Counter[tuple[str, str | None]]
"""Calls by status code and IsSpillover, in lower case; None if the answer is not split by it."""


class _Key(NamedTuple):
    ends_at: float
    deployment: str
    """In lower case."""


def minutes(
    results: Sequence[MetricsQueryResult], *, deployments: Sequence[str], now: float
) -> list[Minute]:
    """The minutes of these deployments that are over at `now` and have a figure, oldest first.

    Null, a negative value or something that is not a number is a missing figure, never 0.
    """
    figures: defaultdict[_Key, dict[str, float]] = defaultdict(dict)
    calls: defaultdict[_Key, _Calls] = defaultdict(Counter)
    for metric in _metrics(results):
        if _name(metric) == REQUESTS.lower():
            _count(metric, calls)
        else:
            _note(metric, figures)
    spilling = {key.ends_at for key, found in calls.items() if _marked(found)}
    names = {name.lower(): name for name in deployments}
    found = []
    for key in sorted(figures.keys() | calls.keys()):
        if key.deployment in names and key.ends_at <= now:
            figure = figures.get(key, {})
            minute = Minute(
                deployment=names[key.deployment],
                ends_at=key.ends_at,
                utilization=figure.get("utilization"),
                utilization_min=figure.get("utilization_min"),
                utilization_max=figure.get("utilization_max"),
                prompt_tokens=figure.get("prompt_tokens"),
                cached_tokens=_cached(figure),
                generated_tokens=figure.get("generated_tokens"),
                **_requests(calls.get(key), spilling=key.ends_at in spilling),
            )
            if minute != Minute(deployment=minute.deployment, ends_at=minute.ends_at):
                found.append(minute)
    return found


def _metrics(results: Sequence[MetricsQueryResult]) -> Iterator[Metric]:
    for result in results:
        if result.granularity not in (None, ONE_MINUTE):
            _log.warning("points that are not minutes", extra={"span": str(result.granularity)})
            continue
        yield from result.metrics


def _name(metric: Metric) -> str:
    return str(metric.name).lower()


def _note(metric: Metric, figures: defaultdict[_Key, dict[str, float]]) -> None:
    for labels, point in _points(metric):
        for figure in _FIGURES.get(_name(metric), ()):
            value = _value(metric, point, figure.aggregation)
            if value is None:
                continue
            noted = figures[_key(labels, point)]
            value /= figure.unit
            before = noted.get(figure.name)
            noted[figure.name] = value if before is None else figure.merge(before, value)


def _count(metric: Metric, calls: defaultdict[_Key, _Calls]) -> None:
    for labels, point in _points(metric):
        value = _value(metric, point, "total")
        if value is not None and _STATUS in labels:
            calls[_key(labels, point)][labels[_STATUS], labels.get(_SPILLOVER)] += round(value)


def _points(metric: Metric) -> Iterator[tuple[Mapping[str, str], MetricValue]]:
    for series in metric.timeseries:
        labels = {
            str(name).lower(): str(value).lower() for name, value in series.metadata_values.items()
        }
        if _DEPLOYMENT in labels:
            for point in series.data:
                yield labels, point


def _key(labels: Mapping[str, str], point: MetricValue) -> _Key:
    # Azure stamps a minute with its start
    return _Key(point.timestamp.timestamp() + MINUTE_SECONDS, labels[_DEPLOYMENT])


def _value(metric: Metric, point: MetricValue, aggregation: str) -> float | None:
    value = getattr(point, aggregation)
    if value is None:
        return None
    number = _number(value)
    if not math.isfinite(number) or number < 0:
        _log.warning("an invalid metric point", extra={"metric": metric.name, "value": repr(value)})
        return None
    return number


def _number(value: object) -> float:
    """A number as it is; not a number for anything else, or what no float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def _cached(figure: Mapping[str, float]) -> float | None:
    """Prompt tokens that came from the cache.

    The rate first: it still holds when a part of the minute's totals is late. Without it (it may
    have no point when nothing was cached) what all tokens have more than the active ones, which
    Microsoft defines as "total tokens minus cached tokens".
    """
    prompt = figure.get("prompt_tokens")
    if prompt is None:
        return None
    rate = figure.get("cache_rate")
    if rate is not None:
        return min(rate, 1.0) * prompt
    generated, active = figure.get("generated_tokens"), figure.get("active_tokens")
    if generated is None or active is None:
        return None
    return min(max(0.0, prompt + generated - active), prompt)


def _marked(calls: _Calls) -> int:
    return sum(number for (_, spillover), number in calls.items() if spillover == "true")


def _requests(calls: _Calls | None, *, spilling: bool) -> dict[str, int | None]:
    """Counts of a minute that has any: a status code without a point did not occur in it.

    A 429 that spilled over is a 429 of its deployment all the same. Which of the two deployments
    has the mark IsSpillover is described ("the requests to your deployment that are being
    redirected") but not promised: if only others are marked in the minute, nobody knows whose
    their calls were.
    """
    if not calls:
        return {"accepted": None, "refused": None, "spilled": None}
    spilled: int | None = _marked(calls)
    if not spilled and (spilling or any(spillover is None for _, spillover in calls)):
        spilled = None
    return {
        "accepted": sum(
            number
            for (status, spillover), number in calls.items()
            if status == "200" and spillover != "true"
        ),
        "refused": sum(number for (status, _), number in calls.items() if status == "429"),
        "spilled": spilled,
    }
