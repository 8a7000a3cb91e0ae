"""After the code is there: the alerts that brake the queue, and the API of the gateway.

Their receiver is a function with a key of its own, which infra/app/alert-receiver.bicep reads: no
key comes through here.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra.scripts.tools import ROOT, HookError, main, needed, run

RECEIVER = "capacity_alert"
PATIENCE = 30
"""Tries, ten seconds apart: a function has a key once the platform has seen it, minutes after the
deployment of the code."""
PAUSE_SECONDS = 10.0

OPTIONS = {
    "ALERT_AUTHENTICATION": "alertAuthentication",
    "ALERT_WEBHOOK_OBJECT_ID": "alertWebhookObjectId",
    "ALERT_WEBHOOK_IDENTIFIER_URI": "alertWebhookIdentifierUri",
    "API_MANAGEMENT_NAME": "apiManagementName",
    "GATEWAY_CLIENT_ID": "gatewayClientId",
    "GATEWAY_JWT_AUDIENCE": "gatewayJwtAudience",
    "GATEWAY_TENANT_CLAIM": "gatewayTenantClaim",
}
"""Variables of azd's environment that are parameters as they are, if they are set."""
NUMBERS = {
    "ALERT_REFUSALS": "refusalThreshold",
    "ALERT_UTILIZATION": "utilizationThreshold",
}


def parameters(env: Mapping[str, str]) -> dict[str, Any]:
    """Of infra/postdeploy.bicep. Raises HookError."""
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
        "deployments": json.loads(deployments),
        "hasNextBackend": bool(env.get("NEXT_OPENAI_RESOURCE_ID")),
    }
    values.update({name: env[variable] for variable, name in OPTIONS.items() if env.get(variable)})
    values.update(
        {name: int(env[variable]) for variable, name in NUMBERS.items() if env.get(variable)}
    )
    return values


def wait_for_the_receiver(
    env: Mapping[str, str], *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Raises HookError with what `az` said last."""
    group, app = needed(env, "AZURE_RESOURCE_GROUP", "FUNCTION_APP_NAME")
    for tries_left in reversed(range(PATIENCE)):
        try:
            run(
                ["az", "functionapp", "function", "show", "--resource-group", group,
                 "--name", app, "--function-name", RECEIVER,
                 "--only-show-errors", "--output", "none"]
            )  # fmt: skip
        except HookError:
            if not tries_left:
                raise
            sleep(PAUSE_SECONDS)
        else:
            return


def hook(env: Mapping[str, str]) -> None:
    values = parameters(env)
    (subscription,) = needed(env, "AZURE_SUBSCRIPTION_ID")
    wait_for_the_receiver(env)
    with tempfile.TemporaryDirectory() as folder:
        # a file: shells differ in how they quote JSON
        file = Path(folder) / "parameters.json"
        file.write_text(
            json.dumps({"parameters": {name: {"value": v} for name, v in values.items()}}),
            encoding="utf-8",
        )
        run(
            ["az", "deployment", "sub", "create",
             "--name", f"ptu-postdeploy-{values['environmentName']}",
             "--subscription", subscription,
             "--location", values["location"],
             "--template-file", str(ROOT / "infra" / "postdeploy.bicep"),
             "--parameters", f"@{file}",
             "--only-show-errors", "--output", "none"]
        )  # fmt: skip
    print("The alerts that brake the queue are in place.")


if __name__ == "__main__":
    sys.exit(main(hook))
