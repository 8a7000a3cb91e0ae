"""How the idle part was filled over time, drawn in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import plotext

from local.demo.truth import Second

COLUMNS = 68
ROWS = 13
INTERACTIVE, BATCH = "█", "░"
TICKS = 6


def draw(seconds: Sequence[Second], *, color: bool) -> str:
    """A stacked picture of the load: interactive below, batch on it, what is empty is idle."""
    if not seconds:
        return ""
    columns = resample(seconds, COLUMNS)
    figure = plotext.figure
    figure.clear()
    figure.theme("simple" if color else "colorless")
    figure.draw(
        figure.bar(
            list(range(len(columns))),
            [[interactive for interactive, _ in columns], [batch for _, batch in columns]],
            marker=[INTERACTIVE, BATCH],
            width=1,
            stacked=True,
            lines=False,
        )
    )
    # the ruler comes after the bars, which set ticks of their own
    span = seconds[-1].at - seconds[0].at
    places = [round(tick * (len(columns) - 1) / TICKS) for tick in range(TICKS + 1)]
    labels = [f"{tick * span / TICKS:.0f} s" for tick in range(TICKS + 1)]
    figure.ruler("x").lim(-0.5, len(columns) - 0.5)
    figure.ruler("x").ticks(places, labels)
    figure.ruler("y").lim(0, 1)
    figure.ruler("y").ticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    figure.plot_size(len(columns) + 7, ROWS)
    picture: str = figure.build().string(colorless=not color)
    return f"{picture.rstrip()}\n      {INTERACTIVE} interactive  {BATCH} batch  (empty: idle)"


def resample(seconds: Sequence[Second], columns: int) -> list[tuple[float, float]]:
    """Mean interactive and batch load in each of at most `columns` equal stretches of time.

    Together they stay within 1: a second's sample can exceed it by the jitter of its timer.
    """
    count = min(columns, len(seconds))
    means: list[tuple[float, float]] = []
    for column in range(count):
        part = seconds[column * len(seconds) // count : (column + 1) * len(seconds) // count]
        interactive = min(1.0, sum(second.interactive for second in part) / len(part))
        batch = sum(second.batch for second in part) / len(part)
        means.append((interactive, min(batch, 1.0 - interactive)))
    return means
