"""Which deployments an alert is about, and what it says of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ptu_optimizer.capacity.signals.alert import Alert
from ptu_optimizer.capacity.signals.alert_matching import MAX_TEXT_CHARS, Ignored, alert_on, concern
from ptu_optimizer.capacity.signals.alert_schema import Criterion, parse_alert
from ptu_optimizer.capacity.signals.azure_deployment import AzureDeployment
from tests.support.alerts import (
    EXPIRY_SECONDS,
    FIRED_AT,
    NOW,
    REQUESTS,
    RESOLVED_AT,
    RESOURCE,
    UTILIZATION,
    Json,
    criterion,
    dynamic,
    fired_alert,
    payload,
    refusals,
    resolved,
    resolved_alert,
)

DEPLOYMENTS = tuple(
    AzureDeployment(backend=name, deployment=name, resource_id=RESOURCE)
    for name in ("ptu-1", "PTU-2")
)


def about(content: Json, *, resource_id: str = RESOURCE) -> dict[str, Criterion] | Ignored:
    ours = [replace(one, resource_id=resource_id) for one in DEPLOYMENTS]
    return concern(parse_alert(content), deployments=ours)


def named(content: Json) -> list[str]:
    found = about(content)
    return [] if isinstance(found, Ignored) else list(found)


def why_ignored(content: Json) -> str:
    found = about(content)
    assert isinstance(found, Ignored)
    return found.why


def of(*names: str) -> list[Json]:
    return [{"name": "ModelDeploymentName", "value": name} for name in names]


# --- which deployments ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "deployments"),
    [
        pytest.param(payload(), ["ptu-1"], id="named in a dimension"),
        pytest.param(resolved(), ["ptu-1"], id="resolved: the same"),
        pytest.param(payload(criterion(dimensions=of("PTU-1"))), ["ptu-1"], id="in another case"),
        pytest.param(
            payload(criterion(dimensions=[{"name": "modeldeploymentname", "value": "ptu-2"}])),
            ["PTU-2"],
            id="the dimension in lower case, the name as in the settings",
        ),
        pytest.param(
            payload(criterion(dimensions=of("ptu-1", "ptu-2"))), ["ptu-1", "PTU-2"], id="both"
        ),
        pytest.param(
            payload(criterion(), criterion(dimensions=of("ptu-2"))),
            ["ptu-1", "PTU-2"],
            id="in two criteria",
        ),
        pytest.param(
            payload(criterion(dimensions=of("other")), criterion()),
            ["ptu-1"],
            id="beside one that is not ours",
        ),
        pytest.param(
            payload(criterion(dimensions=[{"name": "Region", "value": "swedencentral"}])),
            ["ptu-1", "PTU-2"],
            id="utilization, of no deployment",
        ),
        pytest.param(
            payload(criterion(dimensions=[])), ["ptu-1", "PTU-2"], id="utilization, no dimensions"
        ),
        pytest.param(
            payload(criterion(dimensions=[], metricName=UTILIZATION.upper())),
            ["ptu-1", "PTU-2"],
            id="the metric in another case",
        ),
        pytest.param(
            payload(criterion(dimensions=[], metricName=UTILIZATION.removesuffix("V2"))),
            ["ptu-1", "PTU-2"],
            id="the metric's deprecated version",
        ),
        pytest.param(
            payload(refusals(dimensions=[{"name": "statuscode", "value": "429"}])),
            ["ptu-1", "PTU-2"],
            id="429s, of no deployment",
        ),
        pytest.param(
            payload(criterion(dimensions=[]), refusals()),
            ["ptu-1"],
            id="one criterion names a deployment, the other none",
        ),
        pytest.param(
            payload(criterion(metricName="AzureOpenAITimeToResponse")),
            ["ptu-1"],
            id="any metric, if it is of our deployment",
        ),
        pytest.param(
            payload(kind="MultipleResourceMultipleMetricCriteria"),
            ["ptu-1"],
            id="of many resources",
        ),
        pytest.param(
            payload(alertTargetIDs=["/subscriptions/s/other", RESOURCE.upper() + "/"]),
            ["ptu-1"],
            id="our resource among others, in another case",
        ),
    ],
)
def test_an_alert_is_about(content: Json, deployments: list[str]) -> None:
    assert named(content) == deployments


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(
            payload(alertTargetIDs=[RESOURCE + "2"]), "another resource", id="another resource"
        ),
        pytest.param(payload(alertTargetIDs=[]), "another resource", id="no resource"),
        pytest.param(payload(alertTargetIDs=None), "another resource", id="no targets at all"),
        pytest.param(
            payload(criterion(dimensions=of("payg"))), "DEPLOYMENTS", id="another deployment"
        ),
        pytest.param(
            payload(criterion(dimensions=[], metricName="AzureOpenAITimeToResponse")),
            "does not show how full",
            id="another metric, of no deployment",
        ),
        pytest.param(
            payload(refusals(dimensions=[])), "does not show how full", id="requests of any status"
        ),
        pytest.param(
            payload(refusals(dimensions=[{"name": "StatusCode", "value": "200"}])),
            "does not show how full",
            id="requests of another status",
        ),
        pytest.param(
            payload(criterion(operator="LessThan", threshold="20", metricValue=3)),
            "is low",
            id="a deployment that idles",
        ),
        pytest.param(
            resolved(criterion(operator="LessThanOrEqual")), "is low", id="one that does no more"
        ),
        pytest.param(payload(dynamic(metricValue=12.0)), "is low", id="below a dynamic threshold"),
    ],
)
def test_an_alert_is_ignored_and_says_why(content: Json, why: str) -> None:
    assert why in why_ignored(content)


@pytest.mark.parametrize(
    "value",
    [pytest.param(93.1, id="above"), pytest.param(None, id="who knows where")],
)
def test_a_dynamic_threshold_that_may_be_crossed_either_way_brakes_above(value: Any) -> None:
    assert named(payload(dynamic(metricValue=value))) == ["ptu-1"]


def test_the_resolution_of_a_dynamic_threshold_is_taken_whatever_the_value() -> None:
    assert named(resolved(dynamic(metricValue=12.0))) == ["ptu-1"]


def test_without_a_context_a_firing_says_nothing_and_a_resolution_is_for_all() -> None:
    fired, ended = payload(), resolved()
    fired["data"]["alertContext"] = ended["data"]["alertContext"] = None
    assert "names no metric" in why_ignored(fired)
    assert named(ended) == [one.backend for one in DEPLOYMENTS], "whichever its firing was about"


def test_the_resource_of_the_settings_may_be_written_in_any_way() -> None:
    assert not isinstance(about(payload(), resource_id=RESOURCE.upper() + "/"), Ignored)


# --- which criterion ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("criteria", "metric", "value"),
    [
        pytest.param([refusals(), criterion()], UTILIZATION, 93.1, id="utilization before 429s"),
        pytest.param(
            [criterion(metricName="AzureOpenAITimeToResponse"), refusals()],
            REQUESTS,
            12,
            id="429s before the rest",
        ),
        pytest.param(
            [criterion(dimensions=[], metricValue=50.0), criterion()],
            UTILIZATION,
            93.1,
            id="that of the deployment before that of all",
        ),
        pytest.param(
            [criterion(dimensions=of("ptu-2"), metricValue=99.0), criterion()],
            UTILIZATION,
            93.1,
            id="not that of another deployment",
        ),
        pytest.param(
            [criterion(operator="LessThan", metricValue=1.0), refusals()],
            REQUESTS,
            12,
            id="not one that is low",
        ),
    ],
)
def test_the_criterion_that_says_most(criteria: list[Json], metric: str, value: float) -> None:
    found = about(payload(*criteria))
    assert not isinstance(found, Ignored)
    assert (found["ptu-1"].metric_name, found["ptu-1"].metric_value) == (metric, value)


# --- several resources ----------------------------------------------------------------------------

OTHER_RESOURCE = RESOURCE.rpartition("/")[0] + "/another-account"
TWO_RESOURCES = (
    AzureDeployment(backend="west", deployment="ptu-1", resource_id=RESOURCE),
    AzureDeployment(backend="east", deployment="ptu-1", resource_id=OTHER_RESOURCE),
)


@pytest.mark.parametrize("backend", ["west", "east"])
def test_an_alert_is_about_the_deployment_of_its_own_resource(backend: str) -> None:
    (ours,) = [one for one in TWO_RESOURCES if one.backend == backend]
    said = parse_alert(payload(alertTargetIDs=[ours.resource_id.upper()]))
    found = concern(said, deployments=TWO_RESOURCES)
    assert not isinstance(found, Ignored)
    assert list(found) == [backend]


def test_an_alert_on_both_resources_is_about_both() -> None:
    said = parse_alert(payload(alertTargetIDs=[RESOURCE, OTHER_RESOURCE]))
    found = concern(said, deployments=TWO_RESOURCES)
    assert not isinstance(found, Ignored)
    assert list(found) == ["west", "east"]


# --- what it says ---------------------------------------------------------------------------------


def alert(content: Json, *, now: float = NOW) -> Alert:
    """What a payload says of ptu-1."""
    said = parse_alert(content)
    found = concern(said, deployments=DEPLOYMENTS)
    assert not isinstance(found, Ignored)
    return alert_on("ptu-1", found["ptu-1"], said=said, now=now, expiry_seconds=EXPIRY_SECONDS)


def test_a_fired_alert_in_full() -> None:
    assert alert(payload(description="full")) == fired_alert(description="full")


def test_a_resolved_alert_in_full() -> None:
    assert alert(resolved(description="full")) == resolved_alert(
        value=7.727 / 100,
        observed_at=FIRED_AT,  # without a window there is no better time
        description="full",
    )


@pytest.mark.parametrize(
    ("metric_value", "value"),
    [
        pytest.param(93.1, 0.931, id="percent"),
        pytest.param("93.1", 0.931, id="as text"),
        pytest.param(104.0, 1.04, id="above 100 %"),
        pytest.param(0, 0.0, id="zero"),
        pytest.param(None, None, id="missing"),
        pytest.param("NaN", None, id="NaN"),
        pytest.param(-3, None, id="negative"),
    ],
)
def test_utilization_becomes_a_float_and_what_is_none_is_not_zero(
    metric_value: Any, value: float | None
) -> None:
    found = alert(payload(criterion(metricValue=metric_value)))
    assert found.value == (None if value is None else pytest.approx(value))


def test_refusals_have_no_utilization_and_a_threshold_in_calls() -> None:
    found = alert(payload(refusals()))
    assert (found.metric, found.value, found.threshold) == (REQUESTS, None, 5)


@pytest.mark.parametrize(
    ("essentials", "description"),
    [
        pytest.param({"description": "call Ann"}, "call Ann", id="the rule's own"),
        pytest.param(
            {},
            f"{UTILIZATION} GreaterThan 90 (is 93.1)",
            id="without one, what was evaluated, in the metric's unit",
        ),
        pytest.param({"description": "x" * 5_000}, "x" * MAX_TEXT_CHARS, id="not too long"),
    ],
)
def test_a_description_for_people(essentials: dict[str, str], description: str) -> None:
    assert alert(payload(**essentials)).description == description


def test_a_rule_without_a_name_is_called_so() -> None:
    assert alert(payload(alertRule=None)).rule == "without a name"


# --- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("essentials", "resolved_at"),
    [
        pytest.param({}, RESOLVED_AT, id="when it says"),
        pytest.param({"resolvedDateTime": None}, FIRED_AT, id="without a time: that firing"),
        pytest.param(
            {"resolvedDateTime": "2020-01-01T00:00:00Z"}, FIRED_AT, id="not before it fired"
        ),
        pytest.param(
            {"resolvedDateTime": "0001-01-01T00:00:00"}, FIRED_AT, id="a time that was not set"
        ),
        pytest.param({"resolvedDateTime": "2030-01-01T00:00:00Z"}, NOW, id="not in the future"),
    ],
)
def test_when_an_alert_is_resolved(essentials: dict[str, Any], resolved_at: float) -> None:
    assert alert(resolved(**essentials)).resolved_at == pytest.approx(resolved_at)


def test_an_alert_from_the_future_is_of_now() -> None:
    found = alert(payload(firedDateTime="2030-01-01T00:00:00Z"))
    assert (found.fired_at, found.expires_at) == (NOW, NOW + EXPIRY_SECONDS)


def test_a_window_that_ends_in_the_future_ends_now() -> None:
    one = payload()
    one["data"]["alertContext"]["condition"]["windowEndTime"] = "2030-01-01T00:00:00Z"
    assert alert(one).observed_at == NOW


def test_an_alert_expires_by_when_it_fired_so_that_repetitions_do_not_prolong_it() -> None:
    late = alert(payload(), now=NOW + 500)
    assert late.expires_at == pytest.approx(FIRED_AT + EXPIRY_SECONDS)
