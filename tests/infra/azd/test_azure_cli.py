"""infra/scripts/azure.py, prices.py, questions.py, tools.py: what the hooks share."""

from __future__ import annotations

import json
import sys

import pytest

from infra.scripts import prices
from infra.scripts.azure import (
    Azure,
    AzureError,
    Failed,
    Forbidden,
    NotFound,
    NotLoggedIn,
    group_id,
    parts,
)
from infra.scripts.questions import Terminal, confirmed, quoted, terminal
from infra.scripts.tools import Done, HookError, is_true, run, set_variable, start
from tests.infra.azd.az_stub import (
    BROKEN,
    MISSING,
    NO_LOGIN,
    NO_RIGHTS,
    AzStub,
    deployment,
    printed,
)

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
OTHER = "22222222-2222-2222-2222-222222222222"
ACCOUNT = (
    f"/subscriptions/{OTHER}/resourceGroups/ai/providers/Microsoft.CognitiveServices/accounts/acct"
)


@pytest.fixture
def stub() -> AzStub:
    return AzStub()


@pytest.fixture
def azure(stub: AzStub) -> Azure:
    return Azure(SUBSCRIPTION, runner=stub)


# --- azure.py ------------------------------------------------------------------------------------


def test_each_command_names_the_subscription(azure: Azure, stub: AzStub) -> None:
    stub.answers["az group show"] = {"name": "rg-dev"}
    assert azure.group("rg-dev") == {"name": "rg-dev"}
    (call,) = stub.calls
    assert call[call.index("--subscription") + 1] == SUBSCRIPTION
    assert call[-2:] == ["--output", "json"]


@pytest.mark.parametrize(
    ("done", "kind"),
    [
        pytest.param(MISSING, NotFound, id="a resource that is not there"),
        pytest.param(
            Done(3, "", "ERROR: (ResourceGroupNotFound) Resource group 'x' could not be found."),
            NotFound,
            id="a group that is not there",
        ),
        pytest.param(Done(3, "", "ERROR: nothing like it"), NotFound, id="exit code 3"),
        pytest.param(
            Done(1, "", 'ERROR: Not Found({"error":{"code":"DeploymentNotFound","message":"m"}})'),
            NotFound,
            id="az rest, JSON",
        ),
        pytest.param(Done(1, "", "ERROR: Not Found"), NotFound, id="az rest, no body"),
        pytest.param(NO_RIGHTS, Forbidden, id="no rights"),
        pytest.param(
            Done(1, "", 'ERROR: Forbidden({"error":{"code":"AuthorizationFailed"}})'),
            Forbidden,
            id="az rest, no rights",
        ),
        pytest.param(
            Done(
                1, "", f"ERROR: The subscription of '{OTHER}' doesn't exist in cloud 'AzureCloud'."
            ),
            Forbidden,
            id="a subscription that the login does not see",
        ),
        pytest.param(
            Done(1, "", f"ERROR: Subscription '{OTHER}' not found. Check the spelling."),
            Forbidden,
            id="the same, as other commands say it",
        ),
        pytest.param(NO_LOGIN, NotLoggedIn, id="no login"),
        pytest.param(
            Done(1, "", "ERROR: AADSTS70043: The refresh token has expired."),
            NotLoggedIn,
            id="an expired login",
        ),
        pytest.param(BROKEN, Failed, id="a failure of Azure's"),
        pytest.param(Done(1, "", ""), Failed, id="no words at all"),
    ],
)
def test_errors_are_told_apart(azure: Azure, stub: AzStub, done: Done, kind: type) -> None:
    stub.answers["az"] = done
    with pytest.raises(AzureError) as raised:
        azure.ask("group", "show", "--name", "x")
    assert type(raised.value) is kind
    assert "az group show --name" in str(raised.value)


