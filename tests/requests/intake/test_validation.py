"""What a caller may send, and what is said of what may not be sent."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.requests.intake.validation import (
    MAX_NESTING,
    PLANNED_FIELDS,
    ItemRules,
    Problem,
    parse_item,
)
from ptu_optimizer.requests.item import Item, Priority, Spillover

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
HOUR, DAY, WEEK = 3_600.0, 86_400.0, 604_800.0
RULES = ItemRules(
    deployments=("gpt-4.1-ptu", "gpt-5-ptu"),
    default_deployment="gpt-4.1-ptu",
    default_deadline_seconds=DAY,
    longest_deadline_seconds=WEEK,
    spills_over=("gpt-4.1-ptu",),
)
MESSAGES = [{"role": "user", "content": "Why is the sky blue?"}]
BODY = {"messages": MESSAGES}


def accepted(raw: object) -> Item:
    parsed = parse_item(raw, 7, now=NOW, rules=RULES)
    assert isinstance(parsed, Item), parsed
    return parsed


def refused(raw: object) -> list[Problem]:
    parsed = parse_item(raw, 7, now=NOW, rules=RULES)
    assert not isinstance(parsed, Item), "was accepted"
    assert all(problem.index == 7 for problem in parsed)
    return parsed


def only_problem(raw: object) -> Problem:
    problems = refused(raw)
    assert len(problems) == 1, problems
    return problems[0]


def envelope(**fields: Any) -> dict[str, Any]:
    return {"body": BODY, **fields}


# --- what is an item ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [None, True, 5, 0.5, "text", [], [BODY]],
    ids=["null", "bool", "int", "float", "string", "array", "array in the array"],
)
def test_an_item_is_an_object(raw: object) -> None:
    assert only_problem(raw) == Problem(7, "", "must be a JSON object")


@pytest.mark.parametrize("raw", [{}, {"custom_id": "a"}], ids=["empty", "without either"])
def test_an_object_without_messages_or_body_is_told_what_an_item_is(raw: object) -> None:
    problem = only_problem(raw)
    assert problem.path == ""
    assert "messages" in problem.reason
    assert "body" in problem.reason


def test_a_bare_body_gets_the_defaults() -> None:
    item = accepted(BODY)
    assert item == Item(body=BODY, deployment="gpt-4.1-ptu", deadline=NOW + DAY)
    assert item.priority is Priority.NORMAL


def test_an_envelope_may_say_everything() -> None:
    item = accepted(
        {
            "custom_id": "row-1",
            "body": BODY,
            "deployment": "gpt-5-ptu",
            "priority": "high",
            "completion_window": "2h",
            "metadata": {"source": "survey"},
        }
    )
    assert item == Item(
        body=BODY,
        deployment="gpt-5-ptu",
        deadline=NOW + 2 * HOUR,
        priority=Priority.HIGH,
        custom_id="row-1",
        metadata={"source": "survey"},
    )


def test_unknown_fields_of_a_body_pass_through_untouched() -> None:
    body = {
        "messages": [{"role": "user", "content": None, "tool_calls": [{"id": "c"}], "new": 1}],
        "temperature": 0.25,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": True}},
        "not_invented_yet": [None, {"deep": [1.5]}],
    }
    assert accepted(body).body is body
    assert accepted({"body": body}).body == body


# --- the body -----------------------------------------------------------------------------------

BODY_TABLE = [
    pytest.param({"messages": None}, "messages", id="messages null"),
    pytest.param({"messages": "hello"}, "messages", id="messages a string"),
    pytest.param({"messages": []}, "messages", id="no message"),
    pytest.param({"messages": ["hello"]}, "messages.0", id="a message that is a string"),
    pytest.param({"messages": [{}]}, "messages.0.role", id="a message without a role"),
    pytest.param({"messages": [{"role": "boss"}]}, "messages.0.role", id="unknown role"),
    pytest.param(
        {"messages": [*MESSAGES, {"role": 1}]}, "messages.1.role", id="role of the second message"
    ),
    pytest.param({**BODY, "model": 4}, "model", id="model a number"),
    pytest.param({**BODY, "stream": True}, "stream", id="stream true"),
    pytest.param({**BODY, "stream": "false"}, "stream", id="stream a string"),
    pytest.param({**BODY, "max_tokens": 0}, "max_tokens", id="max_tokens zero"),
    pytest.param({**BODY, "max_tokens": -5}, "max_tokens", id="max_tokens negative"),
    pytest.param({**BODY, "max_tokens": True}, "max_tokens", id="max_tokens true"),
    pytest.param({**BODY, "max_tokens": "5"}, "max_tokens", id="max_tokens a string"),
    pytest.param({**BODY, "max_tokens": 5.5}, "max_tokens", id="max_tokens a fraction"),
    pytest.param(
        {**BODY, "max_completion_tokens": 0}, "max_completion_tokens", id="max_completion_tokens 0"
    ),
]


@pytest.mark.parametrize(("body", "path"), BODY_TABLE)
def test_a_bad_body_is_refused_at_its_path(body: dict[str, Any], path: str) -> None:
    assert only_problem(body).path == path


@pytest.mark.parametrize(("body", "path"), BODY_TABLE)
def test_in_an_envelope_the_path_leads_through_body(body: dict[str, Any], path: str) -> None:
    assert only_problem({"body": body}).path == f"body.{path}"


@pytest.mark.parametrize(
    "field",
    [
        pytest.param({"stream": False}, id="stream false"),
        pytest.param({"stream": None}, id="stream null"),
        pytest.param({"max_tokens": None}, id="max_tokens null"),
        pytest.param({"max_tokens": 1}, id="max_tokens 1"),
        pytest.param({"max_tokens": 2**63}, id="max_tokens enormous"),
        pytest.param({"model": "anything"}, id="a model that is no deployment"),
    ],
)
def test_a_good_body_is_accepted(field: dict[str, Any]) -> None:
    assert accepted({**BODY, **field}).body == {**BODY, **field}


def test_streaming_is_refused_with_the_reason() -> None:
    assert "cannot stream" in only_problem({**BODY, "stream": True}).reason


def test_reasons_speak_of_json_and_not_of_our_classes() -> None:
    reasons = [p.reason for raw in ({"messages": [5]}, {"body": 5}) for p in refused(raw)]
    assert reasons == ["must be a JSON object", "must be a JSON object"]


def test_every_problem_of_an_item_is_reported_at_once() -> None:
    problems = refused(
        {"body": {"messages": [{"role": "boss"}], "stream": True}, "deployment": "none"}
    )
    assert [p.path for p in problems] == ["body.messages.0.role", "body.stream", "deployment"]


def nested(levels: int) -> Any:
    value: Any = "core"
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


@pytest.mark.parametrize("wrap", [lambda b: b, lambda b: {"body": b}], ids=["bare", "envelope"])
def test_nesting_is_limited_by_what_the_store_takes(wrap: Callable[[Any], Any]) -> None:
    accepted(wrap({**BODY, "extra": nested(MAX_NESTING - 1)}))
    problem = only_problem(wrap({**BODY, "extra": nested(MAX_NESTING)}))
    assert str(MAX_NESTING) in problem.reason


def test_the_deepest_json_that_can_be_read_is_refused_and_not_stumbled_over() -> None:
    deepest = orjson.loads(b'{"messages": ' + b"[" * 1_000 + b"]" * 1_000 + b"}")
    assert refused(deepest)


# --- the envelope -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        pytest.param({"custom_id": ""}, "custom_id", id="custom_id empty"),
        pytest.param({"custom_id": 5}, "custom_id", id="custom_id a number"),
        pytest.param({"custom_id": "x" * 513}, "custom_id", id="custom_id too long"),
        pytest.param({"deployment": 5}, "deployment", id="deployment a number"),
        pytest.param({"deployment": ""}, "deployment", id="deployment empty"),
        pytest.param({"deployment": "nobodys"}, "deployment", id="deployment unknown"),
        pytest.param({"priority": "urgent"}, "priority", id="priority unknown"),
        pytest.param({"priority": "HIGH"}, "priority", id="priority in upper case"),
        pytest.param({"priority": 1}, "priority", id="priority a number"),
        pytest.param({"priority": None}, "priority", id="priority null"),
        pytest.param({"metadata": []}, "metadata", id="metadata an array"),
        pytest.param({"metadata": {str(i): "" for i in range(17)}}, "metadata", id="17 pairs"),
        pytest.param({"metadata": {"a": 5}}, "metadata.a", id="metadata of numbers"),
        pytest.param({"metadata": {"a": "x" * 513}}, "metadata.a", id="metadata value too long"),
        pytest.param({"metadata": {"k" * 65: ""}}, "metadata." + "k" * 65, id="key too long"),
        pytest.param({"body": "text"}, "body", id="body a string"),
        pytest.param({"body": None}, "body", id="body null"),
    ],
)
def test_a_bad_envelope_is_refused_at_its_path(fields: dict[str, Any], path: str) -> None:
    assert only_problem(envelope(**fields)).path == path


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"custom_id": "x" * 512}, id="longest custom_id"),
        pytest.param({"custom_id": None, "metadata": None, "deployment": None}, id="nulls"),
        pytest.param({"metadata": {}}, id="no metadata"),
        pytest.param(
            {"metadata": {f"{i:064}": "x" * 512 for i in range(16)}}, id="most and longest metadata"
        ),
        pytest.param({"custom_id": "数-😀\u0000"}, id="any Unicode"),
    ],
)
def test_a_good_envelope_is_accepted(fields: dict[str, Any]) -> None:
    item = accepted(envelope(**fields))
    assert item.custom_id == fields.get("custom_id")
    assert item.metadata == fields.get("metadata")


@pytest.mark.parametrize("name", sorted(PLANNED_FIELDS))
def test_a_field_whose_behaviour_is_not_built_is_refused_by_name(name: str) -> None:
    problem = only_problem(envelope(**{name: "x"}))
    assert problem.path == name
    assert "not supported yet" in problem.reason


@pytest.mark.parametrize("name", ["temperature", "dead_line", "x[y]", ""])
def test_an_unknown_field_is_refused_by_name(name: str) -> None:
    problem = only_problem(envelope(**{name: 1}))
    assert problem.path == name
    assert problem.reason == "is not a field of the envelope; put model parameters into body"


def test_an_unknown_deployment_is_told_the_known_ones() -> None:
    assert "gpt-4.1-ptu, gpt-5-ptu" in only_problem(envelope(deployment="x")).reason


@pytest.mark.parametrize("key", ["stream", "deadline", "completion_window"])
def test_a_metadata_key_named_like_a_field_is_not_taken_for_it(key: str) -> None:
    problem = only_problem(envelope(metadata={key: 5}))
    assert problem.path == f"metadata.{key}"
    assert "string" in problem.reason


# --- deployments --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "deployment"),
    [
        pytest.param({**BODY, "model": "gpt-5-ptu"}, "gpt-5-ptu", id="model names one"),
        pytest.param({**BODY, "model": "gpt-4.1"}, "gpt-4.1-ptu", id="model names none"),
        pytest.param(
            {"body": {**BODY, "model": "gpt-5-ptu"}}, "gpt-5-ptu", id="model in an envelope"
        ),
        pytest.param(
            {"body": {**BODY, "model": "gpt-4.1-ptu"}, "deployment": "gpt-5-ptu"},
            "gpt-5-ptu",
            id="the envelope's word comes first",
        ),
    ],
)
def test_which_deployment_an_item_goes_to(raw: object, deployment: str) -> None:
    assert accepted(raw).deployment == deployment


# --- spillover ----------------------------------------------------------------------------------


def test_nothing_spills_over_unless_it_is_said() -> None:
    assert accepted(BODY).spillover is Spillover.NEVER
    assert accepted(envelope()).spillover is Spillover.NEVER
    assert "spillover" not in accepted(envelope(spillover="never")).record()


def test_a_request_may_spill_over_before_its_deadline() -> None:
    item = accepted(envelope(spillover="before_deadline"))
    assert item.spillover is Spillover.BEFORE_DEADLINE
    assert Item.from_record(orjson.loads(orjson.dumps(item.record()))) == item


@pytest.mark.parametrize("value", ["always", "", None, True, "Before_Deadline"])
def test_another_spillover_policy_is_refused(value: object) -> None:
    problem = only_problem(envelope(spillover=value))
    assert problem.path == "spillover"
    assert "before_deadline" in problem.reason


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"deployment": "gpt-5-ptu"}, id="the envelope names the deployment"),
        pytest.param({"body": {**BODY, "model": "gpt-5-ptu"}}, id="the model names it"),
    ],
)
def test_a_deployment_without_a_target_cannot_promise_spillover(fields: dict[str, Any]) -> None:
    problem = only_problem(envelope(spillover="before_deadline", **fields))
    assert problem.path == "spillover"
    assert "gpt-5-ptu has no spillover target" in problem.reason
    assert "SPILLOVER_DEPLOYMENTS" in problem.reason
    assert "gpt-4.1-ptu has" in problem.reason


def test_an_unknown_deployment_is_not_told_twice() -> None:
    problem = only_problem(envelope(spillover="before_deadline", deployment="x"))
    assert problem.path == "deployment"


# --- deadlines ----------------------------------------------------------------------------------


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("2027-01-15T18:00:00Z", NOW + 10 * HOUR, id="UTC"),
        pytest.param("2027-01-15T18:00:00+01:00", NOW + 9 * HOUR, id="an offset"),
        pytest.param("2027-01-15T08:00:00.5Z", NOW + 0.5, id="just ahead, with a fraction"),
        pytest.param("2027-01-22T08:00:00Z", NOW + WEEK, id="the latest possible"),
    ],
)
def test_a_deadline_is_a_time_with_a_time_zone(text: str, seconds: float) -> None:
    assert accepted(envelope(deadline=text)).deadline == seconds


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("2027-01-15T18:00:00", id="without a time zone"),
        pytest.param("2027-01-16", id="a date"),
        pytest.param("tomorrow", id="a word"),
        pytest.param("", id="empty"),
        pytest.param(1_800_036_000, id="a number: seconds or milliseconds?"),
        pytest.param(1_800_036_000.5, id="a fraction"),
        pytest.param("1800036000", id="a number as a string"),
        pytest.param(True, id="true"),
        pytest.param({}, id="an object"),
        pytest.param(1e30, id="an enormous number"),
        pytest.param("2027-02-30T00:00:00Z", id="a day that is none"),
    ],
)
def test_anything_else_is_told_what_a_deadline_looks_like(value: object) -> None:
    problem = only_problem(envelope(deadline=value))
    assert problem.path == "deadline"
    assert "ISO 8601 time with a time zone" in problem.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(iso(NOW), "past", id="now"),
        pytest.param(iso(NOW - 1), "past", id="a second ago"),
        pytest.param("0001-01-01T00:00:00+23:59", "past", id="before the first day"),
        pytest.param(iso(NOW + WEEK + 1), "HUB_RETENTION_SECONDS", id="a second too far"),
        pytest.param("9999-12-31T23:59:59-23:59", "HUB_RETENTION_SECONDS", id="after the last day"),
    ],
)
def test_a_deadline_lies_ahead_and_within_the_hubs_retention(text: str, reason: str) -> None:
    problem = only_problem(envelope(deadline=text))
    assert problem.path == "deadline"
    assert reason in problem.reason


def test_a_deadline_too_far_is_told_the_latest_possible_in_utc() -> None:
    problem = only_problem(envelope(deadline="2028-01-01T00:00:00Z"))
    assert "2027-01-22T08:00:00+00:00" in problem.reason


@pytest.mark.parametrize(
    ("window", "seconds"),
    [
        pytest.param("1s", 1, id="a second"),
        pytest.param("90m", 5_400, id="minutes"),
        pytest.param("24h", DAY, id="OpenAI's own"),
        pytest.param("7d", WEEK, id="the longest possible"),
    ],
)
def test_a_completion_window_counts_from_now(window: str, seconds: float) -> None:
    assert accepted(envelope(completion_window=window)).deadline == NOW + seconds


@pytest.mark.parametrize(
    "window",
    ["", "24", "h", "0h", "-1h", "1.5h", "24H", "24 h", "1w", "1h\n", "٣h", 24, "9999999s"],
)
def test_anything_else_is_told_what_a_window_looks_like(window: object) -> None:
    problem = only_problem(envelope(completion_window=window))
    assert problem.path == "completion_window"
    assert '"24h"' in problem.reason


def test_a_window_beyond_the_hubs_retention_is_refused() -> None:
    problem = only_problem(envelope(completion_window="8d"))
    assert problem.path == "completion_window"
    assert "HUB_RETENTION_SECONDS" in problem.reason


def test_a_deadline_and_a_window_are_one_too_many() -> None:
    problem = only_problem(envelope(deadline=iso(NOW + HOUR), completion_window="1h"))
    assert problem.path == "completion_window"


# --- records ------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(extra=st.dictionaries(st.text(), json_values, max_size=3), custom_id=st.none() | st.text())
def test_an_item_survives_its_record(extra: dict[str, Any], custom_id: str | None) -> None:
    item = Item(
        body={**extra, **BODY},
        deployment="gpt-4.1-ptu",
        deadline=NOW + HOUR,
        priority=Priority.HIGH,
        custom_id=custom_id,
        metadata={"a": "b"},
    )
    assert Item.from_record(orjson.loads(orjson.dumps(item.record()))) == item


@given(raw=json_values)
def test_whatever_json_comes_it_is_an_item_or_has_problems(raw: object) -> None:
    parsed = parse_item(raw, 0, now=NOW, rules=RULES)
    assert isinstance(parsed, Item) or parsed


@given(
    fields=st.dictionaries(
        st.sampled_from(
            ["custom_id", "deployment", "priority", "deadline", "completion_window", "metadata"]
        ),
        json_values,
    ),
    body=st.fixed_dictionaries({"messages": json_values}) | json_values,
)
def test_whatever_envelope_comes_it_is_an_item_or_has_problems(
    fields: dict[str, Any], body: object
) -> None:
    parsed = parse_item({**fields, "body": body}, 0, now=NOW, rules=RULES)
    assert isinstance(parsed, Item) or parsed


def test_a_problem_is_told_as_index_path_and_reason() -> None:
    assert Problem(3, "body.stream", "why").as_dict() == {
        "index": 3,
        "path": "body.stream",
        "reason": "why",
    }


@given(st.timedeltas(timedelta(seconds=1), timedelta(days=6)), st.integers(-23, 23))
def test_the_time_zone_of_a_deadline_does_not_matter(ahead: timedelta, hours: int) -> None:
    when = datetime.fromtimestamp(NOW, UTC) + ahead
    elsewhere = when.astimezone(timezone(timedelta(hours=hours)))
    assert (
        accepted(envelope(deadline=elsewhere.isoformat())).deadline
        == accepted(envelope(deadline=when.isoformat())).deadline
    )
