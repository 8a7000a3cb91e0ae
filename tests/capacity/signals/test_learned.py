"""What was learned survives its record, and what could not have been learned is refused."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.signals.learned import Learned
from ptu_optimizer.capacity.signals.minute import Meaning
from ptu_optimizer.capacity.signals.reading import InvalidReading
from tests.support.signals import NOW, learned

NUMBERS = (
    *("at", "drain", "event_gain", "used_share", "usual_load", "depth_seconds"),
    *("level", "events_until", "others_refused_at"),
)


@given(
    drain=st.floats(0, 9),
    meaning=st.sampled_from([meaning.value for meaning in Meaning]),
    minutes=st.lists(st.tuples(st.integers(0, 10**8), st.floats(0, 99)), max_size=8),
    depth=st.none() | st.floats(0, 1e3),
    evidence=st.lists(st.floats(-9, 9), max_size=3).map(tuple),
    at_admission=st.booleans(),
)
def test_what_was_learned_survives_its_record(
    drain: float,
    meaning: str,
    minutes: list[tuple[int, float]],
    depth: float | None,
    evidence: tuple[float, ...],
    at_admission: bool,
) -> None:
    one = learned(
        drain=drain,
        metric_meaning=meaning,
        own_minutes=tuple(minutes),
        own_refused=tuple(minutes),
        depth_seconds=depth,
        depth_evidence=evidence,
        burst_evidence=evidence,
        header_at_admission=at_admission,
    )
    record = orjson.loads(orjson.dumps(one.record(record_id="learned", ttl_seconds=86_400)))
    assert Learned.from_record(record) == one


def test_a_record_is_addressed_by_deployment_and_dies_of_its_ttl() -> None:
    record = learned().record(record_id="learned", ttl_seconds=86_400)
    assert (record["id"], record["deployment"]) == ("learned", "ptu")
    assert (record["type"], record["ttl"]) == ("learned", 86_400)


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1], ids=["nan", "inf", "negative"])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_cannot_be_learned_is_refused_and_named(name: str, value: float) -> None:
    with pytest.raises(InvalidReading, match=name):
        learned(**{name: value})


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"own_minutes": [[30_000_000, "NaN"]]}, id="a minute that cost NaN"),
        pytest.param(
            {"own_minutes": [[30_000_000, -1]]}, id="a minute that cost less than nothing"
        ),
        pytest.param({"own_minutes": [[30_000_000]]}, id="a minute without a cost"),
        pytest.param({"own_minutes": None}, id="no minutes"),
        pytest.param({"depth_evidence": ["NaN", 1]}, id="a depth told from NaN"),
        pytest.param({"burst_evidence": [1, "Infinity", 1]}, id="bursts without end"),
        pytest.param({"burst_evidence": 3}, id="evidence that is none"),
        pytest.param({"metric_meaning": "mood"}, id="a meaning of another version"),
        pytest.param({"drain": "fast"}, id="not a number"),
        pytest.param({"drain": None}, id="no number"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    record = learned().record(record_id="learned", ttl_seconds=86_400)
    with pytest.raises(InvalidReading):
        Learned.from_record(record | change)


@pytest.mark.parametrize("lost", ["deployment", "source", "drain", "usual_load"])
def test_a_record_that_lacks_a_part_is_refused(lost: str) -> None:
    record = learned(at=NOW).record(record_id="learned", ttl_seconds=86_400)
    del record[lost]
    with pytest.raises(InvalidReading, match=lost):
        Learned.from_record(record)


def test_a_record_of_a_version_that_knew_less_is_read() -> None:
    record = learned().record(record_id="learned", ttl_seconds=86_400)
    for name in ("others_refused_at", "own_refused", "depth_evidence", "own_minutes"):
        del record[name]
    assert Learned.from_record(record) == learned()
