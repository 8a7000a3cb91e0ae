"""The gate: queued calls of one deployment pass here, as turn, breaker and admission allow.

Asyncio around the pure `capacity.breaker.Breaker` and `capacity.admission.Controller`:
who waits is woken when a call ends, something becomes known, a turn changes, or the time that the
verdict named has come.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ptu_optimizer.capacity.admission import Admit, Controller, Verdict, Wait
from ptu_optimizer.capacity.belief import Belief, Learned
from ptu_optimizer.capacity.breaker import Breaker
from ptu_optimizer.capacity.reading import Reading
from ptu_optimizer.capacity.signals import Signal
from ptu_optimizer.capacity.usage import Usage, UsageLog
from ptu_optimizer.clock import Clock

from .line import Line

PERMIT_SECONDS = 900.0
"""A permit that has not ended by then has been lost: its call is over, whatever became of it."""

PACE_SECONDS = 10.0
MOST_ADMITTED = 1_024
"""How fast requests leave is told from those that passed in so long, of at most so many."""

TURN_PATIENCE_SECONDS = 6_600.0
"""How long a request waits while another process has the turn. Nothing is won by publishing it
again: what stands behind it in its partition could not be sent from here either. Below the
`functionTimeout` of host.json."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long a request may stand at the gate."""

    hold_seconds: float
    """At a closed gate, counted from when it closed, we came, or our turn did."""
    until: float
    """At all, in monotonic seconds: the end of the invocation's budget."""
    turn_seconds: float = TURN_PATIENCE_SECONDS
    """While another process has the turn, counted from when we came."""


class Permit:
    """The right to make one call. Ends exactly once, whatever became of the call."""

    def __init__(self, gate: Gate, work: float, *, at: float) -> None:
        self._gate = gate
        self.work = work
        self.at = at
        self.is_open = True

    def end(
        self,
        *,
        used: float | None = 0.0,
        refused: bool = False,
        answered: bool = False,
        trouble: str | None = None,
    ) -> None:
        """`used` is the work that the call cost; 0 if it never ran, None if nobody knows.

        `refused`: the deployment answered 429. `answered`: it had an answer. `trouble`: why the
        next call would fail as well.
        """
        if self.is_open:
            self.is_open = False
            self._gate._ended(self, used, refused=refused, answered=answered, trouble=trouble)


@dataclass(slots=True, eq=False)
class _Waiter:
    work: float
    priority: str
    prefix: str | None
    number: int
    passed: asyncio.Future[Permit]

    @property
    def gone(self) -> bool:
        return self.passed.done()


@dataclass(slots=True)
class _Turn:
    """Whether this process may send what comes from one hub."""

    ours: bool = True
    why: str = ""
    since: float = 0.0
    """Monotonic: when that last changed."""
    until: float = float("inf")
    """Monotonic: when it ends by itself, if nobody says anything meanwhile."""


