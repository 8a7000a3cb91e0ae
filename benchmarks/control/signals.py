"""What is told of the deployment besides its answers: the interactive gateway's usage events, and
Azure Monitor's minutes, each as late as it is in real life."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Literal

from benchmarks.control.plant import Plant
from benchmarks.control.store import VISIBLE_AFTER_SECONDS, CapacityContainer
from local.demo.trace import Call
from local.virtual_time import EPOCH
from ptu_optimizer.capacity.metric import MINUTE_SECONDS, Minute
from ptu_optimizer.capacity.usage import WINDOW_SECONDS, Usage, UsageWindow, window_start

Metric = Literal["level", "load"]

EVENT_DELAY_SECONDS = 2.0
"""From an interactive call's start or end to the first decision that can know of it."""

USAGE_PARTITIONS = 2
"""Of the hub that the usage events come by."""

MINUTE_DELAY_SECONDS = 60.0
"""At least this long after its end a minute becomes readable; up to as long again, by chance."""

TTL_SECONDS = 600


class UsageEvents:
    """Gathers the interactive calls' events in windows, as the usage function does."""

    def __init__(self, *, deployment: str, lost_share: float, seed: int) -> None:
        self._deployment = deployment
        self._lost_share = lost_share
        self._random = Random(seed)
        self._windows: list[dict[float, list[float]]] = [{} for _ in range(USAGE_PARTITIONS)]
        self._sequence = 0

    def started(self, call: Call, *, at: float, work: float) -> None:
        self._add(at, reserved=work, calls=1)

    def finished(self, *, at: float, work: float) -> None:
        self._add(at, used=work)

    def refused(self, *, at: float) -> None:
        self._add(at, refused=1)

    def _add(
        self,
        at: float,
        *,
        reserved: float = 0.0,
        used: float = 0.0,
        calls: int = 0,
        refused: int = 0,
    ) -> None:
        if self._lost_share and self._random.random() < self._lost_share:
            return
        self._sequence += 1
        windows = self._windows[self._sequence % USAGE_PARTITIONS]
        sums = windows.setdefault(window_start(at), [0.0, 0.0, 0, 0])
        for index, value in enumerate((reserved, used, calls, refused)):
            sums[index] += value

    def take(self, *, until: float) -> list[Usage]:
        """What ended before `until`, a record a partition; given out once."""
        records = []
        for partition, windows in enumerate(self._windows):
            ended = sorted(start for start in windows if start + WINDOW_SECONDS <= until)
            if not ended:
                continue
            records.append(
                Usage(
                    deployment=self._deployment,
                    record_id=f"usage:{partition}:{int(ended[0] / WINDOW_SECONDS)}",
                    source=f"usage:{partition}",
                    ours=False,
                    windows=tuple(_window(start, windows.pop(start)) for start in ended),
                )
            )
        return records


def _window(start: float, sums: list[float]) -> UsageWindow:
    reserved, used, calls, refused = sums
    return UsageWindow(
        start=EPOCH + start,
        reserved=reserved,
        used=used,
        calls=int(calls),
        refused=int(refused),
    )


async def write_usage(events: UsageEvents, plant: Plant, capacity: CapacityContainer) -> None:
    """For ever: each window as late as its newest event has to be."""
    while True:
        await asyncio.sleep(WINDOW_SECONDS)
        now = plant.settle()
        for usage in events.take(until=now - EVENT_DELAY_SECONDS + VISIBLE_AFTER_SECONDS):
            capacity.put(usage.record(ttl_seconds=TTL_SECONDS))


async def write_minutes(
    plant: Plant,
    capacity: CapacityContainer,
    *,
    deployment: str,
    metric: Metric,
    silent: tuple[float, float] | None,
    seed: int,
) -> None:
    """For ever: each minute, readable 60 to 120 s after its end; none while it is `silent`."""
    random, number = Random(seed), 0
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep((number + 1) * MINUTE_SECONDS - loop.time())
        plant.settle()
        minute = minute_of(plant, number, deployment=deployment, metric=metric)
        delay = MINUTE_DELAY_SECONDS * (1 + random.random()) - VISIBLE_AFTER_SECONDS
        if minute is not None and not _within(loop.time() + delay, silent):
            loop.call_later(delay, capacity.put, minute.record(ttl_seconds=TTL_SECONDS))
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
