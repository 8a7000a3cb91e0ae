"""A backend: one deployment of one resource, under a name of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ptu_optimizer.backends.backend import Backend
from tests.support.backends import RESOURCE_ID, WEST, backend

EAST = replace(
    WEST, endpoint="https://east.openai.azure.com", resource_id=RESOURCE_ID[:-4] + "east"
)
ONE = backend("batch", deployment="gpt-4.1", ptus=50)


def test_it_drains_what_its_model_and_size_say() -> None:
    assert ONE.work_per_second == 50 * 3_000 / 60


def test_azure_knows_it_by_resource_and_deployment() -> None:
    found = ONE.in_azure
    assert (found.backend, found.deployment) == ("batch", "gpt-4.1")
    assert found.is_in(RESOURCE_ID)


def test_a_key_is_never_shown() -> None:
    assert "secret" not in repr(replace(WEST, api_key="a secret"))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param(replace(ONE, name="renamed"), True, id="another name of the app's"),
        pytest.param(replace(ONE, deployment="GPT-4.1"), True, id="another case"),
        pytest.param(
            replace(ONE, resource=replace(WEST, endpoint=WEST.endpoint + "/")), True, id="a slash"
        ),
        pytest.param(
            replace(ONE, resource=replace(WEST, api_key="k", api_version="v1")),
            True,
            id="another way in",
        ),
        pytest.param(replace(ONE, resource=EAST), False, id="another resource"),
        pytest.param(replace(ONE, deployment="gpt-4.1-b"), False, id="another deployment"),
        pytest.param(replace(ONE, model="gpt-5"), False, id="another model"),
        pytest.param(replace(ONE, ptus=100), False, id="another size"),
    ],
)
def test_what_was_learned_holds_for_one_place_model_and_size(other: Backend, same: bool) -> None:
    assert (other.learned_of == ONE.learned_of) is same
