"""Events on their way into a function, through azure-functions' own converter."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import azure.functions as func
import pytest
from azure.functions.eventhub import EventHubTriggerConverter

from local.host.bindings import EventHubTrigger
from local.host.event_data import batch_input, single_input
from local.host.invoker import TriggerInput
from local.host.worker.converters import EventHubConverter, decode_trigger
from tests.local.host.fakes import received

PARTITION = {"PartitionId": "3", "EventHubName": "requests"}


def trigger(*, many: bool = True, binary: bool = False) -> EventHubTrigger:
    return EventHubTrigger(
        name="events",
        hub="requests",
        connection="C",
        consumer_group="$Default",
        many=many,
        binary=binary,
    )


def decoded(data: TriggerInput) -> Any:
    """What the function gets, after the journey over the socket."""
    over_the_wire = json.loads(json.dumps(data.metadata))
    return decode_trigger("eventHubTrigger", data.data_type, data.data, over_the_wire)


def test_a_batch_becomes_events_with_what_the_hub_knows_of_them() -> None:
    sent = [
        received(7, b'{"a": 1}', key=b"k1", properties={b"kind": b"request", b"n": 3}),
        received(8, b"text"),
    ]
    first, second = decoded(batch_input("dispatch", trigger(), sent, PARTITION))
    assert isinstance(first, func.EventHubEvent)
    assert [event.get_body() for event in (first, second)] == [b'{"a": 1}', b"text"]
    assert [event.sequence_number for event in (first, second)] == [7, 8]
    assert [event.offset for event in (first, second)] == [700, 800]
    assert [event.partition_key for event in (first, second)] == ["k1", None]
    assert first.enqueued_time == datetime(2026, 1, 31, 8, 0, 0, 123_000)


def test_all_events_share_the_batchs_metadata() -> None:
    sent = [received(7, key=b"k1", properties={b"kind": b"request"}), received(8)]
    metadata = decoded(batch_input("dispatch", trigger(), sent, PARTITION))[0].metadata
    assert metadata["PartitionContext"] == PARTITION
    assert metadata["SequenceNumberArray"] == [7, 8]
    assert metadata["OffsetArray"] == ["700", "800"]
    assert metadata["EnqueuedTimeUtcArray"] == ["2026-01-31T08:00:00.123"] * 2
    assert metadata["PropertiesArray"] == [{"kind": "request"}, {}]
    assert metadata["SystemPropertiesArray"][0]["x-opt-sequence-number"] == 7
    assert metadata["SystemPropertiesArray"][1]["PartitionKey"] is None
    assert metadata["sys"]["MethodName"] == "dispatch"


def test_partition_keys_of_a_batch_lack_the_events_without_one_as_in_azure() -> None:
    sent = [received(7), received(8, key=b"k8")]
    metadata = decoded(batch_input("dispatch", trigger(), sent, PARTITION))[0].metadata
    assert metadata["PartitionKeyArray"] == ["k8"]


def test_a_body_that_is_not_utf8_survives_with_data_type_binary_only() -> None:
    sent = [received(1, b"\xff\x00")]
    (text,) = decoded(batch_input("f", trigger(), sent, PARTITION))
    (binary,) = decoded(batch_input("f", trigger(binary=True), sent, PARTITION))
    assert text.get_body() == "\ufffd\x00".encode()
    assert binary.get_body() == b"\xff\x00"


def test_an_empty_text_body_fails_the_whole_batch_as_in_azure() -> None:
    sent = [received(1, b"{}"), received(2, b"")]
    with pytest.raises(AssertionError, match="mismatched"):
        decoded(batch_input("f", trigger(), sent, PARTITION))
    assert len(decoded(batch_input("f", trigger(binary=True), sent, PARTITION))) == 2


def test_a_single_event_has_metadata_of_its_own() -> None:
    sent = received(7, b"one", key=b"k1", properties={b"kind": b"request"}, message_id="m")
    event = decoded(single_input("f", trigger(many=False), sent, PARTITION))
    assert event.get_body() == b"one"
    assert (event.sequence_number, event.offset, event.partition_key) == (7, "700", "k1")
    assert event.enqueued_time == datetime(2026, 1, 31, 8, 0, 0, 123_000)
    assert event.metadata["Properties"] == {"kind": "request"}
    assert event.metadata["SystemProperties"]["message-id"] == "m"


def test_times_are_read_as_azure_functions_reads_them() -> None:
    for text in ("2026-01-31T08:00:00.123", "2026-01-31T08:00:00", "2026-01-31T08:00:00.100000"):
        assert EventHubConverter._parse_datetime(text) == EventHubTriggerConverter._parse_datetime(
            text
        )
    assert EventHubConverter._parse_datetime(None) is None
