"""How far the hubs have been read: what was published before the watermark has been handled.

Each dispatch invocation ends by writing one position per partition; the watermark is the oldest of
all partitions' (docs/ledger.md, rule 11). A position can stand still with nothing wrong but the
books: its last batch was checkpointed although its function failed, or a slow former owner wrote
an older position last. Nothing lost would be found any more, on any partition, so the sweep then
nudges the partition: an event that says nothing, whose handling moves the position on.
"""

from __future__ import annotations

from dataclasses import dataclass

from ptu_optimizer.clock import Clock
from ptu_optimizer.ports.hubs import (
    HUBS,
    HubReader,
    Outgoing,
    PartitionState,
    Publisher,
    PublishFailed,
)
from ptu_optimizer.ports.stores import GroupStore
from ptu_optimizer.requests.envelope import NudgeEvent
from ptu_optimizer.requests.groups import POSITION_FIELDS, POSITIONS_BUCKET, Position
from ptu_optimizer.requests.ledger.timing import Timing
from ptu_optimizer.telemetry import logger

_log = logger("watermark")

LONGEST_NUDGE_PAUSE_SECONDS = 3_600.0
"""Nudges come at growing intervals: a partition whose host is down gets one an hour, no more."""


@dataclass(slots=True)
class _Standing:
    read_to: int
    since: float
    nudge_at: float
    nudges: int = 0


class Watermark:
    def __init__(
        self,
        *,
        groups: GroupStore,
        hubs: HubReader,
        publisher: Publisher,
        clock: Clock,
        timing: Timing,
    ) -> None:
        self._groups = groups
        self._hubs = hubs
        self._publisher = publisher
        self._clock = clock
        # an invocation that is alive has ended by then, and written its position
        self._patience = timing.invocation_budget + timing.lease + timing.skew
        self._standing: dict[tuple[str, str], _Standing] = {}

    async def read(self) -> float:
        """Epoch seconds; everything published before has been delivered and handled.

        Raises DependencyUnavailable.
        """
        positions = {
            (position.hub, position.partition): position
            for position in map(
                Position.from_record,
                await self._groups.bucket(POSITIONS_BUCKET, fields=POSITION_FIELDS),
            )
        }
        lowest = float("inf")
        for hub in HUBS:
            now = self._clock.now()  # before the hub is asked
            for state in await self._hubs.partitions(hub):
                position = positions.get((hub, state.partition))
                read_to = -1 if position is None else position.sequence_number
                if state.is_empty or state.last_sequence_number <= read_to:
                    mark = now
                    self._standing.pop((hub, state.partition), None)
                else:
                    mark = 0.0 if position is None else position.enqueued_at
                    await self._nudge_if_standing(hub, state, read_to, now)
                lowest = min(lowest, mark)
        # an alert stands on this line (infra/app/alerts.bicep)
        behind = max(0.0, self._clock.now() - lowest)
        _log.info("how far the hubs are read", extra={"behind_seconds": round(behind, 1)})
        return lowest

    async def _nudge_if_standing(
        self, hub: str, state: PartitionState, read_to: int, now: float
    ) -> None:
        key = (hub, state.partition)
        standing = self._standing.get(key)
        if standing is None or standing.read_to != read_to:
            self._standing[key] = _Standing(read_to, since=now, nudge_at=now + self._patience)
            return
        if now < standing.nudge_at:
            return
        _log.warning(
            "a partition's position stands still, nudging it",
            extra={"hub": hub, "partition": state.partition, "seconds": now - standing.since},
        )
        nudge = Outgoing(NudgeEvent().encode(), partition=state.partition)
        try:
            await self._publisher.publish(hub, [nudge])
        except PublishFailed as error:
            _log.warning("a nudge was not sent", extra={"reason": str(error)})
            return
        standing.nudge_at = now + min(
            LONGEST_NUDGE_PAUSE_SECONDS, self._patience * 2**standing.nudges
        )
        standing.nudges = min(standing.nudges + 1, 20)
