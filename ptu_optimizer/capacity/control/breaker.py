"""The circuit breaker: when calls do nothing but fail, stop sending them. Pure.

Closed, it lets every call pass. Open, it refuses them. Half-open, after a pause, it lets one call
pass as a probe: an answer closes it, a failure opens it again for longer.

A failed attempt counts against its request, so at full speed an outage would use up the
attempts of a whole backlog within seconds. Once enough calls have failed since the last answer,
one call at a time goes out, at growing intervals, until one is answered.

How many are enough depends on what is still under way. A call under way may yet be answered, and
calls that fail often end sooner than those that succeed: of a crowd that starts together, the
failures come first. So with others under way it takes FAILURES_AMONG_OTHERS in a row, and more than
are under way. If three in ten calls fail by themselves, eight in a row are seven in 100,000 calls
(0.3 ** 8), and the failures stay fewer than the calls they started with; three in a row would come
every fifty calls. With nothing under way there is nothing to wait for, and little to lose: then
FAILURES_ALONE trip it, or a small batch would use its attempts up to find out.
"""

from __future__ import annotations

from .verdict import Wait

FAILURES_AMONG_OTHERS = 8
"""In a row, with calls under way: the deployment, its key, or the way there, not bad luck."""

FAILURES_ALONE = 3
"""In a row, with nothing under way. Wrongly tripped (0.3 ** 3), it costs one pause of 2 s."""

FIRST_PAUSE_SECONDS = 2.0
LONGEST_OUTAGE_PAUSE_SECONDS = 60.0


class Breaker:
    """One per deployment and process. Counts calls that were answered and calls that failed."""

    def __init__(self) -> None:
        self._failures = 0
        self._failed_at = 0.0
        self._open = False
        self._open_until = 0.0
        self._pause = FIRST_PAUSE_SECONDS
        self._why = ""

    def ask(self, *, now: float, in_flight: int) -> Wait | None:
        """Why a call has to wait while it is open; None if the call may pass."""
        if not self._open and self._failures >= _enough(in_flight):
            self._trip(at=self._failed_at)
        if not self._open:
            return None
        why = f"calls fail in a row: {self._why}"
        if now < self._open_until:
            return Wait(why, blocked=True, retry_at=self._open_until)
        if in_flight > 0:
            return Wait(why, blocked=True, retry_at=None)
        return None

    def answered(self) -> None:
        """The deployment answered a call, with a result or with 429."""
        self._failures = 0
        self._open = False
        self._open_until = 0.0
        self._pause = FIRST_PAUSE_SECONDS

    def failed(self, *, now: float, why: str) -> None:
        """A call failed for a reason that the next one will meet too."""
        self._failures += 1
        self._failed_at = now
        self._why = why
        if self._open and now >= self._open_until:
            # a probe; calls that were under way when it tripped do not make the pause longer
            self._trip(at=now)

    def _trip(self, *, at: float) -> None:
        self._open = True
        self._open_until = at + self._pause
        self._pause = min(LONGEST_OUTAGE_PAUSE_SECONDS, 2 * self._pause)


def _enough(in_flight: int) -> int:
    """Failures since the last answer that speak of an outage, with so many calls undecided."""
    return max(FAILURES_AMONG_OTHERS, in_flight + 1) if in_flight else FAILURES_ALONE
