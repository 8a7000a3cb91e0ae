"""What `GET /capacity` shows: the newest word of who sends, or what the records alone say."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import replace
from typing import Any

import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.backends.backend import BackendKind
from ptu_optimizer.capacity.control.controller import Controller
from ptu_optimizer.capacity.control.verdict import Admit, Verdict, Wait
from ptu_optimizer.capacity.estimate.belief import Belief, Provenance
from ptu_optimizer.capacity.signals.alert import Alert
from ptu_optimizer.capacity.signals.alert_schema import Condition
from ptu_optimizer.capacity.signals.learned import Learned
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.capacity.signals.usage import UsageWindow, UsageWindows
from ptu_optimizer.coordination.belief_report import REPORT_FRESH_SECONDS, BeliefReport, HubReport
from ptu_optimizer.coordination.send_lease import LEASE_SECONDS, SendLease
from ptu_optimizer.errors import AppError
from ptu_optimizer.operator_views.capacity import (
    SIGNALS,
    TOLD,
    CapacityView,
)
from ptu_optimizer.operator_views.what_would_change import Terms
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import HUBS, REQUESTS, REQUESTS_LATER, REQUESTS_SOON
from tests.support.backends import backend
from tests.support.controllers import RATE, level_controller
from tests.support.stores import FakeCapacity

TERMS = Terms(
    lower=0.2,
    upper=0.8,
    limits_setting=None,
    max_concurrent_calls=64,
    header_ttl_seconds=15,
    metric_ttl_seconds=300,
)
HEADER = Provenance(kind="level", source="host-1", value=0.0712, observed_at=EPOCH - 2, weight=1.0)
KNOWN = Belief(
    value=0.0712, source="header", age=0.5, fresh=True, others=0.42, provenance=(HEADER,)
)
ROOM = Admit("0.7 s of work are in the deployment, by header")


def report(
    worker: str = "host-1",
    *,
    age: float = 1.5,
    belief: Belief = KNOWN,
    dispatching: bool = True,
    **verdicts: Verdict,
) -> BeliefReport:
    """`verdicts` by hub, their names with underscores."""
    return BeliefReport(
        deployment="ptu",
        worker=worker,
        at=EPOCH - age,
        belief=belief,
        in_flight=3,
        hubs=tuple(
            HubReport(hub=name.replace("_", "-"), verdict=verdict, waiting=9)
            for name, verdict in (verdicts or {"requests": ROOM}).items()
        ),
        dispatching=dispatching,
    )


def lease(holder: str = "host-1", *, hub: str = REQUESTS, **changes: Any) -> SendLease:
    values: dict[str, Any] = {"waiting": 9, "successor": "", "handover_at": 0.0, **changes}
    return SendLease(deployment="ptu", hub=hub, holder=holder, serial=4, since=EPOCH - 30, **values)


def alert(rule: str = "ptu-is-full", **changes: Any) -> Alert:
    values: dict[str, Any] = {
        "value": 0.97,
        "state": Condition.FIRED,
        "resolved_at": None,
        "expires_at": EPOCH + 600,
        **changes,
    }
    return Alert(
        deployment="ptu",
        alert_id=rule,
        rule=rule,
        metric="AzureOpenAIProvisionedManagedUtilizationV2",
        operator="GreaterThan",
        threshold=0.9,
        fired_at=EPOCH - 120,
        observed_at=EPOCH - 120,
        description="",
        **values,
    )


LEARNED = Learned(
    deployment="ptu",
    source="host-1",
    at=EPOCH - 5,
    drain=0.9,
    event_gain=1.1,
    used_share=0.55,
    usual_load=0.4,
    metric_meaning="load",
    header_at_admission=True,
    depth_seconds=None,
    others_refused_at=EPOCH - 65,
)


def events(load: float, *, seconds: float = 30.0) -> list[JsonObject]:
    """Records of interactive calls, each two seconds late."""
    work = load * RATE / 2
    first = 2 * (EPOCH - seconds - 2)
    return [
        {
            **UsageWindows(
                deployment="ptu",
                record_id=f"usage:0:{number}",
                source="usage:0",
                ours=False,
                windows=(UsageWindow(start=number / 2, reserved=work, used=work),),
            ).record(ttl_seconds=120),
            "_ts": math.floor(number / 2 + 2.5),
        }
        for number in range(int(first), int(first + 2 * seconds))
    ]


class Store(FakeCapacity):
    """Remembers what it was asked for."""

    def __init__(self, *records: JsonObject, away: bool = False) -> None:
        super().__init__(away=away)
        self.asked: list[tuple[str, ...]] = []
        for record in records:
            self.records[record["deployment"], record["id"]] = record

    async def changed(self, deployment: str, *, since: float, kinds: Any = None) -> Any:
        self.asked.append(tuple(kinds))
        return await super().changed(deployment, since=since, kinds=kinds)


def view_of(store: FakeCapacity) -> CapacityView:
    def fresh_controller(deployment: str) -> Controller:
        return level_controller(source="the view", deployment=deployment)

    return CapacityView(
        store=store,
        backends=[
            *(
                backend(name, ptus=50, spillover=spillover)
                for name, spillover in (("ptu", "payg"), ("alert", None))
            ),
            backend("payg", kind=BackendKind.PAY_AS_YOU_GO, tokens_per_minute=100_000),
        ],
        fresh_controller=fresh_controller,
        terms=TERMS,
        clock=VirtualClock(),
    )


async def shown(*records: JsonObject | BeliefReport | SendLease | Alert | Learned) -> JsonObject:
    return await view_of(Store(*map(stored, records))).one("ptu")


def stored(one: JsonObject | BeliefReport | SendLease | Alert | Learned) -> JsonObject:
    match one:
        case BeliefReport() | Alert():
            return one.record(ttl_seconds=60)
        case SendLease():
            return {**one.record(), "_ts": int(EPOCH) - 2}
        case Learned():
            return one.record(record_id="learned", ttl_seconds=60)
    return one


def assert_is_json(found: Any) -> None:
    """No NaN and no infinity: strict JSON has neither."""
    json.dumps(found, allow_nan=False)


# --- while a process dispatches -----------------------------------------------------------------


@in_virtual_time
async def test_the_belief_of_who_dispatches_is_shown_with_its_age() -> None:
    found = await shown(report())
    assert found["object"] == "capacity"
    assert (found["deployment"], found["model"], found["ptus"]) == ("ptu", "gpt-4.1", 50)
    assert found["work_per_second"] == 2_500.0
    assert found["dispatching"] is True
    assert found["detail"] is None
    assert found["belief"] == {
        "level": 0.0712,
        "others_load": 0.42,
        "basis": "header",
        "age_seconds": 2.0,
        "fresh": True,
        "in_flight": 3,
        "told_by": "host-1",
        "told_at": "2027-01-15T07:59:58.500+00:00",
        "told_age_seconds": 1.5,
    }
    assert found["readings"] == [
        {
            "kind": "level",
            "source": "host-1",
            "value": 0.0712,
            "observed_at": "2027-01-15T07:59:58.000+00:00",
            "age_seconds": 2.0,
            "weight": 1.0,
        }
    ]
    assert_is_json(found)


@in_virtual_time
async def test_of_several_words_the_newest_counts() -> None:
    older = replace(KNOWN, value=0.5)
    found = await shown(report("host-2", age=4, belief=older), report("host-1", age=1))
    assert (found["belief"]["told_by"], found["belief"]["level"]) == ("host-1", 0.0712)


@pytest.mark.parametrize(
    ("word", "dispatching"),
    [
        pytest.param(report(age=REPORT_FRESH_SECONDS), True, id="just fresh"),
        pytest.param(report(age=REPORT_FRESH_SECONDS + 0.5), False, id="too old: it was lost"),
        pytest.param(report(age=0.5, dispatching=False), False, id="taken back"),
    ],
)
@in_virtual_time
async def test_who_dispatches_says_so_again_and_again(
    word: BeliefReport, dispatching: bool
) -> None:
    assert (await shown(word))["dispatching"] is dispatching


@in_virtual_time
async def test_signals_are_read_only_while_nothing_dispatches() -> None:
    store = Store(stored(report()))
    await view_of(store).one("ptu")
    assert store.asked == [TOLD]
    store = Store()
    await view_of(store).one("ptu")
    assert store.asked == [TOLD, SIGNALS]


@in_virtual_time
async def test_each_hub_has_the_verdict_of_who_has_its_turn() -> None:
    not_ours = Wait("another process has the turn to send", blocked=False, retry_at=None)
    full = Wait("the deployment answered 429", blocked=True, retry_at=EPOCH + 4)
    found = await shown(
        report("host-1", age=3, requests=full, requests_soon=not_ours),
        report("host-2", age=1, requests=not_ours, requests_soon=ROOM),
        lease("host-1"),
        lease("host-2", hub=REQUESTS_SOON),
    )
    verdict = found["verdict"]
    assert list(verdict) == list(HUBS)
    assert verdict[REQUESTS] == {
        "verdict": "wait",
        "why": "the deployment answered 429",
        "closed": True,
        "retry_at": "2027-01-15T08:00:04.000+00:00",
        "waiting": 9,
        "told_by": "host-1",
        "told_at": "2027-01-15T07:59:57.000+00:00",
        "told_age_seconds": 3.0,
    }
    assert (verdict[REQUESTS_SOON]["verdict"], verdict[REQUESTS_SOON]["told_by"]) == (
        "admit",
        "host-2",
    )
    assert verdict[REQUESTS_SOON]["retry_at"] is None
    assert verdict[REQUESTS_LATER] is None, "no request of this hub is at a gate"


# --- while none does ----------------------------------------------------------------------------


@in_virtual_time
async def test_of_nothing_nothing_is_made_up() -> None:
    found = await shown()
    assert found["dispatching"] is False
    assert found["detail"].startswith("Nothing is being dispatched")
    assert found["belief"]["level"] is None, "no data is not 0 %"
    assert found["belief"]["age_seconds"] is None
    assert found["belief"]["fresh"] is False
    assert found["belief"]["told_by"] is None
    assert found["readings"] == found["leases"] == found["alerts"] == []
    assert found["learned"] is None
    assert {one["verdict"] for one in found["verdict"].values()} == {"admit"}
    assert found["verdict"][REQUESTS]["why"] == "nothing is known: a probe"
    assert_is_json(found)


@in_virtual_time
async def test_the_records_alone_make_a_belief() -> None:
    header = Reading(
        deployment="ptu", kind=ReadingKind.LEVEL, value=0.1, source="host-1", observed_at=EPOCH - 40
    )
    minute = Minute(deployment="ptu", ends_at=EPOCH - 100, utilization=0.5)
    found = await shown(
        *events(0.6),
        header.record(record_id="reading:level:host-1", ttl_seconds=600),
        minute.record(ttl_seconds=900),
        LEARNED,
    )
    belief = found["belief"]
    assert (belief["basis"], belief["fresh"]) == ("usage events", True)
    assert belief["others_load"] == pytest.approx(1.1 * 0.6, abs=0.1), "its gain was learned"
    assert belief["age_seconds"] == pytest.approx(2.0, abs=1.0)
    assert [(one["kind"], one["weight"]) for one in found["readings"]] == [
        ("usage", 1.0),
        ("level", 0.0),
        ("minute", 0.0),
    ]
    assert found["readings"][1]["age_seconds"] == 40.0
    assert "nothing is being dispatched now" in found["what_would_change_it"][0]


@pytest.mark.parametrize(
    ("records", "why"),
    [
        pytest.param(events(2.0), "utilization", id="full by usage events"),
        pytest.param(
            [
                Reading(
                    deployment="ptu",
                    kind=ReadingKind.THROTTLED,
                    value=1.0,
                    source="host-1",
                    observed_at=EPOCH - 1,
                    until=EPOCH + 5,
                ).record(record_id="reading:throttled:host-1", ttl_seconds=600)
            ],
            "the deployment answered 429",
            id="refused a second ago",
        ),
        pytest.param([alert(value=None).record(ttl_seconds=60)], "ptu-is-full", id="an alert"),
    ],
)
@in_virtual_time
async def test_a_first_call_would_be_told_to_wait(records: list[JsonObject], why: str) -> None:
    found = await shown(*records)
    for verdict in found["verdict"].values():
        assert (verdict["verdict"], verdict["closed"]) == ("wait", True)
        assert why in verdict["why"]
        assert verdict["retry_at"] is not None
    assert any(one.startswith("at 2027-") for one in found["what_would_change_it"])


# --- leases, what was learned, alerts -----------------------------------------------------------


@in_virtual_time
async def test_leases_say_who_has_the_turn_and_who_is_next() -> None:
    found = await shown(report(), lease(successor="host-2", handover_at=EPOCH + 3))
    assert found["leases"] == [
        {
            "hub": "requests",
            "holder": "host-1",
            "held": True,
            "since": "2027-01-15T07:59:30.000+00:00",
            "waiting": 9,
            "successor": "host-2",
            "handover_at": "2027-01-15T08:00:03.000+00:00",
            "age_seconds": 2.0,
        }
    ]
    assert any("passes to host-2" in one for one in found["what_would_change_it"])


@pytest.mark.parametrize(
    ("holder", "written_at", "held"),
    [
        pytest.param("host-1", EPOCH - LEASE_SECONDS, True, id="renewed"),
        pytest.param("host-1", EPOCH - 60, False, id="its holder was lost"),
        pytest.param("", EPOCH - 1, False, id="given up"),
        pytest.param("host-1", None, True, id="of a store without times"),
    ],
)
@in_virtual_time
async def test_a_lease_is_held_while_it_is_renewed(
    holder: str, written_at: float | None, held: bool
) -> None:
    (found,) = (await shown({**lease(holder).record(), "_ts": written_at}))["leases"]
    assert found["held"] is held
    assert found["holder"] == (holder or None)
    assert found["successor"] is found["handover_at"] is None


@in_virtual_time
async def test_what_was_learned_is_told_in_units_of_the_settings() -> None:
    assert (await shown(report(), LEARNED))["learned"] == {
        "drain_factor": 0.9,
        "drain_ptus": 45.0,
        "event_gain": 1.1,
        "used_share": 0.55,
        "usual_load": 0.4,
        "metric_meaning": "load",
        "header_timing": "admission",
        "depth_seconds": None,
        "others_refused_at": "2027-01-15T07:58:55.000+00:00",
        "learned_by": "host-1",
        "learned_at": "2027-01-15T07:59:55.000+00:00",
        "age_seconds": 5.0,
    }


@in_virtual_time
async def test_nobody_was_refused_at_no_time() -> None:
    found = await shown(report(), replace(LEARNED, others_refused_at=0.0))
    assert found["learned"]["others_refused_at"] is None


@in_virtual_time
async def test_only_alerts_that_brake_are_shown() -> None:
    found = await shown(
        report(),
        alert(),
        alert("resolved", state=Condition.RESOLVED, resolved_at=EPOCH - 10),
        alert("expired", expires_at=EPOCH),
    )
    assert [one["rule"] for one in found["alerts"]] == ["ptu-is-full"]
    assert found["alerts"][0]["expires_at"] == "2027-01-15T08:10:00.000+00:00"
    sentence = "the alert ptu-is-full resolved, or expired at 2027-01-15T08:10:00.000+00:00"
    assert sentence in found["what_would_change_it"]


# --- what makes no sense ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({"type": "belief"}, id="half a belief"),
        pytest.param({"type": "lease", "hub": "requests"}, id="half a lease"),
        pytest.param({"type": "lease", "hub": "requests", "_ts": "noon"}, id="no time"),
        pytest.param({"type": "learned", "drain": math.nan}, id="learned nothing"),
        pytest.param({"type": "alert", "rule": 7}, id="half an alert"),
        pytest.param({"type": "reading", "kind": "level", "value": -1.0}, id="negative"),
    ],
)
@in_virtual_time
async def test_a_record_that_makes_no_sense_does_not_hide_the_others(
    record: JsonObject, caplog: pytest.LogCaptureFixture
) -> None:
    minute = Minute(deployment="ptu", ends_at=EPOCH - 100, utilization=0.5).record(ttl_seconds=900)
    with caplog.at_level(logging.WARNING):
        found = await shown({"id": "odd", "deployment": "ptu", **record}, stored(LEARNED), minute)
    assert found["learned"]["drain_factor"] == 0.9
    assert found["belief"]["basis"] == "azure monitor"
    assert "a record of capacity makes no sense" in caplog.text


# --- which deployments --------------------------------------------------------------------------


@in_virtual_time
async def test_all_are_listed_and_spillover_targets_briefly() -> None:
    store = Store(stored(report()))
    found = await view_of(store).all()
    assert found["object"] == "list"
    assert [(one["deployment"], one["kind"]) for one in found["data"]] == [
        ("ptu", "provisioned"),
        ("alert", "provisioned"),
        ("payg", "pay_as_you_go"),
    ]
    assert [one.get("dispatching") for one in found["data"]] == [True, False, None]
    assert found["data"][0] == await view_of(store).one("ptu")
    assert found["data"][2] == {
        "object": "capacity",
        "deployment": "payg",
        "kind": "pay_as_you_go",
        "model": "gpt-4.1",
        "tokens_per_minute": 100_000,
        "requests_per_minute": None,
        "spillover_of": ["ptu"],
    }
    assert_is_json(found)


@in_virtual_time
async def test_a_spillover_target_is_found_by_its_name_and_costs_no_read() -> None:
    store = Store(away=True)
    assert (await view_of(store).one("payg"))["kind"] == "pay_as_you_go"


@in_virtual_time
async def test_an_unknown_deployment_is_a_404_that_names_the_configured_ones() -> None:
    store = Store()
    with pytest.raises(AppError) as raised:
        await view_of(store).one("gpt-9")
    error = raised.value
    assert (error.status, error.code, error.param) == (404, "deployment_not_found", "deployment")
    assert error.message.endswith("ptu, alert, payg.")
    assert store.asked == []


@in_virtual_time
async def test_a_store_that_is_away_is_a_503() -> None:
    view = view_of(Store(away=True))
    for call in (view.one("ptu"), view.all()):
        with pytest.raises(AppError) as raised:
            await call
        assert (raised.value.status, raised.value.code) == (503, "dependency_unavailable")
        assert raised.value.headers["Retry-After"] == "5"
