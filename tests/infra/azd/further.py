"""Two accounts beside the first one, in other resource groups and subscriptions, whose deployments
have the same names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.infra.azd.places import template
from tests.support.bicep.evaluate import Evaluation

MAIN = template("main.bicep")

NORTH_SUBSCRIPTION = "33333333-3333-3333-3333-333333333333"
SOUTH_SUBSCRIPTION = "44444444-4444-4444-4444-444444444444"
NORTH_ID = (
    f"/subscriptions/{NORTH_SUBSCRIPTION}/resourceGroups/ai-north"
    "/providers/Microsoft.CognitiveServices/accounts/acct-north"
)
SOUTH_ID = (
    f"/subscriptions/{SOUTH_SUBSCRIPTION}/resourceGroups/ai-south"
    "/providers/Microsoft.CognitiveServices/accounts/acct-south"
)
FURTHER: dict[str, Any] = {
    "FURTHER_OPENAI_RESOURCES": f"north={NORTH_ID},south={SOUTH_ID}",
    "PTU_DEPLOYMENTS": "gpt-4.1:gpt-4.1:50,north=gpt-4.1@north:gpt-4.1:100:payg-north,"
    "south=gpt-4.1@south:gpt-4.1:15:payg-north",
    "PTU_SPILLOVER_DEPLOYMENTS": "payg-north=payg@north:gpt-4.1:100000:600",
}
"""Variables of azd's environment."""


def parameters(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Those three as parameters of main.bicep."""
    return {
        "furtherOpenAiResources": variables["FURTHER_OPENAI_RESOURCES"],
        "ptuDeployments": variables["PTU_DEPLOYMENTS"],
        "spilloverDeployments": variables["PTU_SPILLOVER_DEPLOYMENTS"],
    }


def with_further_accounts(given: Mapping[str, Any], **more: Any) -> Evaluation:
    """main.bicep with what Azure would tell of the further accounts. Raises Failed."""
    accounts = Evaluation(MAIN, parameters=given)["furtherResources"]
    told = [
        {
            "outputs": {
                "id": one["id"],
                "endpoint": f"https://{one['account']}.openai.azure.com/",
                "location": f"{one['label']}europe",
            }
        }
        for one in accounts
    ]
    return Evaluation(MAIN, parameters=given, given={"furtherOpenAi": told, **more})
