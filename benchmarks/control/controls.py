"""Which controller stands behind the gates of a row, and the time that its decisions take."""

from __future__ import annotations

import time
from typing import Any, cast

from benchmarks.control.baseline import Baseline
from benchmarks.control.plant import Plant
from benchmarks.control.policies import POLICIES, Policy, Surroundings
from benchmarks.control.row import OURS, Row
from benchmarks.control.settings import settings_of
from ptu_optimizer.capacity.control.controller import Controller
from ptu_optimizer.capacity.signals.minute import Minute


class Controls:
    """Hands out a row's controllers: the app's own, or the policy's in its place."""

    def __init__(self, row: Row, *, plant: Plant, alone: Baseline) -> None:
        settings = settings_of(row)
        self._row = row
        self._surroundings = Surroundings(
            work_per_second=row.scenario.work_per_second * row.conditions.capacity_factor,
            max_concurrent_calls=settings.max_concurrent_calls,
            plant=plant,
            alone=alone,
        )
        self._policies: list[Policy] = []
        self._spent_ns = 0

    def choose(self, deployment: str, own: Controller) -> Controller:
        controller = own
        if self._row.policy != OURS:
            policy = POLICIES[self._row.policy].make(self._surroundings)
            self._policies.append(policy)
            controller = policy
        return cast(Controller, _Timed(controller, self)) if self._row.profile else controller

    def minute(self, minute: Minute) -> None:
        for policy in self._policies:
            policy.minute(minute)

    def spent(self, nanoseconds: int) -> None:
        self._spent_ns += nanoseconds

    def decision_ms(self, calls: int) -> float | None:
        """CPU inside the controllers per call sent, milliseconds; None unless asked for."""
        if not self._row.profile:
            return None
        return round(self._spent_ns / 1e6 / max(1, calls), 4)


class _Timed:
    """A controller whose methods are timed: in CPU, whatever else the machine is doing."""

    def __init__(self, controller: Controller, controls: Controls) -> None:
        self._controller = controller
        self._controls = controls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._controller, name)
        if not callable(found):
            return found
        controls = self._controls

        def timed(*args: Any, **named: Any) -> Any:
            started = time.thread_time_ns()
            try:
                return found(*args, **named)
            finally:
                controls.spent(time.thread_time_ns() - started)

        setattr(self, name, timed)
        return timed
