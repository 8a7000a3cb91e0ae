"""What the gateway's policies do with legal and illegal bodies, and with good and bad answers.

The policies' own expressions are compiled as C# and run on a table of calls: by `dotnet`, else by
mono. Where there is neither, the texts are held to the forms that were run.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from ptu_optimizer.capacity.signals.usage_events import UsageEvent, decode
from ptu_optimizer.requests.intake.validation import ItemRules, parse_item
from ptu_optimizer.requests.item import Item
from tests.infra.azd.places import INFRA, POLICIES
from tests.support.gateway import CannotCompile, compiled, run, source
from tests.support.policies import parse

FOLDER = INFRA / "app" / "policies"
READ = {path.relative_to(FOLDER).as_posix(): parse(path.read_text("utf-8")) for path in POLICIES}
FRAGMENTS = {Path(name).stem: policy.root for name, policy in READ.items() if name != "openai.xml"}
TABLE = json.loads(
    (Path(__file__).parent / "policies" / "inputs.json")
    .read_text(encoding="utf-8")
    .replace("LONG", "x" * 40_000)
)
Call = dict[str, Any]

GOOD_ANSWER = {
    "status": 200,
    "headers": {"Content-Type": "application/json"},
    "body": '{"usage": {"prompt_tokens": 80, "completion_tokens": 20}}',
}


def call(body: str | None = '{"max_tokens": 400}', **changes: Any) -> Call:
    """One call of the gateway, with what is usual."""
    named = {
        "gateway-client-id": "c",
        "has-next-backend": "false",
        "jwt-audience": "none",
        "jwt-roles": "*",
        "tenant-claim": "azp",
        "entra-tenant-id": "t",
        "queue-key": "k",
        "queue-read-key": "k",
    }
    return {
        "operation": "chat",
        "headers": {},
        "body": body,
        "subscription": "team-a",
        "claims": {},
        "answers": [GOOD_ANSWER],
        **changes,
        "named": {**named, **changes.get("named", {})},
    }


def asked(case: Call) -> Call:
    return call(case["body"])


def answered(case: Call) -> Call:
    return call('{"max_tokens": 400}  ', answers=[case["answer"]])


def queued(case: Call) -> Call:
    return call(case["body"], operation="queue-chat", headers={"X-Completion-Window": "2h"})


def caller(case: Call) -> Call:
    named = {"jwt-audience": "api://g", "jwt-roles": case["roles"], "tenant-claim": case["claim"]}
    return call(subscription=case["subscription"], claims=case["claims"], named=named)


RETRIED = call(
    answers=[{"status": 429, "headers": {}, "body": ""}, GOOD_ANSWER],
    named={"has-next-backend": "true"},
)
LOW = call(headers={"X-Priority": " Low "})
CALLS = {
    **{("asked", case["name"]): asked(case) for case in TABLE["asked"]},
    **{("answered", case["name"]): answered(case) for case in TABLE["answered"]},
    **{("queued", case["name"]): queued(case) for case in TABLE["queued"]},
    **{("callers", case["name"]): caller(case) for case in TABLE["callers"]},
    ("more", "retried"): RETRIED,
    ("more", "low"): LOW,
}
Results = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What became of each call of the table."""
    folder = tmp_path_factory.mktemp("gateway")
    program = source(READ["openai.xml"].root, FRAGMENTS)
    try:
        command = compiled(program, folder)
    except CannotCompile as error:
        pytest.skip(f"the policies cannot be run here: {error}")
    return dict(zip(CALLS, run(command, list(CALLS.values())), strict=True))


def cases(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in TABLE[kind]]


def test_the_table_has_what_a_review_threw_at_the_policies() -> None:
    assert len(TABLE["asked"]) + len(TABLE["answered"]) + len(TABLE["queued"]) >= 60


@pytest.mark.parametrize("key", CALLS, ids=" ".join)
def test_no_expression_throws(results: Results, key: tuple[str, str]) -> None:
    assert results[key]["threw"] is None


