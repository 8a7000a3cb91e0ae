"""HTTP: from a request to a call, to whom it concerns, and back with the service's headers."""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from aiohttp import web

from . import charges
from .access import AccountKey
from .calls import Answer, Call, json_answer
from .catalog import Catalog
from .counters import Counters
from .documents import Documents
from .errors import CosmosError, not_served, owner_not_found, too_large
from .faults import DropConnection
from .items import Items
from .resources import Resources, account
from .rids import container_number, item_number

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
"""Nobody reads further, even to say that it is too much."""

_logger = logging.getLogger(__name__)


class Front:
    """Answers every request of the account."""

    def __init__(
        self,
        *,
        key: AccountKey,
        consistency: str,
        catalog: Catalog,
        items: Items,
        documents: Documents,
        counters: Counters,
    ) -> None:
        self._key = key
        self._consistency = consistency
        self._catalog = catalog
        self._items = items
        self._resources = Resources(catalog)
        self._documents = documents
        self._counters = counters

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The handler of aiohttp's server."""
        activity = request.headers.get("x-ms-activity-id") or str(uuid.uuid4())
        try:
            answer = await self._answer(await _read(request))
        except CosmosError as error:
            answer = _refusal(error)
        except DropConnection:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)
        except Exception:
            _logger.exception("%s %s failed", request.method, request.path)
            answer = json_answer(
                {"code": "InternalServerError", "message": "The local Cosmos DB has a defect."},
                status=500,
            )
        headers = answer.headers
        headers["x-ms-request-charge"] = str(answer.charge)
        headers["x-ms-activity-id"] = activity
        if answer.body is not None:
            headers["Content-Type"] = "application/json"
        response = web.Response(status=answer.status, body=answer.body, headers=headers)
        if answer.status == 413:
            response.force_close()  # the rest of the body has perhaps not been read
        return response

    async def _answer(self, call: Call) -> Answer:
        segments = call.segments
        if segments == ("_local", "counters") and call.method == "GET":
            return json_answer(self._counters.as_dict())
        if segments[:1] == ("addresses",):
            # before the key: what is signed here is the resource whose address is asked for
            raise not_served(
                "Direct mode (Gateway mode only: ConnectionMode.Gateway in .NET, gatewayMode() in "
                "Java)"
            )
        self._key.check(call)
        call = self._by_name(call)
        match call.segments:
            case ():
                return account(call, consistency=self._consistency)
            case ("dbs", database, "colls", container, "docs"):
                return await self._documents.feed(
                    call, self._catalog.container(database, container)
                )
            case ("dbs", database, "colls", container, "docs", item):
                return await self._documents.item(
                    call, self._catalog.container(database, container), item
                )
            case ("dbs",):
                return self._resources.databases(call)
            case ("dbs", database):
                return self._resources.database(call, database)
            case ("dbs", database, "colls"):
                return self._resources.containers(call, database)
            case ("dbs", database, "colls", container):
                return self._resources.container(call, database, container)
            case ("dbs", database, "colls", container, "pkranges"):
                return self._resources.partition_key_ranges(call, database, container)
        raise not_served(f"{call.method} /{'/'.join(segments)}")

    def _by_name(self, call: Call) -> Call:
        """The call with names where a client has put resource ids.

        .NET's client asks so for partition key ranges, and `_self` of an item is such a path.
        """
        match call.segments:
            case ("dbs", database, "colls", container, *rest):
                number = container_number(container)
                if number is None or self._has(database, container):
                    return call
                names = self._catalog.names_of(number)
                if rest[:1] == ["docs"] and len(rest) == 2:
                    item = item_number(rest[1])
                    rest = rest if item is None else ["docs", self._items.id_of(item)]
                return replace(call, segments=("dbs", names[0], "colls", names[1], *rest))
        return call

    def _has(self, database: str, container: str) -> bool:
        """Whether a path names a container; if not, it may hold resource ids."""
        try:
            self._catalog.container(database, container)
        except CosmosError as error:
            if error.substatus == owner_not_found().substatus:
                return False
            raise
        return True


async def _read(request: web.BaseRequest) -> Call:
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise too_large()
    chunks: list[bytes] = []
    size = 0
    if request.can_read_body:
        async for chunk in request.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise too_large()
    return Call(
        method=request.method,
        segments=_segments(request.raw_path.partition("?")[0]),
        headers=request.headers,
        body=b"".join(chunks),
        base_url=f"{request.scheme}://{request.host}/",
    )


@lru_cache(maxsize=1_024)
def _segments(path: str) -> tuple[str, ...]:
    return tuple(unquote(segment) for segment in path.split("/") if segment)


def _refusal(error: CosmosError) -> Answer:
    headers: dict[str, str] = {}
    if error.substatus:
        headers["x-ms-substatus"] = str(int(error.substatus))
    if error.retry_after_ms is not None:
        headers["x-ms-retry-after-ms"] = str(error.retry_after_ms)
    # a message may quote a header, whose bytes need not be UTF-8
    message = error.message.encode(errors="backslashreplace").decode()
    answer = json_answer(
        {"code": error.code, "message": message}, status=error.status, headers=headers
    )
    return Answer(
        status=answer.status, body=answer.body, charge=charges.refused(), headers=answer.headers
    )
