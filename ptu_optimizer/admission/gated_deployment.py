"""A deployment together with the gate in front of it."""

from __future__ import annotations

from dataclasses import dataclass

from ptu_optimizer.capacity.work import Model

from .gate import Gate


@dataclass(frozen=True, kw_only=True, slots=True)
class GatedDeployment:
    """One deployment: its gate, and what its model costs."""

    gate: Gate
    model: Model
    tokens_per_minute: int | None = None
    """The limit of a pay-as-you-go deployment; None for a provisioned one."""
    spillover: GatedDeployment | None = None
    """The pay-as-you-go deployment that takes requests which would miss their deadline."""

    @property
    def deployment(self) -> str:
        return self.gate.deployment
