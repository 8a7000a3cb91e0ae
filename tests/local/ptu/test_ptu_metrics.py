"""One-minute records, and the Azure Monitor metrics made of them."""

from __future__ import annotations

import pytest

from local.ptu import PaygDeployment, PtuDeployment
from local.ptu.calls import Admitted, Traffic
from local.ptu.metric_query import parse_filter, query_metric
from local.ptu.metrics import BadQuery, find_metric

UTILIZATION = "AzureOpenAIProvisionedManagedUtilizationV2"
BY_DEPLOYMENT = parse_filter("ModelDeploymentName eq '*'")


def deployment() -> PtuDeployment:
    """R = 100 work a second and full at 6,000 (W = 60 s)."""
    return PtuDeployment(
        name="p", ptus=2, input_tpm_per_ptu=3_000, output_ratio=4, window_seconds=60
    )


def serve(
    ptu: PtuDeployment | PaygDeployment,
    *,
    at: float,
    prompt: int,
    output: int = 0,
    cached: int = 0,
    spillover: bool = False,
) -> None:
    call = ptu.arrive(
        now=at,
        prompt_tokens=prompt,
        cached_tokens=cached,
        max_tokens=output,
        spillover=spillover,
    )
    assert isinstance(call, Admitted)
    ptu.complete(call, now=at, output_tokens=output)


def points(
    ptu: PtuDeployment, name: str, aggregation: str, minutes: int = 4, kind: str = "level"
) -> list[float | None]:
    metric = find_metric(name, kind="load" if kind == "load" else "level")
    (series,) = query_metric(metric, [ptu], minutes=range(minutes), allowed=BY_DEPLOYMENT)
    found = [series.points.get(minute) for minute in range(minutes)]
    return [None if point is None else point.aggregate(aggregation) for point in found]


def test_utilization_as_level_is_the_exact_time_average() -> None:
    ptu = deployment()
    serve(ptu, at=0.0, prompt=3_000)
    ptu.advance(240.0)
    # From 50 % to nothing in 30 of 60 seconds.
    assert points(ptu, UTILIZATION, "average") == [pytest.approx(12.5), None, None, None]
    assert points(ptu, UTILIZATION, "maximum")[0] == pytest.approx(50.0)
    assert points(ptu, UTILIZATION, "minimum")[0] == 0.0


def test_utilization_as_load_is_the_drained_share_of_the_minute() -> None:
    ptu = deployment()
    serve(ptu, at=30.0, prompt=4_500)
    ptu.advance(240.0)
    assert points(ptu, UTILIZATION, "average", kind="load") == [
        pytest.approx(50.0),
        pytest.approx(25.0),
        None,
        None,
    ]


def test_work_that_drains_across_minutes_shows_in_each() -> None:
    ptu = deployment()
    serve(ptu, at=0.0, prompt=5_000)
    serve(ptu, at=0.0, prompt=5_500)
    ptu.advance(240.0)
    assert points(ptu, UTILIZATION, "maximum") == [
        pytest.approx(175.0),
        pytest.approx(75.0),
        None,
        None,
    ]
    assert points(ptu, UTILIZATION, "average")[:2] == [
        pytest.approx(125.0),
        pytest.approx(75.0 * 0.5 * 45 / 60),
    ]


def test_how_often_somebody_looks_does_not_matter() -> None:
    seldom, often = deployment(), deployment()
    for ptu in (seldom, often):
        serve(ptu, at=10.0, prompt=5_900)
        serve(ptu, at=11.0, prompt=5_900)
    for step in range(110, 2_400):
        often.advance(step / 10)
    seldom.advance(240.0)
    for aggregation in ("average", "minimum", "maximum"):
        for kind in ("level", "load"):
            seen = points(often, UTILIZATION, aggregation, kind=kind)
            assert seen == pytest.approx(points(seldom, UTILIZATION, aggregation, kind=kind))


