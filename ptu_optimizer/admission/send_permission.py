"""Whether this process may send what comes from each hub, as agreed with the other processes."""

from __future__ import annotations

from dataclasses import dataclass

from ptu_optimizer.clock import Clock


@dataclass(slots=True)
class SendPermission:
    """Whether this process may send what comes from one hub."""

    ours: bool = True
    why: str = ""
    since: float = 0.0
    """Monotonic: when `ours` last changed."""
    until: float = float("inf")
    """Monotonic: when the permission ends if it is not renewed."""


class SendPermissions:
    """By hub. If the gate is not shared with other processes, every hub is ours."""

    def __init__(self, *, clock: Clock, shared: bool) -> None:
        self._clock = clock
        self._shared = shared
        self._permissions: dict[str, SendPermission] = {}

    def of(self, hub: str) -> SendPermission:
        """The permission now. One that was not renewed in time is over."""
        turn = self._permissions.get(hub)
        if turn is None:
            turn = SendPermission(
                ours=not self._shared,
                why="which process may send is being agreed",
                since=self._clock.monotonic(),
            )
            self._permissions[hub] = turn
        elif turn.ours and self._clock.monotonic() >= turn.until:
            # the lease keeper is late itself, for example because the store does not answer
            turn.ours, turn.since = False, turn.until
        return turn

    def set(self, hub: str, *, ours: bool, why: str, until: float) -> None:
        """Set what was agreed between processes."""
        self._permissions.setdefault(hub, SendPermission(ours=False))
        turn = self.of(hub)
        if turn.ours != ours:
            turn.ours, turn.since = ours, self._clock.monotonic()
        turn.why, turn.until = why, until
