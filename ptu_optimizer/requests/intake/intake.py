"""Intake: validate all, promise once, publish, answer with ids."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import BodyLimit, DependencyUnavailable, dependency_unavailable
from ptu_optimizer.requests.bodies import PackedInputs, pack
from ptu_optimizer.requests.ids import GroupId
from ptu_optimizer.requests.item import Item
from ptu_optimizer.telemetry import logger

from .call_body import CallLimits, parse_call
from .first_events import FirstEvents
from .group_record import FirstCall, GroupPromises, check_idempotency_key
from .validation import ItemRules

_log = logger("intake")


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """What was promised; `sent` of the events are on their hub already."""

    request_ids: list[str]
    sent: int

    @property
    def detail(self) -> str:
        if self.sent == len(self.request_ids):
            return f"{self.sent} event(s) sent successfully"
        return (
            f"{self.sent} of {len(self.request_ids)} event(s) sent; all are stored and the sweep "
            "sends the rest"
        )


class Intake:
    def __init__(
        self,
        *,
        promises: GroupPromises,
        first_events: FirstEvents,
        rules: ItemRules,
        limits: CallLimits,
        clock: Clock,
    ) -> None:
        self._promises = promises
        self._first_events = first_events
        self._rules = rules
        self._limits = limits
        self._clock = clock

    @property
    def body_limit(self) -> BodyLimit:
        return self._limits.body

    async def accept(
        self, raw: bytes, *, tenant: str = "", idempotency_key: str | None = None
    ) -> Accepted:
        """Take a call's requests in, all or none. Raises AppError."""
        now = self._clock.now()
        items = self._parse(raw, now=now)
        check_idempotency_key(idempotency_key)
        try:
            # before anything is promised: a hub that is away is a 503, not a queue of promises
            await self._first_events.ready(items)
            drawn = await self._promises.draw(
                raw, items, tenant=tenant, key=idempotency_key, now=now
            )
            if drawn.is_stored:
                return _answer(drawn.group, sent=drawn.group.count)
            if drawn.first_call is not None:
                items = self._parse_again(raw, drawn.first_call)
            packed = pack(items)
            stored = await self._promises.store(drawn.group, packed)
        except DependencyUnavailable as error:
            _log.warning("intake refused", extra={"reason": str(error)})
            raise dependency_unavailable(error, "; nothing was accepted") from None
        if not stored:
            # another call with the same key was faster: its events are on their way
            return _answer(drawn.group, sent=drawn.group.count)
        return _answer(drawn.group, sent=await self._publish(drawn.group, packed))

    def _parse(self, raw: bytes, *, now: float) -> list[Item]:
        return parse_call(raw, now=now, rules=self._rules, limits=self._limits)

    def _parse_again(self, raw: bytes, first: FirstCall) -> list[Item]:
        """As the first call read it, to the byte: its events may already point into the blob that
        is written once more."""
        return [
            replace(item, deadline=min(item.deadline, first.latest_deadline))
            for item in self._parse(raw, now=first.read_at)
        ]

    async def _publish(self, group: GroupId, packed: PackedInputs) -> int:
        sent = 0
        async for published in self._first_events.publish(group, packed.stored()):
            sent += published.sent
        return sent


def _answer(group: GroupId, *, sent: int) -> Accepted:
    return Accepted(
        request_ids=[group.request_id(index) for index in range(group.count)], sent=sent
    )
