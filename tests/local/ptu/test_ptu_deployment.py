"""A provisioned deployment: refuse at 100 %, reserve at arrival, correct at completion."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.ptu import PtuDeployment
from local.ptu.calls import Admitted, Refused, Traffic


def deployment(*, window_seconds: float = 10.0, output_estimate: int = 1_000) -> PtuDeployment:
    """R = 100 work a second and full at 1,000; an output token costs 4."""
    return PtuDeployment(
        ptus=2,
        input_tpm_per_ptu=3_000,
        output_ratio=4,
        window_seconds=window_seconds,
        output_estimate=output_estimate,
    )


def admitted(verdict: Admitted | Refused) -> Admitted:
    assert isinstance(verdict, Admitted)
    return verdict


@pytest.mark.parametrize(
    ("prompt", "cached", "max_tokens", "level"),
    [
        pytest.param(100, 0, 100, 0.5, id="prompt plus ratio times max_tokens"),
        pytest.param(100, 60, 100, 0.44, id="cached tokens are free"),
        pytest.param(100, 100, 100, 0.4, id="all cached"),
        pytest.param(100, 0, None, 0.9, id="without max_tokens an estimate is reserved"),
        pytest.param(100, 0, 1_000, 4.1, id="a burst may go over the ceiling"),
    ],
)
def test_what_is_reserved_at_arrival(
    prompt: int, cached: int, max_tokens: int | None, level: float
) -> None:
    ptu = deployment(output_estimate=200)
    admitted(ptu.arrive(now=0.0, prompt_tokens=prompt, cached_tokens=cached, max_tokens=max_tokens))
    assert ptu.level(0.0) == pytest.approx(level)


@pytest.mark.parametrize(
    ("prompt", "verdict"),
    [
        pytest.param(999, "admitted", id="just below the ceiling"),
        pytest.param(1_000, "refused", id="at the ceiling"),
        pytest.param(1_500, "refused", id="above the ceiling"),
    ],
)
def test_the_next_call_is_refused_at_the_ceiling(prompt: int, verdict: str) -> None:
    ptu = deployment()
    ptu.arrive(now=0.0, prompt_tokens=prompt, max_tokens=0)
    assert type(ptu.arrive(now=0.0, prompt_tokens=1)).__name__.lower() == verdict


def test_a_refused_call_adds_nothing_and_may_come_back_exactly_when_it_was_told() -> None:
    ptu = deployment()
    ptu.arrive(now=0.0, prompt_tokens=1_200, max_tokens=0)
    assert ptu.arrive(now=1.0, prompt_tokens=500) == Refused(retry_after_ms=1_001)
    assert ptu.level(1.0) == pytest.approx(1.1)
    assert isinstance(ptu.arrive(now=2.000, prompt_tokens=1), Refused)
    assert isinstance(ptu.arrive(now=2.001, prompt_tokens=1), Admitted)


@pytest.mark.parametrize(
    ("output", "level"),
    [
        pytest.param(100, 0.4, id="as estimated, only the drain"),
        pytest.param(50, 0.2, id="corrected down"),
        pytest.param(150, 0.6, id="corrected up"),
        pytest.param(0, 0.0, id="down to nothing"),
    ],
)
def test_completion_corrects_to_the_actual_in_both_directions(output: int, level: float) -> None:
    ptu = deployment(output_estimate=100)
    call = admitted(ptu.arrive(now=0.0, prompt_tokens=100))
    ptu.complete(call, now=1.0, output_tokens=output)
    assert ptu.level(1.0) == pytest.approx(level)


def test_a_correction_of_what_has_drained_already_stops_at_zero() -> None:
    ptu = deployment()
    call = admitted(ptu.arrive(now=0.0, prompt_tokens=100, max_tokens=100))
    ptu.complete(call, now=60.0, output_tokens=1)
    assert ptu.level(60.0) == 0.0


def test_a_call_is_completed_once() -> None:
    ptu = deployment()
    call = admitted(ptu.arrive(now=0.0, prompt_tokens=1))
    ptu.complete(call, now=1.0, output_tokens=1)
    with pytest.raises(ValueError, match="once"):
        ptu.complete(call, now=1.0, output_tokens=1)


def test_counters_tell_the_classes_apart_and_know_what_was_asked_twice() -> None:
    ptu = deployment()
    for traffic, request_id in (
        (Traffic.BATCH, "a"),
        (Traffic.BATCH, "a"),
        (Traffic.BATCH, "b"),
        (Traffic.INTERACTIVE, None),
    ):
        call = admitted(
            ptu.arrive(
                now=0.0,
                prompt_tokens=10,
                cached_tokens=4,
                max_tokens=10,
                traffic=traffic,
                request_id=request_id,
            )
        )
        ptu.complete(call, now=0.0, output_tokens=5)
    batch, interactive = ptu.counters.batch, ptu.counters.interactive
    assert (batch.served, batch.work, batch.cached_tokens) == (3, 3 * 26.0, 12)
    assert (interactive.served, interactive.prompt_tokens, interactive.output_tokens) == (1, 10, 5)
    assert ptu.counters.as_dict()["requests_served"] == 2
    assert ptu.counters.repeated() == {"a": 2}
    assert ptu.counters.surplus == 1


def test_refused_and_in_flight_calls_are_counted_by_class() -> None:
    ptu = deployment()
    ptu.arrive(now=0.0, prompt_tokens=1_000, max_tokens=0, traffic=Traffic.BATCH)
    ptu.arrive(now=0.0, prompt_tokens=1)
    ptu.arrive(now=0.0, prompt_tokens=1, traffic=Traffic.BATCH)
    assert (ptu.counters.batch.in_flight, ptu.counters.interactive.in_flight) == (1, 0)
    assert (ptu.counters.batch.refused, ptu.counters.interactive.refused) == (1, 1)


def test_drained_work_is_attributed_to_the_classes_that_brought_it() -> None:
    ptu = deployment()
    ptu.arrive(now=0.0, prompt_tokens=300, max_tokens=0)
    ptu.arrive(now=0.0, prompt_tokens=100, max_tokens=0, traffic=Traffic.BATCH)
    assert ptu.drained(2.0) == pytest.approx((150.0, 50.0))
    assert ptu.drained(9.0) == pytest.approx((300.0, 100.0))


def test_a_correction_goes_to_the_class_that_made_it() -> None:
    ptu = deployment()
    ptu.arrive(now=0.0, prompt_tokens=300, max_tokens=0, traffic=Traffic.BATCH)
    call = admitted(ptu.arrive(now=0.0, prompt_tokens=100, max_tokens=50))
    assert ptu.drained(1.0) == pytest.approx((50.0, 50.0))
    # At three seconds 150 of each are left, and 100 of the interactive ones go back.
    ptu.complete(call, now=3.0, output_tokens=25)
    assert ptu.drained(3.0) == pytest.approx((150.0, 150.0))
    assert ptu.drained(4.0) == pytest.approx((175.0, 225.0))
    assert ptu.drained(60.0) == pytest.approx((200.0, 300.0))


def test_after_a_reset_nothing_of_before_comes_back() -> None:
    ptu = deployment()
    call = admitted(ptu.arrive(now=0.0, prompt_tokens=500, max_tokens=100))
    ptu.reset(now=1.0)
    ptu.complete(call, now=2.0, output_tokens=500)
    assert ptu.level(2.0) == 0.0
    assert (ptu.counters.interactive.served, ptu.counters.interactive.in_flight) == (0, 0)


def test_resizing_keeps_the_work_held() -> None:
    ptu = deployment()
    ptu.arrive(now=0.0, prompt_tokens=500, max_tokens=0)
    ptu.resize(ptus=4, now=1.0)
    assert ptu.level(1.0) == pytest.approx(0.2)


Steps = list[tuple[float, int, int, int, bool]]


@settings(deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.floats(0.0, 20.0),
            st.integers(0, 800),
            st.integers(1, 200),
            st.integers(0, 400),
            st.booleans(),
        ),
        max_size=40,
    )
)
def test_whatever_arrives_the_books_balance(steps: Steps) -> None:
    ptu = deployment()
    now = 0.0
    flying: list[tuple[Admitted, int]] = []
    for wait, prompt, max_tokens, output, ends in steps:
        now += wait
        level = ptu.level(now)
        traffic = Traffic.BATCH if output % 2 else Traffic.INTERACTIVE
        verdict = ptu.arrive(now=now, prompt_tokens=prompt, max_tokens=max_tokens, traffic=traffic)
        assert isinstance(verdict, Admitted) is (level < 1.0)
        if isinstance(verdict, Admitted):
            flying.append((verdict, output))
        if ends and flying:
            call, tokens = flying.pop(0)
            ptu.complete(call, now=now, output_tokens=tokens)
        assert ptu.level(now) >= 0.0
    total = [ptu.counters.interactive, ptu.counters.batch]
    assert sum(c.in_flight for c in total) == len(flying)
    assert sum(c.served + c.in_flight + c.refused for c in total) == len(steps)
    interactive, batch = ptu.drained(now)
    assert interactive >= 0.0
    assert batch >= -1e-6
    assert interactive + batch == pytest.approx(ptu.bucket.drained)
    busy = sum(
        record.busy_seconds
        for record in map(ptu.minutes.get, range(int(now // 60) + 1))
        if record is not None
    )
    assert busy * 100.0 == pytest.approx(ptu.bucket.drained, abs=1e-6)
