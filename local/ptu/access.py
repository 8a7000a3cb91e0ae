"""Who may call the simulated Azure OpenAI resource."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence

from local.ptu import errors
from local.ptu.identity import OPENAI_AUDIENCES, LocalIdentity

__all__ = ["Access"]


class Access:
    """Accepts a key in ``api-key`` or as bearer (as the v1 clients send it), or a bearer token
    that the local identity endpoint issued for Azure OpenAI."""

    def __init__(self, *, keys: Sequence[str], identity: LocalIdentity) -> None:
        self._keys = [key.encode() for key in keys]
        self._identity = identity

    def check(self, headers: Mapping[str, str]) -> None:
        """Raise ``ApiError`` 401 unless the call is authorized."""
        key = headers.get("api-key")
        if key is not None:
            if not self._is_key(key):
                raise errors.bad_key()
            return
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise errors.bad_key()
        if not self._is_key(token) and self._identity.audience(token) not in OPENAI_AUDIENCES:
            raise errors.bad_token("https://cognitiveservices.azure.com")

    def _is_key(self, text: str) -> bool:
        given = text.encode()
        return any(hmac.compare_digest(given, key) for key in self._keys)
