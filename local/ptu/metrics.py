"""The metrics that Azure Monitor has of the simulated deployments. Pure.

Names, units, aggregations and dimensions are those of Microsoft's page "Supported metrics for
Microsoft.CognitiveServices/accounts" (docs/platform.md, "The utilization metric").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from local.ptu.config import MetricKind
from local.ptu.minutes import MinuteRecord

__all__ = ["BadQuery", "Metric", "Point", "find_metric"]


class BadQuery(ValueError):
    """The query is not one that Azure Monitor would answer."""

    def __init__(self, message: str, *, status: int = 400, code: str = "BadRequest") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


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
        """One of average, minimum, maximum, total."""
        if name == "average":
            return self.total / self.samples
        return float(getattr(self, name))


Points = Callable[[MinuteRecord], Iterator[tuple[Mapping[str, str], Point]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: its unit, and how a minute of a deployment becomes points by dimension."""

    name: str
    unit: str
    aggregations: tuple[str, ...]
    """Those supported; the first is the one given when none is asked for."""
    points: Points
    dimensions: tuple[str, ...]
    """As Microsoft spells them; a filter may write them in any case."""
    provisioned_only: bool = False

    def check_dimensions(self, names: Iterable[str]) -> None:
        """Refuse a filter on what this metric lacks, in the words of migrate-to-batch-api.md."""
        supported = {name.lower() for name in self.dimensions}
        lacking = [name for name in names if name.lower() not in supported]
        if lacking:
            raise BadQuery(
                f"Metric: {self.name} does not support requested dimension combination: "
                f"{','.join(lacking)}, supported ones are: {','.join(self.dimensions)}"
            )

    def check_aggregations(self, names: Iterable[str]) -> None:
        """Refuse what this metric is not sampled by.

        The whole query with 501, as collectors report it (opentelemetry-collector-contrib#43648).
        In an example of the REST reference only the metric that lacks it fails, with this code.
        """
        lacking = [name for name in names if name not in self.aggregations]
        if lacking:
            raise BadQuery(
                f"Sampling type is not found. Metric:{self.name}, SamplingType:{lacking[0]}.",
                status=501,
                code="InvalidSamplingType",
            )


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


def _tokens(count: Callable[[MinuteRecord], int]) -> Points:
    def points(record: MinuteRecord) -> Iterator[tuple[Mapping[str, str], Point]]:
        if record.calls:
            yield from _one(count(record), record.calls)

    return points


def _match_rate(record: MinuteRecord) -> Iterator[tuple[Mapping[str, str], Point]]:
    if record.prompt_tokens:
        yield from _one(100.0 * record.cached_tokens / record.prompt_tokens)


_PERCENT = ("average", "minimum", "maximum")
_SUM = ("total",)
_MODEL = ("Region", "ModelDeploymentName", "ModelName", "ModelVersion")
_STREAMED = ("Region", "StreamType", "ModelDeploymentName", "ModelName", "ModelVersion")
_CALL = (
    *("ApiName", "OperationName", *_STREAMED, "StatusCode", "IsSpillover"),
    *("ServiceTierRequest", "ServiceTierResponse"),
)
_FEATURE = (
    *("ApiName", "ModelDeploymentName", "FeatureName"),
    *("UsageChannel", "Region", "ModelVersion"),
)

_METRICS = (
    Metric(
        name="AzureOpenAIRequests",
        unit="Count",
        aggregations=_SUM,
        points=_requests,
        dimensions=_CALL,
    ),
    Metric(
        name="ProcessedPromptTokens",
        unit="Count",
        aggregations=_SUM,
        points=_tokens(lambda record: record.prompt_tokens),
        dimensions=_FEATURE,
    ),
    Metric(
        name="GeneratedTokens",
        unit="Count",
        aggregations=_SUM,
        points=_tokens(lambda record: record.generated_tokens),
        dimensions=_FEATURE,
    ),
    Metric(
        name="TokenTransaction",
        unit="Count",
        aggregations=_SUM,
        points=_tokens(lambda record: record.prompt_tokens + record.generated_tokens),
        dimensions=_FEATURE,
    ),
    Metric(
        name="ActiveTokens",
        unit="Count",
        aggregations=("total", "average", "minimum", "maximum"),
        points=_tokens(
            lambda record: record.prompt_tokens + record.generated_tokens - record.cached_tokens
        ),
        dimensions=_MODEL,
        provisioned_only=True,
    ),
    Metric(
        name="AzureOpenAIContextTokensCacheMatchRate",
        unit="Percent",
        aggregations=_PERCENT,
        points=_match_rate,
        dimensions=_MODEL,
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
                dimensions=_STREAMED,
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
