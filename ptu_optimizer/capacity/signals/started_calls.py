"""What started calls have reserved, until they end. Bounded in time and memory. Pure."""

from __future__ import annotations

from typing import NamedTuple

MEMORY_SECONDS = 600.0
"""Few calls take longer. The end event of such a call says what was reserved."""

MAX_CALLS = 50_000
"""The most calls that are remembered, about 15 MB. The oldest are forgotten first."""

CallKey = tuple[str, str | int]
"""A deployment and the id that the gateway gave to the call."""


class StartedCall(NamedTuple):
    since: float
    """Epoch seconds, ours."""
    reserved: float
    """Work, in input-equivalent tokens."""
    refused: bool = False
    """Its start said 429: the refusal has been counted, and nothing was reserved."""


class StartedCalls:
    """Bounded by age and number."""

    def __init__(self, *, max_calls: int = MAX_CALLS) -> None:
        self._max_calls = max_calls
        self._calls: dict[CallKey, StartedCall] = {}
        """Oldest first."""

    def __len__(self) -> int:
        return len(self._calls)

    def remember(self, key: CallKey, call: StartedCall) -> None:
        """A call that starts again under the same id is another one."""
        self._calls.pop(key, None)
        self._calls[key] = call
        while len(self._calls) > self._max_calls or self._is_over(self._oldest, call.since):
            del self._calls[next(iter(self._calls))]

    def forget(self, key: CallKey) -> StartedCall | None:
        """The call, which has ended; None if it is not remembered."""
        return self._calls.pop(key, None)

    @property
    def _oldest(self) -> StartedCall:
        return next(iter(self._calls.values()))

    @staticmethod
    def _is_over(call: StartedCall, now: float) -> bool:
        return call.since < now - MEMORY_SECONDS
