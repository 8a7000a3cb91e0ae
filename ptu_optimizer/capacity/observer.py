"""How full the deployment is now, from signals of every age. Pure.

Amounts are seconds of drain, as the settings have it (work / R). A header is a share of a bucket
of unknown depth: it is read as if that were 10 s, see docs/capacity.md. A deeper bucket then only looks
emptier than it is, and the loop is slower.
"""

from __future__ import annotations

import math
from collections import deque
from enum import StrEnum

from .belief import Learned
from .depth import BucketDepth
from .header_timing import HeaderTiming
from .metric import MINUTE_SECONDS, Minute
from .metric_meaning import Meaning, MetricMeaning
from .others import HeaderLoad, MinuteLoads, Spread
from .reading import Reading
from .timeline import Timeline
from .usage import WINDOW_SECONDS, Usage
from .work import Model

ASSUMED_DEPTH_SECONDS = 10.0
"""100 % of a header in seconds of drain. The true depth is not documented; none is needed."""

FRESH_SECONDS = 1.0
"""Between two headers of a working deployment; after it the load goes back to the usual one."""

EVENTS_SILENT_SECONDS = 300.0
"""So long a silent usage stream is taken for silent clients, if the metric does not object."""

LAG_SECONDS = 10.0
"""How late usage events are is told by those of so many seconds."""

STRAGGLER_SECONDS = 5.0
"""Usage events that come this much later than the others still find their place."""

BLOCK_SECONDS = 5.0
"""The stretch over which the others' present load is taken from usage events."""

TRIM_GAIN = 0.5
DRAIN_RANGE = (0.3, 2.0)
GAIN_RANGE = (0.5, 4.0)
ALWAYS_BUSY = 0.995
FIRST_STRIDE = 0.004
LONGEST_STRIDE = 0.03


