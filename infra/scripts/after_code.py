"""After the code is there: the alerts that brake the queue, and the API of the gateway.

The templates read the keys of the functions that they need: no key is handed over here. Before,
it is seen that the app is awake and that its host tells these keys, since a template does not wait.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.scripts.azure import Azure, AzureError
from infra.scripts.deployed_app import App, patience
from infra.scripts.function_keys import wait_for_keys
from infra.scripts.tools import ROOT, HookError, is_true, main, needed

RECEIVER = "capacity_alert"
GATEWAY = ("producer", "request")
"""Functions that the gateway calls, by infra/app/api-management-api.bicep."""

OPTIONS = {
    "ALERT_AUTHENTICATION": "alertAuthentication",
    "ALERT_WEBHOOK_OBJECT_ID": "alertWebhookObjectId",
    "ALERT_WEBHOOK_IDENTIFIER_URI": "alertWebhookIdentifierUri",
    "API_MANAGEMENT_NAME": "apiManagementName",
    "GATEWAY_CLIENT_ID": "gatewayClientId",
    "GATEWAY_JWT_AUDIENCE": "gatewayJwtAudience",
    "GATEWAY_JWT_ROLES": "gatewayJwtRoles",
    "GATEWAY_TENANT_CLAIM": "gatewayTenantClaim",
}
"""Variables of azd's environment that are parameters as they are, if they are set."""
NUMBERS = {
    "ALERT_REFUSALS": "refusalThreshold",
    "ALERT_UTILIZATION": "utilizationThreshold",
}

UTILIZATION = {
    "OpenAI": "AzureOpenAIProvisionedManagedUtilizationV2",
    "AIServices": "ProvisionedUtilization",
}
"""The metric of utilization, by the account's kind. Asked for a metric that it does not have, an
account answers nothing, or zeros: the rule would never fire."""

NAME_LENGTH = 64
"""Of a deployment; Azure allows no more."""


def parameters(env: Mapping[str, str], *, kinds: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Of infra/postdeploy.bicep. `kinds`: of the accounts by their ids, as far as they are known.
    Raises HookError."""
    metrics = {one: UTILIZATION[kind] for one, kind in (kinds or {}).items() if kind in UTILIZATION}
    environment, location, group, app, account, deployments = needed(
        env,
        "AZURE_ENV_NAME",
        "AZURE_LOCATION",
        "AZURE_RESOURCE_GROUP",
        "FUNCTION_APP_NAME",
        "AZURE_OPENAI_RESOURCE_ID",
        "DEPLOYMENTS",
    )
    values: dict[str, Any] = {
        "environmentName": environment,
        "location": location,
        "resourceGroupName": group,
        "functionAppName": app,
        "openAiResourceId": account,
        "deployments": [],
        "furtherResources": [],
        "hasNextBackend": bool(env.get("NEXT_OPENAI_RESOURCE_ID")),
    }
    values.update({name: env[variable] for variable, name in OPTIONS.items() if env.get(variable)})
    values.update(
        {name: _whole(env, variable) for variable, name in NUMBERS.items() if env.get(variable)}
    )
    for resource_id, rules in alerted(deployments).items():
        if not resource_id:
            values["deployments"] = rules
            continue
        values["furtherResources"].append(
            {
                "resourceId": resource_id,
                "deployments": rules,
                "utilizationMetric": metrics.get(resource_id, UTILIZATION["OpenAI"]),
            }
        )
    if account in metrics:
        values["utilizationMetric"] = metrics[account]
    return values


def alerted(deployments: str) -> dict[str, list[dict[str, str]]]:
    """The PTU deployments of DEPLOYMENTS by the id of their account; empty: the first account."""
    found: dict[str, list[dict[str, str]]] = {}
    for one in json.loads(deployments):
        name = one["name"]
        rules = {"name": name, "deployment": one.get("deployment") or name}
        found.setdefault(one.get("resource_id") or "", []).append(rules)
    return found


def _whole(env: Mapping[str, str], variable: str) -> int:
    try:
        return int(env[variable])
    except ValueError:
        raise HookError(
            f"{variable} is {env[variable]!r}, which is no whole number:\n"
            f"    azd env set {variable} NUMBER"
        ) from None


def needed_functions(env: Mapping[str, str]) -> list[str]:
    """Functions whose keys the templates read."""
    by_key = (env.get("ALERT_AUTHENTICATION") or "key") == "key"
    return [
        *([RECEIVER] if by_key else []),
        *(GATEWAY if env.get("API_MANAGEMENT_NAME") else []),
    ]


def deployment_name(environment: str, location: str) -> str:
    """Azure keeps the record of a deployment, with its location, after the resources are deleted.
    The same name in another region is refused."""
    return f"ptu-postdeploy-{environment}-{location}"[:NAME_LENGTH]


def kind_of_account(account_id: str, *, azure: Azure) -> str:
    """Empty if it cannot be read; that is told."""
    try:
        account = azure.account(account_id)
    except AzureError as error:
        print(
            f"The kind of the account {account_id} cannot be read ({error}). The alert on "
            "utilization takes the metric of accounts of kind OpenAI.",
            file=sys.stderr,
        )
        return ""
    return str((account or {}).get("kind") or "")


def hook(env: Mapping[str, str]) -> None:
    (subscription,) = needed(env, "AZURE_SUBSCRIPTION_ID")
    azure = Azure(subscription)
    # what is missing is told before anything is waited for
    parameters(env)
    if not is_true(env.get("INBOUND_PRIVATE")):
        (address,) = needed(env, "FUNCTION_APP_ADDRESS")
        App(address, patience=patience(env)).wake()
    wait_for_keys(env, needed_functions(env), azure=azure)
    accounts = [one or env["AZURE_OPENAI_RESOURCE_ID"] for one in alerted(env["DEPLOYMENTS"])]
    kinds = {one: kind_of_account(one, azure=azure) for one in accounts}
    deploy(parameters(env, kinds=kinds), azure=azure)
    print("The alerts that brake the queue are in place.")


def deploy(values: Mapping[str, Any], *, azure: Azure) -> None:
    """Deploy infra/postdeploy.bicep. Raises AzureError."""
    with tempfile.TemporaryDirectory() as folder:
        # a file: shells differ in how they quote JSON
        file = Path(folder) / "parameters.json"
        file.write_text(
            json.dumps({"parameters": {name: {"value": v} for name, v in values.items()}}),
            encoding="utf-8",
        )
        azure.ask(
            "deployment", "sub", "create",
            "--name", deployment_name(values["environmentName"], values["location"]),
            "--location", values["location"],
            "--template-file", str(ROOT / "infra" / "postdeploy.bicep"),
            "--parameters", f"@{file}",
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(hook))
