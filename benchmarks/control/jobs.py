"""The backlog: requests without text whose bodies say their lengths, as many as are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle
from random import Random

from benchmarks.control.traces import Job
from local.virtual_time import EPOCH
from ptu_optimizer.backends.tokens import TokenEstimator
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.model_calls import TokenUsage
from ptu_optimizer.requests.envelope import first_event
from ptu_optimizer.requests.ids import IdMint
from ptu_optimizer.requests.item import Item

DEADLINE_SECONDS = 86_400.0
GROUP_SIZE = 1_000
GROUPS_BEGAN_SECONDS = 600
"""How long before the start the requests were accepted."""

PROMPT_TOKENS, OUTPUT_TOKENS = "benchmark_prompt_tokens", "benchmark_output_tokens"
"""In a body: what the plant counts instead of text."""


def lengths(jobs: Sequence[Job], *, seed: int) -> Iterator[Job]:
    """The jobs in a shuffled order, over and over."""
    shuffled = list(jobs)
    Random(seed).shuffle(shuffled)
    return cycle(shuffled)


def events(
    jobs: Iterator[Job],
    *,
    mint: IdMint,
    deployment: str,
    reserve_factor: float,
) -> Iterator[bytes]:
    """Events as intake publishes them; `max_tokens` is `reserve_factor` times the real output."""
    deadline = EPOCH + DEADLINE_SECONDS
    while True:
        group = mint.mint(
            created_at=EPOCH - GROUPS_BEGAN_SECONDS, ends_at=deadline + 3_600, count=GROUP_SIZE
        )
        for index in range(GROUP_SIZE):
            job = next(jobs)
            body: JsonObject = {
                "messages": [{"role": "user", "content": ""}],
                "max_tokens": max(1, round(reserve_factor * job.output_tokens)),
                PROMPT_TOKENS: job.prompt_tokens,
                OUTPUT_TOKENS: job.output_tokens,
            }
            item = Item(body=body, deployment=deployment, deadline=deadline)
            yield first_event(group.request_id(index), item, inline=True).encode()


class KnownLengths(TokenEstimator):
    """The app's estimator, but for the counting: the bodies here say their prompt's tokens."""

    async def ready(self) -> None:
        """No vocabulary to load."""

    def learn(self, body: JsonObject, *, deployment: str, usage: TokenUsage) -> None:
        """There is nothing to correct: the count is exact."""

    @staticmethod
    def _raw(body: JsonObject) -> float:
        return float(body[PROMPT_TOKENS])
