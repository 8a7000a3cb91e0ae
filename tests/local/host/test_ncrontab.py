"""NCRONTAB schedules: when timers fire."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from local.host.ncrontab import parse_schedule


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        pytest.param("* * * * * *", "2026-01-01T00:00:00", "2026-01-01T00:00:01", id="each second"),
        pytest.param("*/15 * * * * *", "2026-01-01T00:00:15", "2026-01-01T00:00:30", id="step"),
        pytest.param("*/15 * * * * *", "2026-01-01T00:00:59", "2026-01-01T00:01:00", id="wraps"),
        pytest.param("0 */5 * * * *", "2026-01-01T00:04:59", "2026-01-01T00:05:00", id="5 min"),
        pytest.param("*/5 * * * *", "2026-01-01T00:04:59", "2026-01-01T00:05:00", id="5 fields"),
        pytest.param("5/20 * * * * *", "2026-01-01T00:00:25", "2026-01-01T00:00:45", id="from 5"),
        pytest.param("10-40/15 * * * * *", "2026-01-01T00:00:25", "2026-01-01T00:00:40", id="r/s"),
        pytest.param("10-40/15 * * * * *", "2026-01-01T00:00:40", "2026-01-01T00:01:10", id="rs"),
        pytest.param("0 0 9-17 * * *", "2026-01-01T17:00:00", "2026-01-02T09:00:00", id="range"),
        pytest.param("0 0,30 8 * * *", "2026-01-01T08:00:00", "2026-01-01T08:30:00", id="list"),
        pytest.param("0 30 9 * Jan Mon", "2026-01-01T00:00:00", "2026-01-05T09:30:00", id="names"),
        pytest.param("0 0 0 * * Mon-Fri", "2026-01-02T00:00:00", "2026-01-05T00:00:00", id="days"),
        pytest.param("0 0 0 * * sunday", "2026-01-01T00:00:00", "2026-01-04T00:00:00", id="name"),
        pytest.param("0 0 0 31 * *", "2026-02-01T00:00:00", "2026-03-31T00:00:00", id="31st"),
        pytest.param("0 0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00", id="leap day"),
        pytest.param("0 0 0 13 * 5", "2026-01-01T00:00:00", "2026-02-13T00:00:00", id="both match"),
        pytest.param("59 59 23 31 12 *", "2026-12-31T23:59:59", "2027-12-31T23:59:59", id="year"),
    ],
)
def test_the_next_time_is_the_first_later_one(schedule: str, after: str, expected: str) -> None:
    assert parse_schedule(schedule).next_after(at(after)) == at(expected)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("* * * *", id="four fields"),
        pytest.param("* * * * * * *", id="seven fields"),
        pytest.param("00:01:00", id="a time span"),
        pytest.param("60 * * * * *", id="second 60"),
        pytest.param("* * 24 * * *", id="hour 24"),
        pytest.param("* * * 0 * *", id="day 0"),
        pytest.param("* * * * 13 *", id="month 13"),
        pytest.param("* * * * * 7", id="weekday 7"),
        pytest.param("* * * * * Mo", id="too short a name"),
        pytest.param("Mon * * * * *", id="a name where none belongs"),
        pytest.param("*/0 * * * * *", id="step 0"),
        pytest.param("*/x * * * * *", id="step x"),
        pytest.param("30-10 * * * * *", id="backwards"),
        pytest.param("1,,2 * * * * *", id="an empty item"),
        pytest.param("-5 * * * * *", id="negative"),
        pytest.param("0 0 0 30 2 *", id="never"),
    ],
)
def test_a_malformed_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_schedule(text)


def test_fractions_of_a_second_do_not_repeat_an_occurrence() -> None:
    schedule = parse_schedule("* * * * * *")
    assert schedule.next_after(at("2026-01-01T00:00:00.900")) == at("2026-01-01T00:00:01")


def test_times_of_other_zones_are_taken_as_the_same_instant() -> None:
    moment = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert parse_schedule("0 0 0 * * *").next_after(moment) == at("2026-01-01T00:00:00")
