"""What preprovision asks of Azure before anything is created, and what it makes of the answers."""

from __future__ import annotations

from typing import Any

import pytest

from infra.scripts.check_inputs import check
from infra.scripts.questions import Terminal
from infra.scripts.tools import Done, HookError
from tests.infra.azd.az_stub import BROKEN, MISSING, NO_LOGIN, NO_RIGHTS, AzStub, deployment
from tests.infra.azd.further import FURTHER, NORTH_ID, NORTH_SUBSCRIPTION, SOUTH_ID
from tests.infra.azd.preprovision import (
    ACCOUNT,
    BUYS,
    OTHER_SUBSCRIPTION,
    SUBSCRIPTION,
    TENANT,
    inputs,
)

NOW = 1_796_000_000.0
"""2026-11-30."""

NOTED: dict[str, Any] = {
    "PROVISIONED_SUBSCRIPTION_ID": SUBSCRIPTION,
    "PROVISIONED_RESOURCE_GROUP": "rg-dev",
    "PROVISIONED_LOCATION": "swedencentral",
}
GROUP: dict[str, Any] = {
    "name": "rg-dev",
    "location": "swedencentral",
    "tags": {"azd-env-name": "dev"},
}
ELSEWHERE = f"/subscriptions/{OTHER_SUBSCRIPTION}" + ACCOUNT.removeprefix(
    f"/subscriptions/{SUBSCRIPTION}"
)


def answers(account: str = ACCOUNT) -> dict[str, Any]:
    """A login, the account and its deployment; nothing of this environment is there yet."""
    return {
        "az account show": {"id": SUBSCRIPTION, "tenantId": TENANT},
        "az group show": MISSING,
        f"az rest --method get --url {account} ": {
            "kind": "OpenAI",
            "properties": {"customSubDomainName": "acct"},
        },
        f"az rest --method get --url {account}/deployments ": {
            "value": [
                deployment(account, "gpt-4.1-ptu"),
                deployment(account, "payg-1", sku="GlobalStandard", capacity=100),
            ]
        },
        "az keyvault list-deleted": [],
        "az cognitiveservices account list-deleted": [],
        "az provider show": {"registrationState": "Registered"},
    }


class Preprovision:
    """The hook, with a stub of `az` and somebody or nobody at the terminal."""

    def __init__(self) -> None:
        self.az = AzStub()
        self.az.answers = answers()
        self.told: list[str] = []
        self.prompts: list[str] = []

    def run(self, *, types: list[str] | None = None, now: float = NOW, **changes: Any) -> None:
        """Raises HookError. `types`: what the person types, in order; None: nobody is there."""
        words = list(types or [])

        def read(prompt: str) -> str:
            self.prompts.append(prompt)
            return words.pop(0)

        check(
            inputs(**changes),
            runner=self.az,
            where=Terminal(there=types is not None, read=read),
            now=now,
            tell=self.told.append,
        )
        assert not words, "a question was not asked"

    def refusal(self, *, types: list[str] | None = None, **changes: Any) -> str:
        with pytest.raises(HookError) as raised:
            self.run(types=types, **changes)
        return str(raised.value)

    @property
    def kept(self) -> dict[str, Any]:
        """What was kept in azd's environment."""
        calls = [call for call in self.az.calls if call[:3] == ["azd", "env", "set"]]
        return {call[3]: call[4] for call in calls}

    @property
    def changed(self) -> list[str]:
        """Commands that change something in Azure."""
        words = ("create", "recover", "delete", "purge", "update", "register", "put", "patch")
        return [line for line in self.az.lines("az ") if any(f" {word} " in line for word in words)]


@pytest.fixture
def hook() -> Preprovision:
    return Preprovision()


# --- the login -----------------------------------------------------------------------------------


def test_the_first_provisioning_is_let_through_and_noted(hook: Preprovision) -> None:
    hook.run()
    assert hook.kept == NOTED
    assert hook.told == []
    assert hook.changed == []


def test_notes_that_are_right_are_not_written_again(hook: Preprovision) -> None:
    hook.run(**NOTED)
    assert hook.kept == {}


