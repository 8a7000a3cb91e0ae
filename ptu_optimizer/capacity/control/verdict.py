"""The result of admission: a call may be sent now, or has to wait. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Admit:
    """Send one call now."""

    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Do not send now."""

    why: str
    blocked: bool
    """True: nothing is sent at all. False: a call goes as soon as there is room for it."""
    retry_at: float | None
    """When to ask again, in epoch seconds; None: when a call ends or a signal comes in."""


Verdict = Admit | Wait
