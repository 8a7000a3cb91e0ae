"""What a call tells of its deployment: a level, a 429, a 429 in disguise, and what it cost."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.admission.call import SPILLED_PAUSE_SECONDS, GatedCalls
from ptu_optimizer.admission.gate import CallAsk, Gate
from ptu_optimizer.admission.gated_deployment import GatedDeployment
from ptu_optimizer.admission.permits import Permit
from ptu_optimizer.admission.wait_limits import WaitLimits
from ptu_optimizer.backends.call_record import CallRecord
from ptu_optimizer.capacity.control.pay_as_you_go import PayAsYouGo
from ptu_optimizer.capacity.control.verdict import Admit, Verdict
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.capacity.signals.signal import Signal
from ptu_optimizer.capacity.work import TOKENS, Model
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.model_calls import (
    CallResult,
    Rejected,
    Success,
    Throttled,
    TokenUsage,
    Transient,
)

AT = EPOCH + 7.0
MODEL = Model(input_tpm_per_ptu=2_500, output_ratio=4)
USAGE = TokenUsage(prompt_tokens=100, cached_tokens=20, completion_tokens=10)


class Open(PayAsYouGo):
    """Lets everything pass, and keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(tokens_per_minute=1, requests_per_minute=None, max_concurrent_calls=1)
        self.told: list[Reading] = []
        self.ends: list[float | None] = []

    def ask(self, *, now: float, work: float, priority: str) -> Verdict:
        return Admit("open")

    def observe(self, signal: Signal, *, now: float) -> None:
        assert isinstance(signal, Reading)
        self.told.append(signal)

    def ended(self, *, now: float, reserved: float, used: float | None) -> None:
        self.ends.append(used)


class Service:
    """A model service with one answer."""

    def __init__(self, result: CallResult) -> None:
        self._result = result

    async def complete(
        self, *, deployment: str, body: JsonObject, call_id: str, timeout_seconds: float
    ) -> CallResult:
        return self._result


async def told(
    result: CallResult, *, tokens_per_minute: int | None = None
) -> tuple[list[Reading], float | None]:
    """The readings that a call's answer makes, and the work that it is taken to have cost."""
    controller = Open()
    gate = Gate(deployment="ptu", controller=controller, clock=VirtualClock())
    permit = await gate.enter(CallAsk(work=500, limits=WaitLimits(hold_seconds=1, until=1e9)))
    assert isinstance(permit, Permit)
    payg = tokens_per_minute is not None
    target = GatedDeployment(
        gate=gate, model=TOKENS if payg else MODEL, tokens_per_minute=tokens_per_minute
    )
    clock = VirtualClock()
    await clock.sleep(AT - clock.now())
    calls = GatedCalls(caller=Service(result), listeners=(), clock=clock, worker="me")
    call = calls.of(target, permit)
    assert await call({}, call_id="one", timeout_seconds=5) is result
    (used,) = controller.ends
    return controller.told, used


def success(**told: object) -> Success:
    return Success(status=200, response={}, usage=USAGE, **told)  # type: ignore[arg-type]


@pytest.fixture
def warnings() -> Iterator[list[logging.LogRecord]]:
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logger, handler = logging.getLogger("ptu_optimizer"), Keep()
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


@in_virtual_time
async def test_an_answer_tells_its_level_and_what_it_cost() -> None:
    (reading,), used = await told(success(utilization=0.4))
    assert (reading.kind, reading.value, reading.observed_at) == (ReadingKind.LEVEL, 0.4, AT)
    assert (reading.deployment, reading.source) == ("ptu", "me")
    assert reading.span == 7, "the service may have taken it at any time during the call"
    assert used == 80 + 4 * 10


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(success(), id="no header"),
        pytest.param(Transient(why="no answer"), id="no answer"),
        pytest.param(Rejected(status=400, error={}), id="refused"),
        pytest.param(success(utilization=float("nan")), id="a header that is no number"),
        pytest.param(success(tokens_left=5), id="tokens left, of which a PTU knows nothing"),
    ],
)
@in_virtual_time
async def test_what_says_nothing_of_the_level_is_no_reading(result: CallResult) -> None:
    readings, _ = await told(result)
    assert readings == []


