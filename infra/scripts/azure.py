"""The Azure CLI as the hooks use it: JSON answers, and errors told apart.

    azure = Azure(env["AZURE_SUBSCRIPTION_ID"])
    azure.ask("group", "show", "--name", "rg-dev")      # az group show … --output json
    azure.rest("get", "/subscriptions/…", api_version="2025-06-01")

`--subscription` is part of each command: the default of `az` may be another one than azd's.

An answer is JSON. Else NotFound, Forbidden, NotLoggedIn or Failed is raised. All are HookErrors
with what `az` said. Who may go on without an answer catches Forbidden. Who asks whether a thing is
there uses `if_there`.

For predown and postdown:

    for one in azure.deployments(account_id):            # with tags, on any subscription
        if one.is_ours(environment="dev", group_id=own_group):
            print(one.name, one.price)                   # "about 36,500 USD a month"
            azure.delete_deployment(account_id, one.name)
            azure.wait_until_gone(one.id, api_version=DEPLOYMENTS_API)
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from infra.scripts import prices
from infra.scripts.tools import Done, HookError, Runner, start

DEPLOYMENTS_API = "2025-06-01"
"""Of Microsoft.CognitiveServices, as in infra/app/openai-deployments.bicep. `az cognitiveservices`
of an older CLI leaves the tags of a deployment out, so deployments are asked for by `az rest`."""

ENVIRONMENT_TAG = "azd-env-name"
GROUP_TAG = "azd-env-group"
"""Tags of what infra/main.bicep creates. The second is on deployments only: they may lie on an
account in another group, and environments of one name may exist in several subscriptions."""

GONE_TRIES = 60
GONE_PAUSE_SECONDS = 10.0
"""Ten minutes: a deletion that takes longer is told as not done."""


class AzureError(HookError):
    """`az` did not answer; `code` is Azure's error code, if it told one."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class NotFound(AzureError):
    """What was asked for does not exist."""


class Forbidden(AzureError):
    """The person has no right to it. A subscription that the login does not see is one, too."""


class NotLoggedIn(AzureError):
    """There is no login, or it has expired."""


class Failed(AzureError):
    """Anything else: the network, a conflict, a wrong argument."""


@dataclass(frozen=True)
class Deployment:
    """One deployment of an Azure OpenAI account."""

    id: str
    name: str
    model: str
    version: str
    sku: str
    capacity: int
    """PTUs of a provisioned deployment, thousands of tokens a minute of another."""
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Deployment:
        """From one entry of Azure's list."""
        sku = answer.get("sku") or {}
        properties = answer.get("properties") or {}
        model = properties.get("model") or {}
        return cls(
            id=str(answer["id"]),
            name=str(answer["name"]),
            model=str(model.get("name", "")),
            version=str(model.get("version", "")),
            sku=str(sku.get("name", "")),
            capacity=int(sku.get("capacity") or 0),
            tags=dict(answer.get("tags") or {}),
        )

    @property
    def is_provisioned(self) -> bool:
        return prices.is_provisioned(self.sku)

    @property
    def usd_per_month(self) -> float:
        return prices.usd_per_month(self.sku, self.capacity)

    @property
    def price(self) -> str:
        """In words."""
        return prices.told(self.sku, self.capacity)

    def is_ours(self, *, environment: str, group_id: str) -> bool:
        """Whether this environment made it. Azure may change the case of an id."""
        return (
            self.tags.get(ENVIRONMENT_TAG) == environment
            and self.tags.get(GROUP_TAG, "").lower() == group_id.lower()
        )


def parts(resource_id: str) -> tuple[str, str, str]:
    """(subscription, group, name) of the resource id of an account."""
    pieces = resource_id.split("/")
    return pieces[2], pieces[4], pieces[8]


def group_id(subscription: str, group: str) -> str:
    """As Azure writes it, and as the tag `azd-env-group` has it."""
    return f"/subscriptions/{subscription}/resourceGroups/{group}"


