"""Usage events of an interactive gateway: read, checked, and summed up to windows of work. Pure.

`docs/usage-events.md` says what each field means. A hot path, thousands of events a second: one
costs 6 to 9 µs in all, 2 of them in pydantic, which decodes and validates it in less time than
`json.loads` alone needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, WrapValidator

from ptu_optimizer.capacity.work import DEFAULT_MAX_TOKENS, Model

from .azure_deployment import AzureDeployment
from .started_calls import StartedCall, StartedCalls
from .usage import UsageWindow, UsageWindows, window_start

MAX_AHEAD_SECONDS = 5.0
"""How far an event's time may lie ahead of ours: clocks differ by less."""

MAX_AGE_SECONDS = 300.0
"""What is older says nothing of a bucket that has drained since."""

MAX_TOKENS = 10_000_000
"""Far above any model's context. One event beyond it would look like days of work."""

MAX_ID_CHARS = 256

THROTTLED, FIRST_FAILURE = 429, 400

TOO_OLD = "too old"
UNKNOWN = "unknown deployment"

Tokens = Annotated[float, Field(ge=0, le=MAX_TOKENS)]


class UsageEvent(BaseModel):
    """What a gateway says of one call. Numbers may be strings; unknown fields are ignored."""

    kind: Literal["started", "finished"]
    deployment: str
    """In Azure OpenAI, or the app's name for it."""
    backend: str | None = None
    """The app's name for it, where `deployment` could be several."""
    resource: str | None = None
    """The resource of `deployment`: its id, its account's name or its endpoint."""
    at: Annotated[
        Annotated[float, Field(allow_inf_nan=False)] | datetime,
        Field(union_mode="left_to_right"),
    ]
    """Epoch seconds, or ISO 8601; without a zone it is UTC."""
    id: Annotated[str, Field(max_length=MAX_ID_CHARS)] | int | None = None
    """Of the call: the same in both of its events."""
    prompt_tokens: Tokens | None = None
    cached_tokens: Tokens | None = None
    max_tokens: Tokens | None = None
    """What the call reserves, or has reserved, for its answer."""
    completion_tokens: Tokens | None = None
    estimated: bool | None = None
    """Whether `completion_tokens` is the gateway's guess."""
    status: int | None = None

    @property
    def epoch(self) -> float:
        if isinstance(self.at, float):
            return self.at
        return (self.at if self.at.tzinfo else self.at.replace(tzinfo=UTC)).timestamp()


def decode(body: bytes) -> list[UsageEvent | str]:
    """The events of one message: one, or a JSON array of them. What is none is replaced by the
    name of its first bad field, or `JSON`; its neighbours are not touched."""
    try:
        if body.lstrip()[:1] == b"[":
            return _EVENTS.validate_json(body)
        return [_EVENT.validate_json(body)]
    except ValidationError as error:
        return [_fault(error)]


def _or_fault(value: Any, validate: Any) -> UsageEvent | str:
    try:
        event: UsageEvent = validate(value)
    except ValidationError as error:
        return _fault(error)
    return event


def _fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return str(first["loc"][0]) if first["loc"] else "JSON"


_EVENT = TypeAdapter(UsageEvent)
_EVENTS: TypeAdapter[list[Any]] = TypeAdapter(list[Annotated[UsageEvent, WrapValidator(_or_fault)]])


@dataclass(kw_only=True, slots=True)
class Tally:
    """What became of some events."""

    taken: int = 0
    used: int = 0
    """Of them: ends of calls, with what these have used."""
    estimated: int = 0
    """Of these: with the gateway's guess of it."""
    dropped: Counter[str] = field(default_factory=Counter)
    """By reason: `too old`, `from the future`, `unknown deployment`, `ambiguous deployment`
    (several resources have one of this name, and the event says neither `backend` nor `resource`),
    `unknown backend`, or the name of a field that is missing or makes no sense."""

    def add(self, other: Tally) -> None:
        self.taken += other.taken
        self.used += other.used
        self.estimated += other.estimated
        self.dropped += other.dropped


class _Change(NamedTuple):
    """What one event does to its window."""

    reserved: float = 0.0
    corrected: float = 0.0
    used: float = 0.0
    calls: int = 0
    refused: int = 0

    def plus(self, other: _Change) -> _Change:
        return _Change(
            reserved=self.reserved + other.reserved,
            corrected=self.corrected + other.corrected,
            used=self.used + other.used,
            calls=self.calls + other.calls,
            refused=self.refused + other.refused,
        )


