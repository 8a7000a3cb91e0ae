"""Azure Monitor and managed identity, with the real clients of both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.rest import HttpRequest
from azure.identity.aio import (
    DefaultAzureCredential,
    ManagedIdentityCredential,
    get_bearer_token_provider,
)
from azure.monitor.querymetrics import MetricsQueryResult, TimeSeriesElement
from azure.monitor.querymetrics.aio import MetricsClient
from openai import AsyncAzureOpenAI

from local.ptu import PtuServer
from tests.local.ptu.serving import PTU, QUESTION, START, Control, SteppedClock, serving

RESOURCE = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"
    "/providers/Microsoft.CognitiveServices/accounts/local"
)
UTILIZATION = "AzureOpenAIProvisionedManagedUtilizationV2"
HALF_FULL = {"x-sim-prompt-tokens": "12496", "x-sim-output-tokens": "1"}


class Monitor:
    """The real metrics client, as the app calls it."""

    def __init__(self, client: MetricsClient) -> None:
        self.client = client

    async def query(
        self, *names: str, minutes: int = 10, end: float = START + 600, **options: Any
    ) -> MetricsQueryResult:
        until = datetime.fromtimestamp(end, UTC)
        (result,) = await self.client.query_resources(
            resource_ids=[RESOURCE],
            metric_namespace="Microsoft.CognitiveServices/accounts",
            metric_names=list(names),
            timespan=(until - timedelta(minutes=minutes), until),
            granularity=timedelta(minutes=1),
            enforce_https=False,
            **options,
        )
        return result


def series_of(result: MetricsQueryResult, name: str) -> list[TimeSeriesElement]:
    """The series of one metric. (The client's list takes names too, but is typed as a list.)"""
    (metric,) = [metric for metric in result.metrics if metric.name == name]
    return metric.timeseries


@asynccontextmanager
async def monitored(
    monkeypatch: pytest.MonkeyPatch, clock: SteppedClock, *deployments: dict[str, Any], **more: Any
) -> AsyncIterator[tuple[PtuServer, AsyncAzureOpenAI, Control, Monitor]]:
    async with serving(*deployments, clock=clock, **more) as (server, client, control):
        for name, value in server.identity_environment.items():
            monkeypatch.setenv(name, value)
        async with (
            DefaultAzureCredential() as credential,
            MetricsClient(server.url, credential) as metrics,
        ):
            yield server, client, control, Monitor(metrics)


async def ask(client: AsyncAzureOpenAI, **headers: str) -> None:
    await client.chat.completions.create(
        model="ptu",
        messages=QUESTION,
        max_tokens=1,
        extra_headers={**HALF_FULL, **{k.replace("_", "-"): v for k, v in headers.items()}},
    )


async def test_the_real_client_reads_utilization_once_it_is_visible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SteppedClock(START)
    async with monitored(monkeypatch, clock, metric_delay_seconds=90) as (_, client, _c, monitor):
        await ask(client)

        async def averages() -> list[float | None]:
            result = await monitor.query(
                UTILIZATION,
                minutes=3,
                end=START + 180,
                aggregations=["Average", "Maximum", "Minimum"],
                filter="ModelDeploymentName eq 'ptu'",
            )
            (series,) = series_of(result, UTILIZATION)
            assert series.metadata_values == {"modeldeploymentname": "ptu"}
            assert [point.timestamp.timestamp() for point in series.data] == [
                START,
                START + 60,
                START + 120,
            ]
            return [point.average for point in series.data]

        clock.pass_seconds(149.9)
        assert await averages() == [None, None, None]
        clock.pass_seconds(0.1)
        # From 50 % to nothing in 5 of 60 seconds.
        assert await averages() == [pytest.approx(50.0 * 0.5 * 5 / 60), None, None]


@pytest.mark.parametrize(("metric", "average"), [("level", 50 * 0.5 / 12), ("load", 100 / 12)])
async def test_utilization_is_served_as_level_or_as_load(
    monkeypatch: pytest.MonkeyPatch, metric: str, average: float
) -> None:
    clock = SteppedClock(START)
    async with monitored(monkeypatch, clock, metric=metric) as (_, client, _c, monitor):
        await ask(client)
        clock.pass_seconds(120)
        result = await monitor.query(
            UTILIZATION, minutes=1, end=START + 60, aggregations=["Average"]
        )
        (point,) = series_of(result, UTILIZATION)[0].data
        assert point.average == pytest.approx(average)


async def test_requests_by_status_code_show_the_harm_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SteppedClock(START)
    async with monitored(monkeypatch, clock) as (_, client, control, monitor):
        await ask(client)
        await ask(client)
        await control.post("faults", {"status": 429, "count": 1})
        with pytest.raises(Exception, match="429"):
            await ask(client)
        clock.pass_seconds(120)
        result = await monitor.query(
            "AzureOpenAIRequests",
            "ProcessedPromptTokens",
            minutes=1,
            end=START + 60,
            aggregations=["Total"],
            filter="ModelDeploymentName eq 'ptu'",
        )
        assert series_of(result, "AzureOpenAIRequests")[0].data[0].total == 3
        assert series_of(result, "ProcessedPromptTokens")[0].data[0].total == 2 * 12_496
        split = await monitor.query(
            "AzureOpenAIRequests",
            minutes=1,
            end=START + 60,
            aggregations=["Total"],
            filter="ModelDeploymentName eq 'ptu' and StatusCode eq '*'",
        )
        assert {
            series.metadata_values["statuscode"]: series.data[0].total
            for series in series_of(split, "AzureOpenAIRequests")
        } == {"200": 2, "429": 1}


async def test_a_coarser_grain_joins_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SteppedClock(START)
    async with monitored(monkeypatch, clock) as (_, client, _c, monitor):
        for _minute in range(3):
            await ask(client)
            clock.pass_seconds(60)
        clock.pass_seconds(300)
        (result,) = await monitor.client.query_resources(
            resource_ids=[RESOURCE],
            metric_namespace="Microsoft.CognitiveServices/accounts",
            metric_names=["AzureOpenAIRequests"],
            timespan=(datetime.fromtimestamp(START, UTC), timedelta(minutes=5)),
            granularity=timedelta(minutes=5),
            aggregations=["Total"],
            enforce_https=False,
        )
        (point,) = series_of(result, "AzureOpenAIRequests")[0].data
        assert point.total == 3


@pytest.mark.parametrize(
    ("names", "options", "status", "named"),
    [
        pytest.param(["Nonsense"], {}, 400, "Nonsense", id="a metric that there is not"),
        pytest.param(
            [UTILIZATION], {"filter": "StatusCode eq '429'"}, 400, "statuscode", id="a dimension"
        ),
        pytest.param(
            ["AzureOpenAIRequests", "GeneratedTokens"],
            {"filter": "ModelDeploymentName eq '*' and StatusCode eq '*'"},
            400,
            "GeneratedTokens does not support requested dimension combination: statuscode",
            id="a dimension that one of two metrics lacks",
        ),
        pytest.param(
            [UTILIZATION], {"filter": "ModelDeploymentName = 'x'"}, 400, "filter", id="a filter"
        ),
        pytest.param([UTILIZATION], {"aggregations": ["Total"]}, 501, "total", id="an aggregation"),
        pytest.param(
            [UTILIZATION, "GeneratedTokens"],
            {"aggregations": ["Average", "Total"]},
            501,
            "Sampling type is not found",
            id="an aggregation that one of two metrics lacks",
        ),
        pytest.param(
            [UTILIZATION],
            {"filter": "ModelDeploymentName eq '*'", "max_results": 0},
            400,
            "TopN",
            id="no series",
        ),
    ],
)
async def test_what_azure_monitor_would_refuse_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    options: dict[str, Any],
    status: int,
    named: str,
) -> None:
    async with monitored(monkeypatch, SteppedClock()) as (_, _client, _c, monitor):
        with pytest.raises(HttpResponseError, match=named) as refused:
            await monitor.query(*names, **options)
        assert refused.value.status_code == status


