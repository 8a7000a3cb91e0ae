"""host.json: what is read, and that everything unknown is refused by name."""

from pathlib import Path
from typing import Any

import pytest

from local.host.errors import RefusedError
from local.host.host_json import EventHubsOptions, HostJson, load_host_json, parse_host_json

ROOT = Path(__file__).resolve().parents[3]


def hubs(**settings: Any) -> dict[str, Any]:
    return {"version": "2.0", "extensions": {"eventHubs": settings}}


def test_the_repositorys_own_file_is_accepted() -> None:
    loaded = load_host_json(ROOT / "host.json")
    assert loaded.route_prefix == ""
    assert loaded.event_hubs.prefetch <= 100


def test_an_empty_file_means_azures_defaults() -> None:
    assert parse_host_json({"version": "2.0"}) == HostJson(
        route_prefix="api",
        function_timeout_seconds=1800,
        event_hubs=EventHubsOptions(
            max_batch=100,
            min_batch=1,
            max_wait_seconds=60,
            prefetch=300,
            checkpoint_every=1,
            initial_offset="fromStart",
            initial_time=None,
            websockets=False,
        ),
    )


def test_event_hub_settings_are_read() -> None:
    parsed = parse_host_json(
        hubs(
            maxEventBatchSize=10,
            minEventBatchSize=5,
            maxWaitTime="00:00:30",
            prefetchCount=20,
            batchCheckpointFrequency=3,
            transportType="amqpWebSockets",
            initialOffsetOptions={
                "type": "fromEnqueuedTime",
                "enqueuedTimeUtc": "2026-01-31T08:00:00Z",
            },
        )
    ).event_hubs
    assert (parsed.max_batch, parsed.min_batch, parsed.prefetch) == (10, 5, 20)
    assert (parsed.max_wait_seconds, parsed.checkpoint_every) == (30, 3)
    assert parsed.websockets
    assert parsed.initial_time is not None
    assert parsed.initial_time.isoformat() == "2026-01-31T08:00:00+00:00"


def test_a_function_timeout_of_minus_one_is_none() -> None:
    parsed = parse_host_json({"version": "2.0", "functionTimeout": "-1"})
    assert parsed.function_timeout_seconds is None


def test_the_route_prefix_may_be_empty_or_have_slashes_around_it() -> None:
    for given, expected in (("", ""), ("/v1/", "v1")):
        content = {"version": "2.0", "extensions": {"http": {"routePrefix": given}}}
        assert parse_host_json(content).route_prefix == expected


@pytest.mark.parametrize(
    ("content", "named"),
    [
        pytest.param([], "host.json", id="not an object"),
        pytest.param({}, "version", id="no version"),
        pytest.param({"version": "1.0"}, "version", id="another version"),
        pytest.param({"version": "2.0", "concurrency": {}}, "concurrency", id="unknown section"),
        pytest.param({"version": "2.0", "functionTimeout": "soon"}, "functionTimeout", id="span"),
        pytest.param({"version": "2.0", "extensions": {"queues": {}}}, "queues", id="extension"),
        pytest.param(
            {"version": "2.0", "extensions": {"http": {"maxConcurrentRequests": 5}}},
            "maxConcurrentRequests",
            id="http setting",
        ),
        pytest.param(hubs(maxBatchSize=10), "maxBatchSize", id="a name of old extensions"),
        pytest.param(hubs(maxEventBatchSize=0), "maxEventBatchSize", id="zero"),
        pytest.param(hubs(prefetchCount="100"), "prefetchCount", id="a string"),
        pytest.param(hubs(prefetchCount=True), "prefetchCount", id="a boolean"),
        pytest.param(hubs(minEventBatchSize=101), "minEventBatchSize", id="min over max"),
        pytest.param(hubs(maxWaitTime="00:10:01"), "maxWaitTime", id="too long a wait"),
        pytest.param(hubs(transportType="carrier pigeon"), "transportType", id="transport"),
        pytest.param(hubs(initialOffsetOptions={"type": "middle"}), "type", id="offset"),
        pytest.param(
            hubs(initialOffsetOptions={"type": "fromEnqueuedTime"}), "enqueuedTimeUtc", id="no time"
        ),
        pytest.param(hubs(initialOffsetOptions={"typ": "fromEnd"}), "typ", id="misspelt"),
    ],
)
def test_what_is_wrong_or_unknown_is_refused_by_name(content: Any, named: str) -> None:
    with pytest.raises(RefusedError, match=named):
        parse_host_json(content)


def test_a_missing_file_says_what_app_must_be(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="--app"):
        load_host_json(tmp_path / "host.json")
