"""Pay-as-you-go: within the minute's tokens and requests, spaced out, and warned by others' use."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.ptu.calls import Refused, Traffic
from local.ptu.latency import ZERO_LATENCY
from local.ptu.payg_deployment import PaygDeployment
from ptu_optimizer.capacity.control.controller import Controller
from ptu_optimizer.capacity.control.pay_as_you_go import FULL_FROM, PayAsYouGo
from ptu_optimizer.capacity.control.verdict import Admit, Wait
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.capacity.work import TOKENS

NOW = 1_000.0


def controller(*, tpm: int = 60_000, rpm: int | None = None, calls: int = 64) -> PayAsYouGo:
    return PayAsYouGo(tokens_per_minute=tpm, requests_per_minute=rpm, max_concurrent_calls=calls)


def told(
    value: float,
    *,
    at: float = NOW,
    kind: ReadingKind = ReadingKind.LEVEL,
    until: float | None = None,
) -> Reading:
    return Reading(
        deployment="payg", kind=kind, value=value, source="a worker", observed_at=at, until=until
    )


def waits(controller: Controller, *, now: float = NOW, work: float = 1_000) -> Wait:
    verdict = controller.ask(now=now, work=work, priority="normal")
    assert isinstance(verdict, Wait), verdict
    return verdict


def test_the_first_call_passes() -> None:
    assert isinstance(controller().ask(now=NOW, work=1_000, priority="normal"), Admit)


def test_a_call_costs_all_its_tokens_cached_or_not_and_output_no_more_than_input() -> None:
    assert TOKENS.work(prompt_tokens=700, output_tokens=300) == 1_000


def test_the_next_call_waits_until_the_limit_has_made_room_for_the_one_before() -> None:
    payg = controller(tpm=60_000)
    payg.sent(now=NOW, work=2_500)
    assert waits(payg).retry_at == NOW + 2.5
    assert not waits(payg).blocked
    assert isinstance(payg.ask(now=NOW + 2.5, work=1_000, priority="normal"), Admit)


def test_requests_are_spaced_out_as_well() -> None:
    payg = controller(tpm=60_000, rpm=20)
    payg.sent(now=NOW, work=10)
    assert waits(payg).retry_at == NOW + 3
    assert "requests per minute" in waits(payg).why


def test_no_credit_is_saved_up_in_a_pause() -> None:
    payg = controller(tpm=60_000)
    payg.sent(now=NOW, work=1_000)
    payg.sent(now=NOW + 600, work=1_000)
    assert waits(payg, now=NOW + 600).retry_at == NOW + 601


def test_what_is_larger_than_a_minute_passes_and_is_paid_for() -> None:
    payg = controller(tpm=1_000)
    assert isinstance(payg.ask(now=NOW, work=5_000, priority="normal"), Admit)
    payg.sent(now=NOW, work=5_000)
    assert waits(payg).retry_at == NOW + 300
    assert isinstance(payg.ask(now=NOW + 300, work=5_000, priority="normal"), Admit)


def test_nothing_is_given_back_when_a_call_used_less() -> None:
    payg = controller(tpm=60_000)
    payg.sent(now=NOW, work=6_000)
    payg.ended(now=NOW + 1, reserved=6_000, used=100)
    assert waits(payg, now=NOW + 1).retry_at == NOW + 6


def test_calls_at_a_time_are_limited() -> None:
    payg = controller(calls=2)
    payg.sent(now=NOW, work=1)
    payg.sent(now=NOW, work=1)
    assert waits(payg, now=NOW + 60).retry_at is None
    payg.ended(now=NOW + 60, reserved=1, used=None)
    assert isinstance(payg.ask(now=NOW + 60, work=1, priority="normal"), Admit)


def test_a_429_closes_until_its_time_has_come() -> None:
    payg = controller()
    payg.observe(told(1.0, kind=ReadingKind.THROTTLED, until=NOW + 20), now=NOW)
    payg.observe(told(1.0, kind=ReadingKind.THROTTLED, until=NOW + 5), now=NOW)
    assert waits(payg).blocked
    assert waits(payg).retry_at == NOW + 20
    assert "429" in waits(payg).why
    assert isinstance(payg.ask(now=NOW + 20, work=1_000, priority="normal"), Admit)


def test_after_a_429_the_minute_is_taken_to_be_used_up() -> None:
    """The service names the moment at which one call fits; everyone who waited would come then."""
    payg = controller()
    payg.observe(told(1.0, kind=ReadingKind.THROTTLED, until=NOW + 0.1), now=NOW)
    verdict = waits(payg, now=NOW + 0.1)
    assert verdict.retry_at == pytest.approx(NOW + 6.1, abs=0.01)


def test_a_429_halves_the_pace_for_a_while_since_others_must_be_sending_too() -> None:
    payg = controller(tpm=60_000)
    for _ in range(5):  # calls that were under way together
        payg.observe(told(1.0, kind=ReadingKind.THROTTLED, until=NOW + 1), now=NOW)
    payg.sent(now=NOW + 10, work=1_000)
    assert waits(payg, now=NOW + 10).retry_at == pytest.approx(NOW + 12, abs=0.2)
    payg.sent(now=NOW + 600, work=1_000)
    assert waits(payg, now=NOW + 600).retry_at == pytest.approx(NOW + 601)


# --- others use it too --------------------------------------------------------------------------


def test_what_others_leave_of_the_minute_is_respected_and_refills() -> None:
    payg = controller()
    payg.observe(told(0.95), now=NOW)
    verdict = waits(payg)
    assert "95%" in verdict.why
    assert verdict.retry_at is not None
    assert NOW + 3 < verdict.retry_at < NOW + 3.2
    assert isinstance(payg.ask(now=verdict.retry_at, work=1_000, priority="normal"), Admit)


def test_our_own_calls_count_after_what_was_told() -> None:
    payg = controller(tpm=60_000)
    payg.observe(told(FULL_FROM - 0.1), now=NOW)
    payg.sent(now=NOW, work=9_000)
    payg.sent(now=NOW, work=1)  # 9 s later it is their turn by the pace alone
    assert payg.belief(now=NOW).value == pytest.approx(FULL_FROM + 0.05, abs=0.001)
    assert payg.belief(now=NOW + 30).value == pytest.approx(FULL_FROM - 0.45, abs=0.001)


def test_an_older_word_or_one_from_the_future_is_passed_over() -> None:
    payg = controller()
    payg.observe(told(0.95, at=NOW + 30), now=NOW)
    payg.observe(told(0.2, at=NOW), now=NOW)
    payg.observe(told(0.95, at=NOW - 1), now=NOW)
    payg.observe(told(0.95, at=NOW + 30), now=NOW)
    payg.observe(told(0.95, kind=ReadingKind.ALERT), now=NOW)
    assert payg.belief(now=NOW).value == pytest.approx(0.2)
    assert payg.belief(now=NOW).source == "a worker"


def test_before_anything_was_told_the_belief_is_made_of_our_own_calls() -> None:
    payg = controller(tpm=60_000)
    payg.sent(now=NOW, work=6_000)
    belief = payg.belief(now=NOW)
    assert belief.value == pytest.approx(0.1)
    assert (belief.source, belief.age) == ("our own calls", 0.0)


# --- in the large -------------------------------------------------------------------------------


@given(
    works=st.lists(st.integers(1, 30_000), min_size=1, max_size=60),
    tpm=st.integers(1_000, 100_000),
    rpm=st.none() | st.integers(1, 600),
)
def test_no_minute_has_more_than_the_limits_and_one_call(
    works: list[int], tpm: int, rpm: int | None
) -> None:
    payg = controller(tpm=tpm, rpm=rpm, calls=1_000)
    now, sent = NOW, []
    for work in works:
        for _ in range(10):
            verdict = payg.ask(now=now, work=work, priority="normal")
            if isinstance(verdict, Admit):
                break
            assert verdict.retry_at is not None
            assert verdict.retry_at > now, "it says when, and that lies ahead"
            now = verdict.retry_at
        else:
            pytest.fail("a call starves")
        payg.sent(now=now, work=work)
        sent.append((now, work))
    for start, _ in sent:
        minute = [work for at, work in sent if start <= at < start + 60]
        assert sum(minute[:-1]) <= tpm * 1.001
        assert rpm is None or len(minute) - 1 <= rpm


def played(controllers: list[PayAsYouGo], plant: PaygDeployment, *, seconds: float) -> None:
    """Each process sends as fast as it is allowed; refusals and remaining tokens come back."""
    due = [(i * 0.01, i) for i in range(len(controllers))]
    heapq.heapify(due)
    while due[0][0] < seconds:
        now, i = heapq.heappop(due)
        verdict = controllers[i].ask(now=now, work=1_500, priority="normal")
        if isinstance(verdict, Wait):
            assert verdict.retry_at is not None
            heapq.heappush(due, (max(now + 0.001, verdict.retry_at), i))
            continue
        controllers[i].sent(now=now, work=1_500)
        answer = plant.arrive(now=now, prompt_tokens=1_000, max_tokens=500)
        if isinstance(answer, Refused):
            until = now + answer.retry_after_ms / 1_000
            controllers[i].observe(
                told(1.0, at=now, kind=ReadingKind.THROTTLED, until=until), now=now
            )
        else:
            left, _ = plant.remaining(now)
            assert left is not None
            assert plant.tpm is not None
            controllers[i].observe(told(1 - left / plant.tpm, at=now), now=now)
            plant.complete(answer, now=now, output_tokens=100)
        controllers[i].ended(now=now, reserved=1_500, used=None)
        heapq.heappush(due, (now + 0.001, i))


@pytest.mark.parametrize(("processes", "refused"), [(1, 0.0), (3, 0.0), (8, 0.1)])
def test_a_deployment_is_used_fully_and_hardly_ever_refuses(processes: int, refused: float) -> None:
    """Also when each of several processes takes it for its own."""
    plant = PaygDeployment(tpm=60_000, rpm=600, latency=ZERO_LATENCY)
    played([controller(rpm=600) for _ in range(processes)], plant, seconds=1_800)
    calls = plant.counters.of(Traffic.INTERACTIVE)
    assert calls.served * 1_500 >= 0.97 * 60_000 * 30
    assert calls.refused <= refused * calls.served
