"""A host renews its lock or seeks it, whatever the client of the storage does."""

from __future__ import annotations

import asyncio
from typing import cast

from local.host.leases import RENEW_SECONDS, SEEK_SECONDS, BlobLease, keeper
from local.virtual_time import in_virtual_time


class Lease:
    """Remembers when it was asked for. `answers`: held, not held, or an error, in turn."""

    def __init__(self, *answers: bool | BaseException) -> None:
        self.asked: list[float] = []
        self._answers = list(answers)

    async def try_acquire(self) -> bool:
        self.asked.append(asyncio.get_running_loop().time())
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


async def asked(lease: Lease, *, seconds: float) -> list[float]:
    loop = keeper(cast(BlobLease, lease))
    loop.start()
    await asyncio.sleep(seconds)
    await loop.stop()
    return lease.asked


@in_virtual_time
async def test_seeking_is_quicker_than_renewing() -> None:
    lease = Lease(False, True)
    first, second = SEEK_SECONDS, SEEK_SECONDS + RENEW_SECONDS
    assert await asked(lease, seconds=second + 1) == [0, first, second]


@in_virtual_time
async def test_an_unexpected_error_or_cancellation_does_not_end_it() -> None:
    lease = Lease(ValueError("no date"), asyncio.CancelledError("an inner call"), False)
    assert len(await asked(lease, seconds=2.5 * SEEK_SECONDS)) == 3
