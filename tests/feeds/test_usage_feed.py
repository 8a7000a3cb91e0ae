"""Batches of usage events become records, each once; what is old is passed by quickly."""

import json
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from ptu_optimizer.capacity.signals.usage_events import UsageEvents
from ptu_optimizer.capacity.work import Model
from ptu_optimizer.feeds.usage_feed import (
    LOG_SECONDS,
    RELEVANT_SECONDS,
    USAGE_TTL_SECONDS,
    UsageFeed,
)
from ptu_optimizer.ports.hubs import USAGE, DeliveredEvent, Delivery

NOW = 1_800_000_000.0
MODEL = Model(input_tpm_per_ptu=3_000, output_ratio=4)

Record = dict[str, Any]


class Clock:
    """Stands where a test puts it."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


class Process:
    """A worker process, and what it writes of the batches that it is handed."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        models = {"ptu": MODEL, "other": MODEL}
        self._feed = UsageFeed(events=UsageEvents(models), clock=self.clock)

    def deliver(
        self,
        numbers: Sequence[int],
        *,
        partition: str = "0",
        enqueued_at: float | None = None,
        body: bytes | None = None,
        deployment: str = "ptu",
    ) -> list[Record]:
        """A batch of starts; the start with sequence number n has n + 1 prompt tokens."""
        at = self.clock.now()
        events = [
            DeliveredEvent(
                raw=start(number, at=at, deployment=deployment) if body is None else body,
                sequence_number=number,
                enqueued_at=at if enqueued_at is None else enqueued_at,
            )
            for number in numbers
        ]
        return self._feed.take(Delivery(hub=USAGE, partition=partition, events=events))


def start(number: int, *, at: float, deployment: str = "ptu") -> bytes:
    fields = {"kind": "started", "deployment": deployment, "at": at, "max_tokens": 0}
    return json.dumps({**fields, "prompt_tokens": number + 1}).encode()


def work(records: list[Record]) -> dict[str, list[float]]:
    """What was reserved in each window, by record."""
    return {record["id"]: [window[1] for window in record["windows"]] for record in records}


def test_a_batch_is_one_record_named_by_its_partition_and_first_event() -> None:
    (record,) = Process().deliver([10, 11, 12], partition="3")
    assert record == {
        "id": "usage:3:10",
        "deployment": "ptu",
        "type": "usage",
        "source": "usage:3",
        "ours": False,
        "windows": [[NOW, 11 + 12 + 13, 0, 0, 3, 0]],
        "ttl": USAGE_TTL_SECONDS,
    }


def test_the_next_batch_is_another_record() -> None:
    process = Process()
    process.deliver([10, 11])
    assert work(process.deliver([12])) == {"usage:0:12": [13]}


def test_a_batch_that_comes_again_gives_the_same_record_in_any_process() -> None:
    process, successor = Process(), Process()
    first = process.deliver([10, 11])
    assert process.deliver([10, 11]) == first
    assert process.deliver([10, 11]) == first
    assert successor.deliver([10, 11]) == first


def test_of_a_batch_that_is_cut_differently_only_what_is_new_is_added() -> None:
    process = Process()
    first = process.deliver([10, 11])
    again = process.deliver([10, 11, 12])
    assert work(again) == {"usage:0:10": [11 + 12], "usage:0:12": [13]}
    assert again[:1] == first, "it may not have been written"
    assert process.deliver([11, 12]) == again
    assert work(process.deliver([12, 13])) == {**work(again), "usage:0:13": [14]}
    assert work(process.deliver([14])) == {"usage:0:14": [15]}


def test_each_partition_counts_for_itself() -> None:
    process = Process()
    process.deliver([10, 11], partition="0")
    assert work(process.deliver([3], partition="1")) == {"usage:1:3": [4]}


def test_a_hub_that_was_made_anew_is_heard_again_after_some_minutes() -> None:
    process = Process()
    process.deliver([1_000])
    assert work(process.deliver([0])) == {"usage:0:1000": [1_001]}
    process.clock.at += RELEVANT_SECONDS
    assert work(process.deliver([1])) == {"usage:0:1000": [1_001]}
    process.clock.at += 0.1
    assert work(process.deliver([2])) == {"usage:0:2": [3]}


@pytest.mark.parametrize(
    ("age", "taken"),
    [
        pytest.param(0.0, True, id="fresh"),
        pytest.param(RELEVANT_SECONDS, True, id="just young enough"),
        pytest.param(RELEVANT_SECONDS + 0.1, False, id="just too old"),
        pytest.param(7 * 86_400.0, False, id="a week"),
        pytest.param(NOW, True, id="the hub's time is not known"),
    ],
)
def test_what_the_hub_took_long_ago_is_not_even_looked_at(age: float, taken: bool) -> None:
    records = Process().deliver([10], enqueued_at=NOW - age)
    assert bool(records) is taken


def test_an_empty_batch_is_nothing() -> None:
    assert Process().deliver([]) == []


def test_junk_makes_no_record_and_its_neighbours_go_on() -> None:
    process = Process()
    assert process.deliver([10, 11], body=b"junk") == []
    assert work(process.deliver([12])) == {"usage:0:12": [13]}


def test_what_was_dropped_and_why_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    process = Process()
    with caplog.at_level(logging.INFO):
        process.deliver([1], body=b"junk")
        process.deliver([2, 3], body=b"junk")
        process.deliver([4, 5])
        process.deliver([6], deployment="unheard-of")
        process.clock.at += LOG_SECONDS
        process.deliver([7], enqueued_at=1.0)
    assert caplog.messages == [
        "usage events dropped: reasons={'JSON': 1}",
        "usage events taken: taken=2 ends=0 estimated=0",
        "usage events dropped: reasons={'JSON': 2, 'unknown deployment': 1, 'too old': 1}",
    ]


def test_how_much_is_estimated_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    end = {
        "kind": "finished",
        "deployment": "ptu",
        "at": NOW,
        "prompt_tokens": 10,
        "completion_tokens": 3,
    }
    body = json.dumps([end | {"estimated": True}, end, end]).encode()
    with caplog.at_level(logging.INFO):
        Process().deliver([1], body=body)
    assert caplog.messages == ["usage events taken: taken=3 ends=3 estimated=1"]
