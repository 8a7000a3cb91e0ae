"""The interactive calls of a trace, played against a deployment. Pure: `now` is an argument.

A call reserves exactly what it uses and is not made again when it is refused.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Protocol

from local.demo.trace import Call
from local.ptu.calls import Admitted, Refused
from local.ptu.ptu_deployment import PtuDeployment


class Gateway(Protocol):
    """Whoever sees the interactive calls begin and end."""

    def started(self, call: Call, *, at: float, work: float) -> None: ...

    def finished(self, *, at: float, work: float) -> None: ...

    def refused(self, *, at: float) -> None: ...


class Interactive:
    """Plays the trace up to any moment, in order."""

    def __init__(
        self,
        calls: Sequence[Call],
        deployment: PtuDeployment,
        *,
        gateway: Gateway | None = None,
    ) -> None:
        self.accepted_work = 0.0
        """Work of the calls that were accepted, input-equivalent tokens."""
        self.refused_at: list[float] = []
        self._calls = calls
        self._deployment = deployment
        self._gateway = gateway
        self._next = 0
        self._under_way: list[tuple[float, int, Admitted, int]] = []

    @property
    def refused(self) -> int:
        return len(self.refused_at)

    def play(self, now: float) -> None:
        """Everything that happens up to `now`, and nothing beyond."""
        calls, under_way = self._calls, self._under_way
        while True:
            ends = under_way[0][0] if under_way else None
            comes = calls[self._next].at if self._next < len(calls) else None
            if comes is not None and comes <= now and (ends is None or comes <= ends):
                self._arrive(calls[self._next])
                self._next += 1
            elif ends is not None and ends <= now:
                at, _, call, output = heapq.heappop(under_way)
                self._end(call, at, output)
            else:
                return

    def _arrive(self, call: Call) -> None:
        deployment = self._deployment
        verdict = deployment.arrive(
            now=call.at, prompt_tokens=call.prompt_tokens, max_tokens=call.output_tokens
        )
        if isinstance(verdict, Refused):
            self.refused_at.append(call.at)
            if self._gateway is not None:
                self._gateway.refused(at=call.at)
            return
        work = deployment.work_of(verdict, call.output_tokens)
        self.accepted_work += work
        ends = call.at + deployment.timing(verdict, output_tokens=call.output_tokens).total
        heapq.heappush(self._under_way, (ends, self._next, verdict, call.output_tokens))
        if self._gateway is not None:
            self._gateway.started(call, at=call.at, work=work)

    def _end(self, call: Admitted, at: float, output_tokens: int) -> None:
        self._deployment.complete(call, now=at, output_tokens=output_tokens)
        if self._gateway is not None:
            self._gateway.finished(at=at, work=self._deployment.work_of(call, output_tokens))
