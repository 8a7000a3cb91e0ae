"""What the consumer writes, and where, is what the Functions host writes by output bindings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from azure.core.exceptions import ServiceRequestError
from azure.eventhub import EventData

from ptu_consumer.events import body, delivery, epoch
from ptu_consumer.work import DISPATCHED_HUBS, UNLIMITED, Records, Written, written
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.requests.dispatch.invocation import Report
from ptu_optimizer.triggers import dispatch
from ptu_optimizer.triggers import usage as usage_trigger

# --- as the triggers ------------------------------------------------------------------------------


def functions() -> list[dict[str, Any]]:
    """The dispatch functions as the host is told of them."""
    return [orjson.loads(str(each.get_function_json())) for each in _built(dispatch)]


def _built(trigger: Any) -> list[Any]:
    return [builder.build() for builder in trigger.blueprint._function_builders]


def of_type(function: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one for one in function["bindings"] if one["type"] == kind]


def test_the_hubs_are_those_of_the_dispatch_functions() -> None:
    found = {of_type(one, "eventHubTrigger")[0]["eventHubName"] for one in functions()}
    assert set(DISPATCHED_HUBS) == found
    assert len(found) == 3


def test_containers_and_their_order_are_those_of_the_output_bindings() -> None:
    report = Report(annotations=[{"id": "a"}], dead_letters=[{"id": "d"}], positions=[{"id": "p"}])
    by_name = {"annotations": "a", "deadletters": "d", "positions": "p"}
    for function in functions():
        bound = [(one["containerName"], by_name[one["name"]]) for one in outputs(function)]
        assert [(name, records[0]["id"]) for name, records in written(report)] == bound


def outputs(function: dict[str, Any]) -> list[dict[str, Any]]:
    """In the order in which the host writes them, which is that of the decorators read upwards."""
    return of_type(function, "cosmosDB")


def test_retries_are_those_of_the_triggers() -> None:
    for function in _built(dispatch):
        policy = function.get_settings_dict("retry_policy")
        assert int(policy["max_retry_count"]) == UNLIMITED
    (usage,) = _built(usage_trigger)
    assert int(usage.get_settings_dict("retry_policy")["max_retry_count"]) == 2


# --- records --------------------------------------------------------------------------------------


class FakeContainer:
    def __init__(self, name: str, log: list[tuple[str, str]], *, fails_on: str) -> None:
        self._name, self._log, self._fails_on = name, log, fails_on

    async def upsert_item(self, body: dict[str, Any]) -> None:
        if body["id"] == self._fails_on:
            raise ServiceRequestError("no connection")
        self._log.append((self._name, body["id"]))


def store(log: list[tuple[str, str]], *, fails_on: str = "") -> Records:
    return Records(container=lambda name: FakeContainer(name, log, fails_on=fails_on))


RECORDS: Written = [
    ("requests", [{"id": "1"}, {"id": "2"}]),
    ("dead_letters", []),
    ("groups", [{"id": "3"}]),
]


async def test_records_are_upserted_one_after_the_other_in_their_order() -> None:
    log: list[tuple[str, str]] = []
    await store(log).write(RECORDS)
    assert log == [("requests", "1"), ("requests", "2"), ("groups", "3")]


async def test_the_first_that_cannot_be_written_ends_it_and_is_told_as_the_app_tells_it() -> None:
    log: list[tuple[str, str]] = []
    with pytest.raises(DependencyUnavailable, match="Cosmos DB"):
        await store(log, fails_on="2").write(RECORDS)
    assert log == [("requests", "1")]


# --- events ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(EventData(b"\xff\xfe"), b"\xff\xfe", id="bytes, not UTF-8"),
        pytest.param(EventData("text"), b"text", id="text"),
        pytest.param(EventData([b"one", b"two"]), b"onetwo", id="several sections"),
    ],
)
def test_the_bytes_of_an_event_are_what_was_sent(event: EventData, expected: bytes) -> None:
    assert body(event) == expected


class Foreign:
    """An event as another client may have sent it: an AMQP sequence or value."""

    sequence_number, enqueued_time = 1, None

    def __init__(self, content: object) -> None:
        self.body = content


@pytest.mark.parametrize("content", [[[1, b"x"]], {"a": b"x"}, {b"k": 1}], ids=str)
def test_an_event_of_another_kind_is_told_as_text_and_raises_nothing(content: object) -> None:
    events: Sequence[Any] = [Foreign(content)]
    (delivered,) = delivery("requests", "0", events).events
    assert delivered.raw == str(content).encode()


def test_the_hubs_time_is_utc_with_a_zone_and_without() -> None:
    moment = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    assert epoch(moment) == epoch(moment.replace(tzinfo=None)) == moment.timestamp()
    assert epoch(None) == 0.0
