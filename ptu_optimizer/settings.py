"""The settings: the only reader of the environment.

Field aliases are the names of the app settings. Connections follow the Functions host's convention:
`NAME` is a connection string, `NAME__fullyQualifiedNamespace` (and the like) an identity-based one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from .capacity.work import Model, known_models

_CONNECTION_STRINGS = {
    "event_hubs": re.compile(r"(?is)(?=.*\bEndpoint=sb://).*\bSharedAccess(Key|Signature)="),
    "cosmos": re.compile(r"(?is)(?=.*\bAccountEndpoint=https?://).*\bAccountKey="),
    "storage": re.compile(r"(?i)\b(AccountName=|BlobEndpoint=|UseDevelopmentStorage=true)"),
}
"""The least that a connection string of each service has."""

_GUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


_REFERENCE = re.compile(r"(?i)@Microsoft\.(KeyVault|AppConfiguration)\(")
"""How App Service writes a reference. One that it cannot resolve reaches the app as this text
(learn, "Use Key Vault references as app settings"), which anybody can guess."""

ALERT_AUTHENTICATION = "ALERT_AUTHENTICATION"

FUNCTION_TIMEOUT_SECONDS = 7_200.0
"""`functionTimeout` of host.json, which a test compares. The host kills a worker whose invocation
takes longer, and the calls of that worker are then made, and paid for, a second time."""

HOST_MARGIN_SECONDS = 120.0
"""What an invocation may need beyond its budgets: a request to a store that is under way when a
budget ends, the output bindings, and the host itself."""

LONGEST_TURN_WAIT_SECONDS = 6_600.0
"""A batch waits no longer for its turn to send, whatever time the function timeout leaves."""

LEAST_TURN_WAIT_SECONDS = 1_800.0
"""Ten of the longest turns that other processes take. With less, a batch would be published again
and again before its turn comes."""

_MOST_WORK_SECONDS = FUNCTION_TIMEOUT_SECONDS - HOST_MARGIN_SECONDS - LEAST_TURN_WAIT_SECONDS


class SettingsError(Exception):
    """Settings are missing or malformed.

    `complaints` say of each what is wrong and what it should look like, `names` are the settings
    alone. Neither holds a value of a secret.
    """

    def __init__(self, complaints: Sequence[str], names: Sequence[str]) -> None:
        super().__init__("The settings are not usable:\n- " + "\n- ".join(complaints))
        self.complaints = tuple(complaints)
        self.names = tuple(dict.fromkeys(names))


class _Misfit(ValueError):
    """Settings that are well formed and do not go together. `names`: the ones to look at."""

    def __init__(self, message: str, *names: str) -> None:
        super().__init__(message)
        self.names = names


class _Missing(ValueError):
    """A setting that is needed because another one is not there."""


class _NotJson(ValueError):
    """A setting that should be JSON."""


class Deployment(BaseModel):
    """One PTU deployment, as in the setting DEPLOYMENTS."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(min_length=1)]
    """The deployment's name in Azure OpenAI."""
    model: str
    """Its model, a name of the sizing table (or of MODELS)."""
    ptus: Annotated[int, Field(gt=0)]
    spillover: Annotated[str, Field(min_length=1)] | None = None
    """Where requests may go that would miss their deadline: a name of SPILLOVER_DEPLOYMENTS."""


class SpilloverDeployment(BaseModel):
    """One pay-as-you-go deployment of the same resource, as in SPILLOVER_DEPLOYMENTS."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(min_length=1)]
    model: Annotated[str, Field(min_length=1)]
    tpm: Annotated[int, Field(gt=0)]
    """Tokens per minute that the queue may use, at most the deployment's own limit."""
    rpm: Annotated[int, Field(gt=0)] | None = None
    """Requests per minute; None: no limit that would come before the tokens'."""
    stands_in_for: tuple[str, ...] = ()
    """Other models whose requests it may answer."""


