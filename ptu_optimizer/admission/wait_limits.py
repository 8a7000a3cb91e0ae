"""How long requests may wait at a gate, and one timer for all that wait there."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

LOOK_SECONDS = 1.0
"""Minimum interval between two time-out checks of a request that waits for the send lease. When
the lease comes, its time limits start again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitLimits:
    """How long a request may wait at the gate."""

    hold_seconds: float
    """While the gate is closed; from the last of: it closed, the request came, the lease came."""
    until: float
    """In any case, in monotonic seconds: the end of the invocation's budget."""
    turn_seconds: float = math.inf
    """While another process has the send lease, counted from when the request came."""
    route_seconds: float = math.inf
    """In any case, counted from when the request came. Then it asks another deployment, or
    expires."""

    def left(
        self, *, came: float, now: float, ours: bool, turn_since: float, blocked_since: float | None
    ) -> tuple[float, float]:
        """Seconds that the request may still wait, and in how many seconds to check again.
        Times are monotonic.

        `ours`: this process may send, since `turn_since`. `blocked_since` is None if the gate
        is open.
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
        # the gate may close before the next check: so check no later than its hold could end
        return left, min(left, self.hold_seconds) if self.hold_seconds > 0 else left

    def route_is_over(self, *, came: float, now: float) -> bool:
        """Whether it has waited for this deployment as long as it may."""
        return now >= came + self.route_seconds


class Watch:
    """Checks when the first of many waiters is due: one timer, however many wait."""

    def __init__(self, look: Callable[[], float | None]) -> None:
        """`look` does what is due, and returns in how many seconds the next check is due, if
        one is."""
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
