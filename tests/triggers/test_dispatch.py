"""What the dispatch triggers make of the host's data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import azure.functions as func
import pytest
from azure.functions.meta import Datum

from ptu_optimizer.triggers.dispatch import _epoch, _partition


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
        assert _epoch(enqueued) == seconds
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("metadata", "partition"),
    [
        pytest.param({"PartitionContext": Datum('{"PartitionId": "5"}', "json")}, "5", id="JSON"),
        pytest.param({"PartitionContext": Datum('{"PartitionId": "5"}', "string")}, "5", id="text"),
        pytest.param({}, "unknown", id="absent"),
    ],
)
def test_the_partition_is_found_however_the_host_types_it(
    metadata: dict[str, Datum], partition: str
) -> None:
    assert _partition([func.EventHubEvent(body=b"", trigger_metadata=metadata)]) == partition