def test_a_minute_that_began_full_and_was_topped_up_at_once_was_never_empty() -> None:
    ptu = deployment()
    serve(ptu, at=0.0, prompt=5_000)
    serve(ptu, at=0.0, prompt=5_000)
    serve(ptu, at=60.0, prompt=3_000)
    ptu.advance(119.0)
    lowest = points(ptu, UTILIZATION, "minimum", minutes=2)[1]
    assert lowest == pytest.approx(100 * 1_100 / 6_000)


def test_an_idle_minute_has_no_data_rather_than_zero() -> None:
    ptu = deployment()
    serve(ptu, at=0.0, prompt=1)
    serve(ptu, at=180.0, prompt=1)
    ptu.advance(240.0)
    for name in (UTILIZATION, "ProcessedPromptTokens", "AzureOpenAIRequests"):
        aggregation = "average"
        assert [p is None for p in points(ptu, name, aggregation)] == [False, True, True, False]


def test_token_metrics_add_up_what_was_served() -> None:
    ptu = deployment()
    serve(ptu, at=1.0, prompt=100, output=10, cached=40)
    serve(ptu, at=2.0, prompt=100, output=30)
    assert points(ptu, "ProcessedPromptTokens", "total")[0] == 200
    assert points(ptu, "GeneratedTokens", "total")[0] == 40
    assert points(ptu, "TokenTransaction", "total")[0] == 240
    assert points(ptu, "ActiveTokens", "total")[0] == 200
    assert points(ptu, "AzureOpenAIContextTokensCacheMatchRate", "average")[0] == 20.0
    assert points(ptu, "GeneratedTokens", "average")[0] == 20.0


def test_requests_split_by_status_code_and_spillover() -> None:
    ptu, payg = deployment(), PaygDeployment(name="s")
    serve(ptu, at=0.0, prompt=6_000)
    ptu.arrive(now=0.0, prompt_tokens=1, traffic=Traffic.BATCH)
    ptu.fail(now=0.0, status=500, traffic=Traffic.BATCH)
    serve(payg, at=0.0, prompt=1, spillover=True)
    series = query_metric(
        find_metric("azureopenairequests", kind="level"),
        [ptu, payg],
        minutes=range(1),
        allowed=parse_filter(
            "ModelDeploymentName eq '*' and StatusCode eq '*' and IsSpillover eq '*'"
        ),
    )
    assert {tuple(one.dimensions.values()): one.points[0].total for one in series} == {
        ("p", "200", "False"): 1,
        ("p", "429", "False"): 1,
        ("p", "500", "False"): 1,
        ("s", "200", "True"): 1,
    }


def test_a_refused_call_that_spilled_over_is_still_a_429_of_its_deployment_and_marked() -> None:
    ptu = deployment()
    serve(ptu, at=0.0, prompt=6_000)
    for _ in range(3):
        ptu.arrive(now=0.0, prompt_tokens=1)
    ptu.spilled(now=0.0, status=429, traffic=Traffic.INTERACTIVE)
    series = query_metric(
        find_metric("AzureOpenAIRequests", kind="level"),
        [ptu],
        minutes=range(1),
        allowed=parse_filter("StatusCode eq '429' and IsSpillover eq '*'"),
    )
    assert {one.dimensions["isspillover"]: one.points[0].total for one in series} == {
        "False": 2,
        "True": 1,
    }
    assert ptu.counters.interactive.spilled_over == 1


def test_a_filter_chooses_and_a_roll_up_joins() -> None:
    ptu = deployment()
    serve(ptu, at=0.0, prompt=6_000)
    ptu.arrive(now=0.0, prompt_tokens=1)
    ptu.arrive(now=0.0, prompt_tokens=1)
    requests = find_metric("AzureOpenAIRequests", kind="level")
    allowed = parse_filter("StatusCode eq '429' or StatusCode eq '500'")
    (refused,) = query_metric(requests, [ptu], minutes=range(1), allowed=allowed)
    assert refused.dimensions == {"statuscode": "429"}
    assert refused.points[0].total == 2
    (rolled,) = query_metric(
        requests,
        [ptu],
        minutes=range(1),
        allowed=parse_filter("StatusCode eq '*'"),
        roll_up=frozenset({"statuscode"}),
    )
    assert (rolled.dimensions, rolled.points[0].total) == ({}, 3)


