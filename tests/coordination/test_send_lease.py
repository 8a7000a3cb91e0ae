"""Whose turn it is: who may send, and what each process should write."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.coordination.send_lease import (
    CANDIDATE_SECONDS,
    DRY_SECONDS,
    LEASE_SECONDS,
    NOTICE_SECONDS,
    RENEW_SECONDS,
    SAFETY_SECONDS,
    Candidate,
    Keep,
    LeaseStep,
    Seen,
    SendLease,
    Write,
    may_send_until,
    next_lease_step,
)
from tests.support.signals import NOW

ME, YOU, THIRD = "me", "you", "third"
MONOTONIC = 1_000.0
"""Of whoever looks; it has nothing to do with anybody's wall clock."""

LONG_AGO = 1e5
"""Longer than any turn lasts."""


def lease(holder: str = YOU, **changes: Any) -> SendLease:
    return SendLease(
        **{
            "deployment": "ptu",
            "hub": "requests",
            "holder": holder,
            "serial": 7,
            "since": NOW - 10,
            "waiting": 3,
            **changes,
        }
    )


def seen(one: SendLease | None, *, age: float = 0.0, renewed: float = 0.0) -> Seen:
    """A lease first seen `age` ago; if it is ours, written so many seconds ago."""
    ours = one is not None and one.holder == ME
    return Seen(
        lease=one,
        etag=None if one is None else "etag",
        changed_at=MONOTONIC - age,
        ours_until=MONOTONIC - renewed + LEASE_SECONDS - SAFETY_SECONDS if ours else float("-inf"),
    )


def step(
    state: Seen,
    *,
    waiting: int = 5,
    dry_in: float = 1e9,
    candidates: tuple[Candidate, ...] = (),
) -> LeaseStep:
    return next_lease_step(
        state,
        me=ME,
        deployment="ptu",
        hub="requests",
        waiting=waiting,
        dry_in=dry_in,
        candidates=candidates,
        monotonic=MONOTONIC,
        now=NOW,
    )


def candidate(worker: str, *, since: float = 0.0, heard: float = 1.0) -> Candidate:
    return Candidate(worker=worker, since=NOW - since, heard_at=MONOTONIC - heard)


def written(taken: LeaseStep) -> SendLease:
    assert isinstance(taken, Write), taken
    return taken.lease


# --- the record -----------------------------------------------------------------------------------


@given(
    holder=st.text(),
    serial=st.integers(0, 10**9),
    since=st.floats(0, 4e9),
    waiting=st.integers(0, 10**6),
    successor=st.text(),
    handover_at=st.floats(0, 4e9),
)
def test_a_lease_survives_its_record(**parts: Any) -> None:
    one = lease(**parts)
    assert SendLease.from_record({**one.record(), "_etag": "x", "_ts": 1}) == one


def test_a_hub_has_one_lease_for_each_deployment() -> None:
    record = lease(hub="requests-soon").record()
    assert (record["id"], record["deployment"], record["type"]) == (
        "lease:requests-soon",
        "ptu",
        "lease",
    )


@pytest.mark.parametrize("lost", ["deployment", "hub", "holder", "serial", "since", "handover_at"])
def test_a_record_that_lacks_a_part_is_refused(lost: str) -> None:
    record = lease().record()
    del record[lost]
    with pytest.raises(KeyError, match=lost):
        SendLease.from_record(record)


# --- who may send ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "ours"),
    [
        pytest.param(seen(None), False, id="no lease"),
        pytest.param(seen(lease(YOU)), False, id="another's"),
        pytest.param(seen(lease("")), False, id="given up"),
        pytest.param(seen(lease(ME)), True, id="ours, just written"),
        pytest.param(
            seen(lease(ME), renewed=LEASE_SECONDS - SAFETY_SECONDS - 0.001),
            True,
            id="ours, just before its end",
        ),
        pytest.param(
            seen(lease(ME), renewed=LEASE_SECONDS - SAFETY_SECONDS),
            False,
            id="ours, not renewed in time: others may start soon",
        ),
        pytest.param(
            seen(lease(ME, successor=YOU, handover_at=NOW + 0.001)),
            True,
            id="just before the handover",
        ),
        pytest.param(
            seen(lease(ME, successor=YOU, handover_at=NOW)), False, id="handed over at its time"
        ),
        pytest.param(
            seen(lease(YOU, successor=ME, handover_at=NOW - 1)),
            False,
            id="ours by now, but not written yet",
        ),
    ],
)
def test_who_holds_it_may_send_until_others_might(state: Seen, ours: bool) -> None:
    until = may_send_until(state, ME, monotonic=MONOTONIC, now=NOW)
    assert (until > MONOTONIC) is ours


# --- whoever has not the turn ---------------------------------------------------------------------

STALE = LEASE_SECONDS + 0.001


