"""How long requests stand at a gate, and one timer that looks after all who stand there."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

LOOK_SECONDS = 1.0
"""Who waits for a turn is looked at no more often: when it comes, patience is counted anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitLimits:
    """How long a request may stand at the gate."""

    hold_seconds: float
    """At a closed gate, counted from when it closed, we came, or our turn did."""
    until: float
    """At all, in monotonic seconds: the end of the invocation's budget."""
    turn_seconds: float = math.inf
    """While another process has the turn, counted from when we came."""
    route_seconds: float = math.inf
    """At all, counted from when it came: then it asks another deployment, or expires."""

    def left(
        self, *, came: float, now: float, ours: bool, turn_since: float, blocked_since: float | None
    ) -> tuple[float, float]:
        """Seconds of patience left, and in how many to look again. Times are monotonic.

        `ours`: the turn is, since `turn_since`. `blocked_since`: None of an open gate.
        """
        ends = came + self.route_seconds - now
        if not ours:
            left = min(ends, came + self.turn_seconds - now)
            shortest = min(self.hold_seconds, self.until - came)
            return left, min(left, max(LOOK_SECONDS, shortest))
        left = min(ends, self.until + max(0.0, turn_since - came) - now)
        if blocked_since is not None:
            left = min(left, max(came, blocked_since, turn_since) + self.hold_seconds - now)
            return left, left
        # the gate may close before we look: not later than its hold could then be over
        return left, min(left, self.hold_seconds) if self.hold_seconds > 0 else left

    def route_is_over(self, *, came: float, now: float) -> bool:
        """Whether it has waited for this deployment as long as it may."""
        return now >= came + self.route_seconds


class Watch:
    """Looks when the first of many wants to be looked at: one timer, however many they are."""

    def __init__(self, look: Callable[[], float | None]) -> None:
        """`look` does what is due, and says in how many seconds it is wanted again, if at all."""
        self._look = look
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> None:
        """Look in `seconds` or sooner."""
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at, self._fire)

    def _fire(self) -> None:
        self._timer = None
        again = self._look()
        if again is not None:
            self.within(again)
