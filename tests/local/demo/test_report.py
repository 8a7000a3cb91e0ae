"""The closing figures and the promises they are held to."""

import io
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from local.demo.api import Result
from local.demo.plot import BATCH, INTERACTIVE, draw, resample
from local.demo.progress import BAR_COLUMNS, Snapshot, load_bar, panel
from local.demo.report import Fill, Report, make_report
from local.demo.truth import Books, Second, attempts_under_way


def second(at: float, interactive: float, batch: float, served: int = 0) -> Second:
    return Second(at=at, level=0.1, interactive=interactive, batch=batch, batch_served=served)


def report_of(
    states: list[str], *, books: Books, outcomes: Counter[str] | None = None, killed: str = ""
) -> Report:
    results = {
        f"g-{i}": Result(f"g-{i}", state, answered=state == "succeeded")
        for i, state in enumerate(states)
    }
    return make_report(
        results=results,
        outcomes=outcomes or Counter(),
        books=books,
        refused_alone=3,
        window=[second(1, 0.5, 0.4, 1), second(2, 0.3, 0.5, 2)],
        killed=killed,
        in_flight_at_kill=1 if killed else 0,
    )


def test_when_all_went_well_no_promise_is_broken() -> None:
    report = report_of(["succeeded"] * 2, books=Books(batch_served=2, requests_served=2))
    assert report.broken_promises() == []
    assert (report.submitted, report.succeeded, report.lost) == (2, 2, 0)


@pytest.mark.parametrize(
    ("states", "books", "outcomes", "says"),
    [
        pytest.param(["queued"], Books(), {}, "1 requests have no outcome", id="lost"),
        pytest.param(["HTTP 500"], Books(), {}, "1 requests have no outcome", id="unreadable"),
        pytest.param(["failed"], Books(), {}, "1 requests did not succeed", id="failed"),
        pytest.param(["expired"], Books(), {}, "1 requests did not succeed", id="expired"),
        pytest.param(
            ["succeeded"],
            Books(batch_served=1),
            {"g-0": 2},
            "1 outcomes too many",
            id="two outcomes",
        ),
        pytest.param(
            ["succeeded"], Books(batch_served=2), {}, "the PTU served 2 calls", id="books differ"
        ),
    ],
)
def test_a_broken_promise_is_said(
    states: list[str], books: Books, outcomes: dict[str, int], says: str
) -> None:
    report = report_of(states, books=books, outcomes=Counter(outcomes))
    assert any(says in promise for promise in report.broken_promises())


def test_the_harm_to_interactive_traffic_is_shown_against_what_would_have_been() -> None:
    books = Books(batch_served=1, interactive_served=95, interactive_refused=5)
    report = report_of(["succeeded"], books=books)
    assert "100 calls, 5 refused; without the batch 3" in report.text()
    figures = report.as_dict()
    assert figures["interactive_refused"] == 5
    assert figures["interactive_refused_without_batch"] == 3


def test_a_success_without_an_answer_is_not_one() -> None:
    report = make_report(
        results={"g-0": Result("g-0", "succeeded", answered=False)},
        outcomes=Counter(),
        books=Books(batch_served=1),
        refused_alone=0,
        window=[],
        killed="",
        in_flight_at_kill=0,
    )
    assert (report.succeeded, report.failed) == (0, 1)


def test_duplicate_calls_are_kept_to_what_a_kill_cut_off() -> None:
    books = Books(batch_served=3, surplus=2)
    report = report_of(["succeeded"], books=books, killed="host")
    assert any("more than the 1 in flight" in promise for promise in report.broken_promises())
    assert replace(report, in_flight_at_kill=2).broken_promises() == []


def test_the_share_filled_is_of_what_interactive_traffic_left() -> None:
    fill = Fill.of([second(1, 0.5, 0.4), second(2, 0.3, 0.5)])
    assert fill.idle_share_before == pytest.approx(0.6)
    assert fill.idle_share_after == pytest.approx(0.15)
    assert fill.filled_share == pytest.approx(0.75)
    assert Fill.of([]).filled_share == 0


