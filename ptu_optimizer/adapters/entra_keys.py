"""The keys that a tenant of Microsoft Entra signs with: fetched when needed, kept for a time.

Keys are published before they are used, roll over without notice, and may be withdrawn (Microsoft,
"Signing key rollover in the Microsoft identity platform").
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import aiohttp
import jwt
import orjson

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.telemetry import logger

_log = logger("entra_keys")

SERVICE = "Microsoft Entra ID"
REQUEST_SECONDS = 3.0
"""For both documents together: an action group waits for ten seconds in all."""
MAX_DOCUMENT_BYTES = 1_000_000
"""A tenant's keys are some 20 kB."""
REFRESH_AFTER_SECONDS = 12 * 3_600
"""As Microsoft's own library does (`AutomaticRefreshInterval`)."""
TRUSTED_FOR_SECONDS = 24 * 3_600
"""Keys that could not be refreshed for so long might have been withdrawn."""
PAUSE_SECONDS = 60.0
"""Between two fetches, so that invented key ids do not cause a fetch each time."""
RETRY_SECONDS = 4.0
"""After a fetch that failed; an action group's first repetition comes after 5 s."""


class UnknownKey(Exception):
    """The tenant has no such key."""


class EntraKeys:
    def __init__(
        self, *, configuration_url: str, clock: Clock, request_seconds: float = REQUEST_SECONDS
    ) -> None:
        """`configuration_url` is that of the tenant's OpenID configuration."""
        self._url = configuration_url
        self._clock = clock
        self._request_seconds = request_seconds
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at = -math.inf
        self._failed = False
        self._next_fetch = -math.inf
        self._one_at_a_time = asyncio.Lock()

    async def key(self, key_id: str) -> jwt.PyJWK:
        """Raises UnknownKey; DependencyUnavailable if the known keys are too old to decide."""
        if self._should_fetch(key_id):
            async with self._one_at_a_time:
                if self._should_fetch(key_id):  # another call may have, while we waited
                    await self._fetch()
        if self._age() <= TRUSTED_FOR_SECONDS:
            found = self._keys.get(key_id)
            if found is not None:
                return found
            if not self._failed:
                raise UnknownKey
        raise DependencyUnavailable(SERVICE, "its signing keys are not known")

    def _age(self) -> float:
        return self._clock.monotonic() - self._fetched_at

    def _should_fetch(self, key_id: str) -> bool:
        if self._clock.monotonic() < self._next_fetch:
            return False
        return key_id not in self._keys or self._age() > REFRESH_AFTER_SECONDS

    async def _fetch(self) -> None:
        """Replace the keys; if that fails, those that are there stay."""
        try:
            async with asyncio.timeout(self._request_seconds):
                self._keys = await _signing_keys(self._url)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            _log.warning("signing keys cannot be read", extra={"reason": type(error).__name__})
            self._failed = True
            self._next_fetch = self._clock.monotonic() + RETRY_SECONDS
        else:
            self._failed = False
            self._fetched_at = self._clock.monotonic()
            self._next_fetch = self._fetched_at + PAUSE_SECONDS


async def _signing_keys(configuration_url: str) -> dict[str, jwt.PyJWK]:
    """Raises ValueError for documents that are none."""
    async with aiohttp.ClientSession() as session:
        configuration = await _document(session, configuration_url)
        keys = usable(await _document(session, str(configuration.get("jwks_uri"))))
    if not keys:
        raise ValueError("no key that can be used")
    return keys


async def _document(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    content = b""
    async with session.get(url, allow_redirects=False, raise_for_status=True) as response:
        async for chunk in response.content.iter_any():
            content += chunk
            if len(content) > MAX_DOCUMENT_BYTES:
                raise ValueError("too large")
    document = orjson.loads(content)
    if not isinstance(document, dict):
        raise ValueError("no JSON object")
    return document


def usable(document: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """The RSA signing keys of a key set by id; others are left out."""
    entries = document.get("keys")
    found = {}
    for entry in entries if isinstance(entries, list) else ():
        if (
            not isinstance(entry, dict)
            or entry.get("kty") != "RSA"
            or entry.get("use", "sig") != "sig"
            or not isinstance(entry.get("kid"), str)
        ):
            continue
        try:
            found[entry["kid"]] = jwt.PyJWK(entry, algorithm="RS256")
        except jwt.PyJWTError:
            continue
    return found
