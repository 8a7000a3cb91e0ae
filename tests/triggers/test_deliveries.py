"""What the Event Hub triggers make of the host's data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import azure.functions as func
import pytest
from azure.functions.meta import Datum

from ptu_optimizer.triggers.deliveries import delivery, epoch, partition


@pytest.mark.parametrize(
    ("enqueued", "seconds"),
    [
        pytest.param(datetime(2026, 1, 1, 12), 1767268800.0, id="without a zone it is UTC"),
        pytest.param(datetime(2026, 1, 1, 12, tzinfo=UTC), 1767268800.0, id="UTC"),
        pytest.param(
            datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2))), 1767268800.0, id="+02:00"
        ),
        pytest.param(None, 0.0, id="not sent: older than any lease, so nothing is taken over"),
    ],
)
def test_the_hubs_time_is_read_as_utc(
    enqueued: datetime | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert epoch(enqueued) == seconds
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        pytest.param({"PartitionContext": Datum('{"PartitionId": "5"}', "json")}, "5", id="JSON"),
        pytest.param({"PartitionContext": Datum('{"PartitionId": "5"}', "string")}, "5", id="text"),
        pytest.param({}, "unknown", id="absent"),
    ],
)
def test_the_partition_is_found_however_the_host_types_it(
    metadata: dict[str, Datum], expected: str
) -> None:
    assert partition([func.EventHubEvent(body=b"", trigger_metadata=metadata)]) == expected


def test_a_batch_becomes_a_delivery_in_its_order() -> None:
    metadata = {"PartitionContext": Datum('{"PartitionId": "2"}', "json")}
    events = [
        func.EventHubEvent(
            body=body,
            trigger_metadata=metadata,
            sequence_number=number,
            enqueued_time=datetime(2026, 1, 1, 12, tzinfo=UTC),
        )
        for number, body in ((7, b"first"), (8, b"second"))
    ]
    found = delivery("usage", events)
    assert (found.hub, found.partition) == ("usage", "2")
    assert [(e.sequence_number, e.raw) for e in found.events] == [(7, b"first"), (8, b"second")]
    assert {e.enqueued_at for e in found.events} == {1767268800.0}
