"""Tokens of the app's identity: one for each resource, shared by all callers, replaced in time."""

from __future__ import annotations

import asyncio

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from ptu_optimizer.adapters.identity import (
    NOT_SENT_SECONDS,
    PAUSE_SECONDS,
    REFRESH_BEFORE_SECONDS,
    TokenCache,
)

LIFE = 3_600.0


class HandClock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here sleeps")


class Entra:
    """Hands out numbered tokens; may be slow, and may refuse."""

    def __init__(self, clock: HandClock, *, life: float = LIFE) -> None:
        self._clock = clock
        self._life = life
        self.asked: list[str] = []
        self.refuses = False
        self.open = asyncio.Event()
        self.open.set()

    async def fetch(self, scope: str) -> AccessToken:
        self.asked.append(scope)
        number = len(self.asked)
        await self.open.wait()
        if self.refuses:
            raise ClientAuthenticationError("no token")
        return AccessToken(f"{scope} {number}", int(self._clock.time + self._life))


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def entra(clock: HandClock) -> Entra:
    return Entra(clock)


@pytest.fixture
async def cache(entra: Entra, clock: HandClock) -> TokenCache:
    return TokenCache(fetch=entra.fetch, clock=clock)


async def settled() -> None:
    """Let what has begun behind a call go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_token_is_asked_for_once_for_each_resource(cache: TokenCache, entra: Entra) -> None:
    assert [await cache.token(scope) for scope in "abab"] == ["a 1", "b 2", "a 1", "b 2"]
    assert entra.asked == ["a", "b"]


async def test_callers_that_come_together_share_one_request(
    cache: TokenCache, entra: Entra
) -> None:
    tokens = await asyncio.gather(*(cache.token("a") for _ in range(64)))
    assert set(tokens) == {"a 1"}
    assert entra.asked == ["a"]


async def test_a_caller_that_gives_up_does_not_take_the_token_from_the_others(
    cache: TokenCache, entra: Entra
) -> None:
    entra.open.clear()
    hasty, patient = (asyncio.create_task(cache.token("a")) for _ in range(2))
    await settled()
    hasty.cancel()
    await settled()
    entra.open.set()
    assert await patient == "a 1"
    assert hasty.cancelled()
    assert entra.asked == ["a"]


@pytest.mark.parametrize(
    ("left", "asked"),
    [
        pytest.param(REFRESH_BEFORE_SECONDS + 1, 1, id="just before it is time"),
        pytest.param(REFRESH_BEFORE_SECONDS, 2, id="in time"),
        pytest.param(NOT_SENT_SECONDS + 1, 2, id="just good enough"),
    ],
)
async def test_a_token_is_replaced_behind_its_callers_who_need_not_wait(
    cache: TokenCache, entra: Entra, clock: HandClock, left: float, asked: int
) -> None:
    await cache.token("a")
    clock.time += LIFE - left
    entra.open.clear()
    assert await cache.token("a") == "a 1"
    assert await cache.token("a") == "a 1"
    await settled()
    assert len(entra.asked) == asked
    entra.open.set()
    await settled()
    assert await cache.token("a") == f"a {asked}"


async def test_a_token_that_is_about_to_end_is_not_sent(
    cache: TokenCache, entra: Entra, clock: HandClock
) -> None:
    await cache.token("a")
    clock.time += LIFE - NOT_SENT_SECONDS
    assert await cache.token("a") == "a 2"


async def test_a_token_that_cannot_be_replaced_is_used_to_its_end(
    cache: TokenCache, entra: Entra, clock: HandClock
) -> None:
    await cache.token("a")
    clock.time += LIFE - REFRESH_BEFORE_SECONDS
    entra.refuses = True
    assert await cache.token("a") == "a 1"
    await settled()
    clock.time += PAUSE_SECONDS - 1
    assert await cache.token("a") == "a 1"
    await settled()
    assert len(entra.asked) == 2, "not at every call"
    clock.time += 1
    assert await cache.token("a") == "a 1"
    await settled()
    assert len(entra.asked) == 3
    clock.time += REFRESH_BEFORE_SECONDS
    with pytest.raises(ClientAuthenticationError):
        await cache.token("a")
    entra.refuses = False
    assert await cache.token("a") == "a 5"


async def test_all_that_wait_hear_of_a_refusal_and_the_next_one_asks_again(
    cache: TokenCache, entra: Entra
) -> None:
    entra.refuses = True
    heard = await asyncio.gather(*(cache.token("a") for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in heard] == [ClientAuthenticationError] * 3
    assert entra.asked == ["a"]
    entra.refuses = False
    assert await cache.token("a") == "a 2"


async def test_a_token_with_a_short_life_is_not_asked_for_at_every_call(clock: HandClock) -> None:
    entra = Entra(clock, life=REFRESH_BEFORE_SECONDS / 2)
    cache = TokenCache(fetch=entra.fetch, clock=clock)
    for _ in range(5):
        await cache.token("a")
        await settled()
    assert entra.asked == ["a"]


async def test_closing_ends_what_is_under_way(cache: TokenCache, entra: Entra) -> None:
    entra.open.clear()
    waiting = asyncio.create_task(cache.token("a"))
    await settled()
    cache.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
