"""Answers, prompt tokens, the prompt cache and latency: what a call looks like and costs."""

from __future__ import annotations

from random import Random

import bpe_openai
import pytest

from local.ptu.answers import answer_text, message_seed, seeded_share
from local.ptu.calls import split_client_request_id
from local.ptu.latency import ZERO_LATENCY, LatencyModel
from local.ptu.prompt_cache import PromptCache
from local.ptu.tokens import prompt_tokens

ENCODING = bpe_openai.get_encoding("o200k_base")


@pytest.mark.parametrize("tokens", [1, 2, 50, 1_000])
@pytest.mark.parametrize("seed", [0, 1, 99_999])
def test_an_answer_is_as_many_tokens_long_as_it_says(seed: int, tokens: int) -> None:
    text = answer_text(seed, 0, tokens)
    # The first word has no space before it and may be two tokens for that.
    assert tokens <= len(ENCODING.encode_ordinary(text)) <= tokens + 1


def test_the_pieces_of_a_streamed_answer_make_the_whole_one() -> None:
    pieces = [answer_text(7, first, min(100, first + 9)) for first in range(0, 100, 9)]
    assert "".join(pieces) == answer_text(7, 0, 100)


def test_the_same_messages_have_the_same_answer_whatever_else_is_asked() -> None:
    messages = [{"role": "user", "content": "hello"}]
    one = message_seed({"messages": messages, "max_tokens": 5}, 1)
    assert message_seed({"stream": True, "messages": messages}, 1) == one
    assert message_seed({"messages": messages}, 2) != one
    assert seeded_share(one, 0.2, 0.9) == seeded_share(one, 0.2, 0.9)
    assert 0.2 <= seeded_share(one, 0.2, 0.9) <= 0.9


def test_prompt_tokens_are_the_vocabulary_s_plus_framing() -> None:
    text = "Janet's ducks lay 16 eggs per day."
    words = len(ENCODING.encode_ordinary(text))
    message = {"role": "user", "content": text}
    assert prompt_tokens({"messages": [message]}) == words + 1 + 3 + 3
    parts = {"role": "user", "content": [{"type": "text", "text": text}]}
    assert prompt_tokens({"messages": [message, parts]}) == 2 * (words + 1 + 3) + 3
    with_tools = {"messages": [message], "tools": [{"type": "function"}]}
    assert prompt_tokens(with_tools) > words + 7


@pytest.mark.parametrize(
    ("value", "attempt"),
    [
        pytest.param("abc-1:3", ("abc-1", 3), id="an attempt"),
        pytest.param("a:b:12", ("a:b", 12), id="the last colon counts"),
        pytest.param("0f8fad5b-d9cb-469f-a165-70867728950e", None, id="somebody's guid"),
        pytest.param("abc:", None, id="no number"),
        pytest.param(":1", None, id="no id"),
        pytest.param("abc:x", None, id="not a number"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="absent"),
    ],
)
def test_attempts_are_known_by_their_client_request_id(
    value: str | None, attempt: tuple[str, int] | None
) -> None:
    assert split_client_request_id(value) == attempt


@pytest.mark.parametrize(
    ("length", "same", "seconds_later", "cached"),
    [
        pytest.param(1_023, 1_023, 1, 0, id="too short"),
        pytest.param(1_024, 1_024, 1, 1_024, id="the shortest"),
        pytest.param(2_000, 2_000, 1, 1_920, id="in steps of 128"),
        pytest.param(2_000, 1_151, 1, 1_024, id="a common beginning"),
        pytest.param(2_000, 1_152, 1, 1_152, id="a common beginning of one more step"),
        pytest.param(2_000, 1_023, 1, 0, id="another beginning"),
        pytest.param(2_000, 2_000, 300, 1_920, id="just alive"),
        pytest.param(2_000, 2_000, 301, 0, id="expired"),
    ],
)
def test_prompts_with_a_long_common_prefix_are_cached(
    length: int, same: int, seconds_later: int, cached: int
) -> None:
    cache = PromptCache(lifetime_seconds=300)
    first = list(range(length))
    assert cache.cached_tokens(first, now=0.0) == 0
    second = first[:same] + [-1] * (length - same)
    assert cache.cached_tokens(second, now=float(seconds_later)) == cached


def test_the_cache_forgets_the_oldest_beyond_its_capacity() -> None:
    cache = PromptCache(lifetime_seconds=300, capacity=2)
    prompts = [[start] * 1_024 for start in range(3)]
    for prompt in prompts:
        cache.cached_tokens(prompt, now=0.0)
    assert [cache.cached_tokens(p, now=1.0) for p in reversed(prompts)] == [1_024, 1_024, 0]


def test_latency_grows_with_prompt_output_and_level() -> None:
    model = LatencyModel(
        first_token_seconds=0.2,
        first_token_seconds_per_prompt_token=0.001,
        seconds_per_output_token=0.01,
        load_slope=0.5,
    )
    idle = model.timing(uncached_prompt_tokens=100, output_tokens=11, level=0.0)
    assert idle == pytest.approx((0.3, 0.01, 0.4))
    full = model.timing(uncached_prompt_tokens=100, output_tokens=11, level=1.0)
    assert full == pytest.approx((0.45, 0.015, 0.6))
    over = model.timing(uncached_prompt_tokens=100, output_tokens=11, level=3.0)
    assert over == full


def test_jitter_is_seeded_and_bounded() -> None:
    model = LatencyModel(jitter=0.2)

    def total(random: Random) -> float:
        return model.timing(
            uncached_prompt_tokens=0, output_tokens=1, level=0.0, random=random
        ).total

    drawn = [total(random) for random in [Random(1)] for _ in range(100)]
    assert drawn == [total(random) for random in [Random(1)] for _ in range(100)]
    assert 0.2 <= min(drawn) < max(drawn) <= 0.3


def test_zero_latency_is_zero_at_any_level() -> None:
    timing = ZERO_LATENCY.timing(uncached_prompt_tokens=9, output_tokens=9, level=2.0)
    assert timing.total == 0.0


@pytest.mark.parametrize(
    "wrong", [{"jitter": 1.0}, {"load_slope": -1}, {"first_token_seconds": "fast"}]
)
def test_a_latency_that_cannot_be_is_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LatencyModel(**wrong)
