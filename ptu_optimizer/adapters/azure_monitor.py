"""The one-minute metrics of PTU deployments, asked of Azure Monitor.

Three queries, sent at once (docs/decisions/0015): one query has one filter and one list of
aggregations for all its metrics, and these metrics do not have enough in common. Names, dimensions
and aggregations are those of Microsoft's page "Supported metrics for
Microsoft.CognitiveServices/accounts" (07/2026).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from azure.core.exceptions import AzureError, HttpResponseError
from azure.monitor.querymetrics import MetricAggregationType, MetricsQueryResult
from azure.monitor.querymetrics.aio import MetricsClient

from ptu_optimizer.adapters import azure_monitor_points as points
from ptu_optimizer.capacity.signals.minute import MINUTE_SECONDS, Minute
from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.telemetry import logger

from .identity import Identity

_log = logger("azure_monitor")

SERVICE = "Azure Monitor"
NAMESPACE = "Microsoft.CognitiveServices/accounts"
LOOK_BACK = timedelta(minutes=10)
"""The last one to three minutes are often missing, and what came late is mended later."""
MAX_SERIES = 10_000
"""By default Azure gives 10 series a metric and silently leaves out the rest.
There is one for each deployment, status code and IsSpillover."""
REQUEST_SECONDS = 30.0
"""Longest wait for the metrics. The SDK's own limit is five minutes a try, and a timer that still
waits does not run again: an old gauge would grow older."""

_REFUSED = frozenset({400, 501})
"""400: a metric or dimension that is not known there. 501: an aggregation that is not."""
_CANNOT_BE_ASKED = (AzureError, TimeoutError, OSError)
_CANNOT_BE_READ = (AttributeError, KeyError, TypeError, ValueError)
"""The SDK has no error of its own for an answer of another shape than Microsoft describes."""

_DEPLOYMENT, _STATUS, _SPILLOVER = "ModelDeploymentName", "StatusCode", "IsSpillover"


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """Metrics that have these dimensions and these aggregations in common."""

    metrics: tuple[str, ...]
    aggregations: tuple[MetricAggregationType, ...]
    dimensions: tuple[str, ...] = (_DEPLOYMENT,)

    @property
    def filter(self) -> str:
        """Splits by every dimension. Values are compared here, because how Azure compares them
        (case) is not documented."""
        return " and ".join(f"{name} eq '*'" for name in self.dimensions)

    def instead(self) -> tuple[Query, ...]:
        """What to ask when this is refused, so that one metric or dimension that is not known
        does not cost its neighbours."""
        if len(self.metrics) > 1:
            return tuple(replace(self, metrics=(metric,)) for metric in self.metrics)
        if _SPILLOVER in self.dimensions:
            kept = tuple(name for name in self.dimensions if name != _SPILLOVER)
            return (replace(self, dimensions=kept),)
        return ()


QUERIES = (
    Query(
        metrics=(points.UTILIZATION, points.CACHE_MATCH_RATE),
        aggregations=(
            MetricAggregationType.AVERAGE,
            MetricAggregationType.MINIMUM,
            MetricAggregationType.MAXIMUM,
        ),
    ),
    Query(
        metrics=(points.PROMPT_TOKENS, points.GENERATED_TOKENS, points.ACTIVE_TOKENS),
        aggregations=(MetricAggregationType.TOTAL,),
    ),
    Query(
        metrics=(points.REQUESTS,),
        aggregations=(MetricAggregationType.TOTAL,),
        dimensions=(_DEPLOYMENT, _STATUS, _SPILLOVER),
    ),
)
_Span = tuple[datetime, datetime]


class Answers(NamedTuple):
    """What could be read, and why the rest could not."""

    results: tuple[MetricsQueryResult, ...] = ()
    reasons: tuple[str, ...] = ()


class AzureMonitor:
    def __init__(
        self,
        *,
        endpoint: str,
        resource_id: str,
        deployments: Sequence[str],
        identity: Identity,
        clock: Clock,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        """Only minutes of `deployments` are kept: the resource may have others."""
        self._resource_id = resource_id
        self._deployments = deployments
        self._endpoint = endpoint
        self._identity = identity
        self._clock = clock
        self._request_seconds = request_seconds
        self._client: MetricsClient | None = None

    async def minutes(self) -> list[Minute]:
        """Every minute of the last ten that is over and has a figure, oldest first.

        A metric that is missing, null or refused leaves its figures None. Raises
        DependencyUnavailable if no metric can be read at all.
        """
        now = self._clock.now()
        # Azure's end is exclusive: the minute that is not over is not asked for
        until = datetime.fromtimestamp(now // MINUTE_SECONDS * MINUTE_SECONDS, UTC)
        answers = _together(await self._all(QUERIES, (until - LOOK_BACK, until)))
        if not answers.results:
            raise DependencyUnavailable(SERVICE, "; ".join(answers.reasons))
        if answers.reasons:
            _log.warning(
                "some metrics cannot be read", extra={"reasons": "; ".join(answers.reasons)}
            )
        return points.minutes(answers.results, deployments=self._deployments, now=now)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _all(self, queries: Sequence[Query], span: _Span) -> list[Answers]:
        return await asyncio.gather(*(self._answers(query, span) for query in queries))

    async def _answers(self, query: Query, span: _Span) -> Answers:
        try:
            async with asyncio.timeout(self._request_seconds):
                return await self._ask_as_far_as_known(query, span)
        except (*_CANNOT_BE_ASKED, *_CANNOT_BE_READ) as error:
            return Answers(reasons=(f"{', '.join(query.metrics)}: {_reason(error)}",))

    async def _ask_as_far_as_known(self, query: Query, span: _Span) -> Answers:
        try:
            return Answers(results=tuple(await self._ask(query, span)))
        except HttpResponseError as error:
            instead = query.instead() if error.status_code in _REFUSED else ()
            if not instead:
                raise
        return _together(await self._all(instead, span))

    async def _ask(self, query: Query, span: _Span) -> list[MetricsQueryResult]:
        if self._client is None:
            self._client = MetricsClient(self._endpoint, self._identity.credential)
        return await self._client.query_resources(
            resource_ids=[self._resource_id],
            metric_namespace=NAMESPACE,
            metric_names=query.metrics,
            timespan=span,
            granularity=points.ONE_MINUTE,
            aggregations=query.aggregations,
            max_results=MAX_SERIES,
            filter=query.filter,
            # the SDK's token policy insists on TLS; a local stand-in has none
            enforce_https=self._endpoint.startswith("https://"),
        )


def _together(parts: Sequence[Answers]) -> Answers:
    return Answers(
        results=tuple(result for part in parts for result in part.results),
        reasons=tuple(reason for part in parts for reason in part.reasons),
    )


def _reason(error: BaseException) -> str:
    status = getattr(error, "status_code", None)
    return type(error).__name__ + (f" {status}" if status else "")
