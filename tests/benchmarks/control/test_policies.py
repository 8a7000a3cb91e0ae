"""What the others do: each policy's decisions at the moments that matter."""

from itertools import count

import pytest

from benchmarks.control.baseline import baseline
from benchmarks.control.plant import Behaviour, Plant
from benchmarks.control.policies import POLICIES, Policy, Surroundings
from benchmarks.control.scenarios import Scenario
from local.virtual_time import EPOCH, in_virtual_time
from ptu_optimizer.capacity.control.verdict import Admit, Wait
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind

PRIORITY = "normal"
MOST = 16
RATE = 100.0
"""R: 2 PTU of 3,000 tokens a minute each."""


@pytest.fixture
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Surroundings:
    """W = 10, so 100 % is 1,000 of work; 900 come at 5 s."""
    file = tmp_path_factory.mktemp("trace") / "burst.csv"
    file.write_text("seconds,ContextTokens,GeneratedTokens\n0,0,0\n5,900,0\n5.001,1,0\n30,1,0\n")
    scenario = Scenario(name="burst", files=(file,), ptus=2)
    plant = Plant(
        scenario.deployment(bucket_seconds=10),
        scenario.calls(),
        behaviour=Behaviour(),
        gateway=None,
        seed=1,
    )
    return Surroundings(
        work_per_second=RATE,
        max_concurrent_calls=MOST,
        plant=plant,
        alone=baseline(scenario, bucket_seconds=10),
    )


def make(name: str, surroundings: Surroundings) -> Policy:
    return POLICIES[name].make(surroundings)


def admitted(policy: Policy, *, now: float = EPOCH, work: float = 10.0) -> int:
    """How many it sends at this moment, up to a hundred."""
    for sent in count():
        if sent == 100 or isinstance(policy.ask(now=now, work=work, priority=PRIORITY), Wait):
            return sent
        policy.sent(now=now, work=work)
    raise AssertionError


def throttled(at: float, *, retry_after: float = 1.0) -> Reading:
    return Reading(
        deployment="ptu",
        kind=ReadingKind.THROTTLED,
        value=1.0,
        source="test",
        observed_at=at,
        until=at + retry_after,
    )


def minute(utilization: float | None, *, ends_at: float = EPOCH) -> Minute:
    return Minute(deployment="ptu", ends_at=ends_at, utilization=utilization)


def test_no_control_stops_at_the_hard_maximum_only(surroundings: Surroundings) -> None:
    policy = make("none", surroundings)
    assert admitted(policy) == MOST
    policy.ended(now=EPOCH, reserved=10.0, used=None)
    assert admitted(policy) == 1


@pytest.mark.parametrize(
    ("name", "utilization", "at_once"),
    [
        pytest.param("threshold", 0.699, MOST, id="just below the threshold"),
        pytest.param("threshold", 0.7, 0, id="at the threshold"),
        pytest.param("linear", 0.1, 10, id="below the slow-down"),
        pytest.param("linear", 0.2, 10, id="where it begins"),
        pytest.param("linear", 0.55, 5, id="half-way"),
        pytest.param("linear", 0.899, 1, id="just below its end"),
        pytest.param("linear", 0.9, 0, id="at its end"),
    ],
)
def test_on_the_metric(
    surroundings: Surroundings, name: str, utilization: float, at_once: int
) -> None:
    policy = make(name, surroundings)
    policy.minute(minute(utilization))
    assert admitted(policy) == at_once


@pytest.mark.parametrize("name", ["threshold", "linear"])
def test_without_a_metric_nothing_is_sent_on_it(surroundings: Surroundings, name: str) -> None:
    policy = make(name, surroundings)
    assert admitted(policy) == 0
    policy.minute(minute(None))
    assert admitted(policy) == 0
    policy.minute(minute(0.1, ends_at=EPOCH + 60))
    policy.minute(minute(0.95))
    assert admitted(policy, now=EPOCH + 100) > 0, "an older minute came late"
    assert admitted(policy, now=EPOCH + 60 + 301) == 0, "it is too old"


def test_aimd_adds_one_for_a_round_that_went_well_and_halves_on_a_429(
    surroundings: Surroundings,
) -> None:
    policy = make("aimd", surroundings)
    most_at_once = []
    for _ in range(4):
        sent = admitted(policy)
        most_at_once.append(sent)
        for _ in range(sent):
            policy.ended(now=EPOCH, reserved=10.0, used=10.0)
    assert most_at_once == [1, 2, 2, 3]
    policy.observe(throttled(EPOCH), now=EPOCH)
    policy.observe(throttled(EPOCH), now=EPOCH)
    assert admitted(policy) == 0, "it heeds retry-after"
    assert admitted(policy, now=EPOCH + 1) == 2, "refusals of one round halve once"


def test_the_fixed_rate_is_half_of_what_drains(surroundings: Surroundings) -> None:
    policy = make("fixed", surroundings)
    sent = 0
    for hundredth in range(10_000):
        now = EPOCH + hundredth / 100
        found = admitted(policy, now=now, work=50.0)
        for _ in range(found):
            policy.ended(now=now, reserved=50.0, used=25.0)
        sent += found
    assert sent * 25 == pytest.approx(100 * RATE / 2, rel=0.05)


def test_the_fixed_rate_pauses_for_15_seconds_after_a_429(surroundings: Surroundings) -> None:
    policy = make("fixed", surroundings)
    policy.observe(throttled(EPOCH), now=EPOCH)
    refused = policy.ask(now=EPOCH + 14.9, work=1.0, priority=PRIORITY)
    assert isinstance(refused, Wait)
    assert refused.retry_at == EPOCH + 15
    assert isinstance(policy.ask(now=EPOCH + 15, work=1.0, priority=PRIORITY), Admit)


@in_virtual_time
async def test_the_clairvoyant_leaves_just_the_room_that_the_calls_to_come_need(
    surroundings: Surroundings,
) -> None:
    policy = make("clairvoyant", surroundings)
    # at 5 s the bucket must hold less than 100 (900 come, and another call): 500 drain until then
    assert isinstance(policy.ask(now=EPOCH, work=601.0, priority=PRIORITY), Wait)
    assert isinstance(policy.ask(now=EPOCH, work=599.0, priority=PRIORITY), Admit)
    policy.sent(now=EPOCH, work=599.0)
    assert isinstance(policy.ask(now=EPOCH, work=2.0, priority=PRIORITY), Wait), (
        "what is on the way counts"
    )
