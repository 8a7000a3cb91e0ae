"""A bearer token, and who can verify it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class InvalidToken(Exception):
    """The token is not genuine, not for us, or not valid now; the message never holds any of it."""


class TokenVerifier(Protocol):
    async def claims(self, token: str) -> Mapping[str, Any]:
        """Those of a genuine token for this app. Raises InvalidToken, DependencyUnavailable."""
        ...
