"""What a call costs a PTU deployment, in input-equivalent tokens.

`(prompt - cached) + ratio x output`; a deployment drains PTUs x TPM per PTU / 60 of it per second.
Source of the numbers: Microsoft's "Provisioned throughput sizing" page, 2026-05-21; kept as data in
`models.json`, which `MODELS` in the settings can extend.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_MAX_TOKENS = 1_000
"""What the service reserves when a call names no maximum is not documented; this is our guess."""


class Model(BaseModel):
    """One line of the sizing table."""

    model_config = ConfigDict(frozen=True)
    input_tpm_per_ptu: Annotated[float, Field(gt=0)]
    """Input tokens per minute that one PTU drains."""
    output_ratio: Annotated[float, Field(gt=0)]
    """Input tokens that one output token is worth."""

    def work(
        self, *, prompt_tokens: float, cached_tokens: float = 0, output_tokens: float
    ) -> float:
        """Input-equivalent tokens of one call. Cached tokens cost a PTU nothing."""
        return max(0.0, prompt_tokens - cached_tokens) + self.output_ratio * output_tokens

    def drain_per_second(self, ptus: int) -> float:
        """R: what `ptus` drain, in input-equivalent tokens per second."""
        return ptus * self.input_tpm_per_ptu / 60


@cache
def known_models() -> dict[str, Model]:
    """The sizing table by model name."""
    raw = resources.files(__package__).joinpath("models.json").read_text(encoding="utf-8")
    return {name: Model(**line) for name, line in json.loads(raw)["models"].items()}


TOKENS = Model(input_tpm_per_ptu=1, output_ratio=1)
"""What a call costs a pay-as-you-go deployment: tokens, whichever kind they are."""
