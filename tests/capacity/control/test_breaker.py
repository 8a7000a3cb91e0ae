"""The breaker: an outage does not use up the attempts of a backlog, bad luck does not close it."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field

import pytest

from ptu_optimizer.capacity.control.breaker import (
    FAILURES_ALONE,
    FAILURES_AMONG_OTHERS,
    FIRST_PAUSE_SECONDS,
    LONGEST_OUTAGE_PAUSE_SECONDS,
    Breaker,
)
from ptu_optimizer.requests.ledger.timing import Timing


def failed(times: int, *, at: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(times):
        breaker.failed(now=at, why="no connection")
    return breaker


def tripped(*, at: float = 0.0) -> Breaker:
    breaker = failed(FAILURES_ALONE, at=at)
    assert breaker.ask(now=at, in_flight=0) is not None
    return breaker


# --- when it trips ------------------------------------------------------------------------------


def test_it_minds_nothing_while_calls_are_answered() -> None:
    breaker = Breaker()
    for _ in range(20):
        breaker.failed(now=0.0, why="503")
        breaker.answered()
    assert breaker.ask(now=0.0, in_flight=50) is None
    assert breaker.ask(now=0.0, in_flight=0) is None


@pytest.mark.parametrize(
    ("failures", "in_flight", "trips"),
    [
        pytest.param(FAILURES_ALONE - 1, 0, False, id="two, nothing under way"),
        pytest.param(FAILURES_ALONE, 0, True, id="three, nothing under way"),
        pytest.param(FAILURES_ALONE, 1, False, id="three, and another may still be answered"),
        pytest.param(FAILURES_AMONG_OTHERS - 1, 1, False, id="seven among others"),
        pytest.param(FAILURES_AMONG_OTHERS, 1, True, id="eight among others"),
        pytest.param(FAILURES_AMONG_OTHERS, 7, True, id="eight, seven under way"),
        pytest.param(FAILURES_AMONG_OTHERS, 8, False, id="eight, as many under way"),
        pytest.param(64, 64, False, id="64, as many under way"),
        pytest.param(65, 64, True, id="more than are under way"),
    ],
)
def test_it_takes_more_failures_the_more_calls_may_still_be_answered(
    failures: int, in_flight: int, trips: bool
) -> None:
    verdict = failed(failures).ask(now=0.0, in_flight=in_flight)
    assert (verdict is not None) == trips


def test_open_it_says_why_and_until_when() -> None:
    verdict = failed(FAILURES_AMONG_OTHERS, at=10.0).ask(now=11.0, in_flight=3)
    assert verdict is not None
    assert verdict.blocked
    assert verdict.retry_at == 10.0 + FIRST_PAUSE_SECONDS
    assert "no connection" in verdict.why


# --- while it is open ---------------------------------------------------------------------------


def test_it_stays_open_whatever_is_under_way_then() -> None:
    assert tripped().ask(now=0.5, in_flight=5) is not None


def test_after_the_pause_one_call_at_a_time_probes() -> None:
    breaker = tripped()
    assert breaker.ask(now=FIRST_PAUSE_SECONDS, in_flight=0) is None
    waiting = breaker.ask(now=FIRST_PAUSE_SECONDS, in_flight=1)
    assert waiting is not None
    assert waiting.retry_at is None


def test_calls_that_were_under_way_do_not_make_the_pause_longer() -> None:
    breaker = tripped()
    for _ in range(60):
        breaker.failed(now=0.5, why="no connection")
    assert breaker.ask(now=FIRST_PAUSE_SECONDS, in_flight=0) is None


def test_each_failed_probe_doubles_the_pause_up_to_a_limit() -> None:
    breaker, now, pauses = tripped(), 0.0, []
    for _ in range(8):
        verdict = breaker.ask(now=now, in_flight=0)
        assert verdict is not None
        assert verdict.retry_at is not None
        pauses.append(verdict.retry_at - now)
        now = verdict.retry_at
        breaker.failed(now=now, why="still away")
    assert pauses[:4] == [2.0, 4.0, 8.0, 16.0]
    assert pauses[-1] == LONGEST_OUTAGE_PAUSE_SECONDS


@pytest.mark.parametrize("in_flight", [0, 5])
def test_one_answer_closes_it_again(in_flight: int) -> None:
    breaker = tripped()
    breaker.answered()
    assert breaker.ask(now=0.1, in_flight=in_flight) is None


def test_after_an_answer_it_begins_anew() -> None:
    breaker = tripped()
    breaker.failed(now=FIRST_PAUSE_SECONDS, why="still away")
    breaker.answered()
    for _ in range(FAILURES_ALONE):
        breaker.failed(now=100.0, why="away again")
    verdict = breaker.ask(now=100.0, in_flight=0)
    assert verdict is not None
    assert verdict.retry_at == 100.0 + FIRST_PAUSE_SECONDS


# --- a deployment, played ---------------------------------------------------------------------


@dataclass
class Played:
    """Requests of a queue, sent as the breaker allows to a deployment with these faults."""

    requests: int
    failing: float
    answer_seconds: float = 6.0
    failure_seconds: float = 6.0
    at_a_time: int = 64
    per_second: float = 4.4
    seconds: float = 3_600.0
    failures: dict[int, int] = field(default_factory=dict)
    sent: int = 0
    kept_waiting: float = 0.0
    """Seconds in which only the breaker kept a call from being sent."""

    def play(self) -> Played:
        rng = random.Random(7)
        timing = Timing(
            call_limit=300,
            write_budget=30,
            skew=30,
            hold=30,
            invocation_budget=120,
            turn_wait=6_600,
        )
        breaker, step = Breaker(), 0.05
        waiting = [(0.0, number) for number in range(self.requests)]
        heapq.heapify(waiting)
        under_way: list[tuple[float, int, bool]] = []
        due = 0.0
        for tick in range(int(self.seconds / step)):
            now = tick * step
            while under_way and under_way[0][0] <= now:
                _, number, answered = heapq.heappop(under_way)
                if answered:
                    breaker.answered()
                    heapq.heappush(waiting, (now, number + self.requests))  # the next of the queue
                    continue
                breaker.failed(now=now, why="503")
                count = self.failures[number] = self.failures.get(number, 0) + 1
                pause = timing.failure_pause(count - 1, rng.random())
                heapq.heappush(waiting, (now + pause, number))
            while waiting and waiting[0][0] <= now and due <= now:
                if len(under_way) >= self.at_a_time:
                    break
                if breaker.ask(now=now, in_flight=len(under_way)) is not None:
                    self.kept_waiting += step
                    break
                _, number = heapq.heappop(waiting)
                answered = rng.random() >= self.failing
                took = self.answer_seconds if answered else self.failure_seconds
                heapq.heappush(under_way, (now + took * rng.uniform(0.5, 1.5), number, answered))
                self.sent += 1
                due = now + 1 / self.per_second
        return self


@pytest.mark.parametrize("failure_seconds", [0.01, 1.0, 6.0, 30.0])
@pytest.mark.parametrize(
    ("per_second", "at_a_time", "share"),
    [
        pytest.param(1_000.0, 64, 0.001, id="as fast as they end"),
        pytest.param(4.4, 64, 0.001, id="a PTU of usual size"),
        pytest.param(0.5, 64, 0.01, id="so few that often nothing else is under way"),
        pytest.param(4.4, 1, 0.03, id="one at a time"),
    ],
)
def test_a_deployment_that_answers_most_calls_is_not_slowed_down(
    failure_seconds: float, per_second: float, at_a_time: int, share: float
) -> None:
    """Three in ten calls fail, at once or late: how much of the time the breaker takes."""
    played = Played(
        requests=200,
        failing=0.3,
        failure_seconds=failure_seconds,
        per_second=per_second,
        at_a_time=at_a_time,
    ).play()
    assert played.sent > 200
    assert played.kept_waiting <= share * played.seconds


@pytest.mark.parametrize("failure_seconds", [0.01, 1.0, 10.0, 300.0])
@pytest.mark.parametrize(
    ("requests", "seconds"),
    [
        pytest.param(5_000, 3_600.0, id="a backlog, an hour"),
        pytest.param(100, 3_600.0, id="a batch, an hour"),
        pytest.param(10, 600.0, id="ten requests, ten minutes"),
    ],
)
def test_an_outage_fails_no_request_for_good(
    requests: int, seconds: float, failure_seconds: float
) -> None:
    """MAX_FAILURES is five, and after the outage there must be an attempt left."""
    played = Played(
        requests=requests,
        failing=1.0,
        failure_seconds=failure_seconds,
        per_second=1_000.0,
        seconds=seconds,
    ).play()
    assert max(played.failures.values()) < 5


def test_a_small_batch_is_not_used_up_to_find_out() -> None:
    played = Played(requests=3, failing=1.0, failure_seconds=0.01, seconds=60.0).play()
    assert max(played.failures.values()) < 5
