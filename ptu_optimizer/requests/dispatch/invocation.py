"""What the events of one delivered batch share, and what their function writes when it ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import Delivery

from .delivery_progress import DeliveryProgress
from .rescheduling import Rescheduler


@dataclass(kw_only=True, slots=True)
class Report:
    """What the function writes by output bindings when it ends, in this order."""

    annotations: list[JsonObject] = field(default_factory=list)
    """Deferrals and duplicate calls, for `requests`."""
    dead_letters: list[JsonObject] = field(default_factory=list)
    """For `dead_letters`."""
    positions: list[JsonObject] = field(default_factory=list)
    """For `groups`. Last, after the deferrals, as the sweep relies on (11)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Invocation:
    """What the events of one delivered batch share."""

    delivery: Delivery
    report: Report
    rescheduler: Rescheduler
    until: float
    """Monotonic: after this no new work is started."""
    progress: DeliveryProgress = field(default_factory=DeliveryProgress)
