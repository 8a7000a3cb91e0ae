"""Azure Monitor's metrics batch endpoint: ``POST /subscriptions/{sub}/metrics:getBatch``.

The real client works against it over plain HTTP if its credential policy is told so, per call::

    client = MetricsClient("http://127.0.0.1:8090", credential)
    await client.query_resources(..., enforce_https=False)

Minutes that are not over, or not yet visible (``metric_delay_seconds``), have a time stamp and no
value, as have minutes in which nothing happened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from local.ptu.identity import MONITOR_AUDIENCE, LocalIdentity
from local.ptu.metric_query import Series, parse_filter, query_metric
from local.ptu.metrics import BadQuery, Metric, find_metric
from local.ptu.minutes import MINUTE
from local.ptu.simulation import Simulation

__all__ = ["MonitorApi"]

NAMESPACE = "microsoft.cognitiveservices/accounts"
MAXIMUM_RESOURCES = 50
MAXIMUM_MINUTES = 31 * 24 * 60
DEFAULT_TOP = 10
"""Series given per metric and resource when there is a filter and no ``top``; the rest is left out
without a word, as in Azure ("The top parameter applies per resource ID", migrate-to-batch-api)."""
_RESOURCE_ID = re.compile(
    r"/subscriptions/([^/]+)/resourcegroups/[^/]+/providers/microsoft\.cognitiveservices/accounts/[^/]+",
    re.IGNORECASE,
)
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")


class MonitorApi:
    """``clock`` gives the Unix seconds that the simulation runs on."""

    def __init__(
        self, simulation: Simulation, *, identity: LocalIdentity, clock: Callable[[], float]
    ) -> None:
        self._simulation = simulation
        self._identity = identity
        self._clock = clock

    async def get_batch(self, request: web.Request) -> web.Response:
        """Answer one query; 401 without a token for Azure Monitor, 400 for what it refuses."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or self._identity.audience(token) != MONITOR_AUDIENCE:
            return _error(
                401,
                "AuthenticationFailed",
                f"a bearer token for the audience {MONITOR_AUDIENCE} is needed",
            )
        now = self._clock()
        self._simulation.advance(now)
        try:
            resources = _resources(await request.read(), request.match_info["subscription"])
            answer = self._answer(request.query, now)
        except BadQuery as error:
            return _error(error.status, error.code, str(error))
        values = [{**answer, "resourceid": resource} for resource in resources]
        for value in values:
            value["value"] = [
                {**metric, "id": f"{value['resourceid']}{metric['id']}"}
                for metric in value["value"]
            ]
        return web.Response(body=orjson.dumps({"values": values}), content_type="application/json")

    def _answer(self, query: Mapping[str, str], now: float) -> dict[str, Any]:
        if "api-version" not in query:
            raise BadQuery("the api-version query parameter is required")
        if query.get("metricnamespace", "").lower() != NAMESPACE:
            raise BadQuery("metricnamespace must be Microsoft.CognitiveServices/accounts")
        end = _time(query, "endtime", now)
        start = _time(query, "starttime", end - 3_600)
        if start >= end:
            raise BadQuery("starttime must be before endtime")
        grain = _grain(query.get("interval", "PT1M"))
        first = int(start // MINUTE) // grain * grain
        last = -int(-end // MINUTE)
        if last - first > MAXIMUM_MINUTES:
            raise BadQuery("the time span is longer than 31 days")
        # A minute's points are visible once the minute is over and the delay has passed.
        visible = int((now - self._simulation.config.metric_delay_seconds) // MINUTE)
        minutes = range(first, min(last, visible))
        names = [name for name in query.get("metricnames", "").split(",") if name]
        if not names:
            raise BadQuery("metricnames must name at least one metric")
        asked = [name.lower() for name in query.get("aggregation", "").split(",") if name]
        allowed = parse_filter(query["filter"]) if query.get("filter") else {}
        top = _top(query) if allowed else None
        roll_up = frozenset(n.strip().lower() for n in query.get("rollupby", "").split(",") if n)
        config = self._simulation.config
        value = []
        for name in names:
            metric = find_metric(name, kind=config.metric)
            wanted = asked or [metric.aggregations[0]]
            metric.check_aggregations(wanted)
            series = query_metric(
                metric,
                list(self._simulation.deployments.values()),
                minutes=minutes,
                allowed=allowed,
                roll_up=roll_up,
                region=config.region,
            )
            stamps = range(first, last, grain)
            value.append(
                _metric_json(metric, series[:top], stamps=stamps, grain=grain, wanted=wanted)
            )
        return {
            "starttime": _stamp(start),
            "endtime": _stamp(end),
            "interval": query.get("interval", "PT1M"),
            "namespace": query["metricnamespace"],
            "resourceregion": config.region,
            "value": value,
        }


def _metric_json(
    metric: Metric, series: Sequence[Series], *, stamps: range, grain: int, wanted: Sequence[str]
) -> dict[str, Any]:
    return {
        "id": f"/providers/Microsoft.Insights/metrics/{metric.name}",
        "type": "Microsoft.Insights/metrics",
        "name": {"value": metric.name, "localizedValue": metric.name},
        "displayDescription": metric.name,
        "unit": metric.unit,
        "timeseries": [
            {
                "metadatavalues": [
                    {"name": {"value": name, "localizedValue": name}, "value": value}
                    for name, value in one.dimensions.items()
                ],
                "data": [_data_json(one, stamp, grain, wanted) for stamp in stamps],
            }
            for one in series
        ],
        "errorCode": "Success",
    }


def _data_json(series: Series, number: int, grain: int, wanted: Sequence[str]) -> dict[str, Any]:
    data: dict[str, Any] = {"timeStamp": _stamp(number * MINUTE)}
    merged = None
    for minute in range(number, number + grain):
        point = series.points.get(minute)
        if point is not None:
            merged = point if merged is None else merged.plus(point)
    if merged is not None:
        data.update({name: merged.aggregate(name) for name in wanted})
    return data


def _resources(raw: bytes, subscription: str) -> list[str]:
    try:
        resources = orjson.loads(raw)["resourceids"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise BadQuery('the body must be {"resourceids": […]}') from error
    if not isinstance(resources, list) or not 0 < len(resources) <= MAXIMUM_RESOURCES:
        raise BadQuery(f"resourceids must hold 1 to {MAXIMUM_RESOURCES} resource ids")
    for resource in resources:
        match = _RESOURCE_ID.fullmatch(resource) if isinstance(resource, str) else None
        if match is None or match[1].lower() != subscription.lower():
            raise BadQuery(
                f"{resource!r} is not a Microsoft.CognitiveServices/accounts resource of "
                f"subscription {subscription}"
            )
    return resources


def _time(query: Mapping[str, str], name: str, default: float) -> float:
    text = query.get(name)
    if text is None:
        return default
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadQuery(f"{name} is not an ISO 8601 time: {text!r}") from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _top(query: Mapping[str, str]) -> int:
    text = query.get("top", str(DEFAULT_TOP))
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise BadQuery(f"Detected invalid TopN value {text!r}: it should be a whole number above 0")
    return int(text)


def _grain(interval: str) -> int:
    """Whole minutes in an ISO 8601 duration."""
    match = _DURATION.fullmatch(interval)
    minutes = 0
    if match is not None:
        days, hours, rest = (int(part or 0) for part in match.groups())
        minutes = days * 1_440 + hours * 60 + rest
    if minutes not in (1, 5, 15, 30, 60, 360, 720, 1_440):
        raise BadQuery(f"interval {interval!r} is not supported; PT1M is the finest")
    return minutes


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)
