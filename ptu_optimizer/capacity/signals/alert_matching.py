"""Which of our deployments an alert is about, and what it says of each. Pure.

An alert is about a deployment if it is on our resource and names the deployment in a dimension,
whatever its metric: whoever made the rule split it by deployment and sent it here. Without a
deployment it must be on a metric that tells how full a deployment is; then it is about all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .alert import Alert
from .alert_schema import CommonAlert, Criterion
from .azure_deployment import AzureDeployment

UTILIZATION = frozenset(
    {
        "azureopenaiprovisionedmanagedutilizationv2",
        "provisionedutilization",  # of accounts of kind AIServices
        "azureopenaiprovisionedmanagedutilization",  # deprecated; rules on it may still exist
    }
)
"""In lower case; percent. MicrosoftDocs/azure-monitor-docs
`reference/supported-metrics/microsoft-cognitiveservices-accounts-metrics.md`."""
REQUESTS = "azureopenairequests"
"""In lower case. With the dimension StatusCode 429: calls that were refused."""
DEPLOYMENT = "ModelDeploymentName"
STATUS = "StatusCode"
MAX_TEXT_CHARS = 500
"""Of a rule's name and description, which are for people."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """The alert is not about our deployments, or no reason to brake."""

    why: str


def concern(
    said: CommonAlert, *, deployments: Sequence[AzureDeployment]
) -> dict[str, Criterion] | Ignored:
    """By backend, the criterion that says most of it. `deployments` are ours."""
    ours = [one for one in deployments if any(map(one.is_in, said.essentials.alert_target_ids))]
    if not ours:
        return Ignored(
            "it is about another resource than AZURE_OPENAI_RESOURCE_ID and those that "
            "DEPLOYMENTS names"
        )
    if not said.criteria:
        if said.resolved:
            # whichever its firing was about: where there was none, this brakes nothing
            return {one.backend: Criterion() for one in ours}
        return Ignored("it names no metric")
    named = {name for one in said.criteria for name in _named(one)}
    about = [one for one in ours if not named or one.deployment.lower() in named]
    if not about:
        return Ignored("it is about a deployment that is not in DEPLOYMENTS")
    high = [one for one in said.criteria if not _is_low(one, resolved=said.resolved)]
    if not high:
        return Ignored("it fires when its metric is low, which is no reason to brake")
    criteria = {}
    for ours_named in about:
        name = ours_named.deployment.lower()
        fitting = [
            one
            for one in high
            if name in _named(one) or (not _named(one) and (named or _tells_how_full(one)))
        ]
        if fitting:
            criteria[ours_named.backend] = min(fitting, key=_less_telling)
    if not criteria:
        return Ignored("its metric does not show how full a deployment is")
    return criteria


def alert_on(
    deployment: str, criterion: Criterion, *, said: CommonAlert, now: float, expiry_seconds: float
) -> Alert:
    """What a delivery at `now` says of one deployment, by one of its criteria.

    No time of it is later than `now`: else a clock that is ahead would brake for longer than an
    alert may, or resolve what has not fired yet.
    """
    essentials = said.essentials
    fired_at = min(essentials.fired_date_time, now)
    resolved_at = None
    if said.resolved:
        # one that does not say when is the resolution of the firing that it names
        resolved_at = min(max(essentials.resolved_date_time or fired_at, fired_at), now)
    return Alert(
        deployment=deployment,
        alert_id=essentials.alert_id,
        rule=essentials.alert_rule[:MAX_TEXT_CHARS] or "without a name",
        metric=criterion.metric_name,
        operator=criterion.operator,
        threshold=_in_our_unit(criterion, criterion.threshold),
        value=_utilization(criterion),
        state=essentials.monitor_condition,
        fired_at=fired_at,
        resolved_at=resolved_at,
        observed_at=min(said.window_end or fired_at, now),
        expires_at=fired_at + expiry_seconds,
        description=(essentials.description or _sentence(criterion))[:MAX_TEXT_CHARS],
    )


# --- resources, deployments -----------------------------------------------------------------------


def _named(criterion: Criterion) -> set[str]:
    """The deployments that a criterion names, in lower case."""
    return {value.lower() for value in criterion.values_of(DEPLOYMENT) if value}


# --- criteria -------------------------------------------------------------------------------------


def _is_low(criterion: Criterion, *, resolved: bool) -> bool:
    """Whether it is met by little of the metric: `LessThan` and the like. A dynamic threshold may
    be crossed either way (`GreaterOrLessThan`); once resolved, the value does not tell which."""
    operator = criterion.operator.lower().replace(" ", "")
    if operator.startswith(("less", "lower")):
        return True
    return (
        operator == "greaterorlessthan"
        and not resolved
        and criterion.metric_value is not None
        and criterion.threshold is not None
        and criterion.metric_value < criterion.threshold
    )


def _is_utilization(criterion: Criterion) -> bool:
    return criterion.metric_name.lower() in UTILIZATION


def _tells_how_full(criterion: Criterion) -> bool:
    return _is_utilization(criterion) or _counts_refusals(criterion)


def _counts_refusals(criterion: Criterion) -> bool:
    return criterion.metric_name.lower() == REQUESTS and "429" in criterion.values_of(STATUS)


def _less_telling(criterion: Criterion) -> tuple[bool, bool, bool]:
    """Orders criteria: first those that name a deployment, then the utilization, then 429s."""
    return not _named(criterion), not _is_utilization(criterion), not _counts_refusals(criterion)


def _utilization(criterion: Criterion) -> float | None:
    """None for a value that is none: it is never turned into 0 %."""
    if not _is_utilization(criterion):
        return None
    value = _in_our_unit(criterion, criterion.metric_value)
    return value if value is not None and value >= 0 else None


def _in_our_unit(criterion: Criterion, value: float | None) -> float | None:
    """Percent becomes a float here; other metrics keep their unit."""
    return value / 100 if value is not None and _is_utilization(criterion) else value


def _sentence(criterion: Criterion) -> str:
    """What was evaluated, in the metric's own unit, for an alert whose rule has no description."""
    parts = [criterion.metric_name, criterion.operator]
    if criterion.threshold is not None:
        parts.append(f"{criterion.threshold:g}")
    if criterion.metric_value is not None:
        parts.append(f"(is {criterion.metric_value:g})")
    return " ".join(part for part in parts if part)
