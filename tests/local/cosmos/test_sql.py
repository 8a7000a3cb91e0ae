"""The SQL subset by itself: what a query means, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from local.cosmos.sql import UNDEFINED, SqlError, parse, plan
from local.cosmos.sql.values import sort_key


def value_of(expression: str, item: dict[str, Any] | None = None, **parameters: Any) -> Any:
    planned = plan(
        parse(f"SELECT VALUE {expression} FROM c"),
        {f"@{name}": value for name, value in parameters.items()},
    )
    assert planned.select is not None
    return planned.select(item or {})


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 = 1.0", True),
        ("1 = '1'", UNDEFINED),
        ("true = 1", UNDEFINED),
        ("null = null", True),
        ("null <= null", True),
        ("null < null", False),
        ("null = undefined", UNDEFINED),
        ("undefined = undefined", UNDEFINED),
        ("false < true", True),
        ("'a' < 'b'", True),
        ("'a' < 1", UNDEFINED),
        ("[1, [2]] = [1, [2.0]]", True),
        ("[1] = [true]", False),
        ("[1] < [2]", UNDEFINED),
        ("-1.5e1 = -15", True),
        (".5 = 0.5", True),
    ],
)
def test_comparisons_are_typed(expression: str, expected: Any) -> None:
    assert value_of(expression) is expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("false AND undefined", False),
        ("undefined AND false", False),
        ("true AND undefined", UNDEFINED),
        ("true OR undefined", True),
        ("undefined OR true", True),
        ("false OR undefined", UNDEFINED),
        ("NOT undefined", UNDEFINED),
        ("NOT true", False),
        ("NOT NOT true", True),
        ("NOT 1", UNDEFINED),
        ("1 AND true", UNDEFINED),
        ("true OR false AND false", True),
        ("NOT false OR true", True),
        ("NOT (false OR true)", False),
    ],
)
def test_logic_has_three_values(expression: str, expected: Any) -> None:
    assert value_of(expression) is expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("c.s IN ('x', 's')", True),
        ("c.s IN (1)", False),
        ("c.none IN (1)", UNDEFINED),
        ("c.s NOT IN ('x')", True),
        ("IS_DEFINED(c.nothing)", True),
        ("IS_DEFINED(c.none)", False),
        ("IS_DEFINED(c.o.none.deeper)", False),
        ("STARTSWITH(c.s, '')", True),
        ("STARTSWITH(c.n, '1')", UNDEFINED),
        ("ARRAY_CONTAINS(c.list, 2.0)", True),
        ("ARRAY_CONTAINS(c.list, true)", False),
        ("ARRAY_CONTAINS(c.s, 's')", UNDEFINED),
        ("ARRAY_CONTAINS(c.list, c.none)", UNDEFINED),
        ("ARRAY_CONTAINS(['s'], c.s)", True),
        ("c.list[1]", 2),
        ("c.list[9]", UNDEFINED),
        ("c.s.x", UNDEFINED),
        ('c.o["a b"]', 3),
        ("c.O", UNDEFINED),
    ],
)
def test_properties_and_functions(expression: str, expected: Any) -> None:
    item = {"s": "s", "n": 1, "nothing": None, "list": [1, 2], "o": {"a b": 3}}
    assert value_of(expression, item) == expected


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        (r"'it\'s'", "it's"),
        (r'"say \"hi\""', 'say "hi"'),
        ("'\"'", '"'),
        (r"'\u65e5\ud83d\ude00'", "日\U0001f600"),
        (r"'a\\b\n'", "a\\b\n"),
        ("'日本'", "日本"),
        ("''", ""),
    ],
)
def test_strings_may_hold_escapes(literal: str, expected: str) -> None:
    assert value_of(literal) == expected


def test_a_parameter_may_be_any_json() -> None:
    assert value_of("@p", p={"a": [1]}) == {"a": [1]}
    assert value_of("ARRAY_CONTAINS(@p, c.x)", {"x": 1}, p=[1]) is True
    with pytest.raises(SqlError, match="@missing"):
        value_of("@missing")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("SELECT DISTINCT c.a FROM c", "DISTINCT"),
        ("SELECT c.a FROM c JOIN t IN c.tags", "JOIN"),
        ("SELECT c.a FROM c GROUP BY c.a", "GROUP"),
        ("SELECT c.a FROM c WHERE c.a BETWEEN 1 AND 2", "BETWEEN"),
        ("SELECT c.a FROM c WHERE c.a LIKE 'x%'", "LIKE"),
        ("SELECT c.a FROM c WHERE EXISTS(SELECT 1)", "EXISTS"),
        ("SELECT c.a FROM c WHERE c.a IN (SELECT 1)", "syntax"),
        ("SELECT c.a FROM c WHERE (SELECT 1) = 1", "subquery"),
        ("SELECT c.a FROM (SELECT 1) c", "subquery"),
        ("SELECT c.a FROM t IN c.tags", "FROM with a path"),
        ("SELECT c.a FROM c.tags", "FROM with a path"),
        ("SELECT VALUE SUM(c.a) FROM c", r"SUM\(\)"),
        ("SELECT VALUE COUNT(c.a) FROM c", "COUNT of anything"),
        ("SELECT COUNT(1) FROM c", r"COUNT\(\)"),
        ("SELECT TOP 1 VALUE COUNT(1) FROM c", "COUNT with"),
        ("SELECT c.a + 1 AS b FROM c", r"operator \+"),
        ("SELECT c.a FROM c WHERE c.a = 1 ? true : false", r"operator \?"),
        ("SELECT c.a FROM c WHERE c.a ?? 1", r"\?\?"),
        ("SELECT {'a': c.a} AS b FROM c", "object"),
        ("SELECT c.a FROM c WHERE CONTAINS(c.a, 'x')", r"CONTAINS\(\)"),
        ("SELECT c.a FROM c WHERE STARTSWITH(c.a, 'x', true)", "STARTSWITH with 3"),
        ("SELECT c.a FROM c ORDER BY 1", "ORDER BY anything"),
        ("SELECT 1", "without FROM"),
        ("SELECT 1 FROM c", "no AS"),
        ("SELECT c.a, c.b.a FROM c", "same name"),
        ("SELECT * FROM c ORDER c.a", "near 'c'"),
        ("SELECT * FROM c WHERE c.a = 'open", "near"),
        (r"SELECT * FROM c WHERE c.a = '\x'", "escape"),
        ("SELECT * FROM c WHERE c.value = 1", "reserved"),
        ("SELECT * FROM c; DROP", "near"),
        ("SELECT TOP 1.5 * FROM c", "near '1.5'"),
        ("SELECT * FROM c WHERE " + "(" * 80 + "true" + ")" * 80, "deeper"),
        ("SELECT * FROM c WHERE " + "NOT " * 80 + "true", "deeper"),
        ("SELECT * FROM", "the end"),
        ("", "SELECT|FROM|the end"),
    ],
)
def test_what_is_outside_the_subset_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(SqlError, match=named):
        parse(text)


@pytest.mark.parametrize("value", [-1, 1.5, "1", True, None])
def test_limits_must_be_whole_numbers(value: Any) -> None:
    with pytest.raises(SqlError, match="whole number"):
        plan(parse("SELECT TOP @n * FROM c"), {"@n": value})


def test_a_long_chain_is_no_depth() -> None:
    chain = " OR ".join(f"c.n = {n}" for n in range(3_000))
    planned = plan(parse(f"SELECT * FROM c WHERE {chain}"), {})
    assert planned.matches is not None
    assert planned.matches({"n": 2_999})


def test_strings_that_must_occur_are_known_before_an_item_is_parsed() -> None:
    text = "SELECT * FROM c WHERE c.a = @a AND ('é' = c.b AND c.n = 1) AND (c.x = 'y' OR c.z = 'z')"
    assert plan(parse(text), {"@a": 'q"'}).needles == (b'"q\\""', '"é"'.encode())


@pytest.mark.parametrize(
    ("text", "streams"),
    [
        ("SELECT * FROM c WHERE c.a = 1", True),
        ("SELECT * FROM c ORDER BY c.a", False),
        ("SELECT TOP 1 * FROM c", False),
        ("SELECT * FROM c OFFSET 0 LIMIT 1", False),
        ("SELECT VALUE COUNT(1) FROM c", False),
    ],
)
def test_only_queries_without_a_whole_stream(text: str, streams: bool) -> None:
    assert plan(parse(text), {}).streams is streams


def test_types_have_an_order() -> None:
    in_order: list[Any] = [UNDEFINED, None, False, True, -1, 0.5, 2, "", "B", "a", [], {}]
    assert sorted(in_order[9::-1], key=sort_key) == in_order[:10]
    assert sort_key("z") < sort_key([]) < sort_key({})
