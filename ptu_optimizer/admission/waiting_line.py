"""Which calls wait at a gate, and which is next: first come, first served, with two exceptions.

A call that overtakes passes before all that do not. And calls with the same long prefix go
together: cached tokens cost a provisioned deployment nothing (Microsoft, "Provisioned
throughput sizing"), and a prefix is cached for minutes only.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar

LONGEST_RUN = 32
"""At most so many calls of one prefix pass in a row while others wait, so that no call waits
without end."""


class Waiter(Protocol):
    """A call that stands in a line."""

    @property
    def prefix(self) -> str | None:
        """Names a long prefix of its prompt, if it has one."""
        ...

    @property
    def gone(self) -> bool:
        """It has passed, or no longer waits."""
        ...


W = TypeVar("W", bound=Waiter)


class WaitingLine(Generic[W]):
    """The waiting requests of one hub. A request that is gone is skipped when its place comes."""

    def __init__(self) -> None:
        self._ahead: deque[W] = deque()
        self._waiting: deque[W] = deque()
        self._by_prefix: dict[str, deque[W]] = {}
        self._most_prefixes = LONGEST_RUN
        self._prefix: str | None = None
        self._run = 0

    def join(self, waiter: W, *, overtakes: bool) -> None:
        (self._ahead if overtakes else self._waiting).append(waiter)
        if not overtakes and waiter.prefix is not None:
            alike = self._by_prefix.setdefault(waiter.prefix, deque())
            _head(alike)  # drops those that are gone
            alike.append(waiter)
            self._forget_prefixes()

    def first(self) -> W | None:
        """The next one; it stays in the line until it is gone."""
        ahead = _head(self._ahead)
        if ahead is not None:
            return ahead
        if self._prefix is not None and self._run < LONGEST_RUN:
            alike = _head(self._by_prefix.get(self._prefix))
            if alike is not None:
                return alike
        return _head(self._waiting)

    @property
    def overtaking(self) -> bool:
        """Whether the first one overtakes."""
        return _head(self._ahead) is not None

    def passed(self, waiter: W) -> None:
        """`waiter`, which was first, has passed."""
        self._run = self._run + 1 if waiter.prefix == self._prefix else 1
        self._prefix = waiter.prefix

    def _forget_prefixes(self) -> None:
        """Drop prefixes that no call waits with. Cheap when called often."""
        if len(self._by_prefix) > self._most_prefixes:
            self._by_prefix = {p: d for p, d in self._by_prefix.items() if _head(d) is not None}
            self._most_prefixes = max(LONGEST_RUN, 2 * len(self._by_prefix))

    def __bool__(self) -> bool:
        return self.first() is not None


def _head(waiting: deque[W] | None) -> W | None:
    while waiting and waiting[0].gone:
        waiting.popleft()
    return waiting[0] if waiting else None
