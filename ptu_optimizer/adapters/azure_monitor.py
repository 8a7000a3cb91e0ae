"""The one-minute utilization metric of PTU deployments, from Azure Monitor."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from azure.core.exceptions import AzureError
from azure.monitor.querymetrics import MetricAggregationType, MetricsQueryResult
from azure.monitor.querymetrics.aio import MetricsClient

from ptu_optimizer.capacity.reading import InvalidReading, Kind, Reading
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.telemetry import logger

from .identity import Identity

_log = logger("azure_monitor")

SERVICE = "Azure Monitor"
NAMESPACE = "Microsoft.CognitiveServices/accounts"
UTILIZATION = "AzureOpenAIProvisionedManagedUtilizationV2"
SOURCE = "azure monitor"
LOOK_BACK = timedelta(minutes=10)
"""The last one to three minutes are often missing; ten leave a point to find."""
REQUEST_SECONDS = 30.0
"""Longest wait for the metric. The SDK's own limit is five minutes a try, and a timer that still
waits does not run again: an old gauge would grow older."""
_DEPLOYMENT = "modeldeploymentname"
"""Metadata names come back in lower case in Microsoft's samples: compared case-insensitively."""


class AzureMonitor:
    def __init__(
        self,
        *,
        endpoint: str,
        resource_id: str,
        deployments: Sequence[str],
        identity: Identity,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        """Only readings of `deployments` are kept: the resource may have others."""
        self._resource_id = resource_id
        self._deployments = deployments
        self._endpoint = endpoint
        self._identity = identity
        self._request_seconds = request_seconds
        self._client: MetricsClient | None = None

    async def utilization(self) -> list[Reading]:
        """The newest point of each deployment that has one, stamped with its own time.

        A point that is null says nothing and is never taken for 0 %. One query for all
        deployments. Raises DependencyUnavailable.
        """
        try:
            async with asyncio.timeout(self._request_seconds):
                results = await self._metrics().query_resources(
                    resource_ids=[self._resource_id],
                    metric_namespace=NAMESPACE,
                    metric_names=[UTILIZATION],
                    timespan=LOOK_BACK,
                    granularity=timedelta(minutes=1),
                    aggregations=[MetricAggregationType.AVERAGE],
                    filter="ModelDeploymentName eq '*'",
                    # the SDK's token policy insists on TLS; a local stand-in has none
                    enforce_https=self._endpoint.startswith("https://"),
                )
        except (AzureError, TimeoutError, OSError) as error:
            raise DependencyUnavailable(SERVICE, type(error).__name__) from error
        return newest_points(results, deployments=self._deployments)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    def _metrics(self) -> MetricsClient:
        if self._client is None:
            self._client = MetricsClient(self._endpoint, self._identity.credential)
        return self._client


def newest_points(
    results: list[MetricsQueryResult], *, deployments: Sequence[str]
) -> list[Reading]:
    """The newest non-null point per deployment; percent becomes a float here and nowhere else."""
    names = {name.lower(): name for name in deployments}
    readings: list[Reading] = []
    for result in results:
        for metric in result.metrics:
            for series in metric.timeseries:
                labels = {k.lower(): v for k, v in series.metadata_values.items()}
                points = [point for point in series.data if point.average is not None]
                deployment = names.get(labels.get(_DEPLOYMENT, "").lower())
                if not points or deployment is None:
                    continue
                newest = max(points, key=lambda point: point.timestamp)
                try:
                    readings.append(
                        Reading(
                            deployment=deployment,
                            kind=Kind.UTILIZATION,
                            value=(newest.average or 0.0) / 100,
                            source=SOURCE,
                            observed_at=newest.timestamp.timestamp(),
                        )
                    )
                except InvalidReading as error:
                    _log.warning("an invalid metric point", extra={"reason": str(error)})
    return readings
