"""The plant's accounting, against traces made by hand and against the figures that are published
with the real ones."""

import pytest

from benchmarks.control.baseline import baseline
from benchmarks.control.interactive import Interactive, Resize
from benchmarks.control.scenarios import SCENARIOS
from local.ptu.calls import Traffic
from local.ptu.latency import LatencyModel
from local.ptu.ptu_deployment import PtuDeployment
from local.traffic.trace import Call

RATE, SECONDS = 100.0, 10.0
"""R and W: 1,000 of work is 100 %."""


def deployment() -> PtuDeployment:
    return PtuDeployment(
        ptus=1,
        input_tpm_per_ptu=RATE * 60,
        output_ratio=4,
        window_seconds=SECONDS,
        latency=LatencyModel(load_slope=0),
    )


def test_a_call_adds_its_work_at_its_arrival_and_nothing_at_its_end() -> None:
    plant = deployment()
    interactive = Interactive([Call(0.0, 200, 50)], plant)
    interactive.play(0.0)
    assert plant.bucket.work == 400
    interactive.play(100.0)
    plant.advance(100.0)
    assert plant.counters.interactive.served == 1
    assert interactive.accepted_work == 400
    assert plant.bucket.drained == 400


def test_a_call_is_refused_at_100_percent_and_adds_nothing() -> None:
    plant = deployment()
    calls = [Call(0.0, 1_000, 0), Call(0.0, 1, 0), Call(0.5, 1, 0)]
    interactive = Interactive(calls, plant)
    interactive.play(1.0)
    assert interactive.refused_at == [0.0]
    assert interactive.accepted == [0, 2]
    assert interactive.accepted_work == 1_001


def test_nothing_is_played_beyond_now() -> None:
    plant = deployment()
    interactive = Interactive([Call(0.0, 10, 0), Call(5.0, 10, 0)], plant)
    interactive.play(4.999)
    assert interactive.accepted == [0]
    assert plant.bucket.at <= 4.999
    interactive.play(5.0)
    assert interactive.accepted == [0, 1]


def test_how_often_somebody_looks_changes_nothing() -> None:
    calls = [Call(second / 7, 150 + second, second % 9) for second in range(400)]
    once, often = deployment(), deployment()
    Interactive(calls, once).play(60.0)
    looking = Interactive(calls, often)
    for tenth in range(601):
        looking.play(tenth / 10)
        often.advance(tenth / 10)
    once.advance(60.0)
    assert often.bucket.work == pytest.approx(once.bucket.work)
    assert often.counters.interactive == once.counters.interactive


def test_batch_work_takes_the_room_of_interactive_calls() -> None:
    plant = deployment()
    interactive = Interactive([Call(1.0, 500, 0)], plant)
    plant.arrive(now=0.0, prompt_tokens=1_200, max_tokens=0, traffic=Traffic.BATCH)
    interactive.play(2.0)
    assert interactive.refused == 1


def test_a_deployment_is_scaled_between_the_calls_before_and_after() -> None:
    plant = deployment()
    calls = [Call(0.0, 900, 0), Call(8.0, 1, 0)]
    interactive = Interactive(calls, plant, resizes=[Resize(4.0, 0.5)])
    interactive.play(8.0)
    # 900 - 4 s of 100 - 4 s of 50, and one more
    assert plant.bucket.work == pytest.approx(301)
    assert plant.bucket.full == 500


class Watching:
    def __init__(self) -> None:
        self.seen: list[tuple[str, int, float]] = []

    def started(self, number: int, call: Call, *, at: float) -> None:
        self.seen.append(("started", number, at))

    def finished(self, number: int, call: Call, *, at: float) -> None:
        self.seen.append(("finished", number, at))

    def refused(self, number: int, call: Call, *, at: float) -> None:
        self.seen.append(("refused", number, at))


def test_the_gateway_sees_every_start_end_and_refusal() -> None:
    gateway = Watching()
    calls = [Call(0.0, 1_000, 0), Call(0.0, 1, 0)]
    Interactive(calls, deployment(), gateway=gateway).play(10.0)
    kinds = [(kind, number) for kind, number, _ in gateway.seen]
    assert kinds == [("started", 0), ("refused", 1), ("finished", 0)]
    assert gateway.seen[-1][2] == pytest.approx(0.25 + 0.08)


@pytest.mark.parametrize(
    ("scenario", "bucket_seconds", "calls", "idle", "refused"),
    [
        ("A", 60, 28_185, 0.502, 0),
        ("A", 10, 28_185, 0.507, 291),
        ("B", 60, 19_366, 0.497, 0),
        ("B", 10, 19_366, 0.497, 0),
        ("C", 60, 8_819, 0.700, 0),
        ("C", 10, 8_819, 0.723, 651),
    ],
)
def test_without_batch_the_figures_are_those_of_the_traces_readme(
    scenario: str, bucket_seconds: float, calls: int, idle: float, refused: int
) -> None:
    alone = baseline(SCENARIOS[scenario], bucket_seconds=bucket_seconds)
    assert alone.calls == calls
    assert round(1 - alone.accepted_work / alone.capacity, 3) == idle
    assert alone.refused == refused
