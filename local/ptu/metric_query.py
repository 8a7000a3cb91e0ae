"""Azure Monitor's metrics of the simulated deployments, as time series. Pure.

Names, units, aggregations and dimensions are those of the metrics reference for
Microsoft.CognitiveServices/accounts (PLATFORM.md A).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from local.ptu.config import MetricKind
from local.ptu.deployment import Deployment
from local.ptu.minutes import MinuteRecord
from local.ptu.ptu_deployment import PtuDeployment

__all__ = [
    "BadQuery",
    "Filter",
    "Metric",
    "Point",
    "Series",
    "find_metric",
    "parse_filter",
    "query_metric",
]


class BadQuery(ValueError):
    """The query is not one that Azure Monitor would answer."""


class Point(NamedTuple):
    """What one minute adds to a series."""

    total: float
    samples: int
    minimum: float
    maximum: float

    def plus(self, other: Point) -> Point:
        return Point(
            self.total + other.total,
            self.samples + other.samples,
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
        )

    def aggregate(self, name: str) -> float:
        """One of average, minimum, maximum, total, count."""
        if name == "average":
            return self.total / self.samples
        if name == "count":
            return float(self.samples)
        return float(getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: its unit, and how a minute of a deployment becomes points by dimension."""

    name: str
    unit: str
    aggregations: tuple[str, ...]
    """Those supported; the first is the one given when none is asked for."""
    points: Callable[[MinuteRecord], Iterator[tuple[Mapping[str, str], Point]]]
    dimensions: tuple[str, ...] = ()
    """Beyond those that every metric has."""
    provisioned_only: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """One time series: dimension values (names in lower case) and points by minute number."""

    dimensions: Mapping[str, str]
    points: Mapping[int, Point]


Filter = Mapping[str, frozenset[str] | None]
"""Dimension name in lower case to the values allowed, in lower case; None is any ('*')."""

_COMMON = ("region", "modeldeploymentname", "modelname", "modelversion")
_CLAUSE = re.compile(r"\s*(\w+)\s+eq\s+'((?:[^']|'')*)'\s*(?:(and|or)\b|$)", re.IGNORECASE)


def _one(value: float, count: int = 1) -> Iterator[tuple[Mapping[str, str], Point]]:
    yield {}, Point(value, count, value, value)


def _level(record: MinuteRecord) -> Iterator[tuple[Mapping[str, str], Point]]:
    average = 100.0 * record.level_average
    yield {}, Point(average, 1, 100.0 * record.level_min, 100.0 * record.level_max)


def _load(record: MinuteRecord) -> Iterator[tuple[Mapping[str, str], Point]]:
    yield from _one(100.0 * record.load)


def _requests(record: MinuteRecord) -> Iterator[tuple[Mapping[str, str], Point]]:
    for (status, spillover), calls in record.requests.items():
        dimensions = {"statuscode": str(status), "isspillover": str(spillover)}
        yield dimensions, Point(calls, calls, 1, 1)


def _tokens(
    count: Callable[[MinuteRecord], int],
) -> Callable[[MinuteRecord], Iterator[tuple[Mapping[str, str], Point]]]:
    def points(record: MinuteRecord) -> Iterator[tuple[Mapping[str, str], Point]]:
        if record.calls:
            yield from _one(count(record), record.calls)

    return points


def _match_rate(record: MinuteRecord) -> Iterator[tuple[Mapping[str, str], Point]]:
    if record.prompt_tokens:
        yield from _one(100.0 * record.cached_tokens / record.prompt_tokens)


_PERCENT = ("average", "minimum", "maximum")
_COUNT = ("total", "count", "average")

