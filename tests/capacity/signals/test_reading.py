"""A reading is one observation; what is no observation is refused, never turned into 0 %."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.signals.reading import InvalidReading, Reading, ReadingKind

NOW = 1_800_000_000.0
NAN, INF = math.nan, math.inf


def level(value: float, *, observed_at: float = NOW, until: float | None = None) -> Reading:
    return Reading(
        deployment="ptu",
        kind=ReadingKind.LEVEL,
        value=value,
        source="worker-1",
        observed_at=observed_at,
        until=until,
    )


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(0.0, id="empty"),
        pytest.param(1.0, id="full"),
        pytest.param(1.8, id="above 100 %, as corrections can bring"),
    ],
)
def test_a_level_from_empty_upwards_is_a_reading(value: float) -> None:
    assert level(value).value == value


@pytest.mark.parametrize("value", [NAN, INF, -INF, -0.01], ids=["nan", "inf", "-inf", "negative"])
def test_a_value_that_is_no_utilization_is_refused_and_names_its_source(value: float) -> None:
    with pytest.raises(InvalidReading, match="worker-1"):
        level(value)


@pytest.mark.parametrize("time", [NAN, INF, -INF], ids=["nan", "inf", "-inf"])
def test_a_time_that_is_no_time_is_refused(time: float) -> None:
    with pytest.raises(InvalidReading, match="worker-1"):
        level(0.5, observed_at=time)
    with pytest.raises(InvalidReading, match="worker-1"):
        level(0.5, until=time)  # a gate that closed until then would never open again


@pytest.mark.parametrize("span", [NAN, INF, -0.1], ids=["nan", "inf", "negative"])
def test_a_span_that_is_none_is_refused(span: float) -> None:
    with pytest.raises(InvalidReading, match="worker-1"):
        Reading(
            deployment="ptu",
            kind=ReadingKind.LEVEL,
            value=0.5,
            source="worker-1",
            observed_at=NOW,
            span=span,
        )


@given(
    value=st.floats(min_value=0, max_value=100),
    kind=st.sampled_from(ReadingKind),
    source=st.text(),
    span=st.floats(min_value=0, max_value=600),
    until=st.none() | st.floats(min_value=0, max_value=4e9),
)
def test_a_reading_survives_its_record(
    value: float, kind: ReadingKind, source: str, span: float, until: float | None
) -> None:
    reading = Reading(
        deployment="ptu",
        kind=kind,
        value=value,
        source=source,
        observed_at=NOW,
        span=span,
        until=until,
    )
    assert Reading.from_record(reading.record(record_id="r", ttl_seconds=600)) == reading


def test_a_record_is_addressed_by_deployment_and_dies_of_its_ttl() -> None:
    record = level(0.5).record(record_id="reading:worker-1", ttl_seconds=600)
    assert record["id"] == "reading:worker-1"
    assert record["deployment"] == "ptu"
    assert record["ttl"] == 600
    assert record["type"] == "reading"


def test_a_record_of_a_moment_needs_no_span() -> None:
    record = level(0.5).record(record_id="r", ttl_seconds=600)
    del record["span"]
    assert Reading.from_record(record) == level(0.5)


def test_what_cosmos_adds_to_a_record_does_not_disturb() -> None:
    record = level(0.5).record(record_id="r", ttl_seconds=600) | {"_etag": "x", "_ts": 1}
    assert Reading.from_record(record) == level(0.5)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"value": None}, id="no value is not 0 %"),
        pytest.param({"value": "NaN"}, id="NaN as text"),
        pytest.param({"value": "half"}, id="not a number"),
        pytest.param({"value": -1}, id="negative"),
        pytest.param({"kind": "mood"}, id="unknown kind"),
        pytest.param({"observed_at": None}, id="no time"),
        pytest.param({"span": "long"}, id="a span that is none"),
        pytest.param({"span": -1}, id="a negative span"),
        pytest.param({"until": "later"}, id="until is no time"),
        pytest.param({"until": "Infinity"}, id="until for ever"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    record = level(0.5).record(record_id="r", ttl_seconds=600) | change
    with pytest.raises(InvalidReading):
        Reading.from_record(record)


@pytest.mark.parametrize("lost", ["deployment", "kind", "value", "source", "observed_at"])
def test_a_record_that_lacks_a_part_is_refused(lost: str) -> None:
    record = level(0.5).record(record_id="r", ttl_seconds=600)
    del record[lost]
    with pytest.raises(InvalidReading, match=lost):
        Reading.from_record(record)