def test_every_command_names_its_subscription(hook: Preprovision) -> None:
    hook.az.answers = answers(ELSEWHERE)
    hook.run(OPENAI_RESOURCE_ID=ELSEWHERE, VNET_ENABLED="true")
    asked = [call for call in hook.az.calls if call[0] == "az"]
    assert len(asked) == 7
    by_command = {" ".join(call[1:3]): call[call.index("--subscription") + 1] for call in asked}
    assert by_command == {
        "account show": OTHER_SUBSCRIPTION,  # the second time: of the account's tenant
        "group show": SUBSCRIPTION,
        "rest --method": OTHER_SUBSCRIPTION,
        "keyvault list-deleted": SUBSCRIPTION,
        "provider show": SUBSCRIPTION,
    }


@pytest.mark.parametrize("name", ["AZURE_SUBSCRIPTION_ID", "AZURE_LOCATION"])
def test_without_subscription_or_region_it_ends_with_how_to_set_them(
    hook: Preprovision, name: str
) -> None:
    """`azd provision` asks for both only after the hook."""
    changes: dict[str, Any] = {name: "", "PTU_DEPLOYMENTS": "x"}
    said = hook.refusal(**changes)
    assert f"azd env set {name} " in said
    assert "not name:model:ptus" in said, "all at once"
    assert hook.az.calls == []


def test_without_both_it_names_both_commands(hook: Preprovision) -> None:
    said = hook.refusal(AZURE_SUBSCRIPTION_ID="", AZURE_LOCATION="")
    assert said.index("azd env set AZURE_SUBSCRIPTION_ID") < said.index(
        "azd env set AZURE_LOCATION"
    )


@pytest.mark.parametrize(
    ("command", "done", "says"),
    [
        pytest.param("az account show", NO_LOGIN, f"az login --tenant {TENANT}", id="no login"),
        pytest.param(
            "az account show",
            Done(1, "", f"ERROR: The subscription of '{SUBSCRIPTION}' doesn't exist in cloud 'A'."),
            f"does not know the subscription {SUBSCRIPTION}",
            id="another tenant's login",
        ),
        pytest.param(
            "az group show",
            Done(1, "", "ERROR: AADSTS70043: The refresh token has expired."),
            f"az login --tenant {TENANT}",
            id="an expired login",
        ),
        pytest.param("az group show", BROKEN, "could not be read; try again", id="Azure is away"),
    ],
)
def test_a_login_that_is_of_no_use_is_found_before_anything_is_made(
    hook: Preprovision, command: str, done: Done, says: str
) -> None:
    hook.az.answers[command] = done
    said = hook.refusal(AZURE_TENANT_ID=TENANT, HUB_PARTITIONS="64")
    assert says in said
    assert "HUB_PARTITIONS" in said, "all at once"
    assert hook.kept == {}


def test_a_missing_az_is_refused_with_where_to_get_it() -> None:
    def no_az(command: Any) -> Done:
        raise HookError(f"{command[0]} is not installed: https://aka.ms/azure-cli")

    with pytest.raises(HookError, match=r"az is not installed: https://aka\.ms/azure-cli"):
        check(inputs(), runner=no_az, where=Terminal(there=False), now=NOW, tell=print)


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("az group show", "rg-dev"),
        (f"az rest --method get --url {ACCOUNT} ", ACCOUNT),
        (f"az rest --method get --url {ACCOUNT}/deployments ", "deployments of"),
        ("az keyvault list-deleted", "deleted Key Vaults"),
        ("az provider show", "Microsoft.App"),
    ],
)
def test_what_may_not_be_read_is_told_and_not_refused(
    hook: Preprovision, command: str, names: str
) -> None:
    hook.az.answers[command] = NO_RIGHTS
    hook.run(VNET_ENABLED="true")
    (told,) = hook.told
    assert names in told
    assert "for want of rights" in told
    assert hook.kept == NOTED


# --- the group -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        pytest.param(None, "is not one that azd made", id="no tags"),
        pytest.param({"team": "x"}, "is not one that azd made", id="other tags"),
        pytest.param(
            {"azd-env-name": "prod"}, "belongs to the environment prod", id="another environment's"
        ),
    ],
)
@pytest.mark.parametrize("confirmed", ["", "rg-dev"])
def test_a_group_that_is_not_ours_is_refused(
    hook: Preprovision, tags: dict[str, Any] | None, says: str, confirmed: str
) -> None:
    hook.az.answers["az group show"] = {**GROUP, "tags": tags}
    said = hook.refusal(**NOTED, AZURE_RESOURCE_GROUP_CONFIRMED=confirmed)
    assert says in said
    assert "azd env set AZURE_RESOURCE_GROUP_NAME rg-dev-queue" in said


