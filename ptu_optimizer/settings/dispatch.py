"""The times of dispatch, and the schedules of the timers."""

from __future__ import annotations

from pydantic import Field

from .group import SettingsGroup


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