@pytest.mark.parametrize("case", cases("asked"))
def test_a_start_is_told_with_what_was_asked_for(results: Results, case: Call) -> None:
    started = results["asked", case["name"]]["told"][0]
    assert (started["kind"], started["max_tokens"]) == ("started", case["max"])
    assert started["prompt_tokens"] == min(len(_utf16(case["body"] or "")) // 4, 10_000_000)


def _utf16(text: str) -> bytes:
    """C# counts a character beyond 65,535 as two."""
    return text.encode("utf-16-le")[::2]


@pytest.mark.parametrize("case", cases("answered"))
def test_an_end_is_told_once_with_what_was_used_or_a_guess(results: Results, case: Call) -> None:
    started, finished = results["answered", case["name"]]["told"]
    assert (started["kind"], finished["kind"]) == ("started", "finished")
    assert {name: finished[name] for name in case["told"]} == case["told"]


@pytest.mark.parametrize("case", cases("answered"))
def test_the_caller_gets_the_answer_that_came(results: Results, case: Call) -> None:
    answer = case["answer"]
    assert results["answered", case["name"]]["status"] == (answer["status"] if answer else 0)


@pytest.mark.parametrize("key", [key for key in CALLS if key[0] in {"asked", "answered"}])
def test_the_app_takes_every_event(results: Results, key: tuple[str, str]) -> None:
    for told in results[key]["told"]:
        (event,) = decode(orjson.dumps({**told, "at": "2026-11-25T08:00:00.1200000Z"}))
        assert isinstance(event, UsageEvent), f"{told}: {event}"


def test_a_second_try_tells_the_end_of_the_first_and_nothing_more(results: Results) -> None:
    """What the next backend serves costs the provisioned deployment nothing."""
    result = results["more", "retried"]
    assert result["status"] == 200
    assert [told["kind"] for told in result["told"]] == ["started", "finished"]
    assert result["told"][1]["status"] == 429


RULES = ItemRules(
    deployments=("gpt-4.1",),
    default_deployment="gpt-4.1",
    default_deadline_seconds=86_400,
    longest_deadline_seconds=604_800,
)


@pytest.mark.parametrize("case", cases("queued"))
def test_the_app_alone_judges_what_goes_into_the_queue(results: Results, case: Call) -> None:
    result = results["queued", case["name"]]
    item = json.loads(result["sent"])
    assert item.keys() == {"body", "deployment", "metadata", "completion_window"}
    assert (item["deployment"], item["metadata"]) == ("gpt-4.1", {"tenant": "team-a"})
    if case["sent"] is not None:
        assert item["body"] == case["sent"]
    accepted = isinstance(parse_item(item, 0, now=0.0, rules=RULES), Item)
    assert accepted is case["accepted"]


def test_a_body_goes_on_word_for_word(results: Results) -> None:
    sent = results["queued", "numbers beyond 64 bits stay"]["sent"]
    assert "123456789012345678901" in sent


def test_low_priority_goes_into_the_queue_and_costs_the_deployment_nothing(
    results: Results,
) -> None:
    assert results["more", "low"]["told"] == []
    assert json.loads(results["more", "low"]["sent"])["body"] == {"max_tokens": 400}


@pytest.mark.parametrize("case", cases("callers"))
def test_who_calls_and_who_may(results: Results, case: Call) -> None:
    result = results["callers", case["name"]]
    assert (result["status"], result["tenant"]) == (case["status"], case["tenant"])
    assert bool(result["told"]) is (case["status"] == 200)


# --- without a compiler ---------------------------------------------------------------------------

EXPRESSIONS = sorted({one for policy in READ.values() for one in policy.expressions})


CAST_OF_A_TOKEN = re.compile(r"\((int|long|bool)\)\s*\(?(?!context\.)\w+\[")
READS = re.compile(r"\bAs<|JToken\.Parse")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_others_send_is_read_in_a_try_and_as_nothing_that_it_may_not_be(
    expression: str,
) -> None:
    """`As<JObject>` throws for an array, a cast of a token for a null or a text."""
    assert not re.search(r"As<(?!string>)", expression)
    assert not CAST_OF_A_TOKEN.search(expression)
    assert ".Value<" not in expression
    tries = [
        range(at.start(), expression.index("catch (Exception)", at.start()))
        for at in re.finditer(r"\btry \{", expression)
    ]
    for read in READS.finditer(expression):
        assert any(read.start() in inside for inside in tries)
