"""The key that signs request ids, as the service that keeps it gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

SERVICE = "Key Vault"


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyVersion:
    """One enabled version of the secret. Times are epoch seconds of the vault's clock."""

    key: bytes
    created_at: float
    updated_at: float
    """Also moves when a version is enabled: from then on processes can read it."""


class KeyReader(Protocol):
    """Where the versions are kept."""

    async def read(self) -> Sequence[KeyVersion]:
        """All versions that verify, at least one. Raises DependencyUnavailable."""
        ...
