"""How long a call takes. Pure: randomness is handed in."""

from __future__ import annotations

from dataclasses import dataclass, fields
from random import Random
from typing import NamedTuple

__all__ = ["ZERO_LATENCY", "LatencyModel", "Timing"]


class Timing(NamedTuple):
    """When a call's tokens come, in seconds after its arrival."""

    first_token: float
    per_token: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyModel:
    """Time to first token, and time per token after it, both growing with the level.

    The defaults are in the range published for gpt-4.1 class models on provisioned deployments;
    none of them is a promise of Azure's. Both times are multiplied by
    ``1 + load_slope · min(level, 1)``, so with 0.5 a full deployment is half as slow again.
    """

    first_token_seconds: float = 0.25
    """Time to first token of an empty prompt."""
    first_token_seconds_per_prompt_token: float = 0.00008
    """Prefill: what each prompt token that is not cached adds to the time to first token."""
    seconds_per_output_token: float = 0.0125
    """Time between two output tokens."""
    load_slope: float = 0.5
    """How much slower a full deployment is than an idle one."""
    jitter: float = 0.0
    """Each call's times are multiplied by a seeded factor in 1 ± jitter; 0 switches it off."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
                raise ValueError(f"latency.{field.name} must be a number >= 0, not {value!r}")
        if self.jitter >= 1:
            raise ValueError(f"latency.jitter must be below 1, not {self.jitter!r}")

    def timing(
        self,
        *,
        uncached_prompt_tokens: int,
        output_tokens: int,
        level: float,
        random: Random | None = None,
    ) -> Timing:
        """The times of one call that arrives at ``level``."""
        factor = 1.0 + self.load_slope * min(level, 1.0)
        if self.jitter and random is not None:
            factor *= 1.0 + self.jitter * (2.0 * random.random() - 1.0)
        prefill = self.first_token_seconds_per_prompt_token * uncached_prompt_tokens
        first = (self.first_token_seconds + prefill) * factor
        per_token = self.seconds_per_output_token * factor
        return Timing(first, per_token, first + per_token * max(0, output_tokens - 1))


ZERO_LATENCY = LatencyModel(
    first_token_seconds=0.0,
    first_token_seconds_per_prompt_token=0.0,
    seconds_per_output_token=0.0,
    load_slope=0.0,
)
"""Answers at once: for throughput measurements."""
