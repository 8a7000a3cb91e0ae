"""The books of a simulated world: what truly happened, held against the ledger's promises.

Kept by the fakes themselves, so no process can be mistaken about them. What breaks a promise is a
line in `violations`; `log` is the interleaving, one line per thing that happened.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.virtual_time import EPOCH
from ptu_optimizer.requests.ledger.timing import Timing

OUTCOMES = ("succeeded", "failed", "cancelled", "expired")

WINDOW_SECONDS = 10.0
PUBLICATIONS_PER_COPY = 5
"""In the window: one at each first interval between publications, which only grows."""
PUBLICATIONS_AT_ONCE = 3
"""On top: what follows a change at once, such as the end of a lease."""

Record = Mapping[str, Any]


@dataclass
class Books:
    """True times are monotonic seconds of the world; no skew."""

    timing: Timing
    max_failures: int
    log: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    slots: defaultdict[str, dict[int, Record]] = field(default_factory=lambda: defaultdict(dict))
    calls: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Per request the slots whose attempt called the service."""
    served: list[tuple[str, str]] = field(default_factory=list)
    """Every call in its order: the request and the deployment."""
    crashes: int = 0
    publications: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """When an event of a request came to a hub."""
    swept: Counter[str] = field(default_factory=Counter)
    most_copies: Counter[str] = field(default_factory=Counter)
    shown: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    skews: dict[str, float] = field(default_factory=dict)
    _results: dict[str, str] = field(default_factory=dict)
    """Requests whose outcome travels, with the token of its attempt."""
    _names: dict[str, str] = field(default_factory=dict)

    def say(self, text: str, *, now: float) -> None:
        self.log.append(f"{now:9.3f}  {text}")

    def violated(self, text: str, *, now: float) -> None:
        self.violations.append(text)
        self.say(f"VIOLATION {text}", now=now)

    def name(self, request_id: str) -> str:
        """Short and the same in every run: a0 is the first group's first request."""
        group, _, index = request_id.rpartition("-")
        letter = self._names.setdefault(group, chr(ord("a") + len(self._names)))
        return letter + index

    def outcome(self, request_id: str) -> Record | None:
        slots = self.slots[request_id]
        return next((slot for slot in slots.values() if slot["kind"] in OUTCOMES), None)

    # --- slots -----------------------------------------------------------------------------------

    def committed(self, record: Record, *, now: float) -> None:
        request, n, kind = record["request_id"], record["n"], record["kind"]
        before = self.slots[request].get(n - 1)
        place = f"{kind} {self.name(request)}:{n}"
        wrong = self._why_wrong(record, before, now)
        if wrong:
            self.violated(f"{place} {wrong}", now=now)
        self.slots[request][n] = record

    def _why_wrong(self, record: Record, before: Record | None, now: float) -> str | None:
        if self.outcome(record["request_id"]) is not None:
            return "was created after an outcome"
        kind, n = record["kind"], record["n"]
        if before is None:
            return None if n == 1 and kind != "released" else "was created without a predecessor"
        ours = before["claim_token"] == record["claim_token"]
        if before["kind"] == "released":
            if kind == "attempt" and now + EPOCH + self.timing.skew < before["not_before"]:
                return "was created before the released slot allowed it"
            if kind == "attempt" and record["failures"] != before["failures"]:
                return "changed the count of failures without an attempt"
            return None
        if kind in ("released", "succeeded"):
            return None if ours else "ends an attempt of someone else"
        if kind != "cancelled" and not ours and now <= self.lease_end(before):
            return "was created during the lease of someone else"
        if kind == "attempt" and record["failures"] != before["failures"] + 1:
            return "took over without counting a failure"
        return None

    def lease_end(self, attempt: Record) -> float:
        """In true time: its writer's clock may be off."""
        return float(attempt["lease_until"] - EPOCH - self.skews[attempt["worker"]])

    # --- calls -----------------------------------------------------------------------------------

    def called(self, slot_id: str, *, deployment: str, timeout: float, now: float) -> None:
        request, _, number = slot_id.rpartition(":")
        n = int(number)
        attempt = self.slots[request].get(n)
        place = f"the call of {self.name(request)}:{n}"
        if attempt is None or attempt["kind"] != "attempt":
            self.violated(f"{place} was made without an attempt in the ledger", now=now)
            return
        if n in self.calls[request]:
            self.violated(f"{place} was made twice", now=now)
        if attempt["failures"] >= self.max_failures:
            self.violated(f"{place} was made after MAX_FAILURES failures", now=now)
        holder_ends = self.lease_end(attempt) - self.timing.skew - self.timing.write_budget
        if now + timeout > holder_ends + 0.001:
            self.violated(f"{place} may last longer than its holder's time", now=now)
        if request in self._results:
            self.violated(f"{place} was paid while an outcome was on its way", now=now)
        if attempt is not None and attempt["deployment"] != deployment:
            self.violated(f"{place} went to {deployment}, unlike its attempt says", now=now)
        self.calls[request].append(n)
        self.served.append((request, deployment))

    def result_travels(self, request: str, token: str, *, now: float) -> None:
        """A result event is on its hub; if its attempt was late with it, nobody had to wait."""
        attempt = next(
            (slot for slot in self.slots[request].values() if slot["claim_token"] == token), None
        )
        if attempt is not None and now <= self.lease_end(attempt):
            self._results[request] = token

    def duplicate(self, annotation: Record, *, now: float) -> None:
        request, _, token = annotation["id"].split(":")
        outcome = self.outcome(request)
        if outcome is not None and outcome["claim_token"] == token:
            self.violated(f"the call behind {self.name(request)} is a duplicate of itself", now=now)

    def result_lost(self, request: str) -> None:
        self._results.pop(request, None)

    # --- what a caller is told --------------------------------------------------------------------

    def was_shown(self, request: str, state: str, ended_at: str | None, *, now: float) -> None:
        before = self.shown.get(request)
        if before is not None and before != (state, ended_at):
            self.violated(f"{self.name(request)} was shown {before[0]}, then {state}", now=now)
        if state in OUTCOMES:
            self.shown[request] = (state, ended_at)

    def nobody_expired(self, *, since: float, now: float) -> None:
        """Of those whose deadline lies so far behind the last fault."""
        for request in list(self.slots):
            outcome = self.outcome(request)
            if (
                outcome is not None
                and outcome["kind"] == "expired"
                and outcome["at"] >= EPOCH + since
            ):
                self.violated(f"{self.name(request)} was left to expire", now=now)

    # --- at the end -------------------------------------------------------------------------------

    def close(self, requests: list[str], *, faults: int, now: float) -> None:
        """After quiescence: the promises that need an end."""
        for request in requests:
            name, slots = self.name(request), self.slots[request]
            if self.outcome(request) is None:
                self.violated(f"{name} never got an outcome", now=now)
            released = sum(slot["kind"] == "released" for slot in slots.values())
            ended = sum(
                slot["kind"] == "attempt" and slots.get(n + 1, {}).get("kind") == "attempt"
                for n, slot in slots.items()
            )
            paid = len(self.calls[request])
            if paid > 1 + self.crashes + released + ended:
                self.violated(
                    f"{name} was paid {paid} times with {self.crashes} crashes, "
                    f"{released} released and {ended} ended leases",
                    now=now,
                )
            busiest = _most_within(self.publications[request], WINDOW_SECONDS)
            if busiest > PUBLICATIONS_PER_COPY * self.most_copies[request] + PUBLICATIONS_AT_ONCE:
                self.violated(
                    f"{name} was published {busiest} times within {WINDOW_SECONDS:.0f} s, with at "
                    f"most {self.most_copies[request]} copies",
                    now=now,
                )
            allowed = 1 + faults + self.swept[request]
            if self.most_copies[request] > allowed:
                self.violated(
                    f"{name} had {self.most_copies[request]} copies at once after "
                    f"{faults} faults and {self.swept[request]} publications of the sweep",
                    now=now,
                )


def _most_within(times: Sequence[float], seconds: float) -> int:
    most = start = 0
    for i, at in enumerate(times):
        while times[start] < at - seconds:
            start += 1
        most = max(most, i - start + 1)
    return most
