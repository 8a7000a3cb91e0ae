"""After `azd down` has deleted the group: what is outside of it, by the ids of predown's record.

It deletes what is recorded or tagged, by id, and nothing else: no group, nothing by a pattern. What
costs is asked about. A run that broke off can be repeated; when all is done, another one finds
nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from infra.scripts import down_record
from infra.scripts.azure import DEPLOYMENTS_API, Azure, AzureError, Failed, NotFound
from infra.scripts.before_down import told_at_once
from infra.scripts.down_env import CONFIRMED, Environment, delete_command, environment
from infra.scripts.down_kept import Kept, kept_accounts, kept_gateways
from infra.scripts.down_reads import RULES_API, OnAccount, account_of, is_ours, subscription_of
from infra.scripts.down_record import Record
from infra.scripts.down_told import size
from infra.scripts.questions import Terminal, confirmed, terminal
from infra.scripts.role_wait import ROLES_API
from infra.scripts.tools import ROOT, HookError, Runner, main, set_variable, start

CONFIRMATIONS = (
    "PTU_PURCHASE_CONFIRMED",
    "PTU_COUNT_CONFIRMED",
    "AZURE_RESOURCE_GROUP_CONFIRMED",
)
"""Answers that were given for what is gone: the next purchase is asked about again."""


class AfterDown:
    """One run of postdown."""

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        azure: Azure,
        root: Path = ROOT,
        where: Terminal | None = None,
        runner: Runner = start,
        sleep: Callable[[float], None] = time.sleep,
        say: Callable[[str], None] = told_at_once,
    ) -> None:
        self._env = env
        self._azure = azure
        self._root = root
        self._where = terminal(env) if where is None else where
        self._runner = runner
        self._sleep = sleep
        self._say = say
        self._asked: Environment = environment(env)
        self._file = down_record.path(root, self._asked.name)
        self._record: Record = down_record.load(self._file)
        self._groups = self._record.groups or self._asked.group_ids
        self._failed: list[str] = []

    def run(self) -> None:
        """Raises HookError with what is left to do."""
        self._stop_while_the_group_is_there()
        self._delete_by_id(self._record.role_assignments, "role assignment", api=ROLES_API)
        self._delete_by_id(self._record.alert_rules, "alert rule", api=RULES_API)
        self._deployments()
        self._kept_by_azure()
        self._tell_what_stays()
        self._clear(CONFIRMATIONS)
        if self._failed:
            raise HookError(
                "The group is gone, but this is not done:\n- "
                + "\n- ".join(self._failed)
                + "\nRun azd down again, or: azd hooks run postdown"
            )
        # kept until now: a run that is repeated asks for it again
        self._clear((CONFIRMED,))

    def _stop_while_the_group_is_there(self) -> None:
        for one in self._groups:
            subscription, name = one.split("/")[2], one.rpartition("/")[2]
            if self._azure.in_subscription(subscription).group(name) is not None:
                raise HookError(
                    f"The resource group {name} is still there, so nothing outside of it was "
                    "deleted. Run azd down again."
                )

    # --- what costs nothing: by the recorded ids

    def _delete_by_id(self, ids: Iterable[str], what: str, *, api: str) -> None:
        for one in ids:
            azure = self._azure.in_subscription(subscription_of(one))
            try:
                azure.rest("delete", one, api_version=api)
                self._say(f"Deleted the {what} {one}")
            except NotFound:
                pass
            except AzureError as error:
                self._failed.append(f"{what} {one}: {error}")
                continue
            self._done(one)

    # --- deployments on an account of the user's

    def _deployments(self) -> None:
        found = self._recorded_deployments()
        if not found:
            return
        lines = [f"  {one.deployment.name}: {size(one.deployment)}" for one in found]
        where = ", ".join(sorted({one.account.rpartition("/")[2] for one in found}))
        question = f"This environment created these deployments on {where}:\n" + "\n".join(lines)
        if not self._meant(f"{question}\nDelete them?"):
            for one in found:
                self._say(
                    f"{one.deployment.name} is still billed, {one.deployment.price}:\n"
                    f"    {delete_command(one.account, one.deployment.name)}"
                )
            return
        for one in found:
            self._delete_deployment(one)

    def _recorded_deployments(self) -> list[OnAccount]:
        """Those that are still there and still tagged as ours."""
        found = []
        for deployment_id in self._record.deployments:
            account = account_of(deployment_id)
            try:
                there = self._azure.deployments(account)
            except AzureError as error:
                self._failed.append(f"deployment {deployment_id}: {error}")
                continue
            same = [one for one in there if one.id.lower() == deployment_id.lower()]
            if not same:
                self._done(deployment_id)
            elif is_ours(self._asked, same[0], groups=self._groups):
                found.append(OnAccount(account, same[0]))
            else:
                self._say(f"{same[0].name} has lost the tags of this environment: not deleted.")
                self._done(deployment_id)
        return found

    def _delete_deployment(self, one: OnAccount) -> None:
        deployment = one.deployment
        try:
            self._azure.delete_deployment(one.account, deployment.name)
            if not self._azure.wait_until_gone(
                deployment.id, api_version=DEPLOYMENTS_API, sleep=self._sleep
            ):
                raise Failed("Azure has not deleted it yet")
        except AzureError as error:
            self._failed.append(
                f"deployment {deployment.name}: still billed, {deployment.price}: {error}\n"
                f"    {delete_command(one.account, deployment.name)}"
            )
        else:
            self._say(f"Deleted the deployment {deployment.name}.")
            self._done(deployment.id)

    # --- what Azure keeps after its deletion

    def _kept_by_azure(self) -> None:
        kept = [
            *self._kept(
                "deleted accounts",
                self._record.accounts,
                lambda: kept_accounts(
                    self._asked, self._record, azure=self._azure, groups=self._groups
                ),
            ),
            *self._kept(
                "deleted API Management services",
                self._record.gateways,
                lambda: kept_gateways(self._record, azure=self._azure, groups=self._groups),
            ),
        ]
        for one in kept:
            if not one.ours:
                self._say(
                    f"{one.told} It is not recorded as this environment's, so it is not purged "
                    f"here:\n    {one.command}"
                )
        ours = [one for one in kept if one.ours]
        if ours and not self._meant(
            "\n".join(one.told for one in ours) + "\nPurge for good, without a way back?"
        ):
            for one in ours:
                self._say(f"{one.told}\n    {one.command}")
            return
        for one in ours:
            self._purge(one)

    def _kept(
        self, what: str, recorded: Iterable[str], read: Callable[[], list[Kept]]
    ) -> list[Kept]:
        try:
            found = read()
        except AzureError as error:
            said = f"{what} cannot be read: {error}"
            if recorded:
                self._failed.append(said)
            else:
                self._say(f"Not looked for: {said}")
            return []
        still = {one.id.lower() for one in found}
        for one in recorded:
            if one.lower() not in still:
                self._done(one)
        return found

    def _purge(self, one: Kept) -> None:
        try:
            self._azure.ask(*one.purge)
        except NotFound:
            pass
        except AzureError as error:
            self._failed.append(f"{one.told} {error}\n    {one.command}")
            return
        else:
            self._say(f"Purged {one.name}.")
        self._done(one.id)

    # --- the rest

    def _tell_what_stays(self) -> None:
        if self._asked.webhook:
            self._say(
                "The application of the alert webhook stays:\n"
                f"    az ad app delete --id {self._asked.webhook}"
            )
        if (self._root / "local.settings.json").exists():
            self._say(
                "local.settings.json stays on this machine. It names services that are gone, and "
                "may hold a key."
            )

    def _clear(self, names: Iterable[str]) -> None:
        for name in names:
            if self._env.get(name):
                try:
                    set_variable(self._env, name, "", runner=self._runner)
                except HookError as error:
                    self._failed.append(str(error))

    def _meant(self, question: str) -> bool:
        """No where nobody can answer: the group is gone, and this can be done later."""
        name = self._asked.name
        if not self._where.there and self._env.get(CONFIRMED) != name:
            return False
        return confirmed(
            question, word=name, variable=CONFIRMED, value=name, env=self._env, where=self._where
        )

    def _done(self, resource_id: str) -> None:
        """Written at once: whatever ends this run, the next one begins here."""
        self._record = self._record.without([resource_id])
        down_record.save(self._file, self._record)


def hook(env: Mapping[str, str]) -> None:
    AfterDown(env, azure=Azure(environment(env).subscription)).run()


if __name__ == "__main__":
    sys.exit(main(hook))
