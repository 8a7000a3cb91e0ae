"""The breaker: an outage does not use up the attempts of a backlog."""

from __future__ import annotations

import pytest

from ptu_optimizer.capacity.breaker import (
    FAILURES_IN_A_ROW,
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    Breaker,
)


def broken(*, at: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_IN_A_ROW):
        breaker.failed(now=at, why="no connection")
    return breaker


def test_it_minds_nothing_while_calls_are_answered() -> None:
    breaker = Breaker()
    for _ in range(10):
        breaker.failed(now=0.0, why="503")
        breaker.answered()
    assert breaker.ask(now=0.0, in_flight=50) is None


def test_a_few_failures_may_be_unlucky_requests() -> None:
    breaker = Breaker()
    for _ in range(FAILURES_IN_A_ROW - 1):
        breaker.failed(now=0.0, why="503")
    assert breaker.ask(now=0.0, in_flight=50) is None


def test_failures_in_a_row_close_the_gate_and_say_why() -> None:
    verdict = broken().ask(now=1.0, in_flight=0)
    assert verdict is not None
    assert verdict.closed
    assert verdict.retry_at == FIRST_PAUSE_SECONDS
    assert "no connection" in verdict.why


def test_after_the_pause_one_call_at_a_time_probes() -> None:
    breaker = broken()
    assert breaker.ask(now=FIRST_PAUSE_SECONDS, in_flight=0) is None
    waiting = breaker.ask(now=FIRST_PAUSE_SECONDS, in_flight=1)
    assert waiting is not None
    assert waiting.retry_at is None


def test_calls_that_were_under_way_do_not_make_the_pause_longer() -> None:
    breaker = broken()
    for _ in range(60):
        breaker.failed(now=0.5, why="no connection")
    assert breaker.ask(now=FIRST_PAUSE_SECONDS, in_flight=0) is None


def test_each_failed_probe_doubles_the_pause_up_to_a_limit() -> None:
    breaker, now, pauses = broken(), 0.0, []
    for _ in range(8):
        verdict = breaker.ask(now=now, in_flight=0)
        assert verdict is not None
        assert verdict.retry_at is not None
        pauses.append(verdict.retry_at - now)
        now = verdict.retry_at
        breaker.failed(now=now, why="still away")
    assert pauses[:4] == [2.0, 4.0, 8.0, 16.0]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


@pytest.mark.parametrize("in_flight", [0, 5])
def test_one_answer_opens_it_again(in_flight: int) -> None:
    breaker = broken()
    breaker.answered()
    assert breaker.ask(now=0.1, in_flight=in_flight) is None
