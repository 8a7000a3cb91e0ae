"""Permits: each is the right to make one call, and ends exactly once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

PERMIT_SECONDS = 900.0
"""A permit that has not ended by then is lost: its call is over in any case."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """What became of a call."""

    used: float | None = 0.0
    """The work that it cost; 0 if it never ran, None if that is not known."""
    refused: bool = False
    """The deployment answered 429."""
    answered: bool = False
    trouble: str | None = None
    """Why the next call would fail as well."""


NEVER_RAN = Ending()


class Permit:
    """The right to make one call. It ends exactly once, in every case."""

    __slots__ = ("_on_end", "at", "is_open", "work")

    def __init__(self, work: float, *, at: float, on_end: Callable[[Permit, Ending], None]) -> None:
        """`on_end` is called once, with what became of the call."""
        self._on_end = on_end
        self.work = work
        self.at = at
        self.is_open = True

    def end(self, ending: Ending = NEVER_RAN) -> None:
        """Say what became of the call. A second end is ignored."""
        if self.is_open:
            self.is_open = False
            self._on_end(self, ending)


class OpenPermits:
    """Permits that were given and have not ended, the oldest first."""

    def __init__(self) -> None:
        self._given: deque[Permit] = deque()
        self.count = 0

    def add(self, permit: Permit) -> None:
        self._given.append(permit)
        self.count += 1

    def ended(self) -> None:
        self.count -= 1

    def lost(self, now: float) -> list[Permit]:
        """Lost permits, which are ended by this call."""
        lost: list[Permit] = []
        given = self._given
        while given and (not given[0].is_open or now - given[0].at > PERMIT_SECONDS):
            permit = given.popleft()
            if permit.is_open:
                permit.is_open = False
                self.count -= 1
                lost.append(permit)
        return lost
