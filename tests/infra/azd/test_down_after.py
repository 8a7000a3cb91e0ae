"""postdown: the rules of taking down, 6 to 10, and what is never done."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from infra.scripts.tools import HookError
from tests.infra.azd.down_case import (
    ACCOUNT,
    CALLER,
    CREATED,
    GATEWAY,
    OURS,
    OWN,
    READER,
    RULE,
    SIMILAR,
    SOMEBODY,
    THEIRS,
    Case,
)
from tests.infra.azd.fake_azure import ELSEWHERE, NO_RIGHT, SUBSCRIPTION, group_id
from tests.infra.azd.further import FURTHER, NORTH_ID
from tests.infra.azd.places import INFRA

PTU = f"{ACCOUNT}/deployments/ptu"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def with_a_deployment(case: Case) -> Case:
    case.deployment("ptu", tags=OURS)
    case.down()
    return case


# --- 6. only when the group is gone --------------------------------------------------------------


def test_while_the_group_is_there_nothing_outside_of_it_is_deleted(case: Case) -> None:
    """azd ends well where somebody answered no, and where it found nothing to delete."""
    case.before()
    with pytest.raises(HookError, match="rg-dev is still there"):
        case.after()
    assert case.azure.changes == []
    assert case.record["role_assignments"]


def test_where_it_cannot_be_read_whether_the_group_is_there_nothing_is_deleted(case: Case) -> None:
    case.down()
    case.azure.refuse("group show", NO_RIGHT)
    with pytest.raises(HookError, match="AuthorizationFailed"):
        case.after()
    assert case.azure.changes == []


# --- 7. role assignments and rules, by their recorded ids ----------------------------------------


def test_recorded_role_assignments_and_rules_are_deleted_by_id(case: Case) -> None:
    case.down()
    case.after()
    deleted = {one.split("--url ")[1].split()[0] for one in case.azure.changes}
    assert deleted == {READER, CALLER, RULE}
    assert case.azure.ids >= {SIMILAR, SOMEBODY, ACCOUNT}


def test_each_is_deleted_in_the_subscription_that_it_is_in(case: Case) -> None:
    case.down()
    case.after()
    assert case.azure.changes
    assert all(f"--subscription {ELSEWHERE}" in one for one in case.azure.changes)


def test_further_accounts_lose_what_was_made_there_and_nothing_else(case: Case) -> None:
    case.env["FURTHER_OPENAI_RESOURCES"] = FURTHER["FURTHER_OPENAI_RESOURCES"]
    made = case.further_accounts()
    before = case.azure.ids
    case.before()
    case.gone()
    case.after()
    deleted = {one.split("--url ")[1].split()[0]: one for one in case.azure.changes}
    assert deleted.keys() == {READER, CALLER, RULE} | made
    for one, command in deleted.items():
        assert f"--subscription {one.split('/')[2]} " in command
    kept = {one for one in before - made if "ai-north" in one or "ai-south" in one}
    assert kept <= case.azure.ids
    assert f"{NORTH_ID}/deployments/gpt-4.1" in kept


def test_what_is_gone_already_is_no_error(case: Case) -> None:
    case.down()
    for one in (READER, RULE):
        del case.azure.state["resources"][one]
    case.after()
    assert not case.file.exists()


def test_one_that_cannot_be_deleted_does_not_keep_the_others(case: Case) -> None:
    case.down()
    case.azure.refuse(f"delete --url {READER}", NO_RIGHT)
    with pytest.raises(HookError) as caught:
        case.after()
    assert READER in str(caught.value)
    assert case.azure.ids & {CALLER, RULE} == set()
    assert case.record["role_assignments"] == [READER]


# --- 8. tagged deployments on the user's account -------------------------------------------------


def test_a_tagged_deployment_is_asked_about_by_the_environments_name(case: Case) -> None:
    with_a_deployment(case).answer = "dev"
    case.after()
    assert "ptu: 50 PTUs of gpt-4.1 (GlobalProvisionedManaged), about 36,500 USD" in case.said
    assert "Type dev to go on" in case.said
    assert PTU not in case.azure.ids
    assert ACCOUNT in case.azure.ids


@pytest.mark.parametrize("typed", [pytest.param("", id="nothing"), pytest.param("no", id="no")])
def test_after_a_no_it_is_told_as_still_billed_with_the_command(case: Case, typed: str) -> None:
    with_a_deployment(case).answer = typed
    case.after()
    assert PTU in case.azure.ids
    assert "ptu is still billed, about 36,500 USD a month" in case.said
    assert f"deployment delete --subscription {ELSEWHERE} --resource-group ai" in case.said


def test_without_a_terminal_the_variable_answers(case: Case) -> None:
    with_a_deployment(case).env["DOWN_CONFIRMED"] = "dev"
    case.after()
    assert PTU not in case.azure.ids


def test_without_a_terminal_and_without_the_variable_it_stays_and_is_told(case: Case) -> None:
    with_a_deployment(case).after()
    assert PTU in case.azure.ids
    assert "ptu is still billed, about 36,500 USD a month" in case.said


def test_a_deployment_that_has_lost_our_tags_stays(case: Case) -> None:
    with_a_deployment(case).answer = "dev"
    case.azure.state["resources"][PTU]["tags"] = {"owner": "somebody"}
    case.after()
    assert PTU in case.azure.ids
    assert "has lost the tags" in case.said


@pytest.mark.parametrize("how", ["linger", "refuse"])
def test_a_deletion_that_fails_is_told_as_still_billed_and_can_be_repeated(
    case: Case, how: str
) -> None:
    with_a_deployment(case).env["DOWN_CONFIRMED"] = "dev"
    if how == "linger":
        case.azure.linger(PTU)
    else:
        case.azure.refuse(f"delete --url {PTU}", NO_RIGHT)
    with pytest.raises(HookError, match="still billed, about 36,500 USD a month"):
        case.after()
    assert "DOWN_CONFIRMED" not in case.azure.cleared, "the next run needs the answer"
    case.azure.state.update(lingering=[], refused={})
    case.after()
    assert PTU not in case.azure.ids
    assert not case.file.exists()
    assert "DOWN_CONFIRMED" in case.azure.cleared


# --- 9. accounts and gateways that Azure keeps ---------------------------------------------------


def with_kept_ones(case: Case) -> Case:
    case.account_of_ours()
    case.gateway_of_ours()
    case.env["DOWN_CONFIRMED"] = "dev"
    case.down()
    del case.env["DOWN_CONFIRMED"]
    return case


def kept(case: Case) -> list[str]:
    return sorted(one.rpartition("/")[2] for one in case.azure.ids if "/deleted" in one)


def test_an_account_and_a_gateway_of_ours_are_purged_after_a_question(case: Case) -> None:
    with_kept_ones(case).answer = "dev"
    assert kept(case) == ["apim-x", "cog-x"]
    case.after()
    assert "Type dev to go on" in case.said
    assert kept(case) == []
    assert any(
        "account purge --location swedencentral --resource-group rg-dev --name cog-x" in one
        for one in case.azure.changes
    )
    assert any(
        "deletedservice purge --location northeurope --service-name apim-x" in one
        for one in case.azure.changes
    )


def test_the_variable_answers_for_a_purge_too(case: Case) -> None:
    with_kept_ones(case).env["DOWN_CONFIRMED"] = "dev"
    case.after()
    assert kept(case) == []


def test_without_a_terminal_or_the_variable_the_command_is_printed(case: Case) -> None:
    with_kept_ones(case).after()
    assert kept(case) == ["apim-x", "cog-x"]
    assert (
        "az cognitiveservices account purge --location swedencentral --resource-group rg-dev "
        f"--name cog-x --subscription {SUBSCRIPTION}"
    ) in case.said
    assert "az apim deletedservice purge --location northeurope --service-name apim-x" in case.said
    assert "billed" in case.said


def test_after_a_no_they_stay(case: Case) -> None:
    with_kept_ones(case).answer = "no"
    case.after()
    assert kept(case) == ["apim-x", "cog-x"]


def test_what_azure_keeps_of_others_is_not_purged(case: Case) -> None:
    with_kept_ones(case).answer = "dev"
    others = [
        case.azure.put(
            f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/locations/x"
            "/resourceGroups/rg-other/deletedAccounts/cog-y",
            tags={"azd-env-name": "dev"},
        ),
        case.azure.put(
            f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ApiManagement/locations/x"
            "/deletedservices/apim-y",
            location="x",
            properties={"serviceId": GATEWAY.replace("rg-dev", "rg-dev-2")},
        ),
    ]
    case.after()
    assert case.azure.ids >= set(others)


def test_one_in_our_group_that_is_neither_recorded_nor_tagged_is_told_and_stays(case: Case) -> None:
    case.down()
    case.answer = "dev"
    case.azure.put(
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/locations/x"
        "/resourceGroups/rg-dev/deletedAccounts/foreign",
        tags={},
    )
    case.after()
    assert kept(case) == ["foreign"]
    assert "az cognitiveservices account purge --location x --resource-group rg-dev" in case.said


def test_a_tagged_account_is_purged_without_a_record(case: Case) -> None:
    """The group was gone before predown could look."""
    with_kept_ones(case).file.unlink()
    case.answer = "dev"
    case.after()
    assert kept(case) == ["apim-x"], "Azure tells no tags of a deleted gateway"
    assert "deletedservice purge" in case.said


def test_a_purge_that_fails_is_told_and_can_be_repeated(case: Case) -> None:
    with_kept_ones(case).env["DOWN_CONFIRMED"] = "dev"
    case.azure.refuse("account purge", NO_RIGHT)
    with pytest.raises(HookError, match="cog-x"):
        case.after()
    assert kept(case) == ["cog-x"]
    assert case.record["accounts"] == [CREATED]
    case.azure.state["refused"].clear()
    case.after()
    assert kept(case) == []


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(NO_RIGHT, id="no rights"),
        pytest.param(
            'ERROR: Conflict({"error":{"code":"MissingSubscriptionRegistration"}})',
            id="a provider that the subscription never used",
        ),
    ],
)
def test_a_list_that_nothing_of_ours_can_be_on_fails_nothing(case: Case, error: str) -> None:
    case.down()
    case.azure.refuse("deletedservices", error)
    case.after()
    assert not case.file.exists()


def test_a_list_that_something_of_ours_is_on_is_needed(case: Case) -> None:
    with_kept_ones(case).azure.refuse("deletedAccounts", NO_RIGHT)
    with pytest.raises(HookError, match="deleted accounts cannot be read"):
        case.after()


# --- 10. confirmations, and a second run ---------------------------------------------------------


def test_confirmations_are_cleared_and_the_next_purchase_is_asked_about(case: Case) -> None:
    case.down()
    case.env.update(
        PTU_PURCHASE_CONFIRMED="…",
        PTU_COUNT_CONFIRMED="50",
        AZURE_RESOURCE_GROUP_CONFIRMED="rg-dev",
        DOWN_CONFIRMED="dev",
        PTU_COUNT="50",
    )
    case.after()
    assert sorted(case.azure.cleared) == [
        "AZURE_RESOURCE_GROUP_CONFIRMED",
        "DOWN_CONFIRMED",
        "PTU_COUNT_CONFIRMED",
        "PTU_PURCHASE_CONFIRMED",
    ]


def test_a_confirmation_that_cannot_be_cleared_is_told(case: Case) -> None:
    case.down()
    case.env["PTU_PURCHASE_CONFIRMED"] = "…"
    case.azure.refuse("azd env set", "no environment")
    with pytest.raises(HookError, match="PTU_PURCHASE_CONFIRMED"):
        case.after()


def test_a_second_run_finds_nothing(case: Case) -> None:
    with_kept_ones(case).answer = "dev"
    case.after()
    assert not case.file.exists()
    case.azure.state["calls"].clear()
    case.told.clear()
    case.after()
    assert case.azure.changes == []
    assert case.told == []


def test_a_run_that_broke_off_goes_on_where_it_ended(case: Case) -> None:
    """The record shrinks with each deletion, so that nothing is lost and nothing is done twice."""
    case.down()

    class BrokenOff(Exception):
        pass

    def say(line: str) -> None:
        case.told.append(line)
        if line.startswith("Deleted the role assignment"):
            raise BrokenOff

    quiet = case.say
    case.say = say
    with pytest.raises(BrokenOff):
        case.after()
    case.say = quiet
    case.after()
    assert case.azure.ids & {READER, CALLER, RULE} == set()
    assert not case.file.exists()


def test_the_file_of_settings_on_this_machine_is_named(case: Case) -> None:
    case.down()
    (case.root / "local.settings.json").write_text("{}")
    case.after()
    assert "local.settings.json stays on this machine" in case.said


# --- never ---------------------------------------------------------------------------------------


def everything(case: Case) -> list[str]:
    """All that both hooks change where all is answered with yes."""
    case.account_of_ours()
    case.gateway_of_ours()
    case.deployment("ptu", tags=OURS)
    case.deployment("untagged")
    case.env.update(
        CREATE_PTU_DEPLOYMENT="true",
        ALERT_WEBHOOK_OBJECT_ID="33333333-3333-3333-3333-333333333333",
        DOWN_CONFIRMED="dev",
    )
    case.before()
    before = case.azure.changes
    case.gone()
    case.after()
    return [*before, *case.azure.changes]


def test_nothing_is_deleted_that_is_neither_recorded_nor_tagged(case: Case) -> None:
    changes = everything(case)
    urls = {one.split("--url ")[1].split()[0] for one in changes if "--url " in one}
    assert urls == {READER, CALLER, RULE, PTU, f"{CREATED}/deployments/ptu"}
    others = {SOMEBODY, SIMILAR, ACCOUNT, f"{ACCOUNT}/deployments/untagged"}
    assert case.azure.ids >= {*others, f"{ACCOUNT}/deployments/gpt-4.1-ptu"}


def test_a_foreign_id_in_the_record_is_refused(case: Case) -> None:
    case.down()
    record = case.record
    record["role_assignments"].append(THEIRS)
    case.file.write_text(json.dumps(record))
    with pytest.raises(HookError, match="cannot be read"):
        case.after()
    assert case.azure.changes == []


def test_nothing_is_deleted_by_a_pattern(case: Case) -> None:
    """Every deletion names one thing, in full."""
    for one in everything(case):
        assert not re.search(r"[*?\[]|--query|--ids|--tag|--assignee", one)


def test_no_group_is_ever_deleted(case: Case) -> None:
    for one in everything(case):
        assert "group delete" not in one
        assert not re.search(r"resource[Gg]roups/[^/ ]+( |$)", one)


def test_the_webhooks_application_is_not_deleted_but_its_command_is_printed(case: Case) -> None:
    changes = everything(case)
    assert "az ad app delete --id 33333333-3333-3333-3333-333333333333" in case.said
    assert not any(" ad " in one for one in [*changes, *case.azure.calls])


def test_no_hook_reads_a_flag(case: Case) -> None:
    """azd hands a hook no flags: `--force` silences azd's own question only."""
    scripts = (INFRA / "scripts").glob("*down*")
    assert not [one.name for one in scripts if "force" in one.read_text(encoding="utf-8").lower()]


@pytest.mark.parametrize("account", ["created", "the user's"])
def test_force_silences_neither_question(case: Case, account: str) -> None:
    case.env.update(AZD_FORCE="true", FORCE="true", AZD_NO_PROMPT="true")
    if account == "created":
        case.account_of_ours()
        with pytest.raises(HookError, match="DOWN_CONFIRMED"):
            case.before()
        assert case.azure.changes == []
    else:
        with_a_deployment(case).after()
        assert PTU in case.azure.ids


def test_groups_of_other_environments_are_not_looked_into(case: Case) -> None:
    case.azure.put(group_id("rg-other"), tags={"azd-env-name": "other"})
    everything(case)
    assert not any("rg-other" in one for one in case.azure.calls)
    assert OWN not in case.azure.ids
