"""Work by windows: its record, our own log of it, and what others of ours have under way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.admission.own_usage import OwnUsage
from ptu_optimizer.capacity.estimate.calls_elsewhere import SILENT_SECONDS, CallsElsewhere
from ptu_optimizer.capacity.signals.reading import InvalidReading
from ptu_optimizer.capacity.signals.usage import (
    WINDOW_SECONDS,
    UsageWindow,
    UsageWindows,
    window_start,
)
from tests.support.signals import NOW, THERE

FULL = UsageWindow(start=NOW, reserved=900, corrected=-500, used=400, calls=2, refused=1)


def usage_of(*windows: UsageWindow, source: str = THERE, record: str = "1") -> UsageWindows:
    return UsageWindows(
        deployment="ptu",
        record_id=f"usage:{source}:{record}",
        source=source,
        ours=True,
        windows=windows,
    )


# --- the record -----------------------------------------------------------------------------------


@given(
    st.lists(
        st.builds(
            UsageWindow,
            start=st.integers(0, 10**10).map(lambda n: n * WINDOW_SECONDS),
            reserved=st.floats(0, 1e9),
            corrected=st.floats(-1e9, 1e9),
            used=st.floats(0, 1e9),
            calls=st.integers(0, 10**6),
            refused=st.integers(0, 10**6),
        ),
        max_size=5,
    ),
    st.booleans(),
)
def test_usage_survives_its_record(windows: list[UsageWindow], ours: bool) -> None:
    usage = UsageWindows(
        deployment="ptu", record_id="usage:x:1", source="x", ours=ours, windows=tuple(windows)
    )
    assert UsageWindows.from_record(usage.record(ttl_seconds=60)) == usage


def test_a_record_is_addressed_by_deployment_and_source_and_dies_of_its_ttl() -> None:
    record = usage_of(FULL).record(ttl_seconds=60)
    assert (record["id"], record["deployment"]) == ("usage:there:1", "ptu")
    assert (record["type"], record["ttl"]) == ("usage", 60)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"windows": [[NOW, "NaN", 0, 0, 0, 0]]}, id="NaN as text"),
        pytest.param({"windows": [[NOW, None, 0, 0, 0, 0]]}, id="no amount is not zero"),
        pytest.param({"windows": [["Infinity", 1, 0, 0, 0, 0]]}, id="a time that is none"),
        pytest.param({"windows": [[NOW, 1, 0, 0, 0]]}, id="a part is missing"),
        pytest.param({"windows": [[NOW, "much", 0, 0, 0, 0]]}, id="not a number"),
        pytest.param({"windows": None}, id="no windows"),
        pytest.param({"windows": 7}, id="windows that are none"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidReading):
        UsageWindows.from_record(usage_of(FULL).record(ttl_seconds=60) | change)


@pytest.mark.parametrize("lost", ["id", "deployment", "source", "ours", "windows"])
def test_a_record_that_lacks_a_part_is_refused(lost: str) -> None:
    record = usage_of(FULL).record(ttl_seconds=60)
    del record[lost]
    with pytest.raises(InvalidReading, match=lost):
        UsageWindows.from_record(record)


def test_a_record_of_no_windows_is_one() -> None:
    assert UsageWindows.from_record(usage_of().record(ttl_seconds=60)).windows == ()


@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf], ids=["nan", "inf", "-inf"])
@pytest.mark.parametrize("part", ["start", "reserved", "corrected", "used"])
def test_an_amount_that_is_no_number_is_refused(part: str, amount: float) -> None:
    with pytest.raises(InvalidReading):
        UsageWindow(**{"start": NOW, part: amount})  # type: ignore[arg-type]


def test_what_goes_in_is_what_was_reserved_and_its_correction() -> None:
    assert FULL.net == 400


@pytest.mark.parametrize(
    ("at", "start"),
    [(NOW, NOW), (NOW + 0.499, NOW), (NOW + 0.5, NOW + 0.5), (NOW - 0.001, NOW - 0.5)],
    ids=["at its start", "just before its end", "at its end", "just before it"],
)
def test_windows_lie_on_halves_of_seconds(at: float, start: float) -> None:
    assert window_start(at) == start


# --- our own log ----------------------------------------------------------------------------------


def published(log: OwnUsage, now: float) -> tuple[UsageWindow, ...] | None:
    usage = log.usage(deployment="ptu", source="here", now=now, ours=True)
    return None if usage is None else usage.windows


def test_nothing_happened_so_there_is_nothing_to_tell() -> None:
    assert published(OwnUsage(), NOW) is None


def test_a_window_is_told_once_when_it_is_over() -> None:
    log = OwnUsage()
    log.sent(now=NOW + 0.1, work=600)
    log.sent(now=NOW + 0.4, work=300)
    log.ended(now=NOW + 0.45, reserved=600, used=100)
    log.ended(now=NOW + 0.45, reserved=300, used=0.0, refused=True)
    assert published(log, NOW + 0.49) is None, "it may still change"
    assert published(log, NOW + 0.5) == (
        UsageWindow(start=NOW, reserved=900, corrected=-800, used=100, calls=2, refused=1),
    )
    assert published(log, NOW + 0.6) is None, "told already"


def test_a_call_whose_cost_nobody_knows_is_taken_to_have_cost_what_it_reserved() -> None:
    log = OwnUsage()
    log.ended(now=NOW, reserved=600, used=None)
    assert published(log, NOW + 1) == (UsageWindow(start=NOW, corrected=0, used=600),)


def test_each_record_has_a_name_of_its_own_so_that_none_replaces_another() -> None:
    log = OwnUsage()
    names = set()
    for number in range(10):
        log.sent(now=NOW + number, work=1)
        usage = log.usage(deployment="ptu", source="here", now=NOW + number + 0.5, ours=True)
        assert usage is not None
        names.add(usage.record_id)
    assert len(names) == 10


CALLS = st.lists(
    st.tuples(
        st.integers(0, 100).map(lambda tenths: tenths / 10),
        st.integers(0, 100).map(lambda tenths: tenths / 10),
        st.integers(1, 1_000),
        st.none() | st.integers(0, 1_000),
    ),
    max_size=20,
)


@given(calls=CALLS, every=st.integers(1, 30).map(lambda tenths: tenths / 10))
def test_all_that_happens_is_told_exactly_once(
    calls: list[tuple[float, float, int, int | None]], every: float
) -> None:
    """However often it is asked for: the books of whoever adds it up are ours."""
    log, asked = OwnUsage(), 0.0
    told: list[UsageWindow] = []
    happened: list[tuple[float, Callable[..., None], dict[str, float | None]]] = []
    for start, took, work, used in calls:
        happened.append((start, log.sent, {"work": work}))
        happened.append((start + took, log.ended, {"reserved": work, "used": used}))
    for after, happens, amounts in sorted(happened, key=lambda one: one[0]):
        while asked <= after:
            told += published(log, NOW + asked) or ()
            asked += every
        happens(now=NOW + after, **amounts)
    told += published(log, NOW + 30) or ()
    assert len({window.start for window in told}) == len(told)
    assert sum(window.calls for window in told) == len(calls)
    assert sum(window.reserved for window in told) == sum(work for _, _, work, _ in calls)
    costs = [work if used is None else used for _, _, work, used in calls]
    assert sum(window.used for window in told) == sum(costs)
    assert sum(window.net for window in told) == pytest.approx(sum(costs)), (
        "every reservation has ended: what is left is what was used"
    )


def test_a_log_that_nobody_reads_does_not_grow() -> None:
    log = OwnUsage()
    for number in range(1_000):
        log.sent(now=NOW + number, work=1)
    windows = published(log, NOW + 2_000)
    assert windows is not None
    assert len(windows) <= 40
    assert windows[-1].start == NOW + 999, "the newest are kept"


# --- what others of ours have under way -----------------------------------------------------------


def sent(work: float, *, at: float = NOW) -> UsageWindow:
    return UsageWindow(start=at, reserved=work, calls=1)


def ended(work: float, *, used: float, at: float = NOW) -> UsageWindow:
    return UsageWindow(start=at, corrected=used - work, used=used)


def test_what_other_processes_reserve_is_under_way_until_it_ends() -> None:
    elsewhere = CallsElsewhere()
    assert elsewhere.reserved(now=NOW) == 0
    elsewhere.count(usage_of(sent(900)), now=NOW)
    assert elsewhere.reserved(now=NOW) == 900
    elsewhere.count(usage_of(ended(900, used=300, at=NOW + 5), record="2"), now=NOW + 5)
    assert elsewhere.reserved(now=NOW + 5) == 0


def test_processes_add_up_and_a_record_that_comes_again_counts_once() -> None:
    elsewhere = CallsElsewhere()
    for usage in (usage_of(sent(900)), usage_of(sent(900)), usage_of(sent(50), source="third")):
        elsewhere.count(usage, now=NOW)
    assert elsewhere.reserved(now=NOW) == 950


@pytest.mark.parametrize(
    ("age", "work"), [(SILENT_SECONDS, 900), (SILENT_SECONDS + 0.001, 0)], ids=["silent", "dead"]
)
def test_what_a_process_had_under_way_is_forgotten_with_it(age: float, work: float) -> None:
    elsewhere = CallsElsewhere()
    elsewhere.count(usage_of(sent(900)), now=NOW)
    assert elsewhere.reserved(now=NOW + age) == work


def test_ends_whose_starts_were_not_heard_of_leave_nothing_owed() -> None:
    elsewhere = CallsElsewhere()
    elsewhere.count(usage_of(ended(900, used=300)), now=NOW)
    assert elsewhere.reserved(now=NOW) == 0
    elsewhere.count(usage_of(sent(50, at=NOW + 1), record="2"), now=NOW)
    assert elsewhere.reserved(now=NOW) == 50
