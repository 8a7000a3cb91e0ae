"""The use cases of the queue: intake, status, dispatch and sweep."""

from __future__ import annotations

from functools import cached_property

from ptu_optimizer.admission.call import GatedCalls
from ptu_optimizer.coordination.exchange import CapacityExchange
from ptu_optimizer.errors import BodyLimit
from ptu_optimizer.requests.dispatch.attempt import Attempts
from ptu_optimizer.requests.dispatch.dispatcher import Dispatcher
from ptu_optimizer.requests.dispatch.handler import RequestHandler
from ptu_optimizer.requests.dispatch.rescheduling import PublishedMemory
from ptu_optimizer.requests.intake.call_body import CallLimits
from ptu_optimizer.requests.intake.first_events import FirstEvents
from ptu_optimizer.requests.intake.group_record import GroupPromises
from ptu_optimizer.requests.intake.intake import Intake
from ptu_optimizer.requests.intake.validation import ItemRules
from ptu_optimizer.requests.ledger.outcomes import OutcomeWriter
from ptu_optimizer.requests.status.cancel import Cancellation
from ptu_optimizer.requests.status.flow_reports import FlowReports
from ptu_optimizer.requests.status.lookup import RequestLookup
from ptu_optimizer.requests.status.projection import Projections
from ptu_optimizer.requests.status.status import RequestStatus
from ptu_optimizer.requests.sweep.republish import Republisher
from ptu_optimizer.requests.sweep.spill_waiting import SpillWaiting
from ptu_optimizer.requests.sweep.sweep import Sweep
from ptu_optimizer.requests.sweep.watermark import Watermark

from .capacity import CapacityUseCases

SWEEP_PAUSE_SECONDS = 60.0
"""First interval between two looks at a group, and between two publications; both grow."""


class QueueUseCases(CapacityUseCases):
    """The life of a queued request."""

    @cached_property
    def intake(self) -> Intake:
        s = self.settings
        return Intake(
            promises=GroupPromises(
                ids=self._ids,
                groups=self._services.groups,
                blobs=self._services.blobs,
                clock=self._clock,
                timing=self._timing,
                hub_retention_seconds=s.hub_retention_seconds,
            ),
            first_events=FirstEvents(
                publisher=self._services.hubs, urgency=self._urgency, clock=self._clock
            ),
            rules=ItemRules(
                deployments=frozenset(b.name for b in s.provisioned),
                default_deployment=s.provisioned[0].name,
                default_deadline_seconds=s.default_deadline_seconds,
                longest_deadline_seconds=s.hub_retention_seconds,
                spills_over=frozenset(b.name for b in s.provisioned if b.spillover),
            ),
            limits=CallLimits(
                max_items=s.max_items, body=BodyLimit(s.max_body_bytes, "MAX_BODY_BYTES")
            ),
            clock=self._clock,
        )

    @cached_property
    def status(self) -> RequestStatus:
        return RequestStatus(
            lookup=self._lookup,
            blobs=self._services.blobs,
            projections=Projections(
                store=self._services.capacity,
                deployments=[b.name for b in self.settings.provisioned],
                clock=self._clock,
            ),
            clock=self._clock,
            timing=self._timing,
        )

    @cached_property
    def cancellation(self) -> Cancellation:
        return Cancellation(
            lookup=self._lookup,
            status=self.status,
            ledger=self._ledger,
            clock=self._clock,
            timing=self._timing,
        )

    @cached_property
    def _lookup(self) -> RequestLookup:
        return RequestLookup(
            ids=self._ids,
            groups=self._services.groups,
            ledger=self._ledger,
            clock=self._clock,
        )

    @cached_property
    def dispatcher(self) -> Dispatcher:
        s = self.settings
        outcomes = OutcomeWriter(
            ledger=self._ledger,
            blobs=self._services.blobs,
            publisher=self._services.hubs,
            clock=self._clock,
            timing=self._timing,
        )
        memory = PublishedMemory(clock=self._clock, timing=self._timing)
        flows = FlowReports(store=self._services.capacity, clock=self._clock, worker=self._worker)
        handler = RequestHandler(
            targets=self._targets,
            calls=GatedCalls(
                caller=self._services.caller,
                listeners=(self._services.estimator,),
                clock=self._clock,
                worker=self._worker,
            ),
            attempts=Attempts(
                ledger=self._ledger,
                outcomes=outcomes,
                clock=self._clock,
                timing=self._timing,
                max_failures=s.max_failures,
                worker=self._worker,
            ),
            outcomes=outcomes,
            ledger=self._ledger,
            bodies=self._bodies,
            estimator=self._services.estimator,
            memory=memory,
            clock=self._clock,
            timing=self._timing,
            urgency=self._urgency,
            flows=flows,
        )
        return Dispatcher(
            ids=self._ids,
            handler=handler,
            outcomes=outcomes,
            estimator=self._services.estimator,
            publisher=self._services.hubs,
            memory=memory,
            exchange=CapacityExchange(
                gates={name: target.gate for name, target in self._targets.items()},
                store=self._services.capacity,
                clock=self._clock,
                worker=self._worker,
                interval_seconds=s.reading_exchange_seconds,
            ),
            flows=flows,
            clock=self._clock,
            timing=self._timing,
        )

    @cached_property
    def sweep(self) -> Sweep:
        republisher = Republisher(
            groups=self._services.groups,
            store=self._services.ledger,
            blobs=self._services.blobs,
            publisher=self._services.hubs,
            clock=self._clock,
        )
        return Sweep(
            ids=self._ids,
            groups=self._services.groups,
            ledger=self._ledger,
            republisher=republisher,
            spill_waiting=SpillWaiting(urgency=self._urgency, again=republisher),
            watermark=Watermark(
                groups=self._services.groups,
                hubs=self._services.hubs,
                publisher=self._services.hubs,
                clock=self._clock,
                timing=self._timing,
            ),
            clock=self._clock,
            timing=self._timing,
            longest_deadline_seconds=self.settings.hub_retention_seconds,
            pause_seconds=SWEEP_PAUSE_SECONDS,
        )
