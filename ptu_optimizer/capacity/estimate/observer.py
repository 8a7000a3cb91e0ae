"""How full the deployment is now, from signals of every age. Pure.

Amounts are seconds of drain, as the settings have it (work / R). A header is a share of a bucket
of unknown depth: it is read as if that were 10 s, see docs/capacity.md. A deeper bucket then only
looks emptier than it is, and the loop is slower.
"""

from __future__ import annotations

import math

from ptu_optimizer.capacity.calibration.depth import BucketDepth
from ptu_optimizer.capacity.calibration.drain import Drain
from ptu_optimizer.capacity.calibration.header_timing import HeaderTiming
from ptu_optimizer.capacity.calibration.metric_meaning import MetricMeaning
from ptu_optimizer.capacity.calibration.minute_costs import MinuteCosts
from ptu_optimizer.capacity.signals.learned import Learned
from ptu_optimizer.capacity.signals.minute import MINUTE_SECONDS, Meaning, Minute
from ptu_optimizer.capacity.signals.reading import Reading
from ptu_optimizer.capacity.signals.usage import WINDOW_SECONDS, UsageWindows
from ptu_optimizer.capacity.work import Model

from .belief import Basis
from .calls_elsewhere import CallsElsewhere
from .event_load import EVENTS_SILENT_SECONDS, EventLoad
from .interactive_load import HeaderLoad, MinuteLoads
from .refusals import Refusals
from .timeline import KEEP_SECONDS
from .trajectory import Flows, Trajectory

ASSUMED_DEPTH_SECONDS = 10.0
"""100 % of a header in seconds of drain. The true depth is not documented; none is needed."""

HEADER_FRESH_SECONDS = 1.0
"""Between two headers of a working deployment; after it the load goes back to the usual one."""

PAUSE_SECONDS = 30.0
"""Without a call for so long, a process has not sent all the time."""

STRAGGLER_SECONDS = 5.0
"""Usage events that come this much later than the others still find their place."""


