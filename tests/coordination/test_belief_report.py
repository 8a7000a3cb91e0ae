"""A told belief survives the store as it was, and what makes no sense is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from ptu_optimizer.capacity.control.verdict import Admit, Verdict, Wait
from ptu_optimizer.capacity.estimate.belief import Belief, Provenance
from ptu_optimizer.capacity.signals.reading import InvalidReading
from ptu_optimizer.coordination.belief_report import REPORT_FRESH_SECONDS, BeliefReport, HubReport

AT = 1_000.0
HEADER = Provenance(kind="level", source="me", value=0.07, observed_at=AT - 1, weight=1.0)
SENDS = Provenance(kind="sends", source="other", value=None, observed_at=AT - 2, weight=0.0)
KNOWN = Belief(
    value=0.07, source="header", age=1.0, fresh=True, others=0.4, provenance=(HEADER, SENDS)
)
UNKNOWN = Belief(value=None, source="nothing", age=math.inf, fresh=False)


def report(*verdicts: Verdict, belief: Belief = KNOWN, dispatching: bool = True) -> BeliefReport:
    return BeliefReport(
        deployment="ptu",
        worker="me",
        at=AT,
        belief=belief,
        in_flight=3,
        hubs=tuple(
            HubReport(hub=f"hub {number}", verdict=verdict, waiting=number)
            for number, verdict in enumerate(verdicts)
        ),
        dispatching=dispatching,
    )


def stored(one: BeliefReport) -> Any:
    """As the store gives it back; it takes no JSON that others could not read."""
    return json.loads(json.dumps(one.record(ttl_seconds=60), allow_nan=False))


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(report(Admit("there is room")), id="admits"),
        pytest.param(
            report(Wait("full", blocked=True, retry_at=AT + 2), Wait("busy", False, None)),
            id="waits, with and without a time",
        ),
        pytest.param(report(belief=UNKNOWN), id="nothing is known, since ever"),
        pytest.param(report(dispatching=False), id="has stopped"),
    ],
)
def test_what_is_told_is_what_is_read(one: BeliefReport) -> None:
    assert BeliefReport.from_record(stored(one)) == one


def test_a_time_that_never_comes_is_no_time() -> None:
    (read,) = BeliefReport.from_record(stored(report(Wait("why", True, math.inf)))).hubs
    assert read.verdict == Wait("why", True, None)


def test_each_process_has_one_record_in_the_partition_of_the_deployment() -> None:
    record = stored(report())
    assert (record["id"], record["deployment"], record["type"]) == ("belief:me", "ptu", "belief")
    assert record["ttl"] == 60


@pytest.mark.parametrize(
    ("dispatching", "age", "fresh"),
    [
        pytest.param(True, 0.0, True, id="just told"),
        pytest.param(True, -3.0, True, id="by a clock that is ahead"),
        pytest.param(True, REPORT_FRESH_SECONDS, True, id="at the limit"),
        pytest.param(True, REPORT_FRESH_SECONDS + 0.1, False, id="beyond it"),
        pytest.param(False, 0.0, False, id="its last word"),
    ],
)
def test_a_process_is_dispatching_as_long_as_it_says_so(
    dispatching: bool, age: float, fresh: bool
) -> None:
    assert report(dispatching=dispatching).is_fresh(now=AT + age) is fresh


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"at": None}, id="no time"),
        pytest.param({"at": "soon"}, id="a time that is none"),
        pytest.param({"at": math.nan}, id="not a number"),
        pytest.param({"level": math.inf}, id="an infinite level"),
        pytest.param({"provenance": [{"kind": "level"}]}, id="half a reading"),
        pytest.param({"provenance": None}, id="no readings"),
        pytest.param({"hubs": [{"hub": "requests"}]}, id="half a verdict"),
        pytest.param({"hubs": 7}, id="hubs that are none"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    record = {**stored(report(Admit("there is room"))), **change}
    with pytest.raises(InvalidReading):
        BeliefReport.from_record(record)


def test_a_record_that_lacks_a_part_is_refused() -> None:
    whole = stored(report())
    for name in whole.keys() - {"id", "type", "ttl"}:
        with pytest.raises(InvalidReading):
            BeliefReport.from_record({key: value for key, value in whole.items() if key != name})


def test_a_hub_that_nobody_spoke_of_is_unknown() -> None:
    one = replace(report(), hubs=(HubReport(hub="requests", verdict=Admit("yes"), waiting=1),))
    assert one.hub("requests") is one.hubs[0]
    assert one.hub("requests-soon") is None
