"""The object `settings` of infra/main.parameters.json: any of the app's settings, by name."""

from __future__ import annotations

import json

from infra.scripts.inputs import Inputs, app_rules, as_app_settings
from infra.scripts.inputs.deployments import PTUS, SPILLOVER, of_the_app, read

PARAMETERS_FILE = "infra/main.parameters.json"


def problems(inputs: Inputs) -> list[str]:
    """By the app's rules, on top of what the template sets by itself."""
    given = as_app_settings(inputs.settings)
    if not given:
        return []
    found = [
        f'"settings" of {PARAMETERS_FILE} has {name}, which Flex Consumption refuses: take it out'
        for name in given
        if _refused(name, inputs.refused_settings)
    ]
    made = _of_the_template(inputs)
    before = set(app_rules.problems(made, known_models=inputs.known_models))
    # a name counts without regard to case, so the template's own value of it has to go
    named = {name.upper() for name in given}
    kept = {name: value for name, value in made.items() if name.upper() not in named}
    after = app_rules.problems({**kept, **given}, known_models=inputs.known_models)
    found += [
        f'"settings" of {PARAMETERS_FILE}: {problem}; change it there'
        for problem in after
        if problem not in before
    ]
    return found


def _refused(name: str, refused: tuple[str, ...]) -> bool:
    for one in refused:
        if name.upper() == one.upper():
            return True
        if one.endswith("*") and name.upper().startswith(one[:-1].upper()):
            return True
    return False


def _of_the_template(inputs: Inputs) -> dict[str, str]:
    """What infra/app/function-app.bicep sets. Addresses stand for those that are not known yet."""
    ptus, spillover = of_the_app(inputs, read(inputs, PTUS)[0], read(inputs, SPILLOVER)[0])
    days = inputs.number("HUB_RETENTION_DAYS", 7)
    entra = inputs.text("ALERT_AUTHENTICATION") == "entra"
    return {
        "ALERT_AUDIENCE": inputs.text("ALERT_AUDIENCE"),
        "ALERT_AUTHENTICATION": inputs.text("ALERT_AUTHENTICATION", "key"),
        "ALERT_TENANT_ID": "00000000-0000-0000-0000-000000000000" if entra else "",
        "AZURE_MONITOR_ENDPOINT": "https://region.metrics.monitor.azure.com",
        "AZURE_OPENAI_API_VERSION": inputs.text("AZURE_OPENAI_API_VERSION"),
        "AZURE_OPENAI_ENDPOINT": "https://account.openai.azure.com/",
        "AZURE_OPENAI_RESOURCE_ID": "/subscriptions/s/resourceGroups/g/providers/p",
        "AzureWebJobsStorage__blobServiceUri": "https://account.blob.core.windows.net/",
        "COSMOS__accountEndpoint": "https://account.documents.azure.com:443/",
        "COSMOS_DATABASE": "ptu",
        "DEPLOYMENTS": json.dumps(ptus),
        "EVENT_HUBS__fullyQualifiedNamespace": "namespace.servicebus.windows.net",
        "GAUGE_SCHEDULE": "15 * * * * *",
        "HUB_RETENTION_SECONDS": str((days or 7) * 86_400),
        # the URI is left out where the object brings a key
        **(
            {}
            if "REQUEST_ID_KEY" in inputs.app_settings
            else {"REQUEST_ID_KEY_URI": "https://vault.vault.azure.net/secrets/request-id-key"}
        ),
        "SPILLOVER_DEPLOYMENTS": json.dumps(spillover),
        "SWEEP_SCHEDULE": "30 */2 * * * *",
    }
