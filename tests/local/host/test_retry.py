"""Retry policies: how long, how often, and what is refused."""

from typing import Any

import pytest

from local.host.errors import RefusedError
from local.host.retry import parse_retry

FIXED = {"strategy": "fixed_delay", "max_retry_count": "2", "delay_interval": "00:00:10"}
GROWING = {
    "strategy": "exponential_backoff",
    "max_retry_count": "-1",
    "minimum_interval": "00:00:02",
    "maximum_interval": "00:15:00",
}


def test_a_fixed_delay_ends_after_the_last_retry() -> None:
    policy = parse_retry(FIXED, where="f")
    assert [policy.delay_before(retry, jitter=0.5) for retry in (1, 2, 3)] == [10, 10, None]


def test_minus_one_never_gives_up() -> None:
    policy = parse_retry({**FIXED, "max_retry_count": "-1"}, where="f")
    assert policy.delay_before(10**9, jitter=0) == 10


def test_an_exponential_delay_doubles_from_the_minimum_to_the_maximum() -> None:
    policy = parse_retry(GROWING, where="f")
    delays = [policy.delay_before(retry, jitter=0.5) for retry in (1, 2, 3, 4, 5, 50, 10**6)]
    assert delays == [2, 3, 5, 9, 17, 900, 900]


def test_jitter_spreads_exponential_delays_only() -> None:
    growing, fixed = parse_retry(GROWING, where="f"), parse_retry(FIXED, where="f")
    early, late = growing.delay_before(5, jitter=0), growing.delay_before(5, jitter=0.999)
    assert early == pytest.approx(14)
    assert late == pytest.approx(20, abs=0.01)
    assert fixed.delay_before(1, jitter=0) == fixed.delay_before(1, jitter=0.999)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"strategy": "sometimes"}, "strategy must be", id="strategy"),
        pytest.param({"max_retry_count": "many"}, "max_retry_count", id="not a number"),
        pytest.param({"max_retry_count": "-2"}, "max_retry_count", id="below −1"),
        pytest.param({"max_retry_count": None}, "max_retry_count", id="no count"),
        pytest.param({"delay_interval": "10"}, "delay_interval", id="seconds without hours"),
        pytest.param({"delay_interval": None}, "delay_interval", id="null delay"),
        pytest.param({"on": "Tuesdays"}, "not supported: on", id="an unknown setting"),
    ],
)
def test_a_policy_that_azure_would_refuse_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        parse_retry({**FIXED, **change}, where="function f")


@pytest.mark.parametrize("missing", ["minimum_interval", "maximum_interval"])
def test_an_exponential_policy_needs_both_intervals(missing: str) -> None:
    with pytest.raises(RefusedError, match=missing):
        parse_retry({key: GROWING[key] for key in GROWING.keys() - {missing}}, where="f")


def test_the_minimum_must_not_exceed_the_maximum() -> None:
    with pytest.raises(RefusedError, match="exceeds"):
        parse_retry({**GROWING, "minimum_interval": "00:20:00"}, where="f")