@pytest.mark.parametrize(
    ("options", "series"),
    [
        pytest.param({"filter": "ModelDeploymentName eq '*'"}, 10, id="ten by itself"),
        pytest.param({"filter": "ModelDeploymentName eq '*'", "max_results": 3}, 3, id="fewer"),
        pytest.param({"filter": "ModelDeploymentName eq '*'", "max_results": 99}, 12, id="all"),
        pytest.param({}, 1, id="one of everything without a filter"),
    ],
)
async def test_series_beyond_the_top_are_left_out_without_a_word(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], series: int
) -> None:
    deployments = [{**PTU, "name": f"ptu-{n}"} for n in range(12)]
    async with monitored(monkeypatch, SteppedClock(), *deployments) as (_, _c, _d, monitor):
        result = await monitor.query(UTILIZATION, **options)
        assert len(series_of(result, UTILIZATION)) == series


async def test_calls_that_spilled_over_are_marked_where_they_were_refused_and_where_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SteppedClock(START)
    deployments = {**PTU, "spillover_to": "payg"}, {"name": "payg"}
    async with monitored(monkeypatch, clock, *deployments) as (_, client, _c, monitor):
        for _ in range(2):
            await ask(client, x_sim_prompt_tokens="24996")
        clock.pass_seconds(120)
        result = await monitor.query(
            "AzureOpenAIRequests",
            minutes=1,
            end=START + 60,
            aggregations=["Total"],
            filter="ModelDeploymentName eq '*' and StatusCode eq '*' and IsSpillover eq '*'",
        )
        found = {
            tuple(series.metadata_values.values()): series.data[0].total
            for series in series_of(result, "AzureOpenAIRequests")
        }
        assert found == {
            ("ptu", "200", "False"): 1,
            ("ptu", "429", "True"): 1,
            ("payg", "200", "True"): 1,
        }


