"""One deployed environment, as `azd down` finds it: for the tests of predown and postdown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.scripts.after_down import AfterDown
from infra.scripts.azure import Azure
from infra.scripts.before_down import before_down
from infra.scripts.questions import Terminal
from tests.infra.azd.fake_azure import ELSEWHERE, SUBSCRIPTION, FakeAzure, group_id
from tests.infra.azd.further import NORTH_ID, SOUTH_ID

OWN = group_id("rg-dev")
THEIRS = group_id("ai", ELSEWHERE)
ACCOUNT = f"{THEIRS}/providers/Microsoft.CognitiveServices/accounts/acct"
CREATED = f"{OWN}/providers/Microsoft.CognitiveServices/accounts/cog-x"
GATEWAY = f"{OWN}/providers/Microsoft.ApiManagement/service/apim-x"
IDENTITY = f"{OWN}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-x"
BRAKE = f"{OWN}/providers/Microsoft.Insights/actionGroups/ag-brake-x"
TAGS = {"azd-env-name": "dev"}
OURS = {**TAGS, "azd-env-group": OWN}
READER = (
    f"/subscriptions/{ELSEWHERE}/providers/Microsoft.Authorization/roleAssignments"
    "/00000000-0000-0000-0000-00000000000a"
)
CALLER = (
    f"{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments"
    "/00000000-0000-0000-0000-00000000000b"
)
SOMEBODY = (
    f"{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments"
    "/00000000-0000-0000-0000-00000000000c"
)
INSIDE = (
    f"{OWN}/providers/Microsoft.Storage/storageAccounts/stx/providers/Microsoft.Authorization"
    "/roleAssignments/00000000-0000-0000-0000-00000000000d"
)
RULE = f"{THEIRS}/providers/Microsoft.Insights/metricAlerts/ptu-dev-refusals-ptu"
SIMILAR = f"{THEIRS}/providers/Microsoft.Insights/metricAlerts/ptu-dev-refusals-mine"
"""A rule of the user's own, whose name is like ours."""

ENV = {
    "AZURE_ENV_NAME": "dev",
    "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
    "OPENAI_RESOURCE_ID": ACCOUNT,
}
"""Inputs alone: no output of a deployment, no note."""


