"""Minutes are given out once, and again when a late point mends them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.feeds.metric_minutes import MINUTE_TTL_SECONDS, MetricMinutes


class Monitor:
    """Tells what it is told to tell; None: it is away."""

    def __init__(self) -> None:
        self.told: list[Minute] | None = []

    async def minutes(self) -> list[Minute]:
        if self.told is None:
            raise DependencyUnavailable("Azure Monitor", "away")
        return self.told


def minute(ends_at: float = 60.0, *, deployment: str = "p", **figures: float) -> Minute:
    given = {"utilization": 0.5, "accepted": 7, **figures}
    return Minute(deployment=deployment, ends_at=ends_at, **given)  # type: ignore[arg-type]


class Told:
    """A reader, and what it gives out when the monitor tells this."""

    def __init__(self) -> None:
        self.monitor = Monitor()
        self.reader = MetricMinutes(monitor=self.monitor)

    async def __call__(self, *minutes: Minute) -> list[Minute]:
        self.monitor.told = list(minutes)
        return await self.reader.fresh()


@pytest.fixture
def told() -> Told:
    return Told()


async def test_what_is_new_is_given_out_once(told: Told) -> None:
    assert await told(minute(60), minute(120)) == [minute(60), minute(120)]
    assert await told(minute(60), minute(120)) == []
    assert await told(minute(60), minute(120), minute(180)) == [minute(180)]


async def test_deployments_have_minutes_of_their_own(told: Told) -> None:
    await told(minute(60, deployment="a"))
    assert await told(minute(60, deployment="b")) == [minute(60, deployment="b")]


async def test_a_late_point_mends_its_minute(told: Told) -> None:
    await told(minute(60))
    mended = minute(60, prompt_tokens=900.0)
    assert await told(mended) == [mended]
    assert await told(mended) == []


async def test_a_count_that_was_incomplete_is_corrected(told: Told) -> None:
    await told(minute(60))
    assert await told(minute(60, accepted=9)) == [minute(60, accepted=9)]


async def test_a_figure_that_cannot_be_read_for_once_is_not_taken_back(told: Told) -> None:
    await told(minute(60))
    without = replace(minute(60), accepted=None)
    assert await told(without) == []
    more = replace(without, refused=3)
    assert await told(more) == [replace(minute(60), refused=3)], "both what was and what is known"


async def test_a_monitor_that_is_away_takes_nothing_back(told: Told) -> None:
    await told(minute(60))
    told.monitor.told = None
    with pytest.raises(DependencyUnavailable):
        await told.reader.fresh()
    assert await told(minute(60), minute(120)) == [minute(120)]


async def test_another_process_gives_out_what_it_finds() -> None:
    assert await Told()(minute(60)) == await Told()(minute(60)) == [minute(60)]


async def test_what_is_long_gone_is_forgotten(told: Told) -> None:
    await told(minute(60))
    later = minute(60 + MINUTE_TTL_SECONDS + 60)
    await told(later)
    assert await told(minute(60), later) == [minute(60)]
