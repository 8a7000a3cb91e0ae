"""Whose turn it is to send what comes from each hub, as far as this process knows."""

from __future__ import annotations

from dataclasses import dataclass

from ptu_optimizer.clock import Clock


@dataclass(slots=True)
class SendPermission:
    """Whether this process may send what comes from one hub."""

    ours: bool = True
    why: str = ""
    since: float = 0.0
    """Monotonic: when that last changed."""
    until: float = float("inf")
    """Monotonic: when it ends by itself, if nobody says anything meanwhile."""


class SendPermissions:
    """By hub. Where processes do not share, every turn is ours."""

    def __init__(self, *, clock: Clock, shared: bool) -> None:
        self._clock = clock
        self._shared = shared
        self._permissions: dict[str, SendPermission] = {}

    def of(self, hub: str) -> SendPermission:
        """As it is now: one that nobody renewed in time is over."""
        turn = self._permissions.get(hub)
        if turn is None:
            turn = SendPermission(
                ours=not self._shared,
                why="which process may send is being agreed",
                since=self._clock.monotonic(),
            )
            self._permissions[hub] = turn
        elif turn.ours and self._clock.monotonic() >= turn.until:
            # whoever agrees on turns is late itself: the store does not answer, say
            turn.ours, turn.since = False, turn.until
        return turn

    def set(self, hub: str, *, ours: bool, why: str, until: float) -> None:
        """As agreed between processes."""
        self._permissions.setdefault(hub, SendPermission(ours=False))
        turn = self.of(hub)
        if turn.ours != ours:
            turn.ours, turn.since = ours, self._clock.monotonic()
        turn.why, turn.until = why, until
