"""A deployment as the dispatcher sees it, and what a call tells of it."""

from __future__ import annotations

from dataclasses import dataclass

from ptu_optimizer.capacity.reading import InvalidReading, Kind, Reading
from ptu_optimizer.capacity.work import Model
from ptu_optimizer.telemetry import logger

from .gate import Gate, Permit
from .ports import CallResult, Rejected, Success, Throttled, Transient

_log = logger("lane")

_CONFIGURATION = frozenset({401, 403, 404})
"""Refusals that say something of the settings, not of the request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """One deployment: its gate, and what its model costs."""

    gate: Gate
    model: Model


class LaneCall:
    """Turns what a call told into readings of the gate, and ends the permit with its cost."""

    def __init__(self, *, permit: Permit, lane: Lane, worker: str, deployment: str) -> None:
        self._permit = permit
        self._lane = lane
        self._worker = worker
        self._deployment = deployment
        self.result: CallResult | None = None
        """None until the call was made."""

    def called(self, result: CallResult, *, at: float) -> None:
        self.result = result
        if isinstance(result, Throttled):
            self._observe(Kind.THROTTLED, 1.0, at, until=at + result.retry_after_seconds)
        elif result.utilization is not None:
            self._observe(Kind.LEVEL, result.utilization, at)
        usage = result.usage if isinstance(result, Success) else None
        trouble = _trouble(result)
        self._permit.end(
            answered=trouble is None,
            trouble=trouble,
            used=None
            if usage is None
            else self._lane.model.work(
                prompt_tokens=usage.prompt_tokens,
                cached_tokens=usage.cached_tokens,
                output_tokens=usage.completion_tokens,
            ),
        )

    def _observe(self, kind: Kind, value: float, at: float, until: float | None = None) -> None:
        try:
            reading = Reading(
                deployment=self._deployment,
                kind=kind,
                value=value,
                source=self._worker,
                observed_at=at,
                until=until,
            )
        except InvalidReading as error:
            _log.warning("an invalid utilization header", extra={"reason": str(error)})
            return
        self._lane.gate.observe(reading)


def _trouble(result: CallResult) -> str | None:
    """Why the next call would fail as well: an outage, a wrong key or role, no such deployment."""
    match result:
        case Transient():
            return result.why
        case Rejected() if result.status in _CONFIGURATION:
            return f"the deployment answered {result.status}; check its key, role and name"
    return None
