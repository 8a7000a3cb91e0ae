"""Interactive users: the trace, played at its own pace, straight to the deployment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import NamedTuple

import aiohttp

from examples.usage_events import UsageSender
from local.traffic.trace import Call

API_VERSION = "2024-10-21"

NO_ANSWER = 504
"""What a gateway would say of a call that nobody answered."""


class Used(NamedTuple):
    """What an answer says that its call has used."""

    prompt_tokens: int | None = None
    cached_tokens: int = 0
    completion_tokens: int = 0


class InteractiveTraffic:
    """Plays the calls over and over until it is cancelled; `seconds` is the length of a round.

    Every call is sent when it is due, whether or not earlier ones have been answered, and is not
    repeated when it is refused: what the PTU counts as refused is what the users would have felt.
    """

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        url: str,
        deployment: str,
        key: str,
        calls: Sequence[Call],
        seconds: float,
        usage: UsageSender | None = None,
    ) -> None:
        """`usage` is told of every call, as a gateway would."""
        self._session = session
        self._endpoint = (
            f"{url}/openai/deployments/{deployment}/chat/completions?api-version={API_VERSION}"
        )
        self._key = key
        self._calls = calls
        self._seconds = seconds
        self._usage = usage
        self._deployment = deployment
        self.sent: list[Call] = []
        """Every call so far, at the time at which it was sent, counted from the first round's
        start."""
        self.unanswered = 0
        """Calls without any answer: 0 unless the machine is overloaded."""

    async def run(self) -> None:
        """Play until cancelled."""
        clock = asyncio.get_running_loop().time
        first = begin = clock()
        async with asyncio.TaskGroup() as group:
            while True:
                for call in self._calls:
                    await asyncio.sleep(begin + call.at - clock())
                    self.sent.append(call._replace(at=clock() - first))
                    group.create_task(self._send(call))
                begin += self._seconds

    async def _send(self, call: Call) -> None:
        headers = {
            "api-key": self._key,
            "x-sim-class": "interactive",
            "x-sim-prompt-tokens": str(call.prompt_tokens),
            "x-sim-output-tokens": str(call.output_tokens),
            # token counts known at arrival: the trace has no max_tokens to reserve by
            "x-sim-reserve-exactly": "1",
        }
        body = {"messages": [{"role": "user", "content": "a call of the trace"}]}
        told = self._usage and self._usage.started(
            deployment=self._deployment,
            prompt_tokens=call.prompt_tokens,
            max_tokens=call.output_tokens,
        )
        status, used = NO_ANSWER, Used()
        try:
            async with self._session.post(self._endpoint, json=body, headers=headers) as response:
                content = await response.read()
                status = response.status
                if told and status == 200:
                    used = _used(content)
        except (aiohttp.ClientError, TimeoutError):
            self.unanswered += 1
        if told:
            told.finished(status=status, **used._asdict())


def _used(content: bytes) -> Used:
    usage = json.loads(content)["usage"]
    return Used(
        prompt_tokens=usage["prompt_tokens"],
        cached_tokens=usage["prompt_tokens_details"]["cached_tokens"],
        completion_tokens=usage["completion_tokens"],
    )