class UsageEvents:
    """Makes windows of events. Remembers the calls that have started, to correct each by just what
    its start has added; an event of a call that it does not remember has to say so itself."""

    def __init__(
        self, models: Mapping[str, Model], *, deployments: Sequence[AzureDeployment] = ()
    ) -> None:
        """`models` by the backends' names, whose case does not matter to Azure either;
        `deployments` says what Azure calls those that it calls otherwise."""
        self._backends = {name.lower(): (name, model) for name, model in models.items()}
        self._in_azure = deployments
        self._by_name: dict[str, set[str]] = {name: {name} for name in self._backends}
        for one in deployments:
            names = self._by_name.setdefault(one.deployment.lower(), set())
            names.add(one.backend.lower())
        self._started = StartedCalls()
        self._starts_know_cache: dict[str, bool] = {}

    def aggregate(
        self, bodies: Iterable[bytes], *, record_id: str, source: str, now: float
    ) -> tuple[list[UsageWindows], Tally]:
        """The windows of one delivered batch, for each deployment that it speaks of."""
        tally = Tally()
        windows: dict[str, dict[float, _Change]] = {}
        for body in bodies:
            for event in decode(body):
                found = event if isinstance(event, str) else self._take(event, tally, now=now)
                if isinstance(found, str):
                    tally.dropped[found] += 1
                    continue
                deployment, start, change = found
                of_deployment = windows.setdefault(deployment, {})
                of_deployment[start] = of_deployment.get(start, _Change()).plus(change)
                tally.taken += 1
        return [
            UsageWindows(
                deployment=deployment,
                record_id=record_id,
                source=source,
                ours=False,
                windows=tuple(
                    UsageWindow(start=start, **change._asdict())
                    for start, change in sorted(found.items())
                ),
            )
            for deployment, found in windows.items()
        ], tally

    def _take(
        self, event: UsageEvent, tally: Tally, *, now: float
    ) -> tuple[str, float, _Change] | str:
        """Deployment, window and change; or why the event is dropped."""
        known = self._backend_of(event)
        if isinstance(known, str):
            return known
        at = event.epoch
        if at > now + MAX_AHEAD_SECONDS:
            return "from the future"
        if at < now - MAX_AGE_SECONDS:
            return TOO_OLD
        name, model = known
        if event.kind == "started":
            change = self._start(event, name, model, now=now)
        else:
            change = self._finish(event, name, model, tally)
        return change if isinstance(change, str) else (name, window_start(at), change)

    def _backend_of(self, event: UsageEvent) -> tuple[str, Model] | str:
        """Its name and model; or why it is not clear which one is meant."""
        if event.backend is not None:
            return self._backends.get(event.backend.lower(), "unknown backend")
        if event.resource is not None:
            meant = [
                one.backend.lower()
                for one in self._in_azure
                if one.is_named(event.deployment) and one.is_in(event.resource)
            ]
            return self._backends.get(meant[0], UNKNOWN) if len(meant) == 1 else UNKNOWN
        names = self._by_name.get(event.deployment.lower(), ())
        if len(names) > 1:
            return "ambiguous deployment"
        return next((self._backends[name] for name in names if name in self._backends), UNKNOWN)

    def _start(self, event: UsageEvent, name: str, model: Model, *, now: float) -> _Change | str:
        refused = event.status == THROTTLED
        if refused:
            change = _Change(refused=1)
        elif event.prompt_tokens is None:
            return "prompt_tokens"
        else:
            self._starts_know_cache[name] = event.cached_tokens is not None
            change = _Change(reserved=self._reservation(event, name, model), calls=1)
        if event.id is not None:
            started = StartedCall(since=now, reserved=change.reserved, refused=refused)
            self._started.remember((name, event.id), started)
        return change

    def _finish(self, event: UsageEvent, name: str, model: Model, tally: Tally) -> _Change | str:
        status = event.status or 0
        if status < FIRST_FAILURE:
            if event.prompt_tokens is None:
                return "prompt_tokens"
            if event.completion_tokens is None:
                return "completion_tokens"
        started = None if event.id is None else self._started.forget((name, event.id))
        if started is not None:
            reserved = started.reserved
        elif status == THROTTLED and (event.max_tokens is None or event.prompt_tokens is None):
            reserved = 0.0  # taking back what nobody reserved would fill a full deployment further
        elif event.prompt_tokens is None:
            return "prompt_tokens"
        else:
            reserved = self._reservation(event, name, model)
        if status == THROTTLED:
            counted_before = started is not None and started.refused
            return _Change(corrected=-reserved, refused=0 if counted_before else 1)
        if status >= FIRST_FAILURE:
            return _Change(corrected=-reserved)
        used = model.work(
            prompt_tokens=event.prompt_tokens or 0,
            cached_tokens=event.cached_tokens or 0,
            output_tokens=event.completion_tokens or 0,
        )
        tally.used += 1
        tally.estimated += bool(event.estimated)
        return _Change(corrected=used - reserved, used=used)

    def _reservation(self, event: UsageEvent, name: str, model: Model) -> float:
        """What the call's start adds, or has added as far as its end can tell.

        Nobody but the service knows before the call what it has cached, so most starts do not say;
        then the end, which does, must not count as if its start had.
        """
        known = self._starts_know_cache.get(name, True)
        return model.work(
            prompt_tokens=event.prompt_tokens or 0,
            cached_tokens=(event.cached_tokens or 0) if known else 0,
            output_tokens=DEFAULT_MAX_TOKENS if event.max_tokens is None else event.max_tokens,
        )
