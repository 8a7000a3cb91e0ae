"""Retry policies of `@app.retry`: how long to wait before the next try, or to give up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.host.durations import parse_span
from local.host.errors import RefusedError

UNLIMITED = -1

_KNOWN = {
    "setting_name",
    "strategy",
    "max_retry_count",
    "delay_interval",
    "minimum_interval",
    "maximum_interval",
}


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Retries after the first try: at most `max_retries` (−1: without end)."""

    max_retries: int
    minimum_seconds: float
    maximum_seconds: float
    exponential: bool

    def delay_before(self, retry: int, *, jitter: float) -> float | None:
        """Seconds to wait before retry number `retry` (from 1), `None` to give up.

        `jitter` in [0, 1) spreads exponential delays over ±20 %, as the WebJobs SDK does.
        """
        if self.max_retries != UNLIMITED and retry > self.max_retries:
            return None
        if not self.exponential:
            return self.minimum_seconds
        # 2**30 seconds is beyond any maximum interval; a larger exponent would overflow a float.
        growth = (2.0 ** min(retry - 1, 30) - 1) * (0.8 + 0.4 * jitter)
        return min(self.maximum_seconds, self.minimum_seconds + growth)


def parse_retry(settings: Mapping[str, Any], *, where: str) -> RetryPolicy:
    """The policy in the worker's `retry_policy` setting; what Azure's host refuses is refused."""
    unknown = settings.keys() - _KNOWN
    if unknown:
        raise RefusedError(f"{where}: retry policy: not supported: {', '.join(sorted(unknown))}")
    try:
        max_retries = int(settings["max_retry_count"])
    except (KeyError, TypeError, ValueError):
        max_retries = -2
    if max_retries < UNLIMITED:
        raise RefusedError(f"{where}: retry policy: max_retry_count must be −1 (no end) or more")
    strategy = settings.get("strategy")
    if strategy == "fixed_delay":
        delay = _span(settings, "delay_interval", where)
        return RetryPolicy(
            max_retries=max_retries, minimum_seconds=delay, maximum_seconds=delay, exponential=False
        )
    if strategy == "exponential_backoff":
        minimum = _span(settings, "minimum_interval", where)
        maximum = _span(settings, "maximum_interval", where)
        if minimum > maximum:
            raise RefusedError(f"{where}: retry policy: minimum_interval exceeds maximum_interval")
        return RetryPolicy(
            max_retries=max_retries,
            minimum_seconds=minimum,
            maximum_seconds=maximum,
            exponential=True,
        )
    raise RefusedError(
        f"{where}: retry policy: strategy must be fixed_delay or exponential_backoff, "
        f"not {strategy!r}"
    )


def _span(settings: Mapping[str, Any], name: str, where: str) -> float:
    try:
        return parse_span(str(settings[name]))
    except KeyError:
        raise RefusedError(f"{where}: retry policy: {name} is missing (hh:mm:ss)") from None
    except ValueError as error:
        raise RefusedError(f"{where}: retry policy: {name}: {error}") from None
