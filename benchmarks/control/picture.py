"""The picture of some rows: interactive, batch and idle over time, and who was refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from benchmarks.control.row import OURS, Result, Sample
from local.dev import paths

PICTURE: Path = paths.ROOT / "docs" / "images" / "control.svg"

WIDTH, HEIGHT = 960, 190
"""Of a panel's plot, in pixels."""
LEFT, TOP, MARKS, GAP, BOTTOM = 56, 66, 34, 78, 34
"""Around it: MARKS is the room above for a title and refusals."""
INTERACTIVE, BATCH, IDLE, REFUSED, ALONE = "#3b6ea8", "#7fc08c", "#eceff3", "#c8102e", "#9aa4b1"
TICK_MINUTES = 10

TITLES = {OURS: "this app", "threshold": "a threshold on the metric (dispatch below 70 %)"}


def picture(results: Sequence[Result]) -> str:
    """An SVG with a panel for each row, all over the same time."""
    height = TOP + len(results) * (HEIGHT + GAP) - GAP + MARKS + BOTTOM
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 24} {height}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#24292f">',
        '<rect width="100%" height="100%" rx="8" fill="#ffffff"/>',
        *_legend(),
        f'<text x="{LEFT + WIDTH}" y="27" text-anchor="end">{escape(_played(results[0]))}</text>',
    ]
    for index, result in enumerate(results):
        lines += _panel(result, TOP + index * (HEIGHT + GAP))
    return "\n".join([*lines, "</svg>", ""])


def _played(result: Result) -> str:
    row = result.row
    return f"{row.scenario.ptus:g} PTU of {row.scenario.model}, 100 % is {row.bucket_seconds:g} s"


def _legend() -> Iterator[str]:
    x = LEFT
    for color, label in (
        (INTERACTIVE, "interactive"),
        (BATCH, "batch"),
        (IDLE, "idle"),
        (REFUSED, "interactive call refused"),
        (ALONE, "refused without batch, too"),
    ):
        yield f'<rect x="{x}" y="16" width="13" height="13" fill="{color}"/>'
        yield f'<text x="{x + 19}" y="27">{label}</text>'
        x += 34 + 7 * len(label)


def _panel(result: Result, top: int) -> Iterator[str]:
    row, found, samples = result.row, result.figures, result.samples
    end = samples[-1].at
    title = TITLES.get(row.policy, row.policy)
    says = (
        f"{title}: {found.ratio:.1%} of the idle capacity filled, "
        f"{found.refused - found.baseline_refused:+d} interactive calls refused"
    )
    yield f'<text x="{LEFT}" y="{top}" font-weight="600">{escape(says)}</text>'
    ceiling = top + MARKS
    floor = ceiling + HEIGHT
    yield from _refusals(result.refusals_alone, end, top + 10, ALONE)
    yield from _refusals(result.refusals, end, top + 21, REFUSED)
    yield f'<rect x="{LEFT}" y="{ceiling}" width="{WIDTH}" height="{HEIGHT}" fill="{IDLE}"/>'
    both = [min(1.0, sample.interactive + sample.batch) for sample in samples]
    yield _area(samples, both, floor, BATCH)
    yield _area(samples, [sample.interactive for sample in samples], floor, INTERACTIVE)
    for share in (0.0, 0.5, 1.0):
        y = floor - share * HEIGHT
        yield f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{share:.0%}</text>'
    minutes = int(end // 60)
    for minute in range(0, minutes + 1, TICK_MINUTES):
        x = LEFT + minute * 60 / end * WIDTH
        yield f'<text x="{x:.0f}" y="{floor + 17}" text-anchor="middle">{minute} min</text>'


def _area(samples: Sequence[Sample], shares: Sequence[float], floor: int, color: str) -> str:
    """Steps: a sample says what was drained since the one before."""
    end = samples[-1].at
    path, x = [f"M{LEFT} {floor}"], float(LEFT)
    for sample, share in zip(samples, shares, strict=True):
        y = floor - share * HEIGHT
        path.append(f"L{x:.1f} {y:.1f}")
        x = LEFT + sample.at / end * WIDTH
        path.append(f"L{x:.1f} {y:.1f}")
    return f'<path d="{"".join(path)}L{x:.1f} {floor}Z" fill="{color}"/>'


def _refusals(times: Sequence[float], end: float, y: int, color: str) -> Iterator[str]:
    """A mark for each moment that can be told from its neighbours."""
    places = sorted({round(LEFT + at / end * WIDTH) for at in times if at <= end})
    marks = "".join(f"M{x} {y}v9" for x in places)
    if marks:
        yield f'<path d="{marks}" stroke="{color}" stroke-width="1"/>'
