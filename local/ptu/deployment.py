"""What both kinds of deployment share. Pure: ``now`` (seconds) is always an argument.

Usable in virtual time: ``arrive`` gives a verdict, ``timing`` says how long an admitted call
takes, ``complete`` ends it. What happened is in ``counters`` and ``minutes``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from random import Random
from typing import TypedDict

from local.ptu.calls import Admitted, Refused, Traffic
from local.ptu.counters import CallCounters
from local.ptu.latency import LatencyModel, Timing
from local.ptu.minutes import MinuteRecord, MinuteRecords

__all__ = ["DEFAULT_OUTPUT_ESTIMATE", "Common", "Deployment"]

DEFAULT_OUTPUT_ESTIMATE = 1_000
"""Output tokens reserved for a call without ``max_tokens``. Azure estimates a value too but does
not say which (docs/platform.md, "Provisioned deployments")."""


class Common(TypedDict, total=False):
    """What a deployment of either kind may be given, and need not be."""

    model: str
    output_estimate: int
    latency: LatencyModel | None
    seed: int


class Deployment(ABC):
    """Verdict, latency, counters and one-minute records; subclasses reserve and correct."""

    def __init__(
        self,
        *,
        name: str,
        output_ratio: float,
        model: str = "gpt-4.1",
        output_estimate: int = DEFAULT_OUTPUT_ESTIMATE,
        latency: LatencyModel | None = None,
        seed: int = 1,
    ) -> None:
        self.name = name
        self.model = model
        self.output_ratio = output_ratio
        self.output_estimate = output_estimate
        self.latency = latency or LatencyModel()
        self.counters = CallCounters()
        self.minutes = MinuteRecords()
        self._random = Random(seed)
        self._epoch = 0

    def arrive(
        self,
        *,
        now: float,
        prompt_tokens: int,
        max_tokens: int | None = None,
        cached_tokens: int = 0,
        traffic: Traffic = Traffic.INTERACTIVE,
        request_id: str | None = None,
        spillover: bool = False,
    ) -> Admitted | Refused:
        """The verdict on a call, and on ``Admitted`` its reservation.

        A caller that knows its output (a trace) passes it as ``max_tokens`` and so reserves
        exactly. ``spillover`` marks a call that another deployment refused.
        """
        output = self.output_estimate if max_tokens is None else max_tokens
        call = Admitted(
            now, prompt_tokens, cached_tokens, output, traffic, request_id, spillover, self._epoch
        )
        counters = self.counters.of(traffic)
        retry_after_ms = self._admit(call, now)
        if retry_after_ms:
            # A spilled call was counted where it was refused first; once a call is enough.
            counters.refused += not spillover
            self._record_request(now, 429, spillover)
            return Refused(retry_after_ms)
        counters.in_flight += 1
        return call

    def timing(self, call: Admitted, *, output_tokens: int) -> Timing:
        """How long an admitted call takes; asked once a call, because jitter is drawn here."""
        return self.latency.timing(
            uncached_prompt_tokens=call.prompt_tokens - call.cached_tokens,
            output_tokens=output_tokens,
            level=call.level_at_arrival,
            random=self._random,
        )

    def complete(
        self, call: Admitted, *, now: float, output_tokens: int, abandoned: bool = False
    ) -> None:
        """End an admitted call as served, correcting its reservation to what it used.

        ``abandoned``: its client had gone. Azure finishes and bills such a call all the same.
        """
        if call.completed:
            raise ValueError("a call is completed once")
        call.completed = True
        if call.epoch != self._epoch:
            return
        self._correct(call, now, output_tokens)
        counters = self.counters.of(call.traffic)
        counters.in_flight -= 1
        counters.served += 1
        counters.abandoned += abandoned
        counters.prompt_tokens += call.prompt_tokens
        counters.cached_tokens += call.cached_tokens
        counters.output_tokens += output_tokens
        counters.work += self.work_of(call, output_tokens)
        if call.request_id is not None:
            self.counters.times_served[call.request_id] += 1
        record = self._record_request(now, 200, call.spillover)
        record.calls += 1
        record.prompt_tokens += call.prompt_tokens
        record.cached_tokens += call.cached_tokens
        record.generated_tokens += output_tokens

    def fail(self, *, now: float, status: int, traffic: Traffic) -> None:
        """Count a call that was answered with an error and never admitted; 429 is a refusal."""
        self.advance(now)
        counters = self.counters.of(traffic)
        if status == 429:
            counters.refused += 1
        else:
            counters.failed += 1
        self._record_request(now, status, False)

    def spilled(self, *, now: float, status: int, traffic: Traffic) -> None:
        """Mark a call, answered with ``status`` at ``now``, as served by another deployment.

        Azure still counts the answer here ("they still generate 429 response codes on the
        provisioned deployment") and its IsSpillover split shows "the requests to your deployment
        that are being redirected" (spillover-traffic-management, 03/2026).
        """
        self.counters.of(traffic).spilled_over += 1
        requests = self.minutes.at(now).requests
        requests[status, False] -= 1
        if not requests[status, False]:
            del requests[status, False]
        requests[status, True] = requests.get((status, True), 0) + 1

    def work_of(self, call: Admitted, output_tokens: int) -> float:
        """The work of a call with that output, in input-equivalent tokens."""
        return call.prompt_tokens - call.cached_tokens + self.output_ratio * output_tokens

    def reset(self, *, now: float) -> None:
        """Forget what happened. Calls in flight are no longer counted, nor corrected."""
        self._epoch += 1
        self.counters = CallCounters()
        self.minutes = MinuteRecords()

    @abstractmethod
    def advance(self, now: float) -> None:
        """Bring the one-minute records up to ``now``."""

    @abstractmethod
    def _admit(self, call: Admitted, now: float) -> int:
        """Reserve and return 0, or return the milliseconds after which to ask again."""

    @abstractmethod
    def _correct(self, call: Admitted, now: float, output_tokens: int) -> None:
        """Put what was used in the place of what was reserved."""

    def _record_request(self, now: float, status: int, spillover: bool) -> MinuteRecord:
        record = self.minutes.at(now)
        key = (status, spillover)
        record.requests[key] = record.requests.get(key, 0) + 1
        return record
