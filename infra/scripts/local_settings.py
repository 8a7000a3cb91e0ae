"""After provisioning: local.settings.json, with which `func start` works on the services in Azure.

What is not HTTP is disabled in it. The deployed app and a local one read the same hubs, so each
would get a part of the partitions.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from infra.scripts.tools import ROOT, HookError, main, needed, run

OUTPUTS = (
    "EVENT_HUBS__fullyQualifiedNamespace",
    "COSMOS__accountEndpoint",
    "COSMOS_DATABASE",
    "AzureWebJobsStorage__blobServiceUri",
    "AZURE_OPENAI_ENDPOINT",
    "AZURE_OPENAI_RESOURCE_ID",
    "AZURE_MONITOR_ENDPOINT",
    "DEPLOYMENTS",
    "SPILLOVER_DEPLOYMENTS",
)
"""Outputs of main.bicep that are settings of the same name."""

BY_STRING = (
    "EVENT_HUBS",
    "COSMOS",
    "AzureWebJobsStorage",
    "AZURE_OPENAI_API_KEY",
    "AZURE_CLIENT_ID",
    "REQUEST_ID_KEY",
)
"""Left out: a string would win over the identity of whoever is logged in."""

BACKGROUND = (
    "dispatch_requests",
    "dispatch_requests_soon",
    "dispatch_requests_later",
    "usage",
    "gauge",
    "sweep",
)
"""Functions that the deployed app runs."""


def local_settings(
    example: Mapping[str, str], env: Mapping[str, str], *, request_id_key: str | None
) -> dict[str, str]:
    """The values of local.settings.json: the example's, on the services that were created."""
    values = {name: value for name, value in example.items() if name not in BY_STRING}
    values.update({name: env[name] for name in OUTPUTS})
    if request_id_key:
        values["REQUEST_ID_KEY"] = request_id_key
    values.update({f"AzureWebJobs.{name}.Disabled": "true" for name in BACKGROUND})
    return values


def hook(env: Mapping[str, str]) -> None:
    needed(env, *OUTPUTS)
    example = json.loads((ROOT / "local.settings.json.example").read_text(encoding="utf-8"))
    target = ROOT / "local.settings.json"
    values = local_settings(
        example["Values"], env, request_id_key=_request_id_key(env.get("KEY_VAULT_NAME", ""))
    )
    target.write_text(
        json.dumps({"IsEncrypted": False, "Values": values}, indent=2) + "\n", encoding="utf-8"
    )
    target.chmod(0o600)
    print(f"{target.name} is written: func start serves HTTP on the services in Azure.")


def _request_id_key(vault: str) -> str | None:
    """The key that the deployed app signs with: with another one its requests would be unknown."""
    try:
        return run(
            ["az", "keyvault", "secret", "show", "--vault-name", vault, "--name", "request-id-key",
             "--query", "value", "--output", "tsv", "--only-show-errors"]
        )  # fmt: skip
    except HookError as error:
        print(f"REQUEST_ID_KEY is left out of local.settings.json: {error}", file=sys.stderr)
        return None


if __name__ == "__main__":
    sys.exit(main(hook))
