"""How long alerts count, and who may deliver them."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field

from .group import SettingsGroup
from .setting_errors import Misfit, alias, looks

_GUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"

ALERT_AUTHENTICATION = "ALERT_AUTHENTICATION"


class AlertSettings(SettingsGroup):
    alert_expiry_seconds: float = Field(
        900,
        alias="ALERT_EXPIRY_SECONDS",
        gt=0,
        le=86_400,
        description="how long a fired alert brakes at most, from when it fired",
        examples=["900"],
    )
    alert_authentication: Literal["key", "entra", "platform"] = Field(
        "key",
        alias=ALERT_AUTHENTICATION,
        description="who may deliver alerts: who has the function key, whom the app's own check of "
        "an Entra token lets in, or whom App Service authentication names",
        examples=["key"],
    )
    alert_tenant_id: str | None = Field(
        None,
        alias="ALERT_TENANT_ID",
        pattern=_GUID,
        description="id of the Entra tenant whose tokens deliver alerts",
        examples=["00000000-0000-0000-0000-000000000000"],
    )
    alert_audience: str | None = Field(
        None,
        alias="ALERT_AUDIENCE",
        pattern=r"[^,\s]",
        description="audience of the tokens that deliver alerts; several are separated by commas",
        examples=["api://ptu-alerts,00000000-0000-0000-0000-000000000000"],
    )
    alert_caller_app_id: str = Field(
        "461e8683-5575-4561-ac7f-899cc907d62a",
        alias="ALERT_CALLER_APP_ID",
        pattern=_GUID,
        description="id of the application that delivers alerts; the default is Azure Monitor's",
        examples=["461e8683-5575-4561-ac7f-899cc907d62a"],
    )

    @property
    def alert_audiences(self) -> tuple[str, ...]:
        given = (self.alert_audience or "").split(",")
        return tuple(one.strip() for one in given if one.strip())

    def check_alerts(self) -> None:
        """Raises Misfit."""
        if self.alert_authentication != "entra":
            return
        for needed in ("alert_tenant_id", "alert_audience"):
            if not getattr(self, needed):
                field = type(self).model_fields[needed]
                raise Misfit(
                    f"{alias(field)} must be set when ALERT_AUTHENTICATION is entra; it "
                    f"{looks(field)}",
                    alias(field),
                )


def alerts_need_the_function_key() -> bool:
    """Whether the host asks for the key before an alert comes in. The host must know it while it
    looks for functions, when other settings may be bad; a value that is none asks for the key."""
    return os.environ.get(ALERT_AUTHENTICATION) not in {"entra", "platform"}
