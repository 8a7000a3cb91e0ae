"""The gateway's policies: XML and C# that can be read, and nothing that they name is missing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from ptu_optimizer.capacity.signals.usage_events import UsageEvent, decode
from ptu_optimizer.requests.intake.validation import ItemRules, parse_item
from ptu_optimizer.requests.item import Item
from tests.infra.azd.places import INFRA, POLICIES, template
from tests.support.bicep.evaluate import Evaluation
from tests.support.bicep.syntax import Expression
from tests.support.functions import of_type
from tests.support.policies import Policy, csharp_errors, included, misplaced, parse

FOLDER = INFRA / "app" / "policies"
API = template("app/api-management-api.bicep")
SERVICE = template("app/api-management.bicep")
TEXTS = {path.relative_to(FOLDER).as_posix(): path.read_text("utf-8") for path in POLICIES}
READ = {name: parse(text) for name, text in TEXTS.items()}
DOCUMENT = READ["openai.xml"]

EVALUATED = Evaluation(
    API,
    parameters={
        "gatewayClientId": "c",
        "hasNextBackend": True,
        "jwtAudience": "",
        "jwtRoles": "",
        "tenantClaim": "azp",
    },
    given={"loadTextContent": None},
)


def named_values() -> set[str]:
    secrets = [
        one.value["name"]
        for one in API.resources
        if one.resource_type.endswith("/namedValues") and isinstance(one.value["name"], str)
    ]
    return {one["name"] for one in EVALUATED["values"]} | set(secrets)


def created(kind: str) -> set[str]:
    """Names of the resources of a type that are created with the service."""
    return {
        one.value["name"]
        for one in SERVICE.resources
        if one.resource_type == f"Microsoft.ApiManagement/service/{kind}"
    }


def fragments() -> dict[str, str]:
    """By name, the file that a fragment is made of."""
    listed = API.of("variable")["texts"].value
    return {one["name"]: re.findall(r"'policies/([^']+)'", one["text"].text)[0] for one in listed}


def operations() -> set[str]:
    return {one["name"] for one in API.of("variable")["operations"].value}


def missing(policy: Policy) -> list[str]:
    """What a policy refers to and nothing makes."""
    return [
        f"{what} {name}"
        for what, refers, there in (
            ("fragment", policy.fragments, fragments().keys()),
            ("named value", policy.named_values, named_values()),
            ("backend", policy.backends, created("backends")),
            ("logger", policy.loggers, created("loggers")),
            ("operation", policy.operations, operations()),
        )
        for name in sorted(refers - there)
    ]


def test_the_policies_were_found() -> None:
    assert set(fragments().values()) | {"openai.xml"} == TEXTS.keys()


@pytest.mark.parametrize("name", TEXTS)
def test_what_a_policy_refers_to_exists(name: str) -> None:
    assert missing(READ[name]) == []


@pytest.mark.parametrize("name", TEXTS)
def test_policies_stand_where_they_may(name: str) -> None:
    root = READ[name].root
    if root.tag == "policies":
        assert misplaced(root) == []
        return
    fragment = next(one for one, file in fragments().items() if file == name)
    sections = frozenset(
        s for s, included_one in included(DOCUMENT.root) if included_one == fragment
    )
    assert sections, "no document includes it"
    assert misplaced(root, sections=sections) == []


@pytest.mark.parametrize(
    ("name", "expression"),
    [(name, one) for name, policy in READ.items() for one in policy.expressions],
)
def test_an_expression_is_csharp(name: str, expression: str) -> None:
    assert csharp_errors(expression) == []


def test_variables_that_are_read_are_set() -> None:
    read = {one for policy in READ.values() for one in policy.variables_read}
    given = {one for policy in READ.values() for one in policy.variables_set}
    assert read - given == set()


def test_nothing_is_made_that_no_policy_uses() -> None:
    used = {name: set[str]() for name in ("fragments", "named_values", "backends", "loggers")}
    for policy in READ.values():
        for name in used:
            used[name] |= getattr(policy, name)
    assert used["fragments"] == fragments().keys()
    assert used["named_values"] == named_values()
    assert used["backends"] == created("backends")
    assert used["loggers"] == created("loggers")


# --- what is told to the queue -------------------------------------------------------------------

SAMPLES = {
    "kind": "started",
    "id": "c1",
    "at": "2026-11-25T08:00:00.1200000Z",
    "deployment": "gpt-4.1",
    "tenant": "search",
    "status": 200,
    "prompt_tokens": 800,
    "cached_tokens": 512,
    "completion_tokens": 131,
    "max_tokens": 400,
    "estimated": False,
}


def event(fragment: str) -> dict[str, Any]:
    """An event as the fragment writes it, with values of the right kind."""
    names = re.findall(r'new JProperty\("(\w+)"', TEXTS[f"fragments/{fragment}.xml"])
    kind = re.findall(r'new JProperty\("kind", "(\w+)"\)', TEXTS[f"fragments/{fragment}.xml"])
    return {**{name: SAMPLES[name] for name in names}, "kind": kind[0]}


@pytest.mark.parametrize(
    ("fragment", "kind"), [("interactive", "started"), ("usage-finished", "finished")]
)
def test_the_app_understands_the_events(fragment: str, kind: str) -> None:
    (read,) = decode(orjson.dumps(event(fragment)))
    assert isinstance(read, UsageEvent)
    assert read.kind == kind
    needed = {"prompt_tokens", "id", "at", "deployment", "max_tokens"}
    assert needed <= event(fragment).keys()


def test_an_end_says_what_was_used_and_whether_that_is_a_guess() -> None:
    assert {"status", "cached_tokens", "completion_tokens", "estimated"} <= event(
        "usage-finished"
    ).keys()
    text = TEXTS["fragments/usage-finished.xml"]
    assert "x-ms-spillover-from" in text, "what Azure spilled over cost nothing"


def test_both_events_of_a_call_go_to_the_same_partition() -> None:
    keys = {
        element.attrib["partition-key"]
        for policy in READ.values()
        for element in policy.root.iter("log-to-eventhub")
    }
    assert keys == {"@(context.RequestId.ToString())"}


# --- what is put into the queue ------------------------------------------------------------------


def test_the_queue_takes_the_item_that_is_made_of_a_call() -> None:
    text = TEXTS["fragments/enqueue.xml"]
    names = set(re.findall(r'new JProperty\("(\w+)"|item\["(\w+)"\]', text))
    item = {
        "body": {"messages": [{"role": "user", "content": "x"}]},
        "deployment": "gpt-4.1",
        "metadata": {"tenant": "search"},
        "completion_window": "2h",
    }
    assert {one or other for one, other in names} - {"tenant"} == item.keys()
    rules = ItemRules(
        deployments=("gpt-4.1",),
        default_deployment="gpt-4.1",
        default_deadline_seconds=86_400,
        longest_deadline_seconds=604_800,
    )
    assert isinstance(parse_item(item, 0, now=0.0, rules=rules), Item)


def test_the_queue_is_called_by_routes_that_it_has() -> None:
    routes = {name: binding["route"] for name, binding in of_type("httpTrigger").items()}
    assert 'template="/producer"' in TEXTS["fragments/enqueue.xml"]
    assert routes["producer"] == "producer"
    assert 'template="/requests/{request-id}"' in TEXTS["fragments/read-back.xml"]
    assert routes["request"] == "requests/{request_id}"


def test_callers_keys_and_tokens_end_at_the_gateway() -> None:
    for name in ("enqueue", "read-back"):
        deleted = {
            one.attrib["name"]
            for one in READ[f"fragments/{name}.xml"].root.iter("set-header")
            if one.attrib["exists-action"] == "delete"
        }
        assert deleted == {"api-key", "Authorization"}
    interactive = READ["fragments/interactive.xml"].root
    replaced = {
        one.attrib["name"]: one.attrib["exists-action"] for one in interactive.iter("set-header")
    }
    assert replaced == {"api-key": "delete", "Authorization": "override"}


def test_a_key_in_the_address_ends_at_the_gateway() -> None:
    """The gateway takes it there as well, and a service would write it into its log."""
    interactive = READ["fragments/interactive.xml"].root
    deleted = [
        one.attrib["name"]
        for one in interactive.iter("set-query-parameter")
        if one.attrib["exists-action"] == "delete"
    ]
    assert deleted == ["api-key"]
    for name in ("enqueue", "read-back"):
        (rewritten,) = READ[f"fragments/{name}.xml"].root.iter("rewrite-uri")
        assert rewritten.attrib["copy-unmatched-params"] == "false"


def test_without_a_subscription_a_token_is_asked_for() -> None:
    first, *_ = DOCUMENT.root[0].iter("include-fragment")
    assert first.attrib["fragment-id"] == "tenant", "before anything else"
    (check,) = READ["fragments/tenant.xml"].root.iter("validate-jwt")
    assert check.attrib["failed-validation-httpcode"] == "401"
    assert check.attrib["require-scheme"] == "Bearer"
    asked = API.of("resource")["api"].value["properties"]["subscriptionRequired"]
    assert isinstance(asked, Expression)
    for audience, subscription in (("", True), ("api://gateway", False)):
        evaluated = Evaluation(API, parameters={"jwtAudience": audience})
        assert evaluated.value(asked.node) is subscription


def test_the_keys_of_functions_are_secret() -> None:
    for name in ("queueKey", "queueReadKey"):
        assert API.of("resource")[name].value["properties"]["secret"] is True


# --- the checks find what is planted -------------------------------------------------------------


def changed(name: str, old: str, new: str) -> Policy:
    assert old in TEXTS[name]
    return parse(TEXTS[name].replace(old, new, 1))


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        pytest.param("openai.xml", '"tenant"', '"tenants"', "fragment tenants", id="a fragment"),
        pytest.param(
            "fragments/enqueue.xml", "{{queue-key}}", "{{key}}", "named value key", id="a value"
        ),
        pytest.param(
            "openai.xml", '"openai-next"', '"openai-2"', "backend openai-2", id="a backend"
        ),
        pytest.param(
            "fragments/interactive.xml", '"usage"', '"uses"', "logger uses", id="a logger"
        ),
        pytest.param(
            "openai.xml", '"queue-read"', '"queue-get"', "operation queue-get", id="an operation"
        ),
    ],
)
def test_a_reference_that_leads_nowhere_is_found(name: str, old: str, new: str, says: str) -> None:
    assert says in missing(changed(name, old, new))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        pytest.param("openai.xml", "forward-request", "forward-requests", id="no such policy"),
        pytest.param("openai.xml", "<outbound>", "<outbound><validate-jwt />", id="not there"),
        pytest.param("openai.xml", "<backend>", "<backend><base />", id="two in backend"),
    ],
)
def test_a_policy_that_is_out_of_place_is_found(name: str, old: str, new: str) -> None:
    assert misplaced(changed(name, old, new).root) != []


def test_a_variable_that_nothing_sets_is_found() -> None:
    policy = changed("openai.xml", '<set-variable name="attempt"', '<set-variable name="tries"')
    assert "attempt" in policy.variables_read
    first = policy.root.find("inbound")
    assert first is not None
    assert "attempt" not in {one.attrib["name"] for one in first.iter("set-variable")}


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param('@(context.Operation.Id = = "x")', id="an operator"),
        pytest.param("@{ return new JObject( ; }", id="a bracket"),
        pytest.param("@(context", id="no end"),
    ],
)
def test_an_expression_that_is_no_csharp_is_found(expression: str) -> None:
    assert csharp_errors(expression) != []


def test_text_that_is_no_xml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SyntaxError):
        parse(TEXTS["openai.xml"].replace("As&lt;", "As<").replace("&lt;", "<"))