@pytest.mark.parametrize(
    ("known", "good"),
    [
        pytest.param(NOTED, True, id="a note"),
        pytest.param({"AZURE_RESOURCE_GROUP": "rg-dev"}, True, id="an output of an older release"),
        pytest.param({"AZURE_RESOURCE_GROUP_CONFIRMED": "rg-dev"}, True, id="confirmed"),
        pytest.param({}, False, id="neither note nor output"),
        pytest.param({"AZURE_RESOURCE_GROUP_CONFIRMED": "rg-x"}, False, id="another confirmed"),
        pytest.param(
            {**NOTED, "PROVISIONED_SUBSCRIPTION_ID": OTHER_SUBSCRIPTION},
            False,
            id="a note of another subscription",
        ),
    ],
)
def test_a_group_with_our_tag_must_be_known(
    hook: Preprovision, known: dict[str, Any], good: bool
) -> None:
    """Somebody else's environment of the same name has the same tag."""
    hook.az.answers[f"az group show --name rg-dev --subscription {SUBSCRIPTION}"] = GROUP
    if good:
        hook.run(**known)
        return
    said = hook.refusal(**known)
    assert "azd env refresh --environment dev" in said
    assert "azd env set AZURE_RESOURCE_GROUP_CONFIRMED rg-dev" in said
    assert hook.kept == {}


def test_a_group_cannot_move_to_another_region(hook: Preprovision) -> None:
    hook.az.answers["az group show"] = {**GROUP, "location": "Sweden Central"}
    hook.run(**NOTED)
    said = hook.refusal(**NOTED, AZURE_LOCATION="westeurope")
    assert "azd env set AZURE_LOCATION swedencentral" in said


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"AZURE_RESOURCE_GROUP_NAME": "rg-new"}, id="another group"),
        pytest.param({"AZURE_SUBSCRIPTION_ID": OTHER_SUBSCRIPTION}, id="another subscription"),
    ],
)
def test_what_is_provisioned_is_not_left_behind(
    hook: Preprovision, changes: dict[str, Any]
) -> None:
    hook.az.answers[f"az group show --name rg-dev --subscription {SUBSCRIPTION}"] = GROUP
    said = hook.refusal(**{**NOTED, **changes})
    assert "still exists and costs money" in said
    assert "azd env set AZURE_RESOURCE_GROUP_NAME rg-dev" in said
    hook.az.answers[f"az group show --name rg-dev --subscription {SUBSCRIPTION}"] = MISSING
    hook.run(**{**NOTED, **changes})
    assert hook.kept != {}, "after `azd down` it may go elsewhere"


# --- the account and what is named on it ----------------------------------------------------------


def test_an_account_that_is_not_there_is_refused(hook: Preprovision) -> None:
    hook.az.answers[f"az rest --method get --url {ACCOUNT} "] = MISSING
    assert "There is no account acct in the resource group ai" in hook.refusal()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(
            {"kind": "OpenAI", "properties": {}},
            "az cognitiveservices account update",
            id="no custom subdomain",
        ),
        pytest.param(
            {"kind": "SpeechServices", "properties": {"customSubDomainName": "a"}},
            "is of kind SpeechServices",
            id="another kind",
        ),
    ],
)
def test_an_account_that_cannot_serve_is_refused(
    hook: Preprovision, answer: dict[str, Any], says: str
) -> None:
    hook.az.answers[f"az rest --method get --url {ACCOUNT} "] = answer
    assert says in hook.refusal()


def test_an_account_of_another_tenant_is_refused(hook: Preprovision) -> None:
    hook.az.answers = answers(ELSEWHERE)
    there = f"az account show --subscription {OTHER_SUBSCRIPTION}"
    hook.az.answers[there] = {"tenantId": "another"}
    assert "belongs to another tenant (another)" in hook.refusal(OPENAI_RESOURCE_ID=ELSEWHERE)
    hook.az.answers[there] = {"tenantId": TENANT}
    hook.run(OPENAI_RESOURCE_ID=ELSEWHERE)


