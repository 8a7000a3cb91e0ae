"""The common alert schema: what is it, what is not, and how its values are read."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ptu_optimizer.capacity.signals.alert_schema import Condition, NotTheSchema, parse_alert
from tests.support.alerts import (
    ALERT_ID,
    FIRED_AT,
    FIRED_TIME,
    RESOLVED_AT,
    UTILIZATION,
    WINDOW_END_AT,
    Json,
    criterion,
    dynamic,
    payload,
    refusals,
    resolved,
)


def without(content: Json, *path: str) -> Json:
    """The payload without one part."""
    changed = copy.deepcopy(content)
    at = changed
    for name in path[:-1]:
        at = at[name]
    del at[path[-1]]
    return changed


def with_context(context: Any) -> Json:
    changed = payload()
    changed["data"]["alertContext"] = context
    return changed


# --- Microsoft's samples --------------------------------------------------------------------------


def test_a_fired_alert_is_read() -> None:
    said = parse_alert(payload())
    assert said.essentials.alert_id == ALERT_ID
    assert said.essentials.monitor_condition is Condition.FIRED
    assert said.essentials.fired_date_time == pytest.approx(FIRED_AT, abs=1e-6)
    assert said.window_end == pytest.approx(WINDOW_END_AT)
    assert not said.resolved
    (one,) = said.criteria
    assert (one.metric_name, one.operator) == (UTILIZATION, "GreaterThan")
    assert one.threshold == 90, "which comes as text"
    assert one.metric_value == 93.1
    assert one.values_of("modeldeploymentname") == ["ptu-1"]


def test_a_resolved_alert_is_read() -> None:
    said = parse_alert(resolved())
    assert said.resolved
    assert said.essentials.resolved_date_time == pytest.approx(RESOLVED_AT, abs=1e-6)
    assert said.window_end is None, "Microsoft's sample has none"
    assert said.criteria[0].metric_value == 7.727


def test_a_resolved_alert_as_seen_in_the_wild_is_read() -> None:
    """Beyond the samples: the firing's time is the resolution's, a window, more fields, nulls."""
    one = resolved(
        criterion(webTestName=None, dimensions=[]),
        firedDateTime="2026-06-12T01:13:01.9491785Z",
        resolvedDateTime="2026-06-12T01:13:01.9491785Z",
        targetResourceType="microsoft.cognitiveservices/accounts",
        targetResourceGroup="ptu",
        investigationLink="https://portal.azure.com/",
        kind="MultipleResourceMultipleMetricCriteria",
    )
    one["data"]["customProperties"] = None
    one["data"]["essentials"]["alertRuleID"] = "/subscriptions/S/…/metricAlerts/ptu-is-full"
    one["data"]["alertContext"]["condition"]["staticThresholdFailingPeriods"] = {
        "numberOfEvaluationPeriods": 0,
        "minFailingPeriodsToAlert": 0,
    }
    said = parse_alert(one)
    assert said.essentials.fired_date_time == said.essentials.resolved_date_time


def test_a_dynamic_threshold_is_the_calculated_one() -> None:
    (one,) = parse_alert(payload(dynamic(), kind="DynamicThresholdCriteria")).criteria
    assert (one.operator, one.threshold) == ("GreaterOrLessThan", 47.5)


def test_several_criteria_and_several_dimensions_are_read() -> None:
    first, second = parse_alert(
        payload(criterion(), refusals(), kind="MultipleResourceMultipleMetricCriteria")
    ).criteria
    assert first.metric_name == UTILIZATION
    assert second.values_of("StatusCode") == ["429"]
    assert second.values_of("ModelDeploymentName") == ["ptu-1"]


# --- what is not the schema -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "path"),
    [
        pytest.param(None, "", id="null"),
        pytest.param([payload()], "", id="an array"),
        pytest.param("Fired", "", id="a text"),
        pytest.param({}, "schemaId", id="an empty object"),
        pytest.param(without(payload(), "schemaId"), "schemaId", id="no schemaId"),
        pytest.param(
            {"schemaId": "AzureMonitorMetricAlert", "data": {"version": "2.0", "context": {}}},
            "schemaId",
            id="the schema of before",
        ),
        pytest.param(payload() | {"schemaId": 1}, "schemaId", id="a schemaId that is no text"),
        pytest.param(without(payload(), "data"), "data", id="no data"),
        pytest.param(payload() | {"data": None}, "data", id="data of null"),
        pytest.param(
            without(payload(), "data", "essentials"), "data.essentials", id="no essentials"
        ),
        pytest.param(payload(alertId=None), "data.essentials.alertId", id="no alertId"),
        pytest.param(payload(alertId=" "), "data.essentials.alertId", id="an empty alertId"),
        pytest.param(
            payload(monitorCondition=None),
            "data.essentials.monitorCondition",
            id="neither fired nor resolved",
        ),
        pytest.param(
            payload(monitorCondition="Acknowledged"),
            "data.essentials.monitorCondition",
            id="an unknown condition",
        ),
        pytest.param(
            payload(firedDateTime=None), "data.essentials.firedDateTime", id="fired at no time"
        ),
        pytest.param(
            payload(firedDateTime="3 o'clock"),
            "data.essentials.firedDateTime",
            id="a time that is none",
        ),
    ],
)
def test_what_is_not_the_schema_is_refused_with_the_place(content: Any, path: str) -> None:
    with pytest.raises(NotTheSchema) as raised:
        parse_alert(content)
    assert raised.value.path == path


def test_the_schema_of_before_is_refused_with_what_to_do() -> None:
    with pytest.raises(NotTheSchema, match="switch the common alert schema on"):
        parse_alert({"schemaId": "AzureMonitorMetricAlert", "data": {}})


# --- what may be missing --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    sorted(
        payload()["data"]["essentials"].keys() - {"alertId", "monitorCondition", "firedDateTime"}
    ),
)
def test_an_alert_without_this_of_its_essentials_is_an_alert(name: str) -> None:
    absent: Json = {name: None}
    parse_alert(payload(**absent))
    null = payload()
    null["data"]["essentials"][name] = None
    parse_alert(null)


@pytest.mark.parametrize("name", sorted(criterion()))
def test_a_criterion_without_this_is_a_criterion(name: str) -> None:
    assert len(parse_alert(payload(criterion(**{name: None}))).criteria) == 1


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(without(payload(), "data", "alertContext"), id="no alertContext"),
        pytest.param(with_context(None), id="alertContext is null"),
        pytest.param(with_context([]), id="alertContext is an array"),
        pytest.param(with_context({"properties": None}), id="no condition"),
        pytest.param(with_context({"condition": None}), id="condition is null"),
        pytest.param(with_context({"condition": {"allOf": None}}), id="allOf is null"),
        pytest.param(with_context({"condition": {"allOf": [None, 1]}}), id="allOf of no objects"),
        pytest.param(
            with_context({"authorization": None, "channels": 1, "status": "Resolved"}),
            id="an activity log alert",
        ),
    ],
)
def test_a_context_that_tells_no_criteria_has_none(content: Json) -> None:
    assert parse_alert(content).criteria == ()


@pytest.mark.parametrize(
    "dimensions",
    [
        pytest.param([], id="empty"),
        pytest.param({"name": "ModelDeploymentName"}, id="no array"),
        pytest.param([None, "ModelDeploymentName"], id="no objects"),
        pytest.param([{"value": "ptu-1"}], id="without a name"),
    ],
)
def test_dimensions_that_name_nothing_name_nothing(dimensions: Any) -> None:
    (one,) = parse_alert(payload(criterion(dimensions=dimensions))).criteria
    assert one.values_of("ModelDeploymentName") == []


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "read"),
    [
        pytest.param("90", 90.0, id="text"),
        pytest.param(" 90.5 ", 90.5, id="text with blanks"),
        pytest.param(90, 90.0, id="whole"),
        pytest.param(93.1, 93.1, id="a fraction"),
        pytest.param("1e2", 100.0, id="with an exponent"),
        pytest.param(0, 0.0, id="zero"),
        pytest.param(-1, -1.0, id="negative"),
        pytest.param("", None, id="empty"),
        pytest.param("high", None, id="a word"),
        pytest.param("NaN", None, id="NaN"),
        pytest.param("Infinity", None, id="without end"),
        pytest.param(10**400, None, id="too large"),
        pytest.param(True, None, id="a truth value"),
        pytest.param([90], None, id="an array"),
    ],
)
def test_numbers_come_as_numbers_and_as_text(given: Any, read: float | None) -> None:
    (one,) = parse_alert(payload(criterion(threshold=given, metricValue=given))).criteria
    assert (one.threshold, one.metric_value) == (read, read)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        pytest.param("2026-01-01T00:00:00Z", 0.0, id="no fraction"),
        pytest.param("2026-01-01T00:00:00.064Z", 0.064, id="three digits"),
        pytest.param("2026-01-01T00:00:00.1234567Z", 0.123456, id="seven digits"),
        pytest.param("2026-01-01T00:00:00.1234567", 0.123456, id="without a zone: UTC"),
        pytest.param("2026-01-01T02:00:00.1234567+02:00", 0.123456, id="another zone"),
        pytest.param("2026-01-01 00:00:00", 0.0, id="with a blank"),
    ],
)
def test_times_are_read_however_azure_writes_them(given: str, seconds: float) -> None:
    said = parse_alert(payload(firedDateTime=given))
    assert said.essentials.fired_date_time == pytest.approx(1767225600 + seconds, abs=1e-6)


@pytest.mark.parametrize("given", [None, "", "soon", 7, "2026-13-01T00:00:00Z"], ids=repr)
def test_a_time_that_may_be_missing_may_also_be_none(given: Any) -> None:
    one = resolved(resolvedDateTime=given)
    one["data"]["alertContext"]["condition"]["windowEndTime"] = given
    said = parse_alert(one)
    assert (said.essentials.resolved_date_time, said.window_end) == (None, None)


def test_a_status_code_may_come_as_a_number() -> None:
    (one,) = parse_alert(
        payload(refusals(dimensions=[{"name": "StatusCode", "value": 429}]))
    ).criteria
    assert one.values_of("StatusCode") == ["429"]


@pytest.mark.parametrize("change", [str.upper, str.lower], ids=["upper case", "lower case"])
def test_names_are_read_in_any_case(change: Any) -> None:
    def changed(part: Any) -> Any:
        if isinstance(part, dict):
            return {change(name): changed(value) for name, value in part.items()}
        if isinstance(part, list):
            return [changed(one) for one in part]
        return part

    said, as_sampled = parse_alert(changed(payload(refusals()))), parse_alert(payload(refusals()))
    assert said == as_sampled


@pytest.mark.parametrize("given", ["Fired", "fired", "FIRED", " Fired "])
def test_the_condition_is_read_in_any_case(given: str) -> None:
    assert not parse_alert(payload(monitorCondition=given)).resolved


def test_the_time_of_the_sample_has_seven_digits() -> None:
    assert FIRED_TIME.endswith(".3713213Z")
