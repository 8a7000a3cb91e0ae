"""The interactive calls of a trace, played against a deployment. Pure: `now` is an argument.

A call reserves exactly what it uses and is not made again when it is refused.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from local.ptu.calls import Admitted, Refused
from local.ptu.ptu_deployment import PtuDeployment
from local.traffic.trace import Call


class Gateway(Protocol):
    """Whoever sees the interactive calls begin and end; `number` is the call's in the trace."""

    def started(self, number: int, call: Call, *, at: float) -> None: ...

    def finished(self, number: int, call: Call, *, at: float) -> None: ...

    def refused(self, number: int, call: Call, *, at: float) -> None: ...


class Resize(NamedTuple):
    """The deployment is scaled while the trace plays."""

    at: float
    ptus: float


class Interactive:
    """Plays the trace up to any moment, in order."""

    def __init__(
        self,
        calls: Sequence[Call],
        deployment: PtuDeployment,
        *,
        gateway: Gateway | None = None,
        resizes: Sequence[Resize] = (),
    ) -> None:
        self.accepted: list[int] = []
        """The numbers of the calls that were accepted."""
        self.accepted_work = 0.0
        """Their work, input-equivalent tokens."""
        self.refused_at: list[float] = []
        self._calls = calls
        self._deployment = deployment
        self._gateway = gateway
        self._resizes = list(resizes)
        self._next = 0
        self._under_way: list[tuple[float, int, Admitted]] = []

    @property
    def refused(self) -> int:
        return len(self.refused_at)

    def play(self, now: float) -> None:
        """Everything that happens up to `now`, and nothing beyond."""
        while self._resizes and self._resizes[0].at <= now:
            resize = self._resizes.pop(0)
            self._play(resize.at)
            self._deployment.resize(ptus=resize.ptus, now=resize.at)
        self._play(now)

    def _play(self, now: float) -> None:
        calls, under_way = self._calls, self._under_way
        while True:
            ends = under_way[0][0] if under_way else None
            comes = calls[self._next].at if self._next < len(calls) else None
            if comes is not None and comes <= now and (ends is None or comes <= ends):
                self._arrive(self._next)
                self._next += 1
            elif ends is not None and ends <= now:
                self._end(*heapq.heappop(under_way))
            else:
                return

    def _arrive(self, number: int) -> None:
        deployment, call = self._deployment, self._calls[number]
        verdict = deployment.arrive(
            now=call.at, prompt_tokens=call.prompt_tokens, max_tokens=call.output_tokens
        )
        if isinstance(verdict, Refused):
            self.refused_at.append(call.at)
            if self._gateway is not None:
                self._gateway.refused(number, call, at=call.at)
            return
        self.accepted.append(number)
        self.accepted_work += deployment.work_of(verdict, call.output_tokens)
        ends = call.at + deployment.timing(verdict, output_tokens=call.output_tokens).total
        heapq.heappush(self._under_way, (ends, number, verdict))
        if self._gateway is not None:
            self._gateway.started(number, call, at=call.at)

    def _end(self, at: float, number: int, verdict: Admitted) -> None:
        call = self._calls[number]
        self._deployment.complete(verdict, now=at, output_tokens=call.output_tokens)
        if self._gateway is not None:
            self._gateway.finished(number, call, at=at)
