"""What has started is remembered until it ends, for some minutes, within a bound."""

from ptu_optimizer.capacity.signals.started_calls import MEMORY_SECONDS, StartedCall, StartedCalls

NOW = 1_800_000_000.0


def call(since: float = NOW, reserved: float = 1.0) -> StartedCall:
    return StartedCall(since=since, reserved=reserved)


def test_a_call_is_remembered_until_it_ends() -> None:
    calls = StartedCalls()
    calls.remember(("ptu", "a"), call(reserved=7))
    assert calls.forget(("ptu", "a")) == call(reserved=7)
    assert calls.forget(("ptu", "a")) is None


def test_a_call_that_starts_again_under_its_id_is_another_one() -> None:
    calls = StartedCalls(max_calls=2)
    calls.remember(("ptu", "a"), call(reserved=1))
    calls.remember(("ptu", "b"), call())
    calls.remember(("ptu", "a"), call(reserved=2))
    calls.remember(("ptu", "c"), call())
    assert calls.forget(("ptu", "b")) is None, "now the oldest"
    assert calls.forget(("ptu", "a")) == call(reserved=2)


def test_no_more_than_so_many_are_remembered_and_the_oldest_are_forgotten() -> None:
    calls = StartedCalls(max_calls=3)
    for number in range(5):
        calls.remember(("ptu", number), call())
    assert len(calls) == 3
    assert [calls.forget(("ptu", number)) is None for number in range(5)] == [True] * 2 + [
        False
    ] * 3


def test_calls_that_never_end_are_forgotten_after_some_minutes() -> None:
    calls = StartedCalls()
    calls.remember(("ptu", "old"), call())
    calls.remember(("ptu", "young"), call(NOW + 1))
    calls.remember(("ptu", "just"), call(NOW + MEMORY_SECONDS))
    assert len(calls) == 3
    calls.remember(("ptu", "now"), call(NOW + MEMORY_SECONDS + 0.1))
    assert calls.forget(("ptu", "old")) is None
    assert len(calls) == 3