@in_virtual_time
async def test_a_429_closes_until_it_says() -> None:
    (reading,), used = await told(Throttled(status=429, retry_after_seconds=3, utilization=1.01))
    assert (reading.kind, reading.until) == (ReadingKind.THROTTLED, AT + 3)
    assert used == 0


@pytest.mark.parametrize(
    ("result", "used"),
    [
        pytest.param(Rejected(status=400, error={}), 0.0, id="refused: none"),
        pytest.param(Transient(why="no answer"), None, id="no answer: nobody knows"),
        pytest.param(Transient(why="", status=504), None, id="a gateway gave up: nobody knows"),
        pytest.param(Transient(why="", status=408), None, id="a server gave up: nobody knows"),
        pytest.param(Transient(why="", status=500), 0.0, id="an error: it is over"),
        pytest.param(Transient(why="", status=503), 0.0, id="a server that is away: it is over"),
        pytest.param(Success(response={}, usage=None), None, id="no usage: nobody knows"),
    ],
)
@in_virtual_time
async def test_what_a_call_cost_that_has_no_usage(result: CallResult, used: float | None) -> None:
    assert (await told(result))[1] == used


@in_virtual_time
async def test_a_call_that_azure_spilled_over_is_a_429_in_disguise(
    warnings: list[logging.LogRecord],
) -> None:
    """Its answer counts, but for the PTU it was no work, and its level is another deployment's."""
    (reading,), used = await told(
        success(spilled_from="ptu", served_by="payg", utilization=0.2, tokens_left=3)
    )
    assert (reading.kind, reading.until) == (ReadingKind.THROTTLED, AT + SPILLED_PAUSE_SECONDS)
    assert used == 0
    (warning,) = warnings
    assert "spilloverDeploymentName" in warning.getMessage()


@pytest.mark.parametrize(
    ("left", "level"),
    [(60_000, 0.0), (45_000, 0.25), (0, 1.0), (90_000, 0.0)],
    ids=["all", "most", "none", "more than we may use"],
)
@in_virtual_time
async def test_pay_as_you_go_tells_what_is_left_of_its_minute(left: int, level: float) -> None:
    (reading,), used = await told(
        success(tokens_left=left, utilization=0.9), tokens_per_minute=60_000
    )
    assert (reading.kind, reading.value) == (ReadingKind.LEVEL, level)
    assert used == 90


class Listener:
    """Keeps what it hears, and how many permits were open when it heard it."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.heard: list[tuple[CallRecord, int]] = []

    def ended(self, call: CallRecord) -> None:
        self.heard.append((call, self._gate.in_flight))


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(success(), id="success"),
        pytest.param(Throttled(status=429, retry_after_seconds=3), id="refused"),
        pytest.param(Transient(why="no answer"), id="no answer"),
    ],
)
@in_virtual_time
async def test_every_end_of_a_call_is_heard_once_by_all_after_its_gate(result: CallResult) -> None:
    gate = Gate(deployment="ptu", controller=Open(), clock=VirtualClock())
    permit = await gate.enter(CallAsk(work=500, limits=WaitLimits(hold_seconds=1, until=1e9)))
    assert isinstance(permit, Permit)
    listeners = [Listener(gate), Listener(gate)]
    clock = VirtualClock()
    await clock.sleep(AT - clock.now())
    calls = GatedCalls(caller=Service(result), listeners=listeners, clock=clock, worker="me")
    body = {"messages": ["any"]}
    await calls.of(GatedDeployment(gate=gate, model=MODEL), permit)(
        body, call_id="one", timeout_seconds=5
    )
    record = CallRecord(backend="ptu", body=body, result=result, ended_at=AT)
    assert [listener.heard for listener in listeners] == [[(record, 0)], [(record, 0)]]
