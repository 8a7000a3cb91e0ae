"""How long a request will wait, from the pace of its hub. Pure.

It is an estimate: the partition of a request is not known, nor the groups that no process has
seen yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from .flow import Flow, GroupProgress, Place

LEAST_CHANCE = 0.005
"""If a smaller share finds room, the number of re-schedulings cannot be estimated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """The flows of all processes of one hub together."""

    rate: float
    idle: bool
    """Nobody had anything left to do."""
    chance: float
    round_seconds: float
    accepted_per_second: float
    newest: float
    groups: tuple[GroupProgress, ...]
    """Each once, oldest first."""

    @classmethod
    def of(cls, flows: Sequence[Flow]) -> Self | None:
        """None if nothing is known or no request moves."""
        rate = sum(flow.rate for flow in flows)
        if rate <= 0:
            return None
        groups: dict[str, GroupProgress] = {}
        for part in (part for flow in flows for part in flow.groups):
            known = groups.get(part.group)
            groups[part.group] = part if known is None else _together(known, part)
        return cls(
            rate=rate,
            idle=all(flow.idle for flow in flows),
            chance=sum(flow.rate * flow.chance for flow in flows) / rate,
            round_seconds=sum(flow.rate * flow.round_seconds for flow in flows) / rate,
            accepted_per_second=sum(flow.accepted_per_second for flow in flows),
            newest=max(flow.newest for flow in flows),
            groups=tuple(sorted(groups.values(), key=lambda group: group.accepted_at)),
        )

    def ahead(self, place: Place) -> float:
        """About how many requests come before this one: the rest of older groups, those of its
        own group before it, and an estimate for the time that no report covers yet."""
        if self.idle:
            return 0.0
        own = next((group for group in self.groups if group.group == place.group), None)
        older = sum(
            _remaining(group)
            for group in self.groups
            if group is not own and group.accepted_at <= place.accepted_at
        )
        if own is not None:
            return older + max(0, place.index - own.before - own.left)
        if place.accepted_at < self.newest:
            return older  # all of its group has left, or it was overlooked
        between = place.accepted_at - self.newest
        return older + self.accepted_per_second * between + place.index

    def rounds_seconds(self) -> float | None:
        """How long a request is re-scheduled until it finds room; None if hardly any has found
        room."""
        if self.chance < LEAST_CHANCE:
            return None
        return self.round_seconds * (1.0 / self.chance - 1.0)


def _together(one: GroupProgress, other: GroupProgress) -> GroupProgress:
    return replace(one, before=max(one.before, other.before), left=one.left + other.left)


def _remaining(group: GroupProgress) -> int:
    return max(0, group.count - group.before - group.left)