def test_what_is_not_there_is_none_and_other_errors_are_raised(azure: Azure, stub: AzStub) -> None:
    stub.answers["az"] = MISSING
    assert azure.group("x") is None
    assert azure.account(ACCOUNT) is None
    assert azure.deployments(ACCOUNT) == []
    stub.answers["az"] = NO_RIGHTS
    for ask in (azure.group, azure.account, azure.deployments):
        with pytest.raises(Forbidden):
            ask(ACCOUNT)


def test_deployments_are_asked_for_in_the_accounts_subscription_with_their_tags(
    azure: Azure, stub: AzStub
) -> None:
    group = group_id(SUBSCRIPTION, "rg-dev")
    tags = {"azd-env-name": "dev", "azd-env-group": group.upper()}
    stub.answers[f"az rest --method get --url {ACCOUNT}/deployments"] = {
        "value": [deployment(ACCOUNT, "ptu", tags=tags), deployment(ACCOUNT, "theirs")],
        "nextLink": "https://management.azure.com/more?page=2",
    }
    stub.answers["az rest --method get --url https://management.azure.com/more"] = {
        "value": [deployment(ACCOUNT, "payg", sku="GlobalStandard", capacity=100)]
    }
    ours, theirs, payg = azure.deployments(ACCOUNT)
    assert ours.is_ours(environment="dev", group_id=group)
    assert not ours.is_ours(environment="test", group_id=group)
    assert not ours.is_ours(environment="dev", group_id=group_id(OTHER, "rg-dev"))
    assert not theirs.is_ours(environment="dev", group_id=group)
    assert (ours.model, ours.version, ours.sku) == (
        "gpt-4.1",
        "2025-04-14",
        "GlobalProvisionedManaged",
    )
    assert (ours.price, payg.price) == ("about 36,500 USD a month", "paid by the token")
    assert (ours.is_provisioned, payg.is_provisioned) == (True, False)
    assert all(call[call.index("--subscription") + 1] == OTHER for call in stub.calls)


def test_a_deletion_of_what_is_gone_is_no_failure(azure: Azure, stub: AzStub) -> None:
    azure.delete_deployment(ACCOUNT, "ptu")
    stub.answers["az"] = MISSING
    azure.delete_deployment(ACCOUNT, "ptu")
    assert stub.lines()[0].startswith(f"az rest --method delete --url {ACCOUNT}/deployments/ptu ")
    stub.answers["az"] = NO_RIGHTS
    with pytest.raises(Forbidden):
        azure.delete_deployment(ACCOUNT, "ptu")


def test_a_deletion_is_waited_for_until_azure_answers_404(azure: Azure, stub: AzStub) -> None:
    slept: list[float] = []
    there = printed({"name": "ptu"})
    stub.answers["az"] = [there, BROKEN, there, MISSING]
    gone = azure.wait_until_gone(
        f"{ACCOUNT}/deployments/ptu", api_version="2025-06-01", tries=9, sleep=slept.append
    )
    assert gone
    assert len(slept) == 3
    stub.answers["az"] = there
    assert not azure.wait_until_gone(ACCOUNT, api_version="2025-06-01", tries=2, sleep=slept.append)
    assert len(slept) == 4, "no pause after the last try"
    stub.answers["az"] = BROKEN
    with pytest.raises(Failed):
        azure.wait_until_gone(ACCOUNT, api_version="2025-06-01", tries=2, sleep=slept.append)


def test_a_body_is_handed_over_in_a_file(azure: Azure) -> None:
    bodies = []

    def runner(command: list[str]) -> Done:
        body = command[command.index("--body") + 1]
        with open(body.removeprefix("@"), encoding="utf-8") as file:
            bodies.append(json.load(file))
        return Done(0, "", "")

    asked = Azure(SUBSCRIPTION, runner=runner)  # type: ignore[arg-type]
    assert asked.rest("patch", "/x", api_version="1", body={"tags": {"a": "b"}}) is None
    assert bodies == [{"tags": {"a": "b"}}]


def test_an_id_falls_into_its_parts() -> None:
    assert parts(ACCOUNT) == (OTHER, "ai", "acct")


# --- tools.py ------------------------------------------------------------------------------------


