"""The contract of queries in one partition; like the other contract tests, for any account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.local.cosmos.support import Account, partition, query, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNT = 25


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pk(account: Account) -> AsyncIterator[str]:
    """A partition with 25 items, and a neighbour that no query may see."""
    key, neighbour = partition(), partition()
    for each in (key, neighbour):
        await account.items.execute_item_batch(
            [
                (
                    "create",
                    (
                        {
                            "id": f"i{index:02d}",
                            "pk": each,
                            "n": index,
                            "a": index % 3,
                            "b": f"b{index % 4}",
                            "o": {"deep": index % 2 == 0},
                            "order": index,
                            "body": {"large": "x" * 50},
                            **({"rare": None if index else "here"} if index < 5 else {}),
                        },
                    ),
                )
                for index in range(COUNT)
            ],
            partition_key=each,
        )
    yield key


CASES: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("SELECT VALUE c.n FROM c WHERE c.n < 3", {}, [0, 1, 2]),
    ("SELECT VALUE c.n FROM c WHERE c.n >= @from AND c.n <> 23", {"from": 22}, [22, 24]),
    ("SELECT VALUE c.n FROM c WHERE c.n = 1 OR c.n = 2 AND c.a = 0", {}, [1]),
    ("SELECT VALUE c.n FROM c WHERE (c.n = 1 OR c.n = 2) AND c.a = 2", {}, [2]),
    ("SELECT VALUE c.n FROM c WHERE c.n IN (3, 5, @x)", {"x": 4}, [3, 4, 5]),
    ("SELECT VALUE c.n FROM c WHERE c.n NOT IN (0, 1) AND c.n < 4", {}, [2, 3]),
    ("SELECT VALUE c.n FROM c WHERE IS_DEFINED(c.rare)", {}, [0, 1, 2, 3, 4]),
    ("SELECT VALUE c.n FROM c WHERE c.rare = null", {}, [1, 2, 3, 4]),
    ("SELECT VALUE c.n FROM c WHERE NOT IS_DEFINED(c.rare) AND c.n < 7", {}, [5, 6]),
    ("SELECT VALUE c.rare FROM c WHERE c.n IN (0, 5)", {}, ["here"]),
    ("SELECT VALUE c.n FROM c WHERE STARTSWITH(c.id, @p)", {"p": "i2"}, [20, 21, 22, 23, 24]),
    ("SELECT VALUE c.n FROM c WHERE ARRAY_CONTAINS(@l, c.id)", {"l": ["i03", "no"]}, [3]),
    ("SELECT VALUE c.n FROM c WHERE c.o.deep = true AND c.n < 3", {}, [0, 2]),
    ("SELECT VALUE c.n FROM c WHERE c['o'][\"deep\"] AND c.n < 3", {}, [0, 2]),
    ("SELECT VALUE c.n FROM c WHERE c.n = '1' OR NOT (c.n = '1')", {}, []),
    ("SELECT VALUE c.n FROM c WHERE c.missing != 1", {}, []),
    ('SELECT VALUE c.n FROM c WHERE c["order"] = 7', {}, [7]),
    ("SELECT c.n, c.rare, c.o.deep FROM c WHERE c.n = 7", {}, [{"n": 7, "deep": False}]),
    ("SELECT c.n AS number FROM c WHERE c.n = 7", {}, [{"number": 7}]),
    ("SELECT VALUE COUNT(1) FROM c", {}, [COUNT]),
    ("SELECT VALUE COUNT(1) FROM c WHERE c.a = 0", {}, [9]),
    ("SELECT TOP 2 VALUE r.n FROM root r ORDER BY r.n DESC", {}, [24, 23]),
    ("SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 3 LIMIT 2", {}, [3, 4]),
    ("SELECT VALUE c.n FROM c ORDER BY c.n OFFSET @o LIMIT @l", {"o": 24, "l": 9}, [24]),
    ("SELECT VALUE c.n FROM c WHERE c.n < 6 ORDER BY c.a, c.b DESC", {}, [3, 0, 1, 4, 2, 5]),
    ("SELECT VALUE c.n FROM c WHERE c.n < 6 ORDER BY c.a DESC, c.b ASC", {}, [5, 2, 4, 1, 0, 3]),
    ("select value c.n from c where c.n = 1 order by c.n asc", {}, [1]),
]


@pytest.mark.parametrize(("text", "parameters", "expected"), CASES, ids=[case[0] for case in CASES])
async def test_a_query_gives(
    account: Account, pk: str, text: str, parameters: dict[str, Any], expected: list[Any]
) -> None:
    found = await query(account.items, text, pk, **parameters)
    assert found == expected if "ORDER BY" in text else _sorted(found) == _sorted(expected)


async def test_everything_is_what_was_written(account: Account, pk: str) -> None:
    (found,) = await query(account.items, "SELECT * FROM c WHERE c.id = 'i07'", pk)
    assert found == await account.items.read_item("i07", pk)


async def test_undefined_sorts_before_null_and_null_before_strings(
    account: Account, pk: str
) -> None:
    found = await query(account.items, "SELECT VALUE c.n FROM c ORDER BY c.rare", pk)
    assert set(found[:-5]) == set(range(5, COUNT))
    assert set(found[-5:-1]) == {1, 2, 3, 4}
    assert found[-1] == 0


@pytest.mark.parametrize(
    "text",
    [
        "SELECT VALUE c.n FROM c",
        "SELECT VALUE c.n FROM c WHERE c.n >= 0",
        "SELECT VALUE c.n FROM c ORDER BY c.n DESC",
        "SELECT VALUE c.n FROM c OFFSET 0 LIMIT 100",
    ],
)
async def test_pages_are_resumed_where_they_ended(account: Account, pk: str, text: str) -> None:
    found: list[int] = []
    sizes: list[int] = []
    token: str | None = None
    while True:
        pages = account.items.query_items(text, partition_key=pk, max_item_count=10).by_page(token)
        page = [item async for item in await anext(pages)]
        found += [int(n) for n in page]  # type: ignore[call-overload]
        sizes.append(len(page))
        token = pages.continuation_token  # type: ignore[attr-defined]
        if not token or len(sizes) > COUNT:
            break
    assert sorted(found) == list(range(COUNT))
    assert max(sizes) <= 10


async def test_what_is_written_between_pages_breaks_nothing(account: Account) -> None:
    pk = partition()
    for index in range(6):
        await account.items.create_item({"id": f"old{index}", "pk": pk})
    seen: list[str] = []
    async for item in account.items.query_items(
        "SELECT c.id FROM c", partition_key=pk, max_item_count=2
    ):
        seen.append(item["id"])
        if len(seen) == 2:
            await account.items.delete_item("old0", pk)
            await account.items.create_item({"id": "a-new", "pk": pk})
    assert [name for name in seen if name.startswith("old")] == [f"old{n}" for n in range(6)]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("SELEC * FROM c", id="no SQL"),
        pytest.param("SELECT * FROM c WHERE", id="unfinished"),
        pytest.param("SELECT * FROM c WHERE x.n = 1", id="unknown alias"),
        pytest.param("SELECT * FROM c WHERE c.order = 1", id="reserved word as a name"),
        pytest.param("SELECT * FROM c WHERE NOSUCH(c.n)", id="unknown function"),
        pytest.param("SELECT TOP 1 * FROM c OFFSET 0 LIMIT 1", id="TOP with OFFSET"),
        pytest.param("SELECT * FROM c ORDER BY c.n, c.a", id="no composite index"),
        pytest.param("SELECT * FROM c ORDER BY c.body.large", id="sorted by what is not indexed"),
    ],
)
async def test_what_cosmos_refuses_is_refused(account: Account, pk: str, text: str) -> None:
    with refused(400):
        await query(account.items, text, pk)


def _sorted(values: list[Any]) -> list[Any]:
    return sorted(values, key=repr)
