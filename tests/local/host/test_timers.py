"""When timers fire: on schedule, on one host, never twice at a time, past due after a gap."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from local.host.bindings import TimerTrigger
from local.host.invoker import Outcome, TriggerInput
from local.host.ncrontab import parse_schedule
from local.host.timers import TimerListener, TimerStatus
from local.host.worker.converters import decode_trigger
from local.virtual_time import in_virtual_time

START = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)


class LoopClock:
    """The event loop's own time, which is virtual in these tests."""

    def __init__(self) -> None:
        self._begun = asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time() - self._begun)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FakeLock:
    """Held when the test says so."""

    held = True


class FakeMonitor:
    """A status in memory."""

    def __init__(self, status: TimerStatus | None = None) -> None:
        self.status = status

    async def read(self) -> TimerStatus | None:
        return self.status

    async def write(self, status: TimerStatus) -> None:
        self.status = status


class Harness:
    """A timer whose firings, in seconds after the start, are recorded."""

    def __init__(
        self,
        schedule: str,
        *,
        status: TimerStatus | None = None,
        run_on_startup: bool = False,
        takes: float = 0,
        monitor: FakeMonitor | None = None,
    ) -> None:
        self.clock = LoopClock()
        self.lock = FakeLock()
        self.monitor = monitor or FakeMonitor(status)
        self.fired: list[float] = []
        self.past_due: list[bool] = []
        self._takes = takes
        self.listener = TimerListener(
            function="f",
            trigger=TimerTrigger(
                name="timer",
                schedule=parse_schedule(schedule),
                run_on_startup=run_on_startup,
                use_monitor=True,
            ),
            lock=self.lock,
            monitor=self.monitor,
            invoke=self._invoke,
            clock=self.clock,
        )

    async def _invoke(self, data: TriggerInput) -> Outcome:
        self.fired.append(round((self.clock.now() - START).total_seconds(), 1))
        request = decode_trigger("timerTrigger", data.data_type, data.data, {})
        self.past_due.append(request.past_due)
        await asyncio.sleep(self._takes)
        return Outcome(True)

    async def run_for(
        self, seconds: float, meanwhile: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        running = asyncio.create_task(self.listener.run())
        if meanwhile is not None:
            await meanwhile()
        await asyncio.sleep(seconds - (self.clock.now() - START).total_seconds())
        running.cancel()
        await asyncio.wait([running])


def status(*, last: int, due: int) -> TimerStatus:
    """A status with times in seconds after the start."""
    moments = [START + timedelta(seconds=seconds) for seconds in (last, due, last)]
    return TimerStatus(*moments)


@in_virtual_time
async def test_a_timer_fires_on_its_schedule() -> None:
    harness = Harness("*/15 * * * * *")
    await harness.run_for(61)
    assert harness.fired == [15, 30, 45, 60]
    assert not any(harness.past_due)


@in_virtual_time
async def test_a_long_run_is_followed_at_once_by_one_occurrence_and_never_overlapped() -> None:
    harness = Harness("*/15 * * * * *", takes=40)
    await harness.run_for(100)
    assert harness.fired == [15, 55, 95]


@in_virtual_time
async def test_run_on_startup_fires_at_once_and_then_on_schedule() -> None:
    harness = Harness("0 * * * * *", run_on_startup=True)
    await harness.run_for(61)
    assert harness.fired == [0, 60]


@in_virtual_time
async def test_a_timer_that_missed_its_time_fires_at_once_as_past_due() -> None:
    harness = Harness("0 */5 * * * *", status=status(last=-900, due=-600))
    await harness.run_for(301)
    assert (harness.fired, harness.past_due) == ([0, 300], [True, False])


@in_virtual_time
async def test_a_timer_that_missed_nothing_is_not_past_due() -> None:
    harness = Harness("0 */5 * * * *", status=status(last=-300, due=300))
    await harness.run_for(301)
    assert (harness.fired, harness.past_due) == ([300], [False])


@in_virtual_time
async def test_a_timer_more_frequent_than_a_minute_is_never_past_due() -> None:
    harness = Harness("*/30 * * * * *", status=status(last=-900, due=-600))
    await harness.run_for(31)
    assert (harness.fired, harness.past_due) == ([30], [False])


@in_virtual_time
async def test_a_schedule_that_became_more_frequent_is_followed_at_once() -> None:
    harness = Harness("0 * * * * *", status=status(last=-60, due=86_400))
    await harness.run_for(61)
    assert harness.fired == [60]


@in_virtual_time
async def test_the_status_says_when_it_ran_and_when_it_is_due() -> None:
    harness = Harness("0 * * * * *")
    await harness.run_for(61)
    assert harness.monitor.status == status(last=60, due=120)


@in_virtual_time
async def test_a_timer_fires_only_while_its_lock_is_held() -> None:
    harness = Harness("*/10 * * * * *")
    harness.lock.held = False

    async def meanwhile() -> None:
        await asyncio.sleep(25)
        harness.lock.held = True
        await asyncio.sleep(20)
        harness.lock.held = False

    await harness.run_for(100, meanwhile)
    assert harness.fired == [30, 40]


@in_virtual_time
async def test_a_timer_that_stops_lets_its_run_end() -> None:
    harness = Harness("*/10 * * * * *", takes=5)

    async def meanwhile() -> None:
        await asyncio.sleep(12)
        harness.listener.quiesce()

    await harness.run_for(60, meanwhile)
    assert harness.fired == [10]


def test_a_functions_timer_request_knows_its_schedule_status() -> None:
    info = {"IsPastDue": True, "ScheduleStatus": {"Next": "x"}, "Schedule": {"AdjustForDST": True}}
    request = decode_trigger("timerTrigger", "json", [json.dumps(info).encode()], {})
    assert request.past_due
    assert request.schedule_status == {"Next": "x"}


@in_virtual_time
async def test_a_timer_goes_on_after_a_cancellation_from_inside_a_library() -> None:
    class Cancelled(FakeMonitor):
        reads = 0

        async def read(self) -> TimerStatus | None:
            self.reads += 1
            if self.reads == 1:
                raise asyncio.CancelledError("an inner call was cancelled")
            return await super().read()

    harness = Harness("0 * * * * *", monitor=Cancelled())
    loop = harness.listener.loop()
    loop.start()
    await asyncio.sleep(61)
    await loop.stop()
    assert harness.fired == [60]
