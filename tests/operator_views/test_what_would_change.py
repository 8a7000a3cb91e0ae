"""What would change a verdict, by what it rests on: the signal, the time or the setting to see."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from ptu_optimizer.capacity.control.verdict import Admit, Verdict, Wait
from ptu_optimizer.capacity.estimate.belief import Basis, Belief, Provenance
from ptu_optimizer.capacity.signals.alert import Alert
from ptu_optimizer.capacity.signals.alert_schema import Condition
from ptu_optimizer.coordination.belief_report import BeliefReport, HubReport
from ptu_optimizer.coordination.send_lease import SendLease
from ptu_optimizer.operator_views.what_would_change import Terms, what_would_change

NOW = 1_000.0
TERMS = Terms(
    lower=0.2,
    upper=0.8,
    limits_setting=None,
    max_concurrent_calls=64,
    header_ttl_seconds=15,
    metric_ttl_seconds=300,
)
ROOM = Admit("there is room")


def signal(kind: str, *, age: float) -> Provenance:
    return Provenance(kind=kind, source="s", value=None, observed_at=NOW - age, weight=1.0)


def belief(basis: Basis, *signals: Provenance, level: float = 0.05, others: float = 0.1) -> Belief:
    known = basis is not Basis.NOTHING or bool(signals)
    return Belief(
        value=level if known else None,
        source=basis.value,
        age=1.0,
        fresh=basis is not Basis.NOTHING,
        others=others if known else None,
        provenance=signals,
    )


BY_HEADER = belief(Basis.HEADER, signal("level", age=1))


def said(
    held: Belief = BY_HEADER,
    *verdicts: Verdict,
    in_flight: int = 3,
    dispatching: bool = True,
    leases: Sequence[SendLease] = (),
    alerts: Sequence[Alert] = (),
    terms: Terms = TERMS,
) -> list[str]:
    hubs = tuple(HubReport(hub="requests", verdict=one, waiting=1) for one in verdicts or (ROOM,))
    report = BeliefReport(
        deployment="ptu",
        worker="me",
        at=NOW,
        belief=held,
        in_flight=in_flight,
        hubs=hubs,
        dispatching=dispatching,
    )
    return what_would_change(
        report,
        verdicts=hubs,
        leases=leases,
        alerts=alerts,
        terms=terms,
        now=NOW,
        time=lambda seconds: f"<{seconds:g}>",
    )


def alert(rule: str) -> Alert:
    return Alert(
        deployment="ptu",
        alert_id=rule,
        rule=rule,
        metric="",
        operator="GreaterThan",
        threshold=None,
        value=None,
        state=Condition.FIRED,
        fired_at=NOW - 60,
        resolved_at=None,
        observed_at=NOW - 60,
        expires_at=NOW + 600,
        description="",
    )


def lease(*, successor: str = "", handover_at: float = 0.0) -> SendLease:
    return SendLease(
        deployment="ptu",
        hub="requests",
        holder="me",
        serial=7,
        since=NOW - 50,
        successor=successor,
        handover_at=handover_at,
    )


# --- the basis ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        pytest.param(
            BY_HEADER,
            [
                "the next response with a utilization header, or none for 15 s (LIVE_TTL_SECONDS)",
                "usage events on hub usage: none seen",
            ],
            id="by header",
        ),
        pytest.param(
            belief(Basis.EVENTS, signal("usage", age=2), signal("level", age=40)),
            [
                "a response with a utilization header: the last is 40 s old",
                "the next usage event on hub usage, or none for 300 s",
            ],
            id="by usage events",
        ),
        pytest.param(
            belief(Basis.METRIC, signal("minute", age=100)),
            [
                "a response with a utilization header: none seen",
                "usage events on hub usage: none seen",
                "the next minute of Azure Monitor, or none for 300 s (METRIC_TTL_SECONDS)",
            ],
            id="by the metric",
        ),
        pytest.param(
            belief(Basis.NOTHING, signal("minute", age=700)),
            [
                "a response with a utilization header: none seen",
                "usage events on hub usage: none seen",
                "a minute of Azure Monitor that is not older than 300 s (METRIC_TTL_SECONDS): "
                "the last is 700 s old",
            ],
            id="by nothing",
        ),
    ],
)
def test_better_signals_are_named_best_first(held: Belief, expected: list[str]) -> None:
    assert said(held) == expected


def test_the_newest_of_a_kind_counts() -> None:
    held = belief(Basis.EVENTS, signal("level", age=90), signal("level", age=20))
    assert said(held)[0].endswith("20 s old")


# --- the verdict --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "first"),
    [
        pytest.param(
            Wait("429", blocked=True, retry_at=NOW + 5),
            "at <1005>, when the next call is considered again",
            id="a time to come",
        ),
        pytest.param(
            Wait("level", blocked=False, retry_at=NOW - 1),
            "any moment: the decision is re-evaluated continuously",
            id="a time that has come since it was told",
        ),
    ],
)
def test_the_time_of_a_verdict_is_named(verdict: Wait, first: str) -> None:
    assert said(BY_HEADER, verdict)[0] == first


@pytest.mark.parametrize("verdict", [ROOM, Wait("another's turn", blocked=False, retry_at=None)])
def test_a_verdict_without_a_time_names_none(verdict: Verdict) -> None:
    assert not any(sentence.startswith("at ") for sentence in said(BY_HEADER, verdict))


def test_what_holds_for_several_hubs_is_said_once() -> None:
    closed = Wait("429", blocked=True, retry_at=NOW + 5)
    sentences = said(BY_HEADER, closed, closed)
    assert len(sentences) == len(set(sentences))


@pytest.mark.parametrize(
    ("in_flight", "is_named"),
    [pytest.param(63, False, id="just below"), pytest.param(64, True, id="at the maximum")],
)
def test_the_most_calls_at_a_time_are_named_when_they_are_under_way(
    in_flight: int, is_named: bool
) -> None:
    sentences = said(in_flight=in_flight)
    assert any("MAX_CONCURRENT_CALLS" in sentence for sentence in sentences) is is_named


# --- the limits ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "says"),
    [
        pytest.param(0.2, None, id="at the lower limit"),
        pytest.param(0.21, "a level up to LOWER_LIMIT (20%)", id="just above it"),
        pytest.param(0.79, "a level up to LOWER_LIMIT (20%)", id="just below the upper one"),
        pytest.param(
            0.8, "a level below UPPER_LIMIT (80%), or the setting UPPER_LIMIT", id="at it"
        ),
        pytest.param(1.7, "a level below UPPER_LIMIT (80%)", id="above 100 %"),
    ],
)
def test_the_limits_are_named_where_they_hold_back(level: float, says: str | None) -> None:
    found = [one for one in said(belief(Basis.HEADER, level=level)) if "LIMIT" in one]
    if says is None:
        assert found == []
    else:
        assert says in found[0]


def test_by_the_metric_the_limits_are_about_the_others() -> None:
    held = belief(Basis.METRIC, signal("minute", age=90), level=0.0, others=0.9)
    assert "a load of the others below UPPER_LIMIT (80%), or the setting UPPER_LIMIT" in said(held)
    held = belief(Basis.METRIC, signal("minute", age=90), level=0.9, others=0.1)
    assert not any("LIMIT" in sentence for sentence in said(held))


def test_limits_of_a_priority_are_named_by_their_own_setting() -> None:
    terms = Terms(
        lower=0.1,
        upper=0.3,
        limits_setting="PRIORITY_LIMITS",
        max_concurrent_calls=64,
        header_ttl_seconds=15,
        metric_ttl_seconds=300,
    )
    sentences = said(belief(Basis.HEADER, level=0.5), terms=terms)
    assert "a level below the upper limit (30%), or the setting PRIORITY_LIMITS" in sentences


def test_of_nothing_no_limit_is_crossed() -> None:
    assert not any("LIMIT" in one for one in said(belief(Basis.NOTHING, level=math.inf)))


# --- turns, alerts, requests --------------------------------------------------------------------


def test_alerts_are_named_with_the_time_at_which_they_expire() -> None:
    sentences = said(alerts=[alert("full"), alert("refusals")])
    assert sentences[:2] == [
        "the alert full resolved, or expired at <1600>",
        "the alert refusals resolved, or expired at <1600>",
    ]


@pytest.mark.parametrize(
    ("held", "is_named"),
    [
        pytest.param(lease(), False, id="nobody is to follow"),
        pytest.param(lease(successor="next", handover_at=NOW + 3), True, id="announced"),
        pytest.param(lease(successor="next", handover_at=NOW - 3), False, id="over"),
    ],
)
def test_a_handover_is_named_while_it_is_ahead(held: SendLease, is_named: bool) -> None:
    sentence = "the turn of hub requests, which passes to next at <1003>"
    assert (sentence in said(leases=[held])) is is_named


def test_when_nothing_is_dispatched_a_request_would_change_that() -> None:
    assert "nothing is being dispatched now" in said(dispatching=False)[0]
    assert not any("dispatched" in sentence for sentence in said())
