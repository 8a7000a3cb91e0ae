"""What others do, behind the same gate: each one a `capacity.admission.Controller`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.control.policies.aimd import AimdOn429
from benchmarks.control.policies.base import Policy, Surroundings
from benchmarks.control.policies.clairvoyant import Clairvoyant
from benchmarks.control.policies.fixed import FixedRate
from benchmarks.control.policies.linear import LinearSlowDown
from benchmarks.control.policies.none import NoControl
from benchmarks.control.policies.threshold import MetricThreshold
from benchmarks.control.row import Signals

__all__ = ["POLICIES", "Kind", "Policy", "Surroundings"]


@dataclass(frozen=True)
class Kind:
    """One way of doing it, and the signal that it uses."""

    make: Callable[[Surroundings], Policy]
    signals: Signals


POLICIES: Mapping[str, Kind] = {
    "threshold": Kind(MetricThreshold, "monitor"),
    "linear": Kind(LinearSlowDown, "monitor"),
    "aimd": Kind(AimdOn429, "live"),
    "fixed": Kind(FixedRate, "live"),
    "none": Kind(NoControl, "live"),
    "clairvoyant": Kind(Clairvoyant, "live"),
}
