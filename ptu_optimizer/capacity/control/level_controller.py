"""Fills the idle part of one deployment, with the least harm to interactive calls. Pure.

A bucket that is never empty drains at full rate, so the level is kept low but above empty. The
observer says how full the bucket is, and pacing says when the next call may go. This module
adds the rules that always hold: the operator's limits, 429s, alerts, and probes when nothing is
known.
"""

from __future__ import annotations

import math

from ptu_optimizer.capacity.estimate.belief import Basis, Belief
from ptu_optimizer.capacity.estimate.observer import ASSUMED_DEPTH_SECONDS, LevelObserver
from ptu_optimizer.capacity.signals.alert import Alert
from ptu_optimizer.capacity.signals.learned import Learned
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.capacity.signals.signal import Signal
from ptu_optimizer.capacity.signals.usage import UsageWindows

from .brakes import Brakes, HarmBrake
from .limits import SlowDownLimits
from .pacing import Pace, Uncertainty, ceiling, rate_by_minutes
from .signal_log import SignalLog
from .verdict import Admit, Verdict, Wait

AFTER_REFUSAL_SECONDS = 2.0
"""Extra pause after the time that a 429 names, so that interactive calls come first."""

PROBE_SECONDS = 2.0
"""After this long without a call under way and without a signal, one call is sent as a probe."""

HEADER_PROBE_SECONDS = 10.0
HEADER_LOST_SECONDS = 60.0
"""Without our calls there are no headers. If only the metric is left for that reason, one call
is sent as a probe after HEADER_PROBE_SECONDS. No such probe is sent if our calls have carried
no header for HEADER_LOST_SECONDS."""

PROBE_BELOW_SECONDS = 5.0
"""At a level above this we wait until it falls, and send no probe."""

LONGEST_LOOK_SECONDS = 0.25
BLIND_LOOK_SECONDS = 1.0
"""How soon to ask again at the latest: when the level is known, and when nothing is known."""

LEARNING_RATE = 0.05


