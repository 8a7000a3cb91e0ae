"""What is told of the deployment besides its answers: the interactive gateway's usage events, and
Azure Monitor's minutes, each as late as it is in real life."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, Literal

import orjson

from benchmarks.control.plant import Plant
from benchmarks.control.store import VISIBLE_AFTER_SECONDS, CapacityContainer
from local.traffic.trace import Call
from local.virtual_time import EPOCH
from ptu_optimizer.capacity.signals.minute import MINUTE_SECONDS, Minute
from ptu_optimizer.feeds.metric_minutes import MINUTE_TTL_SECONDS
from ptu_optimizer.feeds.usage_feed import UsageFeed
from ptu_optimizer.ports.hubs import USAGE, DeliveredEvent, Delivery

Metric = Literal["level", "load"]

EVENT_DELAY_SECONDS = 2.0
"""From an interactive call's start or end to the first decision that can know of it, at least."""

USAGE_BATCH_SECONDS = 0.25
"""How often a batch of usage events is delivered: so much later may one be."""

USAGE_STEP_SECONDS = 0.25
"""How often the usage function is given what has come: a trigger hands over what it has at once."""

USAGE_PARTITIONS = 1
"""Of the hub that the usage events come by."""

MINUTE_DELAY_SECONDS = 60.0
"""At least this long after its end a minute becomes readable; up to as long again, by chance."""


class UsageEvents:
    """The interactive gateway: sends an event when a call starts, and one when it ends."""

    def __init__(self, *, deployment: str, lost_share: float, seed: int) -> None:
        self._deployment = deployment
        self._lost_share = lost_share
        self._random = Random(seed)
        self._sent: list[list[tuple[float, bytes]]] = [[] for _ in range(USAGE_PARTITIONS)]
        self._taken = [0] * USAGE_PARTITIONS

    def started(self, number: int, call: Call, *, at: float) -> None:
        self._send(
            number,
            at,
            kind="started",
            prompt_tokens=call.prompt_tokens,
            max_tokens=call.output_tokens,
        )

    def finished(self, number: int, call: Call, *, at: float) -> None:
        self._send(
            number,
            at,
            kind="finished",
            prompt_tokens=call.prompt_tokens,
            max_tokens=call.output_tokens,
            completion_tokens=call.output_tokens,
            status=200,
        )

    def refused(self, number: int, call: Call, *, at: float) -> None:
        self.started(number, call, at=at)
        self._send(number, at, kind="finished", status=429)

    def _send(self, number: int, at: float, **fields: Any) -> None:
        if self._lost_share and self._random.random() < self._lost_share:
            return
        event = {
            **fields,
            "deployment": self._deployment,
            "tenant": "interactive",
            "id": number,
            "at": EPOCH + at,
        }
        # by the call, so that its two events meet
        self._sent[number % USAGE_PARTITIONS].append((at, orjson.dumps(event)))

    def take(self, *, until: float) -> list[Delivery]:
        """What was sent up to `until`, a batch a partition; given out once."""
        deliveries = []
        for partition, sent in enumerate(self._sent):
            ripe = [one for one in sent if one[0] <= until]
            if not ripe:
                continue
            self._sent[partition] = sent[len(ripe) :]
            first = self._taken[partition]
            self._taken[partition] += len(ripe)
            deliveries.append(
                Delivery(
                    hub=USAGE,
                    partition=str(partition),
                    events=[
                        DeliveredEvent(raw=raw, sequence_number=number, enqueued_at=EPOCH + at)
                        for number, (at, raw) in enumerate(ripe, first)
                    ],
                )
            )
        return deliveries


async def write_usage(
    events: UsageEvents, feed: UsageFeed, plant: Plant, capacity: CapacityContainer
) -> None:
    """For ever: the real usage function's windows, as late as their newest events must be."""
    while True:
        await asyncio.sleep(USAGE_BATCH_SECONDS)
        until = plant.settle() - EVENT_DELAY_SECONDS + VISIBLE_AFTER_SECONDS
        for delivery in events.take(until=until):
            for record in feed.take(delivery):
                capacity.put(record)


async def write_minutes(
    plant: Plant,
    capacity: CapacityContainer,
    *,
    deployment: str,
    metric: Metric,
    silent: tuple[float, float] | None,
    seed: int,
    also: Callable[[Minute], None] | None = None,
) -> None:
    """For ever: each minute, readable 60 to 120 s after its end; none while it is `silent`.

    What is read is then 60 to 180 s old. `also` is told of it when it can be read.
    """
    random, number = Random(seed), 0
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep((number + 1) * MINUTE_SECONDS - loop.time())
        plant.settle()
        minute = minute_of(plant, number, deployment=deployment, metric=metric)
        delay = MINUTE_DELAY_SECONDS * (1 + random.random())
        if minute is not None and not _within(loop.time() + delay, silent):
            loop.call_later(
                delay - VISIBLE_AFTER_SECONDS,
                capacity.put,
                minute.record(ttl_seconds=MINUTE_TTL_SECONDS),
            )
            if also is not None:
                loop.call_later(delay, also, minute)
        number += 1


def minute_of(plant: Plant, number: int, *, deployment: str, metric: Metric) -> Minute | None:
    """What Azure Monitor says of a minute; nothing of one in which nothing happened."""
    record = plant.deployment.minutes.get(number)
    if record is None:
        return None
    statuses = {status: count for (status, _), count in record.requests.items()}
    by_level = metric == "level"
    return Minute(
        deployment=deployment,
        ends_at=EPOCH + (number + 1) * MINUTE_SECONDS,
        utilization=record.level_average if by_level else record.load,
        utilization_min=record.level_min if by_level else record.load,
        utilization_max=record.level_max if by_level else record.load,
        accepted=statuses.get(200, 0),
        refused=statuses.get(429, 0),
        spilled=0,
        prompt_tokens=record.prompt_tokens,
        cached_tokens=record.cached_tokens,
        generated_tokens=record.generated_tokens,
    )


def _within(at: float, span: tuple[float, float] | None) -> bool:
    return span is not None and span[0] <= at < span[1]
