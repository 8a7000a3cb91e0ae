"""What goes through the AMQP codec comes out as it was, and what is not AMQP is refused."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.event_hubs import codec
from local.event_hubs.codec import (
    Array,
    DecodeError,
    Described,
    Int,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

ascii_text = st.text(st.characters(max_codepoint=127), max_size=300)
longs = st.integers(-(2**63), 2**63 - 1)
simple_values = st.one_of(
    st.none(),
    st.booleans(),
    longs,
    longs.map(Timestamp),
    st.integers(-(2**31), 2**31 - 1).map(Int),
    st.integers(0, 2**8 - 1).map(UByte),
    st.integers(0, 2**16 - 1).map(UShort),
    st.integers(0, 2**32 - 1).map(UInt),
    st.integers(0, 2**64 - 1).map(ULong),
    st.floats(allow_nan=False),
    st.uuids(),
    st.binary(max_size=300),
    st.text(max_size=300),
    ascii_text.map(Symbol),
)
arrays = st.one_of(
    st.lists(st.text(max_size=300), max_size=4),
    st.lists(ascii_text.map(Symbol), max_size=4),
    st.lists(st.binary(max_size=300), max_size=4),
    st.lists(longs, max_size=4),
    st.lists(st.integers(-(2**31), 2**31 - 1).map(Int), max_size=4),
    st.lists(st.booleans(), max_size=4),
    st.lists(st.none(), max_size=4),
    st.lists(st.lists(st.text(max_size=9), max_size=2), max_size=3),
    st.lists(st.builds(Described, st.just(Symbol("of")), st.text(max_size=9)), max_size=3),
).map(Array)
values = st.recursive(
    simple_values | arrays,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(ascii_text.map(Symbol), inner, max_size=4),
        st.builds(Described, ascii_text.map(Symbol), inner),
    ),
    max_leaves=12,
)


@given(values)
def test_a_value_survives_the_round_trip(value: Any) -> None:
    encoded = codec.encode(value)
    assert codec.decode(encoded) == (value, len(encoded))
    assert codec.end_of(encoded, 0) == len(encoded)


@given(values)
def test_text_timestamps_and_symbols_keep_their_types(value: Any) -> None:
    decoded, _ = codec.decode(codec.encode(value))
    if type(value) in (str, Symbol, bytes, bool, Timestamp, uuid.UUID, Described, Array):
        assert type(decoded) is type(value)


@given(values, st.data())
def test_a_truncated_value_is_refused(value: Any, data: st.DataObject) -> None:
    encoded = codec.encode(value)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(DecodeError):
        codec.decode(encoded[:cut])


@given(st.binary(max_size=60))
@example(b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40")
@example(b"\xd0\x00\x00\x00\x04\xff\xff\xff\xff")
@example(b"\x00" * 60)
@example(b"\xc1\x05\x02\xc0\x01\x00\x40")
def test_any_bytes_are_either_a_value_or_a_decode_error(noise: bytes) -> None:
    try:
        _, end = codec.decode(noise)
    except DecodeError:
        return
    assert 0 < end <= len(noise)


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (b"\x43", 0),
        (b"\x44", 0),
        (b"\x45", []),
        (b"\x52\x07", 7),
        (b"\x53\xff", 255),
        (b"\x54\xff", -1),
        (b"\x55\xfe", -2),
        (b"\x56\x01", True),
        (b"\x56\x00", False),
        (b"\x61\xff\xfe", -2),
        (b"\xc0\x03\x02\x43\x41", [0, True]),
        (b"\xc1\x06\x02\xa3\x01k\x52\x05", {"k": 5}),
        (b"\xe0\x07\x02\xa3\x01a\x02bc", ["a", "bc"]),
        (b"\xe0\x04\x02\x56\x01\x00", [True, False]),
        (b"\xe0\x02\x03\x40", [None, None, None]),
        (b"\xe0\x09\x02\x00\x53\x24\xa1\x01a\x01b", [Described(0x24, "a"), Described(0x24, "b")]),
        (b"\x00\x53\x24\x45", Described(0x24, [])),
    ],
    ids=lambda value: value.hex() if isinstance(value, bytes) else None,
)
def test_the_short_forms_that_other_sdks_write_are_read(encoded: bytes, expected: object) -> None:
    assert codec.decode(encoded) == (expected, len(encoded))


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x3f", id="unknown constructor"),
        pytest.param(b"\x56\x02", id="neither true nor false"),
        pytest.param(b"\xa1\x01\xff", id="text that is not UTF-8"),
        pytest.param(b"\xa3\x01\xe9", id="a symbol that is not ASCII"),
        pytest.param(b"\xc0\x02\x05\x43", id="a list that counts too many"),
        pytest.param(b"\xc0\x03\x01\x43\x43", id="a list that counts too few"),
        pytest.param(b"\xc1\x02\x01\x43", id="a map with a key alone"),
        pytest.param(b"\xe0\x03\x01\x00\x53", id="an array of described values"),
        pytest.param(b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40", id="four billion nulls"),
        pytest.param(b"\x00\x43" * 40 + b"\x43", id="described forty times over"),
        pytest.param(b"\xc0\xfe\x01" * 60, id="lists in lists"),
    ],
)
def test_what_is_not_amqp_is_refused(encoded: bytes) -> None:
    with pytest.raises(DecodeError):
        codec.decode(encoded)


def test_an_array_of_strings_has_one_constructor_for_all() -> None:
    """As the service writes `partition_ids`, which .NET's client casts to an array."""
    strings = b"\xb1" + b"\x00\x00\x00\x010" + b"\x00\x00\x00\x0210"
    assert codec.encode(Array(["0", "10"])) == b"\xf0\x00\x00\x00\x10\x00\x00\x00\x02" + strings


@pytest.mark.parametrize(
    "items", [["a", 1], ["a", Symbol("a")], [Described(1, "a"), Described(2, "a")]]
)
def test_an_array_holds_values_of_one_type(items: list[Any]) -> None:
    with pytest.raises(TypeError, match="of one type"):
        codec.encode(Array(items))


def test_a_type_without_an_encoding_is_named() -> None:
    with pytest.raises(TypeError, match="set has no AMQP encoding"):
        codec.encode({1, 2})
