"""How Azure and gateways call a backend's resource and deployment."""

from __future__ import annotations

import pytest

from ptu_optimizer.capacity.signals.azure_deployment import AzureDeployment

ID = "/subscriptions/S/resourceGroups/RG/providers/Microsoft.CognitiveServices/accounts/West"
ONE = AzureDeployment(
    backend="batch", deployment="GPT-4.1", resource_id=ID, endpoint="https://west.openai.azure.com/"
)


@pytest.mark.parametrize(
    ("resource", "is_it"),
    [
        pytest.param(ID, True, id="its id"),
        pytest.param(f" {ID.upper()}/ ", True, id="as Azure or people may write it"),
        pytest.param("WEST", True, id="the account's name"),
        pytest.param("https://WEST.openai.azure.com", True, id="its endpoint"),
        pytest.param("west.openai.azure.com", True, id="the endpoint's host"),
        pytest.param("east", False, id="another account"),
        pytest.param("", False, id="nothing"),
        pytest.param("/", False, id="a slash alone"),
    ],
)
def test_what_names_its_resource(resource: str, is_it: bool) -> None:
    assert ONE.is_in(resource) is is_it


def test_a_resource_that_the_settings_do_not_say_is_named_by_nothing() -> None:
    assert not AzureDeployment(backend="batch", deployment="x").is_in("")


@pytest.mark.parametrize(("name", "is_it"), [("gpt-4.1", True), ("GPT-4.1 ", True), ("gpt", False)])
def test_what_names_its_deployment(name: str, is_it: bool) -> None:
    assert ONE.is_named(name) is is_it
