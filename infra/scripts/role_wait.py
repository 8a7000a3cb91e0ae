"""After provisioning: wait until the app's role on its storage counts.

The first deployment of the code is written by the app's identity. A role assignment takes minutes
to spread, and nobody but the app can try whether it has. So this goes by its age.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from infra.scripts.azure import Azure, AzureError, group_id
from infra.scripts.function_keys import WEB_API
from infra.scripts.tools import main, needed

SPREAD_SECONDS = 600.0
"""Microsoft: changes of roles take up to 10 minutes. Longer is seldom, and `azd deploy` then works
when it is run again."""
ROLES_API = "2022-04-01"
BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
"""Storage Blob Data Owner, as in infra/roles.json."""

_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def moment(text: str) -> datetime | None:
    """Azure's time, in UTC. Its fraction of a second has more digits than Python 3.9 reads."""
    found = _TIME.match(text)
    if found is None:
        return None
    return datetime.fromisoformat(found[0]).replace(tzinfo=timezone.utc)  # noqa: UP017 - Python 3.9


def seconds_to_wait(created: Iterable[datetime], *, now: datetime) -> float:
    """Until the youngest assignment is old enough; 0 if it is, or if there is none. Never more than
    the whole time, however wrong the clock of this machine is."""
    ages = [(now - one).total_seconds() for one in created]
    if not ages:
        return 0.0
    return min(max(SPREAD_SECONDS - min(ages), 0.0), SPREAD_SECONDS)


def created_on(env: Mapping[str, str], *, azure: Azure) -> list[datetime]:
    """When the app's identities got the role on its storage. Raises AzureError."""
    group, app, blobs = needed(
        env, "AZURE_RESOURCE_GROUP", "FUNCTION_APP_NAME", "AzureWebJobsStorage__blobServiceUri"
    )
    providers = f"{group_id(azure.subscription, group)}/providers"
    site = azure.rest("get", f"{providers}/Microsoft.Web/sites/{app}", api_version=WEB_API)
    identities = (site.get("identity") or {}).get("userAssignedIdentities") or {}
    principals = {one.get("principalId") for one in identities.values()}
    storage = f"{providers}/Microsoft.Storage/storageAccounts/{_host(blobs)}"
    assignments = azure.listed(
        f"{storage}/providers/Microsoft.Authorization/roleAssignments", api_version=ROLES_API
    )
    times = [
        moment(str(one["properties"].get("createdOn")))
        for one in assignments
        if _is(one["properties"], principals, storage)
    ]
    return [one for one in times if one is not None]


def _host(address: str) -> str:
    """The account's name, of https://NAME.blob.core.windows.net/."""
    return address.partition("//")[2].partition(".")[0]


def _is(properties: Mapping[str, Any], principals: set[Any], scope: str) -> bool:
    return (
        properties.get("principalId") in principals
        and str(properties.get("roleDefinitionId", "")).lower().endswith(BLOB_OWNER)
        and str(properties.get("scope", "")).lower() == scope.lower()
    )


def wait(
    env: Mapping[str, str],
    *,
    azure: Azure,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> None:
    """What cannot be read is told: it ends no provisioning."""
    try:
        created = created_on(env, azure=azure)
    except AzureError as error:
        print(
            "How old the app's role on its storage is cannot be read, so nothing was waited for: "
            f"{error}\nIf azd deploy fails with BlobUploadFailedException (403), run it again.",
            file=sys.stderr,
        )
        return
    seconds = seconds_to_wait(created, now=now())
    if seconds:
        print(
            "The app's role on its storage is new and takes up to 10 minutes to count: waiting "
            f"{seconds:.0f} s before the code is deployed.",
            flush=True,
        )
        sleep(seconds)


def hook(env: Mapping[str, str]) -> None:
    (subscription,) = needed(env, "AZURE_SUBSCRIPTION_ID")
    wait(
        env,
        azure=Azure(subscription),
        now=lambda: datetime.now(timezone.utc),  # noqa: UP017 - Python 3.9
        sleep=time.sleep,
    )


if __name__ == "__main__":
    sys.exit(main(hook))
