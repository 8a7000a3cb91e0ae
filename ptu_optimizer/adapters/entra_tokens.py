"""Access tokens of Microsoft Entra: genuine, for this app, and valid now.

Source: "Access tokens in the Microsoft identity platform: Validate tokens", Microsoft Entra
documentation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from ptu_optimizer.access.bearer import InvalidToken
from ptu_optimizer.clock import Clock

from .entra_keys import REQUEST_SECONDS, EntraKeys, UnknownKey

AUTHORITY = "https://login.microsoftonline.com"
ALGORITHM = "RS256"
"""The only one that Entra signs with; whatever else a token's header says is refused."""
LEEWAY_SECONDS = 60.0
"""By how much Entra's clock and ours may differ."""
MAX_TOKEN_CHARS = 16_384
"""Larger than any header that Azure's front ends let pass."""


class EntraTokens:
    def __init__(
        self,
        *,
        tenant: str,
        audiences: Sequence[str],
        clock: Clock,
        authority: str = AUTHORITY,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        """`tenant` is its id; a token must be for one of `audiences`."""
        tenant = tenant.lower()
        self._audiences = list(audiences)
        # which of the two an application gets, its manifest says (requestedAccessTokenVersion)
        self._issuers = [
            f"https://sts.windows.net/{tenant}/",
            f"https://login.microsoftonline.com/{tenant}/v2.0",
        ]
        self._clock = clock
        self._keys = EntraKeys(
            configuration_url=f"{authority}/{tenant}/v2.0/.well-known/openid-configuration",
            clock=clock,
            request_seconds=request_seconds,
        )

    async def claims(self, token: str) -> Mapping[str, Any]:
        """Raises InvalidToken, DependencyUnavailable."""
        try:
            key = await self._keys.key(_key_id(token))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audiences,
                issuer=self._issuers,
                options={
                    "require": ["exp", "iss", "aud"],
                    "enforce_minimum_key_length": True,
                    # by our own clock, below
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except UnknownKey:
            raise InvalidToken("signed with an unknown key") from None
        except jwt.PyJWTError as error:
            raise InvalidToken(type(error).__name__) from None
        self._check_times(claims)
        return claims

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._clock.now()
        if now >= _seconds(claims["exp"]) + LEEWAY_SECONDS:
            raise InvalidToken("expired")
        if "nbf" in claims and now < _seconds(claims["nbf"]) - LEEWAY_SECONDS:
            raise InvalidToken("not valid yet")


def _key_id(token: str) -> str:
    """Which key the token says it is signed with; nothing of this is believed. Raises PyJWTError,
    InvalidToken."""
    if len(token) > MAX_TOKEN_CHARS:
        raise InvalidToken("too long")
    header = jwt.get_unverified_header(token)
    key_id = header.get("kid")
    if header.get("alg") != ALGORITHM or not isinstance(key_id, str):
        raise InvalidToken("not signed as Entra signs")  # without asking Entra for its keys
    return key_id


def _seconds(value: object) -> float:
    """Raises InvalidToken."""
    try:
        seconds = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        seconds = math.inf
    if isinstance(value, bool) or not math.isfinite(seconds):
        raise InvalidToken("a time that is none")
    return seconds
