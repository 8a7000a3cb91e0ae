"""What is played: a trace, and the deployment that it is played against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.control.interactive import Resize
from benchmarks.control.traces import CODE, CONVERSATION, read_calls, thinned
from local.ptu.latency import LatencyModel
from local.ptu.ptu_deployment import PtuDeployment
from local.traffic.trace import Call
from ptu_optimizer.capacity.work import Model, known_models

MODEL = "gpt-4.1"
DEPLOYMENT = "ptu"

LATENCY = LatencyModel(
    # the plant counts the seconds of a token from the second one on
    first_token_seconds=0.25 + 0.0125,
    first_token_seconds_per_prompt_token=0.00008,
    seconds_per_output_token=0.0125,
    load_slope=0.0,
)
"""0.25 s + 0.08 ms per prompt token + 12.5 ms per output token, however full the deployment is."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Everything that a row plays, but for W. Small: it travels to the processes that run rows."""

    name: str
    files: tuple[Path, ...]
    ptus: float
    model: str = MODEL
    keep_every: int = 1
    """Of the calls, only every so-many-th."""
    halves: bool = False
    """Half of the PTUs go, half-way."""
    most_seconds: float | None = None
    """Only the calls up to then."""

    def calls(self) -> Sequence[Call]:
        return _calls(self.files, self.keep_every, self.most_seconds)

    def resizes(self) -> list[Resize]:
        middle = self.calls()[-1].at / 2
        return [Resize(middle, self.ptus / 2)] if self.halves else []

    def capacity(self) -> float:
        """R·T, input-equivalent tokens."""
        return self.work_per_second * self.calls()[-1].at * (0.75 if self.halves else 1.0)

    @property
    def sizing(self) -> Model:
        return known_models()[self.model]

    @property
    def work_per_second(self) -> float:
        """R, as long as no PTUs have gone."""
        return self.ptus * self.sizing.input_tpm_per_ptu / 60

    def deployment(self, *, bucket_seconds: float) -> PtuDeployment:
        sizing = self.sizing
        return PtuDeployment(
            name=DEPLOYMENT,
            model=self.model,
            ptus=self.ptus,
            input_tpm_per_ptu=sizing.input_tpm_per_ptu,
            output_ratio=sizing.output_ratio,
            window_seconds=bucket_seconds,
            latency=LATENCY,
        )


A = Scenario(name="A", files=(CONVERSATION, CODE), ptus=660)
B = Scenario(name="B", files=(CONVERSATION,), ptus=440)
C = Scenario(name="C", files=(CODE,), ptus=369)
SCENARIOS = {scenario.name: scenario for scenario in (A, B, C)}


@cache
def _calls(files: tuple[Path, ...], keep_every: int, most_seconds: float | None) -> Sequence[Call]:
    calls = thinned(read_calls(files), keep_every=keep_every)
    if most_seconds is None:
        return calls
    return [call for call in calls if call.at <= most_seconds]
