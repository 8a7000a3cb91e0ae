"""Figures that the documentation works out: sums are sums, sizes are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from ptu_optimizer.requests.envelope import first_event
from ptu_optimizer.requests.ids import IdMint
from ptu_optimizer.requests.intake.validation import ItemRules, parse_item
from ptu_optimizer.requests.item import Item
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind, new_token

DOCS = Path(__file__).parents[1] / "docs"
NOW = 1_795_250_000.0


def tables(page: str) -> list[list[list[str]]]:
    """Every table of a page, as rows of cells."""
    found: list[list[list[str]]] = []
    inside = False
    for line in (DOCS / page).read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        if not inside:
            found.append([])
        inside = True
        found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def number(cell: str) -> float:
    return float(cell.strip("* ").replace(",", ""))


# --- costs ----------------------------------------------------------------------------------------

SUMMED = [table for table in tables("costs.md") if table[-1][0] == "**together**"]


def test_there_are_sums() -> None:
    assert len(SUMMED) == 2


@pytest.mark.parametrize("table", SUMMED, ids=["defaults", "cheaper"])
@pytest.mark.parametrize("column", [1, 2, 3])
def test_the_parts_are_what_they_cost_together(table: list[list[str]], column: int) -> None:
    parts = [number(row[column]) for row in table[2:-1]]
    assert sum(parts) == number(table[-1][column])


def test_what_it_is_worth_is_compared_with_what_it_costs() -> None:
    [worth] = [table for table in tables("costs.md") if table[-1][0].startswith("this app, of")]
    rows = {row[0]: row[1:] for row in worth}
    assert [number(cell) for cell in rows["this app, defaults"]] == [
        number(cell) for cell in SUMMED[0][-1][1:]
    ]
    for saved, cost, share in zip(
        rows["the half of it that was idle"],
        rows["this app, defaults"],
        rows["this app, of what it saves"],
        strict=True,
    ):
        said = float(share.removesuffix(" %"))
        assert number(cost) / number(saved) * 100 == pytest.approx(said, abs=0.5)


# --- sizes ----------------------------------------------------------------------------------------

BODY = {"messages": [{"role": "user", "content": "w" * 940}], "max_tokens": 200}
GROUP = IdMint(b"0" * 32).mint(created_at=NOW, ends_at=NOW + 691_200, count=500)


def item() -> Item:
    parsed = parse_item(
        BODY,
        0,
        now=NOW,
        rules=ItemRules(
            deployments=frozenset({"gpt-4.1"}),
            default_deployment="gpt-4.1",
            default_deadline_seconds=86_400,
            longest_deadline_seconds=604_800,
        ),
    )
    assert isinstance(parsed, Item)
    return parsed


def slot_bytes(kind: SlotKind, **details: object) -> int:
    slot = Slot(
        request_id=GROUP.request_id(12),
        n=1,
        kind=kind,
        claim_token=new_token(),
        at=NOW,
        failures=0,
        lease_until=NOW + 360,
        details=dict(details),
    )
    return len(orjson.dumps(slot.record(ends_at=GROUP.ends_at, now=NOW)))


def said(pattern: str) -> int:
    match = re.search(pattern, (DOCS / "scaling.md").read_text(encoding="utf-8"))
    assert match is not None, pattern
    return int(match[1].replace(",", ""))


def test_an_event_is_as_large_as_scaling_says() -> None:
    event = len(first_event(GROUP.request_id(12), item(), inline=True).encode())
    assert event - len(orjson.dumps(BODY)) == pytest.approx(said(r"body \+ (\d+) bytes"), rel=0.1)


def test_an_attempt_is_as_large_as_scaling_says() -> None:
    bytes_ = slot_bytes(SlotKind.ATTEMPT, deployment="gpt-4.1", worker="host-1234-a1b2c3")
    assert bytes_ == pytest.approx(said(r"slot `attempt` \| ([\d,]+) bytes"), rel=0.1)


def test_an_outcome_is_as_large_as_scaling_says() -> None:
    bytes_ = slot_bytes(SlotKind.SUCCEEDED, response={}, service_request_id="x" * 36)
    assert bytes_ == pytest.approx(said(r"response \+ (\d+) bytes"), rel=0.1)


def test_a_rescheduled_event_grows_as_scaling_says() -> None:
    event = first_event(GROUP.request_id(12), item(), inline=True)
    copy = event.rescheduled(
        slot=1, not_before=NOW + 30, why="0.9 s of work are in the deployment, by header"
    )
    grown = len(copy.encode()) - len(event.encode())
    assert grown == pytest.approx(said(r"copy of the event \(\+ (\d+) bytes\)"), rel=0.1)
