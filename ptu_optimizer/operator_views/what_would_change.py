"""What would change a verdict or a belief, in words for an operator. Pure.

Derived from the basis of the belief, so that it names the signal, the time or the setting to
look at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ptu_optimizer.capacity.control.verdict import Wait
from ptu_optimizer.capacity.estimate.belief import Basis, Belief
from ptu_optimizer.capacity.estimate.event_load import EVENTS_SILENT_SECONDS
from ptu_optimizer.capacity.signals.alert import Alert
from ptu_optimizer.capacity.signals.reading import ReadingKind
from ptu_optimizer.coordination.belief_report import BeliefReport, HubReport
from ptu_optimizer.coordination.send_lease import SendLease


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """The settings that a verdict depends on."""

    lower: float
    """LOWER_LIMIT of normal priority, 1.0 is 100 %."""
    upper: float
    limits_setting: str | None
    """Where these two come from, if not from LOWER_LIMIT and UPPER_LIMIT."""
    max_concurrent_calls: int
    header_ttl_seconds: float
    metric_ttl_seconds: float


def what_would_change(
    report: BeliefReport,
    *,
    verdicts: Sequence[HubReport],
    leases: Iterable[SendLease],
    alerts: Iterable[Alert],
    terms: Terms,
    now: float,
    time: Callable[[float], str],
) -> list[str]:
    """`verdicts` are those that are shown. `time` formats epoch seconds."""
    sentences = [
        *_requests(report),
        *(
            f"the alert {alert.rule} resolved, or expired at {time(alert.expires_at)}"
            for alert in alerts
        ),
        *_times(verdicts, now=now, time=time),
        *_calls(report, terms),
        *_limits(report.belief, terms),
        *(
            f"the turn of hub {lease.hub}, which passes to {lease.successor} at "
            f"{time(lease.handover_at)}"
            for lease in leases
            if lease.successor and lease.handover_at > now
        ),
        *_signals(report.belief, terms, now=now),
    ]
    return list(dict.fromkeys(sentences))


def _requests(report: BeliefReport) -> Iterator[str]:
    if not report.dispatching:
        yield "a request in one of the hubs: nothing is being dispatched now"


def _times(
    verdicts: Iterable[HubReport], *, now: float, time: Callable[[float], str]
) -> Iterator[str]:
    for verdict in (one.verdict for one in verdicts):
        if isinstance(verdict, Wait) and verdict.retry_at is not None:
            if verdict.retry_at > now:
                yield f"at {time(verdict.retry_at)}, when the next call is considered again"
            else:
                yield "any moment: the decision is re-evaluated continuously"


def _calls(report: BeliefReport, terms: Terms) -> Iterator[str]:
    if report.in_flight >= terms.max_concurrent_calls:
        yield (
            f"the end of one of the {report.in_flight} calls under way, or the setting "
            "MAX_CONCURRENT_CALLS"
        )


def _limits(belief: Belief, terms: Terms) -> Iterator[str]:
    # where only minutes are known, the limits apply to the load of the others
    what, utilization = (
        ("load of the others", belief.others)
        if belief.source == Basis.METRIC
        else ("level", belief.value)
    )
    if utilization is None or belief.source == Basis.NOTHING:
        return
    lower, upper = (
        ("the lower limit", "the upper limit")
        if terms.limits_setting
        else ("LOWER_LIMIT", "UPPER_LIMIT")
    )
    setting = f"the setting {terms.limits_setting or upper}"
    if utilization >= terms.upper:
        yield f"a {what} below {upper} ({terms.upper:.0%}), or {setting}"
    elif utilization > terms.lower:
        yield (
            f"a {what} up to {lower} ({terms.lower:.0%}): above it fewer calls go at a time, from "
            f"{upper} ({terms.upper:.0%}) on none"
        )


def _signals(belief: Belief, terms: Terms, *, now: float) -> Iterator[str]:
    """The signals that would give a better belief, best first, down to the one that it rests
    on."""
    header, events, minute = (
        _last(belief, kind, now=now) for kind in (ReadingKind.LEVEL.value, "usage", "minute")
    )
    if belief.source == Basis.HEADER:
        ttl = f"{terms.header_ttl_seconds:g} s (LIVE_TTL_SECONDS)"
        yield f"the next response with a utilization header, or none for {ttl}"
    else:
        yield f"a response with a utilization header: {header}"
    if belief.source == Basis.EVENTS:
        yield f"the next usage event on hub usage, or none for {EVENTS_SILENT_SECONDS:g} s"
    else:
        yield f"usage events on hub usage: {events}"
    ttl = f"{terms.metric_ttl_seconds:g} s (METRIC_TTL_SECONDS)"
    if belief.source == Basis.METRIC:
        yield f"the next minute of Azure Monitor, or none for {ttl}"
    elif belief.source == Basis.NOTHING:
        yield f"a minute of Azure Monitor that is not older than {ttl}: {minute}"


def _last(belief: Belief, kind: str, *, now: float) -> str:
    seen = [one.observed_at for one in belief.provenance if one.kind == kind]
    return f"the last is {max(0.0, now - max(seen)):.0f} s old" if seen else "none seen"