@pytest.mark.parametrize(
    ("state", "takes"),
    [
        pytest.param(seen(None), True, id="there is none"),
        pytest.param(seen(lease("")), True, id="it was given up"),
        pytest.param(seen(lease(YOU)), False, id="another has it"),
        pytest.param(seen(lease(YOU), age=LEASE_SECONDS), False, id="at the end of its time"),
        pytest.param(seen(lease(YOU), age=STALE), True, id="not renewed for too long"),
        pytest.param(
            seen(lease(YOU, successor=ME, handover_at=NOW + 0.001)), False, id="named, too early"
        ),
        pytest.param(seen(lease(YOU, successor=ME, handover_at=NOW)), True, id="named, its time"),
        pytest.param(
            seen(lease(YOU, successor=THIRD, handover_at=NOW - 9)), False, id="another is named"
        ),
        pytest.param(
            seen(lease(YOU, successor=THIRD, handover_at=NOW - 9), age=STALE),
            True,
            id="another is named and did not come",
        ),
        pytest.param(
            seen(lease(ME), renewed=LEASE_SECONDS + 1), True, id="ours, lapsed, and nobody took it"
        ),
        pytest.param(
            seen(lease(ME, successor=YOU, handover_at=NOW - 9), renewed=LEASE_SECONDS + 1),
            False,
            id="ours, handed over to who has not come yet",
        ),
    ],
)
def test_a_lease_is_taken_when_it_is_free_or_handed_over_to_us(state: Seen, takes: bool) -> None:
    if not takes:
        assert step(state) == Keep()
        return
    taken = written(step(state))
    assert (taken.holder, taken.successor, taken.handover_at) == (ME, "", 0.0)
    assert (taken.since, taken.waiting) == (NOW, 5)
    assert taken.serial == (8 if state.lease is not None else 0)


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(seen(None), id="there is none"),
        pytest.param(seen(lease("")), id="it was given up"),
        pytest.param(seen(lease(YOU), age=STALE), id="not renewed for too long"),
        pytest.param(seen(lease(YOU, successor=ME, handover_at=NOW)), id="handed over to us"),
    ],
)
def test_who_has_nothing_to_send_takes_nothing(state: Seen) -> None:
    assert step(state, waiting=0) == Keep()


# --- whoever has it -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("renewed", "writes"),
    [
        pytest.param(0.0, False, id="just written"),
        pytest.param(RENEW_SECONDS - 0.001, False, id="not due yet"),
        pytest.param(RENEW_SECONDS, True, id="due"),
        pytest.param(LEASE_SECONDS - 0.001, True, id="late, but nobody can have taken it"),
    ],
)
def test_it_is_renewed_in_time_with_or_without_work(renewed: float, writes: bool) -> None:
    state = seen(lease(ME), renewed=renewed)
    for waiting in (5, 0):
        taken = step(state, waiting=waiting)
        if not writes:
            assert taken == Keep()
        else:
            assert written(taken) == lease(ME, serial=8, waiting=waiting)


@pytest.mark.parametrize(
    ("candidates", "since", "dry_in", "successor"),
    [
        pytest.param((), LONG_AGO, 1e9, None, id="nobody waits: no handover ever"),
        pytest.param((), 10, 0.0, None, id="it runs dry, and nobody waits"),
        pytest.param((candidate(YOU),), 10, 1e9, None, id="its turn has just begun"),
        pytest.param((candidate(YOU),), LONG_AGO, 1e9, YOU, id="its turn is over"),
        pytest.param((candidate(YOU),), 10, DRY_SECONDS, None, id="it does not run dry yet"),
        pytest.param((candidate(YOU),), 10, DRY_SECONDS - 0.001, YOU, id="it will run dry"),
        pytest.param((candidate(ME),), LONG_AGO, 0.0, None, id="only it itself waits"),
        pytest.param(
            (candidate(YOU, heard=CANDIDATE_SECONDS),),
            LONG_AGO,
            0.0,
            None,
            id="who waited has not said so for too long",
        ),
        pytest.param(
            (candidate(YOU, heard=CANDIDATE_SECONDS - 0.001),), LONG_AGO, 1e9, YOU, id="just heard"
        ),
        pytest.param(
            (candidate(YOU, since=5), candidate(THIRD, since=9)),
            LONG_AGO,
            1e9,
            THIRD,
            id="who has waited longest",
        ),
        pytest.param(
            (candidate(YOU, since=5), candidate(THIRD, since=5)),
            LONG_AGO,
            1e9,
            THIRD,
            id="of two who came together, always the same",
        ),
    ],
)
def test_a_turn_ends_when_it_is_over_or_its_holder_runs_dry(
    candidates: tuple[Candidate, ...], since: float, dry_in: float, successor: str | None
) -> None:
    held = lease(ME, since=NOW - since)
    taken = step(seen(held), candidates=candidates, dry_in=dry_in)
    if successor is None:
        assert taken == Keep()
        return
    announced = written(taken)
    assert (announced.holder, announced.serial, announced.since) == (ME, 8, held.since)
    assert (announced.successor, announced.handover_at) == (successor, NOW + NOTICE_SECONDS)


def test_what_was_announced_stands() -> None:
    """Neither renewed nor changed, or the successor would have to read again."""
    held = lease(ME, since=NOW - LONG_AGO, successor=YOU, handover_at=NOW + 1)
    waiting = (candidate(THIRD, since=99), candidate(YOU))
    assert step(seen(held, renewed=RENEW_SECONDS + 1), candidates=waiting) == Keep()
    gone = lease(ME, since=NOW - LONG_AGO, successor=YOU, handover_at=NOW - 1)
    assert step(seen(gone, renewed=NOTICE_SECONDS + 1), candidates=waiting) == Keep()


def test_a_handover_is_over_before_the_lease_would_be() -> None:
    assert NOTICE_SECONDS < LEASE_SECONDS - SAFETY_SECONDS
    assert 2 * RENEW_SECONDS < LEASE_SECONDS - SAFETY_SECONDS, "one renewal may fail"
    assert NOTICE_SECONDS < DRY_SECONDS, "who runs dry has handed over by then"
