"""A tenant of Microsoft Entra on this machine: real RSA keys, real tokens, its two documents over a
real socket."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from typing import Any

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa

TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
AUDIENCE = "api://ptu-alerts"
CONFIGURATION_PATH = f"/{TENANT}/v2.0/.well-known/openid-configuration"
KEYS_PATH = f"/{TENANT}/discovery/v2.0/keys"
ELSEWHERE_PATH = "/elsewhere"
ISSUER_1 = f"https://sts.windows.net/{TENANT}/"
ISSUER_2 = f"https://login.microsoftonline.com/{TENANT}/v2.0"
NOW = 1_800_000_000.0


@cache
def private_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One key pair for each name, made once."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def public_jwk(name: str, bits: int = 2048, **changes: Any) -> dict[str, Any]:
    """The public part of a key, as Entra publishes it; None takes a part away."""
    algorithm = jwt.get_algorithm_by_name("RS256")
    known = json.loads(algorithm.to_jwk(private_key(name, bits).public_key()))
    del known["key_ops"]
    whole = {**known, "use": "sig", "kid": name, "x5t": name, "issuer": ISSUER_2, **changes}
    return {part: value for part, value in whole.items() if value is not None}


def claims(**changes: Any) -> dict[str, Any]:
    """Those of an action group's token (version 2) an hour before its end; None takes one away."""
    whole = {
        "aud": AUDIENCE,
        "iss": ISSUER_2,
        "iat": int(NOW) - 300,
        "nbf": int(NOW) - 300,
        "exp": int(NOW) + 3_600,
        "azp": "461e8683-5575-4561-ac7f-899cc907d62a",
        "azpacr": "2",
        "roles": ["ActionGroupsSecureWebhook"],
        "sub": "22223333-cccc-4444-dddd-5555eeee6666",
        "tid": TENANT,
        "ver": "2.0",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def token(*, key: str = "one", bits: int = 2048, kid: str | None = None, **changes: Any) -> str:
    """A token that is signed with the key of this name, and says so or names another."""
    return jwt.encode(
        claims(**changes), private_key(key, bits), "RS256", headers={"kid": kid or key}
    )


class Tenant:
    """Serves the documents, counts how often, and fails on demand."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys) or [public_jwk("one")]
        self.asked = 0
        self.answers: tuple[int, bytes] | None = None
        """Status and body instead of the keys; a redirection leads to where they are."""
        self.silent = False
        application = web.Application()
        application.router.add_get(CONFIGURATION_PATH, self._configuration)
        application.router.add_get(KEYS_PATH, self._keys)
        application.router.add_get(ELSEWHERE_PATH, self._elsewhere)
        self._server = TestServer(application, host="127.0.0.1")

    async def __aenter__(self) -> Tenant:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    async def _configuration(self, _: web.Request) -> web.Response:
        self.asked += 1
        if self.silent:
            await asyncio.sleep(30)
        return web.json_response({"issuer": ISSUER_2, "jwks_uri": self.url + KEYS_PATH})

    async def _keys(self, request: web.Request) -> web.Response:
        if self.answers is not None:
            status, body = self.answers
            return web.Response(status=status, body=body, headers={"Location": ELSEWHERE_PATH})
        return await self._elsewhere(request)

    async def _elsewhere(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": self.keys})
