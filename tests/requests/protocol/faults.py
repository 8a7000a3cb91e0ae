"""What goes wrong, where and when: decided by a seed, so that a run can be repeated and shrunk.

Every decision depends on the seed, its kind, its place and how often that place was passed, not on
the decisions before it: leaving one fault out leaves the others as they were.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

OFTEN = (0.0, 0.0, 0.1, 0.3, 0.6)
RARELY = (0.0, 0.0, 0.01, 0.05, 0.15)
"""Of a run's fault kinds some never strike, some now and then, some most of the time."""

AT_EVERY_STEP = frozenset(
    ["crash", "read fails", "reads down", "writes down", "hub down", "blob fails"]
)
"""Kinds that have so many places that a high rate would let nothing through."""

KINDS = (
    "create lost",
    "create landed unseen",
    "create lands later",
    "writes down",
    "reads down",
    "read fails",
    "read is stale",
    "publish lost",
    "publish landed unseen",
    "publish in part",
    "hub down",
    "event lost",
    "checkpointed past",
    "batch delivered twice",
    "binding fails",
    "binding lost",
    "crash",
    "429",
    "429 for long",
    "transient",
    "rejected",
    "slow call",
    "long call",
    "frozen call",
    "busy",
    "blob fails",
)
"""What runs draw at random."""

ORDERED_ONLY = ("blob cancelled",)
"""What only tests order: not every use case takes a library's `CancelledError` for an error yet."""


@dataclass
class Order:
    """Faults that a test wants at a certain place."""

    kind: str
    place: str
    skip: int
    times: int
    struck: int = 0

    def strikes(self, kind: str, place: str) -> bool:
        if kind != self.kind or self.place not in place or self.struck == self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.struck += 1
        return True


@dataclass(kw_only=True)
class Faults:
    """The faults of one run: drawn by seed at some rate, or ordered by a test."""

    seed: int = 0
    rates: Mapping[str, float] = field(default_factory=dict)
    until: float = float("inf")
    """Monotonic: nothing is drawn any more from then on."""
    only: Collection[str] | None = None
    """If given, of all that would strike only these do: for shrinking."""
    tell: Callable[[str], None] = lambda text: None
    struck: list[str] = field(default_factory=list)
    _passed: Counter[str] = field(default_factory=Counter)
    _ordered: list[Order] = field(default_factory=list)

    def order(self, kind: str, place: str = "", *, times: int = 1, skip: int = 0) -> Order:
        """`times` passings of places that contain `place` are struck, after the first `skip`."""
        assert kind in (*KINDS, *ORDERED_ONLY), kind
        order = Order(kind, place, skip, times)
        self._ordered.append(order)
        return order

    def stop(self) -> None:
        """What was ordered and has not struck yet never does."""
        self._ordered.clear()

    def strikes(self, kind: str, place: str, *, now: float) -> bool:
        for order in self._ordered:
            if order.strikes(kind, place):
                self._strike(f"{kind}: {place}")
                return True
        rate = self.rates.get(kind, 0.0)
        if not rate or now >= self.until:
            return False
        key = f"{kind}: {place}"
        self._passed[key] += 1
        key = f"{key} #{self._passed[key]}"
        if self._number(key) >= rate or (self.only is not None and key not in self.only):
            return False
        self._strike(key)
        return True

    def pick(self, place: str, low: float, high: float) -> float:
        """A number between two, the same whenever this place is passed for the nth time."""
        self._passed[place] += 1
        return low + (high - low) * self._number(f"{place} #{self._passed[place]}")

    def _strike(self, key: str) -> None:
        self.struck.append(key)
        self.tell(f"FAULT {key}")

    def _number(self, key: str) -> float:
        # twice: one CRC alone is linear, and near places would get near numbers
        mixed = zlib.crc32(f"{self.seed}/{key}".encode()) * 2654435761 % 2**32
        return zlib.crc32(mixed.to_bytes(4, "big")) / 2**32


LATE_OUTCOMES = {
    "long call": 0.7,
    "frozen call": 0.2,
    "batch delivered twice": 0.7,
    "create lost": 0.5,
    "writes down": 0.15,
    "publish lost": 0.2,
}
"""Many runs find few faults of this sort by chance: calls that end with their lease, outcomes that
travel, and others who wait behind them."""


def drawn_rates(seed: int) -> dict[str, float]:
    """Which kinds of fault a run has, and how often."""
    if seed % 4 == 3:
        return LATE_OUTCOMES
    chooser = Faults(seed=seed)
    rates: dict[str, float] = {}
    for kind in KINDS:
        choices = RARELY if kind in AT_EVERY_STEP else OFTEN
        rates[kind] = choices[int(chooser.pick(f"rate of {kind}", 0, len(choices)))]
    return rates
