"""NCRONTAB schedules, as timer triggers use them: six fields, seconds first, UTC.

`{second} {minute} {hour} {day} {month} {day-of-week}`; with five fields the second is 0. Unlike
cron, day and day-of-week must both match (https://github.com/atifaziz/NCrontab).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")

# A schedule that never comes true within this many days (30 February) never does: every date
# pattern recurs within 28 years, plus the missing leap day of 2100.
_HORIZON_DAYS = 40 * 366


@dataclass(frozen=True)
class _Field:
    name: str
    lowest: int
    highest: int
    words: Sequence[str] = ()


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day-of-week", 0, 6, _DAYS),
)


@dataclass(frozen=True)
class Schedule:
    """When a timer fires. Equal schedules fire at the same times."""

    text: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def next_after(self, moment: datetime) -> datetime:
        """The first time later than `moment` (timezone-aware); `ValueError` if there is none."""
        start = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        day = start.replace(hour=0, minute=0, second=0)
        for offset in range(_HORIZON_DAYS):
            candidate = day + timedelta(days=offset)
            if not self._on(candidate):
                continue
            earliest = (start.hour, start.minute, start.second) if offset == 0 else (0, 0, 0)
            clock = self._clock_from(earliest)
            if clock is not None:
                return candidate.replace(hour=clock[0], minute=clock[1], second=clock[2])
        raise ValueError(f"the schedule {self.text!r} never occurs")

    def _on(self, day: datetime) -> bool:
        return (
            day.day in self.days
            and day.month in self.months
            and day.isoweekday() % 7 in self.weekdays
        )

    def _clock_from(self, earliest: tuple[int, int, int]) -> tuple[int, int, int] | None:
        for hour in self.hours:
            if hour < earliest[0]:
                continue
            for minute in self.minutes:
                if (hour, minute) < earliest[:2]:
                    continue
                for second in self.seconds:
                    if (hour, minute, second) >= earliest:
                        return hour, minute, second
        return None


def parse_schedule(text: str, *, now: datetime | None = None) -> Schedule:
    """Read `text`; `ValueError` names the field that is wrong."""
    parts = text.split()
    if len(parts) == 5:
        parts = ["0", *parts]
    if len(parts) != 6:
        raise ValueError(
            f"{text!r} is not an NCRONTAB expression of five or six fields "
            "(time spans work on App Service plans only)"
        )
    values = [_parse_field(field, part) for field, part in zip(_FIELDS, parts, strict=True)]
    schedule = Schedule(
        text=text,
        seconds=tuple(sorted(values[0])),
        minutes=tuple(sorted(values[1])),
        hours=tuple(sorted(values[2])),
        days=frozenset(values[3]),
        months=frozenset(values[4]),
        weekdays=frozenset(values[5]),
    )
    schedule.next_after(now or datetime.now(UTC))
    return schedule


def _parse_field(field: _Field, text: str) -> set[int]:
    values: set[int] = set()
    for item in text.split(","):
        body, slash, step_text = item.partition("/")
        step = _number(field, step_text, 1, 10**6) if slash else 1
        first, last = _range(field, body, open_ended=bool(slash))
        values.update(range(first, last + 1, step))
    return values


def _range(field: _Field, body: str, *, open_ended: bool) -> tuple[int, int]:
    if body == "*":
        return field.lowest, field.highest
    first_text, dash, last_text = body.partition("-")
    first = _value(field, first_text)
    if not dash:  # `5/15` runs from 5 to the end, `5` is only itself
        return first, field.highest if open_ended else first
    last = _value(field, last_text)
    if last < first:
        raise ValueError(f"{field.name}: the range {body!r} runs backwards")
    return first, last


def _value(field: _Field, text: str) -> int:
    if len(text) >= 3 and text.isalpha():
        for index, word in enumerate(field.words):
            if word.startswith(text.lower()):
                return index + field.lowest
    return _number(field, text, field.lowest, field.highest)


def _number(field: _Field, text: str, lowest: int, highest: int) -> int:
    if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
        raise ValueError(f"{field.name}: {text!r} is not a number from {lowest} to {highest}")
    return int(text)
