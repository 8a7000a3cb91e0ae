"""What is created on the Azure OpenAI account says whose it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.infra.azd.places import INFRA, template
from tests.support.bicep.evaluate import Evaluation

MAIN = template("main.bicep")
MODELS: dict[str, Any] = json.loads((INFRA / "ptu-models.json").read_text(encoding="utf-8"))


def evaluated(**parameters: Any) -> Evaluation:
    return Evaluation(
        MAIN,
        parameters={"environmentName": "dev", "location": "swedencentral", **parameters},
        given={"group": {"id": "/subscriptions/s/resourceGroups/rg-dev"}},
    )


def test_a_created_deployment_tells_its_environment_and_group() -> None:
    """Preprovision changes no deployment without these tags, and `azd down` deletes none."""
    given = MAIN.of("module")["openAiDeployments"].value["params"]["tags"]
    assert evaluated().value(given.node) == {
        "azd-env-name": "dev",
        "azd-env-group": "/subscriptions/s/resourceGroups/rg-dev",
    }
    body = template("app/openai-deployments.bicep").of("resource")["deployment"].value
    assert body["tags"].text == "tags"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("sku", "size"), [("GlobalProvisionedManaged", "wide"), ("ProvisionedManaged", "regional")]
)
def test_every_model_of_the_table_can_be_asked_for(model: str, sku: str, size: str) -> None:
    """Preprovision refuses those that are retired: the template does not know what exists."""
    line = MODELS[model]
    least = line[size]["minimum"]
    created = evaluated(createPtuDeployment=True, ptuModel=model, ptuSku=sku, ptuCount=least)
    ((found),) = created["created"]
    assert (found["capacity"], found["sku"]) == (least, sku)
    assert found["format"] == line.get("format", "OpenAI")