@pytest.mark.parametrize(
    ("changes", "says", "mends"),
    [
        pytest.param(
            {"PTU_DEPLOYMENTS": "other:gpt-4.1:50"},
            "has other, which the account does not have",
            "PTU_DEPLOYMENTS gpt-4.1-ptu:gpt-4.1:50",
            id="not there",
        ),
        pytest.param(
            {"PTU_DEPLOYMENTS": "gpt-4.1-ptu:gpt-4o:50"},
            "50 PTUs of gpt-4.1 there",
            "PTU_DEPLOYMENTS gpt-4.1-ptu:gpt-4.1:50",
            id="another model",
        ),
        pytest.param(
            {"PTU_DEPLOYMENTS": "gpt-4.1-ptu:gpt-4.1:100"},
            "50 PTUs of gpt-4.1 there",
            "PTU_DEPLOYMENTS gpt-4.1-ptu:gpt-4.1:50",
            id="another size",
        ),
        pytest.param(
            {"PTU_DEPLOYMENTS": "gpt-4.1-ptu:gpt-4.1:50,payg-1:gpt-4.1:50"},
            "payg-1, which is no PTU deployment: its SKU is GlobalStandard",
            "PTU_DEPLOYMENTS gpt-4.1-ptu:gpt-4.1:50",
            id="another SKU",
        ),
        pytest.param(
            {"PTU_SPILLOVER_DEPLOYMENTS": "payg-2:gpt-4.1:1000"},
            "has payg-2, which the account does not have",
            "PTU_SPILLOVER_DEPLOYMENTS payg-1:gpt-4.1:100000",
            id="spillover that is not there",
        ),
        pytest.param(
            {"PTU_SPILLOVER_DEPLOYMENTS": "payg-1:gpt-4.1:200000:5"},
            "100,000 tokens a minute",
            "PTU_SPILLOVER_DEPLOYMENTS payg-1:gpt-4.1:100000:5",
            id="more tokens than the deployment has",
        ),
        pytest.param(
            {"PTU_SPILLOVER_DEPLOYMENTS": "payg-1:gpt-4o:1000"},
            "has gpt-4.1 there",
            "PTU_SPILLOVER_DEPLOYMENTS payg-1:gpt-4.1:1000",
            id="spillover of another model",
        ),
    ],
)
def test_a_deployment_is_as_it_is_named(
    hook: Preprovision, changes: dict[str, Any], says: str, mends: str
) -> None:
    said = hook.refusal(**changes)
    assert says in said
    assert f"azd env set {mends}" in said


def test_a_ptu_deployment_is_no_spillover(hook: Preprovision) -> None:
    changes: dict[str, Any] = {
        "PTU_DEPLOYMENTS": "b:gpt-4.1:50",
        "PTU_SPILLOVER_DEPLOYMENTS": "gpt-4.1-ptu:gpt-4.1:1000",
    }
    assert "gpt-4.1-ptu, which is not paid by the token" in hook.refusal(**changes)


def test_a_fine_tuned_model_is_named_by_its_base(hook: Preprovision) -> None:
    tuned = deployment(ACCOUNT, "gpt-4.1-ptu", model="gpt-4.1-2025-04-14.ft-0a1b")
    hook.az.answers[f"az rest --method get --url {ACCOUNT}/deployments "] = {"value": [tuned]}
    hook.run()


def test_fewer_tokens_than_the_deployment_has_are_good(hook: Preprovision) -> None:
    hook.run(PTU_SPILLOVER_DEPLOYMENTS="payg-1:gpt-4.1:1000")


# --- further accounts ----------------------------------------------------------------------------


FURTHER_DEPLOYMENTS: dict[str, Any] = {
    **FURTHER,
    "PTU_DEPLOYMENTS": FURTHER["PTU_DEPLOYMENTS"].replace(
        "gpt-4.1:gpt-4.1:50", "gpt-4.1-ptu:gpt-4.1:50", 1
    ),
}


@pytest.fixture
def further(hook: Preprovision) -> Preprovision:
    """Both further accounts are there with what is asked for."""
    for account, ptus in ((NORTH_ID, 100), (SOUTH_ID, 15)):
        hook.az.answers |= {
            f"az rest --method get --url {account} ": {
                "kind": "AIServices",
                "properties": {"customSubDomainName": "a"},
            },
            f"az rest --method get --url {account}/deployments ": {
                "value": [
                    deployment(account, "gpt-4.1", capacity=ptus),
                    deployment(account, "payg", sku="GlobalStandard", capacity=100),
                ]
            },
        }
    return hook