class LevelObserver:
    """One per deployment and process. Times are epoch seconds and never go back."""

    def __init__(
        self,
        *,
        work_per_second: float,
        model: Model,
        header_ttl_seconds: float,
        metric_ttl_seconds: float,
    ) -> None:
        self._rate = work_per_second
        self._model = model
        self._header_ttl = header_ttl_seconds
        self._metric_ttl = metric_ttl_seconds
        self._trajectory = Trajectory()
        self._at = -math.inf
        self._sent_at = self._sending_since = -math.inf
        """Our newest send or correction, and the first one without a pause before it."""
        self._full = Refusals()
        self._header_load = HeaderLoad()
        self._drain = Drain()
        self.costs = MinuteCosts()
        self.elsewhere = CallsElsewhere()
        self.timing = HeaderTiming()
        self.meaning = MetricMeaning()
        self.minutes = MinuteLoads()
        self.depth = BucketDepth()
        self.events = EventLoad()
        self.level = 0.0
        """Seconds of drain that we believe the bucket to hold."""
        self.header_at = -math.inf
        self.minute_until = -math.inf

    # --- what is believed -----------------------------------------------------------------------

    def basis(self, now: float) -> Basis:
        if now - self.header_at <= self._header_ttl:
            return Basis.HEADER
        if self.events.alive(now):
            return Basis.EVENTS
        if now - self.minute_until <= self._metric_ttl:
            return Basis.METRIC
        return Basis.NOTHING

    def rests_on_since(self, now: float) -> float:
        """What is of the basis but older than this says nothing any more."""
        match self.basis(now):
            case Basis.HEADER:
                return now - self._header_ttl
            case Basis.EVENTS:
                return now - EVENTS_SILENT_SECONDS
            case Basis.METRIC:
                return now - self._metric_ttl
            case Basis.NOTHING:
                return now

    def others(self, now: float) -> float:
        """The others' load now."""
        match self.basis(now):
            case Basis.EVENTS:
                return self.events.load
            case Basis.METRIC:
                return self.minutes.expected
            case Basis.HEADER | Basis.NOTHING:
                return self.events.load if self.events.alive(now) else self._header_load.now

    @property
    def usual_load(self) -> float:
        """The others' load over minutes, by whatever told of it."""
        return self._header_load.usual if self.header_at > -math.inf else self.minutes.expected

    @property
    def drain(self) -> float:
        """What really drains over what the settings say."""
        return self._drain.share

    def advance(self, now: float) -> None:
        """Bring the level forward to `now`."""
        seconds = now - self._at
        if seconds <= 0.0:
            return
        if seconds == math.inf:
            self._trajectory.begin(now, self.level)
        else:
            if now - self.header_at > HEADER_FRESH_SECONDS:
                self._header_load.unseen(seconds)
            self.level = max(0.0, self.level + (self.others(now) - self.drain) * seconds)
        self._at = now
        self._trajectory.timeline.forget(now)

    # --- what is seen ---------------------------------------------------------------------------

    def own(self, now: float, amount: float) -> None:
        """A send of this process (positive), or its correction (negative)."""
        self.advance(now)
        if now - self._sent_at > PAUSE_SECONDS:
            self._sending_since = now
        self._sent_at = now
        self._trajectory.timeline.add_own(now, amount)
        self.level = max(0.0, self.level + amount)

    def succeed(self, learned: Learned, now: float) -> None:
        """Go on from what another process has learned. Its clock may be ahead of ours."""
        at = min(now, learned.at)
        self._drain.set(learned.drain)
        self.events.go_on_from(
            gain=learned.event_gain,
            until=min(now, learned.events_until),
            bursts=learned.burst_evidence,
        )
        self.depth.go_on_from(learned.depth_evidence)
        if now - at < KEEP_SECONDS and self.basis(at) in (Basis.METRIC, Basis.NOTHING):
            # nothing of our own tells better how full it was then
            self._trajectory.begin(at, learned.level)
            self._at = max(self._at, at)
            self.level = self._play_to(self._at)
        self._header_load.usual = min(1.0, learned.usual_load)
        self._header_load.now = self._header_load.usual
        self.timing.at_admission = learned.header_at_admission
        self.costs.take_over(learned.own_minutes, refused=learned.own_refused)
        self.meaning.meaning = Meaning(learned.metric_meaning)

    def header(self, reading: Reading, now: float) -> None:
        """The level that a response told, at the end of its call or at its admission. Of two that
        are told of one moment the fuller is believed."""
        self.advance(now)
        seen = ASSUMED_DEPTH_SECONDS * reading.value
        started = reading.observed_at - reading.span
        self.timing.observe(started=started, ended=reading.observed_at, value=reading.value)
        at = min(now, started if self.timing.at_admission else reading.observed_at)
        since = self._trajectory.since_told(at)
        if since < -STRAGGLER_SECONDS:
            return
        if since > 0.0 or (since == 0.0 and seen > self._trajectory.anchor.level):
            if 0.0 < since < MINUTE_SECONDS and now - self.header_at < MINUTE_SECONDS:
                predicted = self.level if at >= now else self._play_to(at)
                self._header_load.surprised(seen - predicted, max(since, 0.001))
            self._trajectory.told(at, seen)
            self.level = self._play_to(now)
        self.header_at = max(self.header_at, reading.observed_at)

    def throttled(self, reading: Reading, now: float) -> None:
        """A 429: at least full, `until` then."""
        self.advance(now)
        retry = max(0.0, (reading.until or now) - now)
        by_header = self.basis(now) is Basis.HEADER
        if not by_header:
            self._full.seen(now, certain=self._trajectory.anchor)
        full = max(ASSUMED_DEPTH_SECONDS, 0.0 if by_header else self.level)
        self.level = full + retry
        self._trajectory.told(now, self.level)
        if by_header:
            self.header_at = now

    def usage(self, usage: UsageWindows, now: float) -> None:
        """Windows of other processes' sends, or of interactive calls."""
        self.advance(now)
        for window in usage.windows:
            changed = self._trajectory.timeline.put(
                usage.record_id, window.start, window.net / self._rate, ours=usage.ours
            )
            if usage.ours and self._trajectory.anchor.at <= window.start:
                self.level = max(0.0, self.level + changed)
        self.costs.count(usage, work_per_second=self._rate, now=self._at)
        if usage.ours:
            self.elsewhere.count(usage, now=self._at)
        if usage.windows and not usage.ours:
            # up to the middle of the newest window: more of that one may come
            newest = max(window.start for window in usage.windows)
            self.events.heard(now, until=newest + WINDOW_SECONDS / 2)
            refused = max((w.start for w in usage.windows if w.refused), default=-math.inf)
            if self.basis(now) is not Basis.HEADER:
                self._full.seen(min(now, refused + WINDOW_SECONDS), certain=self._trajectory.anchor)

    def reserved_elsewhere(self, now: float) -> float:
        """Reserved by calls under way that other processes of ours have sent, seconds of drain."""
        return self.elsewhere.reserved(now=now) / self._rate

    def tick(self, now: float) -> None:
        """Play again what events have told since; to be called about once a second."""
        self.advance(now)
        if not self.events.alive(now):
            return
        self.events.read(now)
        horizon = self.events.horizon(now)
        self.events.measure(self._trajectory.timeline, horizon=horizon)
        self._answer(horizon)
        self._trajectory.settle(horizon - STRAGGLER_SECONDS, self._flows(known_until=horizon))
        self.level = self._play_to(now)

    def minute(self, minute: Minute, now: float) -> None:
        """One minute of Azure Monitor, one to three minutes after it."""
        self.advance(now)
        total = minute.work(self._model)
        if total is None and minute.utilization is None:
            return
        share = None if total is None else total / self._rate / MINUTE_SECONDS
        if share is None and self.meaning.meaning is not Meaning.LEVEL:
            share = (minute.utilization or 0.0) * self.drain
        if share is None:
            return
        interactive = max(0.0, share - self.costs.own_share(minute.number))
        self.minutes.put(minute.ends_at, interactive)
        newest = minute.ends_at > self.minute_until
        self.minute_until = max(self.minute_until, minute.ends_at)
        if newest and self.basis(now) is Basis.METRIC:
            self._trajectory.timeline.spread_others(
                minute.ends_at - MINUTE_SECONDS, minute.ends_at, interactive
            )
            self._answer(minute.ends_at)
            self._trajectory.settle(minute.ends_at, self._flows(known_until=minute.ends_at))
            self.level = self._play_to(now)
        if newest:
            self._learn_from(minute, interactive)

    # --- parts ----------------------------------------------------------------------------------

    def _flows(self, *, known_until: float, others: float | None = None) -> Flows:
        return Flows(
            drain=self.drain,
            known_until=known_until,
            others=self.others(self._at) if others is None else others,
            gain=self.events.gain if self.events.alive(self._at) else 1.0,
        )

    def _play_to(self, end: float) -> float:
        """The level at `end`, by all that is known now."""
        known_until = self.events.horizon(self._at) if self.events.alive(self._at) else -math.inf
        if self.basis(self._at) is Basis.METRIC:
            known_until = self.minute_until
        return self._trajectory.level_at(end, self._flows(known_until=known_until))

    def _answer(self, horizon: float) -> None:
        """Now that all inflow up to a refusal is known: what is missing is a drain believed too
        high."""
        full = self._full.due(known_until=horizon)
        if full is None or self._at - full.certain.at > KEEP_SECONDS:
            return  # what went in so long ago is forgotten
        flows = self._flows(known_until=horizon, others=0.0)
        missing = ASSUMED_DEPTH_SECONDS - self._trajectory.play(full.certain, full.at, flows).level
        self._drain.learn_from_refusal(missing, seconds=full.since_last)
        if missing > 0.0 and self._trajectory.anchor.at < full.at:
            self._correct(missing)  # or the next refusal would find the same again

    def _learn_from(self, minute: Minute, interactive: float) -> None:
        """Hold what was played of that minute against what the metric says of it.

        Only of a minute in which this process was sending all the time: who has not the turn does
        not read all that goes on.
        """
        if self._sending_since > minute.ends_at - MINUTE_SECONDS or self._sent_at < minute.ends_at:
            return
        self.events.hold_against(told=self.costs.told_share(minute.number), metric=interactive)
        played = self._trajectory.minute(minute.number)
        if played is None or minute.utilization is None or self.basis(self._at) is Basis.HEADER:
            return
        self.meaning.observe(utilization=minute.utilization, busy=played.busy)
        match self.meaning.meaning:
            case Meaning.LOAD:
                load, drained = minute.utilization, played.drained
                self._correct(self._drain.learn_from_load(load, drained=drained))
            case Meaning.LEVEL:
                self.depth.observe(seconds=played.mean, level=minute.utilization)
                if minute.utilization_min is not None:
                    lowest = ASSUMED_DEPTH_SECONDS * minute.utilization_min
                    self._correct(self._drain.learn_from_level(lowest, played_lowest=played.lowest))

    def _correct(self, error: float) -> None:
        """The bucket is fuller than we played it, by `error` seconds of drain."""
        self._trajectory.correct(error)
        self.level = max(0.0, self.level + error)
