"""Who may deliver alerts: the action groups of Azure Monitor, by key, by token, or by platform.

An action group's secure webhook carries a token of Microsoft's application "AzNS AAD Webhook", to
which our application has given the role `ActionGroupsSecureWebhook` (Microsoft, "Action groups:
Configure authentication for Secure webhook").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ptu_optimizer.access.bearer import InvalidToken, TokenVerifier
from ptu_optimizer.access.platform_principal import (
    PRINCIPAL_HEADER,
    InvalidPrincipal,
    claim_values,
    principal_claims,
)
from ptu_optimizer.errors import AppError, DependencyUnavailable, dependency_unavailable
from ptu_optimizer.telemetry import logger

_log = logger("alert_callers")

ROLE = "ActionGroupsSecureWebhook"
ROLE_TYPES = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")
TENANT_TYPES = ("tid", "http://schemas.microsoft.com/identity/claims/tenantid")
"""Claims may come under mapped names ("Work with user identities in Azure App Service
authentication")."""


class CallerCheck(Protocol):
    async def check(self, headers: Mapping[str, str]) -> None:
        """`headers` in lower case, or found in any. Raises AppError: 401, 403, 503."""
        ...


class KeyIsEnough:
    """The function key, which the host has checked, is enough. No header is looked at."""

    async def check(self, headers: Mapping[str, str]) -> None:
        return None


class TokenCheck:
    """Verifies the bearer token itself."""

    def __init__(self, *, tokens: TokenVerifier, app_id: str) -> None:
        """`app_id` is that of the calling application."""
        self._tokens = tokens
        self._app_id = app_id

    async def check(self, headers: Mapping[str, str]) -> None:
        scheme, _, token = headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unauthorized("no bearer token")
        try:
            claims = await self._tokens.claims(token.strip())
        except InvalidToken as error:
            raise _unauthorized(str(error)) from None
        except DependencyUnavailable as error:
            _log.warning("a token cannot be verified", extra={"reason": str(error)})
            raise dependency_unavailable(error, ", so the token cannot be verified") from None
        roles = claims.get("roles")
        _permit(
            # version 2 tokens name the calling application in azp, version 1 in appid
            app_ids=[claims.get("azp") or claims.get("appid")],
            roles=roles if isinstance(roles, list) else [],
            app_id=self._app_id,
        )


class PlatformCheck:
    """Trusts App Service authentication, which removes this header from incoming requests and
    sets its own."""

    def __init__(self, *, app_id: str, tenant: str | None) -> None:
        """`tenant`, if given, is the only one whose principals count."""
        self._app_id = app_id
        self._tenant = tenant

    async def check(self, headers: Mapping[str, str]) -> None:
        try:
            claims = principal_claims(headers.get(PRINCIPAL_HEADER, ""))
        except InvalidPrincipal as error:
            raise _unauthorized(str(error)) from None
        if self._tenant is not None and claim_values(claims, TENANT_TYPES) != [
            self._tenant.lower()
        ]:
            raise _unauthorized("the principal is of another tenant")
        _permit(
            app_ids=claim_values(claims, ("azp",)) or claim_values(claims, ("appid",)),
            roles=[value for typ, value in claims if typ in ROLE_TYPES],
            app_id=self._app_id,
        )


def _permit(*, app_ids: Sequence[object], roles: Sequence[object], app_id: str) -> None:
    if [str(one).lower() for one in app_ids] != [app_id.lower()]:
        raise _forbidden("it is another application than ALERT_CALLER_APP_ID")
    if ROLE not in roles:
        raise _forbidden(f"it lacks the role {ROLE}")


def _unauthorized(why: str) -> AppError:
    """401. The answer says nothing that helps to guess; the log says why."""
    _log.warning("an alert's caller is not authenticated", extra={"why": why})
    return AppError(
        "The caller is not authenticated.",
        status=401,
        kind="authentication_error",
        code="invalid_token",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _forbidden(why: str) -> AppError:
    _log.warning("an alert's caller is not permitted", extra={"why": why})
    return AppError(
        "The caller may not deliver alerts.",
        status=403,
        kind="permission_error",
        code="caller_not_permitted",
    )
