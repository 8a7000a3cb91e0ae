"""Who may do what: the right roles, by the right ids, on the narrowest scope."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ptu_optimizer.ports.hubs import HUBS
from tests.infra.azd.places import INFRA, TEMPLATES, named, template
from tests.support.bicep.evaluate import Evaluation
from tests.support.bicep.syntax import BicepFile, Declaration, parse, read
from tests.support.functions import hubs

BUILT_IN = {
    "Azure Event Hubs Data Receiver": "a638d3c7-ab3a-418d-83e6-5f17a39d4fde",
    "Azure Event Hubs Data Sender": "2b629674-e913-4c01-ae53-ef4638d8f975",
    "Cognitive Services OpenAI User": "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
    "Cosmos DB Built-in Data Contributor": "00000000-0000-0000-0000-000000000002",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Monitoring Reader": "43d0d8ad-25c7-4714-9337-8ba259a9fe05",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
}
"""Microsoft, "Azure built-in roles"; for Cosmos DB, "Data plane security reference"."""

ASSIGNMENTS = frozenset(
    {
        "Microsoft.Authorization/roleAssignments",
        "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments",
    }
)
ROLES = json.loads((INFRA / "roles.json").read_text(encoding="utf-8"))


def assignments(file: BicepFile) -> list[tuple[str, Declaration]]:
    """(role, assignment) of every role assignment in a template; no role if it is not by name."""
    found = []
    for resource in file.resources:
        if resource.resource_type in ASSIGNMENTS and not resource.existing:
            text = resource.value["properties"]["roleDefinitionId"].text
            role = re.search(r"roles\['([^']+)'\]", text)
            found.append((role[1] if role else "", resource))
    return found


ALL = [(path, role, one) for path in TEMPLATES for role, one in assignments(read(path))]


def test_the_ids_of_the_roles_are_right() -> None:
    assert ROLES == BUILT_IN


def test_every_assignment_names_its_role_and_every_role_is_assigned() -> None:
    assert {role for _, role, _ in ALL} == ROLES.keys()


def test_no_role_is_given_by_its_id() -> None:
    """Ids are in one table only, which is checked."""
    guid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
    for path in TEMPLATES:
        assert guid.findall(path.read_text(encoding="utf-8")) == [], named(path)


@pytest.mark.parametrize(
    ("path", "role", "one"), ALL, ids=[f"{path.stem}: {role}" for path, role, _ in ALL]
)
def test_an_assignment_has_a_scope_and_a_name_that_is_the_same_next_time(
    path: Path, role: str, one: Declaration
) -> None:
    scope = one.value["properties"].get("scope") or one.value.get("scope")
    if role == "Monitoring Reader":
        assert scope is None, "on the subscription that the module is deployed to"
    else:
        assert scope is not None, "else it is on the whole resource group"
    assert one.value["name"].text.startswith("guid(")


NAMES = {
    "contributor": "guid(account.id, cosmosDatabase, principalId, 'contributor')",
    "receiver": "guid(namespace.id, hub, principalId, 'receiver')",
    "sender": "guid(namespace.id, hub, principalId, 'sender')",
    "secretUser": "guid(resourceGroup().id, keyVaultName, secretName, principalId, 'secret-user')",
    "metricsPublisher": "guid(resourceGroup().id, componentName, principalId, 'metrics-publisher')",
    "blobOwner": "guid(storage.id, principalId, 'blob-owner')",
    "reader": "guid(subscription().id, principalId, 'monitoring-reader')",
    "user": "guid(account.id, caller.id, 'openai-user')",
}
"""Of the first release: under another name Azure refuses a role that somebody has already."""


def test_an_assignment_that_exists_keeps_its_name() -> None:
    assert {
        one.name: one.value["name"].text for path, _, one in ALL if path.stem != "api-management"
    } == NAMES


def test_what_the_hook_must_find_outside_the_group_is_told() -> None:
    """`azd down` deletes the group; roles on the account and its subscription are elsewhere."""
    outputs = template("main.bicep").of("output")
    assert outputs["APP_PRINCIPAL_ID"].value.text == "identity.outputs.principalId"
    gateway = outputs["GATEWAY_PRINCIPAL_ID"].value
    assert "gatewayIdentity!.outputs.principalId" in gateway.text
    none = Evaluation(template("main.bicep"), parameters={"apiManagement": False})
    assert none.value(gateway.node) == ""
    assert outputs["APP_STORAGE_ROLE_ID"].value.text == "appStorageRole.outputs.id"
    assert template("app/storage-role.bicep").of("output")["id"].value.text == "blobOwner.id"


def scopes() -> dict[str, str]:
    """By role, on what resource type it is assigned."""
    found: dict[str, str] = {}
    for path, role, one in ALL:
        file = read(path)
        scope = one.value["properties"].get("scope") or one.value.get("scope")
        if scope is None:
            found[role] = "subscription"
        elif one.resource_type.startswith("Microsoft.DocumentDB"):
            assert "/dbs/" in scope.text
            found[role] = "a database"
        else:
            name = re.split(r"[\[:]+", scope.text)[-1].rstrip("]")
            name = name if not name.isidentifier() or name != "index" else scope.text.split("[")[0]
            resource = next(r for r in file.resources if r.name == name)
            found[role] = resource.resource_type
    return found


def test_each_role_is_on_the_narrowest_scope_that_works() -> None:
    assert scopes() == {
        "Azure Event Hubs Data Receiver": "Microsoft.EventHub/namespaces/eventhubs",
        "Azure Event Hubs Data Sender": "Microsoft.EventHub/namespaces/eventhubs",
        "Cognitive Services OpenAI User": "Microsoft.CognitiveServices/accounts",
        "Cosmos DB Built-in Data Contributor": "a database",
        "Key Vault Secrets User": "Microsoft.KeyVault/vaults/secrets",
        "Monitoring Metrics Publisher": "Microsoft.Insights/components",
        "Monitoring Reader": "subscription",
        "Storage Blob Data Owner": "Microsoft.Storage/storageAccounts",
    }


def test_the_app_may_send_to_and_read_from_the_hubs_that_it_does_and_no_others() -> None:
    roles = Evaluation(template("app/roles.bicep"))
    assert set(roles["sends"]) == set(HUBS)
    assert set(roles["receives"]) == hubs()


def given(module: str) -> dict[str, Any]:
    params = template("main.bicep").of("module")[module].value["params"]
    assert isinstance(params, dict)
    return params


def test_the_app_gets_a_role_on_everything_that_it_calls() -> None:
    app = given("appRoles")
    assert app["principalId"].text == "identity.outputs.principalId"
    assert {"eventHubNamespaceName", "cosmosAccountName"} <= app.keys()
    assert {"keyVaultName", "secretName", "componentName"} <= app.keys()
    storage = given("appStorageRole")
    assert storage["principalId"].text == "identity.outputs.principalId"
    assert storage["storageAccountName"].text == "storage.outputs.name"
    assert "identity.outputs.principalId" in given("openAi")["callers"].text
    assert given("metricsReader")["principalId"].text == "identity.outputs.principalId"


def test_who_deploys_gets_the_roles_for_local_work() -> None:
    principal = given("principalRoles")
    assert principal["principalId"].text == "dataPrincipalId"
    assert principal["principalType"].text == "dataPrincipalType"
    assert given("appRoles").keys() - principal.keys() == {"componentName"}
    assert given("principalStorageRole")["principalId"].text == "dataPrincipalId"
    assert given("principalStorageRole").keys() == given("appStorageRole").keys()


DEPLOYER = "00000000-0000-0000-0000-00000000000d"
GROUP_OF_PEOPLE = "22222222-2222-2222-2222-222222222222"


@pytest.mark.parametrize(
    ("asked", "has_them"),
    [
        pytest.param("", (DEPLOYER, "User"), id="who deploys"),
        pytest.param("nobody", ("", "Group"), id="nobody"),
        pytest.param(GROUP_OF_PEOPLE, (GROUP_OF_PEOPLE, "Group"), id="a group"),
    ],
)
def test_the_data_roles_may_go_to_a_group_or_to_nobody(
    asked: str, has_them: tuple[str, str]
) -> None:
    """By a variable of its own: azd fills in who deploys, whatever was set."""
    main = Evaluation(template("main.bicep"), parameters={"dataRoles": asked})
    assert (main["dataPrincipalId"], main["dataPrincipalType"]) == has_them
    text = (INFRA / "main.bicep").read_text(encoding="utf-8")
    for module in ("principalRoles 'app/roles", "principalStorageRole 'app/storage-role"):
        assert f"module {module}.bicep' = if (!empty(dataPrincipalId))" in text
    callers = given("openAi")["callers"]
    found = Evaluation(
        template("main.bicep"),
        parameters={"dataRoles": asked, "principalMayCallOpenAi": True, "apiManagement": False},
        given={"identity": {"outputs": {"principalId": "app"}}},
    ).value(callers.node)
    assert [(one["id"], one["type"]) for one in found[1:]] == ([has_them] if has_them[0] else [])


def test_the_role_on_the_subscription_can_be_left_out() -> None:
    text = (INFRA / "main.bicep").read_text(encoding="utf-8")
    assert "module metricsReader 'app/metrics-reader.bicep' = if (assignMonitoringReader)" in text


# --- the checks find what is planted -------------------------------------------------------------


def test_a_role_that_is_assigned_by_its_id_is_found() -> None:
    path = INFRA / "app" / "metrics-reader.bicep"
    text = path.read_text(encoding="utf-8").replace(
        "roles['Monitoring Reader']", f"'{BUILT_IN['Monitoring Reader']}'"
    )
    ((role, _),) = assignments(parse(text, path=path))
    assert role == ""


def test_an_assignment_without_a_scope_is_found() -> None:
    path = INFRA / "app" / "openai-access.bicep"
    text = path.read_text(encoding="utf-8").replace("  scope: account\n", "")
    ((role, one),) = assignments(parse(text, path=path))
    with pytest.raises(AssertionError, match="whole resource group"):
        test_an_assignment_has_a_scope_and_a_name_that_is_the_same_next_time(path, role, one)
