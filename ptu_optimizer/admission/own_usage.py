"""The work of this process's own calls, window by window."""

from __future__ import annotations

from ptu_optimizer.capacity.signals.usage import (
    WINDOW_SECONDS,
    UsageWindow,
    UsageWindows,
    window_start,
)

KEPT_WINDOWS = 20
"""A window is published once, when it is over. A few more are kept than can be open."""


class OwnUsage:
    """Our own calls, window by window, for processes that must subtract them."""

    def __init__(self) -> None:
        self._windows: dict[float, UsageWindow] = {}
        self._published: set[float] = set()

    def sent(self, *, now: float, work: float) -> None:
        self._add(now, reserved=work, calls=1)

    def ended(
        self, *, now: float, reserved: float, used: float | None, refused: bool = False
    ) -> None:
        """`used`: what the call cost; 0 if it never ran, None if that is not known."""
        cost = reserved if used is None else used
        self._add(now, corrected=cost - reserved, used=cost, refused=int(refused))

    def usage(self, *, deployment: str, source: str, now: float, ours: bool) -> UsageWindows | None:
        """The windows that are over and not published yet; None if there are none. An event is
        booked in the window of its moment, so a window that is over never changes. Each is
        published once, in a record of its own that lives for a minute.
        """
        closed = [start for start in self._windows if start < window_start(now)]
        fresh = [start for start in closed if start not in self._published]
        if not fresh:
            return None
        self._published.update(fresh)
        self._published &= self._windows.keys()
        return UsageWindows(
            deployment=deployment,
            record_id=f"usage:{source}:{int(fresh[0] / WINDOW_SECONDS)}",
            source=source,
            ours=ours,
            windows=tuple(self._windows[start] for start in fresh),
        )

    def _add(
        self,
        now: float,
        *,
        reserved: float = 0.0,
        corrected: float = 0.0,
        used: float = 0.0,
        calls: int = 0,
        refused: int = 0,
    ) -> None:
        start = window_start(now)
        known = self._windows.get(start) or UsageWindow(start=start)
        self._windows[start] = UsageWindow(
            start=start,
            reserved=known.reserved + reserved,
            corrected=known.corrected + corrected,
            used=known.used + used,
            calls=known.calls + calls,
            refused=known.refused + refused,
        )
        if len(self._windows) > 2 * KEPT_WINDOWS:
            newest = sorted(self._windows)[-KEPT_WINDOWS:]
            self._windows = {start: self._windows[start] for start in newest}
