"""What the app says of the PTU while the demo runs: `GET /capacity/{deployment}`, read again and
again."""

from __future__ import annotations

from typing import Any

from local.demo.api import Api
from local.demo.kept_fresh import KeptFresh

LOOK_SECONDS = 1.0

Shown = dict[str, Any]
"""What `GET /capacity/{deployment}` answers."""


class Beliefs(KeptFresh):
    """Reads in the background; while no host answers, nothing is known."""

    def __init__(self, api: Api, *, deployment: str, look_seconds: float = LOOK_SECONDS) -> None:
        super().__init__(look_seconds=look_seconds, failed="reading the belief failed")
        self._api = api
        self._deployment = deployment
        self.latest: Shown | None = None
        self.sending: Shown | None = None
        """The last one while requests waited and calls were under way."""

    async def _look(self) -> None:
        self.latest = await self._api.capacity(self._deployment)
        if self.latest is not None and is_sending(self.latest):
            self.sending = self.latest


def is_sending(shown: Shown) -> bool:
    waiting = sum(one["waiting"] for one in shown["verdict"].values() if one)
    return bool(shown["dispatching"] and shown["belief"]["in_flight"] and waiting)


def line(shown: Shown | None) -> str:
    """The belief in a line."""
    if shown is None:
        return "nobody answers"
    belief = shown["belief"]
    if belief["level"] is None:
        return "nothing is known yet"
    return (
        f"level {belief['level']:.1%}, others {belief['others_load']:.0%}, "
        f"by {belief['basis']}{_old(belief['age_seconds'])}; {_verdict(shown)}"
    )


def table(shown: Shown) -> str:
    """The belief with its provenance, for the end."""
    rows = [("belief", line(shown))]
    for number, one in enumerate(shown["readings"]):
        value = "" if one["value"] is None else f"{one['value']:.1%}"
        rows.append(
            (
                "" if number else "by readings",
                f"{one['kind']:<10}{value:>7}{_old(one['age_seconds']):>12}  "
                f"weight {one['weight']:g}  {one['source']}",
            )
        )
    rows += [
        ("turn", f"{one['hub']}: {one['holder'] or 'nobody'}, {one['waiting']} waiting")
        for one in shown["leases"]
    ]
    learned = shown["learned"]
    if learned is not None:
        rows.append(
            (
                "learned",
                f"it drains as {learned['drain_ptus']:g} PTU do, {learned['used_share']:.0%} of "
                f"max_tokens are used, the others' usual load is {learned['usual_load']:.0%}",
            )
        )
    rows += [
        ("" if number else "would change it", sentence)
        for number, sentence in enumerate(shown["what_would_change_it"])
    ]
    return "\n".join(f"{name:<16}{value}" for name, value in rows)


def _old(seconds: float | None) -> str:
    return "" if seconds is None else f" {seconds:.1f} s old"


def _verdict(shown: Shown) -> str:
    """Of the hub that has most requests waiting."""
    known = [one for one in shown["verdict"].values() if one]
    if not known:
        return "no request is at the gate"
    said = max(known, key=lambda one: one["waiting"])
    return f"{said['verdict']}: {said['why']}"