def test_further_accounts_are_let_through(further: Preprovision) -> None:
    further.run(**FURTHER_DEPLOYMENTS)
    assert further.told == []
    assert further.changed == []


def test_each_further_account_is_asked_about_in_its_own_subscription(
    further: Preprovision,
) -> None:
    further.run(**FURTHER_DEPLOYMENTS)
    for account in (NORTH_ID, SOUTH_ID):
        subscription = account.split("/")[2]
        asked = further.az.lines(f"az rest --method get --url {account}")
        assert len(asked) == 2
        assert all(f"--subscription {subscription} " in one for one in asked)
        assert len(further.az.lines(f"az account show --subscription {subscription} ")) == 1


def test_a_further_account_that_is_not_there_is_told(further: Preprovision) -> None:
    further.az.answers[f"az rest --method get --url {NORTH_ID} "] = MISSING
    said = further.refusal(**FURTHER_DEPLOYMENTS)
    assert "There is no account acct-north in the resource group ai-north" in said
    assert 'azd env set FURTHER_OPENAI_RESOURCES "north=$(az' in said


@pytest.mark.parametrize("what", ["", "/deployments"])
def test_a_further_account_that_may_not_be_read_is_told_and_not_refused(
    further: Preprovision, what: str
) -> None:
    further.az.answers[f"az rest --method get --url {NORTH_ID}{what} "] = NO_RIGHTS
    further.run(**FURTHER_DEPLOYMENTS)
    (told,) = further.told
    assert NORTH_ID in told
    assert "for want of rights" in told


def test_a_further_account_of_another_tenant_is_refused(further: Preprovision) -> None:
    there = f"az account show --subscription {NORTH_SUBSCRIPTION}"
    further.az.answers[there] = {"tenantId": "another"}
    said = further.refusal(**FURTHER_DEPLOYMENTS)
    assert "acct-north belongs to another tenant (another)" in said
    assert said.count("another tenant") == 1


@pytest.mark.parametrize(
    ("changes", "says", "mends"),
    [
        pytest.param(
            {"PTU_DEPLOYMENTS": "gpt-4.1-ptu:gpt-4.1:50,north=other@north:gpt-4.1:100"},
            "has north=other@north, which the account does not have",
            "PTU_DEPLOYMENTS 'gpt-4.1-ptu:gpt-4.1:50,gpt-4.1@north:gpt-4.1:100'",
            id="not there",
        ),
        pytest.param(
            {"PTU_DEPLOYMENTS": "gpt-4.1=gpt-4.1-ptu:gpt-4.1:50,north=other@north:gpt-4.1:100"},
            "has north=other@north, which the account does not have",
            "PTU_DEPLOYMENTS 'gpt-4.1=gpt-4.1-ptu:gpt-4.1:50,"
            "gpt-4.1-north=gpt-4.1@north:gpt-4.1:100'",
            id="not there, and what is there has a name that is used",
        ),
        pytest.param(
            {"PTU_DEPLOYMENTS": "gpt-4.1-ptu:gpt-4.1:50,north=gpt-4.1@north:gpt-4.1:15"},
            "the account has 100 PTUs of gpt-4.1 there",
            "PTU_DEPLOYMENTS 'gpt-4.1-ptu:gpt-4.1:50,north=gpt-4.1@north:gpt-4.1:100'",
            id="another size than that of the same name elsewhere",
        ),
        pytest.param(
            {"PTU_DEPLOYMENTS": "gpt-4.1-ptu:gpt-4.1:50,gpt-4.1:gpt-4.1:100"},
            "has gpt-4.1, which the account does not have",
            "PTU_DEPLOYMENTS gpt-4.1-ptu:gpt-4.1:50",
            id="on the first account there is none of that name",
        ),
        pytest.param(
            {
                "PTU_DEPLOYMENTS": "gpt-4.1-ptu:gpt-4.1:50",
                "PTU_SPILLOVER_DEPLOYMENTS": "gpt-4.1@south:gpt-4.1:1000,payg-1:gpt-4.1:1000",
            },
            "has gpt-4.1@south, which is not paid by the token",
            "PTU_SPILLOVER_DEPLOYMENTS payg-1:gpt-4.1:1000",
            id="spillover to PTUs",
        ),
    ],
)
def test_a_deployment_of_a_further_account_is_as_it_is_named(
    further: Preprovision, changes: dict[str, Any], says: str, mends: str
) -> None:
    said = further.refusal(
        **{**FURTHER, "PTU_SPILLOVER_DEPLOYMENTS": "", **changes},
    )
    assert says in said
    assert f"azd env set {mends}" in said


