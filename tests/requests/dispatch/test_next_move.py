"""What is done next with a delivered request, as a table: standing, time and route decide it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from local.virtual_time import EPOCH, VirtualClock
from ptu_optimizer.admission.gate import Gate, NotAdmitted
from ptu_optimizer.admission.gated_deployment import GatedDeployment
from ptu_optimizer.capacity.control.pay_as_you_go import PayAsYouGo
from ptu_optimizer.capacity.work import TOKENS
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.requests.dispatch.attempt import Next, Released
from ptu_optimizer.requests.dispatch.next_move import (
    AskGate,
    AwaitTime,
    Done,
    Expire,
    Move,
    ReadLedger,
    Reschedule,
    Standing,
    after_refusal,
    after_step,
    carried,
    next_move,
    standing_of,
)
from ptu_optimizer.requests.dispatch.route import Route
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.ledger.outcomes import Concluded
from ptu_optimizer.requests.ledger.rules import Claim, Ended, Later
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind
from ptu_optimizer.requests.ledger.timing import Timing

NOW = EPOCH
DEADLINE = NOW + 900
TIMING = Timing(
    call_limit=60, write_budget=30, skew=30, hold=20, invocation_budget=240, turn_wait=600
)
PLENTY = 240.0
"""Seconds that the invocation has left."""

CLAIM = Claim(1, 0)
TAKE_OVER = Claim(3, 1, takes_over=True)
EVENT = RequestEvent(request_id="r", deadline=DEADLINE, deployment="ptu", body={})
ROUTE = Route(
    target=GatedDeployment(
        gate=Gate(
            deployment="ptu",
            controller=PayAsYouGo(
                tokens_per_minute=1, requests_per_minute=None, max_concurrent_calls=1
            ),
            clock=VirtualClock(),
        ),
        model=TOKENS,
    ),
    leaves_at=float("inf"),
    deadline=DEADLINE,
)


def event(**changes: object) -> RequestEvent:
    return EVENT.model_copy(update=changes)


def standing(claim: Claim | None = CLAIM, *, due: float = 0.0, why: str = "") -> Standing:
    return Standing(claim=claim, due=due, why=why)


# --- how it stands when it is delivered ---------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "now", "expected"),
    [
        pytest.param(EVENT, NOW, standing(), id="a new one may claim its first slot"),
        pytest.param(event(slot=2), NOW, standing(None), id="a later slot: its ledger knows more"),
        pytest.param(EVENT, DEADLINE, standing(None), id="late: an attempt may be under way"),
        pytest.param(
            event(not_before=NOW + 5, why="full"),
            NOW,
            standing(due=NOW + 5, why="full"),
            id="its copy says from when on, and why it waited",
        ),
    ],
)
def test_how_a_request_stands_when_it_is_delivered(
    one: RequestEvent, now: float, expected: Standing
) -> None:
    assert standing_of(one, now=now) == expected


# --- its next move ------------------------------------------------------------------------------

FIRST_INTERVAL = TIMING.deferral_interval(0)


@pytest.mark.parametrize(
    ("at", "one", "route", "left", "now", "expected"),
    [
        pytest.param(
            standing(), EVENT, ROUTE, PLENTY, NOW, AskGate(CLAIM, ROUTE), id="due: it asks its gate"
        ),
        pytest.param(
            standing(None), event(slot=2), ROUTE, PLENTY, NOW, ReadLedger(), id="due, and unread"
        ),
        pytest.param(
            standing(due=NOW + 20),
            EVENT,
            ROUTE,
            PLENTY,
            NOW,
            AwaitTime(20),
            id="due within the hold: it waits here",
        ),
        pytest.param(
            standing(due=NOW + 20),
            EVENT,
            ROUTE,
            10,
            NOW,
            Reschedule(slot=1, why="", due=NOW + 20, after_seconds=min(FIRST_INTERVAL, 10)),
            id="its batch has not so long",
        ),
        pytest.param(
            standing(due=NOW + 21, why="full"),
            EVENT,
            ROUTE,
            PLENTY,
            NOW,
            Reschedule(slot=1, why="full", due=NOW + 21, after_seconds=FIRST_INTERVAL),
            id="due later than the hold: it is held, lest it circle the hub",
        ),
        pytest.param(
            standing(due=NOW + 21),
            event(deferrals=4),
            ROUTE,
            PLENTY,
            NOW,
            Reschedule(
                slot=1, why="", due=NOW + 21, after_seconds=min(TIMING.deferral_interval(4), PLENTY)
            ),
            id="the oftener, the longer",
        ),
        pytest.param(
            standing(None, due=NOW + 100),
            event(slot=3),
            ROUTE,
            0,
            NOW,
            Reschedule(slot=3, why="", due=NOW + 100, after_seconds=0),
            id="unread, it carries the slot of its event",
        ),
        pytest.param(
            standing(TAKE_OVER, due=NOW + 100),
            event(slot=2),
            ROUTE,
            0,
            NOW,
            Reschedule(slot=2, why="", due=NOW + 100, after_seconds=0),
            id="a take-over carries the slot of the attempt",
        ),
        pytest.param(
            standing(due=DEADLINE + 500),
            EVENT,
            ROUTE,
            PLENTY,
            DEADLINE - 5,
            AwaitTime(5),
            id="a pause that outlasts its deadline ends there",
        ),
        pytest.param(
            standing(None, due=DEADLINE + 500),
            event(slot=2),
            ROUTE,
            5,
            DEADLINE,
            Reschedule(slot=2, why="", due=DEADLINE + 500, after_seconds=FIRST_INTERVAL),
            id="but a lease that outlasts its deadline is waited for",
        ),
        pytest.param(
            standing(why="full"),
            EVENT,
            ROUTE,
            PLENTY,
            DEADLINE,
            Expire(CLAIM, "full"),
            id="at its deadline it expires",
        ),
        pytest.param(
            standing(),
            EVENT,
            None,
            PLENTY,
            NOW,
            Reschedule(slot=1, why="deployment ptu is not in DEPLOYMENTS", after_seconds=20),
            id="a deployment that is not there may come with the next settings",
        ),
        pytest.param(
            standing(),
            EVENT,
            None,
            7,
            NOW,
            Reschedule(slot=1, why="deployment ptu is not in DEPLOYMENTS", after_seconds=7),
            id="but its batch does not wait longer than it has",
        ),
    ],
)
def test_the_next_move(
    at: Standing, one: RequestEvent, route: Route | None, left: float, now: float, expected: Move
) -> None:
    assert next_move(at, one, route, timing=TIMING, left=left, now=now) == expected


def test_who_waited_for_its_time_asks_its_gate_then() -> None:
    at = standing(due=NOW + 5)
    first = next_move(at, EVENT, ROUTE, timing=TIMING, left=PLENTY, now=NOW)
    assert first == AwaitTime(5)
    then = next_move(at, EVENT, ROUTE, timing=TIMING, left=PLENTY - 5, now=NOW + 5)
    assert then == AskGate(CLAIM, ROUTE)


# --- what a step makes of it --------------------------------------------------------------------

DUPLICATE: JsonObject = {"id": "r:duplicate:2"}
OUTCOME = Slot(request_id="r", n=2, kind=SlotKind.SUCCEEDED, claim_token="t", at=NOW)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param(Concluded(SlotKind.SUCCEEDED, None), Done(), id="its outcome was written"),
        pytest.param(
            Concluded(SlotKind.SUCCEEDED, DUPLICATE), Done(DUPLICATE), id="it came second"
        ),
        pytest.param(Ended(OUTCOME), Done(), id="it had its outcome already"),
        pytest.param(
            Later(2, NOW + 90, "another attempt is under way", to_take_over=True),
            Reschedule(slot=2, due=NOW + 90, why="another attempt is under way", to_take_over=True),
            id="it comes back after the lease of another",
        ),
        pytest.param(
            Released(3, 1, NOW + 4, "503"),
            standing(Claim(3, 1), due=NOW + 4, why="503"),
            id="its attempt was released: the next slot, after the pause",
        ),
        pytest.param(
            TAKE_OVER,
            standing(TAKE_OVER, due=NOW + 1, why="full"),
            id="a claim keeps its time and reason",
        ),
    ],
)
def test_what_a_step_makes_of_a_request(
    step: Next | Ended, expected: Standing | Reschedule | Done
) -> None:
    assert after_step(standing(due=NOW + 1, why="full"), step) == expected


# --- what a refusal makes of it -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("why_before", "has_waited", "why"),
    [
        pytest.param("", False, "no room", id="nothing else is known"),
        pytest.param("429", True, "no room", id="what it waited for last"),
        pytest.param("429", False, "429", id="it never stood there: what it waited for before"),
    ],
)
def test_the_reason_of_a_refusal(why_before: str, has_waited: bool, why: str) -> None:
    at = standing(why=why_before)
    assert after_refusal(at, CLAIM, NotAdmitted("no room"), has_waited=has_waited) == Reschedule(
        slot=1, why=why
    )
    over = NotAdmitted("no room", route_is_over=True)
    assert after_refusal(at, CLAIM, over, has_waited=has_waited) == replace(at, why=why)


def test_a_take_over_that_is_refused_carries_the_slot_of_the_attempt() -> None:
    refused = after_refusal(standing(TAKE_OVER), TAKE_OVER, NotAdmitted("full"), has_waited=True)
    assert refused == Reschedule(slot=carried(TAKE_OVER), why="full")
    assert carried(TAKE_OVER) == TAKE_OVER.n - 1