class Azure:
    """`az` in one subscription."""

    def __init__(self, subscription: str, *, runner: Runner = start) -> None:
        self.subscription = subscription
        self._runner = runner

    def in_subscription(self, subscription: str) -> Azure:
        """The same tool for another subscription, such as the account's."""
        return Azure(subscription, runner=self._runner)

    def ask(self, *command: str) -> Any:
        """What `az` answers; None where it prints nothing. Raises AzureError."""
        done = self._runner(
            ["az", *command, "--subscription", self.subscription,
             "--only-show-errors", "--output", "json"]
        )  # fmt: skip
        if done.code != 0:
            raise _error(command, done)
        return json.loads(done.out) if done.out else None

    def rest(
        self,
        method: str,
        path: str,
        *,
        api_version: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """A call of Azure's REST API; `path` begins with a slash, or is a whole address."""
        # each parameter is an argument: on Windows az is a batch file, in which & ends a command
        path, _, given = path.partition("?")
        parameters = dict(parse_qsl(given)) or {"api-version": api_version, **(query or {})}
        command = ["rest", "--method", method, "--url", path, "--url-parameters"]
        command += [f"{name}={value}" for name, value in parameters.items()]
        if body is None:
            return self.ask(*command)
        with tempfile.TemporaryDirectory() as folder:
            # a file: shells differ in how they quote JSON
            file = Path(folder) / "body.json"
            file.write_text(json.dumps(body), encoding="utf-8")
            return self.ask(*command, "--body", f"@{file}")

    def listed(
        self, path: str, *, api_version: str, query: Mapping[str, str] | None = None
    ) -> list[Any]:
        """All entries of a list of Azure's REST API, page by page. Raises AzureError."""
        answer = self.rest("get", path, api_version=api_version, query=query)
        found = list(answer.get("value") or [])
        while answer.get("nextLink"):
            answer = self.rest("get", answer["nextLink"], api_version=api_version)
            found += answer.get("value") or []
        return found

    def if_there(self, *command: str) -> Any:
        """As `ask`; None where the thing does not exist."""
        try:
            return self.ask(*command)
        except NotFound:
            return None

    def group(self, name: str) -> Any:
        """The resource group, or None. Raises AzureError."""
        return self.if_there("group", "show", "--name", name)

    def account(self, resource_id: str) -> Any:
        """An Azure OpenAI account in any subscription, or None. Raises AzureError."""
        try:
            return self._at(resource_id).rest("get", resource_id, api_version=DEPLOYMENTS_API)
        except NotFound:
            return None

    def deployments(self, account_id: str) -> list[Deployment]:
        """All deployments of an account; none if it does not exist. Raises AzureError."""
        azure, found = self._at(account_id), []
        page: str | None = f"{account_id}/deployments"
        while page:
            try:
                answer = azure.rest("get", page, api_version=DEPLOYMENTS_API)
            except NotFound:
                return []
            found += [Deployment.of(one) for one in (answer or {}).get("value", [])]
            page = (answer or {}).get("nextLink")
        return found

    def delete_deployment(self, account_id: str, name: str) -> None:
        """Begins the deletion; nothing happens if it is gone. Raises AzureError."""
        try:
            self._at(account_id).rest(
                "delete", f"{account_id}/deployments/{name}", api_version=DEPLOYMENTS_API
            )
        except NotFound:
            return

    def is_gone(self, resource_id: str, *, api_version: str) -> bool:
        """Whether Azure answers 404. Raises AzureError."""
        try:
            self._at(resource_id).rest("get", resource_id, api_version=api_version)
        except NotFound:
            return True
        return False

    def wait_until_gone(
        self,
        resource_id: str,
        *,
        api_version: str,
        tries: int = GONE_TRIES,
        pause_seconds: float = GONE_PAUSE_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> bool:
        """True once Azure answers 404, False if it still answers after the last try. An error
        between two tries is no answer and is waited out; the last one is raised."""
        for tries_left in reversed(range(tries)):
            try:
                if self.is_gone(resource_id, api_version=api_version):
                    return True
            except Failed:
                if not tries_left:
                    raise
            if tries_left:
                sleep(pause_seconds)
        return False

    def _at(self, resource_id: str) -> Azure:
        return self.in_subscription(resource_id.split("/")[2])


# --- what an error means -------------------------------------------------------------------------

_CODE = re.compile(r'ERROR:\s*\((\w+)\)|"code"\s*:\s*"(\w+)"|^\s*Code:\s*(\w+)', re.MULTILINE)
"""`ERROR: (ResourceNotFound) The Resource …`, or the JSON that `az rest` hands on."""

_NOT_FOUND = frozenset(
    {
        "DeploymentNotFound",
        "NotFound",
        "ParentResourceNotFound",
        "ResourceGroupNotFound",
        "ResourceNotFound",
    }
)
_FORBIDDEN = frozenset(
    {
        "AuthorizationFailed",
        "Forbidden",
        "InvalidAuthenticationTokenTenant",
        "LinkedAuthorizationFailed",
        "SubscriptionNotFound",
    }
)
_LOGIN = re.compile(r"az login|AADSTS\d+|Interactive authentication is needed", re.IGNORECASE)
_UNSEEN = re.compile(r"(?i)subscription (of )?'[^']*' (not found|doesn't exist)")
_STATUS = re.compile(r"ERROR:\s*(Not Found|Forbidden)\b")
"""`az rest` begins with the words of the status where the body has no code of Azure's."""


def _error(command: tuple[str, ...], done: Done) -> AzureError:
    found = _CODE.search(done.error)
    code = next((one for one in found.groups() if one), "") if found else ""
    status = _STATUS.search(done.error)
    said = done.error.removeprefix("ERROR: ") or f"exit code {done.code}"
    message = f"az {' '.join(command[:3])} failed: {said}"
    kind: type[AzureError] = Failed
    if code in _FORBIDDEN or _UNSEEN.search(done.error):
        kind = Forbidden
    elif code in _NOT_FOUND:
        kind = NotFound
    elif _LOGIN.search(done.error):
        kind = NotLoggedIn
    elif not code and status:
        kind = NotFound if status[1] == "Not Found" else Forbidden
    elif not code and done.code == 3:
        # the exit code that az keeps for "not found"
        kind = NotFound
    return kind(message, code=code)
