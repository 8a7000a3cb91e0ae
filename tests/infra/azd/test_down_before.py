"""predown: the rules of taking down, 1 to 5. Each sentence has a test of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.scripts.tools import HookError
from tests.infra.azd.down_case import (
    ACCOUNT,
    BRAKE,
    CALLER,
    CREATED,
    ENV,
    GATEWAY,
    INSIDE,
    OURS,
    OWN,
    READER,
    RULE,
    SIMILAR,
    SOMEBODY,
    THEIRS,
    Case,
)
from tests.infra.azd.fake_azure import (
    CONFLICT,
    ELSEWHERE,
    NO_RIGHT,
    NOT_LOGGED_IN,
    SUBSCRIPTION,
    group_id,
)
from tests.infra.azd.further import FURTHER, NORTH_ID, SOUTH_ID


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def refused(case: Case) -> str:
    """What predown says when it stops azd. Whatever it says, nothing was deleted."""
    with pytest.raises(HookError) as caught:
        case.before()
    assert case.azure.changes == []
    return str(caught.value)


# --- 1. what it goes by, and a group that is gone ------------------------------------------------


def test_inputs_are_enough(case: Case) -> None:
    """Outputs may be missing: azd removes them, or provisioning never ended."""
    assert case.env == ENV
    case.before()
    assert set(case.record["role_assignments"]) == {READER, CALLER}
    assert case.record["alert_rules"] == [RULE]


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param(
            {"FURTHER_OPENAI_RESOURCES": FURTHER["FURTHER_OPENAI_RESOURCES"]}, id="by the input"
        ),
        pytest.param(
            {
                "DEPLOYMENTS": json.dumps([{"name": "n", "resource_id": NORTH_ID}]),
                "SPILLOVER_DEPLOYMENTS": json.dumps([{"name": "s", "resource_id": SOUTH_ID}]),
            },
            id="by the outputs",
        ),
    ],
)
def test_what_was_made_on_further_accounts_is_recorded(
    case: Case, variables: dict[str, str]
) -> None:
    made = case.further_accounts()
    case.env.update(variables)
    case.before()
    recorded = {*case.record["role_assignments"], *case.record["alert_rules"]}
    assert recorded == {READER, CALLER, RULE} | made
    assert "account acct-north, with all deployments that this" in case.said
    assert case.azure.changes == []


def test_without_a_name_the_environment_is_not_guessed(case: Case) -> None:
    del case.env["AZURE_ENV_NAME"]
    assert "AZURE_ENV_NAME is not set" in refused(case)


@pytest.mark.parametrize("name", ["..", "a/b", ""])
def test_a_name_that_leads_elsewhere_is_refused(case: Case, name: str) -> None:
    case.env["AZURE_ENV_NAME"] = name
    assert "AZURE_ENV_NAME" in refused(case)


@pytest.mark.parametrize(
    ("variables", "group"),
    [
        pytest.param({}, "rg-dev", id="by the environment's name"),
        pytest.param({"AZURE_RESOURCE_GROUP_NAME": "asked"}, "asked", id="as asked for"),
        pytest.param(
            {"AZURE_RESOURCE_GROUP_NAME": "asked", "PROVISIONED_RESOURCE_GROUP": "noted"},
            "noted",
            id="as preprovision noted it",
        ),
        pytest.param({"AZURE_RESOURCE_GROUP": "made"}, "made", id="as it was deployed"),
    ],
)
def test_the_own_group_is_the_one_that_was_made(
    case: Case, variables: dict[str, str], group: str
) -> None:
    case.env.update(variables)
    case.azure.put(group_id(group), tags={"azd-env-name": "dev"})
    case.before()
    assert f"az group show --name {group} " in case.azure.calls[0]


def test_another_subscription_than_it_was_created_in_is_refused(case: Case) -> None:
    case.env["PROVISIONED_SUBSCRIPTION_ID"] = ELSEWHERE
    assert f"azd env set AZURE_SUBSCRIPTION_ID {ELSEWHERE}" in refused(case)


def test_with_the_group_gone_what_is_outside_is_still_recorded(case: Case) -> None:
    case.deployment("ptu", tags=OURS)
    case.azure.remove_group("rg-dev")
    case.before()
    assert case.record["alert_rules"] == [RULE]
    assert case.record["deployments"] == [f"{ACCOUNT}/deployments/ptu"]
    assert "gone already" in case.said
    assert case.azure.changes == []


def test_with_the_group_gone_an_earlier_record_is_kept(case: Case) -> None:
    """Its identities are gone, too, so nothing else tells which role assignments were theirs."""
    case.before()
    case.azure.remove_group("rg-dev")
    case.before()
    assert set(case.record["role_assignments"]) == {READER, CALLER}


def test_with_the_group_gone_it_is_told_that_older_role_assignments_may_stay(case: Case) -> None:
    case.azure.remove_group("rg-dev")
    case.before()
    assert "az role assignment list --all --subscription" in case.said


def test_what_an_earlier_run_recorded_for_another_group_is_told_and_not_touched(case: Case) -> None:
    case.before()
    case.env["AZURE_RESOURCE_GROUP_NAME"] = "rg-other"
    case.azure.put(group_id("rg-other"), tags={"azd-env-name": "dev"})
    case.azure.remove_group("rg-dev")
    case.told.clear()
    case.before()
    assert f"not touched: {READER}" in case.said
    assert not case.file.exists(), "there is nothing of the new group's outside of it"


# --- 2. a group that is not ours -----------------------------------------------------------------


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param({}, id="without a tag"),
        pytest.param(None, id="with no tags at all"),
        pytest.param({"azd-env-name": "other"}, id="of another environment"),
        pytest.param({"azd-env-name": "DEV"}, id="of another spelling"),
    ],
)
def test_a_foreign_group_stops_azd_which_would_delete_all_of_it(
    case: Case, tags: dict[str, str] | None
) -> None:
    case.azure.put(OWN, tags=tags)
    said = refused(case)
    assert "azd down would delete all of it" in said
    assert "SKIP_DOWN_HOOKS" not in said, "nobody is led past this"
    assert not case.file.exists()


def test_of_two_groups_that_it_may_mean_a_foreign_one_stops_azd(case: Case) -> None:
    case.env.update(AZURE_RESOURCE_GROUP="rg-dev", PROVISIONED_RESOURCE_GROUP="rg-later")
    case.azure.put(group_id("rg-later"), tags={"owner": "somebody"})
    assert "rg-later has no tag" in refused(case)


# --- 3. no login, no rights (no Python, no az: test_down_wrappers.py) ----------------------------


@pytest.mark.parametrize(
    "error", [pytest.param(NOT_LOGGED_IN, id="no login"), pytest.param(NO_RIGHT, id="no rights")]
)
@pytest.mark.parametrize(
    "command",
    [
        pytest.param("group show", id="the group"),
        pytest.param("rg-dev/resources", id="what lies in it"),
        pytest.param("accounts/cog-x/deployments", id="deployments of its account"),
        pytest.param("userAssignedIdentities/id-x", id="its identities"),
    ],
)
def test_what_cannot_be_read_of_the_group_stops_azd_and_names_the_way_out(
    case: Case, command: str, error: str
) -> None:
    case.account_of_ours()
    case.azure.refuse(command, error)
    said = refused(case)
    assert "Nothing was deleted." in said
    assert "azd env set SKIP_DOWN_HOOKS true" in said
    assert not case.file.exists()


def test_what_one_has_no_right_to_read_outside_the_group_is_told_and_stops_nothing(
    case: Case,
) -> None:
    case.azure.refuse(f"/subscriptions/{ELSEWHERE}/providers/Microsoft.Authorization", NO_RIGHT)
    case.azure.refuse("metricAlerts", NO_RIGHT)
    case.before()
    assert "Could not be read, for lack of rights, and may stay" in case.said
    assert f"in the subscription {ELSEWHERE}" in case.said
    assert f"alert rules in {THEIRS}" in case.said


def test_an_answer_that_fails_outside_the_group_stops_azd(case: Case) -> None:
    """It is no lack of rights: tried again, it may tell what would be lost."""
    case.azure.refuse("metricAlerts", "ERROR: Connection reset")
    assert "Connection reset" in refused(case)


# --- 4. deployments of an account in the group ---------------------------------------------------


def test_deployments_of_our_account_are_listed_with_their_price(case: Case) -> None:
    case.account_of_ours()
    case.deployment("payg", sku="GlobalStandard", capacity=100, account=CREATED)
    case.answer = "dev"
    case.before()
    assert "ptu: 50 PTUs of gpt-4.1 (ProvisionedManaged), about 73,000 USD a month" in case.said
    assert "payg: 100 thousand tokens a minute of gpt-4.1 (GlobalStandard)" in case.said


def test_the_environments_name_is_what_one_types(case: Case) -> None:
    case.account_of_ours()
    case.answer = "dev"
    case.before()
    assert "Type dev to go on" in case.said
    assert f"{CREATED}/deployments/ptu" not in case.azure.ids


@pytest.mark.parametrize("typed", ["", "y", "yes", "prod"])
def test_another_answer_is_no(case: Case, typed: str) -> None:
    case.account_of_ours()
    case.answer = typed
    assert refused(case) == "Nothing was deleted."
    assert not case.file.exists()


def test_without_a_terminal_the_variable_answers(case: Case) -> None:
    case.account_of_ours()
    case.env["DOWN_CONFIRMED"] = "dev"
    case.before()
    assert f"{CREATED}/deployments/ptu" not in case.azure.ids


@pytest.mark.parametrize("value", [None, "true", "prod", "DEV"])
def test_without_a_terminal_and_without_the_variable_nothing_is_deleted(
    case: Case, value: str | None
) -> None:
    case.account_of_ours()
    if value is not None:
        case.env["DOWN_CONFIRMED"] = value
    assert "azd env set DOWN_CONFIRMED dev" in refused(case)


def test_before_asking_it_says_what_to_do_after_a_no_to_azd(case: Case) -> None:
    """azd asks its own question afterwards, when the deployments are gone."""
    case.account_of_ours()
    case.answer = "dev"
    case.before()
    (prompt,) = [one for one in case.told if "Type dev" in one]
    assert "If you then answer no to azd: azd provision --no-state" in prompt
    assert case.told.index(prompt) < case.told.index("Deleting the deployment ptu.")


def test_the_deployments_are_deleted_and_not_the_account(case: Case) -> None:
    case.account_of_ours()
    case.deployment("payg", sku="GlobalStandard", account=CREATED)
    case.answer = "dev"
    case.before()
    assert CREATED in case.azure.ids
    assert [one.split("--url ")[1].split()[0] for one in case.azure.changes] == [
        f"{CREATED}/deployments/ptu",
        f"{CREATED}/deployments/payg",
    ]


def test_it_waits_until_azure_answers_404(case: Case) -> None:
    ptu = case.account_of_ours()
    case.azure.linger(ptu)
    case.answer = "dev"
    with pytest.raises(HookError):
        case.before()
    assert sum(case.slept) >= 590, "Azure takes minutes"
    case.azure.state["lingering"].clear()
    case.slept.clear()
    case.before()
    deleted = next(i for i, one in enumerate(case.azure.calls) if "--method delete" in one)
    assert any(f"--method get --url {ptu} " in one for one in case.azure.calls[deleted:])


@pytest.mark.parametrize(
    "how",
    [pytest.param("linger", id="it stays"), pytest.param("refuse", id="Azure refuses, by a 409")],
)
def test_a_deletion_that_fails_stops_azd_with_what_is_still_billed(case: Case, how: str) -> None:
    ptu = case.account_of_ours()
    case.deployment("second", capacity=25, account=CREATED)
    if how == "linger":
        case.azure.linger(ptu)
    else:
        case.azure.refuse("--method delete", CONFLICT)
    case.answer = "dev"
    with pytest.raises(HookError) as caught:
        case.before()
    said = str(caught.value)
    assert "Still billed:" in said
    assert "ptu: 50 PTUs of gpt-4.1 (ProvisionedManaged), about 73,000 USD a month" in said
    assert "second: 25 PTUs" in said
    assert f"az cognitiveservices account deployment delete --subscription {SUBSCRIPTION}" in said
    assert not any(f"{CREATED}/deployments/second" in one for one in case.azure.changes)


def test_an_account_without_our_tag_keeps_its_deployments_and_is_named(case: Case) -> None:
    case.account_of_ours(tags={})
    case.answer = "dev"
    case.before()
    assert case.azure.changes == []
    assert "cog-x is in the group, but not of this environment" in case.said
    assert "73,000 USD" in case.said


def test_without_an_account_in_the_group_nothing_is_asked(case: Case) -> None:
    case.before()
    assert "Type dev" not in case.said
    assert case.azure.changes == []


# --- 5. what is written down and told ------------------------------------------------------------


def test_role_assignments_of_our_identities_outside_the_group_are_recorded(case: Case) -> None:
    case.before()
    assert set(case.record["role_assignments"]) == {READER, CALLER}
    assert INSIDE not in case.file.read_text(), "it goes with the group"
    assert SOMEBODY not in case.file.read_text()


def test_an_identity_in_the_group_that_is_not_ours_keeps_its_roles(case: Case) -> None:
    case.azure.put(
        f"{OWN}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/foreign",
        type="Microsoft.ManagedIdentity/userAssignedIdentities",
        tags={},
        properties={"principalId": "principal-of-somebody"},
    )
    case.before()
    assert SOMEBODY not in case.file.read_text()


def test_alert_rules_whose_action_group_is_ours_are_recorded(case: Case) -> None:
    case.before()
    assert case.record["alert_rules"] == [RULE]
    assert SIMILAR not in case.file.read_text(), "its name is like ours, its action group is not"


def test_a_rule_that_calls_nothing_but_our_action_group_is_recorded_without_tags(
    case: Case,
) -> None:
    made_by_hand = case.azure.put(
        f"{THEIRS}/providers/Microsoft.Insights/metricAlerts/made-by-hand",
        tags={},
        properties={"actions": [{"actionGroupId": BRAKE.upper()}]},
    )
    case.before()
    assert made_by_hand in case.record["alert_rules"]


def test_a_rule_of_somebodys_that_calls_another_action_group_too_stays_and_is_named(
    case: Case,
) -> None:
    another = f"{THEIRS}/providers/Microsoft.Insights/actionGroups/theirs"
    theirs = case.azure.put(
        f"{THEIRS}/providers/Microsoft.Insights/metricAlerts/their-own",
        tags={},
        properties={"actions": [{"actionGroupId": BRAKE.upper()}, {"actionGroupId": another}]},
    )
    case.before()
    assert theirs not in case.record["alert_rules"]
    assert f"{theirs}: it calls an action group that goes" in case.said


@pytest.mark.parametrize(
    ("tags", "recorded"),
    [
        pytest.param(OURS, True, id="ours"),
        pytest.param({**OURS, "azd-env-group": OWN.upper()}, True, id="ours, in another case"),
        pytest.param({**OURS, "azd-env-name": "other"}, False, id="another environment's"),
        pytest.param(
            {**OURS, "azd-env-group": group_id("rg-dev", ELSEWHERE)},
            False,
            id="of the same name in another subscription",
        ),
        pytest.param({"azd-env-name": "dev"}, False, id="without the group's tag"),
        pytest.param(None, False, id="without tags"),
    ],
)
def test_tagged_deployments_on_the_users_account_are_recorded(
    case: Case, tags: dict[str, str] | None, recorded: bool
) -> None:
    one = case.deployment("ptu", tags=tags)
    case.before()
    assert (one in case.record["deployments"]) is recorded
    assert ("Will be asked about" in case.said) is recorded


def test_a_tagged_deployment_on_an_account_that_the_inputs_no_longer_name_is_found(
    case: Case,
) -> None:
    """The role of our identity tells where it was."""
    one = case.deployment("ptu", tags=OURS)
    case.env["OPENAI_RESOURCE_ID"] = ACCOUNT.replace("acct", "new")
    case.before()
    assert case.record["deployments"] == [one]


def test_what_goes_stays_and_costs_is_told(case: Case) -> None:
    case.deployment("ptu", tags=OURS)
    case.gateway_of_ours()
    case.before()
    going, rest = case.said.split("Will be asked about when the group is gone:")
    asked, staying = rest.split("Will stay:")
    assert "resource group rg-dev" in going
    assert "role Monitoring Reader on /subscriptions/" in going
    assert "alert rule ptu-dev-refusals-ptu" in going
    assert "ptu on acct: 50 PTUs of gpt-4.1 (GlobalProvisionedManaged), about 36,500 USD" in asked
    assert "purging apim-x" in asked
    assert "key vault kv-x: recoverable for 90 days" in staying
    assert "account acct" in staying


def test_an_untagged_deployment_that_was_asked_for_is_named_with_price_and_command(
    case: Case,
) -> None:
    case.env.update(CREATE_PTU_DEPLOYMENT="true", CREATE_SPILLOVER_DEPLOYMENT="true")
    case.deployment("ptu")
    case.deployment("payg", sku="GlobalStandard", capacity=100)
    case.deployment("other")
    case.before()
    _, costs = case.said.split("Will go on costing until you delete it:")
    assert "ptu on acct: 50 PTUs of gpt-4.1 (GlobalProvisionedManaged), about 36,500 USD" in costs
    assert (
        f"az cognitiveservices account deployment delete --subscription {ELSEWHERE} "
        "--resource-group ai --name acct --deployment-name ptu"
    ) in costs
    assert "payg on acct" in costs
    assert "other on acct" not in costs, "nobody asked for it"


def test_an_untagged_deployment_is_never_recorded(case: Case) -> None:
    case.env["CREATE_PTU_DEPLOYMENT"] = "true"
    case.deployment("ptu")
    case.before()
    assert case.record["deployments"] == []


def test_a_deployment_of_another_environment_is_not_offered_for_deletion(case: Case) -> None:
    case.env["CREATE_PTU_DEPLOYMENT"] = "true"
    case.deployment("ptu", tags={**OURS, "azd-env-name": "other"})
    case.before()
    assert "--deployment-name ptu" not in case.said


def test_account_and_gateway_of_ours_are_recorded_for_postdown(case: Case) -> None:
    case.account_of_ours()
    case.gateway_of_ours()
    case.answer = "dev"
    case.before()
    assert case.record["accounts"] == [CREATED]
    assert case.record["gateways"] == [GATEWAY]


def test_the_record_is_written_whole_or_not_at_all(case: Case) -> None:
    case.before()
    before = case.file.read_text()
    half = case.file.with_name("down.json.new")
    half.mkdir()
    case.azure.put(
        RULE + "2", tags={"azd-env-name": "dev"}, properties={"actions": [{"actionGroupId": BRAKE}]}
    )
    with pytest.raises(OSError, match=r"down\.json\.new"):
        case.before()
    assert case.file.read_text() == before


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("{", id="half a file"),
        pytest.param("[]", id="no object"),
        pytest.param(json.dumps({"role_assignments": [OWN]}), id="a group's id"),
        pytest.param(json.dumps({"alert_rules": [f"{OWN}/providers/X/metricAlerts"]}), id="a list"),
        pytest.param(json.dumps({"deployments": [ACCOUNT]}), id="an account's id"),
    ],
)
def test_a_record_that_is_not_ours_to_read_stops_azd(case: Case, content: str) -> None:
    case.file.parent.mkdir(parents=True)
    case.file.write_text(content)
    assert "down.json cannot be read" in refused(case)
