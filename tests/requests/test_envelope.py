"""What travels on the hubs comes out as it went in, and what is not ours is told apart."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.requests.bodies import pack
from ptu_optimizer.requests.dispatch.decoding import decode
from ptu_optimizer.requests.envelope import (
    MAX_REASON_CHARS,
    BlobRange,
    RequestEvent,
    UndecodableEvent,
    encode_inline,
    first_event,
)
from ptu_optimizer.requests.item import Item, Priority, Spillover
from ptu_optimizer.requests.ledger.result_event import ResultEvent

NOW = 1_800_000_000.0
BODY = {"messages": [{"role": "user", "content": "Why?"}]}

times = st.floats(min_value=0, max_value=4e9)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(), json_values, max_size=4)
request_events = st.builds(
    RequestEvent,
    request_id=st.text(),
    slot=st.integers(1, 10**6),
    deferrals=st.integers(0, 10**6),
    not_before=st.none() | times,
    why=st.none() | st.text(),
    deadline=times,
    deployment=st.text(),
    priority=st.sampled_from(Priority),
    custom_id=st.none() | st.text(),
    metadata=st.none() | st.dictionaries(st.text(), st.text(), max_size=3),
    spillover=st.sampled_from(Spillover),
    body=st.none() | objects,
    blob=st.none()
    | st.builds(BlobRange, offset=st.integers(0, 10**12), length=st.integers(1, 10**9)),
)


def event(**fields: Any) -> RequestEvent:
    return RequestEvent(
        **{"request_id": "g-0", "deadline": NOW, "deployment": "ptu", "body": BODY} | fields
    )


def raw(**fields: Any) -> bytes:
    return orjson.dumps(orjson.loads(event().encode()) | fields)


@given(request_events)
def test_a_request_event_comes_out_as_it_went_in(sent: RequestEvent) -> None:
    assert decode(sent.encode()) == sent


def test_a_request_that_never_spills_over_is_encoded_as_before_there_was_spillover() -> None:
    assert b"spillover" not in event().encode()
    assert decode(event().encode()) == event(spillover=Spillover.NEVER)


def test_a_copy_says_why_it_waits_at_bounded_length() -> None:
    copy = event().rescheduled(slot=1, not_before=NOW, why="because " * 1_000)
    assert copy.why is not None
    assert copy.why.startswith("because")
    assert len(copy.why) <= MAX_REASON_CHARS
    assert b"why" not in event().encode()


def test_a_copy_keeps_its_policy() -> None:
    copy = event(spillover=Spillover.BEFORE_DEADLINE).rescheduled(slot=3, not_before=NOW)
    assert copy.spillover is Spillover.BEFORE_DEADLINE


@given(request_id=st.text(), record=objects)
def test_a_result_event_comes_out_as_it_went_in(request_id: str, record: dict[str, Any]) -> None:
    sent = ResultEvent(request_id=request_id, record=record)
    assert decode(sent.encode()) == sent


@given(
    body=objects,
    custom_id=st.none() | st.text(),
    metadata=st.none() | st.dictionaries(st.text(), st.text(), max_size=3),
)
def test_what_intake_publishes_unchecked_is_decodable(
    body: dict[str, Any], custom_id: str | None, metadata: dict[str, str] | None
) -> None:
    item = Item(body, "ptu", NOW, Priority.HIGH, custom_id, metadata)
    sent = first_event("g-0", item, inline=True)
    assert decode(sent.encode()) == sent
    assert (sent.slot, sent.deferrals, sent.not_before) == (1, 0, None)


def test_a_large_body_is_referred_to_instead_of_carried() -> None:
    item = Item(BODY, "ptu", NOW)
    place = BlobRange(offset=10, length=20)
    assert first_event("g-0", item, inline=True, blob=place).blob is None
    by_reference = decode(first_event("g-0", item, inline=False, blob=place).encode())
    assert isinstance(by_reference, RequestEvent)
    assert by_reference.body is None
    assert by_reference.blob == place


def test_what_is_absent_takes_no_room() -> None:
    assert "null" not in event().encode().decode()
    assert "blob" not in orjson.loads(event().encode())


def test_a_rescheduled_copy_counts_up_and_keeps_the_rest() -> None:
    first = event(custom_id="row-1")
    copy = first.rescheduled(slot=3, not_before=NOW + 5)
    assert (copy.slot, copy.deferrals, copy.not_before) == (3, 1, NOW + 5)
    assert copy.rescheduled(slot=3, not_before=None).deferrals == 2
    unchanged = {"request_id", "deadline", "deployment", "priority", "custom_id", "body"}
    assert copy.model_dump(include=unchanged) == first.model_dump(include=unchanged)
    assert first.deferrals == 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"hello", "not JSON", id="text"),
        pytest.param(b"\xff\xfe", "not JSON", id="no UTF-8"),
        pytest.param(b'"\\ud800"', "not JSON", id="half a surrogate pair"),
        pytest.param(b"[" * 5_000, "not JSON", id="nested without end"),
        pytest.param(b"null", "event", id="null"),
        pytest.param(b"[]", "event", id="an array"),
        pytest.param(b"{}", "kind", id="an empty object"),
        pytest.param(raw(kind="reply"), "kind", id="another kind"),
        pytest.param(raw(v=2), "v", id="another version"),
        pytest.param(raw(request_id=5), "request_id", id="an id that is no string"),
        pytest.param(raw(slot=0), "slot", id="slot 0"),
        pytest.param(raw(deferrals=-1), "deferrals", id="negative deferrals"),
        pytest.param(raw(deadline=None), "deadline", id="no deadline"),
        pytest.param(raw(body="text"), "body", id="a body that is no object"),
        pytest.param(raw(blob={"offset": 0, "length": 0}), "blob.length", id="an empty range"),
        pytest.param(raw(blob={"offset": -1, "length": 1}), "blob.offset", id="negative offset"),
        pytest.param(raw(priority="low"), "priority", id="unknown priority"),
        pytest.param(raw(metadata={"a": 1}), "metadata.a", id="metadata of numbers"),
        pytest.param(b'{"kind": "result"}', "record", id="a result without a record"),
    ],
)
def test_what_is_no_event_of_ours_is_told_why(content: bytes, why: str) -> None:
    with pytest.raises(UndecodableEvent, match=why):
        decode(content)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(raw(kind="secret"), id="as the kind"),
        pytest.param(raw(slot="secret", body={"secret": "secret"}), id="as a value"),
        pytest.param(b'{"secret', id="in broken JSON"),
    ],
)
def test_the_reason_does_not_tell_the_content(content: bytes) -> None:
    with pytest.raises(UndecodableEvent) as raised:
        decode(content)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(raw(metadata={str(i): i for i in range(50_000)}), id="many faults"),
        pytest.param(raw(metadata={"k" * 900_000: 1}), id="one with a long name"),
        pytest.param(raw(kind="k" * 900_000), id="a long kind"),
    ],
)
def test_the_reason_stays_short_enough_for_a_dead_letter(content: bytes) -> None:
    with pytest.raises(UndecodableEvent) as raised:
        decode(content)
    assert len(str(raised.value)) <= MAX_REASON_CHARS


@given(st.binary() | json_values.map(orjson.dumps))
def test_whatever_is_on_a_hub_is_an_event_or_undecodable(content: bytes) -> None:
    with pytest.raises(UndecodableEvent):
        decode(content)


def test_fields_of_a_newer_minor_version_are_passed_over() -> None:
    assert decode(raw(colour="red")) == event()


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(Item({"messages": []}, "ptu", 1.5e9), id="the least"),
        pytest.param(
            Item(
                {"messages": [{"role": "user", "content": 'é "quoted" \u2028 🧮'}], "x": None},
                "ptu",
                1.5e9,
                Priority.HIGH,
                custom_id="row-1",
                metadata={"a": "b"},
                spillover=Spillover.BEFORE_DEADLINE,
            ),
            id="everything",
        ),
    ],
)
def test_a_spliced_event_says_what_a_serialized_one_says(one: Item) -> None:
    (line,) = pack([one]).lines
    assert decode(encode_inline("g-0", line)) == decode(
        first_event("g-0", one, inline=True).encode()
    )
