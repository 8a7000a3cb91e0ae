"""Prompt tokens, estimated offline and corrected by what the service reports."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.backends.call_record import CallRecord
from ptu_optimizer.backends.tokens import (
    EXACT_UP_TO_CHARS,
    TOKENS_PER_MESSAGE,
    TokenEstimator,
    work_of_length,
)
from ptu_optimizer.capacity.work import DEFAULT_MAX_TOKENS, Model
from ptu_optimizer.ports.model_calls import (
    CallResult,
    Success,
    Throttled,
    TokenUsage,
    Transient,
)

MODEL = Model(input_tpm_per_ptu=3_000, output_ratio=4)


def user(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **fields}


def estimate(*messages: dict[str, Any]) -> float:
    return TokenEstimator().prompt_tokens({"messages": list(messages)}, deployment="ptu")


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        pytest.param("", 0, id="empty"),
        pytest.param("hello world", 2, id="two words"),
        pytest.param("Why is the sky blue?", 6, id="a question"),
        pytest.param("<|endoftext|>", 7, id="a special token is only text"),
        pytest.param([{"type": "text", "text": "hello world"}], 2, id="a text part"),
        pytest.param(
            [{"type": "text", "text": "hello"}, {"type": "text", "text": " world"}],
            2,
            id="two text parts",
        ),
        pytest.param([{"type": "image_url", "image_url": {"url": "https://x"}}], 0, id="an image"),
        pytest.param([{"type": "text", "text": None}, 5, None], 0, id="odd parts"),
        pytest.param([], 0, id="no part"),
        pytest.param(None, 0, id="null beside tool calls"),
        pytest.param(5, 0, id="a number"),
    ],
)
def test_tokens_of_a_message(content: Any, tokens: int) -> None:
    assert estimate(user(content)) == TOKENS_PER_MESSAGE + tokens


def test_a_message_without_content_counts_its_overhead() -> None:
    assert estimate({"role": "assistant", "tool_calls": [{"id": "c"}]}) == TOKENS_PER_MESSAGE


def test_messages_add_up() -> None:
    assert estimate(user("hello world"), user("hello world")) == 2 * (TOKENS_PER_MESSAGE + 2)


def test_a_very_long_text_is_estimated_by_its_length() -> None:
    text = "word " * EXACT_UP_TO_CHARS
    assert estimate(user(text)) == TOKENS_PER_MESSAGE + len(text) / 4


@given(st.text())
def test_any_text_has_an_estimate(text: str) -> None:
    assert TOKENS_PER_MESSAGE <= estimate(user(text)) <= TOKENS_PER_MESSAGE + 4 * len(text)


# --- what the deployment will reserve -------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "output_tokens"),
    [
        pytest.param({}, DEFAULT_MAX_TOKENS, id="no maximum"),
        pytest.param({"max_tokens": None}, DEFAULT_MAX_TOKENS, id="null"),
        pytest.param({"max_tokens": 50}, 50, id="max_tokens"),
        pytest.param({"max_completion_tokens": 60}, 60, id="max_completion_tokens"),
        pytest.param({"max_tokens": 50, "max_completion_tokens": 60}, 60, id="the newer one wins"),
        pytest.param({"max_tokens": 50, "n": 3}, 150, id="three choices"),
        pytest.param({"max_tokens": 50, "n": None}, 50, id="n null"),
        pytest.param({"max_tokens": 50, "n": "3"}, 50, id="n that the service will refuse"),
        pytest.param({"max_tokens": 50, "n": 0}, 50, id="n zero"),
    ],
)
def test_reserved_work(fields: dict[str, Any], output_tokens: int) -> None:
    body = {"messages": [user("hello world")], **fields}
    work = TokenEstimator().reserved_work(body, deployment="ptu", model=MODEL)
    assert work == TOKENS_PER_MESSAGE + 2 + 4 * output_tokens


def test_a_body_that_is_not_at_hand_is_estimated_by_its_length() -> None:
    assert work_of_length(4_000, model=MODEL) == 1_000 + 4 * DEFAULT_MAX_TOKENS
    assert work_of_length(0, model=MODEL) == 4 * DEFAULT_MAX_TOKENS


# --- learning -----------------------------------------------------------------------------------

BODY = {"messages": [user("hello world")]}
RAW = TOKENS_PER_MESSAGE + 2


def ended(result: CallResult) -> CallRecord:
    return CallRecord(backend="ptu", body=BODY, result=result, ended_at=0.0)


def learned(estimator: TokenEstimator, *, times: int, prompt_tokens: int) -> float:
    for _ in range(times):
        usage = TokenUsage(prompt_tokens=prompt_tokens, completion_tokens=1)
        estimator.ended(ended(Success(status=200, response={}, usage=usage)))
    return estimator.prompt_tokens(BODY, deployment="ptu")


def test_it_learns_what_the_service_counts() -> None:
    assert learned(TokenEstimator(), times=200, prompt_tokens=3 * RAW) == pytest.approx(
        3 * RAW, rel=1e-3
    )


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(Success(status=200, response={}, usage=None), id="an answer without counts"),
        pytest.param(Throttled(status=429, retry_after_seconds=1), id="refused"),
        pytest.param(Transient(why="no answer"), id="no answer"),
    ],
)
def test_a_call_without_counts_teaches_nothing(result: CallResult) -> None:
    estimator = TokenEstimator()
    estimator.ended(ended(result))
    assert estimator.prompt_tokens(BODY, deployment="ptu") == RAW


def test_one_odd_call_moves_it_little() -> None:
    assert learned(TokenEstimator(), times=1, prompt_tokens=10**9) < 1.4 * RAW


@pytest.mark.parametrize(
    ("prompt_tokens", "factor"),
    [pytest.param(10**9, 8, id="far too many"), pytest.param(0, 0.125, id="none at all")],
)
def test_the_correction_stays_within_reason(prompt_tokens: int, factor: float) -> None:
    tokens = learned(TokenEstimator(), times=500, prompt_tokens=prompt_tokens)
    assert tokens == pytest.approx(factor * RAW, rel=1e-3)


def test_deployments_are_learned_apart() -> None:
    estimator = TokenEstimator()
    learned(estimator, times=100, prompt_tokens=3 * RAW)
    assert estimator.prompt_tokens(BODY, deployment="another") == RAW
