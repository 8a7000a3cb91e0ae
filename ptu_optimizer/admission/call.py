"""The one call that a permit allows, and what its result says of the deployment.

The result goes to the gate as a reading, ends the permit with its cost, and is passed on to the
other listeners.
"""

from __future__ import annotations

from collections.abc import Sequence

from ptu_optimizer.backends.call_record import CallListener, CallRecord
from ptu_optimizer.capacity.signals.reading import InvalidReading, Reading, ReadingKind
from ptu_optimizer.clock import Clock
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.model_calls import (
    CallResult,
    ModelCaller,
    Rejected,
    Success,
    Throttled,
    Transient,
)
from ptu_optimizer.telemetry import logger

from .gated_deployment import GatedDeployment
from .permits import Ending, Permit

_log = logger("lane")

_CONFIGURATION = frozenset({401, 403, 404})
"""Refusals that are about the settings, not about the request."""

_MAY_STILL_RUN = frozenset({None, 408, 502, 504})
"""After a time-out, or an answer that only says that a gateway had none, the call may still be
running, so its reservation stays. Any other error ended it; the work that it did before it failed
is not reported, and shows up in the metric."""

SPILLED_PAUSE_SECONDS = 1.0
"""How long a deployment counts as full after Azure spilled one of its calls over. That was a
429, but its `retry-after` does not reach us."""


class GatedCalls:
    """Makes the calls that gates have admitted."""

    def __init__(
        self,
        *,
        caller: ModelCaller,
        listeners: Sequence[CallListener],
        clock: Clock,
        worker: str,
    ) -> None:
        """`listeners` are called after the gate. `worker` is the source of the readings."""
        self._caller = caller
        self._listeners = listeners
        self._clock = clock
        self._worker = worker

    def of(self, target: GatedDeployment, permit: Permit) -> GatedCall:
        return GatedCall(
            target=target,
            permit=permit,
            caller=self._caller,
            listeners=self._listeners,
            clock=self._clock,
            worker=self._worker,
        )


class GatedCall:
    """One call, which is also its own first listener. The code that awaits it need not know of
    its gate, its permit or the other listeners."""

    def __init__(
        self,
        *,
        target: GatedDeployment,
        permit: Permit,
        caller: ModelCaller,
        listeners: Sequence[CallListener],
        clock: Clock,
        worker: str,
    ) -> None:
        self._target = target
        self._permit = permit
        self._caller = caller
        self._listeners = listeners
        self._clock = clock
        self._worker = worker

    async def __call__(
        self, body: JsonObject, *, call_id: str, timeout_seconds: float
    ) -> CallResult:
        """Call once, and pass the result to all listeners. Raises nothing for what a service
        can do."""
        result = await self._caller.complete(
            deployment=self._target.deployment,
            body=body,
            call_id=call_id,
            timeout_seconds=timeout_seconds,
        )
        call = CallRecord(
            backend=self._target.deployment,
            body=body,
            result=result,
            ended_at=self._clock.now(),
        )
        for listener in (self, *self._listeners):
            listener.ended(call)
        return result

    def ended(self, call: CallRecord) -> None:
        """Pass the reading to the gate, and end the permit."""
        result = call.result
        self._read(result, call.ended_at)
        trouble = _trouble(result)
        self._permit.end(
            Ending(
                used=self._used(result),
                refused=isinstance(result, Throttled) or result.spilled_from is not None,
                answered=trouble is None,
                trouble=trouble,
            )
        )

    def _read(self, result: CallResult, at: float) -> None:
        target = self._target
        if result.spilled_from is not None:
            _log.warning(
                "Azure spilled a queued call over to pay-as-you-go; take spilloverDeploymentName "
                "off its deployment, or give the queue one without it",
                extra={"deployment": target.deployment, "served_by": result.served_by},
            )
            self._observe(ReadingKind.THROTTLED, 1.0, at, until=at + SPILLED_PAUSE_SECONDS)
        elif isinstance(result, Throttled):
            self._observe(ReadingKind.THROTTLED, 1.0, at, until=at + result.retry_after_seconds)
        elif target.tokens_per_minute is not None:
            if result.tokens_left is not None:
                left = result.tokens_left / target.tokens_per_minute
                self._observe(ReadingKind.LEVEL, max(0.0, 1.0 - left), at)
        elif result.utilization is not None:
            self._observe(ReadingKind.LEVEL, result.utilization, at)

    def _used(self, result: CallResult) -> float | None:
        """The work that it cost this deployment; None if that is not known."""
        if result.spilled_from is not None or isinstance(result, Throttled | Rejected):
            return 0.0
        if isinstance(result, Transient) and result.status not in _MAY_STILL_RUN:
            return 0.0
        if not isinstance(result, Success) or result.usage is None:
            return None
        return self._target.model.work(
            prompt_tokens=result.usage.prompt_tokens,
            cached_tokens=result.usage.cached_tokens,
            output_tokens=result.usage.completion_tokens,
        )

    def _observe(
        self, kind: ReadingKind, value: float, at: float, until: float | None = None
    ) -> None:
        try:
            reading = Reading(
                deployment=self._target.deployment,
                kind=kind,
                value=value,
                source=self._worker,
                observed_at=at,
                span=max(0.0, at - self._permit.at) if kind is ReadingKind.LEVEL else 0.0,
                until=until,
            )
        except InvalidReading as error:
            _log.warning("an invalid utilization header", extra={"reason": str(error)})
            return
        self._target.gate.told(reading)


def _trouble(result: CallResult) -> str | None:
    """Why the next call would fail as well: an outage, a wrong key or role, no such deployment."""
    match result:
        case Transient():
            return result.why
        case Rejected() if result.status in _CONFIGURATION:
            return f"the deployment answered {result.status}; check its key, role and name"
    return None