class Gate:
    """One per deployment and process, shared by all partitions that the process owns."""

    def __init__(
        self, *, deployment: str, controller: Controller, clock: Clock, shared: bool = False
    ) -> None:
        """`shared`: other processes may send as well, so a turn has to be given first."""
        self.deployment = deployment
        self._controller = controller
        self._shared = shared
        self._breaker = Breaker()
        self._clock = clock
        self._log = UsageLog()
        self._lines: dict[str, Line[_Waiter]] = {}
        self._turns: dict[str, _Turn] = {}
        self._permits: deque[Permit] = deque()
        self._open_permits = 0
        self._waiting: dict[str, int] = {}
        self._more_behind: dict[str, bool] = {}
        self._numbers = itertools.count()
        self._admitted: deque[float] = deque(maxlen=MOST_ADMITTED)
        """When the last ones passed, monotonic."""
        self._own_reading: Reading | None = None
        self._closed_since: float | None = None
        self._why = "waiting for its turn"
        self._alarm: asyncio.TimerHandle | None = None
        self.on_wanted: Callable[[], None] | None = None
        """Called when the first request of a hub waits here whose turn is not ours."""

    # --- requests ---------------------------------------------------------------------------------

    async def enter(
        self,
        *,
        work: float,
        patience: Patience,
        hub: str = "",
        priority: str = "normal",
        overtakes: bool = False,
        prefix: str | None = None,
        more_behind: bool = False,
    ) -> Permit | str:
        """A permit, or why there was none within the patience.

        Who `overtakes` passes before all who do not; see `line` for the order among the others.
        `more_behind`: it came in a full batch, so its hub probably has more.
        """
        waiter = _Waiter(
            work, priority, prefix, next(self._numbers), asyncio.get_running_loop().create_future()
        )
        came = self._clock.monotonic()
        if came >= patience.until:
            return "its batch ran out of time"
        self._lines.setdefault(hub, Line()).join(waiter, overtakes=overtakes)
        self._waiting[hub] = self._waiting.get(hub, 0) + 1
        self._more_behind[hub] = more_behind
        if self._waiting[hub] == 1 and not self._turn(hub).ours and self.on_wanted is not None:
            self.on_wanted()
        self._pump()
        try:
            while not waiter.passed.done():
                left = self._patience_left(came, patience, hub)
                if left <= 0:
                    return self._why_not(hub)
                await asyncio.wait([waiter.passed], timeout=left)
            return waiter.passed.result()
        except asyncio.CancelledError:
            if waiter.passed.done() and not waiter.passed.cancelled():
                waiter.passed.result().end()
            raise
        finally:
            self._waiting[hub] -= 1
            if not waiter.passed.done():
                waiter.passed.cancel()
                self._pump()  # who stood behind it may pass

    @property
    def in_flight(self) -> int:
        return self._open_permits

    def waiting(self, hub: str) -> int:
        """How many requests of a hub stand here."""
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
        """Whether this process may send what comes from `hub`, as agreed between processes."""
        self._turns.setdefault(hub, _Turn(ours=False))
        turn = self._turn(hub)
        if turn.ours != ours:
            turn.ours, turn.since = ours, self._clock.monotonic()
        turn.why, turn.until = why, until
        if ours:
            self._pump()

    # --- signals ----------------------------------------------------------------------------------

    def observe(self, signal: Signal) -> None:
        """Take in what became known, and let pass whom it lets pass."""
        self._controller.observe(signal, now=self._clock.now())
        self._pump()

    def told(self, reading: Reading) -> None:
        """A reading of our own calls, for other processes as well."""
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

    def own_usage(self, *, source: str) -> Usage | None:
        """What our own calls did lately, for other processes; None if nothing is new."""
        return self._log.usage(
            deployment=self.deployment, source=source, now=self._clock.now(), ours=True
        )

    def verdict(self, *, hub: str) -> Verdict:
        """What a call of no size would be told now."""
        turn = self._turn(hub)
        if not turn.ours:
            return Wait(turn.why, closed=False, retry_at=None)
        return self._ask(0.0, "normal", self._clock.now())

    # --- parts ------------------------------------------------------------------------------------

    def _turn(self, hub: str) -> _Turn:
        turn = self._turns.get(hub)
        if turn is None:
            turn = _Turn(ours=not self._shared, why="which process may send is being agreed")
            turn.since = self._clock.monotonic()
            self._turns[hub] = turn
        elif turn.ours and self._clock.monotonic() >= turn.until:
            # whoever agrees on turns is late itself: the store does not answer, say
            turn.ours, turn.since = False, turn.until
        return turn

    def _why_not(self, hub: str) -> str:
        turn = self._turn(hub)
        return self._why if turn.ours else turn.why

    def _patience_left(self, came: float, patience: Patience, hub: str) -> float:
        now = self._clock.monotonic()
        turn = self._turn(hub)
        if not turn.ours:
            # looked at again when the turn comes; that does not wake who waits
            return min(came + patience.turn_seconds - now, max(1.0, patience.hold_seconds))
        left = patience.until + max(0.0, turn.since - came) - now
        if self._closed_since is not None:
            held_since = max(came, self._closed_since, turn.since)
            return min(left, held_since + patience.hold_seconds - now)
        # the gate may close while we sleep: look again before a hold could have run out
        return min(left, patience.hold_seconds) if patience.hold_seconds > 0 else left

    def _next(self) -> tuple[str, _Waiter] | None:
        """Of those whose turn is ours, one who overtakes, else who came first."""
        best: tuple[bool, int, str, _Waiter] | None = None
        for hub, line in self._lines.items():
            waiter = line.first()
            if waiter is None or not self._turn(hub).ours:
                continue
            candidate = (not line.overtaking, waiter.number, hub, waiter)
            if best is None or candidate[:2] < best[:2]:
                best = candidate
        return None if best is None else (best[2], best[3])

    def _pump(self) -> None:
        while (chosen := self._next()) is not None:
            hub, waiter = chosen
            now = self._clock.now()
            verdict = self._ask(waiter.work, waiter.priority, now)
            if isinstance(verdict, Wait):
                self._blocked(verdict, now)
                return
            self._admit(hub, waiter, verdict, now)
        self._closed_since = None

    def _ask(self, work: float, priority: str, now: float) -> Verdict:
        self._drop_lost_permits(now)
        return self._breaker.ask(now=now, in_flight=self.in_flight) or self._controller.ask(
            now=now, work=work, priority=priority
        )

    def _admit(self, hub: str, waiter: _Waiter, verdict: Admit, now: float) -> None:
        self._closed_since = None
        self._why = verdict.why
        permit = Permit(self, waiter.work, at=now)
        self._permits.append(permit)
        self._open_permits += 1
        self._admitted.append(self._clock.monotonic())
        self._controller.sent(now=now, work=waiter.work)
        self._log.sent(now=now, work=waiter.work)
        waiter.passed.set_result(permit)
        self._lines[hub].passed(waiter)

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

    def _drop_lost_permits(self, now: float) -> None:
        """End permits that nobody will end: as used in full, so that nothing is given back."""
        permits = self._permits
        while permits and (not permits[0].is_open or now - permits[0].at > PERMIT_SECONDS):
            permit = permits.popleft()
            if permit.is_open:
                permit.is_open = False
                self._open_permits -= 1
                self._controller.ended(now=now, reserved=permit.work, used=None)
                self._log.ended(now=now, reserved=permit.work, used=None)

    def _ended(
        self,
        permit: Permit,
        used: float | None,
        *,
        refused: bool,
        answered: bool,
        trouble: str | None,
    ) -> None:
        now = self._clock.now()
        self._open_permits -= 1
        self._controller.ended(now=now, reserved=permit.work, used=used)
        self._log.ended(now=now, reserved=permit.work, used=used, refused=refused)
        if answered:
            self._breaker.answered()
        elif trouble is not None:
            self._breaker.failed(now=now, why=trouble)
        self._pump()
