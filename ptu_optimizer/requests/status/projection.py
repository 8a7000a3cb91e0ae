"""How long a waiting request will probably wait, from the reports of dispatching processes.

It is an estimate, and it says what it is based on, or that nothing is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_LATER
from ptu_optimizer.ports.stores import CapacityStore
from ptu_optimizer.telemetry import logger

from .flow import Flow, InvalidFlow, Place
from .outlook import Outlook

_log = logger("projection")

FLOW_FRESH_SECONDS = 120.0
"""How old a report may be: while a gate lets no call pass, a process reports nothing new for as
long as it holds a request there."""

ALMOST_ALL = 0.995
"""If at least this share finds room, re-scheduling is not mentioned."""

STORE_CLOCK_MARGIN_SECONDS = 30.0
"""By so much the store's clock may differ from ours."""


@dataclass(frozen=True, slots=True)
class Projection:
    """`seconds` from now until its call begins; None if that is not known, and `text` says why."""

    seconds: float | None
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingRequest:
    """What is known of a request that waits. Times in epoch seconds."""

    place: Place
    deployment: str | None
    """None before its first slot or deferral."""
    hub: str | None
    """Where its last copy was published; None if it was never re-scheduled."""
    not_before: float | None


class Projections:
    def __init__(self, *, store: CapacityStore, deployments: Sequence[str], clock: Clock) -> None:
        self._store = store
        self._deployments = deployments
        self._clock = clock

    async def of(self, waiting: WaitingRequest) -> Projection:
        """One small query of `capacity` per deployment that it may be for."""
        now = self._clock.now()
        names = self._deployments if waiting.deployment is None else [waiting.deployment]
        try:
            read = await asyncio.gather(*(self._flows(name, now) for name in names))
        except DependencyUnavailable as error:
            return Projection(None, f"nothing is known: {error.service} cannot be reached")
        return project(waiting, [flow for flows in read for flow in flows], now=now)

    async def _flows(self, deployment: str, now: float) -> list[Flow]:
        since = now - FLOW_FRESH_SECONDS - STORE_CLOCK_MARGIN_SECONDS
        flows: list[Flow] = []
        for record in await self._store.changed(deployment, since=since, kinds=("flow",)):
            try:
                flows.append(Flow.from_record(record))
            except InvalidFlow as error:
                _log.warning("an invalid flow is left out", extra={"reason": str(error)})
        return flows


def project(waiting: WaitingRequest, flows: Sequence[Flow], *, now: float) -> Projection:
    fresh = [flow for flow in flows if now - flow.at <= FLOW_FRESH_SECONDS]
    outlooks = {
        hub: outlook
        for hub in {flow.hub for flow in fresh}
        if (outlook := Outlook.of([flow for flow in fresh if flow.hub == hub])) is not None
    }
    if waiting.hub is None and waiting.not_before is None:
        return _queued(waiting.place, outlooks)
    again = outlooks.get(waiting.hub or REQUESTS_LATER)
    return _again(max(0.0, (waiting.not_before or now) - now), again)


def _queued(place: Place, outlooks: dict[str, Outlook]) -> Projection:
    outlook = outlooks.get(REQUESTS)
    if outlook is None:
        return Projection(
            None,
            f"nothing is known: no request of hub {REQUESTS} came to the deployment in the last "
            f"{FLOW_FRESH_SECONDS:.0f} s",
        )
    ahead = outlook.ahead(place)
    seconds = ahead / outlook.rate
    text = (
        f"about {ahead:.0f} requests are before it in hub {REQUESTS}, of which "
        f"{outlook.rate:.2g} a second come to the deployment"
    )
    if outlook.chance > ALMOST_ALL:
        return Projection(seconds, text)
    rounds = (outlooks.get(REQUESTS_LATER) or outlook).rounds_seconds()
    if rounds is None:
        return Projection(None, f"{text}; hardly any of them finds room")
    text += f"; {outlook.chance:.0%} of them find room at once, the others are re-scheduled"
    return Projection(seconds + (1.0 - outlook.chance) * rounds, text)


def _again(until_due: float, outlook: Outlook | None) -> Projection:
    if outlook is None:
        text = "nothing is known of how soon what is re-scheduled finds room"
        return Projection(until_due, f"at least: {text}") if until_due else Projection(None, text)
    rounds = outlook.rounds_seconds()
    if rounds is None:
        return Projection(None, "hardly any request that is re-scheduled finds room")
    return Projection(
        until_due + rounds,
        f"{outlook.chance:.0%} of what is re-scheduled finds room each time it comes to the "
        f"deployment, every {outlook.round_seconds:.0f} s",
    )
