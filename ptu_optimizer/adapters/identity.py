"""Who the app is to the services: its Entra identity, or to a backend the key that it was given.

The identity is built once, and only when a connection needs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError
from azure.identity.aio import DefaultAzureCredential

from ptu_optimizer.clock import Clock, SystemClock
from ptu_optimizer.ports.backend_calls import NoAnswer
from ptu_optimizer.telemetry import logger

_log = logger("identity")

OPENAI_SCOPE = "https://cognitiveservices.azure.com/.default"
"""The scope of a token for Azure OpenAI's deployment routes."""
V1_SCOPE = "https://ai.azure.com/.default"
"""The same for the routes of the v1 API."""

REFRESH_BEFORE_SECONDS = 300.0
"""How long before its end a token is replaced. Not longer: until then azure-identity answers with
the same one from its own cache (`DEFAULT_REFRESH_OFFSET`)."""
PAUSE_SECONDS = 30.0
"""Between two attempts to replace a token that is still good; azure-identity has the same."""
NOT_SENT_SECONDS = 10.0
"""A token that ends so soon is not used: it must be good when the backend looks at it."""


class Identity:
    """Hands out one credential; `client_id` names a user-assigned identity."""

    def __init__(self, *, client_id: str | None, clock: Clock | None = None) -> None:
        self._client_id = client_id
        self._credential: DefaultAzureCredential | None = None
        self._tokens = TokenCache(fetch=self._fetch, clock=clock or SystemClock())

    @property
    def credential(self) -> DefaultAzureCredential:
        if self._credential is None:
            self._credential = DefaultAzureCredential(
                managed_identity_client_id=self._client_id,
                # a server has no browser, shell or IDE to ask
                exclude_interactive_browser_credential=True,
                exclude_visual_studio_code_credential=True,
                exclude_powershell_credential=True,
            )
        return self._credential

    async def token(self, scope: str) -> str:
        """A bearer token for one resource. Raises AzureError."""
        return await self._tokens.token(scope)

    async def close(self) -> None:
        self._tokens.close()
        if self._credential is not None:
            await self._credential.close()

    async def _fetch(self, scope: str) -> AccessToken:
        return await self.credential.get_token(scope)


class TokenCache:
    """Keeps one token for each scope, and replaces it before it ends.

    The credential has a cache as well, but looks through its whole chain at every call. And callers
    that come while there is no token would each ask for one.
    """

    def __init__(self, *, fetch: Callable[[str], Awaitable[AccessToken]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[str, AccessToken] = {}
        self._next_refresh: dict[str, float] = {}
        self._under_way: dict[str, asyncio.Task[AccessToken]] = {}

    async def token(self, scope: str) -> str:
        """Raises what `fetch` raises, if there is no token that is still good."""
        now, kept = self._clock.now(), self._kept.get(scope)
        if kept is not None and now < kept.expires_on - NOT_SENT_SECONDS:
            if now >= self._next_refresh[scope]:
                self._refresh(scope)  # the token at hand is good until the next one is there
            return kept.token
        # shielded: who gives up waiting must not take the token from the others that wait
        return (await asyncio.shield(self._refresh(scope))).token

    def close(self) -> None:
        for task in self._under_way.values():
            task.cancel()

    def _refresh(self, scope: str) -> asyncio.Task[AccessToken]:
        """The one request for this scope, which all callers share."""
        under_way = self._under_way.get(scope)
        if under_way is None:
            under_way = asyncio.create_task(self._replace(scope))
            self._under_way[scope] = under_way
            under_way.add_done_callback(lambda done: self._ended(scope, done))
        return under_way

    async def _replace(self, scope: str) -> AccessToken:
        return await self._fetch(scope)

    def _ended(self, scope: str, task: asyncio.Task[AccessToken]) -> None:
        del self._under_way[scope]
        now = self._clock.now()
        self._next_refresh[scope] = now + PAUSE_SECONDS
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            token = task.result()
            self._kept[scope] = token
            before_its_end = token.expires_on - REFRESH_BEFORE_SECONDS
            self._next_refresh[scope] = max(now + PAUSE_SECONDS, before_its_end)
        elif scope in self._kept:
            _log.warning("a token could not be replaced", extra={"reason": type(error).__name__})


class ApiKey:
    def __init__(self, key: str) -> None:
        self._headers = {"api-key": key}

    async def headers(self) -> Mapping[str, str]:
        return self._headers


class EntraToken:
    """A token of the app's identity for one resource."""

    def __init__(self, *, identity: Identity, scope: str) -> None:
        self._identity = identity
        self._scope = scope

    async def headers(self) -> Mapping[str, str]:
        try:
            token = await self._identity.token(self._scope)
        except AzureError as error:
            why = f"no token for the app's identity ({type(error).__name__})"
            raise NoAnswer(why) from error
        return {"Authorization": f"Bearer {token}"}
