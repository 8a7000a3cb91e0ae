"""What is done with a batch of each hub, and with the timers: the counterpart of `triggers/`.

Each use case returns records, and says in which containers they belong, in the order in which the
Functions host's output bindings would write them. The sweep relies on that order: how far a
partition was read is told after its deferrals (docs/ledger.md, rule 11).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from azure.core.exceptions import AzureError

from ptu_optimizer.composition.application import Application
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.feeds.metric_minutes import MINUTE_TTL_SECONDS
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_LATER, REQUESTS_SOON, USAGE, Delivery
from ptu_optimizer.requests.dispatch.invocation import Report

Record = Mapping[str, Any]
Written = Sequence[tuple[str, Sequence[Record]]]
"""Records and the container of each, in the order in which they are to be written."""

Deal = Callable[[Delivery], Awaitable[Written]]

DISPATCHED_HUBS = (REQUESTS, REQUESTS_SOON, REQUESTS_LATER)

UNLIMITED = -1


@dataclass(frozen=True, kw_only=True)
class Feed:
    """A hub, and what is done with its batches."""

    hub: str
    deal: Deal
    retries: int = UNLIMITED
    """How often a batch that failed is tried again before it is passed by."""
    retry_seconds: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Chore:
    """Something that is done at intervals, as the Functions timers do."""

    name: str
    every_seconds: float
    do: Callable[[], Awaitable[Written]]


class Container(Protocol):
    """The part of azure-cosmos' ContainerProxy that is used."""

    def upsert_item(self, body: dict[str, Any]) -> Awaitable[Any]: ...


@dataclass(frozen=True, kw_only=True)
class Records:
    """Writes records as an output binding does: upserts, one after the other."""

    container: Callable[[str], Container]
    _known: dict[str, Container] = field(default_factory=dict)

    async def write(self, written: Written) -> None:
        """Raises DependencyUnavailable at the first record that cannot be written."""
        for name, records in written:
            for record in records:
                if name not in self._known:
                    self._known[name] = self.container(name)
                try:
                    await self._known[name].upsert_item(dict(record))
                except (AzureError, TimeoutError, OSError) as error:
                    raise DependencyUnavailable("Cosmos DB", type(error).__name__) from error


def dispatching(application: Application) -> list[Feed]:
    """The three hubs of requests. Retries are unlimited, as in `triggers/dispatch.py`: what raised
    could not be kept safe, so its batch must come again."""

    async def deal(delivery: Delivery) -> Written:
        return written(await application.dispatcher.dispatch(delivery))

    return [Feed(hub=hub, deal=deal) for hub in DISPATCHED_HUBS]


def usage(application: Application) -> Feed:
    """The usage events of gateways. Few retries, as in `triggers/usage.py`: what waits here is
    worth nothing after some minutes."""

    async def deal(delivery: Delivery) -> Written:
        return [("capacity", application.usage_feed.take(delivery))]

    return Feed(hub=USAGE, deal=deal, retries=2, retry_seconds=1.0)


def gauge(application: Application) -> Chore:
    """The metric, which has one point a minute."""

    async def do() -> Written:
        fresh = await application.minutes.fresh()
        records = [minute.record(ttl_seconds=MINUTE_TTL_SECONDS) for minute in fresh]
        return [("capacity", records)]

    return Chore(name="gauge", every_seconds=60.0, do=do)


def sweep(application: Application) -> Chore:
    """What has lost its event, is late, or is complete. A run ends within 240 s by itself."""

    async def do() -> Written:
        return [("groups", (await application.sweep.run()).closings)]

    return Chore(name="sweep", every_seconds=120.0, do=do)


def written(report: Report) -> Written:
    """Where the parts of a dispatcher's report belong, as `triggers/dispatch.py` binds them."""
    return [
        ("requests", report.annotations),
        ("dead_letters", report.dead_letters),
        ("groups", report.positions),
    ]
