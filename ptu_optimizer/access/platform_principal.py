"""The caller as App Service authentication has checked it already, in a header."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import orjson

PRINCIPAL_HEADER = "x-ms-client-principal"
ENTRA = "aad"
"""How App Service authentication calls Entra, in `auth_typ`. Another provider that is switched on
beside it could put anything into its claims."""


class InvalidPrincipal(Exception):
    """The header names no principal of Entra; the message never holds any of it."""


def principal_claims(header: str) -> list[tuple[str, str]]:
    """The claims in X-MS-CLIENT-PRINCIPAL, by type. Raises InvalidPrincipal."""
    if not header:
        raise InvalidPrincipal("no principal")
    try:
        principal = orjson.loads(base64.b64decode(header, validate=True))
        if principal["auth_typ"] != ENTRA:
            raise InvalidPrincipal("the principal is of another identity provider than Entra")
        return [(str(claim["typ"]), str(claim["val"])) for claim in principal["claims"]]
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise InvalidPrincipal("the principal cannot be read") from None


def claim_values(claims: Sequence[tuple[str, str]], types: Sequence[str]) -> list[str]:
    """Of claims of these types, in lower case."""
    return sorted({value.lower() for typ, value in claims if typ in types})