def test_the_start_and_the_end_are_told_apart_from_the_full_flow() -> None:
    """Before the first answer nothing is known, and the last requests cannot fill a PTU."""
    start = [second(at, 0.5, 0.0) for at in range(4)]
    flow = [second(4 + at, 0.5, 0.5, 10 * (at + 1)) for at in range(9)]
    end = [second(13 + at, 0.5, 0.1, 96 + at) for at in range(5)]
    report = make_report(
        results={},
        outcomes=Counter(),
        books=Books(),
        refused_alone=0,
        window=[*start, *flow, *end],
        killed="",
        in_flight_at_kill=0,
    )
    assert report.filled_share == pytest.approx(5 / 9, abs=1e-3)
    assert report.filled_share_until_95_percent == pytest.approx(9 / 13, abs=1e-3)
    assert report.filled_share_in_full_flow == 1.0
    assert "100% of it from the first answer until 95% were served" in report.text()


def slot(request: str, n: int, kind: str, worker: str | None = None) -> dict[str, Any]:
    return {"request_id": request, "n": n, "kind": kind, "worker": worker}


def test_calls_in_flight_at_a_kill_are_the_attempts_that_the_dead_left_without_an_end() -> None:
    slots = [
        slot("a", 1, "attempt", "machine-71-c0ffee"),
        slot("b", 1, "attempt", "machine-71-c0ffee"),
        slot("b", 2, "succeeded"),
        slot("c", 1, "attempt", "machine-72-c0ffee"),
        slot("d", 1, "attempt", "machine-72-c0ffee"),
        slot("d", 2, "released"),
        slot("d", 3, "attempt", "machine-71-c0ffee"),
        slot("e", 1, "attempt", "machine-7-71c0ff"),
    ]
    assert attempts_under_way(slots, [71]) == 2
    assert attempts_under_way(slots, [71, 72]) == 3
    assert attempts_under_way([], [71]) == 0


def test_the_picture_stacks_batch_on_interactive_and_never_exceeds_the_ptu() -> None:
    columns = resample([second(i, 0.7, 0.5) for i in range(100)], 50)
    assert len(columns) == 50
    assert all(interactive + batch <= 1 for interactive, batch in columns)
    picture = draw([second(i, 0.5, 0.4) for i in range(30)], color=False)
    assert INTERACTIVE in picture
    assert BATCH in picture
    assert "100 %" in picture
    assert "\x1b" not in picture
    assert draw([], color=False) == ""


def test_a_moment_fits_on_a_line() -> None:
    moment = Snapshot(seconds=12, requests=1_319, done=312, interactive=0.48, batch=0.45)
    line = moment.line()
    for part in ("interactive  48%", "batch  45%", "idle   7%", "done 312/1319", "deferred 0"):
        assert part in line
    assert len(line) <= 120
    assert len(load_bar(replace(moment, batch=0.9)).plain) == BAR_COLUMNS


def test_the_panel_fits_a_terminal_of_80_columns() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(
        panel(
            Snapshot(
                seconds=123,
                requests=1_319,
                done=1_319,
                in_flight=128,
                deferred=1_234,
                interactive=1.0,
                interactive_calls=1_234,
                belief="level 7%, others 43%, by header 1.2 s old; wait: " + 10 * "a long reason ",
            )
        )
    )
    lines = console.export_text().splitlines()
    assert len(lines) == 6, "nothing is wrapped"
    assert "done 1319 of 1319, 128 in flight" in lines[2]
    assert "believed: level 7%" in lines[4]


def test_the_belief_while_sending_is_in_the_figures() -> None:
    report = report_of(["succeeded"], books=Books(batch_served=1))
    assert report.as_dict()["belief"] is None
    assert "GET /capacity" not in report.text()
    said = {
        "belief": {"level": None},
        "readings": [],
        "leases": [],
        "learned": None,
        "what_would_change_it": ["the next response"],
    }
    report = replace(report, belief=said)
    assert report.as_dict()["belief"] == said
    assert report.text().splitlines()[-1] == "would change it the next response"