async def test_plain_http_needs_the_request_to_allow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with monitored(monkeypatch, SteppedClock()) as (_, _client, _c, monitor):
        with pytest.raises(Exception, match="TLS"):
            await monitor.client.query_resources(
                resource_ids=[RESOURCE],
                metric_namespace="Microsoft.CognitiveServices/accounts",
                metric_names=[UTILIZATION],
            )


async def test_a_token_for_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        monitored(monkeypatch, SteppedClock()) as (server, _client, _c, _monitor),
        ManagedIdentityCredential() as credential,
        MetricsClient(
            server.url, credential, audience="https://cognitiveservices.azure.com"
        ) as wrong,
    ):
        with pytest.raises(ClientAuthenticationError):
            await Monitor(wrong).query(UTILIZATION)


async def test_the_openai_client_works_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        monitored(monkeypatch, SteppedClock()) as (server, _client, control, _monitor),
        ManagedIdentityCredential() as credential,
        AsyncAzureOpenAI(
            azure_endpoint=server.url,
            azure_ad_token_provider=get_bearer_token_provider(
                credential, "https://cognitiveservices.azure.com/.default"
            ),
            api_version="2024-10-21",
            max_retries=0,
        ) as client,
    ):
        await client.chat.completions.create(model="ptu", messages=QUESTION)
        assert (await control.total())["served"] == 1


async def test_a_token_survives_a_restart_and_dies_with_another_identity_header() -> None:
    async with serving() as (one, _, _c), serving() as (two, _, _c2):
        token, _expires = one.identity.issue("https://ai.azure.com")
        assert two.identity.audience(token) == "https://ai.azure.com"
    async with serving(identity_header="other") as (three, _, _c3):
        assert three.identity.audience(token) is None
        assert three.identity.audience("nonsense") is None


@pytest.mark.parametrize(
    ("query", "header", "status"),
    [
        pytest.param("resource=r&api-version=2019-08-01", "local", 200, id="right"),
        pytest.param("resource=r&api-version=2019-08-01", "wrong", 401, id="wrong header"),
        pytest.param("resource=r", "local", 400, id="no api-version"),
        pytest.param("api-version=2019-08-01", "local", 400, id="no resource"),
    ],
)
async def test_the_identity_endpoint_speaks_app_service_s_protocol(
    query: str, header: str, status: int
) -> None:
    async with (
        serving(PTU) as (server, _client, control),
        control.session.get(
            f"{server.url}/msi/token?{query}", headers={"X-IDENTITY-HEADER": header}
        ) as response,
    ):
        assert response.status == status
        if status == 200:
            assert (await response.json())["resource"] == "r"


async def test_the_body_must_name_resources_of_the_subscription(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with monitored(monkeypatch, SteppedClock()) as (server, _client, _c, monitor):
        path = (
            f"{server.url}/subscriptions/other/metrics:getBatch?api-version=2024-02-01"
            f"&metricnamespace=microsoft.cognitiveservices%2Faccounts&metricnames={UTILIZATION}"
        )
        bodies: list[dict[str, list[str]]] = [
            {},
            {"resourceids": []},
            {"resourceids": [RESOURCE]},
        ]
        for body in bodies:
            request = HttpRequest("POST", path, json=body)
            response = await monitor.client.send_request(request, enforce_https=False)
            assert response.status_code == 400
