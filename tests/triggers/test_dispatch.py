"""What the dispatch triggers make of the host's data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ptu_optimizer.triggers.dispatch import _epoch


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