def test_a_tool_that_is_missing_is_named_with_where_to_get_it() -> None:
    with pytest.raises(HookError, match=r"azd is not installed: https://aka\.ms/azd-install"):
        start(["azd", "version"])
    with pytest.raises(HookError, match="azd is not installed"):
        run(["azd", "version"])


def test_both_streams_of_a_tool_are_kept() -> None:
    program = "import sys; print('out'); print('error', file=sys.stderr); sys.exit(4)"
    assert start([sys.executable, "-c", program]) == Done(4, "out", "error")


def test_a_variable_is_kept_in_the_environment_that_is_provisioned(stub: AzStub) -> None:
    set_variable({"AZURE_ENV_NAME": "dev"}, "A", "b c", runner=stub)
    set_variable({}, "A", "", runner=stub)
    assert stub.calls == [
        ["azd", "env", "set", "A", "b c", "--environment", "dev"],
        ["azd", "env", "set", "A", ""],
    ]
    stub.answers["azd"] = BROKEN
    with pytest.raises(HookError, match="azd env set A failed"):
        set_variable({}, "A", "b", runner=stub)


@pytest.mark.parametrize("word", ["1", "t", "T", "TRUE", "true", "True"])
def test_azds_words_for_true_are_true(word: str) -> None:
    assert is_true(word)


@pytest.mark.parametrize("word", [None, "", "0", "f", "false", "yes", "on", " true ", "tRUE"])
def test_no_other_word_is_true(word: str | None) -> None:
    assert not is_true(word)


# --- prices.py -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sku", "count", "usd", "told"),
    [
        ("GlobalProvisionedManaged", 50, 36_500, "about 36,500 USD a month"),
        ("DataZoneProvisionedManaged", 50, 40_150, "about 40,150 USD a month"),
        ("ProvisionedManaged", 50, 73_000, "about 73,000 USD a month"),
        ("GlobalStandard", 100, 0, "paid by the token"),
        ("Standard", 100, 0, "paid by the token"),
        ("EuropeProvisionedManaged", 50, 73_000, "up to 73,000 USD a month"),
    ],
)
def test_a_deployment_has_its_price(sku: str, count: int, usd: float, told: str) -> None:
    assert prices.usd_per_month(sku, count) == pytest.approx(usd)
    assert prices.told(sku, count) == told


# --- questions.py --------------------------------------------------------------------------------


def asked(env: dict[str, str], *, types: str | None, there: bool = True) -> bool:
    def read(prompt: str) -> str:
        assert "Type dev to go on" in prompt
        if types is None:
            raise EOFError
        return types

    return confirmed(
        "Delete it?",
        word="dev",
        variable="DOWN_CONFIRMED",
        value="dev",
        env=env,
        where=Terminal(there=there, read=read),
    )


@pytest.mark.parametrize(
    ("types", "meant"),
    [
        pytest.param("dev", True, id="the word"),
        pytest.param(" dev ", True, id="spaces around it"),
        pytest.param("y", False, id="another word"),
        pytest.param("", False, id="nothing"),
        pytest.param(None, False, id="the input has ended"),
    ],
)
def test_a_typed_word_answers(types: str | None, meant: bool) -> None:
    assert asked({}, types=types) is meant


def test_without_a_terminal_the_variable_answers_and_nothing_waits() -> None:
    assert asked({"DOWN_CONFIRMED": "dev"}, types=None, there=False)
    for given in ({}, {"DOWN_CONFIRMED": "test"}):
        with pytest.raises(HookError, match="azd env set DOWN_CONFIRMED dev"):
            asked(given, types="dev", there=False)


@pytest.mark.parametrize("name", ["CI", "TF_BUILD", "GITHUB_ACTIONS"])
def test_a_pipeline_has_no_terminal(name: str) -> None:
    assert not terminal({name: "true"}).there


def test_a_value_is_printed_as_a_shell_reads_it() -> None:
    assert quoted("rg-dev") == "rg-dev"
    assert quoted("a b") == "'a b'"
    assert quoted("") == "''"
