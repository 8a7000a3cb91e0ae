"""A vault with the keys of request ids, for tests of what uses them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from local.virtual_time import EPOCH
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.id_keys import SERVICE, KeyVersion
from ptu_optimizer.requests.ids import GroupId, IdMint

OLD = b"the key that has always been there"
NEW = b"the key of a rotation"


class FakeVault:
    """A `KeyReader` that counts its reads, takes its time, and can be away."""

    def __init__(self, *versions: KeyVersion, seconds: float = 0.0) -> None:
        """`seconds`: how long a read takes."""
        self.versions: Sequence[KeyVersion] = versions or (version(OLD),)
        self.seconds = seconds
        self.is_away = False
        self.reads = 0

    async def read(self) -> Sequence[KeyVersion]:
        self.reads += 1
        await asyncio.sleep(self.seconds)
        if self.is_away:
            raise DependencyUnavailable(SERVICE, "403 Forbidden ForbiddenByRbac")
        return self.versions


def version(key: bytes, *, created_at: float = 0.0, updated_at: float | None = None) -> KeyVersion:
    """Times in seconds from the start of virtual time; the default is years before it."""
    created = EPOCH + created_at if created_at else 0.0
    updated = created if updated_at is None else EPOCH + updated_at
    return KeyVersion(key=key, created_at=created, updated_at=updated)


def group_of(key: bytes, *, count: int = 1) -> GroupId:
    """A group whose id was signed with `key`."""
    return IdMint(key).mint(created_at=EPOCH - 60, ends_at=EPOCH + 14 * 86_400, count=count)