_METRICS = (
    Metric(
        name="AzureOpenAIRequests",
        unit="Count",
        aggregations=_COUNT,
        points=_requests,
        dimensions=("statuscode", "isspillover"),
    ),
    Metric(
        name="ProcessedPromptTokens",
        unit="Count",
        aggregations=_COUNT,
        points=_tokens(lambda record: record.prompt_tokens),
    ),
    Metric(
        name="GeneratedTokens",
        unit="Count",
        aggregations=_COUNT,
        points=_tokens(lambda record: record.generated_tokens),
    ),
    Metric(
        name="TokenTransaction",
        unit="Count",
        aggregations=_COUNT,
        points=_tokens(lambda record: record.prompt_tokens + record.generated_tokens),
    ),
    Metric(
        name="ActiveTokens",
        unit="Count",
        aggregations=_COUNT,
        points=_tokens(
            lambda record: record.prompt_tokens + record.generated_tokens - record.cached_tokens
        ),
        provisioned_only=True,
    ),
    Metric(
        name="AzureOpenAIContextTokensCacheMatchRate",
        unit="Percent",
        aggregations=_PERCENT,
        points=_match_rate,
        provisioned_only=True,
    ),
)
_BY_KIND = {
    kind: {
        metric.name.lower(): metric
        for metric in (
            Metric(
                name="AzureOpenAIProvisionedManagedUtilizationV2",
                unit="Percent",
                aggregations=_PERCENT,
                points=points,
                provisioned_only=True,
            ),
            *_METRICS,
        )
    }
    for kind, points in (("level", _level), ("load", _load))
}


def find_metric(name: str, *, kind: MetricKind) -> Metric:
    """A metric by its name in any case; ``kind`` says what utilization means, level or load."""
    metric = _BY_KIND[kind].get(name.lower())
    if metric is None:
        raise BadQuery(f"Failed to find metric configuration for metric: {name}")
    return metric


def parse_filter(text: str) -> Filter:
    """``ModelDeploymentName eq 'x' and StatusCode eq '*'``: as Azure Monitor writes filters.

    ``or`` may only separate values of one dimension.
    """
    allowed: dict[str, set[str] | None] = {}
    position, joined_by, previous = 0, "and", ""
    while True:
        clause = _CLAUSE.match(text, position)
        if clause is None:
            raise BadQuery(f"invalid filter at {text[position:]!r}")
        name, value = clause[1].lower(), clause[2].replace("''", "'").lower()
        if joined_by == "or" and name != previous:
            raise BadQuery("'or' cannot separate two different metadata names")
        values = allowed.setdefault(name, set())
        if value == "*":
            allowed[name] = None
        elif values is not None:
            values.add(value)
        if clause[3] is None:
            return {n: v if v is None else frozenset(v) for n, v in allowed.items()}
        position, joined_by, previous = clause.end(), clause[3].lower(), name


def query_metric(
    metric: Metric,
    deployments: Sequence[Deployment],
    *,
    minutes: range,
    allowed: Filter,
    roll_up: frozenset[str] = frozenset(),
    region: str = "local",
) -> list[Series]:
    """The series of one metric over ``minutes`` (minute numbers, ``now // 60``).

    Dimensions named in the filter split the result, unless rolled up. A deployment that matches
    has a series even when nothing happened: its points are missing then, never zero.
    """
    for name in allowed:
        if name not in _COMMON and name not in metric.dimensions:
            raise BadQuery(f"metric {metric.name} has no dimension {name}")
    split = [name for name in allowed if name not in roll_up]
    found: dict[tuple[str, ...], dict[int, Point]] = {}
    for deployment in deployments:
        if metric.provisioned_only and not isinstance(deployment, PtuDeployment):
            continue
        common = {
            "region": region,
            "modeldeploymentname": deployment.name,
            "modelname": deployment.model,
            "modelversion": "1",
        }
        if not _matches(common, allowed):
            continue
        if not any(name in metric.dimensions for name in split):
            found.setdefault(tuple(common[name] for name in split), {})
        for number in minutes:
            record = deployment.minutes.get(number)
            if record is None:
                continue
            for dimensions, point in metric.points(record):
                every = {**common, **dimensions}
                if not _matches(every, allowed):
                    continue
                points = found.setdefault(tuple(every[name] for name in split), {})
                points[number] = points[number].plus(point) if number in points else point
    return [
        Series(dict(zip(split, values, strict=True)), points) for values, points in found.items()
    ]


def _matches(dimensions: Mapping[str, str], allowed: Filter) -> bool:
    return all(
        values is None or name not in dimensions or dimensions[name].lower() in values
        for name, values in allowed.items()
    )
