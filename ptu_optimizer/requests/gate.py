"""The gate: queued calls of one deployment pass here, as breaker and admission allow.

Asyncio around the pure `capacity.breaker.Breaker` and `capacity.admission.Controller`:
who waits is woken when a call ends, a reading comes in, or the time that the verdict named has
come. First come, first served.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from ptu_optimizer.capacity.admission import Admit, Controller, Verdict, Wait
from ptu_optimizer.capacity.breaker import Breaker
from ptu_optimizer.capacity.gauge import Belief
from ptu_optimizer.capacity.reading import Reading
from ptu_optimizer.clock import Clock


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long a request may stand at the gate."""

    hold_seconds: float
    """At a closed gate, counted from when it closed or we came."""
    until: float
    """At all, in monotonic seconds: the end of the invocation's budget."""


class Permit:
    """The right to make one call. Ends exactly once, whatever became of the call."""

    def __init__(self, gate: Gate, work: float) -> None:
        self._gate = gate
        self.work = work
        self._open = True

    def end(
        self, *, used: float | None = None, answered: bool = False, trouble: str | None = None
    ) -> None:
        """`used` is the work that the call cost; None if it never ran or nobody knows.

        `answered`: the deployment had an answer. `trouble`: why the next call would fail as well.
        """
        if self._open:
            self._open = False
            self._gate._ended(self, used, answered=answered, trouble=trouble)


@dataclass(slots=True)
class _Waiter:
    work: float
    passed: asyncio.Future[Permit]


class Gate:
    """One per deployment and process, shared by all partitions that the process owns."""

    def __init__(self, *, deployment: str, controller: Controller, clock: Clock) -> None:
        self.deployment = deployment
        self.in_flight = 0
        self._controller = controller
        self._breaker = Breaker()
        self._clock = clock
        self._ahead: deque[_Waiter] = deque()
        self._waiting: deque[_Waiter] = deque()
        self._closed_since: float | None = None
        self._why = "waiting for its turn"
        self._alarm: asyncio.TimerHandle | None = None

    async def enter(
        self, *, work: float, patience: Patience, overtakes: bool = False
    ) -> Permit | str:
        """A permit, or why there was none within the patience.

        Who `overtakes` passes before all who do not; among equals, first come, first served.
        """
        waiter = _Waiter(work, asyncio.get_running_loop().create_future())
        came = self._clock.monotonic()
        if came >= patience.until:
            return "its batch ran out of time"
        queue = self._ahead if overtakes else self._waiting
        queue.append(waiter)
        self._pump()
        try:
            while not waiter.passed.done():
                left = self._patience_left(came, patience)
                if left <= 0:
                    return self._why
                await asyncio.wait([waiter.passed], timeout=left)
            return waiter.passed.result()
        except asyncio.CancelledError:
            if waiter.passed.done() and not waiter.passed.cancelled():
                waiter.passed.result().end()
            raise
        finally:
            if not waiter.passed.done():
                waiter.passed.cancel()
                queue.remove(waiter)
                self._pump()  # who stood behind it may pass

    def observe(self, reading: Reading) -> None:
        """Take a reading in and let pass whom it lets pass."""
        self._controller.observe(reading, now=self._clock.now())
        self._pump()

    def belief(self) -> Belief:
        return self._controller.belief(now=self._clock.now())

    def newest_reading(self) -> Reading | None:
        return self._controller.newest_reading()

    def _patience_left(self, came: float, patience: Patience) -> float:
        now = self._clock.monotonic()
        left = patience.until - now
        if self._closed_since is not None:
            return min(left, max(came, self._closed_since) + patience.hold_seconds - now)
        # the gate may close while we sleep: look again before a hold could have run out
        return min(left, patience.hold_seconds) if patience.hold_seconds > 0 else left

    def _pump(self) -> None:
        while queue := self._ahead or self._waiting:
            waiter = queue[0]
            now = self._clock.now()
            verdict: Verdict = self._breaker.ask(
                now=now, in_flight=self.in_flight
            ) or self._controller.ask(now=now, work=waiter.work)
            if isinstance(verdict, Wait):
                self._blocked(verdict, now)
                return
            queue.popleft()
            self._admit(waiter, verdict, now)
        self._closed_since = None

    def _admit(self, waiter: _Waiter, verdict: Admit, now: float) -> None:
        self._closed_since = None
        self._why = verdict.why
        self.in_flight += 1
        self._controller.sent(now=now, work=waiter.work)
        waiter.passed.set_result(Permit(self, waiter.work))

    def _blocked(self, verdict: Wait, now: float) -> None:
        self._why = verdict.why
        if not verdict.closed:
            self._closed_since = None
        elif self._closed_since is None:
            self._closed_since = self._clock.monotonic()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if verdict.retry_at is not None:
            delay = max(0.001, verdict.retry_at - now)
            self._alarm = asyncio.get_running_loop().call_later(delay, self._pump)

    def _ended(
        self, permit: Permit, used: float | None, *, answered: bool, trouble: str | None
    ) -> None:
        now = self._clock.now()
        self.in_flight -= 1
        self._controller.ended(now=now, reserved=permit.work, used=used)
        if answered:
            self._breaker.answered()
        elif trouble is not None:
            self._breaker.failed(now=now, why=trouble)
        self._pump()
