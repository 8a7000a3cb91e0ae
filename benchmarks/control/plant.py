"""The plant: `local/ptu`'s deployment, the interactive calls that play on it, and our calls to it.

The trace is played lazily, up to the moment at which somebody looks: nothing in between can tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.control.interactive import Gateway, Interactive, Resize
from benchmarks.control.jobs import OUTPUT_TOKENS, PROMPT_TOKENS
from local.ptu.calls import Admitted, Refused, Traffic
from local.ptu.ptu_deployment import PtuDeployment
from local.traffic.trace import Call
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.model_calls import CallResult, Success, Throttled, TokenUsage, Transient

ERROR_SECONDS = 0.25
"""Until a 500: what a call without output takes."""

REFUSAL_SECONDS = 0.05
"""Until a 429, which needs no model."""


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How the plant answers our calls."""

    header: bool = True
    """Whether responses carry the utilization header."""
    header_share: float = 1.0
    """The share of responses that carry it."""
    header_at_admission: bool = False
    """Its value was taken when the call was admitted, not when the response leaves."""
    failing_share: float = 0.0
    """The share of calls that are answered 500 before admission."""


class Plant:
    """Times are the loop's, which begins with the trace's first call."""

    def __init__(
        self,
        deployment: PtuDeployment,
        calls: Sequence[Call],
        *,
        behaviour: Behaviour,
        gateway: Gateway | None,
        seed: int,
        resizes: Sequence[Resize] = (),
    ) -> None:
        self.deployment = deployment
        self.interactive = Interactive(calls, deployment, gateway=gateway, resizes=resizes)
        self.sent = 0
        """Batch calls that reached the deployment, refused ones included."""
        self._behaviour = behaviour
        self._random = Random(seed)

    def settle(self) -> float:
        """Bring everything up to now, and say when that is."""
        now = asyncio.get_running_loop().time()
        self.interactive.play(now)
        self.deployment.advance(now)
        return now

    async def complete(self, body: JsonObject, *, timeout_seconds: float) -> CallResult:
        """One batch call. It ends on the plant also when nobody waits for it any more."""
        loop = asyncio.get_running_loop()
        now = self.settle()
        self.sent += 1
        behaviour = self._behaviour
        if behaviour.failing_share and self._random.random() < behaviour.failing_share:
            self.deployment.fail(now=now, status=500, traffic=Traffic.BATCH)
            await asyncio.sleep(ERROR_SECONDS)
            return Transient(why="the deployment answered 500", status=500)
        prompt, output = body[PROMPT_TOKENS], body[OUTPUT_TOKENS]
        verdict = self.deployment.arrive(
            now=now, prompt_tokens=prompt, max_tokens=body["max_tokens"], traffic=Traffic.BATCH
        )
        if isinstance(verdict, Refused):
            level = self.deployment.level(now)
            await asyncio.sleep(REFUSAL_SECONDS)
            return Throttled(
                status=429,
                retry_after_seconds=verdict.retry_after_ms / 1000,
                utilization=self._header(level),
            )
        at_admission = self.deployment.level(now)
        seconds = self.deployment.timing(verdict, output_tokens=output).total
        answered: asyncio.Future[float] = loop.create_future()
        loop.call_at(now + seconds, self._end, verdict, output, answered)
        if seconds > timeout_seconds:
            await asyncio.sleep(timeout_seconds)
            return Transient(why=f"no answer within {timeout_seconds:.0f} s")
        level = await answered
        return Success(
            status=200,
            utilization=self._header(at_admission if behaviour.header_at_admission else level),
            response={"usage": {"prompt_tokens": prompt, "completion_tokens": output}},
            usage=TokenUsage(prompt_tokens=prompt, completion_tokens=output),
        )

    def _end(self, call: Admitted, output_tokens: int, answered: asyncio.Future[float]) -> None:
        now = self.settle()
        self.deployment.complete(call, now=now, output_tokens=output_tokens)
        if not answered.done():
            answered.set_result(self.deployment.level(now))

    def _header(self, level: float) -> float | None:
        behaviour = self._behaviour
        if not behaviour.header:
            return None
        if behaviour.header_share < 1 and self._random.random() >= behaviour.header_share:
            return None
        return level
