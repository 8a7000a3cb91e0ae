"""How full the deployment is now, from signals of every age. Pure.

Amounts are seconds of drain at the rate of the settings (work / R). A utilization header is a
share of a bucket whose depth is unknown. It is read as if the depth were 10 s (docs/capacity.md):
a deeper bucket then looks emptier than it is, and control is slower, not unsafe.
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
"""What 100 % in a header counts for, in seconds of drain. The true depth is not documented, and
it is not needed."""

HEADER_FRESH_SECONDS = 1.0
"""Longest time between two headers of a deployment in use. After it, the load returns to the
usual one."""

PAUSE_SECONDS = 30.0
"""After a pause this long, a process no longer counts as sending all the time."""

STRAGGLER_SECONDS = 5.0
"""Usage events may come this much later than the others and still be counted at their time."""


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
        """The newest send or correction of this process, and the first one after its last pause."""
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
        """How much the bucket holds, in seconds of drain, as the observer believes."""
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
        """Signals of the basis that are older than this no longer count."""
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
        """The interactive load over minutes, from the best signal that there was."""
        return self._header_load.usual if self.header_at > -math.inf else self.minutes.expected

    @property
    def drain(self) -> float:
        """The true drain over the drain of the settings."""
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
        """Continue with what another process has learned. Its clock may be ahead of ours."""
        at = min(now, learned.at)
        self._drain.set(learned.drain)
        self.events.go_on_from(
            gain=learned.event_gain,
            until=min(now, learned.events_until),
            bursts=learned.burst_evidence,
        )
        self.depth.go_on_from(learned.depth_evidence)
        if now - at < KEEP_SECONDS and self.basis(at) in (Basis.METRIC, Basis.NOTHING):
            # no signal of our own says better how full it was then
            self._trajectory.begin(at, learned.level)
            self._at = max(self._at, at)
            self.level = self._play_to(self._at)
        self._header_load.usual = min(1.0, learned.usual_load)
        self._header_load.now = self._header_load.usual
        self.timing.at_admission = learned.header_at_admission
        self.costs.take_over(learned.own_minutes, refused=learned.own_refused)
        self.meaning.meaning = Meaning(learned.metric_meaning)

    def header(self, reading: Reading, now: float) -> None:
        """Take in the utilization header of a response. Depending on `timing.at_admission` it
        describes the call's admission or its end. If two headers describe the same moment, the
        higher level is kept."""
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
        """Take in a 429: the bucket is at least full, and stays so until `reading.until`."""
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
            # only up to the middle of the newest window: it may not be complete
            newest = max(window.start for window in usage.windows)
            self.events.heard(now, until=newest + WINDOW_SECONDS / 2)
            refused = max((w.start for w in usage.windows if w.refused), default=-math.inf)
            if self.basis(now) is not Basis.HEADER:
                self._full.seen(min(now, refused + WINDOW_SECONDS), certain=self._trajectory.anchor)

    def reserved_elsewhere(self, now: float) -> float:
        """What calls under way of other processes have reserved, in seconds of drain."""
        return self.elsewhere.reserved(now=now) / self._rate

    def tick(self, now: float) -> None:
        """Replay the level with the events that came since. To be called about once a second."""
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
        """Take in one minute of Azure Monitor, which comes one to three minutes late."""
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
        """The level at `end`, from all that is known now."""
        known_until = self.events.horizon(self._at) if self.events.alive(self._at) else -math.inf
        if self.basis(self._at) is Basis.METRIC:
            known_until = self.minute_until
        return self._trajectory.level_at(end, self._flows(known_until=known_until))

    def _answer(self, horizon: float) -> None:
        """All inflow up to a refusal is known now. If the replayed level is below full, the
        difference is drain that we assumed and that did not happen."""
        full = self._full.due(known_until=horizon)
        if full is None or self._at - full.certain.at > KEEP_SECONDS:
            return  # the inflow of that time is forgotten
        flows = self._flows(known_until=horizon, others=0.0)
        missing = ASSUMED_DEPTH_SECONDS - self._trajectory.play(full.certain, full.at, flows).level
        self._drain.learn_from_refusal(missing, seconds=full.since_last)
        if missing > 0.0 and self._trajectory.anchor.at < full.at:
            self._correct(missing)  # else the next refusal would count the same error again

    def _learn_from(self, minute: Minute, interactive: float) -> None:
        """Compare the replay of that minute with the metric, and learn from the difference.

        Only for a minute in which this process was sending all the time: a process without the
        send lease does not read all records.
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
        """The bucket is fuller than the replay said, by `error` seconds of drain."""
        self._trajectory.correct(error)
        self.level = max(0.0, self.level + error)
