"""The parts of `GET /capacity`, each as JSON. A value that is not a finite number becomes null."""

from __future__ import annotations

import math

from ptu_optimizer.capacity.control.verdict import Wait
from ptu_optimizer.capacity.estimate.belief import Provenance
from ptu_optimizer.capacity.signals.alert import Alert
from ptu_optimizer.capacity.signals.learned import Learned
from ptu_optimizer.clock import iso_time
from ptu_optimizer.coordination.belief_report import BeliefReport, HubReport
from ptu_optimizer.coordination.records import HeldLease
from ptu_optimizer.ports.documents import JsonObject


def belief_shown(report: BeliefReport, *, now: float) -> JsonObject:
    belief, since = report.belief, max(0.0, now - report.at)
    return {
        "level": _rounded(belief.value),
        "others_load": _rounded(belief.others),
        "basis": belief.source,
        "age_seconds": _rounded(belief.age + since),
        "fresh": belief.fresh,
        "in_flight": report.in_flight,
        **_told_by(report, now=now),
    }


def reading_shown(one: Provenance, *, now: float) -> JsonObject:
    return {
        "kind": one.kind,
        "source": one.source,
        "value": _rounded(one.value),
        "observed_at": iso_time(one.observed_at),
        "age_seconds": _age(one.observed_at, now=now),
        "weight": one.weight,
    }


def verdict_shown(report: BeliefReport, one: HubReport, *, now: float) -> JsonObject:
    verdict = one.verdict
    closed, retry_at = (
        (verdict.blocked, verdict.retry_at) if isinstance(verdict, Wait) else (False, None)
    )
    return {
        "verdict": "wait" if isinstance(verdict, Wait) else "admit",
        "why": verdict.why,
        "closed": closed,
        "retry_at": None if retry_at is None else iso_time(retry_at),
        "waiting": one.waiting,
        **_told_by(report, now=now),
    }


def lease_shown(held: HeldLease, *, now: float) -> JsonObject:
    lease = held.lease
    return {
        "hub": lease.hub,
        "holder": lease.holder or None,
        "held": held.is_held(now=now),
        "since": iso_time(lease.since),
        "waiting": lease.waiting,
        "successor": lease.successor or None,
        "handover_at": iso_time(lease.handover_at) if lease.successor else None,
        "age_seconds": None if held.written_at is None else _age(held.written_at, now=now),
    }


def learned_shown(learned: Learned, *, ptus: int, now: float) -> JsonObject:
    refused_at = learned.others_refused_at
    return {
        "drain_factor": _rounded(learned.drain),
        "drain_ptus": round(learned.drain * ptus, 1),
        "event_gain": _rounded(learned.event_gain),
        "used_share": _rounded(learned.used_share),
        "usual_load": _rounded(learned.usual_load),
        "metric_meaning": learned.metric_meaning,
        "header_timing": "admission" if learned.header_at_admission else "completion",
        "depth_seconds": _rounded(learned.depth_seconds),
        "others_refused_at": iso_time(refused_at) if refused_at else None,
        "learned_by": learned.source,
        "learned_at": iso_time(learned.at),
        "age_seconds": _age(learned.at, now=now),
    }


def alert_shown(alert: Alert) -> JsonObject:
    return {
        "rule": alert.rule,
        "metric": alert.metric,
        "operator": alert.operator,
        "threshold": alert.threshold,
        "value": alert.value,
        "fired_at": iso_time(alert.fired_at),
        "observed_at": iso_time(alert.observed_at),
        "expires_at": iso_time(alert.expires_at),
    }


def _told_by(report: BeliefReport, *, now: float) -> JsonObject:
    return {
        "told_by": report.worker or None,
        "told_at": iso_time(report.at),
        "told_age_seconds": _age(report.at, now=now),
    }


def _age(at: float, *, now: float) -> float:
    return round(max(0.0, now - at), 3)


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)
