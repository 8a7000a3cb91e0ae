"""Blob leases: which of several hosts runs a timer.

As in Azure, the lock is a blob in `azure-webjobs-hosts`. A blob lease lasts at least 15 s, so a
timer whose host was killed starts elsewhere after at most that long; a host that stops gives its
leases up.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.storage.blob.aio import BlobClient, BlobLeaseClient, BlobServiceClient

from ptu_optimizer.background import Background

log = logging.getLogger("host.leases")

HOSTS_CONTAINER = "azure-webjobs-hosts"
"""The container where Azure's hosts keep locks and timer status."""

LEASE_SECONDS = 15
"""The shortest lease the blob service grants."""

RENEW_SECONDS = 5.0
SEEK_SECONDS = 1.0


class BlobLease:
    """A lock over all hosts of the app that share a storage account."""

    def __init__(
        self,
        storage: BlobServiceClient,
        name: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._blob: BlobClient = storage.get_blob_client(HOSTS_CONTAINER, name)
        self._lease: BlobLeaseClient | None = None
        self._monotonic = monotonic
        self._expires = 0.0
        self._created = False

    @property
    def held(self) -> bool:
        """Whether this host holds the lock now."""
        return self._lease is not None and self._monotonic() < self._expires

    async def try_acquire(self) -> bool:
        """Take or renew the lock; `False` while another host holds it or storage is away."""
        begun = self._monotonic()
        try:
            if self._lease is not None:
                await self._lease.renew()
            else:
                await self._create()
                self._lease = await self._blob.acquire_lease(LEASE_SECONDS)
        except HttpResponseError:  # held by another host, or no longer ours
            self._lease = None
            return False
        except (AzureError, OSError) as error:
            log.warning("storage does not answer", extra={"error": error})
            return self.held
        self._expires = begun + LEASE_SECONDS
        return True

    async def release(self) -> None:
        """Give the lock up, so that another host can take it at once."""
        lease, self._lease = self._lease, None
        if lease is not None:
            try:
                await lease.release()
            except (AzureError, OSError) as error:
                log.warning("cannot release a lease", extra={"error": error})

    async def _create(self) -> None:
        if self._created:
            return
        with contextlib.suppress(ResourceExistsError):
            await self._blob.upload_blob(b"", overwrite=False)
        self._created = True


def keeper(lease: BlobLease) -> Background:
    """Renews or seeks the lock."""

    async def renew_or_seek() -> float:
        # Seeking is quicker than renewing, so that a lock given up is taken within seconds.
        return RENEW_SECONDS if await lease.try_acquire() else SEEK_SECONDS

    return Background(
        renew_or_seek, interval=SEEK_SECONDS, log=log, failed="a lease failed, will try again"
    )