def test_a_provisioned_metric_has_no_series_of_a_pay_as_you_go_deployment() -> None:
    metric = find_metric(UTILIZATION, kind="level")
    payg = PaygDeployment(name="s")
    assert query_metric(metric, [payg], minutes=range(1), allowed=BY_DEPLOYMENT) == []


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        pytest.param("A eq 'x'", {"a": {"x"}}, id="one"),
        pytest.param("A eq '*'", {"a": None}, id="any"),
        pytest.param("a EQ 'x' or A eq 'Y'", {"a": {"x", "y"}}, id="either, in any case"),
        pytest.param("A eq 'it''s' and B eq ''", {"a": {"it's"}, "b": {""}}, id="quotes"),
    ],
)
def test_filters_that_azure_takes(text: str, parsed: dict[str, set[str] | None]) -> None:
    assert parse_filter(text) == parsed


@pytest.mark.parametrize(
    "text",
    ["A", "A eq x", "A eq 'x' and", "A eq 'x' or B eq 'y'", "A ne 'x'", "A eq 'x' B eq 'y'"],
)
def test_filters_that_azure_refuses(text: str) -> None:
    with pytest.raises(BadQuery):
        parse_filter(text)


def test_an_unknown_metric_or_dimension_is_refused_by_name() -> None:
    with pytest.raises(BadQuery, match="Nonsense"):
        find_metric("Nonsense", kind="level")
    with pytest.raises(BadQuery, match="combination: statuscode, supported ones are: Region,"):
        query_metric(
            find_metric(UTILIZATION, kind="level"),
            [],
            minutes=range(1),
            allowed=parse_filter("ModelDeploymentName eq '*' and StatusCode eq '429'"),
        )


@pytest.mark.parametrize(
    ("name", "dimension", "has_it"),
    [
        pytest.param(UTILIZATION, "StreamType", True, id="utilization by stream type"),
        pytest.param(UTILIZATION, "ModelName", True, id="utilization by model"),
        pytest.param("AzureOpenAIRequests", "ServiceTierRequest", True, id="requests by tier"),
        pytest.param("ProcessedPromptTokens", "ApiName", True, id="prompt tokens by API"),
        pytest.param("ProcessedPromptTokens", "ModelName", False, id="prompt tokens by model"),
        pytest.param("GeneratedTokens", "StatusCode", False, id="generated tokens by status"),
        pytest.param("ActiveTokens", "StreamType", False, id="active tokens by stream type"),
        pytest.param(
            "AzureOpenAIContextTokensCacheMatchRate", "IsSpillover", False, id="rate by spillover"
        ),
    ],
)
def test_each_metric_has_the_dimensions_of_the_reference(
    name: str, dimension: str, has_it: bool
) -> None:
    metric = find_metric(name, kind="level")
    allowed = parse_filter(f"ModelDeploymentName eq '*' and {dimension} eq '*'")
    if has_it:
        query_metric(metric, [deployment()], minutes=range(1), allowed=allowed)
    else:
        with pytest.raises(BadQuery, match=dimension.lower()):
            query_metric(metric, [deployment()], minutes=range(1), allowed=allowed)


@pytest.mark.parametrize(
    ("name", "supported"),
    [
        (UTILIZATION, {"average", "minimum", "maximum"}),
        ("AzureOpenAIContextTokensCacheMatchRate", {"average", "minimum", "maximum"}),
        ("AzureOpenAIRequests", {"total"}),
        ("ProcessedPromptTokens", {"total"}),
        ("GeneratedTokens", {"total"}),
        ("ActiveTokens", {"average", "minimum", "maximum", "total"}),
    ],
)
def test_each_metric_has_the_aggregations_of_the_reference(name: str, supported: set[str]) -> None:
    metric = find_metric(name, kind="level")
    for aggregation in ("average", "minimum", "maximum", "total", "count"):
        if aggregation in supported:
            metric.check_aggregations([aggregation])
        else:
            with pytest.raises(BadQuery, match="Sampling type is not found"):
                metric.check_aggregations([aggregation])
