"""What a call costs a PTU deployment, held against Microsoft's sizing table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ptu_optimizer.capacity.work import Model, known_models

GPT_4_1 = Model(input_tpm_per_ptu=3_000, output_ratio=4)
tokens = st.integers(min_value=0, max_value=10**7)


@pytest.mark.parametrize(
    ("prompt", "cached", "output", "work"),
    [
        pytest.param(0, 0, 0, 0, id="nothing"),
        pytest.param(100, 0, 0, 100, id="an input token is the unit"),
        pytest.param(0, 0, 100, 400, id="an output token is worth the model's ratio"),
        pytest.param(100, 40, 10, 100, id="cached tokens cost nothing"),
        pytest.param(100, 100, 10, 40, id="all of the prompt cached"),
        pytest.param(100, 150, 10, 40, id="more cached than prompt never earns work back"),
    ],
)
def test_work_of_a_call(prompt: int, cached: int, output: int, work: float) -> None:
    assert GPT_4_1.work(prompt_tokens=prompt, cached_tokens=cached, output_tokens=output) == work


@given(prompt=tokens, cached=tokens, output=tokens)
def test_work_is_never_negative(prompt: int, cached: int, output: int) -> None:
    assert GPT_4_1.work(prompt_tokens=prompt, cached_tokens=cached, output_tokens=output) >= 0


@pytest.mark.parametrize(
    ("ptus", "per_second"),
    [
        pytest.param(1, 50, id="one PTU"),
        pytest.param(15, 750, id="the smallest global deployment"),
        pytest.param(100, 5_000, id="a hundred"),
    ],
)
def test_a_deployment_drains_its_ptus_share_per_second(ptus: int, per_second: float) -> None:
    assert GPT_4_1.drain_per_second(ptus) == per_second


def test_the_sizing_table_knows_the_models_that_microsoft_lists() -> None:
    assert known_models()["gpt-4.1"] == GPT_4_1
    assert known_models()["gpt-5"] == Model(input_tpm_per_ptu=4_750, output_ratio=8)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param({"input_tpm_per_ptu": 0, "output_ratio": 4}, id="drains nothing"),
        pytest.param({"input_tpm_per_ptu": -1, "output_ratio": 4}, id="drains less than nothing"),
        pytest.param({"input_tpm_per_ptu": 3_000, "output_ratio": 0}, id="output for free"),
        pytest.param({"input_tpm_per_ptu": 3_000}, id="no ratio"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(line: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Model(**line)
