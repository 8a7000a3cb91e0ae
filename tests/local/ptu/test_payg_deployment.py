"""A pay-as-you-go deployment: a tokens-per-minute and a requests-per-minute limit."""

from __future__ import annotations

import pytest

from local.ptu import PaygDeployment
from local.ptu.calls import Admitted, Refused


def test_without_limits_everything_is_admitted() -> None:
    payg = PaygDeployment()
    for _ in range(1_000):
        assert isinstance(payg.arrive(now=0.0, prompt_tokens=100_000), Admitted)
    assert payg.remaining(0.0) == (None, None)


def test_the_estimate_counts_until_the_limit_is_reached() -> None:
    payg = PaygDeployment(tpm=6_000)
    assert isinstance(payg.arrive(now=0.0, prompt_tokens=5_000, max_tokens=500), Admitted)
    assert payg.remaining(0.0)[0] == 500
    assert isinstance(payg.arrive(now=0.0, prompt_tokens=1_000, max_tokens=500), Admitted)
    assert payg.remaining(0.0)[0] == 0
    # 1,000 over the limit, refilled at 100 a second.
    assert payg.arrive(now=0.0, prompt_tokens=1) == Refused(retry_after_ms=10_001)
    assert isinstance(payg.arrive(now=10.0, prompt_tokens=1), Refused)
    assert isinstance(payg.arrive(now=10.001, prompt_tokens=1), Admitted)


def test_cached_tokens_count_and_completion_corrects_nothing() -> None:
    payg = PaygDeployment(tpm=6_000)
    call = payg.arrive(now=0.0, prompt_tokens=2_000, cached_tokens=2_000, max_tokens=1_000)
    assert isinstance(call, Admitted)
    payg.complete(call, now=0.0, output_tokens=1)
    assert payg.remaining(0.0)[0] == 3_000


def test_requests_are_spread_over_ten_second_windows() -> None:
    payg = PaygDeployment(rpm=12)
    assert isinstance(payg.arrive(now=0.0, prompt_tokens=1), Admitted)
    assert isinstance(payg.arrive(now=0.0, prompt_tokens=1), Admitted)
    assert payg.arrive(now=0.0, prompt_tokens=1) == Refused(retry_after_ms=5_000)
    assert isinstance(payg.arrive(now=5.0, prompt_tokens=1), Admitted)


def test_a_limit_below_one_request_a_window_still_admits_one_at_a_time() -> None:
    payg = PaygDeployment(rpm=1)
    assert isinstance(payg.arrive(now=0.0, prompt_tokens=1), Admitted)
    assert payg.arrive(now=0.0, prompt_tokens=1) == Refused(retry_after_ms=60_000)
    assert isinstance(payg.arrive(now=60.0, prompt_tokens=1), Admitted)


@pytest.mark.parametrize("setting", ["tpm", "rpm"])
def test_a_limit_of_nothing_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="positive"):
        PaygDeployment(**{setting: 0})  # type: ignore[arg-type]
