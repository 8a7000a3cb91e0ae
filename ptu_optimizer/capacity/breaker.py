"""The breaker: when calls do nothing but fail, stop sending them. Pure; `now` is an argument.

A failed attempt counts against its request, so an outage that is met at full speed would use up the
attempts of a whole backlog within seconds. After a few failures in a row one call at a time goes
out, at growing intervals, until one is answered.
"""

from __future__ import annotations

from .admission import Wait

FAILURES_IN_A_ROW = 3
"""Two may be two unlucky requests; more is the deployment, its key, or the way there."""

FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0


class Breaker:
    """One per deployment and process. Counts calls that were answered and calls that failed."""

    def __init__(self) -> None:
        self._failures = 0
        self._closed_until = 0.0
        self._pause = FIRST_PAUSE_SECONDS
        self._why = ""

    @property
    def is_closed(self) -> bool:
        """Whether only probes are sent."""
        return self._failures >= FAILURES_IN_A_ROW

    def ask(self, *, now: float, in_flight: int) -> Wait | None:
        """Why a call has to wait, or None if the breaker does not mind it."""
        if not self.is_closed:
            return None
        why = f"calls fail in a row: {self._why}"
        if now < self._closed_until:
            return Wait(why, closed=True, retry_at=self._closed_until)
        if in_flight > 0:
            return Wait(why, closed=True, retry_at=None)
        return None

    def answered(self) -> None:
        """The deployment answered a call, with a result or with 429."""
        self._failures = 0
        self._closed_until = 0.0
        self._pause = FIRST_PAUSE_SECONDS

    def failed(self, *, now: float, why: str) -> None:
        """A call failed for a reason that the next one will meet too."""
        self._failures += 1
        self._why = why
        if self.is_closed and now >= self._closed_until:
            # calls that were under way when it closed do not make the pause longer
            self._closed_until = now + self._pause
            self._pause = min(LONGEST_PAUSE_SECONDS, 2 * self._pause)
