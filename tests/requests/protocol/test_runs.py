"""The real ledger code under drawn faults: whatever goes wrong, the promises hold.

`PROTOCOL_RUNS=20000 pytest tests/requests/protocol/test_runs.py` for a long hunt;
`PROTOCOL_SEED=123` to begin elsewhere. A run that breaks a promise is shrunk to the fewest faults
that still do, and printed as an interleaving.
"""

from __future__ import annotations

import os

import pytest

from tests.requests.protocol.runs import run, shrunk

RUNS = int(os.environ.get("PROTOCOL_RUNS", "600"))
FIRST = int(os.environ.get("PROTOCOL_SEED", "0"))
BLOCK = 100


@pytest.mark.parametrize("block", range(FIRST, FIRST + RUNS, BLOCK))
def test_the_promises_hold_whatever_goes_wrong(block: int) -> None:
    for seed in range(block, min(block + BLOCK, FIRST + RUNS)):
        result = run(seed)
        if result.violations:
            pytest.fail(str(shrunk(result)), pytrace=False)


def test_a_run_is_the_same_whenever_it_is_repeated() -> None:
    assert run(7).log == run(7).log
