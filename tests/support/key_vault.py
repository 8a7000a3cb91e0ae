"""Key Vault's REST interface on a TLS socket, as far as the secrets client asks it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, TCPConnector, web
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AioHttpTransport
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SECRET = "request-id-key"
TOKEN = "a token of the app's identity"


class Credential:
    """The app's identity; counts the tokens that it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked += scopes
        return AccessToken(TOKEN, int(time.time()) + 3_600)

    async def close(self) -> None:
        pass


class KeyVault:
    """One vault with versions of one secret; what it refuses is set by the test."""

    def __init__(self) -> None:
        self.versions: dict[str, dict[str, Any]] = {}
        self.refuses: Callable[[web.Request], web.Response | None] = lambda _: None
        self.calls: list[str] = []
        """Paths that were asked for with a token."""
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def uri(self) -> str:
        return f"https://127.0.0.1:{self.port}/secrets/{SECRET}"

    def put(self, version: str, value: str, *, at: float, enabled: bool = True) -> None:
        self.versions[version] = {
            "value": value,
            "attributes": {"enabled": enabled, "created": int(at), "updated": int(at)},
        }

    async def start(self, certificate: Path) -> None:
        app = web.Application()
        app.router.add_get(f"/secrets/{SECRET}/versions", self._listed)
        app.router.add_get(f"/secrets/{SECRET}/{{version:.*}}", self._read)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    # --- routes ----------------------------------------------------------------------------------

    async def _listed(self, request: web.Request) -> web.Response:
        return self._refused(request) or web.json_response(
            {"value": [self._item(version) for version in self.versions], "nextLink": None}
        )

    async def _read(self, request: web.Request) -> web.Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        version = request.match_info["version"] or next(reversed(self.versions), "")
        if version not in self.versions:
            return failure(404, "SecretNotFound")
        if not self.versions[version]["attributes"]["enabled"]:
            return failure(403, "Forbidden", "SecretDisabled")
        value = self.versions[version]["value"]
        return web.json_response({**self._item(version), "value": value})

    def _item(self, version: str) -> dict[str, Any]:
        attributes = self.versions[version]["attributes"]
        return {"id": f"{self.uri}/{version}", "attributes": attributes}

    def _refused(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            # which tenant and which audience a token must have: the client asks without one first
            # (the client compares the audience with the end of the vault's name)
            challenge = (
                'Bearer authorization="https://login.example/tenant", '
                f'resource="https://0.0.1:{self.port}"'
            )
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        self.calls.append(request.path.removeprefix(f"/secrets/{SECRET}"))
        return self.refuses(request)


def failure(status: int, code: str, inner: str | None = None) -> web.Response:
    """An error as Key Vault answers it."""
    error: dict[str, Any] = {"code": code, "message": "Caller: appid=0000;oid=1111 may not"}
    if inner is not None:
        error["innererror"] = {"code": inner}
    return web.json_response({"error": error}, status=status)


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 and its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a vault of these tests")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "vault.pem"
    file.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


def transport(certificate: Path) -> AioHttpTransport:
    """The SDK's own transport, which trusts this certificate alone."""
    context = ssl.create_default_context(cafile=str(certificate))
    return AioHttpTransport(session=ClientSession(connector=TCPConnector(ssl=context)))