class LevelController:
    """The `Controller` of one provisioned deployment in this process."""

    def __init__(
        self,
        *,
        deployment: str,
        source: str,
        learned_of: str = "",
        work_per_second: float,
        observer: LevelObserver,
        limits: dict[str, SlowDownLimits],
        max_concurrent_calls: int,
    ) -> None:
        """`limits` by priority. `source` names this process."""
        self._deployment = deployment
        self._source = source
        self._of = learned_of
        self._rate = work_per_second
        self._observer = observer
        self._limits = limits
        self._max_concurrent_calls = max_concurrent_calls
        self._signal_log = SignalLog()
        self._brakes = Brakes()
        self._harm = HarmBrake()
        self._pace = Pace()
        self._in_flight = 0
        self._reserved = 0.0
        self._used_share = 0.8
        self._blocked_until = 0.0
        self._sent_at = -math.inf
        """Our newest call whose answer may still bring a signal."""
        self._called_at = -math.inf
        self._answered_at = -math.inf
        """When our newest call was answered: its answer could have carried a header."""

    # --- the decision ---------------------------------------------------------------------------

    def ask(self, *, now: float, work: float, priority: str) -> Verdict:
        observer = self._observer
        observer.advance(now)
        if self._in_flight >= self._max_concurrent_calls:
            calls = self._max_concurrent_calls
            return Wait(f"{calls} calls at a time are under way", blocked=False, retry_at=None)
        if now < self._blocked_until:
            return Wait("the deployment answered 429", blocked=True, retry_at=self._blocked_until)
        basis = observer.basis(now)
        brake = self._brakes.active(
            now=now,
            known_until=self._known_until(basis),
            others=observer.others(now),
            limit=self._limits[priority].lower,
        )
        if brake is not None:
            return Wait(
                f"the alert {brake.source} has fired",
                blocked=True,
                retry_at=min(brake.until or math.inf, now + BLIND_LOOK_SECONDS),
            )
        if basis is Basis.METRIC:
            if self._header_is_a_call_away(now, priority):
                return Admit("this deployment reports its level: a probe")
            return self._by_minutes(now, work / self._rate, priority)
        if basis is Basis.NOTHING:
            return self._blind(now)
        return self._by_level(now, work / self._rate, priority, basis)

    def _by_level(self, now: float, amount: float, priority: str, basis: Basis) -> Verdict:
        observer = self._observer
        level = observer.level
        refused = self._within_limits(level / ASSUMED_DEPTH_SECONDS, priority, now)
        if refused is not None:
            return refused
        by_events = basis is Basis.EVENTS
        known = Uncertainty(
            by_events=by_events,
            at_admission=observer.timing.at_admission,
            burst_deviation=observer.events.bursts.deviation,
            refused_ago=now - self._harm.others_refused_at,
        )
        reserved = self._reserved + observer.reserved_elsewhere(now)
        highest = ceiling(known, refunds=(1.0 - self._used_share) * reserved)
        if level + amount / 2 <= highest or level <= 0.0:
            return Admit(f"{level:.1f} s of work are in the deployment, by {basis}")
        heard_at = max(observer.header_at, self._sent_at)
        if (
            not by_events
            and self._in_flight == 0
            and now - heard_at > PROBE_SECONDS
            and level < PROBE_BELOW_SECONDS
        ):
            return Admit("nothing heard for a while: a probe")
        draining = observer.drain - observer.others(now)
        missing = level + amount / 2 - highest
        wait = missing / draining if draining > 0.05 else LONGEST_LOOK_SECONDS
        return Wait(
            f"{level:.1f} s of work are in the deployment, by {basis}",
            blocked=False,
            retry_at=now + min(max(wait, 0.01), LONGEST_LOOK_SECONDS),
        )

    def _by_minutes(self, now: float, amount: float, priority: str) -> Verdict:
        observer = self._observer
        others = observer.minutes.expected
        refused = self._within_limits(others, priority, now)
        if refused is not None:
            return refused
        rate = self._harm.factor * rate_by_minutes(
            level=observer.level,
            drain=observer.drain,
            others=others,
            deviation=observer.minutes.deviation,
            age_seconds=now - observer.minute_until,
            depth_seconds=observer.depth.seconds,
        )
        self._pace.accrue(now, rate)
        missing = self._pace.missing()
        why = f"paced at {rate:.0%} of the deployment, by azure monitor"
        if missing <= 0.0:
            return Admit(why)
        wait = missing / rate if rate > 0.0 else BLIND_LOOK_SECONDS
        return Wait(why, blocked=False, retry_at=now + min(max(wait, 0.02), BLIND_LOOK_SECONDS))

    def _header_is_a_call_away(self, now: float, priority: str) -> bool:
        """Whether the level is unknown only because nothing was sent. The limits of
        `_by_minutes` compare the interactive load, so without a probe the level would stay
        unknown while that load is high."""
        return (
            self._in_flight == 0
            and now - self._called_at > HEADER_PROBE_SECONDS
            and self._answered_at - self._observer.header_at < HEADER_LOST_SECONDS
            and self._limits[priority].allowed(0.0) > 0
        )

    def _blind(self, now: float) -> Verdict:
        if self._in_flight == 0 and now - self._sent_at > PROBE_SECONDS:
            return Admit("nothing is known: a probe")
        return Wait(
            "nothing is known: one call at a time", blocked=False, retry_at=now + BLIND_LOOK_SECONDS
        )

    def _within_limits(self, utilization: float, priority: str, now: float) -> Wait | None:
        limits = self._limits[priority]
        allowed = limits.allowed(utilization)
        if allowed == 0:
            return Wait(
                f"utilization {utilization:.0%} is at or above the upper limit {limits.upper:.0%}",
                blocked=True,
                retry_at=now + LONGEST_LOOK_SECONDS,
            )
        if self._in_flight >= allowed:
            return Wait(
                f"{allowed} calls at a time at {utilization:.0%}",
                blocked=False,
                retry_at=now + LONGEST_LOOK_SECONDS,
            )
        return None

    def _known_until(self, basis: Basis) -> float:
        """The time up to which something better than an alert is known."""
        observer = self._observer
        match basis:
            case Basis.HEADER:
                return observer.header_at
            case Basis.EVENTS:
                return observer.events.until
            case Basis.METRIC:
                return observer.minute_until
            case Basis.NOTHING:
                return -math.inf

    # --- what happens ---------------------------------------------------------------------------

    def sent(self, *, now: float, work: float) -> None:
        amount = work / self._rate
        self._observer.own(now, amount)
        self._pace.spend(amount)
        self._in_flight += 1
        self._reserved += amount
        self._sent_at = self._called_at = now

    def ended(self, *, now: float, reserved: float, used: float | None) -> None:
        amount = reserved / self._rate
        cost = amount if used is None else used / self._rate
        self._in_flight -= 1
        self._reserved = max(0.0, self._reserved - amount)
        self._observer.own(now, cost - amount)
        self._pace.spend(cost - amount)
        if used:
            self._answered_at = now
        if cost > 0.0:
            self._observer.costs.ended(now, cost)
        if cost == 0.0:
            # it never ran, was refused, or failed: it brought no signal, so another call may be
            # a probe
            self._sent_at = -math.inf
        if used and amount > 0.0:
            self._used_share += LEARNING_RATE * (min(1.0, cost / amount) - self._used_share)

    def observe(self, signal: Signal, *, now: float) -> None:
        match signal:
            case Reading():
                self._read(signal, now)
            case Minute():
                if self._signal_log.take_minute(signal, now=now):
                    self._observer.minute(signal, now)
                    ours = self._observer.costs.own_refused(signal.number)
                    self._harm.minute(signal, ours=ours)
            case UsageWindows():
                if signal.source != self._source:
                    self._observer.usage(signal, now)
                    self._harm.usage(signal, now=now)
                    self._signal_log.usage(signal, now)
            case Alert():
                self._brakes.put(signal)
                self._signal_log.alert(signal)
            case Learned():
                self._succeed(signal, now)

    def _read(self, reading: Reading, now: float) -> None:
        if not self._signal_log.take(reading, now=now):
            return
        if reading.kind is ReadingKind.LEVEL:
            self._observer.header(reading, now)
        elif reading.kind is ReadingKind.THROTTLED:
            until = reading.until or now
            if reading.source == self._source:
                self._observer.costs.refused(now)
            if until + AFTER_REFUSAL_SECONDS > max(now, self._blocked_until):
                self._observer.throttled(reading, now)
                self._blocked_until = until + AFTER_REFUSAL_SECONDS
            self._harm.refused()

    def _succeed(self, learned: Learned, now: float) -> None:
        """Continue with what the process knew that sent before us."""
        if learned.source == self._source or (learned.learned_of or self._of) != self._of:
            return
        self._used_share = min(1.0, learned.used_share)
        self._observer.succeed(learned, now)
        self._harm.others_refused(at=min(now, learned.others_refused_at))

    def tick(self, *, now: float) -> None:
        self._observer.tick(now)

    # --- what is believed -----------------------------------------------------------------------

    def belief(self, *, now: float) -> Belief:
        observer = self._observer
        observer.advance(now)
        basis = observer.basis(now)
        newest = self._signal_log.newest()
        unknown = newest == -math.inf
        known_until = newest if basis is Basis.NOTHING else self._known_until(basis)
        return Belief(
            value=None if unknown else observer.level / ASSUMED_DEPTH_SECONDS,
            source=basis.value,
            age=max(0.0, now - known_until),
            fresh=basis is not Basis.NOTHING,
            others=None if unknown else observer.others(now),
            provenance=self._signal_log.provenance(basis, since=observer.rests_on_since(now)),
        )

    def learned(self, *, now: float) -> Learned | None:
        observer = self._observer
        return Learned(
            deployment=self._deployment,
            learned_of=self._of,
            source=self._source,
            at=now,
            drain=observer.drain,
            event_gain=observer.events.gain,
            used_share=self._used_share,
            usual_load=observer.usual_load,
            metric_meaning=observer.meaning.meaning.value,
            header_at_admission=observer.timing.at_admission,
            own_minutes=observer.costs.own_minutes,
            own_refused=observer.costs.own_refused_minutes,
            depth_seconds=observer.depth.seconds,
            depth_evidence=observer.depth.evidence,
            level=observer.level,
            events_until=observer.events.until if observer.events.alive(now) else 0.0,
            burst_evidence=observer.events.bursts.evidence,
            others_refused_at=self._harm.others_refused_at,
        )
