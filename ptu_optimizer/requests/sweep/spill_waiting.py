"""Taking what may spill over out of a backlog, so that it is in hand when its time to leave comes.

A request may spill over before its deadline, and its event lies behind hours of others: nobody
would look at it in time. So the sweep publishes it to `requests-soon`, where what is near its
deadline overtakes. Its first event is dropped when it is reached, as every event of an ended
request is.
"""

from __future__ import annotations

from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.item import Spillover
from ptu_optimizer.requests.urgency import STAYS, Urgency

from .republish import LEAVING, GroupWork, Republisher, Slice

LEAST_WINDOW_SECONDS = 300.0
"""So long before it leaves, at the least, it is looked for: the time of two sweeps and more."""


class SpillWaiting:
    def __init__(self, *, urgency: Urgency, again: Republisher) -> None:
        self._urgency = urgency
        self._again = again
        self._window = max(urgency.soon, LEAST_WINDOW_SECONDS)

    def begins_at(self, work: GroupWork) -> float:
        """When the first request of a group has to be looked for; infinite if none may leave."""
        earliest = work.record.earliest_spillover
        return STAYS if earliest is None else self._begins(earliest, work)

    async def event(
        self, work: GroupWork, index: int, known: Slice, *, now: float
    ) -> RequestEvent | None:
        """What is to be published of a request, or None. Raises InputMissing,
        DependencyUnavailable.
        """
        if now < self.begins_at(work):
            return None
        event = await self._again.event(work, index, known)
        if event.spillover is Spillover.NEVER:
            return None
        begins = self._begins(event.deadline, work)
        if now < begins:
            work.look_at = min(work.look_at, begins)
            return None
        if known.handled_at(event.request_id) >= begins:
            return None  # no backlog keeps it: who had it in hand sees to it
        last = max(known.marks[LEAVING], default=0.0)
        published = last >= begins and now < last + self._window / 2
        # published once more later: whether that event was lost is not known here
        work.look_at = min(work.look_at, (last if published else now) + self._window / 2)
        return None if published else event

    def _begins(self, deadline: float, work: GroupWork) -> float:
        created_at = work.group.created_at
        if self._urgency.was_soon(deadline, created_at=created_at):
            return STAYS  # it never was in the backlog
        return self._urgency.leaves(deadline, created_at=created_at) - self._window
