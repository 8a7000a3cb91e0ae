"""What an operator sees of the deployments: the belief and its basis, which process may send,
the verdict now, what was learned, and what would change it.

A dispatching process publishes its belief, and the newest report is shown. While none
dispatches, the belief is made from the records alone, by the controller with which a process
would start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ptu_optimizer.backends.backend import Backend, BackendKind
from ptu_optimizer.capacity.control.controller import Controller
from ptu_optimizer.clock import Clock, iso_time
from ptu_optimizer.coordination.belief_report import BeliefReport, HubReport
from ptu_optimizer.coordination.records import CapacityRecords, HeldLease
from ptu_optimizer.errors import AppError, DependencyUnavailable, dependency_unavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import HUBS
from ptu_optimizer.ports.stores import CapacityStore

from .capacity_json import (
    alert_shown,
    belief_shown,
    learned_shown,
    lease_shown,
    reading_shown,
    verdict_shown,
)
from .replay import replay
from .what_would_change import Terms, what_would_change

TOLD = ("belief", "lease", "learned", "alert")
"""What is read first. While a process dispatches it is enough: its report says what the belief
rests on."""

SIGNALS = ("reading", "minute", "usage")
"""What is also read while no process dispatches."""

NOTHING_DISPATCHES = (
    "Nothing is being dispatched. This is what the records say; the verdict is a first call's."
)


class CapacityView:
    def __init__(
        self,
        *,
        store: CapacityStore,
        backends: Sequence[Backend],
        fresh_controller: Callable[[str], Controller],
        terms: Terms,
        clock: Clock,
    ) -> None:
        """`fresh_controller` makes a controller of a deployment that has seen no signal yet."""
        self._store = store
        kinds = {kind: [one for one in backends if one.kind is kind] for kind in BackendKind}
        self._deployments = {one.name: one for one in kinds[BackendKind.PROVISIONED]}
        self._targets = {one.name: one for one in kinds[BackendKind.PAY_AS_YOU_GO]}
        self._fresh_controller = fresh_controller
        self._terms = terms
        self._clock = clock

    async def all(self) -> JsonObject:
        """Every configured deployment. Raises AppError."""
        provisioned = await asyncio.gather(*map(self._provisioned, self._deployments.values()))
        targets = map(self._target, self._targets.values())
        return {"object": "list", "data": [*provisioned, *targets]}

    async def one(self, name: str) -> JsonObject:
        """Raises AppError."""
        if name in self._deployments:
            return await self._provisioned(self._deployments[name])
        if name in self._targets:
            return self._target(self._targets[name])
        raise AppError(
            "There is no such deployment in the settings, which name: "
            f"{', '.join([*self._deployments, *self._targets])}.",
            status=404,
            param="deployment",
            code="deployment_not_found",
        )

    async def _provisioned(self, deployment: Backend) -> JsonObject:
        records = CapacityRecords()
        await self._read(records, deployment.name, TOLD)
        now = self._clock.now()
        told = records.told(now=now)
        if not told:
            await self._read(records, deployment.name, SIGNALS)
        report = (
            max(told, key=lambda one: one.at)
            if told
            else self._believed(deployment.name, records, now=now)
        )
        verdicts = {hub: _spoken_of(hub, told or [report], records.leases) for hub in HUBS}
        alerts = [alert for alert in records.alerts if alert.is_active(now=now)]
        learned = records.learned
        return {
            "object": "capacity",
            "deployment": deployment.name,
            "kind": "provisioned",
            "model": deployment.model,
            "ptus": deployment.ptus,
            "work_per_second": round(deployment.work_per_second, 1),
            "spillover": deployment.spillover,
            "at": iso_time(now),
            "dispatching": report.dispatching,
            "detail": None if report.dispatching else NOTHING_DISPATCHES,
            "belief": belief_shown(report, now=now),
            "readings": [reading_shown(one, now=now) for one in report.belief.provenance],
            "leases": [lease_shown(one, now=now) for one in records.leases],
            "verdict": {
                hub: None if found is None else verdict_shown(*found, now=now)
                for hub, found in verdicts.items()
            },
            "learned": None
            if learned is None
            else learned_shown(learned, ptus=deployment.ptus or 0, now=now),
            "alerts": list(map(alert_shown, alerts)),
            "what_would_change_it": what_would_change(
                report,
                verdicts=[one for _, one in filter(None, verdicts.values())],
                leases=[one.lease for one in records.leases],
                alerts=alerts,
                terms=self._terms,
                now=now,
                time=iso_time,
            ),
        }

    def _target(self, target: Backend) -> JsonObject:
        return {
            "object": "capacity",
            "deployment": target.name,
            "kind": "pay_as_you_go",
            "model": target.model,
            "tokens_per_minute": target.tokens_per_minute,
            "requests_per_minute": target.requests_per_minute,
            "spillover_of": [
                one.name for one in self._deployments.values() if one.spillover == target.name
            ],
        }

    async def _read(self, records: CapacityRecords, deployment: str, kinds: Sequence[str]) -> None:
        try:
            found = await self._store.changed(deployment, since=0.0, kinds=kinds)
        except DependencyUnavailable as error:
            raise dependency_unavailable(error) from None
        for record in found:
            records.take(record)

    def _believed(self, deployment: str, records: CapacityRecords, *, now: float) -> BeliefReport:
        """The belief of a process that would start to dispatch now."""
        controller = self._fresh_controller(deployment)
        replay(controller, records.signals, now=now)
        verdict = controller.ask(now=now, work=0.0, priority="normal")
        return BeliefReport(
            deployment=deployment,
            worker="",
            at=now,
            belief=controller.belief(now=now),
            in_flight=0,
            hubs=tuple(HubReport(hub=hub, verdict=verdict, waiting=0) for hub in HUBS),
            dispatching=False,
        )


def _spoken_of(
    hub: str, reports: Sequence[BeliefReport], leases: Sequence[HeldLease]
) -> tuple[BeliefReport, HubReport] | None:
    """The report on a hub from the holder of its lease, else the newest one."""
    holder = next((one.lease.holder for one in leases if one.lease.hub == hub), "")
    spoken = [(report, one) for report in reports if (one := report.hub(hub)) is not None]
    return max(spoken, key=lambda one: (one[0].worker == holder, one[0].at), default=None)
