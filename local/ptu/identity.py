"""A local stand-in for the managed identity endpoint of App Service, and its tokens.

With ``IDENTITY_ENDPOINT=<url>/msi/token`` and ``IDENTITY_HEADER`` set, azure-identity's
``ManagedIdentityCredential`` (and so ``DefaultAzureCredential``) gets its tokens here, with no
Azure account. Protocol: learn.microsoft.com/azure/app-service/overview-managed-identity.

Tokens are JWTs signed with a key derived from the identity header, so that they survive a restart
of the server, and name their audience, so that a wrong scope is refused as in Azure.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable

from aiohttp import web

__all__ = ["MONITOR_AUDIENCE", "OPENAI_AUDIENCES", "LocalIdentity"]

OPENAI_AUDIENCES = frozenset({"https://cognitiveservices.azure.com", "https://ai.azure.com"})
MONITOR_AUDIENCE = "https://metrics.monitor.azure.com"
API_VERSION = "2019-08-01"
LIFETIME_SECONDS = 86_400
CLIENT_ID = "00000000-0000-0000-0000-000000000001"


class LocalIdentity:
    """Issues and checks tokens. ``clock`` gives Unix seconds."""

    def __init__(self, *, header: str, clock: Callable[[], float] = time.time) -> None:
        self._header = header
        self._clock = clock
        self._key = hashlib.sha256(b"local identity\0" + header.encode()).digest()
        self._known: dict[str, tuple[str, float]] = {}

    def issue(self, resource: str) -> tuple[str, int]:
        """A token for ``resource`` and the Unix second at which it expires."""
        now = int(self._clock())
        expires_on = now + LIFETIME_SECONDS
        claims = {"aud": resource, "iss": "local", "iat": now, "exp": expires_on}
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{signed}.{self._signature(signed)}", expires_on

    def audience(self, token: str) -> str | None:
        """What a token is for, without a trailing slash; None if it is not valid."""
        known = self._known.get(token)
        if known is None:
            known = self._read(token)
            if known is None:
                return None
            if len(self._known) >= 1_000:
                self._known.clear()
            self._known[token] = known
        audience, expires_on = known
        return audience if expires_on > self._clock() else None

    async def token(self, request: web.Request) -> web.Response:
        """``GET /msi/token?resource=…&api-version=2019-08-01`` with ``X-IDENTITY-HEADER``."""
        if not hmac.compare_digest(
            request.headers.get("X-IDENTITY-HEADER", "").encode(), self._header.encode()
        ):
            return _refused(401, "X-IDENTITY-HEADER is not the value of IDENTITY_HEADER")
        if request.query.get("api-version") != API_VERSION:
            return _refused(400, f"api-version must be {API_VERSION}")
        resource = request.query.get("resource")
        if not resource:
            return _refused(400, "resource is missing")
        token, expires_on = self.issue(resource)
        return web.json_response(
            {
                "access_token": token,
                "expires_on": str(expires_on),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": request.query.get("client_id", CLIENT_ID),
            }
        )

    def _read(self, token: str) -> tuple[str, float] | None:
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(signed).encode()):
            return None
        payload = signed.partition(".")[2]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims["aud"].rstrip("/"), claims["exp"]

    def _signature(self, signed: str) -> str:
        digest = hmac.new(self._key, signed.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _encode(values: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"statusCode": status, "message": message}, status=status)
