"""The metrics of several resources as those of one: each is read at the endpoint of its region."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Protocol

from ptu_optimizer.backends.backend import Backend, Resource
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.telemetry import logger

_log = logger("azure_monitor")

SERVICE = "Azure Monitor"


class MonitoredResource(Protocol):
    """The metrics of one resource, by the names of its deployments."""

    async def minutes(self) -> list[Minute]: ...

    async def close(self) -> None: ...


class MonitoredResources:
    """Gives the minutes of every backend under the backend's name."""

    def __init__(
        self,
        backends: Sequence[Backend],
        *,
        monitor_of: Callable[[Resource, Sequence[str]], MonitoredResource],
    ) -> None:
        """`monitor_of` reads the minutes of some deployments of one resource."""
        self._parts: list[tuple[dict[str, str], MonitoredResource]] = []
        by_place = sorted(backends, key=_place)
        for _, ours in groupby(by_place, key=_place):
            of_one = list(ours)
            names = {one.deployment.lower(): one.name for one in of_one}
            monitor = monitor_of(of_one[0].resource, [one.deployment for one in of_one])
            self._parts.append((names, monitor))

    async def minutes(self) -> list[Minute]:
        """A resource that cannot be read costs the others nothing. Raises DependencyUnavailable if
        none can be read."""
        answers = await asyncio.gather(
            *(monitor.minutes() for _, monitor in self._parts), return_exceptions=True
        )
        found: list[Minute] = []
        reasons: list[str] = []
        for (names, _), answer in zip(self._parts, answers, strict=True):
            if isinstance(answer, DependencyUnavailable):
                reasons.append(f"{', '.join(names.values())}: {answer.reason}")
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found += [replace(one, deployment=names[one.deployment.lower()]) for one in answer]
        if reasons and len(reasons) == len(self._parts):
            raise DependencyUnavailable(SERVICE, "; ".join(reasons))
        if reasons:
            _log.warning(
                "the metrics of some resources cannot be read",
                extra={"reasons": "; ".join(reasons)},
            )
        return sorted(found, key=lambda one: one.ends_at)

    async def close(self) -> None:
        await asyncio.gather(*(monitor.close() for _, monitor in self._parts))


def _place(backend: Backend) -> tuple[str, str]:
    """Credentials and versions of the calls play no part in the metrics."""
    return (
        (backend.resource.resource_id or "").rstrip("/").lower(),
        backend.resource.monitor_endpoint or "",
    )
