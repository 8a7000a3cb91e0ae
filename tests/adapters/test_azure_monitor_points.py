"""What Azure Monitor's points become, in the SDK's own models: missing, null and odd ones too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.monitor.querymetrics import (
    Metric,
    MetricsQueryResult,
    MetricValue,
    TimeSeriesElement,
)

from ptu_optimizer.adapters import azure_monitor_points as points
from ptu_optimizer.capacity.signals.minute import Minute

LATER = 1e9
"""When every minute here is over."""


def at(minute: int, **aggregations: Any) -> MetricValue:
    return MetricValue(timestamp=datetime.fromtimestamp(60.0 * minute, UTC), **aggregations)


def series(*data: MetricValue, deployment: str = "p", **labels: str) -> TimeSeriesElement:
    metadata = {"ModelDeploymentName": deployment, **labels}
    return TimeSeriesElement(metadata_values=metadata, data=list(data))


def metric(name: str, *timeseries: TimeSeriesElement) -> Metric:
    return Metric(
        id="", type="", name=name, unit="", timeseries=list(timeseries), display_description=""
    )


def result(*metrics: Metric, granularity: timedelta | None = timedelta(minutes=1)) -> Any:
    # the SDK makes its own list of the metrics; it is read as any other
    return MetricsQueryResult(timespan="", metrics=list(metrics), granularity=granularity)


def minutes(*metrics: Metric, now: float = LATER) -> list[Minute]:
    return points.minutes([result(*metrics)], deployments=["p"], now=now)


def only(*metrics: Metric) -> Minute:
    (minute,) = minutes(*metrics)
    return minute


def utilization(*averages: Any) -> Metric:
    data = [at(number, average=average) for number, average in enumerate(averages)]
    return metric(points.UTILIZATION, series(*data))


def total(name: str, value: Any) -> Metric:
    return metric(name, series(at(0, total=value)))


def calls(number: Any, status: str, spillover: str | None = "False", **more: Any) -> Any:
    labels = {"StatusCode": status} | ({} if spillover is None else {"IsSpillover": spillover})
    return series(at(0, total=number), **labels, **more)


def requests(*timeseries: TimeSeriesElement) -> Metric:
    return metric(points.REQUESTS, *timeseries)


# --- which minutes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("averages", "expected"),
    [
        pytest.param((10.0, 20.0, None, None), [(60, 0.1), (120, 0.2)], id="the last are null"),
        pytest.param((10.0, None, 30.0), [(60, 0.1), (180, 0.3)], id="a gap stays a gap"),
        pytest.param((0.0,), [(60, 0.0)], id="a measured zero is a figure"),
        pytest.param((0,), [(60, 0.0)], id="an integer"),
        pytest.param((None, None), [], id="nothing is not zero"),
        pytest.param((), [], id="no points at all"),
        pytest.param((104.5,), [(60, 1.045)], id="over 100 %"),
        pytest.param((float("nan"), 10.0), [(120, 0.1)], id="not a number"),
        pytest.param((float("inf"),), [], id="infinite"),
        pytest.param((-1.0,), [], id="negative"),
        pytest.param((10**400,), [], id="more than a float can hold"),
        pytest.param(("10",), [], id="a text"),
        pytest.param((True,), [], id="a truth"),
    ],
)
def test_every_minute_with_a_figure_is_told_at_its_end(
    averages: tuple[Any, ...], expected: list[tuple[float, float]]
) -> None:
    found = [(minute.ends_at, minute.utilization) for minute in minutes(utilization(*averages))]
    assert found == [pytest.approx(pair) for pair in expected]


@pytest.mark.parametrize(
    ("now", "told"),
    [
        pytest.param(119.9, [60], id="the second is not over"),
        pytest.param(120.0, [60, 120], id="just over"),
    ],
)
def test_a_minute_that_is_not_over_is_left_out(now: float, told: list[float]) -> None:
    assert [minute.ends_at for minute in minutes(utilization(10.0, 90.0), now=now)] == told


def test_points_of_another_span_than_a_minute_are_left_out() -> None:
    coarse = result(utilization(10.0), granularity=timedelta(minutes=5))
    assert points.minutes([coarse], deployments=["p"], now=LATER) == []


def test_an_answer_that_does_not_name_its_span_is_one_of_minutes() -> None:
    unnamed = result(utilization(10.0), granularity=None)
    assert len(points.minutes([unnamed], deployments=["p"], now=LATER)) == 1


# --- whose minutes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deployment", "label", "found"),
    [
        pytest.param("p", "ModelDeploymentName", True, id="as documented"),
        pytest.param("P", "modeldeploymentname", True, id="in another case"),
        pytest.param("payg", "ModelDeploymentName", False, id="another deployment"),
        pytest.param("p", "Region", False, id="no deployment named"),
    ],
)
def test_deployments_are_known_by_name_in_any_case(
    deployment: str, label: str, found: bool
) -> None:
    one = TimeSeriesElement(metadata_values={label: deployment}, data=[at(0, average=50.0)])
    assert bool(minutes(metric(points.UTILIZATION, one))) is found


def test_a_metric_is_known_by_its_name_in_any_case() -> None:
    assert only(metric(points.UTILIZATION.upper(), series(at(0, average=50)))).utilization == 0.5
    assert only(metric(points.REQUESTS.lower(), calls(3, "429"))).refused == 3


def test_a_metric_that_was_not_asked_for_is_left_out() -> None:
    assert minutes(total("TokenTransaction", 5), total("", 5)) == []


# --- tokens ---------------------------------------------------------------------------------------

PROMPT, GENERATED = total(points.PROMPT_TOKENS, 1_000), total(points.GENERATED_TOKENS, 100)


def rate(percent: Any) -> Metric:
    return metric(points.CACHE_MATCH_RATE, series(at(0, average=percent)))


def active(tokens: Any) -> Metric:
    return total(points.ACTIVE_TOKENS, tokens)


@pytest.mark.parametrize(
    ("metrics", "cached"),
    [
        pytest.param((PROMPT, rate(25.0)), 250, id="a share of the prompt"),
        pytest.param((PROMPT, rate(0.0)), 0, id="none"),
        pytest.param((PROMPT, rate(101.0)), 1_000, id="never more than the prompt"),
        pytest.param((rate(25.0),), None, id="of an unknown prompt"),
        pytest.param((PROMPT, GENERATED), None, id="neither a rate nor active tokens"),
        pytest.param((PROMPT, rate(None), GENERATED, active(900)), 200, id="all less the active"),
        pytest.param((PROMPT, rate(25.0), GENERATED, active(500)), 250, id="the rate goes first"),
        pytest.param((PROMPT, GENERATED, active(1_200)), 0, id="more active than there were"),
        pytest.param((PROMPT, GENERATED, active(0)), 1_000, id="no more than the prompt"),
        pytest.param((PROMPT, active(900)), None, id="active, but of how many"),
    ],
)
def test_cached_tokens(metrics: tuple[Metric, ...], cached: float | None) -> None:
    found = minutes(*metrics)
    assert (found[0].cached_tokens if found else None) == cached


def test_a_rate_alone_is_no_minute() -> None:
    assert minutes(rate(25.0)) == []


def test_tokens_without_utilization_are_a_minute() -> None:
    minute = only(PROMPT, GENERATED)
    assert (minute.prompt_tokens, minute.generated_tokens) == (1_000, 100)
    assert (minute.utilization, minute.accepted) == (None, None)


# --- requests -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "accepted", "refused", "spilled"),
    [
        pytest.param([calls(5, "200"), calls(2, "429")], 5, 2, 0, id="both"),
        pytest.param([calls(5, "200")], 5, 0, 0, id="a status without a point did not occur"),
        pytest.param([calls(2, "429"), calls(9, "500")], 0, 2, 0, id="none accepted"),
        pytest.param([calls(5, "200"), calls(None, "429")], 5, 0, 0, id="null beside a figure"),
        pytest.param([calls(None, "200"), calls(None, "429")], None, None, None, id="null alone"),
        pytest.param([], None, None, None, id="no series"),
        pytest.param([calls(0, "200")], 0, 0, 0, id="a measured zero"),
        pytest.param([calls(2.6, "200"), calls(1.4, "429")], 3, 1, 0, id="fractions are rounded"),
        pytest.param([calls(-1, "200"), calls(3, "429")], 0, 3, 0, id="a negative one"),
        pytest.param([series(at(0, total=5))], None, None, None, id="not split by status"),
        pytest.param(
            [calls(5, "200"), calls(2, "429"), calls(3, "429", "TRUE")], 5, 5, 3, id="spilled 429"
        ),
        pytest.param([calls(1, "400", "True")], 0, 0, 1, id="a long prompt spilled over"),
        pytest.param([calls(1, "200", "True")], 0, 0, 1, id="served elsewhere is not accepted"),
        pytest.param([calls(5, "200", None), calls(2, "429", None)], 5, 2, None, id="not split"),
    ],
)
def test_requests_by_status_and_spillover(
    found: list[TimeSeriesElement],
    accepted: int | None,
    refused: int | None,
    spilled: int | None,
) -> None:
    minute = only(utilization(50.0), requests(*found))
    assert (minute.accepted, minute.refused, minute.spilled) == (accepted, refused, spilled)
    assert all(
        count is None or type(count) is int
        for count in (minute.accepted, minute.refused, minute.spilled)
    )


def test_when_only_another_deployment_is_marked_nobody_knows_whose_calls_spilled_over() -> None:
    marked = calls(3, "200", "True", deployment="payg")
    minute = only(requests(calls(5, "200"), calls(3, "429"), marked))
    assert (minute.refused, minute.spilled) == (3, None)


def test_no_requests_are_missing_not_zero_even_beside_utilization() -> None:
    minute = only(utilization(0.0))
    assert (minute.accepted, minute.refused, minute.spilled) == (None, None, None)


# --- several series of one deployment -------------------------------------------------------------


def test_totals_of_several_series_are_added() -> None:
    split = [series(at(0, total=100), Region=region) for region in ("a", "b")]
    assert only(metric(points.PROMPT_TOKENS, *split)).prompt_tokens == 200
    both = requests(calls(1, "429", Region="a"), calls(2, "429", Region="b"))
    assert only(both).refused == 3


def test_of_several_averages_the_one_that_leaves_less_room_is_taken() -> None:
    def parts(name: str, *values: tuple[float, float, float]) -> Metric:
        return metric(
            name,
            *(
                series(at(0, average=average, minimum=low, maximum=high), StreamType=str(number))
                for number, (average, low, high) in enumerate(values)
            ),
        )

    minute = only(
        PROMPT,
        parts(points.UTILIZATION, (40, 10, 60), (70, 20, 80), (50, 5, 55)),
        parts(points.CACHE_MATCH_RATE, (30, 0, 100), (10, 0, 100)),
    )
    assert (minute.utilization, minute.utilization_min, minute.utilization_max) == (0.7, 0.05, 0.8)
    assert minute.cached_tokens == 100


def test_a_null_in_one_of_several_series_is_left_out() -> None:
    split = [series(at(0, average=value), Region=str(value)) for value in (None, 40.0)]
    assert only(metric(points.UTILIZATION, *split)).utilization == 0.4
