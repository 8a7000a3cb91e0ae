"""The times of dispatch, and the schedules of the timers."""

from __future__ import annotations

from pydantic import Field

from .group import SettingsGroup
from .setting_errors import Misfit

FUNCTION_TIMEOUT_SECONDS = 7_200.0
"""`functionTimeout` of host.json, which a test compares. The host kills a worker whose invocation
takes longer, and the calls of that worker are then made, and paid for, a second time."""

HOST_MARGIN_SECONDS = 120.0
"""What an invocation may need beyond its budgets: a request to a store that is under way when a
budget ends, the output bindings, and the host itself."""

LONGEST_TURN_WAIT_SECONDS = 6_600.0
"""A batch waits no longer than this for the send lease, even if the function timeout leaves
more time."""

LEAST_TURN_WAIT_SECONDS = 1_800.0
"""Ten times the longest that another process keeps the send lease. With less, a batch would be
published again and again before the lease comes."""

_MOST_WORK_SECONDS = FUNCTION_TIMEOUT_SECONDS - HOST_MARGIN_SECONDS - LEAST_TURN_WAIT_SECONDS


class DispatchSettings(SettingsGroup):
    call_limit_seconds: float = Field(
        300,
        alias="CALL_LIMIT_SECONDS",
        gt=0,
        le=3_600,
        description="total time of one call to a deployment",
        examples=["300"],
    )
    write_budget_seconds: float = Field(
        30,
        alias="WRITE_BUDGET_SECONDS",
        gt=0,
        le=3_600,
        description="time for the writes around a call",
        examples=["30"],
    )
    skew_seconds: float = Field(
        30,
        alias="SKEW_SECONDS",
        gt=0,
        le=3_600,
        description="by how much the clocks of two workers may differ",
        examples=["30"],
    )
    hold_seconds: float = Field(
        30,
        alias="HOLD_SECONDS",
        gt=0,
        le=3_600,
        description="how long an event is held at a closed gate before it is re-scheduled",
        examples=["30"],
    )
    invocation_budget_seconds: float = Field(
        120,
        alias="INVOCATION_BUDGET_SECONDS",
        gt=0,
        le=3_600,
        description="how long one invocation starts new calls",
        examples=["120"],
    )
    max_failures: int = Field(
        5,
        alias="MAX_FAILURES",
        gt=0,
        description="failed attempts (429 is none) after which a request has failed",
        examples=["5"],
    )

    # the host reads these two for its timers
    gauge_schedule: str = Field(
        alias="GAUGE_SCHEDULE",
        description="NCRONTAB schedule of the gauge (six fields, the first is seconds)",
        pattern=r"^\S+(\s+\S+){4,5}$",
        examples=["15 * * * * *"],
    )
    sweep_schedule: str = Field(
        alias="SWEEP_SCHEDULE",
        description="NCRONTAB schedule of the sweep",
        pattern=r"^\S+(\s+\S+){4,5}$",
        examples=["30 */2 * * * *"],
    )

    @property
    def turn_wait_seconds(self) -> float:
        """How long a batch may wait for its turn to send. Its budget starts again when the turn
        comes, so the wait and all that follows it must fit into the function timeout."""
        return min(LONGEST_TURN_WAIT_SECONDS, self._seconds_left_for_a_turn)

    @property
    def _seconds_left_for_a_turn(self) -> float:
        work = (
            self.invocation_budget_seconds + self.call_limit_seconds + 2 * self.write_budget_seconds
        )
        return FUNCTION_TIMEOUT_SECONDS - HOST_MARGIN_SECONDS - work

    def check_dispatch(self) -> None:
        """Raises Misfit."""
        if self._seconds_left_for_a_turn < LEAST_TURN_WAIT_SECONDS:
            raise Misfit(
                "INVOCATION_BUDGET_SECONDS + CALL_LIMIT_SECONDS + 2 x WRITE_BUDGET_SECONDS must "
                f"not exceed {_MOST_WORK_SECONDS:.0f}: the Functions host ends an invocation after "
                f"{FUNCTION_TIMEOUT_SECONDS:.0f} s, and a batch also waits for its turn to send",
                "INVOCATION_BUDGET_SECONDS",
                "CALL_LIMIT_SECONDS",
                "WRITE_BUDGET_SECONDS",
            )
