"""Items over REST: point operations, batches and queries, with faults and counters around them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import orjson

from . import charges
from .batch import item_ids, read_operations, run_batch
from .calls import Answer, Call
from .containers import Container
from .counters import Counters
from .database import Database
from .errors import CosmosError, SubStatus, bad_request, not_served
from .faults import Faults, Operation
from .items import Items, Written, check_item_size
from .partition_key import from_header
from .queries import page_items, run_query

KEY_HEADER: Final = "x-ms-documentdb-partitionkey"
_COUNTED: Final = {
    "create": "creates",
    "upsert": "upserts",
    "replace": "replaces",
    "delete": "deletes",
    "read": "reads",
    "query": "queries",
    "batch": "batches",
}
_HYBRID_ROW: Final = b"\x81"
"""The first byte of version 1 of the format; no JSON starts with it."""


class Documents:
    """Everything below `…/colls/{container}/docs`. Every method may raise `CosmosError`."""

    def __init__(
        self, *, items: Items, database: Database, faults: Faults, counters: Counters
    ) -> None:
        self._items = items
        self._database = database
        self._faults = faults
        self._counters = counters

    async def feed(self, call: Call, container: Container) -> Answer:
        """`…/docs`: create, upsert, batch and query."""
        self._check_container(call, container)
        if "a-im" in call.headers:
            raise not_served("the change feed")
        if call.flag("x-ms-cosmos-is-query-plan-request"):
            raise not_served("a query plan, needed for a query over partitions")
        if call.method != "POST":
            raise not_served("reading all items, which crosses partitions,")
        if call.flag("x-ms-documentdb-isquery") or call.headers.get("content-type", "").startswith(
            "application/query+json"
        ):
            return await self._query(call, container)
        check_item_size(len(call.body))
        if call.flag("x-ms-cosmos-is-batch-request"):
            return await self._batch(call, container)
        key = _partition_key(call)
        item = call.json()
        item_id = item.get("id") if isinstance(item, dict) else None
        if call.flag("x-ms-documentdb-is-upsert"):
            if_match = call.headers.get("if-match")
            return await self._run(
                Operation(
                    kind="upsert", container=container.id, partition=key, ids=(str(item_id),)
                ),
                container,
                lambda: self._written(
                    call, self._items.upsert(container, key, item, if_match=if_match)
                ),
            )
        return await self._run(
            Operation(kind="create", container=container.id, partition=key, ids=(str(item_id),)),
            container,
            lambda: self._written(call, self._items.create(container, key, item)),
        )

    async def item(self, call: Call, container: Container, item_id: str) -> Answer:
        """`…/docs/{id}`: read, replace and delete."""
        self._check_container(call, container)
        key = _partition_key(call)
        if_match = call.headers.get("if-match")
        match call.method:
            case "GET":
                kind, run = "read", lambda: self._read(call, container, key, item_id)
            case "PUT":
                check_item_size(len(call.body))
                item = call.json()
                kind, run = (
                    "replace",
                    lambda: self._written(
                        call,
                        self._items.replace(container, key, item_id, item, if_match=if_match),
                    ),
                )
            case "DELETE":
                kind, run = (
                    "delete",
                    lambda: Answer(
                        status=204,
                        charge=charges.delete(
                            self._items.delete(container, key, item_id, if_match=if_match)
                        ),
                    ),
                )
            case "PATCH":
                raise not_served("patch")
            case _:
                raise not_served(f"{call.method} on an item")
        operation = Operation(kind=kind, container=container.id, partition=key, ids=(item_id,))
        return await self._run(operation, container, run)

    async def _batch(self, call: Call, container: Container) -> Answer:
        if call.body[:1] == _HYBRID_ROW:
            raise not_served(
                "a batch in HybridRow, the binary format of .NET's client (batches in JSON are "
                "served: those of Python, JavaScript and Java)"
            )
        if not call.flag("x-ms-cosmos-batch-atomic"):
            raise not_served("a batch that is not atomic (bulk operations)")
        key = _partition_key(call)
        operations = read_operations(call.json())

        def run() -> Answer:
            self._counters.add(container.name, "batch_operations", len(operations))
            status, results = run_batch(
                self._items,
                self._database,
                container,
                key,
                operations,
                count=lambda kind: self._counters.add(container.name, kind),
            )
            if any(result["statusCode"] == 409 for result in results):
                self._counters.add(container.name, "conflicts")
            charge = round(sum(result["requestCharge"] for result in results), 2)
            return Answer(status=status, body=orjson.dumps(results), charge=charge)

        return await self._run(
            Operation(
                kind="batch", container=container.id, partition=key, ids=item_ids(operations)
            ),
            container,
            run,
        )

    async def _query(self, call: Call, container: Container) -> Answer:
        if KEY_HEADER not in call.headers:
            raise bad_request(
                "Cross partition queries are not served here: give the query a partition key "
                "(x-ms-documentdb-partitionkey; partition_key= in Python, partitionKey in "
                "JavaScript, QueryRequestOptions.PartitionKey in .NET)."
            )
        key = _partition_key(call)
        body = call.json()

        def run() -> Answer:
            page = run_query(
                self._items,
                container,
                key,
                body,
                page_items=page_items(call.headers.get("x-ms-max-item-count")),
                continuation=call.headers.get("x-ms-continuation"),
            )
            headers = {"x-ms-item-count": str(len(page.results))}
            if page.continuation is not None:
                headers["x-ms-continuation"] = page.continuation
            return Answer(
                body=b'{"_rid":"%b","Documents":[%b],"_count":%d}'
                % (container.rid.encode(), b",".join(page.results), len(page.results)),
                charge=charges.query(page.loaded_bytes),
                headers=headers,
            )

        operation = Operation(kind="query", container=container.id, partition=key)
        return await self._run(operation, container, run)

    def _read(self, call: Call, container: Container, key: str, item_id: str) -> Answer:
        found = self._items.read(container, key, item_id)
        headers = {"etag": found.etag}
        if call.headers.get("if-none-match", "").strip('"') == found.etag.strip('"'):
            return Answer(status=304, headers=headers)
        return Answer(body=found.body, charge=charges.read(len(found.body)), headers=headers)

    def _written(self, call: Call, written: Written) -> Answer:
        minimal = call.headers.get("prefer", "").lower() == "return=minimal"
        return Answer(
            status=written.status,
            body=None if minimal else written.body,
            charge=charges.write(len(written.body), written.properties),
            headers={"etag": written.etag},
        )

    async def _run(
        self, operation: Operation, container: Container, run: Callable[[], Answer]
    ) -> Answer:
        """Run and count an operation, with the faults that are due before and after it."""
        faulty = self._faults.active
        if faulty:
            await self._before(operation, container)
        self._counters.add(container.name, _COUNTED[operation.kind])
        try:
            answer = run()
        except CosmosError as error:
            if error.status == 409:
                self._counters.add(container.name, "conflicts")
            raise
        if faulty:
            self._faults.after(operation)
        answer.headers["x-ms-session-token"] = f"0:-1#{self._items.writes}"
        answer.headers["x-ms-alt-content-path"] = container.path
        answer.headers["x-ms-documentdb-partitionkeyrangeid"] = "0"
        return answer

    async def _before(self, operation: Operation, container: Container) -> None:
        seconds = self._faults.seconds_of_delay(operation)
        if seconds:
            await asyncio.sleep(seconds)
        try:
            self._faults.before(operation)
        except CosmosError:
            self._counters.add(container.name, "faults")
            raise

    def _check_container(self, call: Call, container: Container) -> None:
        expected = call.headers.get("x-ms-cosmos-intended-collection-rid")
        if expected is not None and expected != container.rid:
            raise bad_request(
                "The container was made again since the client last read it.",
                SubStatus.COLLECTION_RID_MISMATCH,
            )


def _partition_key(call: Call) -> str:
    header = call.headers.get(KEY_HEADER)
    if header is None:
        raise bad_request("PartitionKey value must be supplied for this operation.")
    return from_header(header)
