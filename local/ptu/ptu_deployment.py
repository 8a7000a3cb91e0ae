"""A provisioned deployment. Pure: ``now`` (seconds) is always an argument."""

from __future__ import annotations

from typing import Unpack

from local.ptu.bucket import PtuBucket
from local.ptu.calls import Admitted, Traffic
from local.ptu.deployment import Common, Deployment

__all__ = ["PtuDeployment"]


class PtuDeployment(Deployment):
    """A provisioned deployment: R = PTUs · TPM per PTU / 60 work a second, full at R·W.

    ``window_seconds`` is W, the depth of the bucket, which Microsoft does not document.
    """

    def __init__(
        self,
        *,
        ptus: float,
        input_tpm_per_ptu: float,
        output_ratio: float,
        window_seconds: float = 10.0,
        now: float = 0.0,
        name: str = "ptu",
        **common: Unpack[Common],
    ) -> None:
        super().__init__(name=name, output_ratio=output_ratio, **common)
        self.input_tpm_per_ptu = input_tpm_per_ptu
        self.ptus = ptus
        self.bucket = PtuBucket(
            work_per_second=ptus * input_tpm_per_ptu / 60.0,
            window_seconds=window_seconds,
            now=now,
        )
        self._interactive_share = 0.0
        self._drained_interactive = 0.0

    def level(self, now: float) -> float:
        """How full the bucket is at ``now``: 1.0 is 100 %, and a burst can take it above."""
        return self.bucket.level(now)

    def drained(self, now: float) -> tuple[float, float]:
        """The work drained so far for interactive and for batch calls.

        The bucket does not know whose work it drains: work leaves in proportion to what each
        class has in it.
        """
        self.advance(now)
        return self._drained_interactive, self.bucket.drained - self._drained_interactive

    def advance(self, now: float) -> None:
        bucket = self.bucket
        start, work = bucket.at, bucket.work
        drained = bucket.advance(now)
        if now > start:
            self._drained_interactive += drained * self._interactive_share
            self.minutes.drained(
                start=start,
                end=now,
                work=work,
                work_per_second=bucket.work_per_second,
                full=bucket.full,
            )

    def resize(self, *, ptus: float, now: float) -> None:
        """Scale the deployment; the work it holds stays."""
        self.advance(now)
        self.bucket.resize(work_per_second=ptus * self.input_tpm_per_ptu / 60.0)
        self.ptus = ptus

    def reset(self, *, now: float) -> None:
        super().reset(now=now)
        self.bucket.empty(now=now)
        self._interactive_share = self._drained_interactive = 0.0

    def _admit(self, call: Admitted, now: float) -> int:
        self.advance(now)
        bucket = self.bucket
        if bucket.is_full():
            return bucket.retry_after_ms()
        call.level_at_arrival = bucket.work / bucket.full
        self._change(self.work_of(call, call.reserved_output_tokens), call.traffic)
        return 0

    def _correct(self, call: Admitted, now: float, output_tokens: int) -> None:
        self.advance(now)
        self._change(
            self.output_ratio * (output_tokens - call.reserved_output_tokens), call.traffic
        )

    def _change(self, work: float, traffic: Traffic) -> None:
        bucket = self.bucket
        before = bucket.work
        changed = bucket.change(work)
        after = bucket.work
        interactive = before * self._interactive_share
        if traffic is Traffic.INTERACTIVE:
            interactive += changed
        self._interactive_share = min(1.0, max(0.0, interactive / after)) if after else 0.0
        self.minutes.at(bucket.at).jumped(before / bucket.full, after / bucket.full)
