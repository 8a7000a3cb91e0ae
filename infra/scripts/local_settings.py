"""After provisioning: local.settings.json, with which `func start` works on the services in Azure.

What is not HTTP is disabled in it. The deployed app and a local one read the same hubs, so each
would get a part of the partitions.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from infra.scripts.questions import in_pipeline
from infra.scripts.tools import ROOT, is_true, main, needed

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

OPTIONAL = ("REQUEST_ID_KEY_URI",)
"""The same, and empty where the deployed app has a key of its own."""

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


def local_settings(example: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """The values of local.settings.json: the example's, on the services that were created. There is
    no secret in it: a local app reads the key of request ids as the deployed one does."""
    values = {name: value for name, value in example.items() if name not in BY_STRING}
    values.update({name: env[name] for name in OUTPUTS})
    values.update({name: env.get(name, "") for name in OPTIONAL})
    values.update({f"AzureWebJobs.{name}.Disabled": "true" for name in BACKGROUND})
    return values


def hook(env: Mapping[str, str], *, target: Path = ROOT / "local.settings.json") -> None:
    """Write the file for a person; a pipeline has no use for it."""
    needed(env, *OUTPUTS)
    if in_pipeline(env):
        print(f"{target.name} is not written: this is a pipeline.")
        return
    example = json.loads((ROOT / "local.settings.json.example").read_text(encoding="utf-8"))
    values = local_settings(example["Values"], env)
    # a new file has its mode before it has content
    with tempfile.NamedTemporaryFile(
        "w", dir=target.parent, prefix=target.name, delete=False, encoding="utf-8"
    ) as new:
        new.write(json.dumps({"IsEncrypted": False, "Values": values}, indent=2) + "\n")
    Path(new.name).replace(target)
    if not values["REQUEST_ID_KEY_URI"]:
        print(
            "The deployed app has a REQUEST_ID_KEY of its own: put the same one into "
            f"{target.name}. With another key its queued requests would become dead letters."
        )
    where = " from within the network" if is_true(env.get("VNET_ENABLED")) else ""
    print(f"{target.name} is written: func start serves HTTP on the services in Azure{where}.")


if __name__ == "__main__":
    sys.exit(main(hook))
