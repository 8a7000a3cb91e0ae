"""What the benchmark says of its figures."""

import json

import pytest
from rich.console import Console

from benchmarks.throughput.__main__ import as_json
from benchmarks.throughput.report import PartReport, Target, print_table, significant


def part(**more: object) -> PartReport:
    given: dict[str, object] = {
        "name": "enqueue",
        "unit": "items/s",
        "ours": 12_345.678,
        "bare": 25_000.0,
        "ratio": 0.493827,
        "bare_is": "the SDK",
        "targets": (Target(name="ratio", limit=0.4),),
    }
    return PartReport(**{**given, **more})  # type: ignore[arg-type]


def shown(*parts: PartReport, width: int = 120) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        print_table(parts, console)
    return captured.get()


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        pytest.param(Target(name="ratio", limit=0.4), 0.4, True, id="at the least"),
        pytest.param(Target(name="ratio", limit=0.4), 0.399, False, id="just below the least"),
        pytest.param(Target(name="m", limit=1.3, at_most=True), 1.3, True, id="at the most"),
        pytest.param(Target(name="m", limit=1.3, at_most=True), 1.301, False, id="above the most"),
    ],
)
def test_a_target_is_a_limit_that_may_be_reached(target: Target, value: float, met: bool) -> None:
    assert target.met_by(value) is met


def test_the_json_has_every_part_by_name_and_the_circumstances() -> None:
    found = json.loads(json.dumps(as_json([part()], quick=True, seconds=1.5)))
    assert set(found) == {"enqueue", "run"}
    assert found["run"]["quick"] is True
    assert found["run"]["seconds"] == 1.5


def test_a_part_of_the_json_says_ours_bare_ratio_target_and_verdict() -> None:
    found = part(more={"rounds_ours": [1.0]}).as_dict()
    assert found["ours"] == 12_350.0
    assert found["bare"] == 25_000.0
    assert found["ratio"] == 0.494
    assert found["targets"] == ["ratio >= 0.4"]
    assert found["met"] is True
    assert found["rounds_ours"] == [1.0]


def test_a_part_that_promises_nothing_has_neither_met_nor_missed() -> None:
    assert part(targets=()).as_dict()["met"] is None
    assert "reported only" in shown(part(targets=()))


def test_a_part_is_missed_if_any_of_its_targets_is() -> None:
    both = (
        Target(name="memory_ratio", limit=1.3, at_most=True),
        Target(name="time_ratio", limit=1.1, at_most=True),
    )
    report = part(targets=both, more={"memory_ratio": 1.01, "time_ratio": 1.2})
    assert report.missed == [both[1]]
    assert report.as_dict()["met"] is False


def test_the_table_says_plainly_what_is_below_target() -> None:
    good, bad = part(), part(name="dispatch_200ms", ratio=0.3)
    text = shown(good, bad)
    assert "MISSED" in text
    assert text.splitlines()[-1] == "below target: dispatch_200ms"
    assert "MISSED" not in shown(good)


def test_the_table_fits_into_80_columns() -> None:
    widest = part(
        name="dispatch_zero_latency",
        ratio=1.2345,
        targets=(
            Target(name="memory_ratio", limit=1.3, at_most=True),
            Target(name="time_ratio", limit=1.1, at_most=True),
        ),
        more={"memory_ratio": 1.234, "time_ratio": 1.345},
    )
    text = shown(widest, width=80)
    assert "…" not in text
    assert "MISSED (1.345)" in text


def test_figures_carry_no_more_digits_than_they_can_bear() -> None:
    assert significant(12_345.678) == 12_350
    assert significant(0.00123456) == 0.001235
