"""Key Vault: every enabled version of the secret that signs request ids.

A reference in an app setting (`@Microsoft.KeyVault(…)`) would hand the app its own text while a
role has not spread or the vault is closed, and it knows one version only. So the app reads the
secret by its identity.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.keyvault.secrets import KeyVaultSecret, SecretProperties
from azure.keyvault.secrets.aio import SecretClient

from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.id_keys import SERVICE, KeyVersion
from ptu_optimizer.telemetry import logger

from .identity import Identity

_log = logger("key_vault")

SHORTEST_KEY = 16
"""Characters, as for the setting REQUEST_ID_KEY."""
CONNECT_SECONDS = 5
REQUEST_SECONDS = 10
RETRIES = 2
RETRY_SECONDS = 0.4
"""The first pause between two tries; the SDK doubles it. Its own defaults would try for minutes."""


class KeyVaultKeys:
    """Reads the versions of one secret. A version's value never changes, so it is read once."""

    def __init__(
        self,
        *,
        uri: str,
        identity: Identity,
        transport: AsyncHttpTransport[Any, Any] | None = None,
    ) -> None:
        """`uri`: that of the secret, without a version. Nothing is connected here."""
        place = urlsplit(uri)
        self._vault = f"{place.scheme}://{place.netloc}"
        self._name = place.path.strip("/").removeprefix("secrets/")
        self._identity = identity
        self._transport = transport
        self._opened: SecretClient | None = None
        self._known: dict[str, KeyVersion] = {}
        self._listing_refused = False

    async def read(self) -> Sequence[KeyVersion]:
        """Raises DependencyUnavailable, also when no enabled version has a usable key."""
        try:
            found = await self._versions()
        except HttpResponseError as error:
            raise DependencyUnavailable(SERVICE, _reason(error)) from error
        except (AzureError, TimeoutError, OSError) as error:
            raise DependencyUnavailable(SERVICE, type(error).__name__) from error
        if not found:
            raise DependencyUnavailable(SERVICE, f"{self._name} has no enabled version with a key")
        return found

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()

    # --- reading ---------------------------------------------------------------------------------

    async def _versions(self) -> list[KeyVersion]:
        try:
            listed = [
                version
                async for version in self._client.list_properties_of_secret_versions(self._name)
            ]
        except HttpResponseError as error:
            if error.status_code != 403:
                raise
            return await self._current_alone()
        self._listing_refused = False
        enabled = [version for version in listed if version.enabled and version.version]
        found = await asyncio.gather(*map(self._of, enabled))
        self._known = {
            str(properties.version): version
            for properties, version in zip(enabled, found, strict=True)
            if version is not None
        }
        return list(self._known.values())

    async def _current_alone(self) -> list[KeyVersion]:
        """Where the role allows to read the secret and not to list its versions. Older keys that
        are known already go on to verify: what became of them cannot be seen."""
        secret = await self._client.get_secret(self._name)
        if not self._listing_refused:
            self._listing_refused = True
            _log.warning(
                "the versions of the key of request ids may not be listed",
                extra={"secret": self._name, "used": "the current version alone"},
            )
        current = _key_version(secret)
        if current is not None:
            self._known[str(secret.properties.version)] = current
        return list(self._known.values())

    async def _of(self, properties: SecretProperties) -> KeyVersion | None:
        """None for a version that was disabled or deleted since it was listed, or has no key."""
        known = self._known.get(str(properties.version))
        if known is not None:  # its times may have changed: it was disabled and enabled again
            return _version(known.key, properties)
        try:
            secret = await self._client.get_secret(self._name, properties.version)
        except ResourceNotFoundError:
            return None
        except HttpResponseError as error:
            if "SecretDisabled" in _codes(error):
                return None
            raise
        return _key_version(secret)

    @property
    def _client(self) -> SecretClient:
        if self._opened is None:
            options: dict[str, Any] = {"transport": self._transport} if self._transport else {}
            self._opened = SecretClient(
                self._vault,
                self._identity.credential,
                connection_timeout=CONNECT_SECONDS,
                read_timeout=REQUEST_SECONDS,
                retry_total=RETRIES,
                retry_backoff_factor=RETRY_SECONDS,
                **options,
            )
        return self._opened


def _key_version(secret: KeyVaultSecret) -> KeyVersion | None:
    if len(secret.value or "") < SHORTEST_KEY:
        _log.error(
            "a version of the key of request ids is not used",
            extra={
                "version": secret.properties.version,
                "reason": f"it is shorter than {SHORTEST_KEY} characters",
            },
        )
        return None
    return _version((secret.value or "").encode(), secret.properties)


def _version(key: bytes, properties: SecretProperties) -> KeyVersion:
    created = _epoch(properties.created_on)
    return KeyVersion(
        key=key, created_at=created, updated_at=_epoch(properties.updated_on) or created
    )


def _epoch(at: datetime | None) -> float:
    return 0.0 if at is None else at.timestamp()


def _reason(error: HttpResponseError) -> str:
    """The status and Key Vault's codes. Its message would name the caller."""
    if error.status_code is None:
        return type(error).__name__
    return " ".join([str(error.status_code), *_codes(error)])


def _codes(error: HttpResponseError) -> list[str]:
    """Such as Forbidden and ForbiddenByRbac, from the outside in."""
    outer = getattr(error, "error", None)
    if outer is None:
        return []
    codes = [outer.code]
    inner = outer.innererror
    while isinstance(inner, Mapping):
        codes.append(inner.get("code"))
        inner = inner.get("innererror")
    return [code for code in codes if isinstance(code, str)]
