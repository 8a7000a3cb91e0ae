"""A partition key goes to the partition that Azure would put it in."""

from __future__ import annotations

import pytest
from azure.eventhub._buffered_producer._partition_resolver import generate_hash_code
from hypothesis import given
from hypothesis import strategies as st

from local.event_hubs.partition_key import partition_for_key, partition_key_hash


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("7", -15263),
        ("131", 30562),
        ("7149583486996073602", 12977),
        ("FWfAT", -22341),
        ("sOdeEAsyQoEuEFPGerWO", -6503),
        ("!c*_!I@1^c", 15372),
        ("p4*!jioeO/z-!-;w:dh", -3104),
        ("$0cb", 26269),
        ("-4189260826195535198", 453),
    ],
)
def test_the_hash_is_the_one_that_the_azure_sdks_agree_on(key: str, expected: int) -> None:
    """Test vectors of PartitionResolverTests in the .NET, Java, Rust and Python SDKs."""
    assert partition_key_hash(key) == expected


@given(st.text(st.characters(min_codepoint=1, max_codepoint=127), min_size=1, max_size=128))
def test_the_hash_is_that_of_azure_eventhub_for_every_ascii_key(key: str) -> None:
    assert partition_key_hash(key) == generate_hash_code(key)


@pytest.mark.parametrize(
    ("key", "partitions", "expected"),
    [("7", 4, 3), ("7", 32, 31), ("131", 4, 2), ("FWfAT", 8, 5)],
    ids=["negative hash", "negative hash, many", "positive hash", "negative, eight"],
)
def test_the_remainder_of_a_negative_hash_is_taken_as_in_csharp(
    key: str, partitions: int, expected: int
) -> None:
    """.NET and Java: Math.Abs(hash % count), where the remainder has the sign of the hash."""
    assert partition_for_key(key, partitions) == expected


@given(st.text(min_size=1, max_size=128), st.integers(1, 32))
def test_every_key_has_a_partition(key: str, partitions: int) -> None:
    assert 0 <= partition_for_key(key, partitions) < partitions