class Basis(StrEnum):
    """What the belief rests on, best first."""

    HEADER = "header"
    EVENTS = "usage events"
    METRIC = "azure monitor"
    NOTHING = "nothing"


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
        self._timeline = Timeline()
        self._at = -math.inf
        self._anchor = (-math.inf, 0.0)
        self._own_used: dict[int, float] = {}
        self._own_refused: dict[int, int] = {}
        self._used_parts: dict[tuple[str, float], tuple[int, float, int]] = {}
        self._event_used: dict[int, float] = {}
        self._played: dict[int, tuple[float, float, float]] = {}
        """By minute, the mean and the lowest level that was played: to hold against the metric."""
        self._stride = FIRST_STRIDE
        self._loads: deque[tuple[float, float]] = deque(maxlen=5)
        self._full_at = -math.inf
        self._question: tuple[float, tuple[float, float]] | None = None
        """A 429 that surprised us: when, and what was believed before."""
        self._header_load = HeaderLoad()
        self._event_load = 0.0
        self._lags: deque[tuple[float, float]] = deque(maxlen=256)
        self._events_trusted = False
        self._blocks_until = -math.inf
        self.timing = HeaderTiming()
        self.meaning = MetricMeaning()
        self.minutes = MinuteLoads()
        self.depth = BucketDepth()
        self.bursts = Spread()
        """Deviation of the others' load over BLOCK_SECONDS, from usage events."""
        self.level = 0.0
        """Seconds of drain that we believe the bucket to hold."""
        self.drain = 1.0
        """What really drains over what the settings say."""
        self.event_gain = 1.0
        """All interactive work over what the usage events tell of it."""
        self.header_at = -math.inf
        self.events_until = -math.inf
        self.minute_until = -math.inf

    # --- what is believed -----------------------------------------------------------------------

    def basis(self, now: float) -> Basis:
        if now - self.header_at <= self._header_ttl:
            return Basis.HEADER
        if self._events_alive(now):
            return Basis.EVENTS
        if now - self.minute_until <= self._metric_ttl:
            return Basis.METRIC
        return Basis.NOTHING

    def others(self, now: float) -> float:
        """The others' load now."""
        match self.basis(now):
            case Basis.EVENTS:
                return self._event_load
            case Basis.METRIC:
                return self.minutes.expected
            case Basis.HEADER | Basis.NOTHING:
                return self._event_load if self._events_alive(now) else self._header_load.now

    def advance(self, now: float) -> None:
        """Bring the level forward to `now`."""
        seconds = now - self._at
        if seconds <= 0.0:
            return
        if seconds == math.inf:
            self._anchor = (now, self.level)
        else:
            if now - self.header_at > FRESH_SECONDS:
                self._header_load.unseen(seconds)
            self.level = max(0.0, self.level + (self.others(now) - self.drain) * seconds)
        self._at = now
        self._timeline.forget(now)

    # --- what is seen ---------------------------------------------------------------------------

    def own(self, now: float, amount: float) -> None:
        """A send of this process (positive), or its correction (negative)."""
        self.advance(now)
        self._timeline.add_own(now, amount)
        self.level = max(0.0, self.level + amount)

    def own_used(self, now: float, amount: float) -> None:
        """What a call that ended had cost, to be subtracted from the metric of its minute."""
        _add(self._own_used, now, amount)

    def refused(self, now: float) -> None:
        """One of our calls was answered 429: among the minute's, it was no harm done."""
        number = _minute_of(now)
        self._own_refused[number] = self._own_refused.get(number, 0) + 1

    def own_refused(self, minute_ends_at: float) -> int:
        """How many of our calls were refused in that minute, in this process and others."""
        return self._own_refused.get(_minute_of(minute_ends_at - MINUTE_SECONDS), 0)

    def succeed(self, learned: Learned) -> None:
        """Go on from what another process has learned."""
        low, high = DRAIN_RANGE
        self.drain = min(high, max(low, learned.drain))
        low, high = GAIN_RANGE
        self.event_gain = min(high, max(low, learned.event_gain))
        self._header_load.usual = min(1.0, learned.usual_load)
        self._header_load.now = self._header_load.usual
        self.timing.at_admission = learned.header_at_admission
        for number, used in learned.own_minutes:
            self._own_used[number] = max(used, self._own_used.get(number, 0.0))
        self.meaning.meaning = Meaning(learned.metric_meaning)

    @property
    def own_minutes(self) -> tuple[tuple[int, float], ...]:
        """What our calls used in the last minutes, here and in other processes."""
        return tuple(sorted(self._own_used.items())[-8:])

    @property
    def usual_load(self) -> float:
        """The others' load over minutes, by whatever told of it."""
        return self._header_load.usual if self.header_at > -math.inf else self.minutes.expected

    def header(self, reading: Reading, now: float) -> None:
        self.advance(now)
        seen = ASSUMED_DEPTH_SECONDS * reading.value
        started = reading.observed_at - reading.span
        self.timing.observe(started=started, ended=reading.observed_at, value=reading.value)
        at = min(now, started if self.timing.at_admission else reading.observed_at)
        since = at - self._anchor[0] if self._anchor[0] > -math.inf else math.inf
        if at < self._anchor[0] - STRAGGLER_SECONDS:
            return
        if since > 0.0:
            if since < MINUTE_SECONDS and now - self.header_at < MINUTE_SECONDS:
                predicted = self.level if at >= now else self._play_to(at)
                self._header_load.surprised(seen - predicted, max(since, 0.001))
            self._anchor = (at, seen)
            self.level = self._play_to(now)
        self.header_at = max(self.header_at, reading.observed_at)

    def throttled(self, reading: Reading, now: float) -> None:
        """A 429: at least full, `until` then."""
        self.advance(now)
        retry = max(0.0, (reading.until or now) - now)
        by_header = self.basis(now) is Basis.HEADER
        if not by_header and self._question is None:
            self._question = (now, self._anchor)
        full = max(ASSUMED_DEPTH_SECONDS, 0.0 if by_header else self.level)
        self.level = full + retry
        self._anchor = (now, self.level)
        if by_header:
            self.header_at = now

    def usage(self, usage: Usage, now: float) -> None:
        """Windows of other processes' sends, or of interactive calls."""
        self.advance(now)
        for window in usage.windows:
            changed = self._timeline.put(
                usage.record_id, window.start, window.net / self._rate, ours=usage.ours
            )
            self._count_used(usage, window.start, window.used / self._rate, window.refused)
            if usage.ours and self._anchor[0] <= window.start:
                self.level = max(0.0, self.level + changed)
        if usage.ours or not usage.windows:
            return
        # up to the middle of the newest window: more of that one may come
        newest = max(window.start for window in usage.windows) + WINDOW_SECONDS / 2
        newest = min(newest, now)
        self._lags.append((now, now - newest))
        self._events_trusted = True
        self.events_until = max(self.events_until, newest)

    def tick(self, now: float) -> None:
        """Play again what events have told since; to be called about once a second."""
        self.advance(now)
        if not self._events_alive(now):
            return
        horizon = self._horizon(now)
        self._measure_blocks(horizon)
        self._answer(horizon)
        recent = self._timeline.others_between(horizon - BLOCK_SECONDS, horizon)
        self._event_load = max(0.0, self.event_gain * sum(recent) / BLOCK_SECONDS)
        self._move_anchor(horizon - STRAGGLER_SECONDS, horizon)
        self.level = self._play_to(now)

    def minute(self, minute: Minute, now: float) -> None:
        """One minute of Azure Monitor, one to three minutes after it."""
        self.advance(now)
        total = minute.work(self._model)
        number = _minute_of(minute.ends_at - MINUTE_SECONDS)
        if total is None and minute.utilization is None:
            return
        share = None if total is None else total / self._rate / MINUTE_SECONDS
        if share is None and self.meaning.meaning is not Meaning.LEVEL:
            share = (minute.utilization or 0.0) * self.drain
        if share is None:
            return
        interactive = max(0.0, share - self._own_used.get(number, 0.0) / MINUTE_SECONDS)
        self.minutes.put(minute.ends_at, interactive)
        newest = minute.ends_at > self.minute_until
        self.minute_until = max(self.minute_until, minute.ends_at)
        if newest and self.basis(now) is Basis.METRIC:
            self._timeline.spread_others(
                minute.ends_at - MINUTE_SECONDS, minute.ends_at, interactive
            )
            self._answer(minute.ends_at)
            self._move_anchor(minute.ends_at, minute.ends_at)
            self.level = self._play_to(now)
        if newest:
            self._learn_from(minute, number, interactive)

    # --- parts ----------------------------------------------------------------------------------

    def _events_alive(self, now: float) -> bool:
        return self._events_trusted and now - self.events_until <= EVENTS_SILENT_SECONDS

    def _horizon(self, now: float) -> float:
        """Up to when the events are complete: as late as they came lately."""
        lag = max((lag for at, lag in self._lags if now - at <= LAG_SECONDS), default=None)
        if lag is None:
            lag = max((lag for _, lag in self._lags), default=0.0)
        return now - lag

    def _play_to(self, end: float) -> float:
        start, level = self._anchor
        horizon = self._horizon(self._at) if self._events_alive(self._at) else -math.inf
        if self.basis(self._at) is Basis.METRIC:
            horizon = self.minute_until
        return self._timeline.play(
            level,
            start,
            end,
            drain=self.drain,
            known_until=horizon,
            others=self.others(self._at),
            gain=self.event_gain if self._events_alive(self._at) else 1.0,
        ).level

    def _move_anchor(self, to: float, horizon: float) -> None:
        """Make `to` the new point from which levels are played, minute by minute."""
        to = math.floor(to / WINDOW_SECONDS) * WINDOW_SECONDS
        while self._anchor[0] < to:
            start, level = self._anchor
            boundary = (math.floor(start / MINUTE_SECONDS) + 1) * MINUTE_SECONDS
            end = min(to, boundary)
            played = self._timeline.play(
                level,
                start,
                end,
                drain=self.drain,
                known_until=horizon,
                others=self.others(self._at),
                gain=self.event_gain if self._events_alive(self._at) else 1.0,
            )
            number = _minute_of(start)
            mean, lowest, busy = self._played.get(number, (0.0, math.inf, 0.0))
            self._played[number] = (
                mean + played.mean * (end - start) / MINUTE_SECONDS,
                min(lowest, played.lowest),
                busy + played.busy / MINUTE_SECONDS,
            )
            self._anchor = (end, played.level)
        if len(self._played) > 16:
            self._played = {n: p for n, p in self._played.items() if n > _minute_of(to) - 8}

    def _answer(self, horizon: float) -> None:
        """Now that all inflow up to a 429 is known: what remains is a drain believed too high."""
        if self._question is None or self._question[0] > horizon:
            return
        at, (start, level) = self._question
        self._question = None
        played = self._timeline.play(
            level,
            start,
            at,
            drain=self.drain,
            known_until=horizon,
            others=0.0,
            gain=self.event_gain if self._events_alive(self._at) else 1.0,
        )
        missing = ASSUMED_DEPTH_SECONDS - played.level
        if missing > 1.0:
            since = max(20.0, min(600.0, at - self._full_at))
            self._set_drain(self.drain - 0.3 * missing / since)
        self._full_at = at

    def _measure_blocks(self, horizon: float) -> None:
        """The others' load of each whole block, once."""
        if self._blocks_until == -math.inf:
            self._blocks_until = math.floor(horizon / BLOCK_SECONDS) * BLOCK_SECONDS
        while self._blocks_until + BLOCK_SECONDS <= horizon:
            end = self._blocks_until + BLOCK_SECONDS
            inflow = self._timeline.others_between(self._blocks_until, end)
            self.bursts.add(sum(inflow) / BLOCK_SECONDS)
            self._blocks_until = end

    def _count_used(self, usage: Usage, start: float, used: float, refused: int) -> None:
        number = _minute_of(start)
        _, before, refused_before = self._used_parts.get((usage.record_id, start), (0, 0.0, 0))
        self._used_parts[usage.record_id, start] = (number, used, refused)
        _add(self._own_used if usage.ours else self._event_used, start, used - before)
        if usage.ours and refused != refused_before:
            self._own_refused[number] = self._own_refused.get(number, 0) + refused - refused_before
        if len(self._used_parts) > 4_096:
            oldest = _minute_of(self._at) - 7
            self._used_parts = {k: v for k, v in self._used_parts.items() if v[0] >= oldest}

    def _learn_from(self, minute: Minute, number: int, interactive: float) -> None:
        """Hold what was played of that minute against what the metric says of it."""
        told = self._event_used.get(number, 0.0) / MINUTE_SECONDS
        if self._events_trusted and interactive > 0.05:
            if told < 0.2 * interactive:
                self._events_trusted = told > 0.0
            else:
                low, high = GAIN_RANGE
                factor = min(high, max(low, interactive / told))
                self.event_gain += 0.1 * (factor - self.event_gain)
        played = self._played.get(number)
        if played is None or minute.utilization is None or self.basis(self._at) is Basis.HEADER:
            return
        mean, lowest, busy = played
        self.meaning.observe(utilization=minute.utilization, busy=busy)
        match self.meaning.meaning:
            case Meaning.LOAD:
                self._learn_from_load(minute.utilization, busy)
            case Meaning.LEVEL:
                self.depth.observe(seconds=mean, level=minute.utilization)
                self._learn_from_level(minute.utilization_min, lowest)

    def _learn_from_load(self, load: float, busy: float) -> None:
        """What went in has drained: busy for longer than we played it is drained more slowly."""
        self._loads.append((busy, load))
        if load > ALWAYS_BUSY:
            self._correct(0.3)
            self._set_drain(self.drain - 0.01)
            return
        played = sum(one for one, _ in self._loads)
        told = sum(one for _, one in self._loads)
        if told > 0.0:
            self._set_drain(self.drain * (1.0 + 0.3 * (played / told - 1.0)))

    def _learn_from_level(self, seen_lowest: float | None, lowest: float) -> None:
        """By the lowest level of the minute, which bursts and their end do not move."""
        if seen_lowest is None:
            return
        error = ASSUMED_DEPTH_SECONDS * seen_lowest - lowest
        if error > 0.3:
            self._correct(error)
            self._set_drain(self.drain - TRIM_GAIN * error / MINUTE_SECONDS)
            self._stride = FIRST_STRIDE
        elif seen_lowest == 0.0:
            self._correct(-lowest)
            if self.drain < 1.0:
                self._stride = min(LONGEST_STRIDE, 2 * self._stride)
                self._set_drain(min(1.0, self.drain + self._stride))

    def _correct(self, error: float) -> None:
        """The bucket is fuller than we played it, by `error` seconds of drain."""
        at, level = self._anchor
        self._anchor = (at, max(0.0, level + error))
        self.level = max(0.0, self.level + error)

    def _set_drain(self, drain: float) -> None:
        low, high = DRAIN_RANGE
        self.drain = min(high, max(low, drain))


def _minute_of(at: float) -> int:
    return math.floor(at / MINUTE_SECONDS)


def _add(by_minute: dict[int, float], at: float, amount: float) -> None:
    number = _minute_of(at)
    by_minute[number] = by_minute.get(number, 0.0) + amount
    if len(by_minute) > 16:
        for old in [one for one in by_minute if one < number - 8]:
            del by_minute[old]
