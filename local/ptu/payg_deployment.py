"""A pay-as-you-go deployment. Pure: ``now`` (seconds) is always an argument."""

from __future__ import annotations

import math
from typing import Unpack

from local.ptu.bucket import PtuBucket
from local.ptu.calls import Admitted
from local.ptu.deployment import Common, Deployment

__all__ = ["PaygDeployment"]

RPM_WINDOW_SECONDS = 10.0
"""Azure evaluates a requests-per-minute limit over 1 or 10 seconds, not over the minute."""


class PaygDeployment(Deployment):
    """A pay-as-you-go (standard) deployment with a tokens-per-minute and a requests-per-minute
    limit.

    As Azure describes it, what counts at arrival is the estimate (prompt + ``max_tokens``, cached
    tokens included), a call is refused once the limit *has been* reached, and nothing is corrected
    at completion. The minute is a refilling token bucket here.
    """

    def __init__(
        self,
        *,
        tpm: float | None = None,
        rpm: float | None = None,
        output_ratio: float = 4.0,
        now: float = 0.0,
        name: str = "payg",
        **common: Unpack[Common],
    ) -> None:
        super().__init__(name=name, output_ratio=output_ratio, **common)
        self.tpm = tpm
        self.rpm = rpm
        self._started_at = now
        self._tokens = _used(tpm, 60.0, now)
        self._requests = _used(rpm, RPM_WINDOW_SECONDS, now)

    def remaining(self, now: float) -> tuple[int | None, int | None]:
        """Tokens and requests left at ``now`` (never below zero; None without a limit)."""
        return _remaining(self._tokens, now), _remaining(self._requests, now)

    def advance(self, now: float) -> None:
        """Nothing: there is no level to record."""

    def reset(self, *, now: float) -> None:
        super().reset(now=now)
        for used in (self._tokens, self._requests):
            if used is not None:
                used.empty(now=now)

    def _admit(self, call: Admitted, now: float) -> int:
        tokens, requests = self._tokens, self._requests
        wait = 0
        if tokens is not None:
            tokens.advance(now)
            call.level_at_arrival = tokens.work / tokens.full
            wait = tokens.retry_after_ms()
        if requests is not None:
            requests.advance(now)
            wait = max(wait, _until_one_request_fits(requests))
        if wait:
            return wait
        if tokens is not None:
            tokens.change(call.prompt_tokens + call.reserved_output_tokens)
        if requests is not None:
            requests.change(1.0)
        return 0

    def _correct(self, call: Admitted, now: float, output_tokens: int) -> None:
        """Nothing: the rate limit keeps the estimate."""


def _used(limit_per_minute: float | None, window: float, now: float) -> PtuBucket | None:
    """What was used of a limit is a leaky bucket too: it drains as the limit refills."""
    if limit_per_minute is None:
        return None
    return PtuBucket(work_per_second=limit_per_minute / 60.0, window_seconds=window, now=now)


def _until_one_request_fits(requests: PtuBucket) -> int:
    # A window of less than one request would never admit any.
    excess = requests.work + 1.0 - max(1.0, requests.full)
    return math.ceil(excess / requests.work_per_second * 1000.0) if excess > 1e-9 else 0


def _remaining(used: PtuBucket | None, now: float) -> int | None:
    return None if used is None else max(0, int(used.full * (1.0 - used.level(now))))
