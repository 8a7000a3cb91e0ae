"""Trying again until a time limit, with pauses that grow. The clock is injected."""

from __future__ import annotations

from .clock import Clock

FIRST_PAUSE_SECONDS = 0.1
"""Most throttled writes pass at the next try, and a write of a request waits for nothing else."""


LONGEST_PAUSE_SECONDS = 2.0
"""Pauses double up to this. So at most so much of a time limit is given up untried: what waits may
be an answer that was paid for."""


class Backoff:
    """The pauses between the tries of one operation.

        backoff = Backoff(clock, until=until)
        while True:
            created = await store.create(record)
            if created is not Created.UNKNOWN or not await backoff.again():
                return created

    A loop and not a decorator: what counts as a failure differs from place to place, and the time
    limits are this app's own clock's, which the libraries for this do not take.
    """

    def __init__(self, clock: Clock, *, until: float) -> None:
        """`until`: monotonic seconds after which no try begins."""
        self._clock = clock
        self._until = until
        self._pause = FIRST_PAUSE_SECONDS

    async def again(self) -> bool:
        """Pause before the next try; False, and at once, when no time is left for one."""
        if self._clock.monotonic() + self._pause >= self._until:
            return False
        await self._clock.sleep(self._pause)
        self._pause = min(LONGEST_PAUSE_SECONDS, 2 * self._pause)
        return True
