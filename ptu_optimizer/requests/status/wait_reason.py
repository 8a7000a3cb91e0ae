"""Why a request waits, and what its outcome says if it waited too long. Pure.

The reasons are those that admission gave; they stand in released slots and in deferrals, whichever
came last.
"""

from __future__ import annotations

from ptu_optimizer.requests.ledger.annotations import Deferral
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind

QUEUED_WHY = "in its hub, behind what came before it"
LOST_WHY = "its worker was lost; it is taken over"


def reason(top: Slot | None, deferral: Deferral | None) -> tuple[str, float | None]:
    """Why it waits, and not before when (epoch seconds) it is tried again, if that is known.

    `top` is the head of its slots and no outcome; `deferral` the annotation of its last copy.
    """
    deferred_at = 0.0 if deferral is None else deferral.at
    if top is not None and top.kind is SlotKind.RELEASED and top.at >= deferred_at:
        return str(top.details.get("why") or "released"), top.not_before
    if deferral is not None:
        return deferral.why or "re-scheduled", deferral.not_before
    if top is not None and top.kind is SlotKind.ATTEMPT:
        return LOST_WHY, None
    return QUEUED_WHY, None
