"""The gate: queued calls of one deployment pass here, as send permission, breaker and admission
allow.

Asyncio around the pure `Breaker` and `Controller` of `capacity/control`. A waiting call is woken
when another call ends, something becomes known, the permission to send changes, or the time that
the verdict named has come.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ptu_optimizer.capacity.control.breaker import Breaker
from ptu_optimizer.capacity.control.controller import Controller
from ptu_optimizer.capacity.control.verdict import Admit, Verdict, Wait
from ptu_optimizer.capacity.estimate.belief import Belief
from ptu_optimizer.capacity.signals.learned import Learned
from ptu_optimizer.capacity.signals.reading import Reading
from ptu_optimizer.capacity.signals.signal import Signal
from ptu_optimizer.capacity.signals.usage import UsageWindows
from ptu_optimizer.clock import Clock

from .own_usage import OwnUsage
from .permits import Ending, OpenPermits, Permit
from .send_permission import SendPermissions
from .wait_limits import WaitLimits, Watch
from .waiting_line import WaitingLine

PACE_SECONDS = 10.0
MOST_ADMITTED = 1_024
"""The pace at which requests leave is measured over PACE_SECONDS, of at most MOST_ADMITTED
requests."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CallAsk:
    """A call that asks to pass a gate."""

    work: float
    """What it would reserve, in input-equivalent tokens."""
    limits: WaitLimits
    hub: str = ""
    """Where its request came from."""
    priority: str = "normal"
    overtakes: bool = False
    """It passes before all that do not overtake; `waiting_line` has the order among the others."""
    prefix: str | None = None
    """Names a long prefix of its prompt."""
    more_behind: bool = False
    """It came in a full batch, so its hub probably has more."""


@dataclass(frozen=True, slots=True)
class NotAdmitted:
    """A call did not pass the gate within its limits."""

    why: str
    route_is_over: bool = False
    """It has waited for this deployment as long as its limits allow."""


@dataclass(slots=True, eq=False)
class _Waiter:
    ask: CallAsk
    number: int
    came: float
    """Monotonic."""
    passed: asyncio.Future[Permit | NotAdmitted]

    @property
    def prefix(self) -> str | None:
        return self.ask.prefix

    @property
    def gone(self) -> bool:
        return self.passed.done()


