"""Who knows the bucket and every interactive call to come: shows that the limit is real.

Let F(t) = R·t − the work of the interactive calls accepted without batch before t. A call that
comes at t is accepted while what the bucket holds then is below 100 %. As long as the bucket does
not run empty, that is what it holds now + F(now) − F(t). So all of them stay accepted if it never
holds more, just after a send, than

    full + the least F(t) of all calls to come − F(now)

and the bucket running empty in between only makes room. What a batch call gives back at its end
makes room as well, so the rule is safe, and it fills whatever the calls to come leave.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

from benchmarks.control.policies.base import Policy, Surroundings
from local.virtual_time import EPOCH
from ptu_optimizer.capacity.control.verdict import Admit, Verdict, Wait

LOOK_AGAIN_SECONDS = 0.1


class Clairvoyant(Policy):
    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        plant = self._plant = surroundings.plant
        bucket = plant.deployment.bucket
        self._rate, self._full = bucket.work_per_second, bucket.full
        ratio = plant.deployment.output_ratio
        calls = surroundings.alone.accepted
        self._times = [call.at for call in calls]
        self._work_before = [0.0]
        for call in calls:
            work = call.prompt_tokens + ratio * call.output_tokens
            self._work_before.append(self._work_before[-1] + work)
        self._least_to_come = [float("inf")] * (len(calls) + 1)
        for number in range(len(calls) - 1, -1, -1):
            here = self._rate * self._times[number] - self._work_before[number]
            self._least_to_come[number] = min(here, self._least_to_come[number + 1])

        self._on_the_way: deque[float] = deque()
        self._seen = plant.sent

    def ask(self, *, now: float, work: float, priority: str) -> Verdict:
        at = now - EPOCH
        self._plant.settle()
        while self._seen < self._plant.sent and self._on_the_way:
            self._on_the_way.popleft()
            self._seen += 1
        held = self._plant.deployment.bucket.work + sum(self._on_the_way)
        number = bisect_left(self._times, at)
        here = self._rate * at - self._work_before[number]
        room = min(self._full, self._full + self._least_to_come[number] - here) - held
        if self.in_flight < self.most and work <= room:
            return Admit("there is room until the bucket is empty again")
        return Wait("it would refuse a call", blocked=False, retry_at=now + LOOK_AGAIN_SECONDS)

    def sent(self, *, now: float, work: float) -> None:
        super().sent(now=now, work=work)
        self._on_the_way.append(work)
