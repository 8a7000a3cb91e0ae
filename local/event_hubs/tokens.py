"""The `$cbs` node: shared access signatures, and what they allow.

A token names a resource; a link is allowed if a token of its connection that has not expired
covers its address. Source: "Authenticate access to Event Hubs with shared access signatures".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import urllib.parse
from collections.abc import Callable

from .errors import AmqpError, Condition
from .messages import Reply, Request

DEFAULT_POLICY = "RootManageSharedAccessKey"
DEFAULT_KEY = "SAS_KEY_VALUE"
"""The policy and the key of Microsoft's emulator."""

_SAS_TYPE = "servicebus.windows.net:sastoken"


class InvalidToken(ValueError):
    """The token is not one that this namespace issued, or it has expired."""


class Authority:
    """Checks signatures with the namespace's one policy."""

    def __init__(self, *, policy: str, key: str, clock: Callable[[], float]) -> None:
        self.policy = policy
        self.key = key
        self._clock = clock

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    def verify(self, token: str) -> tuple[str, float]:
        """The path that `token` covers and when it expires. Raises `InvalidToken`."""
        scheme, _, parameters = token.partition(" ")
        # `sr` is signed as it is written, so its escapes must not be undone.
        raw = dict(pair.split("=", 1) for pair in parameters.split("&") if "=" in pair)
        fields = {name: urllib.parse.unquote(value) for name, value in raw.items()}
        missing = {"sr", "se", "sig", "skn"} - fields.keys()
        if scheme != "SharedAccessSignature" or missing or not fields["se"].isdecimal():
            raise InvalidToken("MalformedToken: The token is not a shared access signature.")
        signed = f"{raw['sr']}\n{raw['se']}"
        expected = hmac.new(self.key.encode(), signed.encode(), hashlib.sha256).digest()
        signature = base64.b64encode(expected).decode()
        known = hmac.compare_digest(signature.encode(), fields["sig"].encode())
        if not known or fields["skn"] != self.policy:
            raise InvalidToken("InvalidSignature: The token has an invalid signature.")
        expires = float(fields["se"])
        if expires <= self._clock():
            raise InvalidToken("ExpiredToken: The token is expired.")
        return _path(urllib.parse.unquote_plus(raw["sr"])), expires


def _path(resource: str) -> str:
    return urllib.parse.urlsplit(resource).path.strip("/").lower()


class Authorizations:
    """What one connection's tokens allow."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._expires_by_path: dict[str, float] = {}

    def put_token(self, request: Request) -> Reply:
        """Answer a put-token request."""
        if request.properties.get("operation") != "put-token":
            return Reply(400, "BadRequest: The operation is not put-token.")
        if request.properties.get("type") != _SAS_TYPE:
            return Reply(
                401, f"UnsupportedToken: Only {_SAS_TYPE} is supported; there is no Entra here."
            )
        try:
            path, expires = self._authority.verify(str(request.body))
        except InvalidToken as error:
            return Reply(401, str(error))
        audience = _path(str(request.properties.get("name", "")))
        if not _covers(path, audience):
            return Reply(401, "InvalidAudience: The token does not cover its audience.")
        self._expires_by_path[audience] = expires
        return Reply(202, "Accepted")

    def covers(self, token: str, *addresses: str) -> bool:
        """Whether a token that is not put on `$cbs` covers one of `addresses`.

        Raises `InvalidToken`.
        """
        path, _ = self._authority.verify(token)
        return any(_covers(path, address.lower()) for address in addresses)

    def allows(self, address: str) -> bool:
        """Whether a link to `address` may be, or stay, attached."""
        now = self._authority.now()
        return any(
            expires > now and _covers(path, address.lower())
            for path, expires in self._expires_by_path.items()
        )

    def require(self, address: str, claim: str) -> None:
        """Raise `AmqpError` if a link to `address` is not allowed; `claim` is Send or Listen."""
        if not self.allows(address):
            raise AmqpError(
                Condition.UNAUTHORIZED,
                f"Unauthorized access. '{claim}' claim(s) are required to perform this "
                f"operation. Resource: 'sb://{address.lower()}'.",
            )


def _covers(path: str, address: str) -> bool:
    return path in ("", address) or address.startswith(path + "/")
