"""Admission: slow-down between two limits, one probe at a time without a fresh reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.admission import (
    REOPEN_INTERVAL_SECONDS,
    Admit,
    SlowDown,
    SlowDownLimits,
    Verdict,
    Wait,
)
from ptu_optimizer.capacity.gauge import Gauge
from ptu_optimizer.capacity.reading import Kind, Reading

NOW = 1_800_000_000.0
LIMITS = SlowDownLimits(lower=0.2, upper=0.8, max_concurrent_calls=60)


def controller(limits: SlowDownLimits = LIMITS) -> SlowDown:
    return SlowDown(limits=limits, gauge=Gauge(live_ttl_seconds=15, metric_ttl_seconds=300))


def at_level(value: float, *, limits: SlowDownLimits = LIMITS) -> SlowDown:
    made = controller(limits)
    observe(made, value)
    return made


def observe(
    made: SlowDown,
    value: float,
    *,
    at: float = NOW,
    kind: Kind = Kind.LEVEL,
    until: float | None = None,
) -> None:
    made.observe(
        Reading(
            deployment="ptu", kind=kind, value=value, source="here", observed_at=at, until=until
        ),
        now=at,
    )


def admitted(made: SlowDown, *, now: float = NOW) -> int:
    """How many calls at a time it admits from here on."""
    count = 0
    while isinstance(made.ask(now=now, work=100), Admit):
        made.sent(now=now, work=100)
        count += 1
        assert count <= 1_000
    return count


def refusal(verdict: Verdict) -> Wait:
    assert isinstance(verdict, Wait)
    return verdict


# --- the limits ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "calls"),
    [
        pytest.param(0.0, 60, id="empty"),
        pytest.param(0.2, 60, id="at the lower limit"),
        pytest.param(0.2001, 59, id="just above the lower limit"),
        pytest.param(0.5, 30, id="half way"),
        pytest.param(0.7999, 1, id="just below the upper limit"),
        pytest.param(0.8, 0, id="at the upper limit"),
        pytest.param(1.7, 0, id="far above 100 %"),
    ],
)
def test_calls_at_a_time_by_level(level: float, calls: int) -> None:
    assert LIMITS.allowed(level) == calls
    assert admitted(at_level(level)) == calls


def test_a_single_call_is_allowed_all_the_way_up_to_the_upper_limit() -> None:
    one = SlowDownLimits(lower=0.2, upper=0.8, max_concurrent_calls=1)
    assert [one.allowed(level) for level in (0.0, 0.5, 0.79, 0.8)] == [1, 1, 1, 0]


@given(
    levels=st.tuples(st.floats(0, 2), st.floats(0, 2)),
    limits=st.tuples(st.floats(0, 0.99), st.floats(0.01, 1)).filter(lambda pair: pair[0] < pair[1]),
    calls=st.integers(1, 10_000),
)
def test_a_fuller_deployment_is_never_sent_more(
    levels: tuple[float, float], limits: tuple[float, float], calls: int
) -> None:
    lower, upper = limits
    made = SlowDownLimits(lower=lower, upper=upper, max_concurrent_calls=calls)
    low, high = sorted(levels)
    assert calls >= made.allowed(low) >= made.allowed(high) >= 0


# --- the verdicts -------------------------------------------------------------------------------


def test_who_is_refused_at_the_upper_limit_hears_the_level_and_when_to_ask_again() -> None:
    wait = refusal(at_level(0.9).ask(now=NOW, work=1))
    assert wait.closed
    assert "90%" in wait.why
    assert "80%" in wait.why
    assert wait.retry_at == NOW + REOPEN_INTERVAL_SECONDS


def test_who_waits_for_a_call_to_end_waits_at_an_open_gate() -> None:
    made = at_level(0.7999)
    made.sent(now=NOW, work=1)
    wait = refusal(made.ask(now=NOW, work=1))
    assert not wait.closed
    assert wait.retry_at is None


def test_an_admission_says_by_which_reading() -> None:
    verdict = at_level(0.1).ask(now=NOW, work=1)
    assert isinstance(verdict, Admit)
    assert verdict.why == "10% by here"


def test_asking_reserves_nothing() -> None:
    made = at_level(0.7999)
    for _ in range(3):
        assert isinstance(made.ask(now=NOW, work=1), Admit)


def test_a_call_that_ends_makes_room_for_the_next() -> None:
    made = at_level(0.7999)
    made.sent(now=NOW, work=100)
    made.ended(now=NOW, reserved=100, used=None)
    assert isinstance(made.ask(now=NOW, work=1), Admit)
    assert made.reserved == 0


# --- no fresh reading: probes --------------------------------------------------------------------


@pytest.mark.parametrize(
    "age", [None, 15.001, 9e5], ids=["never read", "just stale", "read last week"]
)
def test_without_a_fresh_reading_it_probes_with_one_call_at_a_time(age: float | None) -> None:
    made = controller()
    if age is not None:
        observe(made, 0.0, at=NOW - age)
    assert admitted(made) == 1
    wait = refusal(made.ask(now=NOW, work=1))
    assert not wait.closed, "the probe's end, or its reading, opens"
    made.ended(now=NOW, reserved=100, used=90)
    assert admitted(made) == 1


def test_a_stale_full_reading_does_not_close_for_ever() -> None:
    made = at_level(1.0)
    assert admitted(made) == 0
    assert admitted(made, now=NOW + 15.001) == 1


def test_what_a_probe_reads_sets_the_speed() -> None:
    made = controller()
    assert admitted(made) == 1
    observe(made, 0.5)
    assert admitted(made) == 29, "the probe is the thirtieth"


# --- 429 ----------------------------------------------------------------------------------------


def test_a_429_closes_until_its_time_and_then_a_probe_finds_out() -> None:
    made = at_level(0.1)
    observe(made, 1.0, at=NOW + 1, kind=Kind.THROTTLED, until=NOW + 6)
    wait = refusal(made.ask(now=NOW + 2, work=1))
    assert wait.closed
    assert wait.retry_at == NOW + 6
    assert "429" in wait.why
    assert admitted(made, now=NOW + 6) == 1


def test_a_level_after_a_429_does_not_open_before_its_time() -> None:
    made = controller()
    observe(made, 1.0, kind=Kind.THROTTLED, until=NOW + 6)
    observe(made, 0.1, at=NOW + 1)
    assert isinstance(made.ask(now=NOW + 2, work=1), Wait)
    assert admitted(made, now=NOW + 6) == 60


def test_the_freshest_reading_is_there_for_other_processes() -> None:
    made = controller()
    assert made.newest_reading() is None
    observe(made, 0.5)
    newest = made.newest_reading()
    assert newest is not None
    assert newest.value == 0.5
    assert made.belief(now=NOW).value == 0.5
