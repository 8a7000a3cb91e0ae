"""Alerts in Azure Monitor's common schema, in the shapes of Microsoft's published samples
("Sample alert payloads", 07/2026), about a deployment of ours."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from ptu_optimizer.capacity.signals.alert import Alert
from ptu_optimizer.capacity.signals.alert_schema import Condition

Json = dict[str, Any]

RESOURCE = (
    "/subscriptions/aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e/resourceGroups/PTU"
    "/providers/Microsoft.CognitiveServices/accounts/Open-AI"
)
ALERT_ID = (
    "/subscriptions/aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e/providers"
    "/Microsoft.AlertsManagement/alerts/b9569717-bc32-442f-add5-83a997729330"
)
UTILIZATION = "AzureOpenAIProvisionedManagedUtilizationV2"
REQUESTS = "AzureOpenAIRequests"
FIRED_TIME = "2026-11-21T13:58:24.3713213Z"
RESOLVED_TIME = "2026-11-21T14:03:16.2246313Z"
FIRED_AT = datetime(2026, 11, 21, 13, 58, 24, 371321, tzinfo=UTC).timestamp()
RESOLVED_AT = datetime(2026, 11, 21, 14, 3, 16, 224631, tzinfo=UTC).timestamp()
WINDOW_END_TIME = "2026-11-21T13:57:03.064Z"
WINDOW_END_AT = datetime(2026, 11, 21, 13, 57, 3, 64000, tzinfo=UTC).timestamp()
NOW = RESOLVED_AT + 2
EXPIRY_SECONDS = 900.0


def criterion(**changes: Any) -> Json:
    """Utilization above 90 %, of deployment ptu-1; None takes a part away."""
    whole = {
        "metricName": UTILIZATION,
        "metricNamespace": "Microsoft.CognitiveServices/accounts",
        "operator": "GreaterThan",
        "threshold": "90",
        "timeAggregation": "Average",
        "dimensions": [{"name": "ModelDeploymentName", "value": "ptu-1"}],
        "metricValue": 93.1,
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def refusals(**changes: Any) -> Json:
    """More than five calls answered 429."""
    return criterion(
        **{
            "metricName": REQUESTS,
            "threshold": "5",
            "timeAggregation": "Total",
            "dimensions": [
                {"name": "StatusCode", "value": "429"},
                {"name": "ModelDeploymentName", "value": "ptu-1"},
            ],
            "metricValue": 12,
            **changes,
        }
    )


def dynamic(**changes: Any) -> Json:
    """A criterion with a dynamic threshold, which is calculated."""
    return criterion(
        **{
            "alertSensitivity": "High",
            "failingPeriods": {"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1},
            "ignoreDataBefore": None,
            "operator": "GreaterOrLessThan",
            "threshold": "47.5",
            **changes,
        }
    )


def payload(
    *criteria: Json, kind: str = "SingleResourceMultipleMetricCriteria", **essentials: Any
) -> Json:
    """A fired alert; `essentials` change it, None takes a part away."""
    whole = {
        "alertId": ALERT_ID,
        "alertRule": "ptu-is-full",
        "severity": "Sev3",
        "signalType": "Metric",
        "monitorCondition": "Fired",
        "monitoringService": "Platform",
        # Azure Monitor writes the ids of targets in lower case
        "alertTargetIDs": [RESOURCE.lower()],
        "configurationItems": ["open-ai"],
        "originAlertId": "aaaa0a0a_PTU_microsoft.insights_metricAlerts_ptu-is-full_-117781227",
        "firedDateTime": FIRED_TIME,
        "description": "",
        "essentialsVersion": "1.0",
        "alertContextVersion": "1.0",
        **essentials,
    }
    return {
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {name: value for name, value in whole.items() if value is not None},
            "alertContext": {
                "properties": None,
                "conditionType": kind,
                "condition": {
                    "windowSize": "PT5M",
                    "allOf": copy.deepcopy(list(criteria) or [criterion()]),
                    "windowStartTime": "2026-11-21T13:52:03.064Z",
                    "windowEndTime": WINDOW_END_TIME,
                },
            },
            "customProperties": {"Key1": "Value1"},
        },
    }


def resolved(*criteria: Json, **essentials: Any) -> Json:
    """The resolution of `payload()`, without the window, as in Microsoft's sample of one."""
    one = payload(
        *criteria or [criterion(metricValue=7.727)],
        **{"monitorCondition": "Resolved", "resolvedDateTime": RESOLVED_TIME, **essentials},
    )
    condition = one["data"]["alertContext"]["condition"]
    del condition["windowStartTime"], condition["windowEndTime"]
    return one


def fired_alert(**changes: Any) -> Alert:
    """What `payload()` says of ptu-1."""
    return Alert(
        **{
            "deployment": "ptu-1",
            "alert_id": ALERT_ID,
            "rule": "ptu-is-full",
            "metric": UTILIZATION,
            "operator": "GreaterThan",
            "threshold": 0.9,
            "value": 93.1 / 100,
            "state": Condition.FIRED,
            "fired_at": FIRED_AT,
            "resolved_at": None,
            "observed_at": WINDOW_END_AT,
            "expires_at": FIRED_AT + EXPIRY_SECONDS,
            "description": "",
            **changes,
        }
    )


def resolved_alert(**changes: Any) -> Alert:
    return fired_alert(**{"state": Condition.RESOLVED, "resolved_at": RESOLVED_AT, **changes})


def time_text(at: float) -> str:
    """Epoch seconds as Azure Monitor writes them: seven digits of a second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
