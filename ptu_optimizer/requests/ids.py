"""Ids that carry what must be known before anything is read.

A group id is 25 bytes in lower-case base32hex (40 characters, sorts by time):

    created_at  4 bytes  seconds since the epoch
    lifetime    3 bytes  minutes from created_at to the group's end
    count       3 bytes  number of requests in the group
    random      7 bytes
    mac         8 bytes  HMAC-SHA256 of the above and of the tenant's name, cut

so a genuine id is known to be genuine, its end and its size are known, and a genuine id without
records is "queued", never "not found". A request id is `{group_id}-{index}`.

The tenant's name is signed but not part of the id: for every other tenant the id is forged, and
that is known without reading a record.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

REQUESTS_PER_SLICE = 10_000
"""Keeps a logical partition of `requests` far below Cosmos DB's 20 GB, however large a batch is."""

MAX_GROUP_SIZE = (1 << 24) - 1
MAX_LIFETIME_SECONDS = ((1 << 24) - 1) * 60

UNIQUE_BYTES = 7
"""These bytes distinguish groups of the same second."""

_PAYLOAD_BYTES = 10 + UNIQUE_BYTES
_MAC_BYTES = 8
_GROUP = re.compile(r"[0-9a-v]{40}")
_REQUEST = re.compile(r"([0-9a-v]{40})-(0|[1-9][0-9]{0,7})")


class ForgedId(ValueError):
    """The id was not issued by this app, or is malformed. Only its beginning is kept."""

    def __init__(self, text: str) -> None:
        super().__init__(text[:64])


@dataclass(frozen=True, slots=True)
class GroupId:
    """The unit of one call, or one batch, accepted together."""

    text: str
    created_at: int
    ends_at: int
    count: int
    tenant: str = ""
    """Whose it is; empty for callers without a tenant."""

    @property
    def bucket(self) -> str:
        """Partition key in `groups`: the hour of creation, e.g. `2026-11-21T08`."""
        return bucket_of(self.created_at)

    def request_id(self, index: int) -> str:
        return f"{self.text}-{index}"


@dataclass(frozen=True, slots=True)
class RequestId:
    group: GroupId
    index: int

    @property
    def text(self) -> str:
        return f"{self.group.text}-{self.index}"

    @property
    def slice(self) -> str:
        """Partition key in `requests`."""
        return slice_of(self.group.text, self.index)


def bucket_of(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H")


def slice_of(group_id: str, index: int) -> str:
    return f"{group_id}:{index // REQUESTS_PER_SLICE}"


def slice_of_request(request_id: str) -> str:
    """The slice of an id that is already known to be genuine."""
    group_id, _, index = request_id.rpartition("-")
    return slice_of(group_id, int(index))


class IdMint:
    """Issues ids and recognises its own."""

    def __init__(
        self, *keys: bytes, random_bytes: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        """The first of `keys` signs new ids; an id that any of them has signed is genuine."""
        if not keys:
            raise ValueError("a mint needs a key")
        self._keys = keys
        self._random_bytes = random_bytes

    def mint(
        self,
        *,
        created_at: float,
        ends_at: float,
        count: int,
        tenant: str = "",
        unique: bytes | None = None,
    ) -> GroupId:
        """A new group id. `ends_at` is rounded up to a whole minute after `created_at`.

        `unique`, UNIQUE_BYTES long, replaces the random bytes: a second call with the same
        values and the same key gives the same id.
        """
        created = int(created_at)
        minutes = -(-int(ends_at - created) // 60) + 1
        if unique is None:
            unique = self._random_bytes(UNIQUE_BYTES)
        elif len(unique) != UNIQUE_BYTES:
            raise ValueError(f"unique must be {UNIQUE_BYTES} bytes, not {len(unique)}")
        payload = created.to_bytes(4) + minutes.to_bytes(3) + count.to_bytes(3) + unique
        return _group(payload, _mac(self._keys[0], payload, tenant), tenant)

    def parse_group(self, text: str, *, tenant: str = "") -> GroupId:
        """Raises ForgedId, also for a genuine id of another tenant."""
        if not _GROUP.fullmatch(text):
            raise ForgedId(text)
        raw = base64.b32hexdecode(text.upper())
        payload, mac = raw[:_PAYLOAD_BYTES], raw[_PAYLOAD_BYTES:]
        # compare with every key: the time it takes must not reveal which key signed
        signed = [hmac.compare_digest(mac, _mac(key, payload, tenant)) for key in self._keys]
        if not any(signed):
            raise ForgedId(text)
        return _group(payload, mac, tenant)

    def parse_request(self, text: str, *, tenant: str = "") -> RequestId:
        """Raises ForgedId, also for a genuine id of another tenant."""
        match = _REQUEST.fullmatch(text)
        if match is None:
            raise ForgedId(text)
        group = self.parse_group(match[1], tenant=tenant)
        index = int(match[2])
        if index >= group.count:
            raise ForgedId(text)
        return RequestId(group, index)


def claimed_group(text: str) -> GroupId:
    """What the id of a group or a request says of its group, without checking who signed it.

    Only for finding the record that names its tenant: it proves nothing. Raises ForgedId for a
    text that does not have the form of an id.
    """
    match = _REQUEST.fullmatch(text)
    group = match[1] if match is not None else text
    if not _GROUP.fullmatch(group):
        raise ForgedId(text)
    raw = base64.b32hexdecode(group.upper())
    return _group(raw[:_PAYLOAD_BYTES], raw[_PAYLOAD_BYTES:], "")


def _group(payload: bytes, mac: bytes, tenant: str) -> GroupId:
    created = int.from_bytes(payload[:4])
    return GroupId(
        text=base64.b32hexencode(payload + mac).decode().lower(),
        created_at=created,
        ends_at=created + int.from_bytes(payload[4:7]) * 60,
        count=int.from_bytes(payload[7:10]),
        tenant=tenant,
    )


def _mac(key: bytes, payload: bytes, tenant: str) -> bytes:
    """The payload's length is fixed, so no two pairs of payload and tenant are the same bytes."""
    return hmac.digest(key, payload + tenant.encode(), hashlib.sha256)[:_MAC_BYTES]