# --- the network ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["NotRegistered", "Registering"])
def test_the_network_needs_a_provider_that_arm_does_not_register(
    hook: Preprovision, state: str
) -> None:
    hook.az.answers["az provider show"] = {"registrationState": state}
    said = hook.refusal(VNET_ENABLED="true")
    assert (
        f"az provider register --namespace Microsoft.App --wait --subscription {SUBSCRIPTION}"
        in said
    )
    hook.run()


# --- what was deleted ----------------------------------------------------------------------------


def vault(**changes: Any) -> dict[str, Any]:
    return {
        "name": "kv-0123456789abc",
        "properties": {
            "vaultId": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG-dev/providers/"
            "Microsoft.KeyVault/vaults/kv-0123456789abc",
            "location": "swedencentral",
            "scheduledPurgeDate": "2027-02-28T00:00:00Z",
            "tags": {"azd-env-name": "dev"},
            **changes,
        },
    }


def test_a_deleted_vault_is_recovered_into_its_group_after_asking(
    hook: Preprovision, capsys: pytest.CaptureFixture[str]
) -> None:
    hook.az.answers["az keyvault list-deleted"] = [vault()]
    hook.run(types=["dev"])
    made, recovered = hook.changed
    assert made.startswith(
        "az group create --name rg-dev --location swedencentral --tags azd-env-name=dev "
    )
    assert recovered.startswith(
        "az keyvault recover --name kv-0123456789abc --location swedencentral "
    )
    assert "keeps its name until 2027-02-28" in capsys.readouterr().out
    lines = hook.az.lines()
    noted = max(lines.index(line) for line in lines if "env set PROVISIONED_" in line)
    assert noted < lines.index(made), "an interrupted run is known as this environment's"


def test_a_vault_that_was_deleted_alone_needs_no_new_group(hook: Preprovision) -> None:
    hook.az.answers |= {"az keyvault list-deleted": [vault()], "az group show": GROUP}
    hook.run(types=["dev"], **NOTED)
    (recovered,) = hook.changed
    assert recovered.startswith("az keyvault recover ")


def test_somebody_who_does_not_mean_it_recovers_nothing(hook: Preprovision) -> None:
    hook.az.answers["az keyvault list-deleted"] = [vault()]
    assert hook.refusal(types=["y"]) == "Nothing was created."
    assert hook.changed == []


def test_without_a_terminal_both_commands_are_printed(hook: Preprovision) -> None:
    hook.az.answers["az keyvault list-deleted"] = [vault()]
    said = hook.refusal()
    assert "az group create --name rg-dev --location swedencentral --tags azd-env-name=dev" in said
    assert "az keyvault recover --name kv-0123456789abc --location swedencentral" in said
    assert hook.changed == []


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"location": "westeurope"}, id="another region"),
        pytest.param({"tags": {"azd-env-name": "prod"}}, id="another environment's"),
        pytest.param(
            {"vaultId": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-dev2/providers/x"},
            id="another group",
        ),
    ],
)
def test_a_vault_that_is_not_in_the_way_is_left_alone(
    hook: Preprovision, other: dict[str, Any]
) -> None:
    hook.az.answers["az keyvault list-deleted"] = [vault(**other)]
    hook.run()
    assert hook.changed == []


def test_a_deleted_account_of_ours_is_in_the_way_until_it_is_purged(hook: Preprovision) -> None:
    location = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/locations/"
    deleted = [
        {"id": f"{location}swedencentral/resourceGroups/rg-other/deletedAccounts/cog-y"},
        {"id": f"{location}westeurope/resourceGroups/rg-dev/deletedAccounts/cog-z"},
        {"id": f"{location}swedencentral/resourceGroups/rg-dev/deletedAccounts/cog-x"},
    ]
    hook.az.answers["az cognitiveservices account list-deleted"] = deleted
    said = hook.refusal(**BUYS, CREATE_OPENAI_ACCOUNT="true", OPENAI_RESOURCE_ID="")
    assert "az cognitiveservices account purge" in said
    assert "-l swedencentral -g rg-dev -n cog-x" in said
    assert "cog-y" not in said
    assert "cog-z" not in said
