"""The promise: the id of a group, drawn once for an Idempotency-Key, and its record.

The group record is the promise behind a 202. Everything before it can be given up; after it, the
sweep publishes what is not published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import AppError, DependencyUnavailable, unavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.stores import BlobStore, Created, GroupStore
from ptu_optimizer.requests.bodies import PackedInputs, inputs_blob, offsets_blob
from ptu_optimizer.requests.groups import GroupRecord, IdempotencyKey
from ptu_optimizer.requests.id_keys import Ids
from ptu_optimizer.requests.ids import ForgedId, GroupId
from ptu_optimizer.requests.item import Item
from ptu_optimizer.requests.ledger.timing import Timing
from ptu_optimizer.retry import Backoff

MAX_IDEMPOTENCY_KEY_CHARS = 255


@dataclass(frozen=True, slots=True)
class DrawnGroup:
    """The group that a call's requests belong to, before its record is stored."""

    group: GroupId
    is_stored: bool = False
    """Whether an earlier call with this Idempotency-Key has stored it already."""
    first_call: FirstCall | None = None
    """An earlier call with this Idempotency-Key that drew the id."""


@dataclass(frozen=True, slots=True)
class FirstCall:
    """Its items count, as that call read them: its events may be on the hubs already."""

    read_at: float
    latest_deadline: float
    """The group ends when its id says: no deadline may be later than this."""


class GroupPromises:
    def __init__(
        self,
        *,
        ids: Ids,
        groups: GroupStore,
        blobs: BlobStore,
        clock: Clock,
        timing: Timing,
        hub_retention_seconds: float,
    ) -> None:
        self._ids = ids
        self._groups = groups
        self._blobs = blobs
        self._clock = clock
        self._timing = timing
        self._margin = hub_retention_seconds + timing.lease + timing.skew
        """From the latest deadline to the group's end: no event, no lease lives longer (15)."""

    async def draw(
        self, raw: bytes, items: Sequence[Item], *, tenant: str, key: str | None, now: float
    ) -> DrawnGroup:
        """A group for the items of a call with the body `raw`, read at `now`. With the
        Idempotency-Key of an earlier call it is that call's group.

        Raises AppError, DependencyUnavailable.
        """
        group = (await self._ids.mint()).mint(
            created_at=now,
            ends_at=max(item.deadline for item in items) + self._margin,
            count=len(items),
            tenant=tenant,
        )
        if key is None:
            return DrawnGroup(group)
        record = IdempotencyKey.of(key, raw=raw, group=group, at=now)
        if await self._create(record.record(group)) is Created.CREATED:
            return DrawnGroup(group)
        return await self._drawn_before(record, tenant)

    async def store(self, group: GroupId, packed: PackedInputs) -> bool:
        """Write the inputs and the group record. False if a call with the same Idempotency-Key has
        stored the group in the meantime.

        Raises AppError, DependencyUnavailable.
        """
        if packed.in_blob:
            await self._blobs.write(offsets_blob(group.text), packed.offsets.encode())
            await self._blobs.write(inputs_blob(group.text), packed.blob)
        record = GroupRecord.of(
            group, packed.items, in_blob=packed.in_blob, created_at=self._clock.now()
        ).record(group)
        created = await self._create(record)
        if created is Created.REFUSED:
            # by a call with the same key, or by ourselves: the SDK sends a write again whose
            # answer was lost, and an unknown fate is retried
            created = await self._whose(record)
        if created is Created.UNKNOWN:
            raise unavailable(
                f"Whether group {group.text} was stored is not known. Repeat the call with an "
                "Idempotency-Key, or read its requests: they are handled if it was.",
                code="acceptance_unknown",
            )
        return created is Created.CREATED

    async def _drawn_before(self, mine: IdempotencyKey, tenant: str) -> DrawnGroup:
        found = await self._groups.read(mine.bucket, mine.id)
        if found is None:
            raise unavailable(
                "Whether a call with this Idempotency-Key was made is not known yet. Try again.",
                code="idempotency_unknown",
            )
        first = IdempotencyKey.from_record(found)
        if first.body_sha256 != mine.body_sha256:
            raise AppError(
                "This Idempotency-Key was used with another body.",
                status=409,
                param="Idempotency-Key",
                code="idempotency_key_reused",
            )
        try:
            group = await self._ids.group(first.group_id, tenant=tenant)
        except ForgedId:
            raise AppError(
                "A call with this Idempotency-Key was made, and the key that signed its request "
                "ids is gone, so its requests cannot be found. Use another Idempotency-Key.",
                status=409,
                param="Idempotency-Key",
                code="idempotency_key_of_unknown_ids",
            ) from None
        stored = await self._groups.read(group.bucket, group.text)
        return DrawnGroup(
            group,
            is_stored=stored is not None,
            first_call=FirstCall(first.at, group.ends_at - self._margin),
        )

    async def _create(self, record: JsonObject) -> Created:
        """An unknown fate is retried under the same id."""
        backoff = Backoff(self._clock, until=self._clock.monotonic() + self._timing.write_budget)
        while True:
            created = await self._groups.create(record)
            if created is not Created.UNKNOWN or not await backoff.again():
                return created

    async def _whose(self, record: JsonObject) -> Created:
        try:
            stored = await self._groups.read(record["bucket"], record["id"])
        except DependencyUnavailable:
            return Created.UNKNOWN
        ours = stored is not None and all(stored.get(k) == v for k, v in record.items())
        return Created.CREATED if ours else Created.REFUSED


def check_idempotency_key(key: str | None) -> None:
    """Raises AppError."""
    if key is not None and not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY_CHARS:
        raise AppError(
            f"Idempotency-Key must have 1 to {MAX_IDEMPOTENCY_KEY_CHARS} characters.",
            status=400,
            param="Idempotency-Key",
            code="invalid_idempotency_key",
        )
