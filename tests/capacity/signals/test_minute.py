"""A minute of Azure Monitor: each figure may be missing, which is not zero."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.signals.minute import Minute, minute_number
from ptu_optimizer.capacity.signals.reading import InvalidReading
from tests.support.signals import MODEL, NOW, minute

SHARES = ("utilization", "utilization_min", "utilization_max")
COUNTS = ("accepted", "refused", "spilled")
TOKENS = ("prompt_tokens", "cached_tokens", "generated_tokens")


@pytest.mark.parametrize(
    ("figures", "work"),
    [
        pytest.param({"prompt_tokens": 700, "generated_tokens": 50}, 900, id="prompt and output"),
        pytest.param(
            {"prompt_tokens": 700, "cached_tokens": 200, "generated_tokens": 50},
            700,
            id="cached tokens cost nothing",
        ),
        pytest.param(
            {"prompt_tokens": 700, "cached_tokens": 900, "generated_tokens": 0},
            0,
            id="more cached than prompt, as points of two times can have it",
        ),
        pytest.param({"prompt_tokens": 0, "generated_tokens": 0}, 0, id="no calls"),
        pytest.param({"prompt_tokens": 700}, None, id="no output is not no output tokens"),
        pytest.param({"generated_tokens": 50}, None, id="no prompt"),
        pytest.param({"utilization": 0.9}, None, id="the utilization only"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_work_of_a_minute(figures: dict[str, float], work: float | None) -> None:
    assert minute(**figures).work(MODEL) == work


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.001], ids=["nan", "inf", "negative"])
@pytest.mark.parametrize("name", [*SHARES, *COUNTS, *TOKENS])
def test_a_figure_that_is_none_is_refused_and_named(name: str, value: float) -> None:
    with pytest.raises(InvalidReading, match=name):
        minute(**{name: value})


def test_over_100_percent_is_a_figure() -> None:
    assert minute(utilization=1.4).utilization == 1.4


@pytest.mark.parametrize("ends_at", [math.nan, math.inf, -math.inf], ids=["nan", "inf", "-inf"])
def test_a_time_that_is_none_is_refused(ends_at: float) -> None:
    with pytest.raises(InvalidReading):
        minute(ends_at)


@pytest.mark.parametrize(
    ("after", "number"),
    [(0.0, 0), (59.999, 0), (60.0, 1), (-0.001, -1)],
    ids=["at its start", "just before its end", "at its end", "just before it"],
)
def test_minutes_are_numbered_by_their_start(after: float, number: int) -> None:
    assert minute_number(NOW + after) == minute_number(NOW) + number
    assert minute(NOW).number == minute_number(NOW) - 1, "it ended at NOW"


@given(
    st.builds(
        Minute,
        deployment=st.just("ptu"),
        ends_at=st.floats(0, 4e9),
        **{name: st.none() | st.floats(0, 1e9) for name in (*SHARES, *TOKENS)},
        **{name: st.none() | st.integers(0, 10**9) for name in COUNTS},
    )
)
def test_a_minute_survives_its_record(one: Minute) -> None:
    assert Minute.from_record(one.record(ttl_seconds=900)) == one


def test_one_record_a_minute_so_that_a_late_point_mends_it() -> None:
    assert minute(NOW).record(ttl_seconds=900)["id"] == "minute:1800000000"
    assert minute(NOW, utilization=0.5).record(ttl_seconds=900)["id"] == "minute:1800000000"
    assert minute(NOW + 60).record(ttl_seconds=900)["id"] == "minute:1800000060"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"ends_at": None}, id="no time"),
        pytest.param({"ends_at": "noon"}, id="a time that is none"),
        pytest.param({"utilization": "half"}, id="not a number"),
        pytest.param({"utilization": "NaN"}, id="NaN as text"),
        pytest.param({"refused": -1}, id="negative"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidReading):
        Minute.from_record(minute(utilization=0.5).record(ttl_seconds=900) | change)


@pytest.mark.parametrize("lost", ["deployment", "ends_at"])
def test_a_record_that_lacks_its_place_is_refused(lost: str) -> None:
    record = minute().record(ttl_seconds=900)
    del record[lost]
    with pytest.raises(InvalidReading, match=lost):
        Minute.from_record(record)


def test_a_record_that_lacks_figures_has_none() -> None:
    record = {"deployment": "ptu", "ends_at": NOW, "_etag": "x", "_ts": 1}
    assert Minute.from_record(record) == minute(NOW)
