"""Which rows the command line asks for."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.control.plan import Choice, pictured, rows_of, scenarios_of
from benchmarks.control.policies import POLICIES
from benchmarks.control.traces import TraceError


def test_the_default_run_is_ours_in_54_rows_and_each_other_policy_at_one_process() -> None:
    rows = rows_of(Choice())
    ours = [row for row in rows if row.policy == "ours" and not row.kill]
    assert len(ours) == 54
    assert Counter(row.processes for row in ours) == {1: 18, 8: 18, 32: 18}
    others = [row for row in rows if row.policy != "ours"]
    assert Counter(row.policy for row in others) == dict.fromkeys(POLICIES, 6)
    assert {row.processes for row in others} == {1}
    killed = [row for row in rows if row.kill]
    assert len(killed) == 18
    assert {row.signals for row in killed} == {"live"}


def test_no_row_comes_twice() -> None:
    rows = rows_of(Choice())
    assert len(set(rows)) == len(rows)


def test_the_policies_on_the_metric_run_with_the_metric() -> None:
    rows = rows_of(Choice(policies=("threshold", "linear", "aimd")))
    assert {(row.policy, row.signals) for row in rows} == {
        ("threshold", "monitor"),
        ("linear", "monitor"),
        ("aimd", "live"),
    }


def test_what_is_named_leaves_out_the_rest() -> None:
    [only] = rows_of(
        Choice(
            scenarios=("B",),
            bucket_seconds=(10,),
            processes=(3,),
            signals=("events",),
            policies=("ours",),
        )
    )
    assert only.title == "B W=10 P=3 events"


def test_the_quick_run_has_8_processes_and_one_row_to_compare_with() -> None:
    rows = rows_of(Choice(quick=True))
    ours = [row for row in rows if row.policy == "ours"]
    assert len(ours) == 18
    assert {row.processes for row in ours} == {8}
    [other] = [row for row in rows if row.policy != "ours"]
    assert other.title == "C W=10 P=1 monitor threshold"


def test_with_kill_every_row_is_of_a_sender_that_is_killed() -> None:
    rows = rows_of(Choice(kill=True, signals=("live",)))
    assert len(rows) == 18
    assert all(row.kill for row in rows)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """2 calls a second, each 1,000 of work: 2,000 a second for a minute."""
    file = tmp_path / "steady.csv"
    lines = [f"{half / 2},600,100" for half in range(121)]
    file.write_text("\n".join(["seconds,ContextTokens,GeneratedTokens", *lines]))
    return file


def test_a_trace_of_ones_own_is_a_custom_scenario(trace: Path) -> None:
    rows = rows_of(Choice(traces=(trace,), ptus=100, model="gpt-4.1"))
    assert {row.scenario.name for row in rows} == {"custom"}
    assert {row.scenario.ptus for row in rows} == {100}
    assert len([row for row in rows if row.policy == "ours"]) == 18


def test_without_a_size_it_gets_one_that_leaves_half_idle(trace: Path) -> None:
    [custom] = scenarios_of(Choice(traces=(trace,)))
    # 2,000 a second are 40 PTU of 50 a second; the last call adds a little
    assert custom.ptus == 81


def test_a_trace_of_next_to_nothing_gets_the_smallest_size(tmp_path: Path) -> None:
    file = tmp_path / "silence.csv"
    file.write_text("seconds,ContextTokens,GeneratedTokens\n0,1,1\n3600,1,1\n")
    [custom] = scenarios_of(Choice(traces=(file,)))
    assert custom.ptus == 50


def test_a_trace_that_cannot_be_played_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="cannot be read"):
        rows_of(Choice(traces=(tmp_path / "none.csv",)))


def test_the_picture_has_ours_below_the_threshold_on_the_metric() -> None:
    above, below = pictured(Choice())
    assert (above.policy, below.policy) == ("threshold", "ours")
    assert above.picture
    assert below.picture
