"""Which functions are accepted, and which keep the whole app from starting."""

import pytest

from local.host.worker.annotations import FunctionLoadError, Signature, check_signature
from tests.local.host.signatures import CASES, Case


def check(case: Case) -> Signature:
    function = case.build()
    return check_signature(
        function.get_function_name(), function.get_user_function(), function.get_bindings()
    )


@pytest.mark.parametrize("case", [c for c in CASES if not c.refusal], ids=lambda case: case.name)
def test_the_worker_accepts(case: Case) -> None:
    assert check(case).inputs


@pytest.mark.parametrize("case", [c for c in CASES if c.refusal], ids=lambda case: case.name)
def test_the_worker_refuses(case: Case) -> None:
    with pytest.raises(FunctionLoadError, match=str(case.refusal)) as refused:
        check(case)
    assert case.code.__name__ in str(refused.value)


def test_mixing_fastapi_and_classic_types_says_so() -> None:
    (classic,) = (case for case in CASES if case.name == "classic request")
    with pytest.raises(FunctionLoadError, match="cannot be mixed"):
        check(classic)
