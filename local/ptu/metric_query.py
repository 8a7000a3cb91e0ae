"""Azure Monitor's metrics of the simulated deployments, as time series. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local.ptu.deployment import Deployment
from local.ptu.metrics import BadQuery, Metric, Point
from local.ptu.ptu_deployment import PtuDeployment

__all__ = ["Filter", "Series", "parse_filter", "query_metric"]


@dataclass(frozen=True, slots=True)
class Series:
    """One time series: dimension values (names in lower case) and points by minute number."""

    dimensions: Mapping[str, str]
    points: Mapping[int, Point]


Filter = Mapping[str, frozenset[str] | None]
"""Dimension name in lower case to the values allowed, in lower case; None is any ('*')."""

_CLAUSE = re.compile(r"\s*(\w+)\s+eq\s+'((?:[^']|'')*)'\s*(?:(and|or)\b|$)", re.IGNORECASE)


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
    has a series even when nothing happened: its points are missing then, never zero. Dimensions
    that the simulation does not tell apart (StreamType, ApiName, …) have one value, which is empty.
    """
    metric.check_dimensions(allowed)
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
        if common.keys() >= set(split):
            found.setdefault(tuple(common[name] for name in split), {})
        for number in minutes:
            record = deployment.minutes.get(number)
            if record is None:
                continue
            for dimensions, point in metric.points(record):
                every = {**common, **dimensions}
                if not _matches(every, allowed):
                    continue
                points = found.setdefault(tuple(every.get(name, "") for name in split), {})
                points[number] = points[number].plus(point) if number in points else point
    return [
        Series(dict(zip(split, values, strict=True)), points) for values, points in found.items()
    ]


def _matches(dimensions: Mapping[str, str], allowed: Filter) -> bool:
    return all(
        values is None or name not in dimensions or dimensions[name].lower() in values
        for name, values in allowed.items()
    )