class Gate:
    """One per deployment and process, shared by all partitions that the process owns."""

    def __init__(
        self, *, deployment: str, controller: Controller, clock: Clock, shared: bool = False
    ) -> None:
        """`shared`: other processes may send as well, so this one needs the send lease first."""
        self.deployment = deployment
        self._controller = controller
        self._breaker = Breaker()
        self._clock = clock
        self._log = OwnUsage()
        self._lines: dict[str, WaitingLine[_Waiter]] = {}
        self._permissions = SendPermissions(clock=clock, shared=shared)
        self._permits = OpenPermits()
        self._standing: dict[_Waiter, None] = {}
        self._watch = Watch(self._look)
        self._waiting: dict[str, int] = {}
        self._more_behind: dict[str, bool] = {}
        self._numbers = itertools.count()
        self._admitted: deque[float] = deque(maxlen=MOST_ADMITTED)
        """When the last calls passed, monotonic."""
        self._own_reading: Reading | None = None
        self._blocked_since: float | None = None
        self._why = "waiting for its turn"
        self._alarm: asyncio.TimerHandle | None = None
        self.on_wanted: Callable[[], None] | None = None
        """Called when the first request of a hub waits here and this process may not send for
        it."""

    # --- requests ---------------------------------------------------------------------------------

    async def enter(self, ask: CallAsk) -> Permit | NotAdmitted:
        """Wait for a permit, within the limits of the ask."""
        came, hub = self._clock.monotonic(), ask.hub
        if came >= ask.limits.until:
            return NotAdmitted("its batch ran out of time")
        passed: asyncio.Future[Permit | NotAdmitted] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(ask, next(self._numbers), came, passed)
        self._lines.setdefault(hub, WaitingLine()).join(waiter, overtakes=ask.overtakes)
        self._waiting[hub] = self._waiting.get(hub, 0) + 1
        self._more_behind[hub] = ask.more_behind
        if (
            self._waiting[hub] == 1
            and not self._permissions.of(hub).ours
            and self.on_wanted is not None
        ):
            self.on_wanted()
        self._pump()
        try:
            return passed.result() if passed.done() else await self._stand(waiter)
        except asyncio.CancelledError:
            given = passed.result() if passed.done() and not passed.cancelled() else None
            if isinstance(given, Permit):
                given.end()
            raise
        finally:
            self._waiting[hub] -= 1
            if passed.cancelled():
                self._pump()  # who stood behind it may pass

    @property
    def in_flight(self) -> int:
        return self._permits.count

    def waiting(self, hub: str) -> int:
        """How many requests of a hub wait here."""
        return self._waiting.get(hub, 0)

    def dry_in(self, hub: str) -> float:
        """Seconds until nothing of a hub waits here, at the pace of the last seconds."""
        waiting = self.waiting(hub)
        if waiting == 0:
            return 0.0
        if self._more_behind.get(hub, False):
            return float("inf")
        now = self._clock.monotonic()
        lately = sum(1 for at in self._admitted if now - at <= PACE_SECONDS)
        return waiting * PACE_SECONDS / lately if lately else float("inf")

    @property
    def hubs(self) -> list[str]:
        """The hubs whose requests have come here."""
        return list(self._waiting)

    def turn(self, hub: str, *, ours: bool, why: str, until: float = float("inf")) -> None:
        """Set whether this process may send what comes from `hub`, as agreed between processes."""
        self._permissions.set(hub, ours=ours, why=why, until=until)
        if ours:
            self._pump()

    # --- signals ----------------------------------------------------------------------------------

    def observe(self, signal: Signal) -> None:
        """Take in a signal, and let the calls pass that may go now."""
        self._controller.observe(signal, now=self._clock.now())
        self._pump()

    def told(self, reading: Reading) -> None:
        """Take in a reading of our own calls, and keep it for the other processes."""
        self._own_reading = reading
        self.observe(reading)

    def tick(self) -> None:
        """About once a second while work waits or runs."""
        self._controller.tick(now=self._clock.now())
        self._pump()

    def belief(self) -> Belief:
        return self._controller.belief(now=self._clock.now())

    def learned(self) -> Learned | None:
        return self._controller.learned(now=self._clock.now())

    def own_reading(self) -> Reading | None:
        """The newest reading of our own calls."""
        return self._own_reading

    def own_usage(self, *, source: str) -> UsageWindows | None:
        """What our own calls did lately, for other processes; None if nothing is new."""
        return self._log.usage(
            deployment=self.deployment, source=source, now=self._clock.now(), ours=True
        )

    def verdict(self, *, hub: str) -> Verdict:
        """The verdict that a call of size zero would get now."""
        turn = self._permissions.of(hub)
        if not turn.ours:
            return Wait(turn.why, blocked=False, retry_at=None)
        return self._ask(0.0, "normal", self._clock.now())

    # --- what becomes of permits ------------------------------------------------------------------

    def _ended(self, permit: Permit, ending: Ending) -> None:
        now = self._clock.now()
        self._permits.ended()
        self._controller.ended(now=now, reserved=permit.work, used=ending.used)
        self._log.ended(now=now, reserved=permit.work, used=ending.used, refused=ending.refused)
        if ending.answered:
            self._breaker.answered()
        elif ending.trouble is not None:
            self._breaker.failed(now=now, why=ending.trouble)
        self._pump()

    # --- parts ------------------------------------------------------------------------------------

    async def _stand(self, waiter: _Waiter) -> Permit | NotAdmitted:
        again = self._look_at(waiter, self._clock.monotonic())
        if again is None:
            self._pump()  # who stood behind it may pass
            return await waiter.passed
        self._standing[waiter] = None
        self._watch.within(again)
        try:
            return await waiter.passed
        finally:
            self._standing.pop(waiter, None)

    def _look(self) -> float | None:
        """Turn away those that have waited too long. Returns in how many seconds the next one
        may have."""
        now = self._clock.monotonic()
        looks = [self._look_at(waiter, now) for waiter in self._standing if not waiter.gone]
        if None in looks:
            # calls behind them may pass; called later, so that this check is complete in any
            # case
            asyncio.get_running_loop().call_soon(self._pump)
        return min((again for again in looks if again is not None), default=None)

    def _look_at(self, waiter: _Waiter, now: float) -> float | None:
        turn, limits = self._permissions.of(waiter.ask.hub), waiter.ask.limits
        left, again = limits.left(
            came=waiter.came,
            now=now,
            ours=turn.ours,
            turn_since=turn.since,
            blocked_since=self._blocked_since,
        )
        if left > 0:
            return again
        why = self._why if turn.ours else turn.why
        is_over = limits.route_is_over(came=waiter.came, now=now)
        waiter.passed.set_result(NotAdmitted(why, route_is_over=is_over))
        return None

    def _next(self) -> tuple[str, _Waiter] | None:
        """The next call of the hubs for which this process may send: one that overtakes, else
        the one that came first."""
        best: tuple[bool, int, str, _Waiter] | None = None
        for hub, line in self._lines.items():
            waiter = line.first()
            if waiter is None or not self._permissions.of(hub).ours:
                continue
            candidate = (not line.overtaking, waiter.number, hub, waiter)
            if best is None or candidate[:2] < best[:2]:
                best = candidate
        return None if best is None else (best[2], best[3])

    def _pump(self) -> None:
        while (chosen := self._next()) is not None:
            hub, waiter = chosen
            now = self._clock.now()
            verdict = self._ask(waiter.ask.work, waiter.ask.priority, now)
            if isinstance(verdict, Wait):
                self._blocked(verdict, now)
                return
            self._admit(hub, waiter, verdict, now)
        self._blocked_since = None

    def _ask(self, work: float, priority: str, now: float) -> Verdict:
        self._drop_lost_permits(now)
        return self._breaker.ask(now=now, in_flight=self.in_flight) or self._controller.ask(
            now=now, work=work, priority=priority
        )

    def _admit(self, hub: str, waiter: _Waiter, verdict: Admit, now: float) -> None:
        self._blocked_since = None
        self._why = verdict.why
        work = waiter.ask.work
        permit = Permit(work, at=now, on_end=self._ended)
        self._permits.add(permit)
        self._admitted.append(self._clock.monotonic())
        self._controller.sent(now=now, work=work)
        self._log.sent(now=now, work=work)
        waiter.passed.set_result(permit)
        self._lines[hub].passed(waiter)

    def _blocked(self, verdict: Wait, now: float) -> None:
        self._why = verdict.why
        if not verdict.blocked:
            self._blocked_since = None
        elif self._blocked_since is None:
            self._blocked_since = self._clock.monotonic()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if verdict.retry_at is not None:
            delay = max(0.001, verdict.retry_at - now)
            self._alarm = asyncio.get_running_loop().call_later(delay, self._pump)

    def _drop_lost_permits(self, now: float) -> None:
        """End lost permits as used in full, so that nothing is given back."""
        for permit in self._permits.lost(now):
            self._controller.ended(now=now, reserved=permit.work, used=None)
            self._log.ended(now=now, reserved=permit.work, used=None)
