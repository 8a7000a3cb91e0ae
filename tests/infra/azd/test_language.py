"""The tests' own reading of Bicep: operators bind as in it, branches are taken when they must."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.bicep.dependencies import dependencies, waits_for
from tests.support.bicep.evaluate import GROUP, Evaluation, Failed, Unknown
from tests.support.bicep.syntax import parse


def value(expression: str, **given: Any) -> Any:
    file = parse(f"var x = {expression}\n", path=Path("x.bicep"))
    return Evaluation(file, given=given)["x"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("1 + 2 * 3", 7, id="times before plus"),
        pytest.param("(1 + 2) * 3", 9, id="brackets"),
        pytest.param("7 - 2 - 1", 4, id="from the left"),
        pytest.param("o.n > 1 && o.n < 3", True, id="members before comparison"),
        pytest.param("1 < o.l[1]", True, id="indexes before comparison"),
        pytest.param("(5 - o.n) % 2 == 1", True, id="a remainder"),
        pytest.param("!(o.n == 2) || o.n == 2", True, id="not before or"),
        pytest.param("true ? o.n : o.l[0]", 2, id="a choice before an index"),
        pytest.param("false ? o.n : o.l[0]", 7, id="its other branch"),
        pytest.param("false ? 1 : true ? 2 : 3", 2, id="a choice in a choice"),
        pytest.param("'${o.n} of ${length(o.l)}'", "2 of 2", id="text"),
        pytest.param("[for (e, i) in o.l: e + i]", [7, 9], id="a loop"),
        pytest.param("string({ a: [1, 'b'] })", '{"a":[1,"b"]}', id="an object as text"),
        pytest.param("contains({ aB: 1 }, 'Ab')", True, id="a key in any case"),
        pytest.param("contains(['aB'], 'Ab')", False, id="an element in its own case"),
        pytest.param("environment().suffixes.storage", "core.windows.net", id="the cloud"),
        pytest.param("union(['a'], ['b', 'a', 'b'])", ["a", "b"], id="each element once"),
        pytest.param("'${indexOf(o.l, 8)},${indexOf(o.l, 9)}'", "1,-1", id="where an element is"),
        pytest.param("skip(o.l, 1)", [8], id="without the first"),
        pytest.param("union({ a: 1 }, { a: 2, b: 3 })", {"a": 2, "b": 3}, id="the later wins"),
    ],
)
def test_an_expression_has_the_value_that_bicep_gives_it(expression: str, expected: Any) -> None:
    assert value(expression, o={"n": 2, "l": [7, 8]}) == expected


def test_a_branch_that_is_not_taken_refuses_nothing() -> None:
    assert value("true || fail('no') ? 1 : fail('no')") == 1
    with pytest.raises(Failed, match=r"^because$"):
        value("false ? 1 : fail('because')")


def test_the_id_of_a_resource_is_made_of_its_type_and_name() -> None:
    found = value("resourceId('Microsoft.Network/privateDnsZones', 'a.b')")
    assert found == f"{GROUP}/providers/Microsoft.Network/privateDnsZones/a.b"


NESTED = """
param zones array
var through = first.outputs.id
module first 'a.bicep' = { params: { names: [for zone in zones: zone] } }
module second 'a.bicep' = if (!empty(through)) { params: {} }
module third 'a.bicep' = {
  params: { names: [for first in zones: first] }
  dependsOn: [second]
}
"""


def test_what_waits_for_what_is_read_from_names_conditions_and_variables() -> None:
    file = parse(NESTED, path=Path("x.bicep"))
    assert dependencies(file) == {
        "first": frozenset(),
        "second": {"first"},
        "third": {"second"},
    }, "the variable of a loop is no module of the same name"
    assert waits_for(file, "third") == {"first", "second"}


def test_a_module_in_a_loop_has_as_many_rounds_as_there_are_elements() -> None:
    fourth = "module fourth 'a.bicep' = [for (z, i) in zones: { name: z }]\n"
    file = parse(NESTED + fourth, path=Path("x.bicep"))
    evaluation = Evaluation(file, parameters={"zones": ["a", "b"]})
    modules = file.of("module")
    assert evaluation.rounds(modules["fourth"]) == [{"z": "a", "i": 0}, {"z": "b", "i": 1}]
    assert evaluation.rounds(modules["first"]) == [{}]


def test_what_is_not_known_is_said_instead_of_guessed() -> None:
    with pytest.raises(Unknown, match="m has no value"):
        value("m.outputs.id")