class Case:
    """Runs the hooks on a fake Azure, with an injected terminal."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.azure = FakeAzure()
        self.env = dict(ENV)
        self.told: list[str] = []
        self.slept: list[float] = []
        self.answer: str | None = None
        """What the person types; None: there is no terminal."""
        self.say: Callable[[str], None] = self.told.append
        deploy(self.azure)

    @property
    def file(self) -> Path:
        return self.root / ".azure" / "dev" / "down.json"

    @property
    def record(self) -> Any:
        return json.loads(self.file.read_text(encoding="utf-8"))

    @property
    def said(self) -> str:
        return "\n".join(self.told)

    def _where(self) -> Terminal:
        answer = self.answer

        def read(prompt: str) -> str:
            self.told.append(prompt)
            return answer or ""

        return Terminal(there=answer is not None, read=read)

    def before(self) -> None:
        before_down(
            self.env,
            azure=Azure(SUBSCRIPTION, runner=self.azure.runner),
            root=self.root,
            where=self._where(),
            sleep=self.slept.append,
            say=self.told.append,
        )

    def after(self) -> None:
        AfterDown(
            self.env,
            azure=Azure(SUBSCRIPTION, runner=self.azure.runner),
            root=self.root,
            where=self._where(),
            runner=self.azure.runner,
            sleep=self.slept.append,
            say=self.say,
        ).run()

    def gone(self) -> None:
        """What azd does between the two."""
        self.azure.remove_group("rg-dev")
        self.azure.state["calls"].clear()
        self.told.clear()

    def down(self) -> None:
        """Until postdown runs."""
        self.before()
        self.gone()

    # --- more than the usual

    def further_accounts(self) -> set[str]:
        """Two accounts beside the first one; what this environment made on and around them."""
        made = set()
        for number, account in enumerate((NORTH_ID, SOUTH_ID)):
            group = "/".join(account.split("/")[:5])
            subscription = "/".join(account.split("/")[:3])
            self.azure.put(account, type="Microsoft.CognitiveServices/accounts", kind="OpenAI")
            self.deployment("gpt-4.1", account=account)
            for scope, principal in (
                (subscription, "principal-of-ours"),
                (account, "principal-of-ours"),
                (account, "principal-of-somebody"),
            ):
                last = f"{number}{len(scope):03d}{principal[-4:].encode().hex()}"
                one = self.azure.put(
                    f"{scope}/providers/Microsoft.Authorization/roleAssignments"
                    f"/00000000-0000-0000-0000-{last}",
                    properties={"principalId": principal, "scope": scope, "roleDefinitionId": "r"},
                )
                made |= {one} if principal.endswith("ours") else set()
            rules = f"{group}/providers/Microsoft.Insights/metricAlerts"
            made.add(
                self.azure.put(
                    f"{rules}/ptu-dev-refusals-{account.rpartition('-')[2]}",
                    tags=TAGS,
                    properties={"actions": [{"actionGroupId": BRAKE}]},
                )
            )
            self.azure.put(
                f"{rules}/ptu-dev-refusals-mine",
                tags={},
                properties={"actions": [{"actionGroupId": f"{group}/mine"}]},
            )
        return made

    def account_of_ours(self, *, tags: dict[str, str] | None = None) -> str:
        """An account that was created in the own group, with 50 regional PTUs on it."""
        self.azure.put(
            CREATED,
            type="Microsoft.CognitiveServices/accounts",
            location="swedencentral",
            tags=TAGS if tags is None else tags,
        )
        return self.deployment("ptu", sku="ProvisionedManaged", account=CREATED)

    def gateway_of_ours(self) -> str:
        return self.azure.put(
            GATEWAY, type="Microsoft.ApiManagement/service", location="northeurope", tags=TAGS
        )

    def deployment(
        self,
        name: str,
        *,
        sku: str = "GlobalProvisionedManaged",
        capacity: int = 50,
        account: str = ACCOUNT,
        tags: dict[str, str] | None = None,
    ) -> str:
        return self.azure.put(
            f"{account}/deployments/{name}",
            sku={"name": sku, "capacity": capacity},
            properties={"model": {"name": "gpt-4.1", "version": "2025-04-14"}},
            tags=tags,
        )


def deploy(azure: FakeAzure) -> None:
    """What `azd up` leaves behind with an account of the user's."""
    azure.put(OWN, tags=TAGS)
    azure.put(
        IDENTITY,
        type="Microsoft.ManagedIdentity/userAssignedIdentities",
        tags=TAGS,
        properties={"principalId": "principal-of-ours"},
    )
    azure.put(
        f"{OWN}/providers/Microsoft.KeyVault/vaults/kv-x",
        type="Microsoft.KeyVault/vaults",
        tags=TAGS,
    )
    azure.put(ACCOUNT, type="Microsoft.CognitiveServices/accounts", kind="OpenAI")
    azure.put(
        f"{ACCOUNT}/deployments/gpt-4.1-ptu", sku={"name": "ProvisionedManaged", "capacity": 50}
    )
    for one, principal in (
        (READER, "principal-of-ours"),
        (CALLER, "principal-of-ours"),
        (INSIDE, "principal-of-ours"),
        (SOMEBODY, "principal-of-somebody"),
    ):
        azure.put(
            one,
            properties={
                "principalId": principal,
                "scope": one.partition("/providers/Microsoft.Authorization/")[0],
                "roleDefinitionId": f"/subscriptions/{ELSEWHERE}/providers/Microsoft.Authorization"
                "/roleDefinitions/43d0d8ad-25c7-4714-9337-8ba259a9fe05",
            },
        )
    azure.put(RULE, tags=TAGS, properties={"actions": [{"actionGroupId": BRAKE}]})
    azure.put(SIMILAR, tags={}, properties={"actions": [{"actionGroupId": f"{THEIRS}/mine"}]})
