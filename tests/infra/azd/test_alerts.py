"""Alerts for people, and those that brake the queue: on metrics, functions and lines that exist."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ptu_optimizer.capacity.signals.alert_matching import DEPLOYMENT, REQUESTS, STATUS, UTILIZATION
from tests.infra.azd.places import INFRA, TEMPLATES, template
from tests.support.bicep.syntax import read
from tests.support.functions import app_functions, containers, of_type
from tests.support.schemas import ROOT


def test_the_alert_calls_the_function_by_the_route_that_it_has() -> None:
    text = (INFRA / "app" / "alert-receiver.bicep").read_text(encoding="utf-8")
    route = of_type("httpTrigger")["capacity_alert"]["route"]
    assert f"}}/{route}'" in text
    assert "functionName: 'capacity_alert'" in text


def test_every_action_group_uses_the_common_schema_that_the_app_reads() -> None:
    for name in ("app/alert-receiver.bicep", "app/alerts.bicep"):
        text = (INFRA / name).read_text(encoding="utf-8")
        receivers = text.count("Receivers:")
        assert receivers == text.count("useCommonAlertSchema: true") > 0


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_functions_that_are_named_exist(path: Any) -> None:
    functions = [
        resource
        for resource in read(path).resources
        if resource.resource_type == "Microsoft.Web/sites/functions"
    ]
    assert {one.value["name"] for one in functions} <= app_functions().keys()


def criteria(rule: str) -> dict[str, Any]:
    resource = template("app/openai-alerts.bicep").of("resource")[rule]
    (criterion,) = resource.value["properties"]["criteria"]["allOf"]
    assert isinstance(criterion, dict)
    return criterion


def test_the_rules_that_brake_are_on_metrics_that_the_app_understands() -> None:
    assert criteria("utilization")["metricName"].text == "utilizationMetric"
    assert METRICS.value.lower() in UTILIZATION, "the default"
    assert criteria("refusals")["metricName"].lower() == REQUESTS
    for rule in ("utilization", "refusals"):
        dimensions = {one["name"]: one["values"] for one in criteria(rule)["dimensions"]}
        assert [one.text for one in dimensions[DEPLOYMENT]] == ["deployment.deployment"]
    assert {one["name"]: one["values"] for one in criteria("refusals")["dimensions"]}[STATUS] == [
        "429"
    ]


METRICS = template("postdeploy.bicep").of("parameter")["utilizationMetric"]


def test_the_rule_on_utilization_takes_the_metric_of_either_kind_of_account() -> None:
    """Microsoft, "Supported metrics": kind OpenAI publishes one, kind AIServices the other."""
    both = ["AzureOpenAIProvisionedManagedUtilizationV2", "ProvisionedUtilization"]
    assert METRICS.decorators["allowed"] == both
    assert METRICS.value == both[0]
    inner = template("app/openai-alerts.bicep").of("parameter")["utilizationMetric"]
    assert inner.decorators["allowed"] == both
    assert not inner.has_default
    given = template("postdeploy.bicep").of("module")["rules"].value["params"]
    assert given["utilizationMetric"].text == "utilizationMetric"


@pytest.mark.parametrize("metric", METRICS.decorators["allowed"])
def test_the_app_understands_the_metric_of_either_kind_of_account(metric: str) -> None:
    assert metric.lower() in UTILIZATION


def test_the_rules_that_brake_fire_high_and_resolve_by_themselves() -> None:
    for rule in ("utilization", "refusals"):
        body = template("app/openai-alerts.bicep").of("resource")[rule].value["properties"]
        assert body["autoMitigate"] is True, "else each brake lasts until it expires"
        assert body["evaluationFrequency"] == body["windowSize"] == "PT1M"
        assert criteria(rule)["operator"] == "GreaterThan", "a low metric is no reason to brake"


def test_the_queues_own_fill_does_not_reach_the_threshold() -> None:
    threshold = template("postdeploy.bicep").of("parameter")["utilizationThreshold"].value
    assert threshold >= 100, "a load is 100 % at most, and the level is kept far below it"


def test_dead_letters_are_counted_in_the_container_that_they_are_written_to() -> None:
    rule = template("app/alerts.bicep").of("resource")["deadLetters"].value["properties"]
    (criterion,) = rule["criteria"]["allOf"]
    values = {one["name"]: one["values"] for one in criterion["dimensions"]}
    assert values["CollectionName"] == ["dead_letters"]
    assert "dead_letters" in containers()


def rules_on_the_log() -> dict[str, Any]:
    return {
        one.name: one.value["properties"]
        for one in template("app/alerts.bicep").resources
        if one.resource_type == "Microsoft.Insights/scheduledQueryRules"
    }


def test_rules_on_the_log_can_be_made_before_its_tables_exist() -> None:
    assert rules_on_the_log().keys() == {"queueAge", "staleGauge"}
    assert all(one["skipQueryValidation"] is True for one in rules_on_the_log().values())


def test_the_gauges_alert_is_off_where_the_gauge_may_not_read_the_metric() -> None:
    """Off, not left out: a rule that exists and is left out stays, and keeps firing."""
    assert rules_on_the_log()["staleGauge"]["enabled"].text == "assignMonitoringReader"
    assert rules_on_the_log()["queueAge"]["enabled"] is True
    text = (INFRA / "app" / "alerts.bicep").read_text(encoding="utf-8")
    assert "= if (" not in text
    given = template("main.bicep").of("module")["alerts"].value["params"]
    assert given["assignMonitoringReader"].text == "assignMonitoringReader"


def messages_queried() -> list[str]:
    text = (INFRA / "app" / "alerts.bicep").read_text(encoding="utf-8")
    return re.findall(r'Message startswith "([^":]+)', text)


def messages_logged() -> str:
    return "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "ptu_optimizer").rglob("*.py")
    )


def test_alerts_on_the_log_look_for_messages_that_are_logged() -> None:
    assert len(messages_queried()) == 2
    assert [one for one in messages_queried() if f'"{one}"' not in messages_logged()] == []


def test_the_figure_that_the_queues_age_is_read_from_is_logged() -> None:
    text = (INFRA / "app" / "alerts.bicep").read_text(encoding="utf-8")
    (field,) = re.findall(r'extract\(@"(\w+)=', text)
    assert f'"{field}"' in messages_logged()


def test_the_gauge_is_called_in_the_log_as_the_function_is() -> None:
    text = (INFRA / "app" / "alerts.bicep").read_text(encoding="utf-8")
    (function,) = re.findall(r'Name == "(\w+)"', text)
    assert function in of_type("timerTrigger")
