"""Indexing policies: what can be sorted by, and which policies are refused."""

from __future__ import annotations

from typing import Any

import pytest

from local.cosmos.errors import CosmosError
from local.cosmos.indexing import IndexingPolicy


def policy(included: list[str], excluded: list[str], **more: Any) -> IndexingPolicy:
    return IndexingPolicy.parse(
        {
            "includedPaths": [{"path": path} for path in included],
            "excludedPaths": [{"path": path} for path in excluded],
            **more,
        }
    )


@pytest.mark.parametrize(
    ("path", "indexed"),
    [
        (("n",), True),
        (("body",), False),
        (("body", "deep", "er"), False),
        (("body", "kept"), True),
        (("body", "kept", "below"), False),
        (("only",), False),
        (("only", "below"), True),
        (("_etag",), False),
    ],
)
def test_the_most_precise_path_decides(path: tuple[str, ...], indexed: bool) -> None:
    rules = policy(["/*", "/body/kept/?"], ["/body/*", "/only/?", '/"_etag"/?'])
    assert rules.indexes(path) is indexed


def test_nothing_is_indexed_in_mode_none() -> None:
    rules = policy([], [], indexingMode="none")
    assert not rules.indexes(("n",))


def test_a_composite_index_serves_its_order_and_the_reverse() -> None:
    index = [{"path": "/a", "order": "ascending"}, {"path": "/b", "order": "descending"}]
    rules = policy(["/*"], [], compositeIndexes=[index])
    rules.check_order([(("a",), False), (("b",), True)])
    rules.check_order([(("a",), True), (("b",), False)])
    with pytest.raises(CosmosError, match="composite index"):
        rules.check_order([(("a",), False), (("b",), False)])


@pytest.mark.parametrize(
    ("included", "excluded", "more", "named"),
    [
        pytest.param(["/a/?"], [], {}, "mandatory indexing path", id="no root"),
        pytest.param(["/*"], ["/a"], {}, "must end in", id="no ending"),
        pytest.param(["/*"], ["a/?"], {}, "could not be accepted", id="no slash"),
        pytest.param(["/*"], [], {"indexingMode": "lazy"}, "indexingMode", id="lazy"),
        pytest.param(["/*"], [], {"excludedPaths": "/a"}, "must be a list", id="no list"),
    ],
)
def test_wrong_policies_are_refused(
    included: list[str], excluded: list[str], more: dict[str, Any], named: str
) -> None:
    with pytest.raises(CosmosError, match=named):
        policy(included, excluded, **more)
