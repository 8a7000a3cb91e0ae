"""The contract of transactional batches; like the other contract tests, for any account."""

from __future__ import annotations

from typing import Any

import pytest
from azure.cosmos.exceptions import CosmosBatchOperationError

from tests.local.cosmos.support import Account, partition, query, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


def creates(pk: str, count: int, **more: Any) -> list[tuple[str, tuple[Any, ...]]]:
    return [("create", ({"id": str(index), "pk": pk, **more},)) for index in range(count)]


def statuses(results: Any) -> list[int]:
    return [result["statusCode"] for result in results]


async def test_each_operation_has_its_own_result(account: Account) -> None:
    pk = partition()
    results = await account.items.execute_item_batch(
        [
            ("create", ({"id": "1", "pk": pk, "n": 1},)),
            ("upsert", ({"id": "2", "pk": pk},)),
            ("upsert", ({"id": "2", "pk": pk, "n": 2},)),
            ("read", ("1",)),
            ("replace", ("2", {"id": "2", "pk": pk, "n": 3})),
            ("delete", ("1",)),
        ],
        partition_key=pk,
    )
    assert statuses(results) == [201, 201, 200, 200, 200, 204]
    assert results[3]["resourceBody"]["n"] == 1
    assert results[4]["eTag"] == results[4]["resourceBody"]["_etag"]
    assert await query(account.items, "SELECT c.id, c.n FROM c", pk) == [{"id": "2", "n": 3}]


async def test_a_batch_takes_a_hundred_operations_and_no_more(account: Account) -> None:
    pk = partition()
    results = await account.items.execute_item_batch(creates(pk, 100), partition_key=pk)
    assert statuses(results) == [201] * 100
    with refused(400):
        await account.items.execute_item_batch(creates(partition(), 101), partition_key=pk)


async def test_a_batch_may_not_be_larger_than_two_mebibytes(account: Account) -> None:
    pk = partition()
    with refused(413):
        await account.items.execute_item_batch(
            creates(pk, 3, x="x" * 1024 * 1024), partition_key=pk
        )
    assert await query(account.items, "SELECT c.id FROM c", pk) == []


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        pytest.param(("create", ({"id": "old", "pk": "{pk}"},)), 409, id="create of a taken id"),
        pytest.param(("read", ("none",)), 404, id="read of nothing"),
        pytest.param(("delete", ("none",)), 404, id="delete of nothing"),
        pytest.param(
            ("replace", ("none", {"id": "none", "pk": "{pk}"})), 404, id="replace of nothing"
        ),
        pytest.param(
            ("replace", ("old", {"id": "old", "pk": "{pk}"}), {"if_match_etag": '"stale"'}),
            412,
            id="replace of what has changed",
        ),
        pytest.param(
            ("delete", ("old",), {"if_match_etag": '"stale"'}), 412, id="delete of what has changed"
        ),
        pytest.param(("create", ({"id": "x", "pk": "elsewhere"},)), 400, id="another partition"),
    ],
)
async def test_one_failure_undoes_all(account: Account, operation: Any, status: int) -> None:
    pk = partition()
    old = await account.items.create_item({"id": "old", "pk": pk})
    filled = _with_partition(operation, pk)
    with pytest.raises(CosmosBatchOperationError) as caught:
        await account.items.execute_item_batch(
            [*creates(pk, 2), filled, ("upsert", ({"id": "old", "pk": pk, "n": 9},))],
            partition_key=pk,
        )
    assert caught.value.error_index == 2
    assert caught.value.status_code == status
    assert statuses(caught.value.operation_responses) == [424, 424, status, 424]
    assert await query(account.items, "SELECT * FROM c", pk) == [old]


async def test_operations_of_a_batch_see_each_other(account: Account) -> None:
    pk = partition()
    with pytest.raises(CosmosBatchOperationError) as caught:
        await account.items.execute_item_batch([*creates(pk, 2), *creates(pk, 1)], partition_key=pk)
    assert (caught.value.error_index, caught.value.status_code) == (2, 409)


def _with_partition(operation: Any, pk: str) -> Any:
    kind, arguments, *options = operation
    filled = tuple(
        {**each, "pk": pk} if isinstance(each, dict) and each["pk"] == "{pk}" else each
        for each in arguments
    )
    return (kind, filled, *(dict(option) for option in options))