class PriorityLimits(BaseModel):
    """The two limits of one priority, as in the setting PRIORITY_LIMITS; 1.0 is 100 %."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    lower: Annotated[float, Field(ge=0)]
    upper: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lower >= self.upper:
            raise ValueError("lower must be below upper")
        return self


class Settings(BaseSettings):
    """Units are in the names. `examples` is what a setting should look like, for error messages."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, env_ignore_empty=True, allow_inf_nan=False
    )

    # --- connections
    event_hubs: SecretStr | None = Field(
        None,
        alias="EVENT_HUBS",
        description="Event Hubs connection string (or use EVENT_HUBS__fullyQualifiedNamespace)",
        examples=["Endpoint=sb://NAME.servicebus.windows.net/;SharedAccessKeyName=…"],
    )
    event_hubs_namespace: str | None = Field(
        None,
        alias="EVENT_HUBS__fullyQualifiedNamespace",
        pattern=r"^[^/\s]+$",
        description="Event Hubs namespace, for identity-based connections",
        examples=["NAME.servicebus.windows.net"],
    )
    cosmos: SecretStr | None = Field(
        None,
        alias="COSMOS",
        description="Cosmos DB connection string (or use COSMOS__accountEndpoint)",
        examples=["AccountEndpoint=https://NAME.documents.azure.com:443/;AccountKey=…;"],
    )
    cosmos_endpoint: str | None = Field(
        None,
        alias="COSMOS__accountEndpoint",
        pattern=r"^https?://",
        description="Cosmos DB account endpoint, for identity-based connections",
        examples=["https://NAME.documents.azure.com:443/"],
    )
    cosmos_database: str = Field(
        alias="COSMOS_DATABASE", description="Cosmos DB database", examples=["ptu"]
    )
    storage: SecretStr | None = Field(
        None,
        alias="AzureWebJobsStorage",
        description="storage connection string (or use AzureWebJobsStorage__blobServiceUri)",
        examples=["DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…"],
    )
    storage_blob_uri: str | None = Field(
        None,
        alias="AzureWebJobsStorage__blobServiceUri",
        pattern=r"^https?://",
        description="blob endpoint, for identity-based connections",
        examples=["https://NAME.blob.core.windows.net"],
    )
    azure_client_id: str | None = Field(
        None,
        alias="AZURE_CLIENT_ID",
        description="client id of the user-assigned identity that the app uses",
        examples=["00000000-0000-0000-0000-000000000000"],
    )
    azure_openai_endpoint: str = Field(
        alias="AZURE_OPENAI_ENDPOINT",
        pattern=r"^https?://",
        description="endpoint of the Azure OpenAI resource",
        examples=["https://NAME.openai.azure.com"],
    )
    azure_openai_api_key: SecretStr | None = Field(
        None,
        alias="AZURE_OPENAI_API_KEY",
        description="its key; without it, the app's Entra identity is used",
        examples=["a key of the resource"],
    )
    azure_openai_api_version: str = Field(
        "2024-10-21",
        alias="AZURE_OPENAI_API_VERSION",
        description="api-version of the calls",
        examples=["2024-10-21"],
    )
    azure_openai_resource_id: str = Field(
        alias="AZURE_OPENAI_RESOURCE_ID",
        pattern=r"(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/",
        description="resource id of the Azure OpenAI resource, whose metrics are read",
        examples=[
            "/subscriptions/S/resourceGroups/RG/providers/Microsoft.CognitiveServices/accounts/NAME"
        ],
    )
    azure_monitor_endpoint: str = Field(
        alias="AZURE_MONITOR_ENDPOINT",
        pattern=r"^https?://",
        description="regional endpoint of Azure Monitor metrics",
        examples=["https://swedencentral.metrics.monitor.azure.com"],
    )

    # --- deployments
    deployments: Annotated[tuple[Deployment, ...], NoDecode, Field(min_length=1)] = Field(
        alias="DEPLOYMENTS",
        description="JSON array of the PTU deployments; the first is the default one",
        examples=['[{"name": "gpt-4.1-ptu", "model": "gpt-4.1", "ptus": 50}]'],
    )
    spillover_deployments: Annotated[tuple[SpilloverDeployment, ...], NoDecode] = Field(
        (),
        alias="SPILLOVER_DEPLOYMENTS",
        description="JSON array of pay-as-you-go deployments that DEPLOYMENTS may spill over to",
        examples=['[{"name": "gpt-4.1-payg", "model": "gpt-4.1", "tpm": 100000, "rpm": 600}]'],
    )
    models: Annotated[dict[str, Model], NoDecode] = Field(
        default_factory=dict,
        alias="MODELS",
        description="JSON object of models that the built-in sizing table lacks",
        examples=['{"gpt-6": {"input_tpm_per_ptu": 1000, "output_ratio": 6}}'],
    )

    # --- requests
    request_id_key_uri: str | None = Field(
        None,
        alias="REQUEST_ID_KEY_URI",
        pattern=r"^https://[^/\s]+/secrets/[0-9A-Za-z-]+/?$",
        description="URI, without a version, of the Key Vault secret that signs request ids; the "
        "app reads it by its identity, and REQUEST_ID_KEY is not used",
        examples=["https://NAME.vault.azure.net/secrets/request-id-key"],
    )
    request_id_key: SecretStr | None = Field(
        None,
        validate_default=True,
        alias="REQUEST_ID_KEY",
        min_length=16,
        description="secret that signs request ids, at least 16 characters (or use "
        "REQUEST_ID_KEY_URI); changing it makes all ids given out before unknown",
        examples=["the output of: openssl rand -base64 32"],
    )
    max_items: int = Field(
        5_000,
        alias="MAX_ITEMS",
        gt=0,
        le=100_000,
        description="most items a call of POST /producer may have",
        examples=["5000"],
    )
    max_body_bytes: int = Field(
        20_000_000,
        alias="MAX_BODY_BYTES",
        gt=0,
        le=100_000_000,
        description="largest body of POST /producer (Functions itself ends at 100 MB)",
        examples=["20000000"],
    )
    default_deadline_seconds: float = Field(
        86_400,
        alias="DEFAULT_DEADLINE_SECONDS",
        gt=0,
        description="deadline of a request that names none",
        examples=["86400"],
    )
    hub_retention_seconds: float = Field(
        604_800,
        alias="HUB_RETENTION_SECONDS",
        gt=0,
        le=7_776_000,
        description="retention of the hubs (90 days at most); no deadline may lie beyond it",
        examples=["604800"],
    )
    soon_seconds: float = Field(
        900,
        alias="SOON_SECONDS",
        ge=0,
        description="a deadline nearer than this goes to the hub requests-soon",
        examples=["900"],
    )
    spillover_lead_seconds: float = Field(
        60,
        alias="SPILLOVER_LEAD_SECONDS",
        gt=0,
        le=3_600,
        description="how long before its deadline a request leaves for pay-as-you-go, if it may",
        examples=["60"],
    )

    # --- dispatch
    call_limit_seconds: float = Field(
        300,
        alias="CALL_LIMIT_SECONDS",
        gt=0,
        le=3_600,
        description="total time of one call to a deployment",
        examples=["300"],
    )
    write_budget_seconds: float = Field(
        30,
        alias="WRITE_BUDGET_SECONDS",
        gt=0,
        le=3_600,
        description="time for the writes around a call",
        examples=["30"],
    )
    skew_seconds: float = Field(
        30,
        alias="SKEW_SECONDS",
        gt=0,
        le=3_600,
        description="by how much the clocks of two workers may differ",
        examples=["30"],
    )
    hold_seconds: float = Field(
        30,
        alias="HOLD_SECONDS",
        gt=0,
        le=3_600,
        description="how long an event is held at a closed gate before it is re-scheduled",
        examples=["30"],
    )
    invocation_budget_seconds: float = Field(
        120,
        alias="INVOCATION_BUDGET_SECONDS",
        gt=0,
        le=3_600,
        description="how long one invocation starts new calls",
        examples=["120"],
    )
    max_failures: int = Field(
        5,
        alias="MAX_FAILURES",
        gt=0,
        description="failed attempts (429 is none) after which a request has failed",
        examples=["5"],
    )

    # --- admission
    max_concurrent_calls: int = Field(
        64,
        alias="MAX_CONCURRENT_CALLS",
        gt=0,
        description="most calls under way per deployment and process",
        examples=["64"],
    )
    lower_limit: float = Field(
        0.2,
        alias="LOWER_LIMIT",
        ge=0,
        description="utilization up to which batch work runs at full speed; 1.0 is 100 %",
        examples=["0.2"],
    )
    upper_limit: float = Field(
        0.8,
        alias="UPPER_LIMIT",
        gt=0,
        le=1,
        description="utilization from which no batch work is sent; 1.0 is 100 %",
        examples=["0.8"],
    )
    priority_limits: Annotated[dict[Literal["high", "normal"], PriorityLimits], NoDecode] = Field(
        default_factory=dict,
        alias="PRIORITY_LIMITS",
        description="JSON object of limits by priority that differ from LOWER_LIMIT and "
        "UPPER_LIMIT",
        examples=['{"high": {"lower": 0.4, "upper": 0.9}}'],
    )
    live_ttl_seconds: float = Field(
        15,
        alias="LIVE_TTL_SECONDS",
        gt=0,
        description="how long a utilization header is acted upon",
        examples=["15"],
    )
    metric_ttl_seconds: float = Field(
        300,
        alias="METRIC_TTL_SECONDS",
        gt=0,
        description="how long a point of the one-minute metric is acted upon, from its time",
        examples=["300"],
    )
    reading_exchange_seconds: float = Field(
        0.25,
        alias="READING_EXCHANGE_SECONDS",
        gt=0,
        description="how often working processes exchange fresh readings",
        examples=["0.25"],
    )

    # --- alerts
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

    # --- timers: the host reads these two for the schedules
    gauge_schedule: str = Field(
        alias="GAUGE_SCHEDULE",
        description="NCRONTAB schedule of the gauge (six fields, the first is seconds)",
        pattern=r"^\S+(\s+\S+){4,5}$",
        examples=["15 * * * * *"],
    )
    sweep_schedule: str = Field(
        alias="SWEEP_SCHEDULE",
        description="NCRONTAB schedule of the sweep",
        pattern=r"^\S+(\s+\S+){4,5}$",
        examples=["30 */2 * * * *"],
    )

    @field_validator("*", mode="before")
    @classmethod
    def _resolved(cls, value: Any, info: ValidationInfo) -> Any:
        """With REQUEST_ID_KEY_URI the reference of an older release may stand beside it, resolved
        or not: it is not looked at."""
        if info.field_name == "request_id_key":
            if "request_id_key_uri" not in info.data or info.data["request_id_key_uri"]:
                return None
            if value is None:
                raise _Missing
        if isinstance(value, str) and _REFERENCE.search(value):
            raise ValueError(
                "it is a reference that App Service could not resolve: the app's identity needs "
                "the right to read what it names, and a restart"
            )
        return value

    @field_validator(
        "deployments", "spillover_deployments", "models", "priority_limits", mode="before"
    )
    @classmethod
    def _from_json(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            raise _NotJson from None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for one, other in (
            ("event_hubs", "event_hubs_namespace"),
            ("cosmos", "cosmos_endpoint"),
            ("storage", "storage_blob_uri"),
        ):
            if getattr(self, one) is None and getattr(self, other) is None:
                name, alternative = _alias(one), _alias(other)
                raise _Misfit(f"{name} or {alternative} must be set; {_looks(one)}", name)
        if self.lower_limit >= self.upper_limit:
            raise _Misfit(
                "LOWER_LIMIT must be below UPPER_LIMIT",
                "LOWER_LIMIT",
                "UPPER_LIMIT",
            )
        if self.default_deadline_seconds > self.hub_retention_seconds:
            raise _Misfit(
                "DEFAULT_DEADLINE_SECONDS must not exceed HUB_RETENTION_SECONDS",
                "DEFAULT_DEADLINE_SECONDS",
                "HUB_RETENTION_SECONDS",
            )
        if self._seconds_left_for_a_turn < LEAST_TURN_WAIT_SECONDS:
            raise _Misfit(
                "INVOCATION_BUDGET_SECONDS + CALL_LIMIT_SECONDS + 2 x WRITE_BUDGET_SECONDS must "
                f"not exceed {_MOST_WORK_SECONDS:.0f}: the Functions host ends an invocation after "
                f"{FUNCTION_TIMEOUT_SECONDS:.0f} s, and a batch also waits for its turn to send",
                "INVOCATION_BUDGET_SECONDS",
                "CALL_LIMIT_SECONDS",
                "WRITE_BUDGET_SECONDS",
            )
        unknown = [d.model for d in self.deployments if d.model not in self.sizing]
        if unknown:
            raise _Misfit(
                f"DEPLOYMENTS names the unknown model {unknown[0]}; describe it in MODELS, "
                f"which {_looks('models')}",
                "DEPLOYMENTS",
            )
        names = [d.name for d in self.deployments]
        if len(set(names)) != len(names):
            raise _Misfit("DEPLOYMENTS names a deployment twice", "DEPLOYMENTS")
        if self.alert_authentication == "entra":
            for needed in ("alert_tenant_id", "alert_audience"):
                if not getattr(self, needed):
                    raise _Misfit(
                        f"{_alias(needed)} must be set when ALERT_AUTHENTICATION is entra; it "
                        f"{_looks(needed)}",
                        _alias(needed),
                    )
        self._spillover_fits()
        return self

    def _spillover_fits(self) -> None:
        both = ("DEPLOYMENTS", "SPILLOVER_DEPLOYMENTS")
        targets = {target.name: target for target in self.spillover_deployments}
        if len(targets) < len(self.spillover_deployments):
            raise _Misfit("SPILLOVER_DEPLOYMENTS names a deployment twice", "SPILLOVER_DEPLOYMENTS")
        for deployment in self.deployments:
            if deployment.name in targets:
                raise _Misfit(
                    f"{deployment.name} is in DEPLOYMENTS and in SPILLOVER_DEPLOYMENTS: it is "
                    "provisioned or pay-as-you-go",
                    *both,
                )
            if deployment.spillover is None:
                continue
            target = targets.get(deployment.spillover)
            if target is None:
                raise _Misfit(
                    f"DEPLOYMENTS lets {deployment.name} spill over to {deployment.spillover}, "
                    "which SPILLOVER_DEPLOYMENTS does not describe; it "
                    f"{_looks('spillover_deployments')}",
                    *both,
                )
            if deployment.model not in (target.model, *target.stands_in_for):
                raise _Misfit(
                    f"DEPLOYMENTS lets {deployment.name} ({deployment.model}) spill over to "
                    f"{target.name}, whose model is {target.model}; if that is meant, add "
                    f'"stands_in_for": ["{deployment.model}"] to it in SPILLOVER_DEPLOYMENTS',
                    *both,
                )

    @field_validator("event_hubs", "cosmos", "storage")
    @classmethod
    def _names_its_parts(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """Else a wrong string is met by the first request instead of here. Says nothing of what is
        in it."""
        if value is not None and not _CONNECTION_STRINGS[str(info.field_name)].search(
            value.get_secret_value()
        ):
            raise ValueError("it is no such connection string")
        return value

    @field_validator("request_id_key")
    @classmethod
    def _not_the_example(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value().startswith("replace-me"):
            raise ValueError("this is the example's text, which everybody knows")
        return value

    @property
    def alert_audiences(self) -> tuple[str, ...]:
        given = (self.alert_audience or "").split(",")
        return tuple(one.strip() for one in given if one.strip())

    @property
    def turn_wait_seconds(self) -> float:
        """How long a batch may wait for its turn to send. Its budget starts again when the turn
        comes, so the wait and all that follows it must fit into the function timeout."""
        return min(LONGEST_TURN_WAIT_SECONDS, self._seconds_left_for_a_turn)

    @property
    def _seconds_left_for_a_turn(self) -> float:
        work = (
            self.invocation_budget_seconds + self.call_limit_seconds + 2 * self.write_budget_seconds
        )
        return FUNCTION_TIMEOUT_SECONDS - HOST_MARGIN_SECONDS - work

    @property
    def limits(self) -> dict[str, PriorityLimits]:
        """The limits of every priority."""
        usual = PriorityLimits(lower=self.lower_limit, upper=self.upper_limit)
        return {name: self.priority_limits.get(name, usual) for name in ("high", "normal")}

    @property
    def sizing(self) -> dict[str, Model]:
        """The sizing table, with MODELS on top."""
        return {**known_models(), **self.models}


def load_settings() -> Settings:
    """Read the environment. Raises SettingsError, which names every bad setting."""
    try:
        return Settings()
    except ValidationError as error:
        entries = [dict(entry) for entry in error.errors(include_input=False)]
    raise SettingsError(
        [_complaint(entry) for entry in entries],
        [name for entry in entries for name in _names(entry)],
    )


def alerts_need_the_function_key() -> bool:
    """Whether the host asks for the key before an alert comes in. The host must know it while it
    looks for functions, when other settings may be bad; a value that is none asks for the key."""
    return os.environ.get(ALERT_AUTHENTICATION) not in {"entra", "platform"}


def _complaint(entry: dict[str, Any]) -> str:
    location = entry["loc"]
    message = str(entry["msg"]).removeprefix("Value error, ")
    if not location:
        return message
    field = _field(location[0])
    where = ".".join(map(str, (_alias(field) if field else location[0], *location[1:])))
    problem = f"is malformed: {message}"
    match entry.get("ctx"):
        case {"error": _NotJson()}:
            problem = "is not JSON"
        case {"error": _Missing()}:
            problem = "is missing"
    if entry["type"] == "missing":
        problem = "is missing"
    return f"{where} {problem}" + (f"; it {_looks(field)}" if field else "")


def _names(entry: dict[str, Any]) -> tuple[str, ...]:
    if entry["loc"]:
        field = _field(entry["loc"][0])
        return (_alias(field) if field else str(entry["loc"][0]),)
    misfit = entry["ctx"]["error"]
    return misfit.names if isinstance(misfit, _Misfit) else ()


def _field(place: object) -> str | None:
    """The field that a complaint is about: it has the alias, or its name if nothing was given."""
    for name, info in Settings.model_fields.items():
        if place in (info.alias, name):
            return name
    return None


def _looks(field: str) -> str:
    info = Settings.model_fields[field]
    example = (info.examples or [""])[0]
    return f"should be the {info.description}, such as {example}"


def _alias(field: str) -> str:
    return str(Settings.model_fields[field].alias)
