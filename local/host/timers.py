"""Timer triggers: singleton over hosts, never overlapping, past due after a gap.

Follows azure-webjobs-sdk-extensions `Extensions/Timers/Listener/TimerListener.cs`: the next time
is computed from when the function began, so a run that takes too long is followed at once by the
occurrence it covered, once. Schedules are UTC (Flex Consumption ignores WEBSITE_TIME_ZONE).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import orjson
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient

from local.host.bindings import TimerTrigger
from local.host.invoker import Outcome, TriggerInput
from local.host.leases import HOSTS_CONTAINER
from ptu_optimizer.background import Background

log = logging.getLogger("host.timers")

LONGEST_NAP_SECONDS = 1.0
"""How long a timer sleeps without looking whether it still holds its lock."""

SEEK_SECONDS = 0.25
"""How often a timer looks whether this host has got its lock."""

MONITOR_FROM_SECONDS = 60.0
"""Schedules more frequent than this are not monitored, so they are never past due."""

_NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class TimerStatus:
    """What is remembered of a timer between hosts."""

    last: datetime
    next: datetime
    updated: datetime


class Lock(Protocol):
    """Held by the one host that runs the timer."""

    @property
    def held(self) -> bool:
        """Whether that is this host."""


class Monitor(Protocol):
    """Where a timer's status is kept."""

    async def read(self) -> TimerStatus | None:
        """The status, `None` if the timer has never run."""

    async def write(self, status: TimerStatus) -> None:
        """Replace the status."""


class Clock(Protocol):
    """Time that can be stepped by hand in tests."""

    def now(self) -> datetime:
        """The current UTC time."""

    async def sleep(self, seconds: float) -> None:
        """Return after that long."""


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        """The current UTC time."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Return after that long."""
        await asyncio.sleep(seconds)


class TimerListener:
    """Fires one timer while this host holds its lock."""

    def __init__(
        self,
        *,
        function: str,
        trigger: TimerTrigger,
        lock: Lock,
        monitor: Monitor,
        invoke: Callable[[TriggerInput], Awaitable[Outcome]],
        clock: Clock,
    ) -> None:
        self.function = function
        self._trigger = trigger
        self._lock = lock
        self._monitor = monitor if _monitored(trigger, clock.now()) else None
        self._invoke = invoke
        self._clock = clock
        self._stopping = False
        self._starting = trigger.run_on_startup

    @property
    def held(self) -> bool:
        """Whether this host is the one that fires it."""
        return self._lock.held

    def quiesce(self) -> None:
        """Fire no more; a running invocation goes on."""
        self._stopping = True

    def loop(self) -> Background:
        """Runs it, and again if something unexpected ends it."""
        return Background(
            self.run,
            interval=LONGEST_NAP_SECONDS,
            log=log,
            failed="a timer failed, its schedule goes on",
        )

    async def run(self) -> None:
        """Fire on schedule until stopped or cancelled."""
        while not self._stopping:
            if not self._lock.held:
                await self._clock.sleep(SEEK_SECONDS)
                continue
            run_on_startup, self._starting = self._starting, False
            await self._run_while_held(run_on_startup=run_on_startup)

    async def _run_while_held(self, *, run_on_startup: bool) -> None:
        status = await self._monitor.read() if self._monitor else None
        now = self._clock.now()
        if status is not None and status.next <= now:
            log.info("timer is past due", extra={"function": self.function, "due": status.next})
            status = await self._fire(status, due=None, past_due=True)
        elif run_on_startup:
            status = await self._fire(status or self._initial(now), due=None, past_due=False)
        elif status is None or status.next > self._trigger.schedule.next_after(now):
            status = self._initial(now)  # new, or its schedule has become more frequent
        while await self._wait_until(status.next):
            status = await self._fire(status, due=status.next, past_due=False)

    def _initial(self, now: datetime) -> TimerStatus:
        return TimerStatus(_NEVER, self._trigger.schedule.next_after(now), _NEVER)

    async def _wait_until(self, moment: datetime) -> bool:
        """Whether it is time to fire, rather than to stop or let another host do it."""
        while not self._stopping and self._lock.held:
            left = (moment - self._clock.now()).total_seconds()
            if left <= 0:
                return True
            await self._clock.sleep(min(left, LONGEST_NAP_SECONDS))
        return False

    async def _fire(
        self, status: TimerStatus, *, due: datetime | None, past_due: bool
    ) -> TimerStatus:
        begun = self._clock.now()
        await self._invoke(self._input(status, past_due=past_due))
        # A clock that is a little early must not make the same occurrence fire twice.
        begun = max(begun, due) if due else begun
        status = TimerStatus(begun, self._trigger.schedule.next_after(begun), begun)
        if self._monitor is not None and self._lock.held:
            await self._monitor.write(status)
        return status

    def _input(self, status: TimerStatus, *, past_due: bool) -> TriggerInput:
        info = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": _status_json(status) if self._monitor is not None else None,
            "IsPastDue": past_due,
        }
        return TriggerInput(data_type="json", data=[orjson.dumps(info)])


def _monitored(trigger: TimerTrigger, now: datetime) -> bool:
    first = trigger.schedule.next_after(now)
    interval = trigger.schedule.next_after(first) - first
    return trigger.use_monitor and interval >= timedelta(seconds=MONITOR_FROM_SECONDS)


class BlobMonitor:
    """A timer's status as a JSON blob, where Azure's host keeps it."""

    def __init__(self, storage: BlobServiceClient, *, host_id: str, function: str) -> None:
        name = f"timers/{host_id}/Host.Functions.{function}/status"
        self._blob = storage.get_blob_client(HOSTS_CONTAINER, name)

    async def read(self) -> TimerStatus | None:
        """The status; what cannot be read counts as never run, as in Azure."""
        try:
            content = await (await self._blob.download_blob()).readall()
            fields = orjson.loads(content)
            return TimerStatus(*(_moment(fields[key]) for key in ("Last", "Next", "LastUpdated")))
        except ResourceNotFoundError:
            return None
        except (AzureError, OSError, ValueError, KeyError, TypeError) as error:
            log.warning("cannot read a timer's status", extra={"error": error})
            return None

    async def write(self, status: TimerStatus) -> None:
        """Replace the status; a failure is logged and the schedule goes on."""
        try:
            await self._blob.upload_blob(orjson.dumps(_status_json(status)), overwrite=True)
        except (AzureError, OSError) as error:
            log.warning("cannot write a timer's status", extra={"error": error})


def _status_json(status: TimerStatus) -> dict[str, str]:
    return {
        "Last": status.last.isoformat(),
        "Next": status.next.isoformat(),
        "LastUpdated": status.updated.isoformat(),
    }


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment
