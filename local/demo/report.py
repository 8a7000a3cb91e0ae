"""The closing figures of a demo, and whether it kept its promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from local.demo.api import Result
from local.demo.belief import table
from local.demo.truth import Books, Second

NEARLY_DONE = 0.95
"""The last requests cannot fill a PTU: the share is also given up to here."""


@dataclass(frozen=True, kw_only=True)
class Fill:
    """How much of the PTU was used between two moments; shares of 1.0."""

    seconds: float
    idle_share_before: float
    """What interactive traffic left idle: what would have been idle without us."""
    idle_share_after: float
    """What was idle all the same."""
    filled_share: float
    """The part of the idle capacity that batch work filled."""

    @classmethod
    def of(cls, seconds: Sequence[Second]) -> Fill:
        if not seconds:
            return cls(seconds=0.0, idle_share_before=0, idle_share_after=0, filled_share=0)
        number = len(seconds)
        before = 1.0 - sum(second.interactive for second in seconds) / number
        batch = sum(second.batch for second in seconds) / number
        return cls(
            seconds=float(number),
            idle_share_before=round(before, 4),
            idle_share_after=round(before - batch, 4),
            filled_share=round(batch / before, 4) if before > 0 else 0.0,
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `--json` prints."""

    submitted: int
    succeeded: int
    """Read back one by one: succeeded, with an answer."""
    failed: int
    lost: int
    """Without an outcome when the time was up."""
    duplicate_outcomes: int
    duplicate_calls: int
    in_flight_at_kill: int
    ptu_served: int
    """Batch calls that the PTU served, by its own count."""
    deferrals: int
    batch_429: int
    interactive_calls: int
    interactive_refused: int
    interactive_refused_without_batch: int
    """Of the same calls at the same times, by a deployment with nothing else to do."""
    idle_share_before: float
    idle_share_after: float
    filled_share: float
    fill_seconds: float
    filled_share_until_95_percent: float
    filled_share_in_full_flow: float
    """The same from the first answer on: before it one call at a time probes, since nothing is
    known of the PTU yet."""
    requests_per_second: float
    belief: dict[str, Any] | None = None
    """What `GET /capacity` of the deployment said last while requests waited and calls ran."""
    killed: str = ""
    wall_seconds: float = 0.0

    def broken_promises(self) -> list[str]:
        """What must not be, each in words; empty when all went well."""
        broken = []
        if self.lost:
            broken.append(f"{self.lost} requests have no outcome")
        if self.failed:
            broken.append(f"{self.failed} requests did not succeed")
        if self.duplicate_outcomes:
            broken.append(f"{self.duplicate_outcomes} outcomes too many in the ledger")
        if self.ptu_served != self.succeeded + self.duplicate_calls:
            broken.append(
                f"the PTU served {self.ptu_served} calls, "
                f"but {self.succeeded} succeeded and {self.duplicate_calls} were duplicates"
            )
        if self.killed and self.duplicate_calls > self.in_flight_at_kill:
            broken.append(
                f"{self.duplicate_calls} duplicate calls, more than the "
                f"{self.in_flight_at_kill} in flight at the kill"
            )
        return broken

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        """The figures for a reader."""
        rows = [
            ("questions", f"{self.submitted} submitted, {self.succeeded} succeeded and read back"),
            (
                "",
                f"{self.lost} lost, {self.failed} failed, "
                f"{self.duplicate_outcomes} outcomes too many",
            ),
            (
                "batch calls",
                f"{self.ptu_served} served, {self.duplicate_calls} of them again, "
                f"{self.batch_429} refused; {self.deferrals} deferrals",
            ),
            (
                "interactive",
                f"{self.interactive_calls} calls, {self.interactive_refused} refused; "
                f"without the batch {self.interactive_refused_without_batch}",
            ),
            (
                "idle part",
                f"{self.idle_share_before:.0%} of the PTU without the batch, "
                f"{self.idle_share_after:.0%} with it: {self.filled_share:.0%} of it filled",
            ),
            (
                "",
                f"{self.filled_share_in_full_flow:.0%} of it from the first answer until 95% "
                "were served",
            ),
            ("time", f"{self.fill_seconds:.0f} s, {self.requests_per_second:.1f} requests/s"),
        ]
        if self.killed:
            rows.append((f"{self.killed} killed", f"{self.in_flight_at_kill} calls in flight then"))
        lines = [f"{name:<16}{value}" for name, value in rows]
        if self.belief is not None:
            lines += ["", "While it was sending, the app said of the PTU (GET /capacity):"]
            lines.append(table(self.belief))
        return "\n".join(lines)


def make_report(
    *,
    results: Mapping[str, Result],
    outcomes: Counter[str],
    books: Books,
    refused_alone: int,
    window: Sequence[Second],
    killed: str,
    in_flight_at_kill: int,
    belief: dict[str, Any] | None = None,
) -> Report:
    """Put together what was read from the app, from the ledger and from the PTU.

    `refused_alone` is how many interactive calls would have been refused without the batch;
    `window` reaches from the submission to the end of the last call.
    """
    states = Counter(result.state for result in results.values())
    succeeded = sum(r.state == "succeeded" and r.answered for r in results.values())
    final = sum(result.final for result in results.values())
    until_nearly_done = _until_nearly_done(window)
    fill, until = Fill.of(window), Fill.of(until_nearly_done)
    full_flow = Fill.of([second for second in until_nearly_done if second.batch_served])
    return Report(
        submitted=len(results),
        succeeded=succeeded,
        failed=final - succeeded,
        lost=states.total() - final,
        duplicate_outcomes=sum(count - 1 for count in outcomes.values() if count > 1),
        duplicate_calls=books.surplus,
        in_flight_at_kill=in_flight_at_kill,
        ptu_served=books.batch_served,
        deferrals=sum(result.deferrals for result in results.values()),
        batch_429=books.batch_refused,
        interactive_calls=books.interactive_served + books.interactive_refused,
        interactive_refused=books.interactive_refused,
        interactive_refused_without_batch=refused_alone,
        idle_share_before=fill.idle_share_before,
        idle_share_after=fill.idle_share_after,
        filled_share=fill.filled_share,
        fill_seconds=fill.seconds,
        filled_share_until_95_percent=until.filled_share,
        filled_share_in_full_flow=full_flow.filled_share,
        requests_per_second=round(succeeded / fill.seconds, 2) if fill.seconds else 0.0,
        belief=belief,
        killed=killed,
    )


def _until_nearly_done(window: Sequence[Second]) -> Sequence[Second]:
    if not window:
        return window
    target = NEARLY_DONE * window[-1].batch_served
    return [second for second in window if second.batch_served <= target]
