"""Transactional batches: all operations of one partition, or none.

A batch that fails answers 207, with the status of the operation that failed and 424 for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from . import charges
from .containers import Container
from .database import Database
from .errors import CosmosError, bad_request, not_served
from .items import Items, Written

MAX_OPERATIONS: Final = 100
FAILED_DEPENDENCY: Final = 424
MULTI_STATUS: Final = 207

_WRITES: Final = frozenset({"Create", "Upsert", "Replace", "Delete"})

Result = dict[str, Any]


def read_operations(body: Any) -> list[dict[str, Any]]:
    """The operations of a batch's body. Raises `CosmosError` 400."""
    if not isinstance(body, list) or not all(isinstance(each, dict) for each in body):
        raise bad_request("A batch is a JSON array of operations.")
    if not body:
        raise bad_request("Batch request has no operations.")
    if len(body) > MAX_OPERATIONS:
        raise bad_request(
            f"Batch request has more operations than what is supported: {len(body)} are more than "
            f"{MAX_OPERATIONS}."
        )
    for operation in body:
        kind = operation.get("operationType")
        if kind == "Patch":
            raise not_served("patch")
        if kind not in _WRITES and kind != "Read":
            raise bad_request(f"The operation type {kind!r} is not supported in a batch.")
        if kind in ("Read", "Delete", "Replace") and not isinstance(operation.get("id"), str):
            raise bad_request(f"{kind} in a batch needs an id.")
    return body


def item_ids(operations: list[dict[str, Any]]) -> tuple[str, ...]:
    """The items that a batch is about."""
    bodies = (each.get("resourceBody") for each in operations)
    return tuple(
        str(each.get("id") or (body.get("id") if isinstance(body, dict) else None))
        for each, body in zip(operations, bodies, strict=True)
    )


def run_batch(
    items: Items,
    database: Database,
    container: Container,
    key: str,
    operations: list[dict[str, Any]],
    *,
    count: Callable[[str], None],
) -> tuple[int, list[Result]]:
    """Status and results, one an operation. `count` is told the kind of each as it is tried."""
    results: list[Result] = []
    try:
        with database.transaction():
            for operation in operations:
                results.append(_run(items, container, key, operation, count))
    except CosmosError as error:
        failed = len(results)
        return MULTI_STATUS, [
            _refusal(error)
            if index == failed
            else {"statusCode": FAILED_DEPENDENCY, "requestCharge": 0}
            for index in range(len(operations))
        ]
    return 200, results


def _run(
    items: Items,
    container: Container,
    key: str,
    operation: dict[str, Any],
    count: Callable[[str], None],
) -> Result:
    kind: str = operation["operationType"]
    body = operation.get("resourceBody")
    if_match = operation.get("ifMatch")
    count(kind.lower() + "s")
    match kind:
        case "Create":
            return _written(items.create(container, key, body))
        case "Upsert":
            return _written(items.upsert(container, key, body, if_match=if_match))
        case "Replace":
            return _written(items.replace(container, key, operation["id"], body, if_match=if_match))
        case "Delete":
            size = items.delete(container, key, operation["id"], if_match=if_match)
            return {"statusCode": 204, "requestCharge": charges.delete(size)}
    found = items.read(container, key, operation["id"])
    if operation.get("ifNoneMatch") == found.etag:
        return {"statusCode": 304, "requestCharge": charges.read(0), "eTag": found.etag}
    return {
        "statusCode": 200,
        "requestCharge": charges.read(len(found.body)),
        "eTag": found.etag,
        "resourceBody": orjson.Fragment(found.body),
    }


def _written(written: Written) -> Result:
    return {
        "statusCode": written.status,
        "requestCharge": charges.write(len(written.body), written.properties),
        "eTag": written.etag,
        "resourceBody": orjson.Fragment(written.body),
    }


def _refusal(error: CosmosError) -> Result:
    return {
        "statusCode": error.status,
        "subStatusCode": int(error.substatus),
        "requestCharge": charges.refused(),
        "message": error.message,
    }
