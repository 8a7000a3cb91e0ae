"""What a row must reach, and when it misses."""

from dataclasses import replace

import pytest
from rich.console import Console

from benchmarks.control.report import as_json, misses, print_table
from benchmarks.control.robustness import WRONG
from benchmarks.control.row import Row
from benchmarks.control.scenarios import SCENARIOS
from benchmarks.control.targets import (
    MUST_HOLD,
    TARGETS,
    BetterThan,
    Target,
    missed,
    target_of,
)
from tests.benchmarks.control.rows import result, row


@pytest.mark.parametrize(
    ("ratio", "extra", "count"),
    [
        pytest.param(0.99, 0.0, 0, id="just reached"),
        pytest.param(0.9899, 0.0, 1, id="filled too little"),
        pytest.param(1.2, 1 / 19_366, 1, id="one call refused"),
        pytest.param(0.5, 0.1, 2, id="both"),
        pytest.param(0.99, -0.001, 0, id="fewer refused than alone"),
    ],
)
def test_a_floor_may_be_reached_and_not_missed(ratio: float, extra: float, count: int) -> None:
    of = result(row("B", bucket_seconds=60), ratio=ratio, extra_refused_share=extra)
    assert len(missed(of, [of])) == count


def test_every_scenario_has_a_target_for_every_signal_and_with_the_sender_killed() -> None:
    assert len(TARGETS) == 6 * 4
    assert target_of(row("C", bucket_seconds=10, kill=True)) == Target(0.92, 0.013)
    assert target_of(row("B", bucket_seconds=10, signals="events")) == Target(0.96, 0.0005)


@pytest.mark.parametrize(
    "of",
    [
        pytest.param(row("B", policy="aimd"), id="another policy"),
        pytest.param(row("B", bucket_seconds=30), id="another depth"),
        pytest.param(replace(row(), scenario=replace(SCENARIOS["B"], ptus=100)), id="another size"),
        pytest.param(
            replace(row(), scenario=replace(SCENARIOS["B"], name="custom")), id="another trace"
        ),
    ],
)
def test_the_table_does_not_speak_of(of: Row) -> None:
    assert target_of(of) is None
    assert missed(result(of, ratio=0.0), []) == []


OURS = row("C", bucket_seconds=60, signals="monitor")
THRESHOLD = replace(OURS, policy="threshold")


@pytest.mark.parametrize(
    ("ours", "theirs", "met"),
    [
        pytest.param((0.3, 0.05), (0.9, 0.10), True, id="half its harm, whatever it fills"),
        pytest.param((0.9, 0.09), (0.9, 0.10), True, id="its ratio with less harm"),
        pytest.param((0.8, 0.09), (0.9, 0.10), False, id="a lower ratio with nearly its harm"),
        pytest.param((0.95, 0.10), (0.9, 0.10), False, id="as much harm"),
        pytest.param((0.1, 0.0), (0.9, 0.0), True, id="neither does harm"),
    ],
)
def test_report_is_measured_against_the_threshold_of_the_same_run(
    ours: tuple[float, float], theirs: tuple[float, float], met: bool
) -> None:
    of = result(OURS, ratio=ours[0], extra_refused_share=ours[1])
    other = result(THRESHOLD, ratio=theirs[0], extra_refused_share=theirs[1])
    assert (missed(of, [of, other]) == []) is met


def test_there_is_nothing_to_compare_with_if_the_threshold_was_not_run() -> None:
    of = result(OURS, ratio=0.0, extra_refused_share=0.5)
    assert missed(of, [of]) == []


def test_every_robustness_row_has_a_bound_of_its_own() -> None:
    assert len(MUST_HOLD) == len(WRONG)
    wrong = WRONG[0].row()
    bad = result(wrong, ratio=0.1)
    assert [line.startswith(wrong.title) for line in misses([bad])] == [True]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        pytest.param(Target(0.99, 0), "≥ 0.99 / 0", id="no harm"),
        pytest.param(Target(0.94, 0.013), "≥ 0.94 / ≤ 1.30%", id="a little"),
        pytest.param(BetterThan("threshold"), "better than threshold", id="another policy"),
    ],
)
def test_a_target_says_what_must_hold(target: Target | BetterThan, says: str) -> None:
    assert str(target) == says


def test_the_table_says_what_must_hold_beside_what_does() -> None:
    console = Console(width=220, force_terminal=False)
    with console.capture() as captured:
        print_table([result(), result(row("C", bucket_seconds=10), ratio=0.5)], console)
    met, missed_row, *missed_lines = captured.get().splitlines()[1:]
    assert "0.9900" in met
    assert met.rstrip().endswith("≥ 0.99 / 0 met")
    assert missed_row.rstrip().endswith("≥ 0.94 / ≤ 1.30% missed")
    assert missed_lines[0].startswith("missed: C W=10 P=1 live: ratio 0.5000")


KEYS = {
    "scenario",
    "bucket_seconds",
    "processes",
    "signals",
    "policy",
    "idle_alone",
    "batch_share",
    "ratio",
    "baseline_refused",
    "refused",
    "extra_refused_share",
    "batch_429",
    "idle_share",
    "wall_seconds",
}


def test_the_json_has_every_key_of_a_row() -> None:
    [found] = as_json([result()], apart=True)["rows"]
    assert set(found) >= KEYS
    assert found["scenario"] == "B"
    assert found["policy"] == "ours"


def test_rows_with_the_sender_killed_are_told_apart() -> None:
    found = as_json([result(), result(row(kill=True))], apart=True)
    assert [len(found["rows"]), len(found["killed"])] == [1, 1]
    together = as_json([result(row(kill=True))], apart=False)
    assert [one["killed"] for one in together["rows"]] == [True]
