"""Admission to a pay-as-you-go deployment: its tokens and requests per minute, spaced out. Pure.

What Azure counts there is an estimate taken at arrival, prompt and `max_tokens`, cached tokens
included and nothing corrected at completion; a call is refused once the limit has been reached, and
requests per minute are judged over one or ten seconds, not over the minute (Microsoft, "Manage
Azure OpenAI quota"). So calls are sent at the pace of the limits, never a minute's worth at once.
"""

from __future__ import annotations

import math

from ptu_optimizer.capacity.estimate.belief import Belief
from ptu_optimizer.capacity.signals.learned import Learned
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.capacity.signals.signal import Signal

from .controller import Controller
from .verdict import Admit, Verdict, Wait

FULL_FROM = 0.9
"""The share of the minute's tokens from which the deployment counts as full, by its own
headers. The rest is left for calls of others that are under way. Some may be interactive calls
that Azure spilled over."""

MOST_SHARERS = 64.0
ALONE_AGAIN_SECONDS = 120.0
"""A 429 halves our pace, and the pace doubles again within this time. So processes that do not
know of each other come to share a limit."""

_MINUTE = 60.0


class _TokenPace:
    """Lets calls pass at a rate: each call makes a debt, and the next one waits until it is
    paid.

    No credit is saved up, or all waiting calls would leave at once after a pause.
    """

    def __init__(self, per_minute: float) -> None:
        self._per_second = per_minute / _MINUTE
        self.free_at = 0.0

    def take(self, amount: float, *, now: float) -> None:
        self.free_at = max(self.free_at, now) + amount / self._per_second


class PayAsYouGo(Controller):
    """The `Controller` of one pay-as-you-go deployment in this process; work is in tokens.

    Several processes notice each other only through the deployment: by the tokens that it
    reports as left, and by its 429s.
    """

    def __init__(
        self,
        *,
        tokens_per_minute: int,
        requests_per_minute: int | None,
        max_concurrent_calls: int,
    ) -> None:
        self._tokens_per_minute = tokens_per_minute
        self._tokens = _TokenPace(tokens_per_minute)
        self._requests = None if requests_per_minute is None else _TokenPace(requests_per_minute)
        self._max_concurrent_calls = max_concurrent_calls
        self._in_flight = 0
        self._refused_until = 0.0
        self._sharers, self._sharers_at = 1.0, 0.0
        """By which factor we send slower than the limits, because others send as well."""
        self._told: Reading | None = None
        """What the deployment last reported of its minute."""
        self._used, self._used_at = 0.0, 0.0
        """The share of the minute's tokens that was used then; it refills within a minute."""

    def ask(self, *, now: float, work: float, priority: str) -> Verdict:
        if now < self._refused_until:
            return Wait(
                "the pay-as-you-go deployment answered 429",
                blocked=True,
                retry_at=self._refused_until,
            )
        if self._in_flight >= self._max_concurrent_calls:
            calls = self._max_concurrent_calls
            return Wait(f"{calls} calls at a time are under way", blocked=False, retry_at=None)
        if self._requests is not None and now < self._requests.free_at:
            return Wait(
                "its requests per minute are spaced out",
                blocked=False,
                retry_at=self._requests.free_at,
            )
        if now < self._tokens.free_at:
            return Wait(
                "its tokens per minute are spaced out",
                blocked=False,
                retry_at=self._tokens.free_at,
            )
        used = self._used_now(now)
        if used >= FULL_FROM:
            return Wait(
                f"{used:.0%} of its tokens per minute are used",
                blocked=True,
                retry_at=now + (used - FULL_FROM) * _MINUTE + 0.1,
            )
        return Admit("within its tokens and requests per minute")

    def sent(self, *, now: float, work: float) -> None:
        self._in_flight += 1
        self._used = self._used_now(now) + work / self._tokens_per_minute
        self._used_at = now
        sharers = self._sharers_now(now)
        self._tokens.take(sharers * work, now=now)
        if self._requests is not None:
            self._requests.take(sharers, now=now)

    def ended(self, *, now: float, reserved: float, used: float | None) -> None:
        """Nothing is given back: the rate limit keeps the estimate."""
        self._in_flight -= 1

    def observe(self, signal: Signal, *, now: float) -> None:
        if isinstance(signal, Reading):
            self._read(signal, now)

    def _read(self, reading: Reading, now: float) -> None:
        if reading.kind is ReadingKind.THROTTLED:
            if now >= self._refused_until:  # several refused at once count as one
                self._sharers = min(MOST_SHARERS, 2 * self._sharers_now(now))
                self._sharers_at = now
            self._refused_until = max(self._refused_until, reading.until or 0.0)
            # the minute is used up: a call at once would compete with the other refused ones
            self._used, self._used_at = max(1.0, self._used_now(now)), now
        elif reading.kind is ReadingKind.LEVEL and self._told_at <= reading.observed_at <= now:
            self._told = reading
            self._used, self._used_at = reading.value, reading.observed_at

    def belief(self, *, now: float) -> Belief:
        """How much of the minute's tokens is used: the level of a bucket that refills."""
        told = self._told
        return Belief(
            value=self._used_now(now),
            source="our own calls" if told is None else told.source,
            age=0.0 if told is None else max(0.0, now - told.observed_at),
            fresh=True,
        )

    def tick(self, *, now: float) -> None:
        """Nothing becomes due by itself."""

    def learned(self, *, now: float) -> Learned | None:
        """Nothing: the next process reads it from the deployment's own headers."""
        return None

    @property
    def _told_at(self) -> float:
        return -math.inf if self._told is None else self._told.observed_at

    def _used_now(self, now: float) -> float:
        return max(0.0, self._used - max(0.0, now - self._used_at) / _MINUTE)

    def _sharers_now(self, now: float) -> float:
        halvings = (now - self._sharers_at) / ALONE_AGAIN_SECONDS
        return max(1.0, self._sharers * math.exp2(-halvings))
