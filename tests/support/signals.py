"""What can become known about a deployment, in few words. Work is given in seconds of drain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptu_optimizer.capacity.signals.learned import Learned
from ptu_optimizer.capacity.signals.minute import MINUTE_SECONDS, Minute
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.capacity.signals.usage import UsageWindow, UsageWindows
from ptu_optimizer.capacity.work import Model

NOW = 1_800_000_000.0
"""A whole minute, and a whole window."""

MODEL = Model(input_tpm_per_ptu=60, output_ratio=4)
RATE = 1_000.0
"""What the deployment drains: so much work is one second of drain."""

HERE, THERE, GATEWAY = "here", "there", "gateway"
"""This process, another one, and the gateway of the interactive calls."""


def level(value: float, *, at: float = NOW, span: float = 0.0, source: str = HERE) -> Reading:
    """A utilization header."""
    return Reading(
        deployment="ptu",
        kind=ReadingKind.LEVEL,
        value=value,
        source=source,
        observed_at=at,
        span=span,
    )


def throttled(*, at: float = NOW, until: float | None = None, source: str = HERE) -> Reading:
    """A 429."""
    return Reading(
        deployment="ptu",
        kind=ReadingKind.THROTTLED,
        value=1.0,
        source=source,
        observed_at=at,
        until=until,
    )


def minute(ends_at: float = NOW, *, load: float | None = None, **figures: Any) -> Minute:
    """A minute of the metric; `load` is the work of its calls over what can be drained."""
    if load is not None:
        figures |= {"prompt_tokens": load * RATE * MINUTE_SECONDS, "generated_tokens": 0.0}
    return Minute(deployment="ptu", ends_at=ends_at, **figures)


def usage(
    reserved: Mapping[float, float],
    *,
    used: Mapping[float, float] | None = None,
    refused: Mapping[float, int] | None = None,
    source: str = GATEWAY,
    record: str = "1",
) -> UsageWindows:
    """Windows by their start: what was reserved in them, and what calls that ended had used."""
    used, refused = used or {}, refused or {}
    return UsageWindows(
        deployment="ptu",
        record_id=f"usage:{source}:{record}",
        source=source,
        ours=source != GATEWAY,
        windows=tuple(
            UsageWindow(
                start=start,
                reserved=reserved.get(start, 0.0) * RATE,
                used=used.get(start, 0.0) * RATE,
                refused=refused.get(start, 0),
            )
            for start in sorted({*reserved, *used, *refused})
        ),
    )


def learned(**changes: Any) -> Learned:
    """What another process has found out: nothing that the settings do not say, but for changes."""
    return Learned(
        **{
            "deployment": "ptu",
            "source": THERE,
            "at": NOW,
            "drain": 1.0,
            "event_gain": 1.0,
            "used_share": 0.5,
            "usual_load": 0.5,
            "metric_meaning": "unknown",
            "header_at_admission": False,
            **changes,
        }
    )
