"""Opt-in: the application that stands for the alert webhook, for ALERT_AUTHENTICATION=entra.

Needs the right to create applications in the directory. Microsoft, "Action groups: Configure
authentication for Secure webhook": an application with the role ActionGroupsSecureWebhook, given to
the service principal of Azure Monitor.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Mapping

from infra.scripts.tools import main, needed, run

ROLE = "ActionGroupsSecureWebhook"
AZURE_MONITOR = "461e8683-5575-4561-ac7f-899cc907d62a"
"""Application id of "AzNS AAD Webhook", the same in every tenant of the public cloud."""
GRAPH = "https://graph.microsoft.com/v1.0"


def application(name: str, *, role_id: str) -> dict[str, object]:
    """The body that creates it."""
    return {
        "displayName": name,
        "signInAudience": "AzureADMyOrg",
        "api": {"requestedAccessTokenVersion": 2},
        "appRoles": [
            {
                "id": role_id,
                "value": ROLE,
                "displayName": ROLE,
                "description": "May deliver alerts",
                "allowedMemberTypes": ["Application"],
                "isEnabled": True,
            }
        ],
    }


def hook(env: Mapping[str, str]) -> None:
    (environment,) = needed(env, "AZURE_ENV_NAME")
    role_id = str(uuid.uuid4())
    created = _graph(
        "POST", "/applications", application(f"ptu-alerts-{environment}", role_id=role_id)
    )
    app_id, object_id = created["appId"], created["id"]
    uri = f"api://{app_id}"
    _graph("PATCH", f"/applications/{object_id}", {"identifierUris": [uri]})
    principal = _principal(app_id)
    caller = _principal(AZURE_MONITOR)
    _graph(
        "POST",
        f"/servicePrincipals/{principal}/appRoleAssignedTo",
        {"principalId": caller, "resourceId": principal, "appRoleId": role_id},
    )
    for name, value in {
        "ALERT_AUTHENTICATION": "entra",
        "ALERT_AUDIENCE": f"{uri},{app_id}",
        "ALERT_WEBHOOK_OBJECT_ID": object_id,
        "ALERT_WEBHOOK_IDENTIFIER_URI": uri,
    }.items():
        run(["azd", "env", "set", name, value])
    print(f"The application {app_id} stands for the webhook; azd up switches to it.")


def _principal(app_id: str) -> str:
    """The service principal of an application, made if there is none."""
    found = json.loads(
        run(["az", "ad", "sp", "list", "--filter", f"appId eq '{app_id}'", "--output", "json"])
    )
    if found:
        return str(found[0]["id"])
    return str(_graph("POST", "/servicePrincipals", {"appId": app_id})["id"])


def _graph(method: str, path: str, body: Mapping[str, object]) -> dict[str, str]:
    answer = run(
        ["az", "rest", "--method", method, "--url", GRAPH + path, "--body", json.dumps(body),
         "--headers", "Content-Type=application/json", "--output", "json"]
    )  # fmt: skip
    return dict(json.loads(answer)) if answer else {}


if __name__ == "__main__":
    sys.exit(main(hook))
