"""Blob storage for large inputs and outcomes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.blob.aio import BlobServiceClient, LinearRetry

from ptu_optimizer.errors import DependencyUnavailable

from .identity import Identity

SERVICE = "Blob storage"
CONTAINER = "ptu-optimizer"
REQUEST_SECONDS = 20
RETRIES = 2
RETRY_SECONDS = 1
"""Between two tries. The SDK's default is 15 and growing: 45 s until a caller hears of an outage,
which is more than any budget here."""


def blob_client(
    *, connection_string: str | None, endpoint: str | None, identity: Identity
) -> BlobServiceClient:
    """One client per process."""
    options: dict[str, Any] = {
        "retry_policy": LinearRetry(
            backoff=RETRY_SECONDS, retry_total=RETRIES, random_jitter_range=RETRY_SECONDS
        ),
        "connection_timeout": 5,
        "read_timeout": REQUEST_SECONDS,
    }
    if connection_string is not None:
        return BlobServiceClient.from_connection_string(connection_string, **options)
    return BlobServiceClient(endpoint or "", identity.credential, **options)


class AzureBlobStore:
    def __init__(self, client: BlobServiceClient, *, container: str = CONTAINER) -> None:
        """The container is made by the first write that misses it."""
        self._container = client.get_container_client(container)

    async def write(self, name: str, content: bytes) -> None:
        try:
            try:
                await self._container.upload_blob(name, content, overwrite=True)
            except ResourceNotFoundError:
                await self._create_container()
                await self._container.upload_blob(name, content, overwrite=True)
        except (AzureError, TimeoutError, OSError) as error:
            raise DependencyUnavailable(SERVICE, type(error).__name__) from error

    async def read(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes | None:
        try:
            stream = await self._container.download_blob(name, offset=offset, length=length)
            return await stream.readall()
        except ResourceNotFoundError:
            return None
        except (AzureError, TimeoutError, OSError) as error:
            if isinstance(error, HttpResponseError) and error.status_code == 416:
                return b""  # the blob is there and ends before `offset`
            raise DependencyUnavailable(SERVICE, type(error).__name__) from error

    async def ping(self) -> None:
        """Readiness: one cheap read. Raises DependencyUnavailable."""
        await self.read("none", length=1)

    async def _create_container(self) -> None:
        with suppress(ResourceExistsError):
            await self._container.create_container()
